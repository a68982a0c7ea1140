/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The enclave's console, copied to a descriptor by a thread of its own: a
 * reader that does not read must not keep us from ending the enclave.
 */
#ifndef NE_RUN_CONSOLE_H
#define NE_RUN_CONSOLE_H

#include <stdbool.h>

struct console;
struct ne_enclave;
struct ne_error;

/*
 * Copies what the started enclave writes to out, which stays the caller's.
 * Trouble is told on stderr when it comes.
 */
int console_start(struct console **console, const struct ne_enclave *enclave,
		  int out, struct ne_error *err);

/*
 * Of an enclave that has ended: lets what it has written come through, for a
 * second at most. With `at_once`, of one that is about to be ended: stops.
 * Returns false if the thread does not end, because nobody reads what it
 * writes: then the enclave must stay until the process ends. NULL is fine.
 */
bool console_finish(struct console *console, bool at_once);

#endif
