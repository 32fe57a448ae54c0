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

#include "imds_answers.h"

#define IMDS_PASS 1
#define IPV6_HEADER_LEN 40
#define TCP_HEADER_LEN 20
#define IMDS_TCP_SYN 0x02
#define IMDS_TCP_URG 0x20
/* Extension headers of IPv6 in front of TCP that are stepped over; a socket sends at most 5. */
#define IPV6_EXTENSIONS_MAX 6
/*
 * Parts of IMDS_PAYLOAD_MAX that a packet is told in. With segmentation offload it has up to
 * 64 KiB; only a device that is set up for more (BIG TCP, 5.19) has it cut.
 */
#define IMDS_PARTS_MAX 16

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
static void *imds_reserve_segment(unsigned int payload_room);
/*
 * Where the holder of a socket is put together: nothing else works on it while the socket is
 * locked. (In a reserved part of the ring, verifiers before 6.1 would follow each way on its own.)
 */
static struct imds_holder *imds_new_holder(unsigned long long sock);
static void imds_submit_reserved(void *data);
static void imds_expect_from(unsigned long long sock, unsigned int netns, unsigned int sequence,
			     unsigned int is_opening);

/* Whether a sequence number lies behind another. */
static __always_inline int imds_is_behind(unsigned int sequence, unsigned int other)
{
	return (int)(sequence - other) > 0;
}

/*
 * Expect an answer from `sequence` on, unless one is expected already: what there is to know of
 * it goes into `exchange`. Returns 0 if there is nothing to do.
 */
static __always_inline int imds_begin_exchange(struct imds_exchange *exchange,
					       const struct imds_exchange *known,
					       unsigned int netns, unsigned int sequence,
					       unsigned int is_opening)
{
	if (known && known->is_expected)
		return 0;
	exchange->netns = netns;
	exchange->is_expected = 1;
	exchange->sequence = sequence;
	exchange->is_opening = is_opening;
	if (known && known->seen_end) {
		exchange->seen_end = known->seen_end;
		/* What has come and waits for whoever holds the lock TCP has not counted yet. */
		if (imds_is_behind(known->seen_end, sequence))
			exchange->sequence = known->seen_end;
	}
	return 1;
}

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

/*
 * Who holds the socket's lock. Where a process does, it is the one that runs now: it sends,
 * or does something else that makes waiting bytes go out. Without it this is the network's
 * own work, on behalf of nobody in particular.
 */
static __always_inline unsigned int imds_tell_holder(struct __sk_buff *skb, const struct sock *sk,
						     const struct task_struct *task,
						     unsigned int sequence, unsigned int flags)
{
	struct imds_holder *holder = imds_new_holder((unsigned long long)sk);
	struct imds_event *event;

	if (!holder) {
		imds_count(IMDS_COUNTER_LOST_SENDERS);
		return IMDS_FLAG_SENDER_LOST;
	}
	event = &holder->event;
	__builtin_memset(event, 0, sizeof(*event));
	event->kind = IMDS_KIND_HOLDER;
	event->flags = flags;
	event->boottime_ns = bpf_ktime_get_boot_ns();
	event->sock = (unsigned long long)sk;
	event->write_seq = sequence;
	event->netns = imds_netns(sk);
	event->cgroup_id = bpf_skb_cgroup_id(skb);
	imds_read_callers(event, holder->ancestors, task);
	imds_tell_programs(event, holder->ancestors);
	imds_read_args(event, holder->args, task);
	event->executable_captured = imds_read_executable(event, holder->executable, task);
	if (imds_submit(holder, sizeof(*holder)) < 0) {
		imds_count(IMDS_COUNTER_LOST_SENDERS);
		return IMDS_FLAG_SENDER_LOST;
	}
	return IMDS_FLAG_HELD;
}

/* Sockets with a holder at a time, on all CPUs. */
#define IMDS_HOLDERS_MAX 512

/* Tell who sent these bytes, as far as it is not told yet. Returns what the segment's flags say. */
static __always_inline unsigned int imds_tell_senders(struct __sk_buff *skb, const struct sock *sk,
						      unsigned int sequence)
{
	struct imds_sender *sender = imds_sender_of((unsigned long long)sk);
	const struct task_struct *task;
	unsigned int flags = 0;

	if (sender) {
		if (sender->event.is_former_lost) {
			sender->event.is_former_lost = 0;
			return IMDS_FLAG_SENDER_LOST;
		}
		/* A new call, or one of which not all bytes may have gone out at once. */
		if (sender->event.kind ||
		    sequence - sender->event.write_seq < sender->event.payload_size)
			flags = IMDS_FLAG_OTHER_SENDER;
		if (sender->event.kind == IMDS_KIND_SENDER)
			imds_tell_sender(sender);
		else
			sender->event.kind = 0; /* a further call the segment tells */
	}
	if (sender && sender->event.boottime_ns == 0)
		return IMDS_FLAG_SENDER_LOST;
	if (!READ(sk, sk_lock.owned))
		return 0;
	task = imds_caller();
	if (!sender || sender->event.caller.pid != READ(task, tgid))
		return imds_tell_holder(skb, sk, task, sequence, flags);
	return IMDS_FLAG_HELD;
}

