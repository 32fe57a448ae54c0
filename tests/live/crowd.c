// Many processes that call, send, and exit without waiting for an answer.
//
//   crowd ADDRESS PORT PATH PROCESSES AT_ONCE REQUESTS RATE
//
// Each of PROCESSES is a program of its own: this one again, as `caller ADDRESS PORT PATH/NUMBER
// REQUESTS RATE`. The first AT_ONCE wait for each other and then call in the same moment;
// after them there are never more at a time. Each sends REQUESTS, RATE a second (0: as fast as it
// can). Says "NUMBER PID" for each and then "done", and stays until its input ends; ends with 1
// when a caller failed.
//
// Every socket is bound to ADDRESS before it connects to it, so it only works where that
// address is the network namespace's own; elsewhere it ends without a packet sent.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GATE_FD 3 // read by callers: its end is the sign to go
#define NS_PER_S 1000000000LL

static int give_up(const char *what)
{
	perror(what);
	return 1;
}

static void wait_until(long long at_ns)
{
	struct timespec until = {at_ns / NS_PER_S, at_ns % NS_PER_S};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int call(char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET}, own;
	char request[512], nothing;
	int requests = atoi(argv[4]), length, one = 1, fd;
	long rate = atol(argv[5]);
	struct timespec now;

	address.sin_port = htons(atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
		return give_up("caller: address");
	own = address;
	own.sin_port = 0;
	length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", argv[3],
			  argv[1]);
	if (read(GATE_FD, &nothing, 1) != 0)
		return give_up("caller: gate");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	// The port is chosen with the destination, or 28,000 sockets would be all there can be.
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)))
		return give_up("caller: the address is not this namespace's own");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return give_up("caller: connect");
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (int i = 0; i < requests; i++) {
		if (rate && i)
			wait_until(now.tv_sec * NS_PER_S + now.tv_nsec + i * NS_PER_S / rate);
		if (send(fd, request, length, MSG_NOSIGNAL) != length)
			return give_up("caller: send");
	}
	return 0;
}

static pid_t start(char **argv, int number)
{
	char path[256];
	char *caller[] = {"caller", argv[1], argv[2], path, argv[6], argv[7], NULL};
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	snprintf(path, sizeof(path), "%s/%d", argv[3], number);
	execv("/proc/self/exe", caller);
	_exit(give_up("crowd: exec"));
}

int main(int argc, char **argv)
{
	int gate[2], go, processes, at_once, started = 0, ended = 0, failed = 0, status;
	pid_t *pids, pid;
	char nothing;

	if (argc == 6)
		return call(argv);
	if (argc != 8) {
		fprintf(stderr, "usage: crowd ADDRESS PORT PATH PROCESSES AT_ONCE REQUESTS RATE\n");
		return 2;
	}
	processes = atoi(argv[4]);
	at_once = atoi(argv[5]);
	pids = calloc(processes, sizeof(*pids));
	if (!pids || pipe(gate))
		return give_up("crowd: pipe");
	// Of the gate, callers have the end that is read, and only that.
	go = fcntl(gate[1], F_DUPFD_CLOEXEC, GATE_FD + 1);
	close(gate[1]);
	if (go < 0 || dup2(gate[0], GATE_FD) != GATE_FD)
		return give_up("crowd: gate");
	while (ended < processes) {
		if (started < processes && started - ended < at_once) {
			pids[started] = start(argv, started);
			if (pids[started] < 0)
				return give_up("crowd: fork");
			started++;
			continue;
		}
		if (go >= 0) {
			close(go);
			go = -1;
		}
		pid = wait(&status);
		if (pid < 0)
			return give_up("crowd: wait");
		ended++;
		failed += status != 0;
	}
	for (int i = 0; i < processes; i++)
		printf("%d %d\n", i, pids[i]);
	printf("done\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &nothing, 1) > 0)
		;
	return failed != 0;
}
