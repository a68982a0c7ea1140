// SPDX-License-Identifier: Apache-2.0
#include "libne/vsock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include "libne/cleanup.h"
#include "libne/enclave.h"

static int vsock_socket(void)
{
	int fd =
		socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int vsock_listen(uint32_t port)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = port,
	};
	cleanup_close int fd = vsock_socket();

	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	return take_fd(&fd);
}

int vsock_accept(int listener, uint32_t *cid)
{
	struct sockaddr_vm address = { 0 };
	socklen_t size = sizeof(address);
	int fd;

	do {
		fd = accept4(listener, (struct sockaddr *)&address, &size,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return -errno;
	*cid = address.svm_cid;
	return fd;
}

static int finish_connect(int fd, int enclave, const struct ne_wait *wait)
{
	int error = 0;
	socklen_t size = sizeof(error);
	int rc = wait_for(fd, POLLOUT, enclave, wait);

	if (rc < 0)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

int vsock_connect(uint32_t cid, uint32_t port, int enclave,
		  const struct ne_wait *wait)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = port,
	};
	cleanup_close int fd = vsock_socket();
	int rc = 0;

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		rc = errno == EINPROGRESS || errno == EINTR
			     ? finish_connect(fd, enclave, wait)
			     : -errno;
	return rc < 0 ? rc : take_fd(&fd);
}

int vsock_make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	return 0;
}
