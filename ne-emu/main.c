// SPDX-License-Identifier: Apache-2.0
#include "libne/cleanup.h"
#include "ne-emu/commands.h"
#include "plumbing/program.h"

static const struct program_command commands[] = {
	{ "run", command_run,
	  "run a command that sees /dev/nitro_enclaves and AF_VSOCK" },
};

static const struct program program = {
	.name = "ne-emu",
	.about =
		"AWS Nitro Enclaves for machines that have none. A test instrument: what runs\n"
		"in an emulated enclave is not protected from anybody, nor anybody from it.",
	.commands = commands,
	.n_commands = ARRAY_SIZE(commands),
};

int main(int argc, char **argv)
{
	return program_main(&program, argc, argv);
}
