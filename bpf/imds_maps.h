/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of the CO-RE object, and the functions by which the other headers reach them. BCC has
 * a syntax of its own for both: see imds.bcc.c.
 */
#ifndef IMDS_MAPS_H
#define IMDS_MAPS_H

#include "imds_answers.h"
#include "imds_capture.h"
#include "imds_executables.h"
#include "imds_programs.h"
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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct imds_cgroup_budget);
} cgroup_budget SEC(".maps");

static __always_inline struct imds_cgroup_budget *imds_cgroup_budget(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&cgroup_budget, &key);
}

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

static __always_inline struct imds_cgroup *imds_reserve_cgroup(void)
{
	return bpf_ringbuf_reserve(&events, sizeof(struct imds_cgroup), 0);
}

static __always_inline void imds_discard_reserved(void *data)
{
	bpf_ringbuf_discard(data, 0);
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

#endif
