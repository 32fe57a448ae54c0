/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the probe and user space: what one event looks like on
 * the ring buffer. This is the only place where it is laid out. `make abi`
 * compiles this file, reads the layout back from the compiler's own BTF and
 * writes analyzer/_abi.py. Includes nothing, so that clang, BCC and a plain C
 * compiler see the same thing.
 */
#ifndef IMDS_EVENT_H
#define IMDS_EVENT_H

enum imds_limit {
	/* Bytes of one send that are copied. An IMDS request is 100 to 700. */
	IMDS_PAYLOAD_MAX = 4096,
	/* Bytes of the caller's own argument vector. */
	IMDS_ARGS_MAX = 1024,
	/* Parents that are followed; deeper trees are cut and flagged. */
	IMDS_ANCESTORS_MAX = 16,
	/* Segments of one vectored send that are followed; more are cut and flagged. */
	IMDS_SEGMENTS_MAX = 128,
	/* What is looked at of an answer: "HTTP/1.1 200". */
	IMDS_STATUS_LINE_LEN = 12,
	/* TASK_COMM_LEN: part of the kernel's user-visible ABI since it exists. */
	IMDS_COMM_LEN = 16,
};

/* What an event on the ring is: the first member of each of the structs below. */
enum imds_kind {
	IMDS_KIND_SEND = 1,   /* struct imds_event: bytes on their way to IMDS */
	IMDS_KIND_ANSWER = 2, /* struct imds_answer: a status line has been received */
	IMDS_KIND_CLOSED = 3, /* struct imds_answer: the connection has ended */
};

/* What stands in imds_event.flags. */
enum imds_flag {
	/* payload_size is larger than payload_captured because of a limit above. */
	IMDS_FLAG_TRUNCATED = 1,
	/* User memory could not be read: bpf_probe_read_user() cannot fault a page in. */
	IMDS_FLAG_UNREADABLE = 2,
	/* The payload lies in pages or kernel memory (sendfile, splice), not in user memory. */
	IMDS_FLAG_NOT_USER_MEMORY = 4,
	/* The argument vector is longer than IMDS_ARGS_MAX. */
	IMDS_FLAG_ARGS_TRUNCATED = 8,
	/* There are more ancestors than IMDS_ANCESTORS_MAX. */
	IMDS_FLAG_ANCESTORS_TRUNCATED = 16,
	/* TCP Fast Open: sent before there is a connection; no source port, no write_seq yet. */
	IMDS_FLAG_FASTOPEN = 32,
	/* Answers on this socket are not seen (MPTCP): none is to be waited for. */
	IMDS_FLAG_NO_ANSWER = 64,
};

/* Index into the probe's counters map. */
enum imds_counter {
	/* Sends that did not fit into the ring buffer. */
	IMDS_COUNTER_LOST = 0,
	/* Answers and ends of connections that did not fit: no request is missing for them. */
	IMDS_COUNTER_LOST_ANSWERS = 1,
	IMDS_COUNTERS = 2,
};

/* One process as the kernel saw it: always its thread group leader. */
struct imds_process {
	/* task_struct.start_boottime: with the pid, the identity of the process. */
	unsigned long long start_boottime_ns;
	/* Thread group id in the initial pid namespace. */
	unsigned int pid;
	/* Effective user id in the initial user namespace. */
	unsigned int uid;
	char comm[IMDS_COMM_LEN];
};

/*
 * One send. Followed on the ring by, in this order and without padding:
 *   ancestors_count x struct imds_process   nearest parent first
 *   args_captured bytes                     argv, NUL-separated, as in memory
 *   payload_captured bytes                  the first bytes of the send
 */
struct imds_event {
	/* IMDS_KIND_SEND. */
	unsigned int kind;
	/* enum imds_flag, or-ed. */
	unsigned int flags;
	/* CLOCK_BOOTTIME at the entry of the send. */
	unsigned long long boottime_ns;
	/* Address of the struct sock: an identity while the socket lives, nothing more. */
	unsigned long long sock;
	/* Bytes the caller asked to send. */
	unsigned long long payload_size;
	/* tcp_sock.write_seq at entry: sequence number of this send's first byte. */
	unsigned int write_seq;
	/* Bytes the connection had taken before this send (modulo 2^32). */
	unsigned int stream_offset;
	/* Inode number of the socket's network namespace. */
	unsigned int netns;
	/* Thread that made the call, in the initial pid namespace. */
	unsigned int tid;
	/* Address family of source and destination: AF_INET (2) or AF_INET6 (10). */
	unsigned short family;
	/* Host byte order. */
	unsigned short source_port;
	unsigned short destination_port;
	unsigned short payload_captured;
	/* Network byte order; an IPv4 address fills the first four bytes. */
	unsigned char source_ip[16];
	unsigned char destination_ip[16];
	unsigned short args_captured;
	unsigned short ancestors_count;
	/* From here on everything describes the caller, up to the payload. */
	unsigned long long cgroup_id;
	struct imds_process caller;
};

/* What became of a connection on which something was sent. No byte of a body is in it. */
struct imds_answer {
	/* IMDS_KIND_ANSWER or IMDS_KIND_CLOSED. */
	unsigned int kind;
	/* IMDS_KIND_ANSWER: the three digits of the status line, as a number; 0: not read. */
	unsigned int status;
	unsigned long long boottime_ns;
	/* As in struct imds_event. */
	unsigned long long sock;
	unsigned int netns;
};

_Static_assert(sizeof(struct imds_process) == 32, "imds_process is packed by hand");
_Static_assert(sizeof(struct imds_event) == 136, "imds_event is packed by hand");

#endif
