/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line says; see ne-run(1).
 */
#ifndef NE_RUN_OPTIONS_H
#define NE_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ne_error;

/* More than any machine has. */
#define OPTIONS_MAX_CPUS 1024

enum emulate {
	EMULATE_AUTO,
	EMULATE_NEVER,
	EMULATE_PROCESS,
	EMULATE_QEMU,
};

/* 0 and NULL: not given. Strings are those of argv. */
struct options {
	const char *image;
	const char *name;
	unsigned int cpus;
	uint32_t cpu_ids[OPTIONS_MAX_CPUS];
	size_t n_cpu_ids;
	uint64_t memory; /* bytes */
	uint64_t cid;
	unsigned int boot_timeout; /* seconds */
	enum emulate emulate;
	bool debug;
	bool console;
	bool json;
	bool verbose;
	bool help;
	bool version;
};

/* 0, or -EINVAL and a sentence. */
int options_parse(struct options *options, int argc, char **argv,
		  struct ne_error *err);

/* The text of --help. */
extern const char options_help[];

#endif
