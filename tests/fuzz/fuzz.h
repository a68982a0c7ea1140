/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fuzz targets share. A target can be linked in two programs: alone, and
 * with wrap.c as ..._failing, where allocations and calls of OpenSSL fail.
 *
 *	fuzz_calls_may_fail();
 *	ret = ne_something(...);
 *	fuzz_calls_succeed();
 *	expect(!ret || ret == -EBADMSG || fuzz_has_failed());
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stdlib.h>

#include "tests/fuzz/wrap.h"

static inline void expect(bool holds)
{
	if (!holds)
		abort();
}

/* Not there in a program without wrap.c. */
#pragma weak wrap_start
#pragma weak wrap_stop
#pragma weak wrap_has_failed

static inline void fuzz_calls_may_fail(void)
{
	if (wrap_start)
		wrap_start();
}

static inline void fuzz_calls_succeed(void)
{
	if (wrap_stop)
		wrap_stop();
}

/* A call was made to fail: what depends on it need not succeed. */
static inline bool fuzz_has_failed(void)
{
	return wrap_has_failed && wrap_has_failed();
}

#endif
