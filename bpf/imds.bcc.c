// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same probe for BCC, which compiles it on the host against the host's
 * kernel headers: for kernels without BTF, and where BCC is what there is.
 * Maps are reached by BCC's own syntax, which it rewrites in this file only.
 * MPTCP is not watched: headers do not tell what its sockets look like inside.
 */
#define IMDS_BCC
#include <linux/sched.h>
#include <linux/cred.h>
#include <linux/mm_types.h>
#include <linux/uio.h>
#include <linux/socket.h>
#include <linux/tcp.h>
#include <linux/if_ether.h>
#include <linux/mount.h>
#include <linux/dcache.h>
#include <linux/nsproxy.h>
#include <linux/skbuff.h>
#include <net/sock.h>
#include <net/net_namespace.h>
#undef READ /* linux/kernel.h has one of its own */
#include "imds_capture.h"
#include "imds_answers.h"
#ifdef IMDS_WIRE
#include "imds_wire.h"
#endif

BPF_RINGBUF_OUTPUT(events, IMDS_RING_PAGES);
/* Mapped by the analyzer, which reads it without the privilege that bpf(2) may ask for. */
BPF_F_TABLE("array", int, u64, counters, IMDS_COUNTERS, BPF_F_MMAPABLE);
BPF_PERCPU_ARRAY(scratch, struct imds_scratch, IMDS_SLOTS);
BPF_TABLE("lru_hash", u64, struct imds_exchange, exchanges, IMDS_EXCHANGES_MAX);
BPF_TABLE("lru_hash", u64, struct imds_receive, receives, IMDS_RECEIVES_MAX);
BPF_TABLE("lru_hash", u64, struct imds_sender, senders, IMDS_SENDERS_MAX);
/* Not 0: packets go to IMDS whose sockets know it by another address. */
BPF_ARRAY(translated, u32, 1);
#ifdef IMDS_WIRE
BPF_TABLE("lru_hash", u64, struct imds_holder, holders, IMDS_HOLDERS_MAX);
BPF_ARRAY(no_holder, struct imds_holder, 1); /* what a new one is made of */
#endif

static __always_inline struct imds_scratch *imds_scratch(enum imds_slot slot)
{
	int key = slot;

	return scratch.lookup(&key);
}

static __always_inline long imds_submit(void *data, unsigned long long size)
{
	return events.ringbuf_output(data, size, 0);
}

static __always_inline void imds_count(unsigned int counter)
{
	int index = counter;
	u64 *value = counters.lookup(&index);

	if (value)
		__sync_fetch_and_add(value, 1);
}

static __always_inline void imds_expect(unsigned long long sock, unsigned int netns)
{
	struct imds_exchange exchange = {.netns = netns, .is_expected = 1};

	exchanges.update((u64 *)&sock, &exchange);
}

/* What ancestors run, /proc alone tells here. */
static __always_inline void imds_tell_programs(const struct imds_event *event,
					       const struct imds_process *ancestors)
{
}

/* Nor is it noted here who replaces its executable. */
static __always_inline int imds_is_replaced(const struct mm_struct *mm)
{
	return 0;
}

static __always_inline struct imds_exchange *imds_exchange_of(unsigned long long sock)
{
	return exchanges.lookup((u64 *)&sock);
}

static __always_inline void imds_forget(unsigned long long sock)
{
	exchanges.delete((u64 *)&sock);
}

static __always_inline int imds_has_wire(void)
{
#ifdef IMDS_WIRE
	return 1;
#else
	return 0;
#endif
}

static __always_inline struct imds_sender *imds_sender_of(unsigned long long sock)
{
	return senders.lookup((u64 *)&sock);
}

static __always_inline void imds_set_sender(unsigned long long sock, const void *sender)
{
	senders.update((u64 *)&sock, (struct imds_sender *)sender);
}

static __always_inline void imds_forget_sender(unsigned long long sock)
{
	senders.delete((u64 *)&sock);
}

static __always_inline void imds_begin_receive(const struct imds_receive *receive)
{
	u64 thread = bpf_get_current_pid_tgid();

	receives.update(&thread, (struct imds_receive *)receive);
}

static __always_inline struct imds_receive *imds_current_receive(void)
{
	u64 thread = bpf_get_current_pid_tgid();

	return receives.lookup(&thread);
}

RAW_TRACEPOINT_PROBE(inet_sock_set_state)
{
	return imds_state_changed((const struct sock *)ctx->args[0], ctx->args[2]);
}

#ifdef IMDS_WIRE
static __always_inline int imds_is_translated(void)
{
	int key = 0;
	const u32 *value = translated.lookup(&key);

	return value && *value;
}

static __always_inline void imds_set_translated(void)
{
	int key = 0;
	u32 *value = translated.lookup(&key);

	if (value)
		*value = 1;
}

static __always_inline void imds_expect_from(unsigned long long sock, unsigned int netns,
					     unsigned int sequence, unsigned int is_opening)
{
	const struct imds_exchange *known = exchanges.lookup((u64 *)&sock);
	struct imds_exchange exchange = {};

	if (imds_begin_exchange(&exchange, known, netns, sequence, is_opening))
		exchanges.update((u64 *)&sock, &exchange);
}

static __always_inline void *imds_reserve_segment(unsigned int payload_room)
{
	return events.ringbuf_reserve(sizeof(struct imds_segment) + payload_room);
}

static __always_inline struct imds_holder *imds_new_holder(unsigned long long sock)
{
	struct imds_holder *holder = holders.lookup((u64 *)&sock), *empty;
	int key = 0;

	if (holder)
		return holder;
	empty = no_holder.lookup(&key);
	if (!empty)
		return 0;
	holders.update((u64 *)&sock, empty);
	return holders.lookup((u64 *)&sock);
}

static __always_inline void imds_submit_reserved(void *data)
{
	events.ringbuf_submit(data, 0);
}

int wire_egress(struct __sk_buff *skb)
{
	return imds_egress(skb);
}

int wire_ingress(struct __sk_buff *skb)
{
	return imds_ingress(skb);
}
#else
RAW_TRACEPOINT_PROBE(tcp_rcv_space_adjust)
{
	return imds_received((const struct sock *)ctx->args[0]);
}
#endif

#ifdef IMDS_FENTRY
KFUNC_PROBE(tcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_tcp_sendmsg(sk, msg);
}

#ifndef IMDS_WIRE
KFUNC_PROBE(tcp_recvmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_tcp_recvmsg(sk, msg);
}

#ifdef IMDS_HAS_SENDPAGE
KFUNC_PROBE(tcp_sendpage, struct sock *sk, struct page *page, int offset, size_t size)
{
	return imds_tcp_sendpage(sk, size);
}
#endif
#endif

#else
int kprobe_tcp_sendmsg(struct pt_regs *ctx)
{
	return imds_tcp_sendmsg((const struct sock *)PT_REGS_PARM1(ctx),
				(const struct msghdr *)PT_REGS_PARM2(ctx));
}

#ifndef IMDS_WIRE
int kprobe_tcp_recvmsg(struct pt_regs *ctx)
{
	return imds_tcp_recvmsg((const struct sock *)PT_REGS_PARM1(ctx),
				(const struct msghdr *)PT_REGS_PARM2(ctx));
}

int kprobe_tcp_sendpage(struct pt_regs *ctx)
{
	return imds_tcp_sendpage((const struct sock *)PT_REGS_PARM1(ctx), PT_REGS_PARM4(ctx));
}
#endif
#endif
