// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "libne/instance.h"

/* The last second of the year 9999, which is as far as certificates go. */
#define LAST_SECOND INT64_C(253402300799)
/* Names of certificates are at most 64 bytes, these are a part of them. */
#define NAME_PART_MAX 32

const char nsm_options_help[] =
	"  --role ARN            of the parent's IAM role, for PCR3 (none)\n"
	"  --instance-id ID      of the parent, for PCR4 and names (the module id's,\n"
	"                        else the host's)\n"
	"  --region NAME         where it seems to be (us-east-1)\n"
	"  --module-id TEXT      the module's name (<instance id>-enc<16 digits>)\n"
	"  --dialect NAME        how documents are written: indefinite, as newer modules\n"
	"                        do (default); definite, as older ones; sparse, as\n"
	"                        specified: without fields that nobody asked for\n"
	"  --limits NAME         of user_data, nonce, public_key: documented (default);\n"
	"                        hardware, which takes what fits into a request\n"
	"  --clock TIME          what time it is, as 2026-01-31T12:00:00Z or in seconds\n"
	"                        since 1970; with @ in front it goes on from there\n"
	"  --seed TEXT           makes keys and random numbers reproducible, and worthless\n"
	"  --leaf-lifetime N     seconds that a module's certificate is valid (10800)\n"
	"  --pki FOLDER          where the root is ($XDG_CONFIG_HOME/ne/pki)\n"
	"  --ca-cert FILE        another authority: its certificate and those above it\n"
	"  --ca-key FILE         and its key: a file or a URI as OpenSSL has them";

/* --- Time ---------------------------------------------------------------- */

/* Exactly n digits. */
static bool take_digits(const char **at, unsigned int n, int *number)
{
	*number = 0;
	for (; n > 0; n--, ++*at) {
		if (**at < '0' || **at > '9')
			return false;
		*number = *number * 10 + (**at - '0');
	}
	return true;
}

static bool take(const char **at, char character)
{
	if (toupper((unsigned char)**at) != character)
		return false;
	++*at;
	return true;
}

static bool take_date_time(const char **at, struct tm *tm)
{
	if (!take_digits(at, 4, &tm->tm_year) || !take(at, '-') ||
	    !take_digits(at, 2, &tm->tm_mon) || !take(at, '-') ||
	    !take_digits(at, 2, &tm->tm_mday) || !take(at, 'T') ||
	    !take_digits(at, 2, &tm->tm_hour) || !take(at, ':') ||
	    !take_digits(at, 2, &tm->tm_min) || !take(at, ':') ||
	    !take_digits(at, 2, &tm->tm_sec))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* The milliseconds behind the seconds, if there are any. */
static bool take_fraction(const char **at, int *milliseconds)
{
	int unit = 100;

	*milliseconds = 0;
	if (!take(at, '.'))
		return true;
	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10)
		*milliseconds += (**at - '0') * unit;
	return true;
}

/* In seconds. */
static bool take_offset(const char **at, int *offset)
{
	bool west = **at == '-';
	int hours, minutes;

	*offset = 0;
	if (take(at, 'Z'))
		return true;
	if (!take(at, west ? '-' : '+') || !take_digits(at, 2, &hours) ||
	    !take(at, ':') || !take_digits(at, 2, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	*offset = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
	return true;
}

/* There is no 31st of April, nor a month 13. */
static bool is_date(const struct tm *tm)
{
	struct tm day = { .tm_year = tm->tm_year,
			  .tm_mon = tm->tm_mon,
			  .tm_mday = tm->tm_mday };

	timegm(&day);
	return day.tm_mon == tm->tm_mon && day.tm_mday == tm->tm_mday;
}

static bool parse_rfc3339(const char *text, int64_t *seconds, int *milliseconds)
{
	struct tm tm = { 0 };
	int offset;

	if (!take_date_time(&text, &tm) ||
	    !take_fraction(&text, milliseconds) ||
	    !take_offset(&text, &offset) || *text || !is_date(&tm))
		return false;
	*seconds = timegm(&tm) - offset;
	return true;
}

static bool parse_seconds(const char *text, int64_t *seconds)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*seconds = strtoll(text, &end, 10);
	return !errno && !*end;
}

bool nsm_parse_time(const char *text, uint64_t *milliseconds)
{
	int64_t seconds;
	int fraction = 0;

	if (!parse_seconds(text, &seconds) &&
	    !parse_rfc3339(text, &seconds, &fraction))
		return false;
	if (seconds < 0 || seconds > LAST_SECOND)
		return false;
	*milliseconds = (uint64_t)seconds * 1000 + (uint64_t)fraction;
	return true;
}

static int set_clock(struct nsm_options *options, const char *value,
		     struct ne_error *err)
{
	bool runs = value[0] == '@';

	if (!nsm_parse_time(value + runs, &options->clock_start))
		return ne_error_set(
			err, EINVAL,
			"--clock cannot be '%s': a time is 2026-01-31T12:00:00Z, or seconds since 1970; with @ in front it goes on from there",
			value);
	options->clock = runs ? NSM_CLOCK_RUNS : NSM_CLOCK_STANDS;
	return 0;
}

/* --- The others ---------------------------------------------------------- */

/* names: the last is followed by NULL; allowed: the same for a human */
static int set_choice(const char *option, const char *value,
		      const char *const *names, const char *allowed,
		      int *choice, struct ne_error *err)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(value, names[i]) == 0) {
			*choice = i;
			return 0;
		}
	return ne_error_set(err, EINVAL, "%s cannot be '%s', but %s", option,
			    value, allowed);
}

