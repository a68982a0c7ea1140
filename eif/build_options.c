// SPDX-License-Identifier: Apache-2.0
#include "eif/build_options.h"

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eif/eif.h"
#include "libne/cleanup.h"

enum {
	OPTION_KERNEL = 256,
	OPTION_CMDLINE,
	OPTION_RAMDISK,
	OPTION_INIT,
	OPTION_MODULE,
	OPTION_ROOTFS,
	OPTION_CMD,
	OPTION_ENV,
	OPTION_ALL_ROOT,
	OPTION_KEEP_TIMES,
	OPTION_COMPRESS,
	OPTION_ARCH,
	OPTION_NAME,
	OPTION_VERSION,
	OPTION_METADATA,
};

static const struct option long_options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "cmdline", required_argument, NULL, OPTION_CMDLINE },
	{ "ramdisk", required_argument, NULL, OPTION_RAMDISK },
	{ "init", required_argument, NULL, OPTION_INIT },
	{ "module", required_argument, NULL, OPTION_MODULE },
	{ "rootfs", required_argument, NULL, OPTION_ROOTFS },
	{ "cmd", required_argument, NULL, OPTION_CMD },
	{ "env", required_argument, NULL, OPTION_ENV },
	{ "all-root", no_argument, NULL, OPTION_ALL_ROOT },
	{ "keep-times", no_argument, NULL, OPTION_KEEP_TIMES },
	{ "compress", required_argument, NULL, OPTION_COMPRESS },
	{ "arch", required_argument, NULL, OPTION_ARCH },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "version", required_argument, NULL, OPTION_VERSION },
	{ "metadata", required_argument, NULL, OPTION_METADATA },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char usage[] =
	"Usage: eif build -o IMAGE --kernel FILE --cmdline TEXT [OPTION]...\n"
	"                 [--] [COMMAND [ARGUMENT]...]\n"
	"\n"
	"  -o, --output IMAGE     the enclave image to make\n"
	"  --kernel FILE          bzImage (x86_64) or Image (aarch64)\n"
	"  --cmdline TEXT         the kernel's command line\n"
	"  --rootfs DIR           the application's root file system\n"
	"  --cmd ARGUMENT         one more word of COMMAND; may be repeated\n"
	"  --env NAME=VALUE       for COMMAND; may be repeated\n"
	"  --init FILE            the first process (default: ne-init)\n"
	"  --module FILE          kernel module to load; may be repeated\n"
	"  --ramdisk FILE         a ramdisk as it is; may be repeated\n"
	"  --all-root             files of DIR belong to root in the image\n"
	"  --keep-times           files of DIR keep their times\n"
	"  --compress METHOD      none (default), gzip, xz or zstd\n"
	"  --arch ARCH            x86_64 or aarch64 (default: this machine's)\n"
	"  --name NAME            of the image, for its metadata\n"
	"  --version VERSION      of the image, for its metadata (1.0)\n"
	"  --metadata FILE        a JSON object for the image's metadata\n"
	"  -h, --help             this text\n"
	"\n"
	"Prints the image's measurements as JSON.\n";

static void add_string(struct strings *strings, const char *string)
{
	strings->items = reallocarray(strings->items, strings->count + 1,
				      sizeof(*strings->items));
	if (!strings->items)
		err(EXIT_FAILED, "out of memory");
	strings->items[strings->count++] = string;
}

static bool parse_arch(enum ne_eif_arch *arch, const char *name)
{
	static const enum ne_eif_arch known[] = { NE_EIF_X86_64,
						  NE_EIF_AARCH64 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, ne_eif_arch_name(known[i]))) {
			*arch = known[i];
			return true;
		}
	return false;
}

/* Returns as parse_build_options(). */
static int parse_option(struct build_options *options, int option)
{
	switch (option) {
	case 'o':
		options->output = optarg;
		break;
	case OPTION_KERNEL:
		options->kernel = optarg;
		break;
	case OPTION_CMDLINE:
		options->cmdline = optarg;
		break;
	case OPTION_RAMDISK:
		add_string(&options->ramdisks, optarg);
		break;
	case OPTION_INIT:
		options->init = optarg;
		break;
	case OPTION_MODULE:
		add_string(&options->modules, optarg);
		break;
	case OPTION_ROOTFS:
		options->rootfs = optarg;
		break;
	case OPTION_CMD:
		add_string(&options->command, optarg);
		break;
	case OPTION_ENV:
		add_string(&options->environment, optarg);
		break;
	case OPTION_ALL_ROOT:
		options->all_root = true;
		break;
	case OPTION_KEEP_TIMES:
		options->keep_times = true;
		break;
	case OPTION_COMPRESS:
		if (!parse_compression(&options->compression, optarg))
			return report_usage("build", "no compression \"%s\"",
					    optarg);
		break;
	case OPTION_ARCH:
		if (!parse_arch(&options->arch, optarg))
			return report_usage("build", "no architecture \"%s\"",
					    optarg);
		break;
	case OPTION_NAME:
		options->name = optarg;
		break;
	case OPTION_VERSION:
		options->version = optarg;
		break;
	case OPTION_METADATA:
		options->metadata = optarg;
		break;
	case 'h':
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	default: /* getopt has said why */
		fputs("see eif build --help\n", stderr);
		return EXIT_USAGE;
	}
	return -1;
}

static int check_required(const struct build_options *options)
{
	if (!options->output)
		return report_usage("build", "-o IMAGE is missing");
	if (!options->kernel)
		return report_usage("build", "--kernel is missing");
	if (!options->cmdline)
		return report_usage("build", "--cmdline is missing");
	if (options->rootfs && !options->command.count)
		return report_usage("build",
				    "--rootfs without a command to run in it");
	if (options->environment.count && !options->command.count)
		return report_usage("build",
				    "--env without a command to give it to");
	if (!options->command.count && !options->init &&
	    !options->ramdisks.count)
		return report_usage("build", "nothing to run: neither a "
					     "command, --init nor --ramdisk");
	return -1;
}

/* /cmd and /env of the image have one of these on each line. */
static int check_lines(const struct build_options *options)
{
	size_t i;

	for (i = 0; i < options->command.count; i++)
		if (strchr(options->command.items[i], '\n'))
			return report_usage("build",
					    "word %zu of the command "
					    "has a newline in it",
					    i);
	for (i = 0; i < options->environment.count; i++) {
		const char *variable = options->environment.items[i];

		if (strchr(variable, '\n'))
			return report_usage("build",
					    "--env number %zu has a "
					    "newline in it",
					    i + 1);
		if (*variable == '=' || !strchr(variable, '='))
			return report_usage("build",
					    "--env \"%s\" is not NAME=VALUE",
					    variable);
	}
	return -1;
}

int parse_build_options(struct build_options *options, int argc, char **argv)
{
	int option, status;

	*options = (struct build_options){
		.name = "enclave",
		.version = "1.0",
#ifdef __aarch64__
		.arch = NE_EIF_AARCH64,
#else
		.arch = NE_EIF_X86_64,
#endif
	};
	/* '+': the command's own options are not ours. */
	while ((option = getopt_long(argc, argv, "+o:h", long_options, NULL)) >=
	       0) {
		status = parse_option(options, option);
		if (status >= 0)
			return status;
	}
	for (; optind < argc; optind++)
		add_string(&options->command, argv[optind]);
	status = check_required(options);
	return status >= 0 ? status : check_lines(options);
}

void free_build_options(struct build_options *options)
{
	free(options->ramdisks.items);
	free(options->modules.items);
	free(options->command.items);
	free(options->environment.items);
}