/* Say which call these bytes may be of; not where its bytes have no numbers of their own. */
static __always_inline void imds_name_call(struct imds_segment *segment)
{
	const struct imds_sender *sender = imds_sender_of(segment->sock);
	unsigned long long size;

	if (!sender || (sender->event.flags & (IMDS_FLAG_FASTOPEN | IMDS_FLAG_NO_ANSWER)))
		return;
	size = sender->event.payload_size;
	segment->call_boottime_ns = sender->event.boottime_ns;
	segment->call_sequence = sender->event.write_seq;
	segment->call_size = size > 0xffffffff ? 0xffffffff : size;
	segment->call_tid = sender->event.tid;
}

/*
 * Copy `size` bytes from byte `at` of the payload on. The place for them has `room` bytes, a
 * constant and a power of two.
 */
static __always_inline void imds_tell_part(struct __sk_buff *skb, const struct sock *sk,
					   const struct imds_packet *packet, unsigned int at,
					   unsigned int room)
{
	struct imds_segment *segment = imds_reserve_segment(room);
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	unsigned int sequence = packet->sequence + at;
	unsigned long long size = packet->payload_size - at;

	if (!segment) {
		imds_count(IMDS_COUNTER_LOST);
		return;
	}
	__builtin_memset(segment, 0, sizeof(*segment));
	segment->kind = IMDS_KIND_SEGMENT;
	segment->flags = packet->flags;
	segment->boottime_ns = bpf_ktime_get_boot_ns();
	segment->sock = (unsigned long long)sk;
	segment->cgroup_id = bpf_skb_cgroup_id(skb);
	segment->sequence = sequence;
	segment->stream_offset =
	    (unsigned int)READ(tcp, bytes_acked) + (sequence - READ(tcp, snd_una)) - 1;
	segment->netns = imds_netns(sk);
	segment->family = packet->family;
	segment->source_port = packet->source_port;
	segment->destination_port = packet->destination_port;
	segment->urgent = packet->urgent > at ? packet->urgent - at : 0;
	__builtin_memcpy(segment->source_ip, packet->source, sizeof(segment->source_ip));
	__builtin_memcpy(segment->destination_ip, packet->destination,
			 sizeof(segment->destination_ip));
	imds_name_call(segment);
	segment->payload_size = size;
	if (size > room) {
		size = room;
		/* What is behind it comes in a part of its own, but for the last one. */
		if (at == (IMDS_PARTS_MAX - 1) * IMDS_PAYLOAD_MAX)
			segment->flags |= IMDS_FLAG_TRUNCATED;
		else
			segment->payload_size = room;
	}
	/* For the verifier, which forgets that it is not 0: the same number once more. */
	OPAQUE(size);
	size = ((size - 1) & (room - 1)) + 1;
	if (!bpf_skb_load_bytes(skb, packet->payload_at + at, segment + 1, size))
		segment->payload_captured = size;
	else
		segment->flags |= IMDS_FLAG_UNREADABLE;
	imds_submit_reserved(segment);
}

/* Tell all the bytes. A request has 100 to 700; a reservation must be of constant size. */
static __always_inline void imds_tell_segment(struct __sk_buff *skb, const struct sock *sk,
					      const struct imds_packet *packet)
{
	if (packet->payload_size <= IMDS_SEGMENT_SMALL) {
		imds_tell_part(skb, sk, packet, 0, IMDS_SEGMENT_SMALL);
		return;
	}
	for (int i = 0; i < IMDS_PARTS_MAX; i++) {
		if (i * IMDS_PAYLOAD_MAX >= packet->payload_size)
			break;
		imds_tell_part(skb, sk, packet, i * IMDS_PAYLOAD_MAX, IMDS_PAYLOAD_MAX);
	}
}

/* The addresses as the socket has them, not as they are on this host's own way to a proxy. */
static __always_inline void imds_name_peer(const struct sock *sk, struct imds_packet *packet)
{
	struct imds_event event = {};

	if (!imds_match(sk, &event))
		return;
	packet->family = event.family;
	packet->source_port = event.source_port;
	packet->destination_port = event.destination_port;
	__builtin_memcpy(packet->source, event.source_ip, sizeof(packet->source));
	__builtin_memcpy(packet->destination, event.destination_ip, sizeof(packet->destination));
}

