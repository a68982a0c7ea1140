// SPDX-License-Identifier: Apache-2.0
#include "ne-run/console.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>

#include <ne/console.h>
#include <ne/enclave.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-run/report.h"

struct console {
	const struct ne_enclave *enclave;
	int out;
	int stop; /* an eventfd: readable when the thread shall end */
	pthread_t thread;
};

/*
 * When nobody wants to read any more, the enclave's writes must go on all the
 * same. Returns false then.
 */
static bool write_all(int fd, const char *bytes, size_t size)
{
	ssize_t written;

	while (size > 0) {
		written = write(fd, bytes, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes += written;
		size -= (size_t)written;
	}
	return true;
}

static void copy(struct console *console, int fd)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = console->stop, .events = POLLIN },
	};
	bool wanted = true;
	char bytes[16384];
	ssize_t size;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			return;
		size = read(fd, bytes, sizeof(bytes));
		if (size == 0 || (size < 0 && errno != EINTR))
			return;
		if (size > 0 && wanted)
			wanted = write_all(console->out, bytes, (size_t)size);
	}
}

static void *run(void *data)
{
	struct console *console = data;
	struct ne_wait wait = { .deadline = -1, .cancel = console->stop };
	struct ne_error err = { 0 };
	cleanup_close int fd =
		ne_console_connect(console->enclave, &wait, &err);

	if (fd >= 0)
		copy(console, fd);
	else if (fd != -ECANCELED && fd != -ESHUTDOWN)
		report_say("no console: %s", err.text);
	return NULL;
}

int console_start(struct console **console, const struct ne_enclave *enclave,
		  int out, struct ne_error *err)
{
	struct console *new = calloc(1, sizeof(*new));
	int rc;

	if (!new)
		return ne_error_set(err, ENOMEM, "no console: %s",
				    ne_strerror(ENOMEM));
	new->enclave = enclave;
	new->out = out;
	new->stop = eventfd(0, EFD_CLOEXEC);
	rc = new->stop < 0 ? errno
			   : pthread_create(&new->thread, NULL, run, new);
	if (rc > 0) {
		close_keeping_errno(new->stop);
		free(new);
		return ne_error_set(err, rc, "no console: %s", ne_strerror(rc));
	}
	*console = new;
	return 0;
}

static bool join(struct console *console, int milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)milliseconds * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return pthread_timedjoin_np(console->thread, NULL, &until) == 0;
}

bool console_finish(struct console *console, bool at_once)
{
	static const uint64_t one = 1;
	bool ended;

	if (!console)
		return true;
	ended = !at_once && join(console, 1000);
	if (!ended) {
		if (write(console->stop, &one, sizeof(one)) < 0)
			return false;
		ended = join(console, 100);
	}
	if (!ended)
		return false;
	close(console->stop);
	free(console);
	return true;
}
