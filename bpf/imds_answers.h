/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What IMDS answered: the status line, put together from the first bytes that
 * the caller receives after a send, and nothing behind it. The status line is
 * checked here; no byte that was received leaves the kernel, only the number.
 *
 * The bytes are read out of the caller's own buffer: tcp_recvmsg tells where it
 * is, and the kernel's tracepoint tcp_rcv_space_adjust says, still inside that
 * call, that bytes have been copied there. No return probe is needed, of which
 * the kernel has only a few for all callers that wait at the same time.
 */
#ifndef IMDS_ANSWERS_H
#define IMDS_ANSWERS_H

#include "imds_capture.h"

/* Connections on which something was sent and that have not ended. */
#define IMDS_EXCHANGES_MAX 16384
/* Threads that are inside a receive call on one of them. */
#define IMDS_RECEIVES_MAX 4096

struct imds_exchange {
	unsigned int netns;
	unsigned int is_expected; /* something was sent since the last status line */
	unsigned long long have;  /* bytes of the status line that are there; of packets, which */
	unsigned int sequence;	  /* of packets: where the status line begins */
	unsigned int hop_limit;	  /* of the packet in which it begins; 0: not seen */
	unsigned int is_opening;  /* sent before the other end's sequence numbers were known */
	unsigned int seen_end;	  /* of packets: behind the last byte that came; 0: none did */
	unsigned char line[16];
};

struct imds_receive {
	unsigned long long sock;
	unsigned long long start; /* where in user memory the received bytes go */
	unsigned long long room;
	unsigned long long taken; /* bytes of them that were looked at */
	unsigned int copied_seq;  /* of the socket at entry: what is new is behind it */
	unsigned int unused;
};

static struct imds_exchange *imds_exchange_of(unsigned long long sock);
static void imds_forget(unsigned long long sock);
static void imds_forget_sender(unsigned long long sock);
static void imds_begin_receive(const struct imds_receive *receive);
static struct imds_receive *imds_current_receive(void);

static __always_inline void imds_report(unsigned int kind, unsigned int status,
					unsigned long long sock, unsigned int netns,
					unsigned int hop_limit)
{
	struct imds_answer answer = {};

	answer.kind = kind;
	answer.status = status;
	answer.boottime_ns = bpf_ktime_get_boot_ns();
	answer.sock = sock;
	answer.netns = netns;
	answer.hop_limit = hop_limit;
	if (imds_submit(&answer, sizeof(answer)) < 0)
		imds_count(IMDS_COUNTER_LOST_ANSWERS);
}

/*
 * A receive call begins. It may wait in the kernel for long, and what it waits
 * for be asked by another thread in the meantime (Go and Java do so): every
 * call on a connection to IMDS is noted, whether or not an answer is due yet.
 */
static __always_inline void imds_receive_into(const struct sock *sk, const void *start,
					      unsigned long long room)
{
	struct imds_receive receive = {};

	if (!imds_is_to_imds(sk))
		return;
	receive.sock = (unsigned long long)sk;
	receive.start = (unsigned long long)start;
	receive.room = room;
	receive.copied_seq = READ((const struct tcp_sock *)sk, copied_seq);
	imds_begin_receive(&receive);
}

/* The same for a vector: the status line goes into its first segment that is not empty. */
static __always_inline void imds_receive_segments(const struct sock *sk,
						  const struct imds_segments *segments)
{
	unsigned long long skip = ONCE(segments->skip);
	struct iovec segment = {};

	for (int i = 0; i < 4; i++) {
		if (i >= ONCE(segments->count))
			break;
		segment = imds_segment(segments, i);
		if (skip < segment.iov_len)
			break;
		segment.iov_len = 0;
		skip = 0;
	}
	/* Without room nothing is read: also where the vector is not understood. */
	imds_receive_into(sk, (const unsigned char *)segment.iov_base + skip,
			  segment.iov_len ? segment.iov_len - skip : 0);
}

/* tcp_recvmsg(sk, msg, ...). */
static __always_inline int imds_tcp_recvmsg(const struct sock *sk, const struct msghdr *msg)
{
	const struct iov_iter *iter = RELOCATED(&msg->msg_iter);
	struct imds_segments segments;

	if (!imds_is_port_80(sk))
		return 0;
	if (imds_set_iter(&segments, iter))
		imds_receive_into(sk, 0, 0);
	else
		imds_receive_segments(sk, &segments);
	return 0;
}

static __always_inline int imds_is_digit(unsigned char byte)
{
	return byte >= '0' && byte <= '9';
}

/* The number in a whole status line; 0 when it is none. */
static __always_inline unsigned int imds_status(const unsigned char *line)
{
	if (line[0] != 'H' || line[1] != 'T' || line[2] != 'T' || line[3] != 'P' ||
	    line[4] != '/' || !imds_is_digit(line[9]) || !imds_is_digit(line[10]) ||
	    !imds_is_digit(line[11]))
		return 0;
	return (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
}

/* tcp_rcv_space_adjust(sk): bytes have been copied into the buffer of this thread's call. */
static __always_inline int imds_received(const struct sock *sk)
{
	unsigned long long sock = (unsigned long long)sk, fresh;
	struct imds_exchange *exchange;
	struct imds_receive *receive;

	if (!imds_is_port_80(sk))
		return 0;
	exchange = imds_exchange_of(sock);
	receive = imds_current_receive();
	if (!receive || receive->sock != sock) {
		/* Received in a way that is not looked into, such as splice. */
		if (exchange && exchange->is_expected) {
			exchange->is_expected = 0;
			imds_report(IMDS_KIND_ANSWER, 0, sock, exchange->netns, 0);
		}
		return 0;
	}
	/* Bytes that were only peeked at (MSG_PEEK) do not move copied_seq. */
	fresh = READ((const struct tcp_sock *)sk, copied_seq) - receive->copied_seq;
	if (fresh > receive->room)
		fresh = receive->room;
	if (!exchange || !exchange->is_expected) {
		/* The rest of an earlier answer; a status line may follow it in the same call. */
		receive->taken = fresh;
		return 0;
	}
	for (int i = 0; i < IMDS_STATUS_LINE_LEN; i++) {
		unsigned long long have = ONCE(exchange->have);

		if (have >= IMDS_STATUS_LINE_LEN || ONCE(receive->taken) >= fresh)
			break;
		bpf_probe_read_user(&exchange->line[have], 1,
				    (const void *)(receive->start + ONCE(receive->taken)));
		ONCE(receive->taken) += 1;
		ONCE(exchange->have) = have + 1;
	}
	if (ONCE(exchange->have) < IMDS_STATUS_LINE_LEN)
		return 0;
	exchange->is_expected = 0;
	imds_report(IMDS_KIND_ANSWER, imds_status(exchange->line), sock, exchange->netns, 0);
	return 0;
}

/*
 * inet_sock_set_state(sk, old, new): the end of a connection on which something was sent. Its
 * port need not be IMDS's, where addresses are translated.
 */
static __always_inline int imds_state_changed(const struct sock *sk, int state)
{
	struct imds_exchange *exchange;

	if (state != TCP_CLOSE)
		return 0;
	imds_forget_sender((unsigned long long)sk);
	exchange = imds_exchange_of((unsigned long long)sk);
	if (!exchange)
		return 0;
	imds_report(IMDS_KIND_CLOSED, 0, (unsigned long long)sk, exchange->netns, 0);
	imds_forget((unsigned long long)sk);
	return 0;
}

#endif
