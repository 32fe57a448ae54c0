/*
 * A client of the tests that tries not to be seen, or to be seen as something else.
 *
 *   evade flood ADDRESS COUNT   make that many sends that fail
 *   evade flip WAY FD COUNT     make that many requests on a connected socket, while a thread
 *                               puts a token's header in and takes it out again; WAY is send,
 *                               more, zerocopy or splice
 *   evade repair FD             give the connection other numbers to go on with, where allowed
 *
 * Exits with 0, with 1 and the reason on standard error, or with 77 where the kernel does not
 * have what the way needs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define NOT_THERE 77
#define PAGE 4096

static int fail(const char *what)
{
	int error = errno;

	perror(what);
	return error == ENOSYS || error == EOPNOTSUPP || error == EPERM ? NOT_THERE : 1;
}

static int flood(const char *address, long count)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct cmsghdr control = {.cmsg_len = sizeof(control),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = 9999};
	char data[] = "GET /latest/meta-data/flood HTTP/1.1\r\nX-aws-ec2-metadata-token: x\r\n\r\n";
	struct iovec part = {data, sizeof(data) - 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return fail("connect");
	for (long i = 0; i < count; i++)
		if (sendmsg(fd, &message, 0) >= 0 || errno != EINVAL)
			return fail("a send that should fail");
	printf("%ld\n", count);
	return 0;
}

static char *buffer;
static volatile int is_over;
static volatile size_t changing_at;

static void *flip(void *unused)
{
	(void)unused;
	while (!is_over) {
		__atomic_store_n(&buffer[changing_at], 'X', __ATOMIC_RELAXED);
		for (volatile int i = 0; i < 200; i++)
			;
		__atomic_store_n(&buffer[changing_at], 'Y', __ATOMIC_RELAXED);
		for (volatile int i = 0; i < 200; i++)
			;
	}
	return 0;
}

static long send_by(const char *way, int fd, size_t size)
{
	struct iovec whole = {buffer, size};
	int ends[2];
	long sent;

	if (strcmp(way, "zerocopy") == 0)
		return send(fd, buffer, size, MSG_ZEROCOPY);
	if (strcmp(way, "more") == 0) {
		sent = send(fd, buffer, size - 1, MSG_MORE);
		return sent < 0 ? sent : sent + send(fd, buffer + size - 1, 1, 0);
	}
	if (strcmp(way, "splice") != 0)
		return send(fd, buffer, size, 0);
	if (pipe(ends) < 0 || vmsplice(ends[1], &whole, 1, 0) < 0)
		return -1;
	sent = splice(ends[0], 0, fd, 0, size, 0);
	close(ends[0]);
	close(ends[1]);
	return sent;
}

/* One whole answer, which has no body. */
static int receive(int fd)
{
	char answer[PAGE + 1];
	size_t got = 0;

	answer[0] = 0;
	while (!strstr(answer, "\r\n\r\n")) {
		ssize_t more = recv(fd, answer + got, PAGE - got, 0);

		if (more <= 0)
			return -1;
		got += more;
		answer[got] = 0;
	}
	return 0;
}

static int flip_while_sending(const char *way, int fd, long count)
{
	int on = 1;
	pthread_t thread;

	buffer = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	changing_at = PAGE - 1;
	if (strcmp(way, "zerocopy") == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) < 0)
		return fail("SO_ZEROCOPY");
	if (pthread_create(&thread, 0, flip, 0))
		return fail("a thread");
	for (long i = 0; i < count; i++) {
		int line = sprintf(buffer, "GET /latest/meta-data/%08ld HTTP/1.1\r\n", i);

		strcpy(buffer + line, "X-aws-ec2-metadata-token: secret\r\n\r\n");
		changing_at = line;
		/* On one processor the other thread has its turn only then. */
		sched_yield();
		if (send_by(way, fd, strlen(buffer)) != (long)strlen(buffer))
			return fail(way);
		if (receive(fd))
			return fail("the answer");
		changing_at = PAGE - 1;
	}
	is_over = 1;
	pthread_join(thread, 0);
	return 0;
}

/* As a connection goes on that was moved to another machine, which repeats its last bytes. */
static int repair(int fd)
{
	int on = 1, queue = 2 /* TCP_SEND_QUEUE */, off = -1;

	if (setsockopt(fd, IPPROTO_TCP, 19 /* TCP_REPAIR */, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, 20 /* TCP_REPAIR_QUEUE */, &queue, sizeof(queue)) < 0)
		return fail("TCP_REPAIR");
	/* Bytes that never go out: in this mode they are taken for sent already. */
	if (send(fd, "GET /latest/unsent HTTP/1.1\r\n\r\n", 31, 0) < 0)
		return fail("a send in repair");
	if (setsockopt(fd, IPPROTO_TCP, 19, &off, sizeof(off)) < 0)
		return fail("the end of TCP_REPAIR");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "flood") == 0)
		return flood(argv[2], atol(argv[3]));
	if (argc == 5 && strcmp(argv[1], "flip") == 0)
		return flip_while_sending(argv[2], atoi(argv[3]), atol(argv[4]));
	if (argc == 3 && strcmp(argv[1], "repair") == 0)
		return repair(atoi(argv[2]));
	fprintf(stderr, "usage: evade flood ADDRESS COUNT | flip WAY FD COUNT | repair FD\n");
	return 1;
}
