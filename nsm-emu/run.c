// SPDX-License-Identifier: Apache-2.0
/*
 * nsm-emu run: options in, a /dev/nsm around a command that is in no enclave,
 * the command's status out.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ne/error.h>

#include "nsm-emu/boot.h"
#include "nsm-emu/commands.h"
#include "nsm-emu/factory.h"
#include "nsm-emu/module.h"
#include "nsm-emu/server.h"
#include "nsm-emu/trap.h"
#include "plumbing/command.h"
#include "plumbing/log.h"
#include "plumbing/program.h"

static void print_help(void)
{
	puts("Usage: nsm-emu run [OPTION]... [--] COMMAND [ARGUMENT]...\n\n"
	     "Runs COMMAND with an emulated /dev/nsm, as if in an enclave, and ends with its\n"
	     "status. Processes that it leaves behind end with it.\n");
	puts(boot_help);
	puts(nsm_options_help);
	puts("\nExit status: COMMAND's; 125 if nsm-emu itself failed, 126 or 127 if COMMAND\n"
	     "could not be executed or found, 128+N if signal N ended it.");
}

static const struct option long_options[] = { BOOT_LONG_OPTIONS, { 0 } };

/* 0: go on; 1: that was all (--help); -EINVAL. */
static int parse_options(struct boot *boot, int argc, char **argv)
{
	int option, r;

	while ((option = getopt_long(argc, argv, "+qvh", long_options, NULL)) !=
	       -1) {
		if (option == 'h') {
			print_help();
			return 1;
		}
		r = boot_set_option(boot, option, optarg);
		if (r == -ENOENT)
			log_error("see nsm-emu run --help");
		if (r)
			return -EINVAL;
	}
	if (optind == argc) {
		log_error("which command? See nsm-emu run --help");
		return -EINVAL;
	}
	return boot_check(boot);
}

/* What stands around the command. */
struct world {
	const struct boot *boot;
	struct nsm_factory *factory;
	struct nsm_module *module;
	struct nsm_server *server;
	struct nsm_trap *face;
};

static int build(void *data, struct loop *loop, struct trap_handler *handlers,
		 size_t *n_handlers, struct ne_error *err)
{
	struct world *world = data;
	int r = boot_module(world->boot, &world->factory, &world->module, err);

	if (r)
		return r;
	world->server = nsm_server_new(loop);
	if (!world->server)
		return ne_error_set(err, errno, "cannot make a server: %s",
				    strerror(errno));
	r = nsm_trap_new(&world->face, world->server, true, err);
	if (r)
		return r;
	nsm_trap_set_module(world->face, world->module);
	handlers[0] = nsm_trap_handler(world->face);
	*n_handlers = 1;
	return 0;
}

static void end(void *data)
{
	struct world *world = data;

	nsm_trap_free(world->face);
	nsm_server_free(world->server);
	nsm_module_free(world->module);
	nsm_factory_free(world->factory);
}

int command_run(int argc, char **argv)
{
	struct boot boot = { 0 };
	struct world world = { .boot = &boot };
	struct command_world around = {
		.program = "nsm-emu", .build = build, .end = end, .data = &world
	};
	int r = parse_options(&boot, argc, argv);

	if (r)
		return r < 0 ? EXIT_EMULATOR : EXIT_SUCCESS;
	log_init("nsm-emu", boot.verbose > 1 ? LOG_DEBUG
			    : boot.verbose   ? LOG_INFO
					     : LOG_WARN);
	if (!boot.quiet)
		around.notice =
			"emulating /dev/nsm: a test instrument, its documents prove nothing";
	return command_run_in(&around, argv + optind);
}
