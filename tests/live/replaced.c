/*
 * replaced ADDRESS PATH HOW EXECUTABLE [PROGRAM...]: has EXECUTABLE shown as its own, then asks IMDS
 * for PATH. HOW is "not" (nothing is replaced), "itself", "child" (a child asks), or "program"
 * (a child becomes PROGRAM, which asks).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAPPINGS_MAX 64

struct mapping {
	char *start, *end;
	int protection;
};

/* A file that is still mapped may not be replaced: put copies of it in its place. */
static void unmap_own_file(void)
{
	struct mapping found[MAPPINGS_MAX];
	char line[512], flags[8], own[256] = "";
	int count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	if (!maps || readlink("/proc/self/exe", own, sizeof(own) - 1) < 0)
		err(1, "/proc/self");
	while (fgets(line, sizeof(line), maps)) {
		struct mapping *next = &found[count];

		if (!strstr(line, own) || count == MAPPINGS_MAX ||
		    sscanf(line, "%p-%p %7s", (void **)&next->start, (void **)&next->end, flags) != 3)
			continue;
		next->protection = (flags[0] == 'r' ? PROT_READ : 0) |
				   (flags[1] == 'w' ? PROT_WRITE : 0) |
				   (flags[2] == 'x' ? PROT_EXEC : 0);
		count++;
	}
	fclose(maps);
	for (int i = 0; i < count; i++) {
		size_t size = found[i].end - found[i].start;
		void *copy = mmap(0, size, PROT_READ | PROT_WRITE | PROT_EXEC,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (copy == MAP_FAILED)
			err(1, "mmap");
		memcpy(copy, found[i].start, size);
		if (mprotect(copy, size, found[i].protection) ||
		    mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, found[i].start) ==
			MAP_FAILED)
			err(1, "mremap");
	}
}

/*
 * Of all that PR_SET_MM_MAP sets only the executable changes. The rest stands in /proc/self/stat,
 * counted from behind the name: see proc_pid_stat(5), whose numbers are three more.
 */
static void replace(const char *executable)
{
	unsigned long found[64] = {};
	struct prctl_mm_map map = {};
	char line[4096] = "", *rest;
	int fd = open("/proc/self/stat", O_RDONLY);

	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		err(1, "/proc/self/stat");
	close(fd);
	rest = strtok(strrchr(line, ')') + 2, " ");
	for (int i = 0; rest && i < 64; i++, rest = strtok(0, " "))
		found[i] = strtoul(rest, 0, 10);
	map.start_code = found[23];
	map.end_code = found[24];
	map.start_stack = found[25];
	map.start_data = found[42];
	map.end_data = found[43];
	map.start_brk = found[44];
	map.brk = (unsigned long)sbrk(0);
	map.arg_start = found[45];
	map.arg_end = found[46];
	map.env_start = found[47];
	map.env_end = found[48];
	unmap_own_file();
	fd = open(executable, O_RDONLY | O_CLOEXEC);
	map.exe_fd = fd;
	if (fd < 0 || syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0))
		err(1, "%s", executable);
}

static void ask(const char *address, const char *path)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char answer[256];

	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		err(1, "connect");
	dprintf(fd, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	if (read(fd, answer, sizeof(answer)) < 0)
		err(1, "read");
}

int main(int count, char **words)
{
	const char *how = count > 4 ? words[3] : "";
	int status = 0;

	if (strcmp(how, "not"))
		replace(words[4]);
	if (!strcmp(how, "not") || !strcmp(how, "itself")) {
		ask(words[1], words[2]);
		return 0;
	}
	if (fork() == 0) {
		if (!strcmp(how, "program"))
			execv(words[5], words + 5);
		ask(words[1], words[2]);
		_exit(0);
	}
	wait(&status);
	return status != 0;
}
