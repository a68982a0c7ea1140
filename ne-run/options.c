// SPDX-License-Identifier: Apache-2.0
#include "ne-run/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include <ne/enclave.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-run/parse.h"

const char options_help[] =
	"Usage: ne-run [OPTION]... IMAGE\n"
	"Run an enclave image on AWS Nitro Enclaves, or, where there are none,\n"
	"emulated. Stays until the enclave ends, and returns the exit status of\n"
	"the application in it.\n"
	"\n"
	"  -c, --cpus=N              so many CPUs (the image's default, else 2)\n"
	"      --cpu-ids=LIST        these CPUs of the pool: 2-3,6\n"
	"  -m, --mem=SIZE            memory: 512 (MiB), 4G (the image's default,\n"
	"                            else 512 MiB or 4 times the image)\n"
	"      --cid=N               vsock address, 4 or more (a free one)\n"
	"      --name=NAME           for messages (the image's file name)\n"
	"      --debug               debug mode: console, and zeros for PCR0 to 2\n"
	"      --console             copy the enclave's console to stdout; on real\n"
	"                            hardware only with --debug\n"
	"      --boot-timeout=SECONDS  wait so long for the heartbeat\n"
	"      --emulate=HOW         auto (where there is no /dev/nitro_enclaves),\n"
	"                            never, process or qemu (always)\n"
	"      --json                events as lines of JSON on stdout\n"
	"  -v, --verbose             tell more\n"
	"      --help, --version     show this, or the version, and exit\n"
	"\n"
	"Ctrl-C or SIGTERM ends the application, a second one the enclave.\n"
	"Exit status 125 is an error of ne-run itself. See ne-run(1).\n"
	"\n"
	"An emulated enclave is a test instrument and no security boundary.\n";

/* Long options without a letter of their own. */
enum {
	OPTION_CPU_IDS = 256,
	OPTION_CID,
	OPTION_NAME,
	OPTION_DEBUG,
	OPTION_CONSOLE,
	OPTION_BOOT_TIMEOUT,
	OPTION_EMULATE,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{ "cpus", required_argument, NULL, 'c' },
	{ "cpu-ids", required_argument, NULL, OPTION_CPU_IDS },
	{ "mem", required_argument, NULL, 'm' },
	{ "cid", required_argument, NULL, OPTION_CID },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "debug", no_argument, NULL, OPTION_DEBUG },
	{ "console", no_argument, NULL, OPTION_CONSOLE },
	{ "boot-timeout", required_argument, NULL, OPTION_BOOT_TIMEOUT },
	{ "emulate", required_argument, NULL, OPTION_EMULATE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

static int bad(struct ne_error *err, const char *option, const char *value,
	       const char *wanted)
{
	return ne_error_set(err, EINVAL, "%s: \"%s\" is not %s", option, value,
			    wanted);
}

static int set_cpus(struct options *options, const char *text,
		    struct ne_error *err)
{
	uint64_t number;

	if (!parse_number(text, 1, OPTIONS_MAX_CPUS, &number))
		return bad(err, "--cpus", text, "a number of CPUs");
	options->cpus = (unsigned int)number;
	return 0;
}

static int set_cpu_ids(struct options *options, const char *text,
		       struct ne_error *err)
{
	int count = ne_cpu_list_parse(text, options->cpu_ids,
				      ARRAY_SIZE(options->cpu_ids));

	if (count < 0)
		return bad(err, "--cpu-ids", text,
			   "a list of CPUs such as 2-3,6");
	options->n_cpu_ids = (size_t)count;
	return 0;
}

static int set_memory(struct options *options, const char *text,
		      struct ne_error *err)
{
	if (!parse_memory(text, &options->memory))
		return bad(err, "--mem", text,
			   "a size such as 512 (MiB) or 4G");
	return 0;
}

static int set_cid(struct options *options, const char *text,
		   struct ne_error *err)
{
	if (!parse_number(text, 4, UINT32_MAX - 1, &options->cid))
		return bad(err, "--cid", text,
			   "a CID that an enclave can have, 4 to 4294967294");
	return 0;
}

static int set_boot_timeout(struct options *options, const char *text,
			    struct ne_error *err)
{
	uint64_t number;

	if (!parse_number(text, 1, 1000000, &number))
		return bad(err, "--boot-timeout", text, "a number of seconds");
	options->boot_timeout = (unsigned int)number;
	return 0;
}

static int set_emulate(struct options *options, const char *text,
		       struct ne_error *err)
{
	static const char *const names[] = {
		[EMULATE_AUTO] = "auto",
		[EMULATE_NEVER] = "never",
		[EMULATE_PROCESS] = "process",
		[EMULATE_QEMU] = "qemu",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			options->emulate = (enum emulate)i;
			return 0;
		}
	}
	return bad(err, "--emulate", text, "auto, never, process or qemu");
}

