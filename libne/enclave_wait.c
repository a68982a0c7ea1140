// SPDX-License-Identifier: Apache-2.0
#include "libne/enclave.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <ne/end_reason.h>
#include <ne/error.h>

#include "libne/cleanup.h"

#define LONGEST_PAUSE 20

int64_t ne_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Milliseconds for poll(2). */
static int time_left(const struct ne_wait *wait)
{
	int64_t left;

	if (!wait || wait->deadline < 0)
		return -1;
	left = wait->deadline - ne_now();
	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int wait_for(int fd, short events, int enclave, const struct ne_wait *wait)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = events },
		{ .fd = wait ? wait->cancel : -1, .events = POLLIN },
		{ .fd = enclave },
	};
	int n;

	do {
		n = poll(fds, ARRAY_SIZE(fds), time_left(wait));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (fds[0].revents)
		return 0;
	if (fds[1].revents)
		return -ECANCELED;
	if (fds[2].revents)
		return -ESHUTDOWN;
	return -ETIMEDOUT;
}

int wait_failed(int rc, const char *what, struct ne_error *err)
{
	switch (-rc) {
	case ETIMEDOUT:
		return ne_error_set(err, ETIMEDOUT, "%s: out of time", what);
	case ECANCELED:
		return ne_error_set(err, ECANCELED, "%s: interrupted", what);
	case ESHUTDOWN:
		return ne_error_set(err, ESHUTDOWN, "%s: the enclave has ended",
				    what);
	default:
		return ne_error_set(err, -rc, "%s: %s", what, ne_strerror(rc));
	}
}

int wait_pause(int *pause, int enclave, const struct ne_wait *wait)
{
	struct ne_wait until = wait ? *wait : (struct ne_wait){ -1, -1 };
	int64_t next;
	int rc;

	*pause = *pause ? *pause * 2 : 1;
	if (*pause > LONGEST_PAUSE)
		*pause = LONGEST_PAUSE;
	next = ne_now() + *pause;
	if (until.deadline < 0 || until.deadline > next)
		until.deadline = next;
	rc = wait_for(-1, 0, enclave, &until);
	if (rc == -ETIMEDOUT && until.deadline == next)
		return 0;
	return rc;
}

int ne_enclave_wait(const struct ne_enclave *enclave,
		    const struct ne_wait *wait, struct ne_error *err)
{
	int rc = wait_for(enclave->fd, 0, -1, wait);

	if (rc < 0)
		return wait_failed(rc, "waiting for the enclave's end", err);
	return 0;
}

int ne_enclave_end_reason(const struct ne_enclave *enclave, char *text,
			  size_t size)
{
	struct ne_end_reason reason = {
		.address = (uintptr_t)text,
		.size = size,
	};

	memset(text, 0, size);
	if (ioctl(enclave->fd, NE_GET_END_REASON, &reason) < 0) {
		text[0] = '\0';
		return -errno;
	}
	text[size - 1] = '\0';
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	return 0;
}
