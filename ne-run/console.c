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

/*
 * A hypervisor may leave the console of an enclave that has ended open: when
 * it has been silent for so long, it has said everything.
 */
#define SILENCE_MILLISECONDS 50

/* For the last words, if they are many, or their reader is slow. */
#define LONGEST_MILLISECONDS 1000

struct console {
	const struct ne_enclave *enclave;
	int out;
	int stop;     /* an eventfd: readable when the thread shall end */
	bool at_once; /* set before that */
	bool wanted;  /* out can be written to */
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

/* Returns false at the end of what there is to read. */
static bool copy_some(struct console *console, int fd)
{
	char bytes[16384];
	ssize_t size = read(fd, bytes, sizeof(bytes));

	if (size < 0)
		return errno == EINTR;
	if (size > 0 && console->wanted)
		console->wanted = write_all(console->out, bytes, (size_t)size);
	return size > 0;
}

static void copy(struct console *console, int fd)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = console->stop, .events = POLLIN },
	};
	bool on = true;

	while (on) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			break;
		on = copy_some(console, fd);
	}
	while (on && !console->at_once &&
	       poll(fds, 1, SILENCE_MILLISECONDS) > 0)
		on = copy_some(console, fd);
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
	new->wanted = true;
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

	if (!console)
		return true;
	console->at_once = at_once;
	if (write(console->stop, &one, sizeof(one)) < 0 ||
	    !join(console, LONGEST_MILLISECONDS))
		return false;
	close(console->stop);
	free(console);
	return true;
}
