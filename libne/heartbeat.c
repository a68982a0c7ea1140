// SPDX-License-Identifier: Apache-2.0
#include <ne/heartbeat.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <ne/error.h>
#include <ne/vsock.h>

#include "libne/cleanup.h"
#include "libne/enclave.h"
#include "libne/vsock.h"

/*
 * device is locked for as long as listener listens: both are given up at
 * once, and then both are -1.
 */
struct ne_heartbeat {
	int device;
	int listener;
};

static void stop_listening(struct ne_heartbeat *heartbeat)
{
	if (heartbeat->listener < 0)
		return;
	close(heartbeat->listener);
	flock(heartbeat->device, LOCK_UN);
	heartbeat->listener = -1;
}

/* A blocking flock() could not be interrupted, so it is asked for. */
static int lock_device(int device, const struct ne_wait *wait)
{
	int pause = 0, rc;

	while (flock(device, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		rc = wait_pause(&pause, -1, wait);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Parents that do not know of the lock have the port for a while. */
static int listen_patiently(const struct ne_wait *wait)
{
	int pause = 0, fd, rc;

	for (;;) {
		fd = vsock_listen(NE_VSOCK_PORT_HEARTBEAT);
		if (fd != -EADDRINUSE)
			return fd;
		rc = wait_pause(&pause, -1, wait);
		if (rc < 0)
			return rc == -ETIMEDOUT ? -EADDRINUSE : rc;
	}
}

static int listen_failed(int rc, struct ne_error *err)
{
	switch (-rc) {
	case EADDRINUSE:
		return ne_error_set(err, ETIMEDOUT,
				    "cannot wait for the enclave's heartbeat: "
				    "another program listens on vsock port %d",
				    NE_VSOCK_PORT_HEARTBEAT);
	case EAFNOSUPPORT:
		return ne_error_set(err, EAFNOSUPPORT,
				    "cannot wait for the enclave's heartbeat: "
				    "there is no vsock here; run: sudo "
				    "modprobe vsock");
	default:
		return wait_failed(
			rc, "cannot wait for the enclave's heartbeat", err);
	}
}

int ne_heartbeat_listen(struct ne_heartbeat **heartbeat, int device,
			const struct ne_wait *wait, struct ne_error *err)
{
	cleanup_free struct ne_heartbeat *new = malloc(sizeof(*new));
	int rc;

	if (!new)
		return listen_failed(-ENOMEM, err);
	rc = lock_device(device, wait);
	if (rc == -ETIMEDOUT)
		return ne_error_set(err, ETIMEDOUT,
				    "another enclave of this host is still "
				    "booting; one boots at a time");
	if (rc < 0)
		return listen_failed(rc, err);
	new->device = device;
	new->listener = listen_patiently(wait);
	if (new->listener < 0) {
		rc = new->listener;
		flock(device, LOCK_UN);
		return listen_failed(rc, err);
	}
	*heartbeat = take_ptr(&new);
	return 0;
}

void ne_heartbeat_free(struct ne_heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	stop_listening(heartbeat);
	free(heartbeat);
}

/* A connection from the enclave and from nobody else. */
static int accept_from(int listener, const struct ne_enclave *enclave,
		       const struct ne_wait *wait)
{
	uint32_t cid;
	int fd, rc;

	for (;;) {
		rc = wait_for(listener, POLLIN, enclave->fd, wait);
		if (rc < 0)
			return rc;
		fd = vsock_accept(listener, &cid);
		if (fd < 0 && fd != -EAGAIN)
			return fd;
		if (fd >= 0 && cid == enclave->cid)
			return fd;
		if (fd >= 0)
			close(fd);
	}
}

/*
 * Returns the byte, -EPIPE if the connection ends without one, or another
 * negative errno.
 */
static int read_byte(int fd, int enclave, const struct ne_wait *wait)
{
	unsigned char byte;
	ssize_t size;
	int rc;

	for (;;) {
		rc = wait_for(fd, POLLIN, enclave, wait);
		if (rc < 0)
			return rc;
		size = read(fd, &byte, 1);
		if (size == 1)
			return byte;
		if (size == 0)
			return -EPIPE;
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

/* An enclave that does not wait for the answer has booted nevertheless. */
static void answer(int fd)
{
	static const unsigned char byte = NE_HEARTBEAT_BYTE;

	send(fd, &byte, 1, MSG_NOSIGNAL);
}

int ne_heartbeat_accept(struct ne_heartbeat *heartbeat,
			const struct ne_enclave *enclave,
			const struct ne_wait *wait, struct ne_error *err)
{
	static const char what[] = "waiting for the enclave's heartbeat";
	cleanup_close int fd = -1;
	int rc;

	fd = accept_from(heartbeat->listener, enclave, wait);
	stop_listening(heartbeat);
	if (fd < 0)
		return wait_failed(fd, what, err);
	rc = read_byte(fd, enclave->fd, wait);
	if (rc == -EPIPE)
		return ne_error_set(err, EPROTO,
				    "the enclave connected for its heartbeat "
				    "and said nothing");
	if (rc < 0)
		return wait_failed(rc, what, err);
	if (rc != NE_HEARTBEAT_BYTE)
		return ne_error_set(err, EPROTO,
				    "the enclave sent 0x%02x for its "
				    "heartbeat, not 0x%02x",
				    (unsigned int)rc, NE_HEARTBEAT_BYTE);
	answer(fd);
	rc = vsock_make_blocking(fd);
	if (rc < 0)
		return wait_failed(rc, what, err);
	return take_fd(&fd);
}
