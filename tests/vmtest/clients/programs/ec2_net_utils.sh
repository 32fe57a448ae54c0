#!/bin/bash
# What amazon-ec2-net-utils asks of an interface, by its own library.
# shellcheck source=/dev/null
. "$EC2_NET_UTILS/lib.sh"
get_meta instance-id
exit 0
