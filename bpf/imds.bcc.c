// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same probe for BCC, which compiles it on the host against the host's
 * kernel headers: for kernels without BTF, and where BCC is what there is.
 * Maps are reached by BCC's own syntax, which it rewrites in this file only.
 */
#define IMDS_BCC
#include <linux/sched.h>
#include <linux/cred.h>
#include <linux/mm_types.h>
#include <linux/uio.h>
#include <linux/socket.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/net_namespace.h>
#include "imds_capture.h"

BPF_RINGBUF_OUTPUT(events, IMDS_RING_PAGES);
BPF_ARRAY(counters, u64, IMDS_COUNTERS);
BPF_PERCPU_ARRAY(scratch, struct imds_scratch, 1);

static __always_inline struct imds_scratch *imds_scratch(void)
{
	int zero = 0;

	return scratch.lookup(&zero);
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

#ifdef IMDS_FENTRY
KFUNC_PROBE(tcp_sendmsg, struct sock *sk, struct msghdr *msg)
{
	return imds_tcp_sendmsg(sk, msg);
}
#else
int kprobe_tcp_sendmsg(struct pt_regs *ctx)
{
	return imds_tcp_sendmsg((const struct sock *)PT_REGS_PARM1(ctx),
				(const struct msghdr *)PT_REGS_PARM2(ctx));
}
#endif