static int set_dialect(struct nsm_options *options, const char *value,
		       struct ne_error *err)
{
	static const char *const names[] = {
		[NSM_DIALECT_INDEFINITE] = "indefinite",
		[NSM_DIALECT_DEFINITE] = "definite",
		[NSM_DIALECT_SPARSE] = "sparse",
		NULL,
	};
	int choice = 0;
	int r = set_choice("--dialect", value, names,
			   "indefinite, definite or sparse", &choice, err);

	if (!r)
		options->dialect = (enum nsm_dialect)choice;
	return r;
}

static int set_limits(struct nsm_options *options, const char *value,
		      struct ne_error *err)
{
	static const char *const names[] = {
		[NSM_LIMITS_DOCUMENTED] = "documented",
		[NSM_LIMITS_HARDWARE] = "hardware",
		NULL,
	};
	int choice = 0;
	int r = set_choice("--limits", value, names, "documented or hardware",
			   &choice, err);

	if (!r)
		options->limits = (enum nsm_limits)choice;
	return r;
}

static int set_leaf_lifetime(struct nsm_options *options, const char *value,
			     struct ne_error *err)
{
	int64_t seconds;

	if (!parse_seconds(value, &seconds) || seconds < 1 ||
	    seconds > INT32_MAX)
		return ne_error_set(
			err, EINVAL,
			"--leaf-lifetime cannot be '%s': a number of seconds, 1 to %d",
			value, INT32_MAX);
	options->leaf_lifetime = (uint32_t)seconds;
	return 0;
}

static int set_text(const char **to, const char *option, const char *value,
		    struct ne_error *err)
{
	if (!*value)
		return ne_error_set(err, EINVAL, "%s cannot be empty", option);
	*to = value;
	return 0;
}

/* A part of the names in certificates. */
static int set_name(const char **to, const char *option, const char *value,
		    struct ne_error *err)
{
	size_t size = strlen(value);

	for (const char *at = value; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '-')
			size = 0;
	if (size == 0 || size > NAME_PART_MAX)
		return ne_error_set(
			err, EINVAL,
			"%s cannot be '%s': 1 to %d letters, digits and hyphens",
			option, value, NAME_PART_MAX);
	*to = value;
	return 0;
}

static int set_role(struct nsm_options *options, const char *value,
		    struct ne_error *err)
{
	if (!instance_is_role(value))
		return ne_error_set(
			err, EINVAL,
			"--role cannot be '%.80s', which is no ARN of a role; one is arn:aws:iam::123456789012:role/NAME",
			value);
	options->role = value;
	return 0;
}

static int set_instance_id(struct nsm_options *options, const char *value,
			   struct ne_error *err)
{
	if (!instance_is_id(value) || strlen(value) > NAME_PART_MAX)
		return ne_error_set(
			err, EINVAL,
			"--instance-id cannot be '%.40s', which is no instance id; one is i-0123456789abcdef0",
			value);
	options->instance_id = value;
	return 0;
}

static int set_module_id(struct nsm_options *options, const char *value,
			 struct ne_error *err)
{
	if (strlen(value) > NSM_MODULE_ID_MAX)
		return ne_error_set(
			err, EINVAL,
			"--module-id cannot have more than %d bytes, as has '%.40s...'",
			NSM_MODULE_ID_MAX, value);
	return set_text(&options->module_id, "--module-id", value, err);
}

int nsm_options_set(struct nsm_options *options, int option, const char *value,
		    struct ne_error *err)
{
	switch (option) {
	case NSM_OPTION_ROLE:
		return set_role(options, value, err);
	case NSM_OPTION_INSTANCE_ID:
		return set_instance_id(options, value, err);
	case NSM_OPTION_REGION:
		return set_name(&options->region, "--region", value, err);
	case NSM_OPTION_MODULE_ID:
		return set_module_id(options, value, err);
	case NSM_OPTION_DIALECT:
		return set_dialect(options, value, err);
	case NSM_OPTION_LIMITS:
		return set_limits(options, value, err);
	case NSM_OPTION_CLOCK:
		return set_clock(options, value, err);
	case NSM_OPTION_SEED:
		return set_text(&options->seed, "--seed", value, err);
	case NSM_OPTION_LEAF_LIFETIME:
		return set_leaf_lifetime(options, value, err);
	case NSM_OPTION_PKI:
		return set_text(&options->pki, "--pki", value, err);
	case NSM_OPTION_CA_CERT:
		return set_text(&options->ca_cert, "--ca-cert", value, err);
	case NSM_OPTION_CA_KEY:
		return set_text(&options->ca_key, "--ca-key", value, err);
	default:
		return -ENOENT;
	}
}

int nsm_options_check(const struct nsm_options *options, struct ne_error *err)
{
	if (!options->ca_cert != !options->ca_key)
		return ne_error_set(err, EINVAL,
				    "--ca-cert and --ca-key go together");
	if (options->ca_cert && options->pki)
		return ne_error_set(
			err, EINVAL,
			"--pki is where our own root is; it does not go with --ca-cert");
	return 0;
}

const char *nsm_options_notice(const struct nsm_options *options)
{
	if (options->seed && !options->pki && !options->ca_cert)
		return "the root is your own, not one of the seed; for the same documents on other machines take --pki FOLDER, an empty one";
	return NULL;
}
