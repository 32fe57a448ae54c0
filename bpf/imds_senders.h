/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notes for each socket who sends on it, while the wire tells what is sent (see imds_wire.h).
 * The file that includes this one brings some functions:
 *
 *   imds_submit(data, n)   hand n bytes to user space, < 0 when the ring is full
 *   imds_count(counter)    add one to a counter
 *   imds_sender_of(sock)   who sends on a socket, by the latest call
 *   imds_set_sender(...)   take note of that
 */
#ifndef IMDS_SENDERS_H
#define IMDS_SENDERS_H

#include "imds_payload.h"

/*
 * Who sends on a socket: the first bytes of a scratch area, event_size of them in use. Its
 * kind is IMDS_KIND_SENDER until user space has it, then 0. With a further call of the same
 * process it is IMDS_KIND_CALL until some of that call's bytes have gone out.
 */
struct imds_sender {
	struct imds_event event;
	/* At the end event.boottime_ns once more: a copy that was not torn has both. */
	unsigned char rest[IMDS_ANCESTORS_MAX * sizeof(struct imds_process) + IMDS_ARGS_MAX +
			   IMDS_EXECUTABLE_MAX + sizeof(((struct imds_event *)0)->boottime_ns)];
};

/* Sockets that had a send lately: it is needed until what was sent has gone out. */
#define IMDS_SENDERS_MAX 4096

static long imds_submit(void *data, unsigned long long size);
static void imds_count(unsigned int counter);
static struct imds_sender *imds_sender_of(unsigned long long sock);
static void imds_set_sender(unsigned long long sock, const void *sender);

/* Tell user space who sends, once. */
static __always_inline void imds_tell_sender(struct imds_sender *sender)
{
	unsigned long long size =
	    ONCE(sender->event.event_size) + sizeof(sender->event.boottime_ns);

	OPAQUE(size);
	if (size > sizeof(*sender))
		return;
	if (imds_submit(sender, size) < 0) {
		imds_count(IMDS_COUNTER_LOST_SENDERS);
		sender->event.boottime_ns = 0; /* the next call is to tell it */
	}
	sender->event.kind = 0;
}

/* User space forgets, too: tell again after so long who sends. */
#define IMDS_TELL_SENDER_AGAIN_NS (1000ull * 1000 * 1000)
/* Where the part of a sender begins that does not change from call to call. */
#define IMDS_WHO_AT __builtin_offsetof(struct imds_event, args_captured)
#define IMDS_WHO_WORDS ((sizeof(struct imds_sender) - IMDS_WHO_AT) / sizeof(__u64))

/* Whether a call is one of the process whose call the former was, with the same to be told. */
static __always_inline int imds_is_sender(const struct imds_sender *former,
					  const struct imds_scratch *scratch)
{
	const __u64 *then = (const __u64 *)((const unsigned char *)former + IMDS_WHO_AT);
	const __u64 *now = (const __u64 *)((const unsigned char *)scratch + IMDS_WHO_AT);
	const struct imds_event *event = &scratch->event;
	unsigned int size = ONCE(event->event_size) - IMDS_WHO_AT;

	if (former->event.event_size != event->event_size || former->event.flags != event->flags ||
	    former->event.netns != event->netns ||
	    (event->flags & (IMDS_FLAG_FASTOPEN | IMDS_FLAG_NO_ANSWER)) ||
	    event->boottime_ns - former->event.boottime_ns > IMDS_TELL_SENDER_AGAIN_NS)
		return 0;
#pragma clang loop unroll(disable)
	for (unsigned int i = 0; i < IMDS_WHO_WORDS; i++) {
		unsigned int left = size - i * sizeof(__u64);
		__u64 difference = ONCE(now[i]) ^ ONCE(then[i]);

		/* Of the last word the first bytes, which are the low ones. */
		if (left < sizeof(__u64))
			return (difference << (8 * (sizeof(__u64) - left))) == 0;
		if (difference)
			return 0;
		if (left == sizeof(__u64))
			return 1;
	}
	return 0;
}

/*
 * Take note of who sends. Whether anything is sent at all, and what, the wire tells; a send
 * that fails leaves nothing but this note, which the next one replaces. A note of bytes
 * that were taken and have not gone out yet goes to user space before, or covers the next
 * call's as well. A busy process is told once: its further calls stand in the segments.
 */
static __always_inline void imds_note_sender(struct imds_scratch *scratch)
{
	struct imds_event *event = &scratch->event;
	struct imds_sender *former = imds_sender_of(event->sock);
	int is_under_way, is_same;

	event->kind = IMDS_KIND_SENDER;
	if (!former) {
		imds_set_sender(event->sock, scratch);
		return;
	}
	is_under_way = former->event.kind && former->event.write_seq != event->write_seq &&
		       !(former->event.flags & IMDS_FLAG_FASTOPEN);
	is_same = imds_is_sender(former, scratch);
	if (is_under_way && is_same &&
	    former->event.write_seq + (unsigned int)former->event.payload_size ==
		event->write_seq) {
		former->event.payload_size += event->payload_size;
		return;
	}
	if (is_under_way) {
		imds_tell_sender(former);
		event->is_former_lost = former->event.boottime_ns == 0;
	}
	if (!is_same || event->is_former_lost) {
		imds_set_sender(event->sock, scratch);
		return;
	}
	former->event.write_seq = event->write_seq;
	former->event.stream_offset = event->stream_offset;
	former->event.payload_size = event->payload_size;
	former->event.tid = event->tid;
	if (former->event.kind == 0)
		former->event.kind = IMDS_KIND_CALL;
}

#endif
