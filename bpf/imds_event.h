/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the probe and user space: what one event looks like on
 * the ring buffer. This is the only place where it is laid out. `make abi`
 * compiles this file, reads the layout back from the compiler's own BTF and
 * writes analyzer/recorder/sources/probe/layout.py. Includes nothing, so that
 * clang, BCC and a plain C compiler see the same thing.
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
	/* Payload for which a small place is reserved on the ring: most requests. */
	IMDS_SEGMENT_SMALL = 512,
	/* TASK_COMM_LEN: part of the kernel's user-visible ABI since it exists. */
	IMDS_COMM_LEN = 16,
	/* Bytes of an executable's path; a longer one is cut and flagged. */
	IMDS_EXECUTABLE_MAX = 768,
	/* NAME_MAX with its NUL: there must be room for one more such name in a path. */
	IMDS_NAME_MAX = 256,
	/* Names in such a path, and mounts that it leads through. */
	IMDS_EXECUTABLE_DEPTH = 32,
	/* Bytes of a cgroup's path with its NUL. One that may be longer is not told. */
	IMDS_CGROUP_PATH_MAX = 1024,
};

/* What an event on the ring is: the first member of each of the structs below. */
enum imds_kind {
	/* struct imds_event: a send begins; what the caller offers. Only without the wire. */
	IMDS_KIND_SEND = 1,
	IMDS_KIND_ANSWER = 2, /* struct imds_answer: a status line has been received */
	IMDS_KIND_CLOSED = 3, /* struct imds_answer: the connection has ended */
	/* struct imds_event without a payload: who sends on a connection, told by the call. */
	IMDS_KIND_SENDER = 4,
	/* struct imds_holder: who held the socket when bytes went out, told by the wire. */
	IMDS_KIND_HOLDER = 5,
	/* struct imds_segment: bytes as they went out. */
	IMDS_KIND_SEGMENT = 6,
	/*
	 * struct imds_event of an ancestor, with nothing but what it runs: told before it is
	 * named as one. Behind it all stands its boottime_ns again.
	 */
	IMDS_KIND_PROGRAM = 7,
	/* As IMDS_KIND_SENDER, of a process that was told for an earlier call on the connection. */
	IMDS_KIND_CALL = 8,
	IMDS_KIND_CGROUP =
	    9, /* struct imds_cgroup: one was made; told before anybody calls there */
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
	/* The path of the executable is longer than IMDS_EXECUTABLE_MAX, or deeper. */
	IMDS_FLAG_EXECUTABLE_TRUNCATED = 128,
	/* A holder: a call by another process may have brought these bytes. */
	IMDS_FLAG_OTHER_SENDER = 256,
	/* The bytes lie in the caller's own pages (MSG_ZEROCOPY), and may be others a moment later.
	 */
	IMDS_FLAG_CHANGEABLE = 512,
	/*
	 * A segment that went out while a process held the socket: the one that sent last on it, or
	 * the holder that was told.
	 */
	IMDS_FLAG_HELD = 1024,
	/* A segment of which the ring had no room to tell who sent it. */
	IMDS_FLAG_SENDER_LOST = 2048,
	/* The process has asked to have another file as its executable (prctl(2), PR_SET_MM). */
	IMDS_FLAG_EXECUTABLE_REPLACED = 4096,
};

/* Index into the probe's counters map. */
enum imds_counter {
	/* Sends that did not fit into the ring buffer. */
	IMDS_COUNTER_LOST = 0,
	/* Answers and ends of connections that did not fit: no request is missing for them. */
	IMDS_COUNTER_LOST_ANSWERS = 1,
	/* Senders that did not fit: no request is missing for them, but who made it. */
	IMDS_COUNTER_LOST_SENDERS = 2,
	IMDS_COUNTERS = 3,
};

