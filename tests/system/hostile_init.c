// SPDX-License-Identifier: Apache-2.0
/*
 * PID 1 of an enclave that means no good. It does what the file /do says:
 *
 *	drop		change identity and forget the death signal, live on
 *	unmark NAME	make a vsock socket what the emulator takes for none, and
 *			connect it to the abstract AF_UNIX socket NAME
 *	swap NAME	the same, by putting the socket in another's place while
 *			the emulator looks
 *
 * and reports what came of it: exit status 0 if it was kept in, 1 if it got
 * out.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <ne/heartbeat.h>
#include <ne/vsock.h>

#define SWAPS 20000

static int parent;
static struct sockaddr_un target = { .sun_family = AF_UNIX };
static socklen_t target_size;

static void give_heartbeat(void)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = NE_VSOCK_CID_PARENT,
		.svm_port = NE_VSOCK_PORT_HEARTBEAT,
	};
	unsigned char byte = NE_HEARTBEAT_BYTE;

	parent = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (parent < 0 ||
	    connect(parent, (struct sockaddr *)&address, sizeof(address)) ||
	    write(parent, &byte, 1) != 1 || read(parent, &byte, 1) != 1)
		_exit(98);
	dprintf(parent, "ne-init 1\n");
}

static void report(int status)
{
	dprintf(parent, "exit %d\n", status);
	reboot(RB_AUTOBOOT);
	_exit(97);
}

static int connects(int fd)
{
	return connect(fd, (struct sockaddr *)&target, target_size) == 0;
}

static void drop(void)
{
	/* Where the enclave has no other ids, the second will do. */
	if (setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000))
		report(3);
	prctl(PR_SET_PDEATHSIG, 0);
	for (;;)
		pause();
}

static int unmark(void)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	return fd < 0 || fchmod(fd, 0777) ? 0 : connects(fd);
}

static int shared;
static int plain;
static int vsock;
static volatile int got_out;

static void *swap_around(void *unused)
{
	(void)unused;
	for (int i = 0; i < SWAPS && !got_out; i++) {
		dup2(plain, shared);
		dup2(vsock, shared);
	}
	return NULL;
}

static int swap(void)
{
	pthread_t thread;

	plain = open("/do", O_RDONLY);
	vsock = socket(AF_VSOCK, SOCK_STREAM, 0);
	shared = dup(plain);
	if (pthread_create(&thread, NULL, swap_around, NULL))
		report(3);
	for (int i = 0; i < SWAPS / 20 && !got_out; i++)
		got_out = connects(shared);
	pthread_join(thread, NULL);
	return got_out;
}

int main(void)
{
	char task[16], name[64];
	FILE *file = fopen("/do", "r");

	if (!file || fscanf(file, "%15s %63s", task, name) < 1)
		_exit(96);
	memcpy(target.sun_path + 1, name, strlen(name));
	target_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				  strlen(name));
	give_heartbeat();
	if (strcmp(task, "drop") == 0)
		drop();
	report(strcmp(task, "unmark") == 0 ? unmark() : swap());
}
