// Takes connections and throws away what comes, or answers each of its blocks of header fields.
// Says "listening PORT" first; ends with its input.
//
//   discard ADDRESS PORT [answer]     port 0 is a free one
#define _GNU_SOURCE // memmem
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64
#define RECEIVE_BYTES (1 << 20)
#define ANSWER                                                                                     \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 19\r\nServer: EC2ws\r\n"   \
	"\r\ni-0123456789abcdef0"

static void watch(int poller, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

// A sender waits for its answer before it sends the next, so a block never spans two receives
// unless it is larger than a loopback segment.
static ssize_t answer(int fd)
{
	static char received[RECEIVE_BYTES];
	ssize_t size = recv(fd, received, sizeof(received), MSG_DONTWAIT);
	const char *end = received, *limit = received + (size > 0 ? size : 0);

	while ((end = memmem(end, limit - end, "\r\n\r\n", 4))) {
		send(fd, ANSWER, sizeof(ANSWER) - 1, MSG_NOSIGNAL);
		end += 4;
	}
	return size;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	struct epoll_event events[EVENTS];
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int poller = epoll_create1(0);

	if (argc < 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
		fprintf(stderr, "usage: discard ADDRESS PORT [answer]\n");
		return 2;
	}
	address.sin_port = htons(atoi(argv[2]));
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024)) {
		perror("discard: bind");
		return 1;
	}
	getsockname(listener, (struct sockaddr *)&address, &size);
	printf("listening %d\n", ntohs(address.sin_port));
	fflush(stdout);
	watch(poller, listener);
	watch(poller, STDIN_FILENO);
	for (;;) {
		int count = epoll_wait(poller, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == STDIN_FILENO)
				return 0;
			if (fd == listener)
				watch(poller, accept(listener, NULL, NULL));
			else if (argc > 3 && answer(fd) == 0)
				close(fd);
			else if (argc == 3 &&
				 recv(fd, NULL, RECEIVE_BYTES, MSG_TRUNC | MSG_DONTWAIT) == 0)
				close(fd);
		}
	}
}
