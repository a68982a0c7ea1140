// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/commands.h"

#include <errno.h>
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
	{ "verify", command_verify,
	  "Is this document authentic, and what you expect?" },
	{ "show", command_show, "Show what is in a document" },
	{ "expect", command_expect,
	  "What to expect of an image, also as a KMS key policy" },
	{ "request", command_request, "Inside an enclave: get a document" },
	{ "describe", command_describe,
	  "Inside an enclave: show its NSM and registers" },
};

int report_failure(const struct ne_error *err)
{
	fprintf(stderr, "ne-attest: %s\n", err->text);
	return EXIT_TROUBLE;
}

int report_usage(const char *command, const char *format, ...)
{
	struct ne_error err;
	char text[NE_ERROR_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ne_error_set(&err, EINVAL, "%s", text);
	fprintf(stderr, "ne-attest %s: %s; see ne-attest %s --help\n", command,
		err.text, command);
	return EXIT_TROUBLE;
}

struct printable printable(const char *text)
{
	struct printable printable;
	struct ne_error err;

	ne_error_set(&err, 0, "%s", text);
	memcpy(printable.text, err.text, sizeof(printable.text));
	return printable;
}

static void print_usage(FILE *file)
{
	fputs("Usage: ne-attest COMMAND [OPTION]...\n\n", file);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(file, "  %-10s %s\n", commands[i].name,
			commands[i].summary);
	fputs("\nne-attest COMMAND --help says more; ne-attest(1) says all.\n",
	      file);
}

static int run_command(int argc, char **argv)
{
	char name[32];
	size_t i;
	int status;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[0], commands[i].name))
			break;
	if (i == ARRAY_SIZE(commands)) {
		fprintf(stderr,
			"ne-attest: no command \"%s\"; see ne-attest --help\n",
			argv[0]);
		return EXIT_TROUBLE;
	}
	/* What getopt's complaints begin with */
	snprintf(name, sizeof(name), "ne-attest %s", commands[i].name);
	argv[0] = name;
	status = commands[i].run(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		fputs("ne-attest: cannot write to standard output\n", stderr);
		return EXIT_TROUBLE;
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_TROUBLE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("ne-attest " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	return run_command(argc - 1, argv + 1);
}
