// SPDX-License-Identifier: Apache-2.0
/*
 * What bench/trap runs with and without the trap:
 *
 *	trap-load [-f] KIND COUNT
 *
 * makes COUNT calls and prints how many nanoseconds they took. Calls that
 * are not trapped are timed in CPU time, which leaves out what else the
 * machine does meanwhile; trapped ones, which others answer, in real time.
 *
 * With -f it first gives itself a seccomp filter of one instruction, which
 * allows everything: the least that any filter costs.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/types.h>
#include <linux/nitro_enclaves.h>

#include "libne/cleanup.h"

#define ORDINARY_FILE "/etc/passwd"
#define DEVICE "/dev/nitro_enclaves"
#define BLOCK_SIZE 4096

/* The file that calls are about, or -1; and room for what is read. */
static int fd = -1;
static char block[BLOCK_SIZE];

static void open_file(void)
{
	static char path[] = "/tmp/ne-bench-XXXXXX";

	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0 || unlink(path) ||
	    write(fd, block, sizeof(block)) != sizeof(block))
		err(1, "%s", path);
}

static void open_null(void)
{
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "/dev/null");
}

static void open_enclave(void)
{
	int device = open(DEVICE, O_RDWR | O_CLOEXEC);
	__u64 slot;

	if (device < 0)
		err(1, "%s", DEVICE);
	fd = ioctl(device, NE_CREATE_VM, &slot);
	if (fd < 0)
		err(1, "NE_CREATE_VM");
}

static bool call_getppid(void)
{
	return syscall(SYS_getppid) >= 0;
}

static bool call_write(void)
{
	return write(fd, block, 1) == 1;
}

static bool call_pread(void)
{
	return pread(fd, block, sizeof(block), 0) == sizeof(block);
}

/* A program that does something with what it reads. */
static bool call_pread_and_hash(void)
{
	static uint64_t hash;

	if (!call_pread())
		return false;
	for (size_t i = 0; i < sizeof(block); i += sizeof(hash)) {
		uint64_t word;

		memcpy(&word, block + i, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x100000001b3);
	}
	/* Once in a while the compiler has to have done it. */
	return hash != 1;
}

static bool call_open(void)
{
	int file = open(ORDINARY_FILE, O_RDONLY | O_CLOEXEC);

	return file >= 0 && close(file) == 0;
}

static bool call_ioctl(void)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };

	return ioctl(fd, NE_GET_IMAGE_LOAD_INFO, &info) == 0;
}

/* The same number on another descriptor: nobody's, let the kernel see. */
static bool call_foreign_ioctl(void)
{
	return ioctl(fd, NE_GET_IMAGE_LOAD_INFO, block) < 0 && errno == ENOTTY;
}

static const struct kind {
	const char *name;
	void (*prepare)(void);
	bool (*call)(void);
	clockid_t clock;
} kinds[] = {
	{ "getppid", NULL, call_getppid, CLOCK_PROCESS_CPUTIME_ID },
	{ "write", open_null, call_write, CLOCK_PROCESS_CPUTIME_ID },
	{ "pread", open_file, call_pread, CLOCK_PROCESS_CPUTIME_ID },
	{ "pread-and-hash", open_file, call_pread_and_hash,
	  CLOCK_PROCESS_CPUTIME_ID },
	{ "open", NULL, call_open, CLOCK_MONOTONIC },
	{ "ioctl", open_enclave, call_ioctl, CLOCK_MONOTONIC },
	{ "foreign-ioctl", open_null, call_foreign_ioctl, CLOCK_MONOTONIC },
};

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void run(const struct kind *kind, long count)
{
	long warm_up = count / 10;
	int64_t start = 0;

	if (kind->prepare)
		kind->prepare();
	for (long i = -warm_up; i < count; i++) {
		if (i == 0)
			start = read_clock(kind->clock);
		if (!kind->call())
			err(1, "%s", kind->name);
	}
	printf("%" PRId64 "\n", read_clock(kind->clock) - start);
}

static void install_empty_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &allow };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program))
		err(1, "seccomp");
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "-f") == 0) {
		install_empty_filter();
		argc--;
		argv++;
	}
	if (argc != 3)
		errx(2, "usage: trap-load [-f] KIND COUNT");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(argv[1], kinds[i].name) == 0) {
			run(&kinds[i], atol(argv[2]));
			return 0;
		}
	errx(2, "no load is called %s", argv[1]);
}
