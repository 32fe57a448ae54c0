/* Sends whose bytes lie in pages of the kernel's, or are given to it as pages. */
#ifndef PAGES_H
#define PAGES_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* A file in memory with these bytes, to be read from its beginning. */
static int file_of(const char *data, size_t size)
{
	int file = memfd_create("payload", 0);

	return write(file, data, size) == (ssize_t)size && lseek(file, 0, SEEK_SET) == 0 ? file
											 : -1;
}

static long by_sendfile(int fd, char *data, size_t size)
{
	return sendfile(fd, file_of(data, size), 0, size);
}

static long by_splice(int fd, char *data, size_t size)
{
	int ends[2];

	if (pipe(ends) < 0 || splice(file_of(data, size), 0, ends[1], 0, size, 0) < 0)
		return -errno;
	return splice(ends[0], 0, fd, 0, size, 0);
}

static long by_vmsplice(int fd, char *data, size_t size)
{
	struct iovec whole = {data, size};
	int ends[2];

	if (pipe(ends) < 0 || vmsplice(ends[1], &whole, 1, 0) < 0)
		return -errno;
	return splice(ends[0], 0, fd, 0, size, 0);
}

static long by_send_then_sendfile(int fd, char *data, size_t size)
{
	size_t line = strcspn(data, "\n") + 1;

	if (send(fd, data, line, MSG_MORE) != (ssize_t)line)
		return -errno;
	return line + by_sendfile(fd, data + line, size - line);
}

static long by_sendfile_then_send(int fd, char *data, size_t size)
{
	size_t line = strcspn(data, "\n") + 1;

	if (by_sendfile(fd, data, line) != (long)line)
		return -errno;
	return line + send(fd, data + line, size - line, 0);
}

#endif