/* One process as the kernel saw it: always its thread group leader. */
struct imds_process {
	/* task_struct.start_boottime: with the pid, the identity of the process. */
	unsigned long long start_boottime_ns;
	/* Inode number of the executable; 0 where there is none (a kernel thread, a zombie). */
	unsigned long long executable_inode;
	/* Where its arguments lie: with randomized addresses, another place after each exec. */
	unsigned long long args_address;
	/* Thread group id in the initial pid namespace. */
	unsigned int pid;
	/* Effective user id in the initial user namespace. */
	unsigned int uid;
	/* Device of the executable's file system, as the kernel writes it: major << 20 | minor. */
	unsigned int executable_device;
	/* task_struct.self_exec_id, its low half: another number after each exec. */
	unsigned int exec_id;
	char comm[IMDS_COMM_LEN];
};

/*
 * One send. Followed on the ring by, in this order and without padding:
 *   ancestors_count x struct imds_process   nearest parent first
 *   args_captured bytes                     argv, NUL-separated, as in memory
 *   executable_captured bytes               names of its path, the last one first,
 *                                           each with a NUL behind it
 *   payload_captured bytes                  the first bytes of the send
 */
struct imds_event {
	/* IMDS_KIND_SEND, IMDS_KIND_SENDER or IMDS_KIND_PROGRAM. */
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
	unsigned int mount_namespace; /* inode number of the one that the caller is in */
	unsigned long long cgroup_id;
	unsigned short executable_captured;
	unsigned short event_size; /* of all this, with what follows, but for the payload */
	/* Not 0: the ring had no room for a sender before this, some of whose bytes may follow. */
	unsigned int is_former_lost;
	struct imds_process caller;
};

/*
 * The same of a process that holds the lock of a socket while bytes go out on it. It is
 * put together in the ring itself, so each part stands in a place of its own.
 */
struct imds_holder {
	struct imds_event event;
	struct imds_process ancestors[IMDS_ANCESTORS_MAX];
	unsigned char args[IMDS_ARGS_MAX];
	unsigned char executable[IMDS_EXECUTABLE_MAX];
};

/*
 * Bytes that went out, as the packet had them, before the network device. Followed by
 * payload_captured bytes of it; what stands on the ring behind them means nothing.
 */
struct imds_segment {
	/* IMDS_KIND_SEGMENT. */
	unsigned int kind;
	/* IMDS_FLAG_TRUNCATED, _UNREADABLE, _CHANGEABLE, _HELD, _SENDER_LOST. */
	unsigned int flags;
	unsigned long long boottime_ns;
	/* As in struct imds_event. */
	unsigned long long sock;
	/* Of the socket, whoever uses it. */
	unsigned long long cgroup_id;
	/* TCP sequence number of the first byte. */
	unsigned int sequence;
	/* Bytes of the connection before it (modulo 2^32). */
	unsigned int stream_offset;
	unsigned int netns;
	unsigned int payload_size;
	unsigned short family;
	unsigned short source_port;
	unsigned short destination_port;
	unsigned short payload_captured;
	/* The packet's urgent pointer; 0: no byte of it is urgent. */
	unsigned short urgent;
	unsigned char unused[6];
	unsigned char source_ip[16];
	unsigned char destination_ip[16];
	/*
	 * The latest call on the socket: boottime_ns of the event that told who makes it (0: none
	 * did), and of this call the number of the first byte, how many there are, and the thread.
	 */
	unsigned long long call_boottime_ns;
	unsigned int call_sequence;
	unsigned int call_size;
	unsigned int call_tid;
	unsigned int unused_2;
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
	/*
	 * TTL or hop limit of the packet with the first byte of the answer; 0: not seen. Only
	 * the wire tells.
	 */
	unsigned int hop_limit;
};

/* A cgroup of version 2. It may be gone before user space looks at a call from it. */
struct imds_cgroup {
	/* IMDS_KIND_CGROUP. */
	unsigned int kind;
	/* Bytes of the path, without the NUL. */
	unsigned int path_size;
	unsigned long long boottime_ns;
	unsigned long long cgroup_id;
	/* From the root of the hierarchy. What stands behind path_size bytes means nothing. */
	char path[IMDS_CGROUP_PATH_MAX];
};

_Static_assert(sizeof(struct imds_process) == 56, "imds_process is packed by hand");
_Static_assert(sizeof(struct imds_event) == 168, "imds_event is packed by hand");
_Static_assert(sizeof(struct imds_segment) == 120, "imds_segment is packed by hand");

#endif
