// SPDX-License-Identifier: Apache-2.0
#include "eif/eif.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "libne/cleanup.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "build", build_command, "Make an enclave image" },
	{ "describe", describe_command,
	  "Show what is in an enclave image, and its measurements" },
};

int report_failure(const struct ne_error *err)
{
	fprintf(stderr, "eif: %s\n", err->text);
	return EXIT_FAILED;
}

int report_usage(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "eif %s: ", command);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see eif %s --help\n", command);
	return EXIT_USAGE;
}

static void print_usage(FILE *file)
{
	size_t i;

	fputs("Usage: eif COMMAND [OPTION]...\n\n", file);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(file, "  %-10s %s\n", commands[i].name,
			commands[i].summary);
	fputs("\neif COMMAND --help says more; eif(1) says all.\n", file);
}

static int run_command(int argc, char **argv)
{
	size_t i;
	int status;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[0], commands[i].name))
			break;
	if (i == ARRAY_SIZE(commands)) {
		fprintf(stderr, "eif: no command \"%s\"; see eif --help\n",
			argv[0]);
		return EXIT_USAGE;
	}
	status = commands[i].run(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "eif: cannot write to standard output\n");
		return EXIT_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("eif " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	return run_command(argc - 1, argv + 1);
}
