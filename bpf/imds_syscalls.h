/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fallback for kernels that allow neither fentry nor kprobes: the system
 * calls that can send on a socket. It sees a file descriptor where tcp_sendmsg
 * sees a socket, and it cannot see io_uring, io_submit, sendfile, splice and
 * 32-bit callers.
 */
#ifndef IMDS_SYSCALLS_H
#define IMDS_SYSCALLS_H

#include "imds_answers.h"

/*
 * Messages of one sendmmsg that are looked at. On TCP nearly nobody sends more
 * than one, and each costs the verifier 35 ms at every start.
 */
#define IMDS_MESSAGES_MAX 4

/* Port 80, or none yet and the send is one that opens the connection. */
static __always_inline int imds_is_wanted(unsigned short port, unsigned int flags)
{
	return port == IMDS_PORT || (port == 0 && (flags & MSG_FASTOPEN));
}

/*
 * The socket behind a descriptor if it goes to port 80, or may come to; else
 * NULL. All writes and reads of the host come through here.
 */
#ifdef IMDS_TYPED
/*
 * With typed pointers nearly all steps are plain loads: half the time. Needs
 * bpf_get_current_task_btf (5.11) and bpf_rdonly_cast (6.2), and a libbpf that
 * knows kernel functions; so it is in an object of its own, which is tried first.
 */
extern void *bpf_rdonly_cast(void *object, __u32 btf_id) __ksym;

#define TYPED(type, pointer)                                                                       \
	((const type *)bpf_rdonly_cast((void *)(pointer), bpf_core_type_id_kernel(type)))

