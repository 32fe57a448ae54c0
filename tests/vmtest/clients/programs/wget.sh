#!/bin/sh
# Each call is a process of its own: wget without a token, for one, and with it or again without.
# shellcheck disable=SC2153 # both are given by the test
ask() { wget --no-verbose --output-document=- --tries=1 --timeout="$IMDS_TIMEOUT_S" "$@"; }
ask "$IMDS_URL/latest/meta-data/instance-id"
token=$(ask --method=PUT --header='X-aws-ec2-metadata-token-ttl-seconds: 60' \
  "$IMDS_URL/latest/api/token")
if [ -n "$token" ]; then
  ask --header="X-aws-ec2-metadata-token: $token" "$IMDS_URL/latest/meta-data/instance-id"
else
  ask "$IMDS_URL/latest/meta-data/instance-id"
fi
exit 0
