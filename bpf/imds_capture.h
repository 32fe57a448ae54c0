/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The capture logic, the same for every loader and attach point: is this a
 * send to IMDS, and if so who sends what. The file that includes this one
 * brings the kernel's types and four functions, because libbpf and BCC reach
 * maps in different ways:
 *
 *   imds_scratch()         this CPU's struct imds_scratch
 *   imds_submit(data, n)   hand n bytes to user space, < 0 when the ring is full
 *   imds_count(counter)    add one to a counter
 */
#ifndef IMDS_CAPTURE_H
#define IMDS_CAPTURE_H

#include "imds_event.h"

#ifdef IMDS_BCC
#define RELOCATED(expression) (expression)
#else
#define RELOCATED(expression) __builtin_preserve_access_index(expression)
#endif

/* Read a member through a pointer that the verifier knows nothing about. */
#define READ(pointer, member)                                                                      \
	({                                                                                         \
		typeof((pointer)->member) value_;                                                  \
		__builtin_memset((void *)&value_, 0, sizeof(value_));                              \
		bpf_probe_read_kernel((void *)&value_, sizeof(value_),                             \
				      (const void *)RELOCATED(&(pointer)->member));                \
		value_;                                                                            \
	})

/*
 * Keep the compiler from proving away a bound that the verifier needs to see,
 * and from reasoning with a value that the verifier should forget.
 */
#define OPAQUE(variable) asm volatile("" : "+r"(variable))
#define ONCE(lvalue) (*(volatile typeof(lvalue) *)&(lvalue))

#include "kernel_drift.h"

#define IMDS_PORT 80
#define IMDS_IPV4 bpf_htonl(0xA9FEA9FE)	    /* 169.254.169.254 */
#define IMDS_IPV6_0 bpf_htonl(0xFD000EC2)   /* fd00:ec2:: ... */
#define IMDS_IPV6_3 bpf_htonl(0x00000254)   /* ... ::254 */
#define IPV4_MAPPED_2 bpf_htonl(0x0000FFFF) /* ::ffff:a.b.c.d */

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

static struct imds_scratch *imds_scratch(void);
static long imds_submit(void *data, unsigned long long size);
static void imds_count(unsigned int counter);

/* Is the socket connected to IMDS? Fills in the addresses of the event if so. */
static __always_inline int imds_match(const struct sock *sk, struct imds_event *event)
{
	const struct sock_common *common = (const struct sock_common *)sk;
	unsigned short family = READ(common, skc_family);

	if (family == AF_INET) {
		unsigned int daddr = READ(common, skc_daddr);
		unsigned int saddr = READ(common, skc_rcv_saddr);

		if (daddr != IMDS_IPV4)
			return 0;
		__builtin_memcpy(event->destination_ip, &daddr, sizeof(daddr));
		__builtin_memcpy(event->source_ip, &saddr, sizeof(saddr));
	} else if (family == AF_INET6) {
		struct in6_addr daddr = READ(common, skc_v6_daddr);
		struct in6_addr saddr = READ(common, skc_v6_rcv_saddr);
		const unsigned int *words = daddr.in6_u.u6_addr32;

		if (words[1] != 0)
			return 0;
		if (words[0] == 0 && words[2] == IPV4_MAPPED_2 && words[3] == IMDS_IPV4) {
			family = AF_INET;
			__builtin_memcpy(event->destination_ip, &daddr.in6_u.u6_addr32[3], 4);
			__builtin_memcpy(event->source_ip, &saddr.in6_u.u6_addr32[3], 4);
		} else if (words[0] == IMDS_IPV6_0 && words[2] == 0 && words[3] == IMDS_IPV6_3) {
			__builtin_memcpy(event->destination_ip, &daddr, sizeof(daddr));
			__builtin_memcpy(event->source_ip, &saddr, sizeof(saddr));
		} else {
			return 0;
		}
	} else {
		return 0;
	}
	event->family = family;
	event->source_port = READ(common, skc_num);
	event->destination_port = IMDS_PORT;
	return 1;
}

/*
 * Every send of the host comes through here, so it is one read for nearly all
 * of them: few connections go to port 80, and a server's replies do not.
 */
static __always_inline int imds_is_port_80(const struct sock *sk)
{
	return READ((const struct sock_common *)sk, skc_dport) == bpf_htons(IMDS_PORT);
}

static __always_inline void imds_read_process(struct imds_process *process,
					      const struct task_struct *leader)
{
	const struct cred *cred = READ(leader, cred);

	process->start_boottime_ns = imds_start_boottime(leader);
	process->pid = READ(leader, tgid);
	process->uid = READ(cred, euid.val);
	bpf_probe_read_kernel(process->comm, sizeof(process->comm), RELOCATED(&leader->comm));
}

/* The process that forked this one: real_parent may be one of its threads. */
static __always_inline const struct task_struct *imds_parent(const struct task_struct *leader)
{
	const struct task_struct *parent = READ(leader, real_parent);

	return READ(parent, group_leader);
}