static __always_inline const struct sock *imds_sock_of(unsigned int fd, unsigned int flags)
{
	const struct task_struct *task = bpf_get_current_task_btf();
	const struct fdtable *table = task->files->fdt;
	const struct file *file = 0;
	const struct sock *sk;

	if (fd >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), &table->fd[fd]);
	file = TYPED(struct file, file);
	if ((file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return 0;
	sk = TYPED(struct socket, file->private_data)->sk;
	return imds_is_wanted(bpf_ntohs(sk->__sk_common.skc_dport), flags) ? sk : 0;
}
#else
/*
 * Whether the file is a socket at all is asked last: most do not go to port 80
 * whatever they are, and a stray read of something else does no harm.
 */
static __always_inline const struct sock *imds_sock_of(unsigned int fd, unsigned int flags)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct files_struct *files = READ(task, files);
	const struct fdtable *table = READ(files, fdt);
	struct file **slots = READ(table, fd);
	const struct file *file = 0;
	const struct socket *socket;
	const struct inode *inode;
	const struct sock *sk;

	bpf_probe_read_kernel(&file, sizeof(file), &slots[fd]);
	socket = READ(file, private_data);
	sk = READ(socket, sk);
	if (!imds_is_wanted(imds_port(sk), flags))
		return 0;
	inode = READ(file, f_inode);
	if (fd >= READ(table, max_fds) || (READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	return sk;
}
#endif

/*
 * Hand over what the segments of the scratch area describe. A global function: the verifier goes
 * through it once for each program, and not once for each of a program's messages.
 */
__attribute__((noinline)) int imds_emit_scratch(unsigned long long sock,
						unsigned long long user_address)
{
	const struct sock *sk = (const struct sock *)sock;
	unsigned int flags = imds_is_mptcp(sk) ? IMDS_FLAG_NO_ANSWER : 0;
	struct imds_scratch *scratch = imds_scratch(IMDS_SLOT_SENDMSG);
	struct user_sockaddr address = {};
	int is_ours;

	if (!scratch)
		return 0;
	if (imds_is_port_80(sk)) {
		is_ours = imds_begin_connected(scratch, sk, flags);
	} else {
		bpf_probe_read_user(&address, sizeof(address), (const void *)user_address);
		is_ours = imds_begin_opening(scratch, &address, flags);
	}
	if (is_ours)
		imds_emit(scratch, sk);
	return 0;
}

static __always_inline void imds_sys_emit(const struct sock *sk, const void *user_address)
{
	unsigned long long sock = 0;

	/* To a global function a pointer whose type the verifier knows is no number. */
	bpf_probe_read_kernel(&sock, sizeof(sock), &sk);
	imds_emit_scratch(sock, (unsigned long long)user_address);
}

/* write and sendto; the address is looked at only if the flags say MSG_FASTOPEN. */
static __always_inline int imds_sys_sendto(unsigned int fd, const void *data, unsigned long size,
					   unsigned int flags, const void *address)
{
	const struct sock *sk = imds_sock_of(fd, flags);
	struct imds_scratch *scratch;

	if (!sk)
		return 0;
	scratch = imds_scratch(IMDS_SLOT_SENDMSG);
	if (!scratch)
		return 0;
	imds_set_range(&scratch->segments, data, 0, size);
	imds_sys_emit(sk, address);
	return 0;
}

/*
 * Stands for bytes of a call that are not followed: at least one, and how many cannot be known.
 * Beside the wire, which tells the bytes themselves, the call answers for all behind it.
 */
#define IMDS_REST_BYTES (1u << 30)

static __always_inline unsigned int imds_rest(void)
{
	return imds_has_wire() ? IMDS_REST_BYTES : 1;
}

/* Add up the segments; of a vector with more than are followed, those that are. */
static __always_inline void imds_sum(struct imds_segments *segments)
{
	ONCE(segments->size) = 0;
	for (int i = 0; i < IMDS_SEGMENTS_MAX; i++) {
		struct iovec segment;

		if (i >= ONCE(segments->count))
			return;
		segment = imds_segment(segments, i);
		ONCE(segments->size) += segment.iov_len;
	}
	if (ONCE(segments->count) > IMDS_SEGMENTS_MAX)
		ONCE(segments->size) += imds_rest();
}

static __always_inline void imds_send_vector(struct imds_scratch *scratch, const struct sock *sk,
					     const struct iovec *vector, unsigned long count,
					     const void *address)
{
	struct imds_segments *segments = &scratch->segments;

	ONCE(segments->vector) = vector;
	ONCE(segments->count) = count;
	ONCE(segments->skip) = 0;
	ONCE(segments->vector_in_user_memory) = 1;
	imds_sum(segments);
	imds_sys_emit(sk, address);
	ONCE(segments->ahead) += ONCE(segments->size);
}

/* writev and pwritev2. */
static __always_inline int imds_sys_writev(unsigned int fd, const struct iovec *vector,
					   unsigned long count)
{
	const struct sock *sk = imds_sock_of(fd, 0);
	struct imds_scratch *scratch;

	if (!sk)
		return 0;
	scratch = imds_scratch(IMDS_SLOT_SENDMSG);
	if (!scratch)
		return 0;
	ONCE(scratch->segments.ahead) = 0;
	imds_send_vector(scratch, sk, vector, count, 0);
	return 0;
}

/* sendmsg is a sendmmsg of one message. */
static __always_inline int imds_sys_sendmmsg(unsigned int fd, const struct mmsghdr *messages,
					     unsigned int count, unsigned int flags)
{
	const struct sock *sk = imds_sock_of(fd, flags);
	struct imds_scratch *scratch;

	if (!sk)
		return 0;
	scratch = imds_scratch(IMDS_SLOT_SENDMSG);
	if (!scratch)
		return 0;
	ONCE(scratch->segments.ahead) = 0;
	for (int i = 0; i < IMDS_MESSAGES_MAX; i++) {
		struct user_msghdr message = {};

		if (i >= count)
			return 0;
		bpf_probe_read_user(&message, sizeof(message), &messages[i].msg_hdr);
		imds_send_vector(scratch, sk, message.msg_iov, message.msg_iovlen,
				 message.msg_name);
	}
	/* The others are not followed: leave a gap that user space sees. */
	if (count > IMDS_MESSAGES_MAX) {
		ONCE(scratch->segments.count) = 0;
		ONCE(scratch->segments.size) = imds_rest();
		imds_sys_emit(sk, 0);
	}
	return 0;
}

/* read and recvfrom. */
static __always_inline int imds_sys_read(unsigned int fd, const void *data, unsigned long size)
{
	const struct sock *sk = imds_sock_of(fd, 0);

	if (sk)
		imds_receive_into(sk, data, size);
	return 0;
}

static __always_inline int imds_sys_readv(unsigned int fd, const struct iovec *vector,
					  unsigned long count)
{
	const struct sock *sk = imds_sock_of(fd, 0);
	struct imds_scratch *scratch;

	if (!sk)
		return 0;
	scratch = imds_scratch(IMDS_SLOT_SENDMSG);
	if (!scratch)
		return 0;
	ONCE(scratch->segments.vector) = vector;
	ONCE(scratch->segments.count) = count;
	ONCE(scratch->segments.skip) = 0;
	ONCE(scratch->segments.vector_in_user_memory) = 1;
	imds_receive_segments(sk, &scratch->segments);
	return 0;
}

static __always_inline int imds_sys_recvmsg(unsigned int fd, const struct user_msghdr *message)
{
	struct user_msghdr copy = {};

	bpf_probe_read_user(&copy, sizeof(copy), message);
	return imds_sys_readv(fd, copy.msg_iov, copy.msg_iovlen);
}

#endif
