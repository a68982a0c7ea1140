/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that fail because the fuzzer says so: see wrap.c. Targets use fuzz.h.
 */
#ifndef TESTS_FUZZ_WRAP_H
#define TESTS_FUZZ_WRAP_H

#include <stdbool.h>

/* From here on calls may be made to fail; none, at the start of an input. */
void wrap_start(void);
void wrap_stop(void);
/* Has one been made to fail since the start of the input? */
bool wrap_has_failed(void);

#endif
