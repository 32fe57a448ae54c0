/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The capture logic, the same for every loader and attach point: is this a
 * send to IMDS, and if so who sends what. The file that includes this one
 * brings the kernel's types and some functions, because libbpf and BCC reach
 * maps in different ways:
 *
 *   imds_scratch(slot)     this CPU's struct imds_scratch for one hook
 *   imds_expect(...)       an answer is to be looked for: see imds_answers.h
 *   imds_has_wire()        whether the wire is watched: see imds_wire.h
 *   imds_tell_programs()   say what its ancestors run: see imds_programs.h
 *   imds_submit(), imds_count(), imds_sender_of(), imds_set_sender(): see imds_senders.h
 *   imds_is_replaced()     see imds_callers.h
 */
#ifndef IMDS_CAPTURE_H
#define IMDS_CAPTURE_H

#include "imds_addresses.h"
#include "imds_callers.h"
#include "imds_payload.h"
#include "imds_senders.h"

/*
 * A hook for each area: where the kernel is preemptible, a task can be taken off
 * the CPU inside one program and the next one run another. (The same program it
 * does not run again on that CPU: it counts a miss.)
 */
enum imds_slot {
	IMDS_SLOT_SENDMSG,
	IMDS_SLOT_SENDPAGE,
	IMDS_SLOT_MPTCP,
	IMDS_SLOTS,
};

static struct imds_scratch *imds_scratch(enum imds_slot slot);
static void imds_expect(unsigned long long sock, unsigned int netns);
static int imds_has_wire(void);
static void imds_tell_programs(const struct imds_event *event,
			       const struct imds_process *ancestors);

/*
 * How many bytes the connection has taken so far: what was acknowledged plus
 * what still waits for it. bytes_acked counts the SYN, which is no byte of
 * the stream, as soon as it is acknowledged; until then snd_una is one behind.
 *
 * With TCP_FASTOPEN_CONNECT the SYN itself waits for the first send. It takes
 * the next sequence number, and nothing but write_seq has a value yet.
 */
static __always_inline void imds_read_stream(struct imds_event *event, const struct sock *sk)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	unsigned int unacknowledged = READ(tcp, snd_una);
	unsigned int acknowledged = (unsigned int)READ(tcp, bytes_acked);

	event->write_seq = READ(tcp, write_seq);
	event->stream_offset = acknowledged + (event->write_seq - unacknowledged) - 1;
	if (READ((const struct sock_common *)sk, skc_state) == TCP_SYN_SENT &&
	    READ(tcp, snd_nxt) != event->write_seq) {
		event->write_seq += 1;
		event->stream_offset = 0;
	}
}

/* Put the event for one send, described by scratch->segments, together and hand it over. */
static __always_inline void imds_emit(struct imds_scratch *scratch, const struct sock *sk)
{
	const struct task_struct *task = imds_caller();
	struct imds_event *event = &scratch->event;
	unsigned long long total;

	event->kind = IMDS_KIND_SEND;
	event->boottime_ns = bpf_ktime_get_boot_ns();
	event->sock = (unsigned long long)sk;
	event->payload_size = ONCE(scratch->segments.size);
	event->netns = imds_netns(sk);
	event->cgroup_id = bpf_get_current_cgroup_id();
	imds_read_callers(event, scratch->ancestors, task);
	imds_tell_programs(event, scratch->ancestors);
	ONCE(scratch->end) =
	    sizeof(*event) + ONCE(event->ancestors_count) * sizeof(struct imds_process);
	ONCE(scratch->end) +=
	    imds_read_args(event, (unsigned char *)scratch + imds_offset(ONCE(scratch->end)), task);
	event->executable_captured = imds_read_executable(
	    event, (unsigned char *)scratch + imds_offset(ONCE(scratch->end)), task);
	ONCE(scratch->end) += event->executable_captured;
	event->event_size = ONCE(scratch->end);
	if (imds_has_wire()) {
		/* The next send may begin, on another CPU, while the wire tells of this one. */
		__builtin_memcpy((unsigned char *)scratch + imds_offset(ONCE(scratch->end)),
				 &event->boottime_ns, sizeof(event->boottime_ns));
		imds_note_sender(scratch);
		return;
	}
	if (!(event->flags & IMDS_FLAG_NOT_USER_MEMORY))
		imds_read_payload(scratch);
	total = imds_offset(ONCE(scratch->end));
	if (!(event->flags & IMDS_FLAG_NO_ANSWER))
		imds_expect(event->sock, event->netns);
	if (imds_submit(scratch, total) < 0)
		imds_count(IMDS_COUNTER_LOST);
}

