/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what stands on a vsock fabric: one of their own, and a loop. */
#ifndef TESTS_UNIT_FABRIC_FIXTURE_H
#define TESTS_UNIT_FABRIC_FIXTURE_H

#include <limits.h>

#include "plumbing/loop.h"
#include "vsock-sim/fabric.h"

struct fabric_fixture {
	char folder[PATH_MAX];
	int runtime;
	struct fabric fabric;
	struct loop *loop;
	size_t descriptors; /* there were before */
};

/* cmocka's setup and teardown; *state is a struct fabric_fixture. */
int fabric_fixture_new(void **state);
/* Fails if a descriptor is left. */
int fabric_fixture_free(void **state);

/* A stream socket connected from a CID; fails the test if it cannot be. */
int fabric_fixture_connect(struct fabric_fixture *fixture, uint32_t from,
			   struct vsock_address to);

#endif
