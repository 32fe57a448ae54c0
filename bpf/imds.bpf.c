// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CO-RE object: compiled once, ahead of time, for every kernel with BTF.
 * All attach types are in it; the loader turns on the programs it wants.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include "imds_capture.h"
#include "imds_executables.h"
#include "imds_programs.h"
#include "imds_cgroups.h"
#include "imds_answers.h"
#include "imds_syscalls.h"
#include "imds_wire.h"
#include "imds_maps.h"

/* Attached with every attach type. */

SEC("raw_tracepoint/tcp_rcv_space_adjust")
int raw_received(struct bpf_raw_tracepoint_args *ctx)
{
	return imds_received((const struct sock *)ctx->args[0]);
}

SEC("raw_tracepoint/inet_sock_set_state")
int raw_state_changed(struct bpf_raw_tracepoint_args *ctx)
{
	return imds_state_changed((const struct sock *)ctx->args[0], ctx->args[2]);
}

SEC("raw_tracepoint/sched_process_fork")
int raw_forked(struct bpf_raw_tracepoint_args *ctx)
{
	return imds_forked((const struct task_struct *)ctx->args[0],
			   (const struct task_struct *)ctx->args[1]);
}

SEC("raw_tracepoint/sched_process_exec")
int raw_executed(struct bpf_raw_tracepoint_args *ctx)
{
	return imds_executed((const struct task_struct *)ctx->args[0]);
}

SEC("raw_tracepoint/cgroup_mkdir")
int raw_cgroup_made(struct bpf_raw_tracepoint_args *ctx)
{
	return imds_cgroup_made((const struct cgroup *)ctx->args[0], (const char *)ctx->args[1]);
}

/* What went out and what came back; on the root of the cgroup2 hierarchy. */

SEC("cgroup_skb/egress")
int wire_egress(struct __sk_buff *skb)
{
	return imds_egress(skb);
}

SEC("cgroup_skb/ingress")
int wire_ingress(struct __sk_buff *skb)
{
	return imds_ingress(skb);
}

/*
 * Where the kernel allows BPF trampolines. The arguments are typed, so the port
 * is a plain load here, without the call of a helper that kprobes need: nearly
 * every send of the host ends at this line.
 */
#define IMDS_NOT_OURS(sk) ((sk)->__sk_common.skc_dport != bpf_htons(IMDS_PORT))

SEC("fentry/tcp_sendmsg")
int BPF_PROG(fentry_tcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	/* 0: not connected yet, perhaps TCP Fast Open. */
	if (IMDS_NOT_OURS(sk) && sk->__sk_common.skc_dport != 0)
		return 0;
	return imds_tcp_sendmsg(sk, msg);
}

SEC("fentry/tcp_sendpage")
int BPF_PROG(fentry_tcp_sendpage, struct sock *sk, void *page, int offset, unsigned long size)
{
	return imds_tcp_sendpage(sk, size);
}

SEC("fentry/mptcp_sendmsg")
int BPF_PROG(fentry_mptcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_mptcp_sendmsg(sk, msg);
}

/* A process has its executable replaced. The second one is for kernels before 5.15. */
SEC("fentry/replace_mm_exe_file")
int BPF_PROG(fentry_replace_mm_exe_file)
{
	return imds_replacing();
}

SEC("fentry/prctl_set_mm_exe_file")
int BPF_PROG(fentry_prctl_set_mm_exe_file)
{
	return imds_replacing();
}

SEC("fentry/tcp_recvmsg")
int BPF_PROG(fentry_tcp_recvmsg, struct sock *sk, struct msghdr *msg)
{
	if (IMDS_NOT_OURS(sk))
		return 0;
	return imds_tcp_recvmsg(sk, msg);
}

/* Where it has kprobes. */

SEC("kprobe/tcp_sendmsg")
int BPF_KPROBE(kprobe_tcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_tcp_sendmsg(sk, msg);
}

SEC("kprobe/tcp_sendpage")
int BPF_KPROBE(kprobe_tcp_sendpage, struct sock *sk, void *page, int offset, unsigned long size)
{
	return imds_tcp_sendpage(sk, size);
}

SEC("kprobe/mptcp_sendmsg")
int BPF_KPROBE(kprobe_mptcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_mptcp_sendmsg(sk, msg);
}

SEC("kprobe/replace_mm_exe_file")
int BPF_KPROBE(kprobe_replace_mm_exe_file)
{
	return imds_replacing();
}

SEC("kprobe/prctl_set_mm_exe_file")
int BPF_KPROBE(kprobe_prctl_set_mm_exe_file)
{
	return imds_replacing();
}

SEC("kprobe/tcp_recvmsg")
int BPF_KPROBE(kprobe_tcp_recvmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_tcp_recvmsg(sk, msg);
}

/* Where it has neither. */

SEC("tracepoint/syscalls/sys_enter_write")
int trace_write(struct syscall_enter *ctx)
{
	return imds_sys_sendto(ctx->args[0], (void *)ctx->args[1], ctx->args[2], 0, 0);
}

SEC("tracepoint/syscalls/sys_enter_writev")
int trace_writev(struct syscall_enter *ctx)
{
	return imds_sys_writev(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_pwritev2")
int trace_pwritev2(struct syscall_enter *ctx)
{
	return imds_sys_writev(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_sendto")
int trace_sendto(struct syscall_enter *ctx)
{
	return imds_sys_sendto(ctx->args[0], (void *)ctx->args[1], ctx->args[2], ctx->args[3],
			       (void *)ctx->args[4]);
}

SEC("tracepoint/syscalls/sys_enter_sendmsg")
int trace_sendmsg(struct syscall_enter *ctx)
{
	return imds_sys_sendmmsg(ctx->args[0], (void *)ctx->args[1], 1, ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_sendmmsg")
int trace_sendmmsg(struct syscall_enter *ctx)
{
	return imds_sys_sendmmsg(ctx->args[0], (void *)ctx->args[1], ctx->args[2], ctx->args[3]);
}

SEC("tracepoint/syscalls/sys_enter_prctl")
int trace_prctl(struct syscall_enter *ctx)
{
	return imds_sys_prctl(ctx->args[0], ctx->args[1]);
}

SEC("tracepoint/syscalls/sys_enter_read")
int trace_read(struct syscall_enter *ctx)
{
	return imds_sys_read(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_recvfrom")
int trace_recvfrom(struct syscall_enter *ctx)
{
	return imds_sys_read(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_readv")
int trace_readv(struct syscall_enter *ctx)
{
	return imds_sys_readv(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_recvmsg")
int trace_recvmsg(struct syscall_enter *ctx)
{
	return imds_sys_recvmsg(ctx->args[0], (void *)ctx->args[1]);
}

/* The helpers used are GPL-only. */
char LICENSE[] SEC("license") = "GPL";
