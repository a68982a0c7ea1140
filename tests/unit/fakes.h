/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the hypervisor and of the driver stand on: a runtime
 * folder of their own, a machine that runs nothing, and an image.
 */
#ifndef TESTS_FAKES_H
#define TESTS_FAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ne-emu/machine.h"

/* A fresh runtime folder; fakes_close_runtime() removes it. */
int fakes_open_runtime(void);
void fakes_close_runtime(int runtime);

/* A whole image for this CPU that nobody could boot. Free it. */
uint8_t *fakes_image(size_t *size);

/* Runs the loop until it has nothing to do, for a few milliseconds. */
void fakes_run(struct loop *loop);

/* What the fake machine was told, and what it shall do. */
struct fake_machine {
	int fail_prepare; /* a negative errno */
	unsigned int prepared;
	unsigned int gone;
	unsigned int freed;
	/* Of the last one prepared. */
	struct machine_spec spec;
	char name[64];
	size_t image_size;
};

extern struct fake_machine fake_machine;
extern const struct machine_ops fake_machine_ops;

/* The last one prepared ends by itself, from the loop. */
void fake_machine_end(const char *reason, bool failed);

#endif
