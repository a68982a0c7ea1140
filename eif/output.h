/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that appears under its name only when it is complete.
 */
#ifndef EIF_OUTPUT_H
#define EIF_OUTPUT_H

#include <ne/error.h>

struct output {
	int fd;		  /* open for reading and writing; -1: none */
	const char *path; /* the caller's */
	char *temporary;  /* beside path, until it is complete */
};

int output_begin(struct output *output, const char *path, struct ne_error *err);

/* Gives the file its name, replacing one that had it. */
int output_finish(struct output *output, struct ne_error *err);

/* Closes it; removes it if it was not finished. */
void output_free(struct output *output);

#endif
