// Starts a program a fixed number of times, one after the other, and says how long one took.
//
//   execs TIMES    fork, exec of /bin/true, wait
//   execs TIMES -  fork, wait: the child ends at once
//   execs - PAIRS  no measurement: that many processes with a child each, until stdin ends
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

static double as_ns(struct timeval time)
{
	return time.tv_sec * 1e9 + time.tv_usec * 1e3;
}

static double cpu_ns(int who)
{
	struct rusage used;

	getrusage(who, &used);
	return as_ns(used.ru_utime) + as_ns(used.ru_stime);
}

static double all_cpu_ns(void)
{
	return cpu_ns(RUSAGE_SELF) + cpu_ns(RUSAGE_CHILDREN);
}

static int stand_around(long pairs)
{
	for (long number = 0; number < pairs; number++) {
		pid_t parent = fork();

		if (parent < 0)
			return 1;
		if (parent == 0) {
			if (fork() < 0)
				return 1;
			for (;;)
				pause();
		}
	}
	puts("{}");
	fflush(stdout);
	getchar();
	/* A group of its own: all of them. */
	kill(0, SIGKILL);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "-"))
		return setpgid(0, 0) || stand_around(atol(argv[2]));

	static char *const program[] = {"/bin/true", NULL};
	long times = argc > 1 ? atol(argv[1]) : 0;
	double began_ns = wall_ns(), cpu_before_ns = all_cpu_ns();

	if (times < 1)
		return 2;
	for (long number = 0; number < times; number++) {
		int status;
		pid_t child = fork();

		if (child < 0)
			return 1;
		if (child == 0) {
			if (argc == 2)
				execv(program[0], program);
			_exit(argc == 2);
		}
		if (waitpid(child, &status, 0) != child || status != 0)
			return 1;
	}
	printf("{\"wall_ns\": %.0f, \"cpu_ns\": %.0f}\n", (wall_ns() - began_ns) / times,
	       (all_cpu_ns() - cpu_before_ns) / times);
	return 0;
}
