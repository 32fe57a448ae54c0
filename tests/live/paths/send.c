/*
 * A client of the tests. Two uses:
 *
 *   send WAY FD         send standard input on a connected socket, the way that is named
 *   send get ADDRESS TARGET   once a byte has come on standard input, connect, ask, read the
 *                       answer, say so on standard output, and stay until standard input ends
 *
 * Exits with 0, with 1 and the reason on standard error, or with 77 where the kernel does not
 * have what the way needs.
 */
#define _GNU_SOURCE
#include "pages.h"
#include "uring.h"
#include <arpa/inet.h>
#include <linux/aio_abi.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/wait.h>

#define NOT_THERE 77
#define PAGE 4096
#define LARGEST 65536

static long send_many(int fd, char *data, size_t size, size_t messages)
{
	struct mmsghdr headers[1024] = {0};
	struct iovec pieces[1024];
	size_t step = size / messages;

	for (size_t i = 0; i < messages; i++) {
		pieces[i].iov_base = data + i * step;
		pieces[i].iov_len = i + 1 < messages ? step : size - i * step;
		headers[i].msg_hdr.msg_iov = &pieces[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	return sendmmsg(fd, headers, messages, 0) == (int)messages ? (long)size : -errno;
}

static long by_sendmmsg(int fd, char *data, size_t size)
{
	return send_many(fd, data, size, 3);
}

static long by_long_sendmmsg(int fd, char *data, size_t size)
{
	return send_many(fd, data, size, 50);
}

static long by_zerocopy(int fd, char *data, size_t size)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) < 0)
		return -errno;
	return send(fd, data, size, MSG_ZEROCOPY);
}

static long by_pwritev2(int fd, char *data, size_t size)
{
	struct iovec parts[] = {{data, 1}, {data + 1, size - 1}};

	return pwritev2(fd, parts, 2, -1, 0);
}

static long by_aio(int fd, char *data, size_t size)
{
	struct iocb control = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd};
	struct iocb *controls[] = {&control};
	struct io_event done;
	aio_context_t context = 0;

	control.aio_buf = (uintptr_t)data;
	control.aio_nbytes = size;
	if (syscall(SYS_io_setup, 1, &context) < 0 ||
	    syscall(SYS_io_submit, context, 1, controls) < 0 ||
	    syscall(SYS_io_getevents, context, 1, 1, &done, 0) < 0)
		return -errno;
	return done.res;
}

/* What a 32-bit program does. */
static long by_32_bit_write(int fd, char *data, size_t size)
{
#ifdef __x86_64__
	char *low = mmap(0, LARGEST, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result = 4; /* write */

	memcpy(low, data, size);
	asm volatile("int $0x80"
		     : "+a"(result)
		     : "b"(fd), "c"(low), "d"(size)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
#else
	(void)fd, (void)data, (void)size;
	return -ENOSYS;
#endif
}

/* The child sends, and its number is told; the parent waits. */
static long by_fork(int fd, char *data, size_t size)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(send(fd, data, size, 0) == (ssize_t)size ? 0 : 1);
	printf("%d\n", child);
	return waitpid(child, &status, 0) == child && status == 0 ? (long)size : -ECHILD;
}

/* The parent begins, the child ends. */
static long by_fork_in_halves(int fd, char *data, size_t size)
{
	size_t half = size / 2;

	if (send(fd, data, half, 0) != (ssize_t)half)
		return -errno;
	return half + by_fork(fd, data + half, size - half);
}

/* The descriptor is that of a unix socket, over which the connected one comes. */
static long by_passed_socket(int fd, char *data, size_t size)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int passed;

	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	if (recvmsg(fd, &message, 0) < 0)
		return -errno;
	memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(passed));
	return send(passed, data, size, 0);
}

static const struct {
	const char *name;
	long (*send)(int fd, char *data, size_t size);
} WAYS[] = {
    {"sendmmsg", by_sendmmsg},
    {"sendmmsg of 50 messages", by_long_sendmmsg},
    {"MSG_ZEROCOPY", by_zerocopy},
    {"pwritev2", by_pwritev2},
    {"io_submit", by_aio},
    {"sendfile", by_sendfile},
    {"splice", by_splice},
    {"vmsplice", by_vmsplice},
    {"send, then sendfile", by_send_then_sendfile},
    {"sendfile, then send", by_sendfile_then_send},
    {"32-bit write", by_32_bit_write},
    {"fork", by_fork},
    {"fork in halves", by_fork_in_halves},
    {"passed socket", by_passed_socket},
};

static long send_by(const char *name, int fd, char *data, size_t size)
{
	for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++)
		if (strcmp(name, WAYS[i].name) == 0)
			return WAYS[i].send(fd, data, size);
	for (size_t i = 0; i < sizeof(URING_WAYS) / sizeof(URING_WAYS[0]); i++)
		if (strcmp(name, URING_WAYS[i].name) == 0)
			return uring_send(&URING_WAYS[i], fd, data, size);
	return -ENOTSUP;
}

static int send_input(const char *way, int fd)
{
	/* A mapping of its own: its pages can be given away without harm. */
	char *data = mmap(0, LARGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t size = 0;
	ssize_t got;
	long sent;

	while ((got = read(0, data + size, LARGEST - PAGE - size)) > 0)
		size += got;
	sent = send_by(way, fd, data, size);
	if (sent == (long)size)
		return 0;
	fprintf(stderr, "%s: %ld of %zu bytes: %s\n", way, sent, size,
		strerror(sent < 0 ? -sent : 0));
	return sent == -ENOSYS || (sent == -EINVAL && strcmp(way, "io_uring send_zc") == 0)
		   ? NOT_THERE
		   : 1;
}

static int get(const char *address, const char *target)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
	char text[PAGE];
	int fd, size;

	if (getaddrinfo(address, "80", &hints, &found) != 0 || read(0, text, 1) != 1)
		return 1;
	fd = socket(found->ai_family, SOCK_STREAM, 0);
	size = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
	if (connect(fd, found->ai_addr, found->ai_addrlen) < 0 || write(fd, text, size) != size ||
	    read(fd, text, sizeof(text)) <= 0) {
		perror(address);
		return 1;
	}
	puts("answered");
	fflush(stdout);
	while (read(0, text, sizeof(text)) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return send_input(argv[1], atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "get") == 0)
		return get(argv[2], argv[3]);
	fprintf(stderr, "usage: send WAY FD | send get ADDRESS TARGET\n");
	return 1;
}
