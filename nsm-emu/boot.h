/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands have in common that have one module of their own: its
 * options, and making it.
 */
#ifndef NSM_EMU_BOOT_H
#define NSM_EMU_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include <ne/pcr.h>

#include "nsm-emu/options.h"

struct ne_error;
struct nsm_factory;
struct nsm_module;

/* Registers that --pcr may set: those that are locked at boot. */
#define BOOT_PCRS NSM_LOCKED_AT_BOOT

/*
 * eif: the image to measure, or NULL
 * debug: as an enclave in debug mode has it
 * pcrs: those whose bit in `given` is set go before all else
 */
struct boot {
	struct nsm_options options;
	const char *eif;
	bool debug;
	uint32_t given;
	struct ne_pcr pcrs[BOOT_PCRS];
	bool quiet;
	unsigned int verbose;
};

enum {
	BOOT_OPTION_PCR = 512,
	BOOT_OPTION_EIF,
	BOOT_OPTION_DEBUG,
};

/* For a command's table of getopt_long(3); with "qvh" for short ones. */
/* clang-format off */
#define BOOT_LONG_OPTIONS                                     \
	{ "pcr", required_argument, NULL, BOOT_OPTION_PCR },  \
	{ "eif", required_argument, NULL, BOOT_OPTION_EIF },  \
	{ "debug", no_argument, NULL, BOOT_OPTION_DEBUG },    \
	{ "quiet", no_argument, NULL, 'q' },                  \
	{ "verbose", no_argument, NULL, 'v' },                \
	{ "help", no_argument, NULL, 'h' },                   \
	NSM_LONG_OPTIONS
/* clang-format on */

/* For a command's --help: lines. */
extern const char boot_help[];

/* As nsm_options_set() and nsm_options_check(); what is wrong has been said. */
int boot_set_option(struct boot *boot, int option, const char *value);
int boot_check(const struct boot *boot);

/*
 * Measures the image, opens the authority, makes the module. Both are the
 * caller's, also after a failure: nsm_module_free(), nsm_factory_free().
 */
int boot_module(const struct boot *boot, struct nsm_factory **factory,
		struct nsm_module **module, struct ne_error *err);

#endif
