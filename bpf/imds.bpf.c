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
#include "imds_answers.h"
#include "imds_syscalls.h"
#include "imds_wire.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* changed by the loader where asked for */
} events SEC(".maps");

/* Mapped by the analyzer, which reads it without the privilege that bpf(2) may ask for. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, IMDS_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IMDS_SLOTS);
	__type(key, __u32);
	__type(value, struct imds_scratch);
} scratch SEC(".maps");

/* By the address of the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, IMDS_EXCHANGES_MAX);
	__type(key, __u64);
	__type(value, struct imds_exchange);
} exchanges SEC(".maps");

/* By the address of the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, IMDS_SENDERS_MAX);
	__type(key, __u64);
	__type(value, struct imds_sender);
} senders SEC(".maps");

/* By the address of the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, IMDS_HOLDERS_MAX);
	__type(key, __u64);
	__type(value, struct imds_holder);
} holders SEC(".maps");

/* What a new one is made of. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct imds_holder);
} no_holder SEC(".maps");

/* By the address of the memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, IMDS_REPLACED_MAX);
	__type(key, __u64);
	__type(value, __u32);
} replaced SEC(".maps");

/* By the thread: process id and thread id. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, IMDS_RECEIVES_MAX);
	__type(key, __u64);
	__type(value, struct imds_receive);
} receives SEC(".maps");

/* By the process id. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, IMDS_PROGRAMS_MAX);
	__type(key, __u32);
	__type(value, struct imds_program);
} programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IMDS_PROGRAM_SLOTS);
	__type(key, __u32);
	__type(value, struct imds_program_scratch);
} new_program SEC(".maps");

static __always_inline struct imds_scratch *imds_scratch(enum imds_slot slot)
{
	__u32 key = slot;

	return bpf_map_lookup_elem(&scratch, &key);
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

static __always_inline void imds_expect(unsigned long long sock, unsigned int netns)
{
	struct imds_exchange exchange = {.netns = netns, .is_expected = 1};

	bpf_map_update_elem(&exchanges, &sock, &exchange, BPF_ANY);
}

static __always_inline void imds_expect_from(unsigned long long sock, unsigned int netns,
					     unsigned int sequence, unsigned int is_opening)
{
	const struct imds_exchange *known = bpf_map_lookup_elem(&exchanges, &sock);
	struct imds_exchange exchange = {};

	if (imds_begin_exchange(&exchange, known, netns, sequence, is_opening))
		bpf_map_update_elem(&exchanges, &sock, &exchange, BPF_ANY);
}

static __always_inline struct imds_exchange *imds_exchange_of(unsigned long long sock)
{
	return bpf_map_lookup_elem(&exchanges, &sock);
}

static __always_inline void imds_forget(unsigned long long sock)
{
	bpf_map_delete_elem(&exchanges, &sock);
}

/*
 * Not 0: the wire is watched, so calls only tell who sends. Written by the loader before it
 * loads: the verifier passes over what a constant rules out.
 */
const volatile __u32 has_wire = 0;

/* Not 0: packets go to IMDS whose sockets know it by another address. */
__u32 translated = 0;

static __always_inline int imds_has_wire(void)
{
	return has_wire != 0;
}

static __always_inline int imds_is_translated(void)
{
	return ONCE(translated) != 0;
}

static __always_inline void imds_set_translated(void)
{
	ONCE(translated) = 1;
}

static __always_inline struct imds_sender *imds_sender_of(unsigned long long sock)
{
	return bpf_map_lookup_elem(&senders, &sock);
}

static __always_inline void imds_set_sender(unsigned long long sock, const void *sender)
{
	bpf_map_update_elem(&senders, &sock, sender, BPF_ANY);
}

static __always_inline void imds_forget_sender(unsigned long long sock)
{
	bpf_map_delete_elem(&senders, &sock);
}

static __always_inline struct imds_program_scratch *
imds_program_scratch(enum imds_program_slot slot)
{
	__u32 key = slot;

	return bpf_map_lookup_elem(&new_program, &key);
}

static __always_inline struct imds_program *imds_program_of(unsigned int pid)
{
	return bpf_map_lookup_elem(&programs, &pid);
}

static __always_inline void imds_set_program(unsigned int pid, const struct imds_program *program)
{
	bpf_map_update_elem(&programs, &pid, program, BPF_ANY);
}

/* Not 0: some process has replaced its executable; there were too many to note. */
__u32 any_replaced = 0;
__u32 all_doubted = 0;

static __always_inline int imds_is_any_replaced(void)
{
	return ONCE(any_replaced) != 0;
}

static __always_inline int imds_are_all_doubted(void)
{
	return ONCE(all_doubted) != 0;
}

static __always_inline int imds_is_noted(unsigned long long memory)
{
	return bpf_map_lookup_elem(&replaced, &memory) != 0;
}

static __always_inline void imds_note_replaced(unsigned long long memory)
{
	__u32 noted = 1;

	ONCE(any_replaced) = 1;
	if (bpf_map_update_elem(&replaced, &memory, &noted, BPF_ANY))
		ONCE(all_doubted) = 1;
}

static __always_inline void imds_forget_replaced(unsigned long long memory)
{
	bpf_map_delete_elem(&replaced, &memory);
}

static __always_inline void *imds_reserve_segment(unsigned int payload_room)
{
	return bpf_ringbuf_reserve(&events, sizeof(struct imds_segment) + payload_room, 0);
}

static __always_inline struct imds_holder *imds_new_holder(unsigned long long sock)
{
	struct imds_holder *holder = bpf_map_lookup_elem(&holders, &sock);
	__u32 key = 0;
	const void *empty;

	if (holder)
		return holder;
	empty = bpf_map_lookup_elem(&no_holder, &key);
	if (!empty)
		return 0;
	bpf_map_update_elem(&holders, &sock, empty, BPF_ANY);
	return bpf_map_lookup_elem(&holders, &sock);
}

static __always_inline void imds_submit_reserved(void *data)
{
	bpf_ringbuf_submit(data, 0);
}

static __always_inline void imds_begin_receive(const struct imds_receive *receive)
{
	__u64 thread = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&receives, &thread, receive, BPF_ANY);
}

static __always_inline struct imds_receive *imds_current_receive(void)
{
	__u64 thread = bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&receives, &thread);
}

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
