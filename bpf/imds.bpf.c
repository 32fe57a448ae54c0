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
#include "imds_syscalls.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* changed by the loader where asked for */
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IMDS_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/*
 * One per CPU is enough: the kernel runs no second instance of a program on a
 * CPU where one is active (it counts a miss instead), and only one of the
 * programs below is attached to a given send.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct imds_scratch);
} scratch SEC(".maps");

static __always_inline struct imds_scratch *imds_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

static __always_inline long imds_submit(void *data, unsigned long long size)
{
	return bpf_ringbuf_output(&events, data, size, 0);
}

static __always_inline void imds_count(unsigned int counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		__sync_fetch_and_add(value, 1);
}

SEC("fentry/tcp_sendmsg")
int BPF_PROG(fentry_tcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_tcp_sendmsg(sk, msg);
}

SEC("kprobe/tcp_sendmsg")
int BPF_KPROBE(kprobe_tcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_tcp_sendmsg(sk, msg);
}

SEC("tracepoint/syscalls/sys_enter_write")
int trace_write(struct syscall_enter *ctx)
{
	return imds_sys_write(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_sendto")
int trace_sendto(struct syscall_enter *ctx)
{
	return imds_sys_write(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_writev")
int trace_writev(struct syscall_enter *ctx)
{
	return imds_sys_writev(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("tracepoint/syscalls/sys_enter_sendmsg")
int trace_sendmsg(struct syscall_enter *ctx)
{
	return imds_sys_sendmmsg(ctx->args[0], (void *)ctx->args[1], 1);
}

SEC("tracepoint/syscalls/sys_enter_sendmmsg")
int trace_sendmmsg(struct syscall_enter *ctx)
{
	return imds_sys_sendmmsg(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

/* The helpers used are GPL-only. */
char LICENSE[] SEC("license") = "GPL";
