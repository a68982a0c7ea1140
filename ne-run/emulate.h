/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where there is no hardware, this program runs itself again under ne-emu,
 * which shows it the device. From there on it is an ordinary client of the
 * device: what follows knows nothing of emulation.
 */
#ifndef NE_RUN_EMULATE_H
#define NE_RUN_EMULATE_H

#include <stdbool.h>
#include <stdint.h>

struct ne_error;
struct options;

/*
 * ne-emu sets this in the environment of what it runs. Only for what AWS
 * allows on hardware alone, and never to run under ne-emu twice.
 */
bool emulate_is_on(void);

/* Would an image for another CPU be run? A machine of its own can do that. */
bool emulate_any_cpu(const struct options *options);

/*
 * Runs this program again. Does not return but with a failure. argv is
 * main()'s; started is what emulate_first_start() shall tell then.
 */
int emulate_exec(const struct options *options, char **argv, int64_t started,
		 struct ne_error *err);

/*
 * When this program started for the first time (ne_now()), if this is the
 * second: it has checked the image then. Else -1.
 */
int64_t emulate_first_start(void);

#endif
