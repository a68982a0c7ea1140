// SPDX-License-Identifier: Apache-2.0
/*
 * PID 1 of the enclaves that the conformance suite boots.
 *
 * It connects to the parent (CID 3, port 9000), sends the heartbeat 0xb7 and
 * gets it back. Then it does what it is told, a byte at a time, on the same
 * connection:
 *
 *	p	answer with a p
 *	e	exit with status 0
 *	f	exit with status 3
 *	a	fault
 *	r	reboot
 *	o	power off
 *
 * When nobody listens, or when the parent closes the connection, it lives on
 * and waits for the end.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define PARENT_CID 3
#define HEARTBEAT_PORT 9000
#define HEARTBEAT 0xb7

static int connect_to_parent(void)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = PARENT_CID,
		.svm_port = HEARTBEAT_PORT,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd >= 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	return -1;
}

static int exchange_heartbeat(int fd)
{
	unsigned char beat = HEARTBEAT;

	if (write(fd, &beat, 1) != 1 || read(fd, &beat, 1) != 1)
		return -1;
	return beat == HEARTBEAT ? 0 : -1;
}

static void obey(char what, int fd)
{
	switch (what) {
	case 'p':
		if (write(fd, &what, 1) != 1)
			return;
		break;
	case 'e':
		exit(0);
	case 'f':
		exit(3);
	case 'a':
		/* PID 1 is not spared a fault, as it is abort()'s SIGABRT. */
		__builtin_trap();
	case 'r':
		reboot(RB_AUTOBOOT);
		break;
	case 'o':
		reboot(RB_POWER_OFF);
		break;
	}
}

int main(void)
{
	int fd = connect_to_parent();
	char what;

	signal(SIGPIPE, SIG_IGN);
	if (fd >= 0 && exchange_heartbeat(fd) == 0)
		while (read(fd, &what, 1) == 1)
			obey(what, fd);
	for (;;)
		pause();
}
