// SPDX-License-Identifier: GPL-2.0-only
/* Programs that do nothing: what any program costs on the hooks the probe uses. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define EMPTY(section, name)                                                                       \
	SEC(section) int name(void *ctx)                                                           \
	{                                                                                          \
		return 0;                                                                          \
	}

EMPTY("fentry/tcp_sendmsg", fentry_tcp_sendmsg)
EMPTY("kprobe/tcp_sendmsg", kprobe_tcp_sendmsg)
EMPTY("tracepoint/syscalls/sys_enter_write", trace_write)
EMPTY("tracepoint/syscalls/sys_enter_writev", trace_writev)
EMPTY("tracepoint/syscalls/sys_enter_sendto", trace_sendto)
EMPTY("tracepoint/syscalls/sys_enter_sendmsg", trace_sendmsg)
EMPTY("tracepoint/syscalls/sys_enter_sendmmsg", trace_sendmmsg)

/* What a packet costs; 1 lets it pass. */
SEC("cgroup_skb/egress") int wire_egress(struct __sk_buff *skb)
{
	return 1;
}

SEC("cgroup_skb/ingress") int wire_ingress(struct __sk_buff *skb)
{
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
