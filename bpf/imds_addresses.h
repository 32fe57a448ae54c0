/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the addresses of a socket, and tells whether it is connected to IMDS. The same for the
 * address that a send brings.
 */
#ifndef IMDS_ADDRESSES_H
#define IMDS_ADDRESSES_H

#include "imds_event.h"
#include "reading.h"

#define IMDS_PORT 80
#define IMDS_IPV4 bpf_htonl(0xA9FEA9FE)	    /* 169.254.169.254 */
#define IMDS_IPV6_0 bpf_htonl(0xFD000EC2)   /* fd00:ec2:: ... */
#define IMDS_IPV6_3 bpf_htonl(0x00000254)   /* ... ::254 */
#define IPV4_MAPPED_2 bpf_htonl(0x0000FFFF) /* ::ffff:a.b.c.d */

/* A socket address of either family; the members that both have come first in both. */
struct user_sockaddr {
	__u16 family;
	__be16 port;
	__be32 ipv4_or_flow_label;
	__be32 ipv6[4];
};

static __always_inline unsigned int imds_netns(const struct sock *sk)
{
	const struct net *net = READ((const struct sock_common *)sk, skc_net.net);

	return READ(net, ns.inum);
}

/* Is this the address of IMDS? Brings an IPv4-mapped one into its plain form. */
static __always_inline int imds_is_imds(unsigned short *family, unsigned int *words)
{
	if (*family == AF_INET)
		return words[0] == IMDS_IPV4;
	if (*family != AF_INET6 || words[1] != 0)
		return 0;
	if (words[0] == 0 && words[2] == IPV4_MAPPED_2 && words[3] == IMDS_IPV4) {
		*family = AF_INET;
		words[0] = IMDS_IPV4;
		words[2] = words[3] = 0;
		return 1;
	}
	return words[0] == IMDS_IPV6_0 && words[2] == 0 && words[3] == IMDS_IPV6_3;
}

/* Is the socket, whose port is known to be the right one, connected to IMDS? */
static __always_inline int imds_is_to_imds(const struct sock *sk)
{
	const struct sock_common *common = (const struct sock_common *)sk;
	unsigned short family = READ(common, skc_family);
	struct in6_addr destination = {};

	if (family == AF_INET)
		destination.in6_u.u6_addr32[0] = READ(common, skc_daddr);
	else
		destination = READ(common, skc_v6_daddr);
	return imds_is_imds(&family, destination.in6_u.u6_addr32);
}

/* Is the socket connected to IMDS? Fills in the addresses of the event if so. */
static __always_inline int imds_match(const struct sock *sk, struct imds_event *event)
{
	const struct sock_common *common = (const struct sock_common *)sk;
	unsigned short family = READ(common, skc_family);
	struct in6_addr source = {}, destination = {};

	if (family == AF_INET)
		destination.in6_u.u6_addr32[0] = READ(common, skc_daddr);
	else
		destination = READ(common, skc_v6_daddr);
	if (!imds_is_imds(&family, destination.in6_u.u6_addr32))
		return 0;
	/* An IPv6 socket that is connected to a mapped address has the IPv4 one as well. */
	if (family == AF_INET)
		source.in6_u.u6_addr32[0] = READ(common, skc_rcv_saddr);
	else
		source = READ(common, skc_v6_rcv_saddr);
	event->family = family;
	__builtin_memcpy(event->destination_ip, &destination, sizeof(destination));
	__builtin_memcpy(event->source_ip, &source, sizeof(source));
	event->source_port = READ(common, skc_num);
	event->destination_port = IMDS_PORT;
	return 1;
}

/* The same for an address that is given with the send (TCP Fast Open). */
static __always_inline int imds_match_address(const struct user_sockaddr *address,
					      struct imds_event *event)
{
	unsigned short family = address->family;
	struct in6_addr destination = {};

	if (address->port != bpf_htons(IMDS_PORT))
		return 0;
	if (family == AF_INET)
		destination.in6_u.u6_addr32[0] = address->ipv4_or_flow_label;
	else
		__builtin_memcpy(&destination, address->ipv6, sizeof(destination));
	if (!imds_is_imds(&family, destination.in6_u.u6_addr32))
		return 0;
	event->family = family;
	__builtin_memcpy(event->destination_ip, &destination, sizeof(destination));
	event->destination_port = IMDS_PORT;
	return 1;
}

/*
 * Every send of the host comes through here, so it is one read for nearly all
 * of them: few connections go to port 80, and a server's replies do not. 0 is
 * the port of a socket that is not connected yet.
 */
static __always_inline unsigned short imds_port(const struct sock *sk)
{
	return bpf_ntohs(READ((const struct sock_common *)sk, skc_dport));
}

static __always_inline int imds_is_port_80(const struct sock *sk)
{
	return imds_port(sk) == IMDS_PORT;
}

#endif
