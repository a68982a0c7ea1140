// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "libne/cleanup.h"
#include "ne-emu/commands.h"
#include "plumbing/log.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *description;
} commands[] = {
	{ "run", command_run,
	  "run a command that sees /dev/nitro_enclaves and AF_VSOCK" },
};

static void print_help(FILE *to)
{
	fprintf(to, "Usage: ne-emu COMMAND [OPTION]... [ARGUMENT]...\n\n"
		    "AWS Nitro Enclaves for machines that have none. A test "
		    "instrument: what runs\nin an emulated enclave is not "
		    "protected from anybody, nor anybody from it.\n\n"
		    "Commands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name,
			commands[i].description);
	fprintf(to,
		"\n'ne-emu COMMAND --help' says more; so does ne-emu(1).\n");
}

/* Who starts us with these closed would find our own files in their place. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

int main(int argc, char **argv)
{
	static char program[] = "ne-emu";

	open_standard_streams();
	log_init("ne-emu", LOG_WARN);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_EMULATOR;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("ne-emu (" PACKAGE_NAME ") " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			/* What getopt puts in front of its messages. */
			argv[1] = program;
			return commands[i].run(argc - 1, argv + 1);
		}
	log_error("there is no command '%s'; see ne-emu --help", argv[1]);
	return EXIT_EMULATOR;
}