/* A send on a connected socket: fills in what is particular to it. Returns 0 if it is not ours. */
static __always_inline int imds_begin_connected(struct imds_scratch *scratch, const struct sock *sk,
						unsigned int flags)
{
	struct imds_event *event = &scratch->event;

	__builtin_memset(event, 0, sizeof(*event));
	if (ONCE(scratch->segments.size) == 0 || !imds_match(sk, event))
		return 0;
	/* The connection is over: this send is going to fail with EPIPE. */
	if (READ((const struct sock_common *)sk, skc_state) == TCP_CLOSE)
		return 0;
	event->flags = flags;
	if (flags & IMDS_FLAG_NO_ANSWER)
		event->write_seq = imds_mptcp_write_seq(sk);
	else
		imds_read_stream(event, sk);
	event->write_seq += ONCE(scratch->segments.ahead);
	event->stream_offset += ONCE(scratch->segments.ahead);
	return 1;
}

/* The same for a send that opens its connection: TCP Fast Open. */
static __always_inline int imds_begin_opening(struct imds_scratch *scratch,
					      const struct user_sockaddr *address,
					      unsigned int flags)
{
	struct imds_event *event = &scratch->event;

	__builtin_memset(event, 0, sizeof(*event));
	if (ONCE(scratch->segments.size) == 0 || !imds_match_address(address, event))
		return 0;
	event->flags = flags | IMDS_FLAG_FASTOPEN;
	return 1;
}

/*
 * What tcp_sendmsg and mptcp_sendmsg have in common: the bytes are described by the kernel's
 * own iterator.
 */
static __always_inline int imds_sendmsg(const struct sock *sk, const struct msghdr *msg,
					enum imds_slot slot, unsigned int flags)
{
	const struct iov_iter *iter = RELOCATED(&msg->msg_iter);
	struct imds_scratch *scratch;
	struct user_sockaddr address = {};
	unsigned short port = imds_port(sk);
	int is_ours;

	if (port != IMDS_PORT) {
		if (port != 0 || !(READ(msg, msg_flags) & MSG_FASTOPEN))
			return 0;
		/* The kernel has its own copy of the address at this point. */
		bpf_probe_read_kernel(&address, sizeof(address), READ(msg, msg_name));
	}
	scratch = imds_scratch(slot);
	if (!scratch)
		return 0;
	flags |= imds_set_iter(&scratch->segments, iter);
	if (port == IMDS_PORT)
		is_ours = imds_begin_connected(scratch, sk, flags);
	else
		is_ours = imds_begin_opening(scratch, &address, flags);
	if (is_ours)
		imds_emit(scratch, sk);
	return 0;
}

static __always_inline int imds_tcp_sendmsg(const struct sock *sk, const struct msghdr *msg)
{
	return imds_sendmsg(sk, msg, IMDS_SLOT_SENDMSG, 0);
}

/*
 * mptcp_sendmsg(sk, msg, size): its subflows never enter tcp_sendmsg. Its stream
 * has a numbering of its own, whose beginning is not kept: user space takes the
 * first send it sees for the beginning.
 */
static __always_inline int imds_mptcp_sendmsg(const struct sock *sk, const struct msghdr *msg)
{
	return imds_sendmsg(sk, msg, IMDS_SLOT_MPTCP, IMDS_FLAG_NO_ANSWER);
}

/*
 * tcp_sendpage(sk, page, offset, size, flags): sendfile and splice up to 6.4. What
 * is sent lies in a page, for which there is no address that BPF may read from.
 */
static __always_inline int imds_tcp_sendpage(const struct sock *sk, unsigned long size)
{
	struct imds_scratch *scratch;

	if (!imds_is_port_80(sk))
		return 0;
	scratch = imds_scratch(IMDS_SLOT_SENDPAGE);
	if (!scratch)
		return 0;
	imds_set_range(&scratch->segments, 0, 0, size);
	if (imds_begin_connected(scratch, sk, IMDS_FLAG_NOT_USER_MEMORY))
		imds_emit(scratch, sk);
	return 0;
}

#endif
