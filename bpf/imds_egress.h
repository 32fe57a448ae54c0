/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells what a socket sends to IMDS, packet by packet, and which process sends it. Part of
 * imds_wire.h.
 */
#ifndef IMDS_EGRESS_H
#define IMDS_EGRESS_H

#include "imds_capture.h"
#include "imds_packet.h"

/*
 * Parts of IMDS_PAYLOAD_MAX that a packet is told in. With segmentation offload it has up to
 * 64 KiB, or two segments: by loopback 128 KiB, since TCP joins what waits (tcp_grow_skb(), 6.10).
 * Only a device that is set up for more (BIG TCP, 5.19) has it cut.
 */
#define IMDS_PARTS_MAX 32

static void *imds_reserve_segment(unsigned int payload_room);
/*
 * Where the holder of a socket is put together: nothing else works on it while the socket is
 * locked. (In a reserved part of the ring, verifiers before 6.1 would follow each way on its own.)
 */
static struct imds_holder *imds_new_holder(unsigned long long sock);
static void imds_submit_reserved(void *data);
static void imds_expect_from(unsigned long long sock, unsigned int netns, unsigned int sequence,
			     unsigned int is_opening);

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

#endif
