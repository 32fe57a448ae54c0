/* One send through io_uring, by raw system calls: the library is not needed for it. */
#ifndef URING_H
#define URING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Older headers lack it (6.0). */
#define URING_SEND_ZC 47

struct ring {
	int fd;
	unsigned char *entries; /* submissions and completions share one mapping since 5.4 */
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

static unsigned *ring_word(struct ring *ring, unsigned offset)
{
	return (unsigned *)(ring->entries + offset);
}

static int ring_open(struct ring *ring, unsigned flags)
{
	size_t size;

	memset(ring, 0, sizeof(*ring));
	ring->params.flags = flags;
	ring->params.sq_thread_idle = 1000;
	ring->fd = syscall(SYS_io_uring_setup, 4, &ring->params);
	if (ring->fd < 0)
		return -errno;
	size = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->entries = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			     IORING_OFF_SQ_RING);
	ring->sqes =
	    mmap(0, ring->params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	return ring->entries == MAP_FAILED || ring->sqes == MAP_FAILED ? -errno : 0;
}

/* Hand one entry over and wait for its result. */
static int ring_result(struct ring *ring, const struct io_uring_sqe *entry)
{
	unsigned *tail = ring_word(ring, ring->params.sq_off.tail);
	unsigned *done = ring_word(ring, ring->params.cq_off.tail);
	unsigned *flags = ring_word(ring, ring->params.sq_off.flags);
	unsigned wake = 0;
	struct io_uring_cqe *results;

	ring->sqes[0] = *entry;
	ring_word(ring, ring->params.sq_off.array)[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(flags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
		wake = IORING_ENTER_SQ_WAKEUP;
	while (__atomic_load_n(done, __ATOMIC_ACQUIRE) == 0)
		if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS | wake, 0,
			    0) < 0 &&
		    errno != EINTR)
			return -errno;
	results = (struct io_uring_cqe *)(ring->entries + ring->params.cq_off.cqes);
	return results[0].res;
}

struct uring_way {
	const char *name;
	int opcode;
	unsigned ring_flags, entry_flags;
	int has_registered_buffer;
};

static const struct uring_way URING_WAYS[] = {
    {"io_uring send", IORING_OP_SEND},
    {"io_uring sendmsg", IORING_OP_SENDMSG},
    {"io_uring write", IORING_OP_WRITE},
    {"io_uring writev", IORING_OP_WRITEV},
    {"io_uring send_zc", URING_SEND_ZC},
    /* Done by a worker: a thread of the process, before 5.12 one of the kernel's. */
    {"io_uring send, worker", IORING_OP_SEND, 0, IOSQE_ASYNC},
    /* Submitted without a system call, by a thread that watches the ring. */
    {"io_uring send, polled", IORING_OP_SEND, IORING_SETUP_SQPOLL, IOSQE_FIXED_FILE},
    {"io_uring write_fixed", IORING_OP_WRITE_FIXED, 0, 0, 1},
};

/* Returns the number of bytes sent, or minus an error number. */
static int uring_send(const struct uring_way *way, int fd, char *data, size_t size)
{
	struct iovec parts[] = {{data, size / 2}, {data + size / 2, size - size / 2}};
	struct iovec whole = {data, size};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	struct io_uring_sqe entry = {.opcode = way->opcode, .flags = way->entry_flags, .fd = fd};
	struct ring ring;
	int failed = ring_open(&ring, way->ring_flags);

	if (failed)
		return failed;
	entry.addr = (uintptr_t)data;
	entry.len = size;
	if (way->opcode == IORING_OP_SENDMSG) {
		entry.addr = (uintptr_t)&message;
		entry.len = 1;
	}
	if (way->opcode == IORING_OP_WRITEV) {
		entry.addr = (uintptr_t)parts;
		entry.len = 2;
	}
	if (way->has_registered_buffer &&
	    syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &whole, 1) < 0)
		return -errno;
	if (way->entry_flags & IOSQE_FIXED_FILE) {
		if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &fd, 1) < 0)
			return -errno;
		entry.fd = 0;
	}
	return ring_result(&ring, &entry);
}

#endif
