/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the headers of a packet to or from IMDS: its addresses, its sequence numbers, and where
 * in it the payload is.
 */
#ifndef IMDS_PACKET_H
#define IMDS_PACKET_H

#include "imds_addresses.h"

/* The return value with which the kernel lets a packet pass. */
#define IMDS_PASS 1
#define IPV6_HEADER_LEN 40
#define TCP_HEADER_LEN 20
#define IMDS_TCP_SYN 0x02
#define IMDS_TCP_URG 0x20
/* Extension headers of IPv6 in front of TCP that are stepped over; a socket sends at most 5. */
#define IPV6_EXTENSIONS_MAX 6

/* Which end of a packet must be IMDS. */
enum imds_peer {
	IMDS_PEER_RECEIVES,
	IMDS_PEER_SENDS,
	IMDS_PEER_ANY, /* the packet belongs to a connection with IMDS, whatever stands in it */
};

/* A TCP packet to or from IMDS, and where in it the payload is. */
struct imds_packet {
	unsigned short family;
	unsigned short source_port;
	unsigned short destination_port;
	unsigned short urgent;
	unsigned int sequence; /* of the first byte of the payload */
	unsigned int acknowledged;
	unsigned int payload_at;
	unsigned int payload_size;
	unsigned int hop_limit;
	unsigned int flags; /* IMDS_FLAG_CHANGEABLE, _HELD, _SENDER_LOST */
	unsigned int source[4];
	unsigned int destination[4];
};

static int imds_is_translated(void);
static void imds_set_translated(void);

/* The headers as they come in the packet. */
struct imds_ipv4 {
	__u8 version_and_length, service;
	__be16 size, id, fragment;
	__u8 ttl, protocol;
	__be16 checksum;
	__be32 source, destination;
};

struct imds_ipv6 {
	__be32 version_and_flow;
	__be16 payload_size;
	__u8 next, hop_limit;
	__be32 source[4], destination[4];
};

struct imds_tcp {
	__be16 source, destination;
	__be32 sequence, acknowledged;
	__u8 length, flags;
	__be16 window, checksum, urgent;
};

static __always_inline int imds_is_ipv6_address(const unsigned int *words)
{
	return words[0] == IMDS_IPV6_0 && words[1] == 0 && words[2] == 0 && words[3] == IMDS_IPV6_3;
}

/*
 * Whether the packet's socket is connected to IMDS, wherever the packet itself goes: it may be
 * redirected to a proxy on this host.
 */
static __always_inline int imds_is_socket_to_imds(const struct __sk_buff *skb)
{
	if (skb->remote_port != bpf_htonl(IMDS_PORT))
		return 0;
	if (skb->remote_ip4 == IMDS_IPV4)
		return 1;
	return skb->remote_ip6[0] == IMDS_IPV6_0 && skb->remote_ip6[1] == 0 &&
	       skb->remote_ip6[2] == 0 && skb->remote_ip6[3] == IMDS_IPV6_3;
}

/* The header of TCP, behind those of IP; `peer` tells which end IMDS must be. */
static __always_inline int imds_read_tcp(const struct __sk_buff *skb, unsigned int at,
					 enum imds_peer peer, struct imds_packet *packet)
{
	struct imds_tcp tcp = {};
	unsigned int length;

	if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)))
		return 0;
	if (peer != IMDS_PEER_ANY &&
	    (peer == IMDS_PEER_RECEIVES ? tcp.destination : tcp.source) != bpf_htons(IMDS_PORT))
		return 0;
	length = (tcp.length >> 4) * 4;
	if (length < TCP_HEADER_LEN || skb->len <= at + length)
		return 0;
	packet->source_port = bpf_ntohs(tcp.source);
	packet->destination_port = bpf_ntohs(tcp.destination);
	packet->sequence = bpf_ntohl(tcp.sequence);
	packet->acknowledged = bpf_ntohl(tcp.acknowledged);
	/* TCP Fast Open: the SYN takes a sequence number of its own. */
	if (tcp.flags & IMDS_TCP_SYN)
		packet->sequence += 1;
	packet->urgent = tcp.flags & IMDS_TCP_URG ? bpf_ntohs(tcp.urgent) : 0;
	packet->payload_at = at + length;
	packet->payload_size = skb->len - packet->payload_at;
	return 1;
}

static __always_inline int imds_read_ipv4(const struct __sk_buff *skb, enum imds_peer peer,
					  struct imds_packet *packet)
{
	const void *data = (const void *)(long)skb->data;
	const struct imds_ipv4 *ip = data;

	if ((const void *)(ip + 1) > (const void *)(long)skb->data_end)
		return 0;
	if (ip->protocol != IPPROTO_TCP)
		return 0;
	if (peer != IMDS_PEER_ANY &&
	    (peer == IMDS_PEER_RECEIVES ? ip->destination : ip->source) != IMDS_IPV4)
		return 0;
	packet->family = AF_INET;
	packet->hop_limit = ip->ttl;
	packet->source[0] = ip->source;
	packet->destination[0] = ip->destination;
	return imds_read_tcp(skb, (ip->version_and_length & 15) * 4, peer, packet);
}

/* Whether a header of this kind may stand between those of IPv6 and TCP. */
static __always_inline int imds_is_extension(unsigned char kind)
{
	/* Hop-by-hop options, routing, destination options. */
	return kind == 0 || kind == 43 || kind == 60;
}

static __always_inline int imds_read_ipv6(const struct __sk_buff *skb, enum imds_peer peer,
					  struct imds_packet *packet)
{
	const void *data = (const void *)(long)skb->data;
	const struct imds_ipv6 *ip = data;
	unsigned int at = IPV6_HEADER_LEN;
	unsigned char next;

	if ((const void *)(ip + 1) > (const void *)(long)skb->data_end)
		return 0;
	if (peer != IMDS_PEER_ANY &&
	    !imds_is_ipv6_address(peer == IMDS_PEER_RECEIVES ? ip->destination : ip->source))
		return 0;
	packet->family = AF_INET6;
	packet->hop_limit = ip->hop_limit;
	__builtin_memcpy(packet->source, ip->source, sizeof(packet->source));
	__builtin_memcpy(packet->destination, ip->destination, sizeof(packet->destination));
	next = ip->next;
	for (int i = 0; i < IPV6_EXTENSIONS_MAX && next != IPPROTO_TCP; i++) {
		unsigned char extension[2];

		if (!imds_is_extension(next) ||
		    bpf_skb_load_bytes(skb, at, extension, sizeof(extension)))
			return 0;
		next = extension[0];
		at += (extension[1] + 1) * 8;
	}
	return next == IPPROTO_TCP && imds_read_tcp(skb, at, peer, packet);
}

/* Fills in the packet if it is one to (or from) IMDS with something in it. */
static __always_inline int imds_read_packet(const struct __sk_buff *skb, enum imds_peer peer,
					    struct imds_packet *packet)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return imds_read_ipv4(skb, peer, packet);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return imds_read_ipv6(skb, peer, packet);
	return 0;
}

/* The address of the socket as a number. The verifier keeps track of what it hands out itself. */
static __always_inline const struct sock *imds_sock(struct __sk_buff *skb)
{
	unsigned long long held = (unsigned long long)skb->sk, sock = 0;

	bpf_probe_read_kernel(&sock, sizeof(sock), &held);
	return (const struct sock *)sock;
}

#endif
