/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels that the probe has to know, and nothing
 * else. Features are probed: from the running kernel's BTF for the CO-RE
 * object, from its headers for BCC (analyzer/recorder/sources/probe/bcc.py greps them and
 * passes IMDS_*_HAS_* definitions). Versions are never compared: RHEL and
 * Debian backport.
 */
#ifndef KERNEL_DRIFT_H
#define KERNEL_DRIFT_H

#include "reading.h"

/* Where the bytes of a send lie. */
enum imds_iter {
	IMDS_ITER_UBUF,	 /* one range of user memory */
	IMDS_ITER_IOVEC, /* a vector of ranges of user memory */
	IMDS_ITER_OTHER, /* kernel memory or pages: KVEC, BVEC, PIPE, XARRAY, FOLIOQ */
};

/*
 * SKBTX_DEV_ZEROCOPY and SKBTX_SHARED_FRAG of tx_flags became SKBFL_ZEROCOPY_ENABLE and
 * SKBFL_SHARED_FRAG of flags with 06b4feb37e64 ("net: group skb_shinfo zerocopy related bits
 * together", 5.12).
 */
#define IMDS_CHANGEABLE_FLAGS (1 | 2)
#define IMDS_CHANGEABLE_TX_FLAGS (1 << 3 | 1 << 5)

#ifndef IMDS_BCC

/*
 * iov_iter told its kind in `unsigned int type`, or-ed with the direction, up
 * to 5.13; in `u8 iter_type` since 8cd54c1c8480 ("iov_iter: separate direction
 * from flavour", 5.14). The numbers changed with fcb14cb1bdac ("new iov_iter
 * flavour - ITER_UBUF", 6.0) and f1b4cb650b9a ("iov_iter: Renumber ITER_*
 * constants", 6.7), hence bpf_core_enum_value().
 */
struct iov_iter___until_513 {
	unsigned int type;
} __attribute__((preserve_access_index));

struct iov_iter___since_514 {
	__u8 iter_type;
} __attribute__((preserve_access_index));

/* fcb14cb1bdac ("new iov_iter flavour - ITER_UBUF", 6.0). */
struct iov_iter___since_60 {
	void *ubuf;
} __attribute__((preserve_access_index));

/* `iov` became `__iov` with de4f5fed3f23 ("iov_iter: add iter_iovec() helper", 6.4). */
struct iov_iter___until_63 {
	const struct iovec *iov;
} __attribute__((preserve_access_index));

struct iov_iter___since_64 {
	const struct iovec *__iov;
} __attribute__((preserve_access_index));

/* cf25e24db61c ("time: Rename tsk->real_start_time to ->start_boottime", 5.5). */
struct task_struct___until_54 {
	__u64 real_start_time;
} __attribute__((preserve_access_index));

static __always_inline unsigned long long imds_start_boottime(const struct task_struct *task)
{
	if (bpf_core_field_exists(struct task_struct, start_boottime))
		return READ(task, start_boottime);
	return READ((const struct task_struct___until_54 *)task, real_start_time);
}

/* Only with CONFIG_MEMCG. */
static __always_inline const struct task_struct *imds_mm_owner(const struct mm_struct *mm)
{
	return bpf_core_field_exists(struct mm_struct, owner) ? READ(mm, owner) : 0;
}

/*
 * Multipath TCP came with f870fa0b5768 ("mptcp: Add MPTCP socket stubs", 5.6), and only with
 * CONFIG_MPTCP.
 */
static __always_inline int imds_is_mptcp(const struct sock *sk)
{
	return bpf_core_field_exists(struct mptcp_sock, write_seq) &&
	       READ(sk, sk_protocol) == IPPROTO_MPTCP;
}

static __always_inline unsigned int imds_mptcp_write_seq(const struct sock *sk)
{
	if (!bpf_core_field_exists(struct mptcp_sock, write_seq))
		return 0;
	/* Or the compiler works out the address before it asks, and libbpf makes that a trap. */
	OPAQUE(sk);
	return (unsigned int)READ((const struct mptcp_sock *)sk, write_seq);
}

/* Where a mount is mounted: on which mount (itself at the top) and there at which place. */
static __always_inline const struct mount *imds_mount_of(const struct vfsmount *mount)
{
	return (const void *)((const char *)mount - bpf_core_field_offset(struct mount, mnt));
}

static __always_inline const struct vfsmount *imds_upper_mount(const struct vfsmount *mount)
{
	const struct mount *upper = READ(imds_mount_of(mount), mnt_parent);

	return (const void *)((const char *)upper + bpf_core_field_offset(struct mount, mnt));
}

static __always_inline const struct dentry *imds_mountpoint(const struct vfsmount *mount)
{
	return READ(imds_mount_of(mount), mnt_mountpoint);
}