static int set_option(struct options *options, int option, const char *value,
		      struct ne_error *err)
{
	switch (option) {
	case 'c':
		return set_cpus(options, value, err);
	case OPTION_CPU_IDS:
		return set_cpu_ids(options, value, err);
	case 'm':
		return set_memory(options, value, err);
	case OPTION_CID:
		return set_cid(options, value, err);
	case OPTION_BOOT_TIMEOUT:
		return set_boot_timeout(options, value, err);
	case OPTION_EMULATE:
		return set_emulate(options, value, err);
	case OPTION_NAME:
		options->name = value;
		return 0;
	case OPTION_DEBUG:
		options->debug = true;
		return 0;
	case OPTION_CONSOLE:
		options->console = true;
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case OPTION_HELP:
		options->help = true;
		return 0;
	default:
		options->version = true;
		return 0;
	}
}

static int check(const struct options *options, struct ne_error *err)
{
	if (!options->image)
		return ne_error_set(err, EINVAL,
				    "no image given; see ne-run --help");
	if (options->cpus && options->n_cpu_ids)
		return ne_error_set(err, EINVAL,
				    "--cpus and --cpu-ids: only one of them");
	return 0;
}

/* What an emulated enclave's security module is like, is ne-emu's to be told. */
static bool is_of_security_module(const char *option)
{
	static const char *const names[] = {
		"--role",  "--instance-id",   "--region", "--module-id",
		"--clock", "--leaf-lifetime", "--seed",	  "--dialect",
		"--pki",   "--ca-cert",	      "--ca-key", "--limits",
	};
	size_t length = strcspn(option, "=");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == length &&
		    !strncmp(option, names[i], length))
			return true;
	return false;
}

static int unknown_option(const char *option, struct ne_error *err)
{
	if (is_of_security_module(option))
		return ne_error_set(
			err, EINVAL,
			"%s is an option of the emulator: ne-emu run %s ... -- ne-run ...",
			option, option);
	return ne_error_set(
		err, EINVAL,
		"%s is not an option, or takes no value; see ne-run --help",
		option);
}

int options_parse(struct options *options, int argc, char **argv,
		  struct ne_error *err)
{
	int option, rc;

	memset(options, 0, sizeof(*options));
	while ((option = getopt_long(argc, argv, ":c:m:v", long_options,
				     NULL)) != -1) {
		if (option == ':')
			return ne_error_set(err, EINVAL,
					    "%s needs a value; see ne-run "
					    "--help",
					    argv[optind - 1]);
		if (option == '?')
			return unknown_option(argv[optind - 1], err);
		rc = set_option(options, option, optarg, err);
		if (rc < 0)
			return rc;
	}
	if (options->help || options->version)
		return 0;
	if (argc - optind > 1)
		return ne_error_set(err, EINVAL,
				    "\"%s\": only one image at a time; see "
				    "ne-run --help",
				    argv[optind + 1]);
	options->image = argv[optind];
	return check(options, err);
}
