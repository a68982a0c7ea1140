/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to run: /cmd has one argument a line, /env one NAME=value a line, as
 * nitro-cli writes them.
 *
 * Memory is init's for as long as it lives and is never given back.
 */
#ifndef NE_INIT_CONFIG_H
#define NE_INIT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct config {
	char **argv; /* NULL-terminated, at least one; NULL: nothing to run */
	char **envp; /* NULL-terminated */
	char *why;   /* why there is nothing to run, or NULL */
};

/*
 * Cuts text (size bytes, and room for one more) into its lines, in place.
 * The last line may lack its newline. Empty lines count if keep_empty.
 * Returns a NULL-terminated list, or NULL: out of memory (errno ENOMEM), a
 * zero byte in the text (errno EINVAL).
 */
char **config_lines(char *text, size_t size, bool keep_empty);

/*
 * The application's environment: the given assignments, the last one of a
 * name winning, and defaults for the names that are missing: PATH, HOME,
 * TERM. Lines that are no assignment are left out, *ignored counts them.
 * NULL: out of memory.
 */
char **config_environment(char **lines, size_t *ignored);

/* Reads /cmd and /env below the current root; says what is wrong with /env. */
void config_read(struct config *config);

#endif
