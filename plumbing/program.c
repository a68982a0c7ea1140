// SPDX-License-Identifier: Apache-2.0
#include "plumbing/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "plumbing/log.h"

static void print_help(const struct program *program, FILE *to)
{
	fprintf(to,
		"Usage: %s COMMAND [OPTION]... [ARGUMENT]...\n\n%s\n\nCommands:\n",
		program->name, program->about);
	for (size_t i = 0; i < program->n_commands; i++)
		fprintf(to, "  %-8s %s\n", program->commands[i].name,
			program->commands[i].description);
	fprintf(to, "\n'%s COMMAND --help' says more; so does %s(1).\n",
		program->name, program->name);
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

int program_main(const struct program *program, int argc, char **argv)
{
	static char name[32];

	open_standard_streams();
	log_init(program->name, LOG_WARN);
	if (argc < 2) {
		print_help(program, stderr);
		return EXIT_EMULATOR;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(program, stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("%s (" PACKAGE_NAME ") " PACKAGE_VERSION "\n",
		       program->name);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < program->n_commands; i++)
		if (strcmp(argv[1], program->commands[i].name) == 0) {
			/* What getopt puts in front of its messages. */
			snprintf(name, sizeof(name), "%s", program->name);
			argv[1] = name;
			return program->commands[i].run(argc - 1, argv + 1);
		}
	log_error("there is no command '%s'; see %s --help", argv[1],
		  program->name);
	return EXIT_EMULATOR;
}