/* What a socket sends. */
static __always_inline int imds_egress(struct __sk_buff *skb)
{
	struct imds_packet read = {}, packet = {};
	int is_to_imds = imds_is_socket_to_imds(skb);
	const struct sock *sk;
	unsigned int flags = 0;

	if (!imds_read_packet(skb, is_to_imds ? IMDS_PEER_ANY : IMDS_PEER_RECEIVES, &read))
		return IMDS_PASS;
	sk = imds_sock(skb);
	if (!sk)
		return IMDS_PASS;
	if (is_to_imds)
		imds_name_peer(sk, &read);
	else
		imds_set_translated();
	/*
	 * The verifier knows what stands in `read`, and so takes each way of reading a packet for
	 * one that is to be followed to the end. Of a copy that a helper makes it knows nothing.
	 */
	bpf_probe_read_kernel(&packet, sizeof(packet), &read);
	flags = imds_tell_senders(skb, sk, packet.sequence);
	if (imds_is_changeable((const struct sk_buff *)skb))
		flags |= IMDS_FLAG_CHANGEABLE;
	bpf_probe_read_kernel(&packet.flags, sizeof(flags), &flags);
	imds_tell_segment(skb, sk, &packet);
	imds_expect_from((unsigned long long)sk, imds_netns(sk),
			 READ((const struct tcp_sock *)sk, rcv_nxt),
			 READ((const struct sock_common *)sk, skc_state) == TCP_SYN_SENT);
	return IMDS_PASS;
}

/*
 * What a socket receives: the status line is put together from the packets in which it
 * comes, wherever in it each begins. Packets come here before TCP has put them in order.
 */
static __always_inline int imds_ingress(struct __sk_buff *skb)
{
	struct imds_packet packet = {};
	struct imds_exchange *exchange;
	enum imds_peer peer = IMDS_PEER_SENDS;
	unsigned int at, skipped = 0;
	unsigned long long sock;

	if (imds_is_socket_to_imds(skb) || imds_is_translated())
		peer = IMDS_PEER_ANY;
	if (!imds_read_packet(skb, peer, &packet))
		return IMDS_PASS;
	sock = (unsigned long long)imds_sock(skb);
	exchange = imds_exchange_of(sock);
	if (!exchange)
		return IMDS_PASS;
	/*
	 * What acknowledges bytes that were never sent TCP drops: somebody else made it. (snd_nxt
	 * may be behind: it is moved after the packet has gone out, and the answer can be here by
	 * then.)
	 */
	if (!exchange->is_opening &&
	    imds_is_behind(packet.acknowledged, READ((const struct tcp_sock *)sock, write_seq)))
		return IMDS_PASS;
	if (!exchange->seen_end ||
	    imds_is_behind(packet.sequence + packet.payload_size, exchange->seen_end))
		exchange->seen_end = packet.sequence + packet.payload_size;
	if (!exchange->is_expected)
		return IMDS_PASS;
	if (exchange->is_opening) {
		/*
		 * The other end's numbers were not known when it was asked, and TCP may not have
		 * come to them yet: the answer to the SYN waits for whoever holds the lock.
		 */
		exchange->sequence = packet.sequence;
		if (READ((const struct sock_common *)sock, skc_state) != TCP_SYN_SENT)
			exchange->sequence = READ((const struct tcp_sock *)sock, rcv_nxt);
		exchange->is_opening = 0;
	}
	at = packet.sequence - exchange->sequence;
	if ((int)at < 0) { /* sent again, with new bytes behind */
		skipped = -at;
		at = 0;
	}
	if (at == 0 && skipped < packet.payload_size && exchange->hop_limit == 0)
		exchange->hop_limit = packet.hop_limit;
	for (int i = 0; i < IMDS_STATUS_LINE_LEN; i++) {
		unsigned int place = at + i;

		if (place >= IMDS_STATUS_LINE_LEN || skipped + i >= packet.payload_size)
			break;
		OPAQUE(place);
		place &= sizeof(exchange->line) - 1;
		if (bpf_skb_load_bytes(skb, packet.payload_at + skipped + i, &exchange->line[place],
				       1))
			break;
		exchange->have |= 1ull << place;
	}
	if (exchange->have != (1ull << IMDS_STATUS_LINE_LEN) - 1)
		return IMDS_PASS;
	exchange->is_expected = 0;
	imds_report(IMDS_KIND_ANSWER, imds_status(exchange->line), sock, exchange->netns,
		    exchange->hop_limit);
	return IMDS_PASS;
}

#endif
