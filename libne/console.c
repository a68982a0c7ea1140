// SPDX-License-Identifier: Apache-2.0
#include <ne/console.h>

#include <errno.h>
#include <stdbool.h>

#include <ne/error.h>
#include <ne/vsock.h>

#include "libne/cleanup.h"
#include "libne/enclave.h"
#include "libne/vsock.h"

/* Nobody listens there yet. */
static bool not_yet(int rc)
{
	return rc == -ECONNREFUSED || rc == -ECONNRESET || rc == -EAGAIN;
}

static int connect_patiently(const struct ne_enclave *enclave,
			     const struct ne_wait *wait)
{
	uint32_t port = NE_VSOCK_PORT_CONSOLE + (uint32_t)enclave->cid;
	int pause = 0, fd, rc;

	for (;;) {
		fd = vsock_connect(NE_VSOCK_CID_HYPERVISOR, port, enclave->fd,
				   wait);
		if (!not_yet(fd))
			return fd;
		rc = wait_pause(&pause, enclave->fd, wait);
		if (rc < 0)
			return rc;
	}
}

int ne_console_connect(const struct ne_enclave *enclave,
		       const struct ne_wait *wait, struct ne_error *err)
{
	static const char what[] = "connecting to the enclave's console";
	cleanup_close int fd = connect_patiently(enclave, wait);
	int rc;

	if (fd < 0)
		return wait_failed(fd, what, err);
	rc = vsock_make_blocking(fd);
	if (rc < 0)
		return wait_failed(rc, what, err);
	return take_fd(&fd);
}
