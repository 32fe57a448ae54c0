/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second witness: the packets themselves, by programs on the root of the cgroup2
 * hierarchy. They see what the sockets of all network namespaces send and receive, after
 * routing and address translation, whatever call or page it came from. A call can offer
 * other bytes than it sends, or fail; a packet cannot. Both programs let everything pass.
 *
 * The socket whose packet this is has its lock held while the program runs. So nothing
 * else works on the entries of the maps for that socket, except for the ingress program.
 */
#ifndef IMDS_WIRE_H
#define IMDS_WIRE_H

#include "imds_egress.h"
#include "imds_ingress.h"

#endif