static __always_inline unsigned int imds_mount_namespace(const struct nsproxy *namespaces)
{
	const struct mnt_namespace *found = READ(namespaces, mnt_ns);

	return READ(found, ns.inum);
}

struct skb_shared_info___until_511 {
	__u8 tx_flags;
} __attribute__((preserve_access_index));

/*
 * Whether a packet's bytes lie in pages that its sender may write to meanwhile: MSG_ZEROCOPY, and
 * what comes from files and pipes (sendfile, splice, vmsplice).
 */
static __always_inline int imds_is_changeable(const struct sk_buff *skb)
{
	const unsigned char *head = READ(skb, head);
	const void *shared = head + READ(skb, end);

	if (bpf_core_field_exists(struct skb_shared_info, flags))
		return READ((const struct skb_shared_info *)shared, flags) & IMDS_CHANGEABLE_FLAGS;
	return READ((const struct skb_shared_info___until_511 *)shared, tx_flags) &
	       IMDS_CHANGEABLE_TX_FLAGS;
}

enum iter_type___any {
	ITER_IOVEC___any,
	ITER_UBUF___any,
};

static __always_inline enum imds_iter imds_iter_kind(const struct iov_iter *iter)
{
	unsigned int kind;

	if (bpf_core_field_exists(struct iov_iter___since_514, iter_type)) {
		kind = READ((const struct iov_iter___since_514 *)iter, iter_type);
	} else {
		kind = READ((const struct iov_iter___until_513 *)iter, type) & ~1u;
	}
	if (bpf_core_enum_value_exists(enum iter_type___any, ITER_UBUF___any) &&
	    kind == bpf_core_enum_value(enum iter_type___any, ITER_UBUF___any))
		return IMDS_ITER_UBUF;
	if (kind == bpf_core_enum_value(enum iter_type___any, ITER_IOVEC___any))
		return IMDS_ITER_IOVEC;
	return IMDS_ITER_OTHER;
}

static __always_inline const void *imds_iter_ubuf(const struct iov_iter *iter)
{
	return READ((const struct iov_iter___since_60 *)iter, ubuf);
}

static __always_inline const struct iovec *imds_iter_iov(const struct iov_iter *iter)
{
	if (bpf_core_field_exists(struct iov_iter___since_64, __iov))
		return READ((const struct iov_iter___since_64 *)iter, __iov);
	return READ((const struct iov_iter___until_63 *)iter, iov);
}

#else /* IMDS_BCC: the same questions, answered by the headers that BCC compiles against */

static __always_inline unsigned long long imds_start_boottime(const struct task_struct *task)
{
#ifdef IMDS_TASK_HAS_START_BOOTTIME
	return READ(task, start_boottime);
#else
	return READ(task, real_start_time);
#endif
}

static __always_inline const struct task_struct *imds_mm_owner(const struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	return READ(mm, owner);
#else
	return 0;
#endif
}

/* No header tells what mount namespaces look like inside. */
static __always_inline unsigned int imds_mount_namespace(const struct nsproxy *namespaces)
{
	return 0;
}

static __always_inline int imds_is_changeable(const struct sk_buff *skb)
{
	const unsigned char *head = READ(skb, head);
	const struct skb_shared_info *shared = (const void *)(head + READ(skb, end));

#ifdef IMDS_SHARED_HAS_FLAGS
	return READ(shared, flags) & IMDS_CHANGEABLE_FLAGS;
#else
	return READ(shared, tx_flags) & IMDS_CHANGEABLE_TX_FLAGS;
#endif
}

/* No header of the kernel's tells what its sockets look like inside. */
static __always_inline unsigned int imds_mptcp_write_seq(const struct sock *sk)
{
	return 0;
}

static __always_inline enum imds_iter imds_iter_kind(const struct iov_iter *iter)
{
#ifdef IMDS_ITER_HAS_ITER_TYPE
	unsigned int kind = READ(iter, iter_type);
#else
	unsigned int kind = READ(iter, type) & ~1u;
#endif
#ifdef IMDS_ITER_HAS_UBUF
	if (kind == ITER_UBUF)
		return IMDS_ITER_UBUF;
#endif
	return kind == ITER_IOVEC ? IMDS_ITER_IOVEC : IMDS_ITER_OTHER;
}

static __always_inline const void *imds_iter_ubuf(const struct iov_iter *iter)
{
#ifdef IMDS_ITER_HAS_UBUF
	return READ(iter, ubuf);
#else
	return 0;
#endif
}

static __always_inline const struct iovec *imds_iter_iov(const struct iov_iter *iter)
{
#ifdef IMDS_ITER_HAS_DUNDER_IOV
	return READ(iter, __iov);
#else
	return READ(iter, iov);
#endif
}

#endif
#endif
