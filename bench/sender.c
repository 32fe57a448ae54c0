// Sends a fixed number of times, and says how long one send took.
//
//   sender ADDRESS PORT SENDS sendto|write|sendmsg    on a TCP connection
//   sender - - SENDS null                             write(2) to /dev/null: no socket at all
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_BYTES 200

static char message[MESSAGE_BYTES];
static struct iovec segment = {message, MESSAGE_BYTES};
static const struct msghdr header = {.msg_iov = &segment, .msg_iovlen = 1};

static ssize_t by_sendto(int fd)
{
	return send(fd, message, MESSAGE_BYTES, MSG_NOSIGNAL);
}

static ssize_t by_write(int fd)
{
	return write(fd, message, MESSAGE_BYTES);
}

static ssize_t by_sendmsg(int fd)
{
	return sendmsg(fd, &header, MSG_NOSIGNAL);
}

static const struct {
	const char *name;
	ssize_t (*send)(int fd);
} WAYS[] = {
    {"sendto", by_sendto}, {"write", by_write}, {"sendmsg", by_sendmsg}, {"null", by_write}};

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int open_target(char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int one = 1;
	int fd;

	if (strcmp(argv[4], "null") == 0)
		return open("/dev/null", O_WRONLY);
	// Loopback only, whoever calls it: the sends are not to leave the machine.
	if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1 ||
	    ntohl(address.sin_addr.s_addr) >> 24 != 127)
		return -1;
	address.sin_port = htons(atoi(argv[2]));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int main(int argc, char **argv)
{
	ssize_t (*way)(int fd) = NULL;
	double began, used;
	long count;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "usage: sender ADDRESS PORT SENDS sendto|write|sendmsg|null\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++)
		if (strcmp(argv[4], WAYS[i].name) == 0)
			way = WAYS[i].send;
	fd = open_target(argv);
	if (!way || fd < 0) {
		perror("sender: no such way to send, or no connection");
		return 1;
	}
	count = atol(argv[3]);
	began = seconds(CLOCK_MONOTONIC);
	used = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 0; i < count; i++) {
		if (way(fd) != MESSAGE_BYTES) {
			perror("sender: send");
			return 1;
		}
	}
	printf("{\"wall_ns\": %.1f, \"cpu_ns\": %.1f}\n",
	       (seconds(CLOCK_MONOTONIC) - began) * 1e9 / count,
	       (seconds(CLOCK_PROCESS_CPUTIME_ID) - used) * 1e9 / count);
	return 0;
}
