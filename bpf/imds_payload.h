/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies the bytes that a call sends, out of the caller's memory, behind the event that is put
 * together in a scratch area.
 */
#ifndef IMDS_PAYLOAD_H
#define IMDS_PAYLOAD_H

#include "imds_event.h"
#include "kernel_drift.h"

/* A vector of user memory ranges, and where in it the bytes to be sent begin. */
struct imds_segments {
	const struct iovec *vector;
	unsigned long long count;		  /* segments */
	unsigned long long skip;		  /* bytes of it that are already sent */
	unsigned long long size;		  /* bytes to be sent */
	unsigned long long ahead;		  /* bytes the same system call sends before */
	unsigned long long vector_in_user_memory; /* the array, not what it points to */
	struct iovec one;			  /* what vector points to if there is none */
};

/*
 * Where an event is put together. The parts after the fixed head have variable
 * length and follow each other without padding; the slack behind them is what
 * the verifier, which sees only masks, asks for.
 */
#define IMDS_OFFSET_MASK 0x1fff
struct imds_scratch {
	struct imds_event event;
	struct imds_process ancestors[IMDS_ANCESTORS_MAX];
	unsigned char slack[IMDS_OFFSET_MASK + 1 + IMDS_PAYLOAD_MAX];
	/*
	 * What loops carry from one turn to the next stands here and not in
	 * registers: a value that comes from memory is unknown to the verifier,
	 * so all turns look alike to it and it need not follow each way through
	 * each of them (a million instructions and then E2BIG).
	 */
	unsigned long long end;	     /* offset behind what is there already */
	unsigned long long captured; /* bytes of payload that are there already */
	unsigned long long wanted;   /* bytes of payload that there should be */
	struct imds_segments segments;
};

/* An offset into the scratch area from which IMDS_PAYLOAD_MAX bytes may be written. */
static __always_inline unsigned long long imds_offset(unsigned long long offset)
{
	offset &= IMDS_OFFSET_MASK;
	OPAQUE(offset);
	return offset & IMDS_OFFSET_MASK;
}

/*
 * Copy one range of user memory behind what is there already. Returns 0, or
 * less when it could not be read.
 */
static __always_inline long imds_read_range(struct imds_scratch *scratch, const void *start,
					    unsigned long long size)
{
	unsigned long long left = ONCE(scratch->wanted) - ONCE(scratch->captured);

	if (size > left)
		size = left;
	OPAQUE(size);
	if (size > IMDS_PAYLOAD_MAX)
		size = IMDS_PAYLOAD_MAX;
	if (bpf_probe_read_user((unsigned char *)scratch + imds_offset(ONCE(scratch->end)), size,
				start))
		return -1;
	ONCE(scratch->captured) += size;
	ONCE(scratch->end) += size;
	return 0;
}

/* Segment i of what is to be sent. */
static __always_inline struct iovec imds_segment(const struct imds_segments *segments, int i)
{
	const struct iovec *vector = ONCE(segments->vector);
	struct iovec segment = {};

	if (ONCE(segments->vector_in_user_memory))
		bpf_probe_read_user(&segment, sizeof(segment), &vector[i]);
	else
		bpf_probe_read_kernel(&segment, sizeof(segment), &vector[i]);
	return segment;
}

/* Copy what is to be sent, segment after segment, up to IMDS_PAYLOAD_MAX bytes. */
static __always_inline void imds_read_payload(struct imds_scratch *scratch)
{
	struct imds_segments *segments = &scratch->segments;
	struct imds_event *event = &scratch->event;

	ONCE(scratch->captured) = 0;
	ONCE(scratch->wanted) = segments->size;
	if (segments->size > IMDS_PAYLOAD_MAX)
		ONCE(scratch->wanted) = IMDS_PAYLOAD_MAX;
	for (int i = 0; i < IMDS_SEGMENTS_MAX; i++) {
		unsigned long long skip = ONCE(segments->skip);
		struct iovec segment;

		if (i >= ONCE(segments->count) || ONCE(scratch->captured) >= ONCE(scratch->wanted))
			break;
		segment = imds_segment(segments, i);
		if (skip >= segment.iov_len) {
			ONCE(segments->skip) = skip - segment.iov_len;
			continue;
		}
		ONCE(segments->skip) = 0;
		if (imds_read_range(scratch, (const unsigned char *)segment.iov_base + skip,
				    segment.iov_len - skip)) {
			event->flags |= IMDS_FLAG_UNREADABLE;
			break;
		}
	}
	event->payload_captured = ONCE(scratch->captured);
	if (event->payload_captured < segments->size && !(event->flags & IMDS_FLAG_UNREADABLE))
		event->flags |= IMDS_FLAG_TRUNCATED;
}

/* Describe one range of user memory as a vector of one segment. */
static __always_inline void imds_set_range(struct imds_segments *segments, const void *start,
					   unsigned long long skip, unsigned long long size)
{
	__builtin_memset(segments, 0, sizeof(*segments));
	segments->one.iov_base = (void *)start;
	segments->one.iov_len = skip + size;
	segments->vector = &segments->one;
	segments->count = 1;
	segments->skip = skip;
	segments->size = size;
}

/* Describe what a kernel iterator points to; returns 0, or a flag that tells why not. */
static __always_inline unsigned int imds_set_iter(struct imds_segments *segments,
						  const struct iov_iter *iter)
{
	enum imds_iter kind = imds_iter_kind(iter);
	unsigned long long skip = READ(iter, iov_offset);
	unsigned long long size = READ(iter, count);

	imds_set_range(segments, kind == IMDS_ITER_UBUF ? imds_iter_ubuf(iter) : 0, skip, size);
	if (kind == IMDS_ITER_IOVEC) {
		segments->vector = imds_iter_iov(iter);
		segments->count = READ(iter, nr_segs);
	}
	return kind == IMDS_ITER_OTHER ? IMDS_FLAG_NOT_USER_MEMORY : 0;
}

#endif
