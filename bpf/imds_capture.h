/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The capture logic, the same for every loader and attach point: is this a
 * send to IMDS, and if so who sends what. The file that includes this one
 * brings the kernel's types and some functions, because libbpf and BCC reach
 * maps in different ways:
 *
 *   imds_scratch(slot)     this CPU's struct imds_scratch for one hook
 *   imds_submit(data, n)   hand n bytes to user space, < 0 when the ring is full
 *   imds_count(counter)    add one to a counter
 *   imds_expect(...)       an answer is to be looked for: see imds_answers.h
 *   imds_has_wire()        whether the wire is watched: see imds_wire.h
 *   imds_sender_of(sock)   who sends on a socket, by the latest call
 *   imds_set_sender(...)   take note of that
 *   imds_tell_programs()   say what its ancestors run: see imds_programs.h
 *   imds_is_replaced(mm)   whether its executable was replaced: see imds_executables.h
 */
#ifndef IMDS_CAPTURE_H
#define IMDS_CAPTURE_H

#include "imds_event.h"
#include "kernel_drift.h"

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
static long imds_submit(void *data, unsigned long long size);
static void imds_count(unsigned int counter);
static void imds_expect(unsigned long long sock, unsigned int netns);

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

static int imds_has_wire(void);
static struct imds_sender *imds_sender_of(unsigned long long sock);
static void imds_set_sender(unsigned long long sock, const void *sender);
static void imds_tell_programs(const struct imds_event *event,
			       const struct imds_process *ancestors);
static int imds_is_replaced(const struct mm_struct *mm);

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

static __always_inline void imds_read_process(struct imds_process *process,
					      const struct task_struct *leader,
					      const struct mm_struct *mm)
{
	const struct cred *cred = READ(leader, cred);
	const struct file *executable;
	const struct inode *inode;
	const struct super_block *super;

	process->start_boottime_ns = imds_start_boottime(leader);
	process->pid = READ(leader, tgid);
	process->uid = READ(cred, euid.val);
	bpf_probe_read_kernel(process->comm, sizeof(process->comm), RELOCATED(&leader->comm));
	process->exec_id = READ(leader, self_exec_id);
	/* What is read through a pointer that is NULL is 0. */
	process->args_address = READ(mm, arg_start);
	executable = READ(mm, exe_file);
	inode = READ(executable, f_inode);
	super = READ(inode, i_sb);
	process->executable_inode = READ(inode, i_ino);
	process->executable_device = READ(super, s_dev);
}

/*
 * Whose call this is. Before 5.12 io_uring let kernel threads do what cannot be
 * done at once; such a thread borrows the memory of the process it works for.
 */
static __always_inline const struct task_struct *imds_caller(void)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct mm_struct *mm;
	const struct task_struct *owner;

	if (!(READ(task, flags) & PF_KTHREAD))
		return task;
	mm = READ(task, mm);
	owner = mm ? imds_mm_owner(mm) : 0;
	return owner ? owner : task;
}

/* The process that forked this one: real_parent may be one of its threads. */
static __always_inline const struct task_struct *imds_parent(const struct task_struct *leader)
{
	const struct task_struct *parent = READ(leader, real_parent);

	return READ(parent, group_leader);
}

/* The caller, and its ancestors into an array of IMDS_ANCESTORS_MAX. */
static __always_inline void imds_read_callers(struct imds_event *event,
					      struct imds_process *ancestors,
					      const struct task_struct *task)
{
	const struct task_struct *leader = READ(task, group_leader);
	const struct nsproxy *namespaces = READ(task, nsproxy);

	/* A leader that has ended, while other threads go on, has no memory any more. */
	imds_read_process(&event->caller, leader, READ(task, mm));
	if (imds_is_replaced(READ(task, mm)))
		event->flags |= IMDS_FLAG_EXECUTABLE_REPLACED;
	event->tid = READ(task, pid);
	event->mount_namespace = imds_mount_namespace(namespaces);
	leader = imds_parent(leader);
	/* pid 0 is the idle task, the parent of pid 1. */
	for (int i = 0; i < IMDS_ANCESTORS_MAX && READ(leader, tgid) != 0; i++) {
		imds_read_process(&ancestors[i], leader, READ(leader, mm));
		ONCE(event->ancestors_count) = i + 1;
		leader = imds_parent(leader);
	}
	if (READ(leader, tgid) != 0)
		event->flags |= IMDS_FLAG_ANCESTORS_TRUNCATED;
}

/* An offset into the scratch area from which IMDS_PAYLOAD_MAX bytes may be written. */
static __always_inline unsigned long long imds_offset(unsigned long long offset)
{
	offset &= IMDS_OFFSET_MASK;
	OPAQUE(offset);
	return offset & IMDS_OFFSET_MASK;
}

/*
 * The caller's argument vector, out of its own memory while it is alive: up to IMDS_ARGS_MAX
 * bytes. Returns how many there are.
 */
static __always_inline unsigned long long
imds_read_args(struct imds_event *event, unsigned char *args, const struct task_struct *task)
{
	const struct mm_struct *mm = READ(task, mm);
	unsigned long start, size;

	if (!mm) /* a kernel thread */
		return 0;
	start = READ(mm, arg_start);
	size = READ(mm, arg_end) - start;
	if (size > IMDS_ARGS_MAX) {
		event->flags |= IMDS_FLAG_ARGS_TRUNCATED;
		size = IMDS_ARGS_MAX;
	}
	if (bpf_probe_read_user(args, size, (const void *)start))
		return 0;
	event->args_captured = size;
	return size;
}

/*
 * The path of the executable, from its last name up to the root of the caller's mounts, each
 * with a NUL behind it: the kernel's own function for it may not be called here. Returns how
 * many bytes there are; 0 where it is too long.
 */
#ifdef IMDS_BCC
/* No header tells where a mount is mounted: /proc is asked for the path. */
static __always_inline unsigned long long
imds_read_executable(struct imds_event *event, unsigned char *names, const struct task_struct *task)
{
	return 0;
}
#else
static __always_inline unsigned long long
imds_read_executable(struct imds_event *event, unsigned char *names, const struct task_struct *task)
{
	const struct mm_struct *mm = READ(task, mm);
	const struct file *file = READ(mm, exe_file);
	const struct dentry *dentry = READ(file, f_path.dentry);
	const struct vfsmount *mount = READ(file, f_path.mnt);
	unsigned long long end = 0;

	for (int i = 0; file && i < IMDS_EXECUTABLE_DEPTH; i++) {
		const struct dentry *parent = READ(dentry, d_parent);
		long size;

		if (dentry == READ(mount, mnt_root)) {
			const struct vfsmount *upper = imds_upper_mount(mount);

			if (upper == mount)
				return end;
			dentry = imds_mountpoint(mount);
			mount = upper;
			continue;
		}
		OPAQUE(end);
		if (end > IMDS_EXECUTABLE_MAX - IMDS_NAME_MAX)
			break;
		size = bpf_probe_read_kernel_str(names + end, IMDS_NAME_MAX,
						 READ(dentry, d_name.name));
		if (size <= 0)
			break;
		end += size;
		if (parent == dentry) /* is mounted nowhere, such as a memfd */
			return end;
		dentry = parent;
	}
	if (file)
		event->flags |= IMDS_FLAG_EXECUTABLE_TRUNCATED;
	return 0;
}
#endif

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
