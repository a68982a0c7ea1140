// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plumbing/claim.h"
#include "tests/unit/fabric_fixture.h"
#include "tests/unit/traced.h"

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int fabric_fixture_new(void **state)
{
	struct fabric_fixture *fixture = calloc(1, sizeof(*fixture));
	size_t descriptors = open_descriptors();
	char path[PATH_MAX];

	if (!fixture)
		return -1;
	*state = fixture;
	fixture->descriptors = descriptors;
	/* Not below $TMPDIR: names of sockets must be short. */
	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/ne.XXXXXX");
	if (!mkdtemp(fixture->folder))
		return -1;
	setenv("NE_RUNTIME_DIR", fixture->folder, 1);
	fixture->runtime = runtime_open(path, sizeof(path), NULL);
	if (fixture->runtime < 0 ||
	    fabric_open(&fixture->fabric, fixture->runtime, path, NULL))
		return -1;
	fixture->loop = loop_new();
	return fixture->loop ? 0 : -1;
}

int fabric_fixture_free(void **state)
{
	struct fabric_fixture *fixture = *state;
	size_t before = fixture->descriptors;
	int r;

	loop_free(fixture->loop);
	close(fixture->runtime);
	r = nftw(fixture->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(fixture);
	if (open_descriptors() != before) {
		print_error("descriptors: %zu before, %zu after\n", before,
			    open_descriptors());
		return -1;
	}
	return r;
}

int fabric_fixture_connect(struct fabric_fixture *fixture, uint32_t from,
			   struct vsock_address to)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(fabric_connect(&fixture->fabric, fd, from, to), 0);
	return fd;
}
