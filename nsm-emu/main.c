// SPDX-License-Identifier: Apache-2.0
#include "libne/cleanup.h"
#include "nsm-emu/commands.h"
#include "plumbing/program.h"

static const struct program_command commands[] = {
	{ "run", command_run, "run a command that sees /dev/nsm" },
	{ "serve", command_serve, "answer requests on a Unix socket" },
	{ "pki", command_pki,
	  "make, show and change the root of all documents" },
};

static const struct program program = {
	.name = "nsm-emu",
	.about =
		"The Nitro Secure Module for machines that have none. A test instrument: its\n"
		"attestation documents prove nothing about who asked for them.",
	.commands = commands,
	.n_commands = ARRAY_SIZE(commands),
};

int main(int argc, char **argv)
{
	return program_main(&program, argc, argv);
}
