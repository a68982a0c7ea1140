// SPDX-License-Identifier: Apache-2.0
/*
 * The init of bench/boot's image. Its first action is what both ways of
 * booting it are timed to:
 *
 *	/init			in an enclave: the heartbeat
 *	/init --pipe FD		in the floor: eight bytes into that pipe
 *
 * It tells when it began, by the clock that all namespaces share: in the
 * pipe, or, after the heartbeat, on the console.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define HEARTBEAT_BYTE 0xb7
#define HEARTBEAT_PORT 9000
#define PARENT_CID 3

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int tell_pipe(int fd, int64_t began)
{
	return write(fd, &began, sizeof(began)) != sizeof(began);
}

static int give_heartbeat(int64_t began)
{
	static const char done[] = "ne-init 1\nexit 0\n";
	const struct sockaddr_vm parent = {
		.svm_family = AF_VSOCK,
		.svm_cid = PARENT_CID,
		.svm_port = HEARTBEAT_PORT,
	};
	unsigned char byte = HEARTBEAT_BYTE;
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&parent, sizeof(parent)) ||
	    write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		return 1;
	printf("init began at %lld\n", (long long)began);
	fflush(stdout);
	return write(fd, done, strlen(done)) != (ssize_t)strlen(done);
}

int main(int argc, char **argv)
{
	int64_t began = now_ns();

	if (argc == 3 && strcmp(argv[1], "--pipe") == 0)
		return tell_pipe(atoi(argv[2]), began);
	return give_heartbeat(began);
}
