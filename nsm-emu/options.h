/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user may say about modules, by the same options wherever modules are
 * made: nsm-emu run, nsm-emu serve, ne-emu run.
 */
#ifndef NSM_EMU_OPTIONS_H
#define NSM_EMU_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "nsm-emu/module.h"

struct ne_error;

/*
 * Strings are the user's own, or NULL where he has said nothing.
 * role: ARN of the parent's IAM role, measured into PCR3
 * instance_id: of the parent, measured into PCR4, part of names
 * clock: the host's; else it stands still at clock_start or runs from there,
 *	milliseconds since 1970
 * seed: of everything random
 * leaf_lifetime: seconds; 0: as Nitro has it
 * pki, ca_cert, ca_key: see authority.h
 */
struct nsm_options {
	const char *role;
	const char *instance_id;
	const char *region;
	const char *module_id;
	enum nsm_dialect dialect;
	enum nsm_limits limits;
	enum { NSM_CLOCK_HOST, NSM_CLOCK_STANDS, NSM_CLOCK_RUNS } clock;
	uint64_t clock_start;
	const char *seed;
	uint32_t leaf_lifetime;
	const char *pki;
	const char *ca_cert;
	const char *ca_key;
};

enum {
	NSM_OPTION_ROLE = 1024,
	NSM_OPTION_INSTANCE_ID,
	NSM_OPTION_REGION,
	NSM_OPTION_MODULE_ID,
	NSM_OPTION_DIALECT,
	NSM_OPTION_LIMITS,
	NSM_OPTION_CLOCK,
	NSM_OPTION_SEED,
	NSM_OPTION_LEAF_LIFETIME,
	NSM_OPTION_PKI,
	NSM_OPTION_CA_CERT,
	NSM_OPTION_CA_KEY,
};

/* For a command's table of getopt_long(3). */
/* clang-format off */
#define NSM_LONG_OPTIONS                                                      \
	{ "role", required_argument, NULL, NSM_OPTION_ROLE },                 \
	{ "instance-id", required_argument, NULL, NSM_OPTION_INSTANCE_ID },   \
	{ "region", required_argument, NULL, NSM_OPTION_REGION },             \
	{ "module-id", required_argument, NULL, NSM_OPTION_MODULE_ID },       \
	{ "dialect", required_argument, NULL, NSM_OPTION_DIALECT },           \
	{ "limits", required_argument, NULL, NSM_OPTION_LIMITS },             \
	{ "clock", required_argument, NULL, NSM_OPTION_CLOCK },               \
	{ "seed", required_argument, NULL, NSM_OPTION_SEED },                 \
	{ "leaf-lifetime", required_argument, NULL, NSM_OPTION_LEAF_LIFETIME },\
	{ "pki", required_argument, NULL, NSM_OPTION_PKI },                   \
	{ "ca-cert", required_argument, NULL, NSM_OPTION_CA_CERT },           \
	{ "ca-key", required_argument, NULL, NSM_OPTION_CA_KEY }
/* clang-format on */

/* For a command's --help: lines. */
extern const char nsm_options_help[];

/*
 * Takes an option's value, which must stay. 0; -EINVAL and a sentence; -ENOENT:
 * the option is none of these.
 */
int nsm_options_set(struct nsm_options *options, int option, const char *value,
		    struct ne_error *err);
/* When all are taken: do they go together? 0, or -EINVAL and a sentence. */
int nsm_options_check(const struct nsm_options *options, struct ne_error *err);

/* What the user may not expect of his options, to be said once; or NULL. */
const char *nsm_options_notice(const struct nsm_options *options);

/* RFC 3339, or seconds since 1970; to milliseconds since then. */
bool nsm_parse_time(const char *text, uint64_t *milliseconds);

#endif