/* The caller and its ancestors. */
static __always_inline void imds_read_callers(struct imds_scratch *scratch,
					      const struct task_struct *task)
{
	struct imds_event *event = &scratch->event;
	const struct task_struct *leader = READ(task, group_leader);

	imds_read_process(&event->caller, leader);
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->tid = READ(task, pid);
	leader = imds_parent(leader);
	/* pid 0 is the idle task, the parent of pid 1. */
	for (int i = 0; i < IMDS_ANCESTORS_MAX && READ(leader, tgid) != 0; i++) {
		imds_read_process(&scratch->ancestors[i], leader);
		ONCE(event->ancestors_count) = i + 1;
		leader = imds_parent(leader);
	}
	if (READ(leader, tgid) != 0)
		event->flags |= IMDS_FLAG_ANCESTORS_TRUNCATED;
	ONCE(scratch->end) =
	    sizeof(*event) + ONCE(event->ancestors_count) * sizeof(struct imds_process);
}

/* An offset into the scratch area from which IMDS_PAYLOAD_MAX bytes may be written. */
static __always_inline unsigned long long imds_offset(unsigned long long offset)
{
	offset &= IMDS_OFFSET_MASK;
	OPAQUE(offset);
	return offset & IMDS_OFFSET_MASK;
}

/* The caller's argument vector, out of its own memory while it is alive. */
static __always_inline void imds_read_args(struct imds_scratch *scratch,
					   const struct task_struct *task)
{
	struct imds_event *event = &scratch->event;
	const struct mm_struct *mm = READ(task, mm);
	unsigned long start, size;

	if (!mm) /* a kernel thread */
		return;
	start = READ(mm, arg_start);
	size = READ(mm, arg_end) - start;
	if (size > IMDS_ARGS_MAX) {
		event->flags |= IMDS_FLAG_ARGS_TRUNCATED;
		size = IMDS_ARGS_MAX;
	}
	if (bpf_probe_read_user((unsigned char *)scratch + imds_offset(ONCE(scratch->end)), size,
				(const void *)start))
		return;
	event->args_captured = size;
	ONCE(scratch->end) += size;
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

/*
 * How many bytes the connection has taken so far: what was acknowledged plus
 * what still waits for it. bytes_acked counts the SYN, which is no byte of
 * the stream, as soon as it is acknowledged; until then snd_una is one behind.
 */
static __always_inline void imds_read_stream(struct imds_event *event, const struct sock *sk,
					     unsigned int ahead)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	unsigned int unacknowledged = READ(tcp, snd_una);
	unsigned int acknowledged = (unsigned int)READ(tcp, bytes_acked);

	event->write_seq = READ(tcp, write_seq) + ahead;
	event->stream_offset = acknowledged + (event->write_seq - unacknowledged) - 1;
}

/* Put the event for one send, described by scratch->segments, together and hand it over. */
static __always_inline void imds_emit(struct imds_scratch *scratch, const struct sock *sk,
				      int not_user_memory)
{
	const struct sock_common *common = (const struct sock_common *)sk;
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	struct imds_event *event = &scratch->event;
	const struct net *net;
	unsigned long long total;

	__builtin_memset(event, 0, sizeof(*event));
	if (ONCE(scratch->segments.size) == 0 || !imds_match(sk, event))
		return;
	/* The connection is over: this send is going to fail with EPIPE. */
	if (READ(common, skc_state) == TCP_CLOSE)
		return;
	event->boottime_ns = bpf_ktime_get_boot_ns();
	event->sock = (unsigned long long)sk;
	event->payload_size = ONCE(scratch->segments.size);
	net = READ(common, skc_net.net);
	event->netns = READ(net, ns.inum);
	imds_read_stream(event, sk, ONCE(scratch->segments.ahead));
	imds_read_callers(scratch, task);
	imds_read_args(scratch, task);
	if (not_user_memory)
		event->flags |= IMDS_FLAG_NOT_USER_MEMORY;
	else
		imds_read_payload(scratch);
	total = imds_offset(ONCE(scratch->end));
	imds_count(imds_submit(scratch, total) < 0 ? IMDS_COUNTER_LOST : IMDS_COUNTER_SENT);
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

/* tcp_sendmsg(sk, msg, size): the bytes are described by the kernel's own iterator. */
static __always_inline int imds_tcp_sendmsg(const struct sock *sk, const struct msghdr *msg)
{
	const struct iov_iter *iter = RELOCATED(&msg->msg_iter);
	struct imds_scratch *scratch;
	unsigned long long skip, size;
	enum imds_iter kind;

	if (!imds_is_port_80(sk))
		return 0;
	scratch = imds_scratch();
	if (!scratch)
		return 0;
	kind = imds_iter_kind(iter);
	skip = READ(iter, iov_offset);
	size = READ(iter, count);
	imds_set_range(&scratch->segments, kind == IMDS_ITER_UBUF ? imds_iter_ubuf(iter) : 0, skip,
		       size);
	if (kind == IMDS_ITER_IOVEC) {
		scratch->segments.vector = imds_iter_iov(iter);
		scratch->segments.count = READ(iter, nr_segs);
	}
	imds_emit(scratch, sk, kind == IMDS_ITER_OTHER);
	return 0;
}

#endif
