// Sends IMDS requests over keep-alive connections at an even rate, and says how many it sent.
//
//   generator ADDRESS PORT CONNECTIONS RATE SECONDS [answers]
//
// With "answers" it receives one to each request before it sends the next.
// Every socket is bound to ADDRESS before it connects to it, so it only works where that
// address is the network namespace's own; elsewhere it ends without a packet sent.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define TICK_NS 1000000LL // what is due is sent in small bursts of this distance

// Looks like a session token; opens nothing.
#define TOKEN                                                                                      \
	"X-aws-ec2-metadata-token: AQAEAHYKwxKSU3m1Zc0gKq7dV9sPz2LtXbE4nRfWjUyOaIhQlGMTBw==\r\n"
#define BOTO                                                                                       \
	"Host: 169.254.169.254\r\nUser-Agent: Boto3/1.9.253 Python/3.7.4 Linux/4.14.154 "          \
	"Botocore/1.12.253\r\nAccept-Encoding: identity\r\nAccept: */*\r\nConnection: "            \
	"keep-alive\r\n"
#define GO                                                                                         \
	"Host: 169.254.169.254\r\nUser-Agent: aws-sdk-go-v2/1.24.0 os/linux lang/go#1.21.5 "       \
	"ft/ec2-imds\r\nAccept-Encoding: gzip\r\n"

// The even ones are IMDSv1, the odd ones IMDSv2.
static const char *const REQUESTS[] = {
    "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n" BOTO "\r\n",
    "GET /latest/meta-data/iam/security-credentials/web HTTP/1.1\r\n" GO TOKEN "\r\n",
    "GET /latest/meta-data/iam/security-credentials/web HTTP/1.1\r\n" BOTO "\r\n",
    "GET /latest/meta-data/placement/availability-zone HTTP/1.1\r\n" GO TOKEN "\r\n",
    "GET /latest/dynamic/instance-identity/document HTTP/1.1\r\n" BOTO "\r\n",
    "GET /latest/meta-data/instance-id HTTP/1.1\r\n" GO TOKEN "\r\n",
};
#define REQUEST_KINDS (sizeof(REQUESTS) / sizeof(REQUESTS[0]))

static void give_up(const char *what)
{
	fprintf(stderr, "generator: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int open_connection(const struct sockaddr_in *address)
{
	struct sockaddr_in own = *address;
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	own.sin_port = 0;
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)))
		give_up("the address is not this namespace's own");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		give_up("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

// How many packets with data the connection has sent once all is sent, without those sent again.
static long long packets_of(int fd)
{
	struct timespec tick = {0, TICK_NS};
	struct tcp_info told = {};
	socklen_t length = sizeof(told);

	for (;;) {
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &told, &length))
			give_up("TCP_INFO");
		if (!told.tcpi_notsent_bytes)
			break;
		nanosleep(&tick, NULL);
	}
	return (long long)told.tcpi_data_segs_out - told.tcpi_total_retrans;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	static int fds[CONNECTIONS_MAX];
	size_t lengths[REQUEST_KINDS];
	char answer[4096];
	int connections;
	long long rate, wanted, sent = 0, began, behind = 0, packets = 0, elapsed_ns;

	if (argc < 6 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
		fprintf(stderr,
			"usage: generator ADDRESS PORT CONNECTIONS RATE SECONDS [answers]\n");
		return 2;
	}
	address.sin_port = htons(atoi(argv[2]));
	connections = atoi(argv[3]);
	if (connections < 1 || connections > CONNECTIONS_MAX)
		connections = CONNECTIONS_MAX;
	rate = atoll(argv[4]);
	wanted = rate * atof(argv[5]);
	for (int i = 0; i < connections; i++)
		fds[i] = open_connection(&address);
	for (size_t i = 0; i < REQUEST_KINDS; i++)
		lengths[i] = strlen(REQUESTS[i]);

	began = now_ns();
	while (sent < wanted) {
		long long elapsed = now_ns() - began;
		long long due = elapsed / 1000 * rate / 1000000;
		long long next = began + (elapsed / TICK_NS + 1) * TICK_NS;
		struct timespec until = {next / 1000000000LL, next % 1000000000LL};

		if (due > wanted)
			due = wanted;
		if (due - sent > behind)
			behind = due - sent;
		for (; sent < due; sent++) {
			size_t kind = sent % REQUEST_KINDS;
			ssize_t taken = send(fds[sent % connections], REQUESTS[kind], lengths[kind],
					     MSG_NOSIGNAL);

			if (taken != (ssize_t)lengths[kind])
				give_up("send");
			if (argc > 6 &&
			    recv(fds[sent % connections], answer, sizeof(answer), 0) <= 0)
				give_up("recv");
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
	elapsed_ns = now_ns() - began;
	for (int i = 0; i < connections; i++)
		packets += packets_of(fds[i]);
	printf("{\"sent\": %lld, \"seconds\": %.3f, \"behind\": %lld, \"packets\": %lld}\n",
	       sent, elapsed_ns / 1e9, behind, packets);
	return 0;
}
