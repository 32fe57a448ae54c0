/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few kernel types the probe reads, with only the members it reads. The
 * loader relocates every access to where the running kernel keeps the member
 * (CO-RE), so neither order nor offsets mean anything here; names and types do.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>

#define AF_INET 2
#define AF_INET6 10
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262
#define MSG_FASTOPEN 0x20000000
#define PF_KTHREAD 0x00200000
#define S_IFMT 00170000
#define S_IFSOCK 0140000

/* The kernel's own headers take BPF for a 32-bit machine: their __kernel_size_t has 4 bytes. */
typedef unsigned long size_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct iovec {
	void *iov_base;
	size_t iov_len;
};

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct sk_buff {
	unsigned int end; /* an offset from head on 64-bit machines */
	unsigned char *head;
};

struct skb_shared_info {
	__u8 flags; /* since 5.12 */
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	union {
		struct {
			__be32 skc_daddr;
			__be32 skc_rcv_saddr;
		};
	};
	union {
		struct {
			__be16 skc_dport;
			__u16 skc_num;
		};
	};
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

typedef struct {
	int owned;
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	__u16 sk_protocol;
};

struct tcp_sock {
	__u32 write_seq;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u64 bytes_acked;
};

struct iov_iter {
	size_t iov_offset;
	size_t count;
	unsigned long nr_segs;
};

struct msghdr {
	void *msg_name;
	int msg_namelen;
	struct iov_iter msg_iter;
	unsigned int msg_flags;
};

struct mptcp_sock {
	__u64 write_seq;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t euid;
};

struct mm_struct {
	struct task_struct *owner;
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct socket {
	struct sock *sk;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct task_struct {
	__s32 pid;
	__s32 tgid;
	unsigned int flags;
	__u64 start_boottime;
	char comm[16];
	struct mm_struct *mm;
	const struct cred *cred;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	__u32 self_exec_id; /* 64 bits since 5.7, of which the lower half is read */
	struct task_struct *group_leader;
	struct task_struct *real_parent;
};

#pragma clang attribute pop

/* User space's view of a vectored send: stable ABI, nothing to relocate. */
struct user_msghdr {
	void *msg_name;
	int msg_namelen;
	struct iovec *msg_iov;
	size_t msg_iovlen;
	void *msg_control;
	size_t msg_controllen;
	unsigned int msg_flags;
};

struct mmsghdr {
	struct user_msghdr msg_hdr;
	unsigned int msg_len;
};

_Static_assert(sizeof(struct mmsghdr) == 64, "an array of it lies in the caller's memory");

/*
 * What a kprobe is handed: the registers at the entry of the function, in the
 * order of each architecture's ptrace ABI (uapi asm/ptrace.h).
 */
#ifdef __TARGET_ARCH_x86
struct pt_regs {
	unsigned long r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	unsigned long rax, rcx, rdx, rsi, rdi, orig_rax;
	unsigned long rip, cs, eflags, rsp, ss;
};
#else
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
#endif

/* What a BPF program on a sys_enter tracepoint is handed. */
struct syscall_enter {
	__u64 common;
	long id;
	unsigned long args[6];
};

#endif
