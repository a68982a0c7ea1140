// SPDX-License-Identifier: Apache-2.0
/*
 * ne-emu run: options in, a device and a vsock fabric around a command, the
 * command's status out.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/commands.h"
#include "ne-emu/device.h"
#include "ne-emu/machine.h"
#include "ne-emu/nsm.h"
#include "ne-emu/topology.h"
#include "nsm-emu/options.h"
#include "plumbing/claim.h"
#include "plumbing/command.h"
#include "plumbing/log.h"
#include "plumbing/program.h"
#include "plumbing/trap.h"
#include "vsock-sim/fabric.h"
#include "vsock-sim/syscalls.h"

struct options {
	unsigned int cpus;
	unsigned int threads;
	const char *pool;
	struct device_options device;
	struct nsm_options nsm;
	bool quiet;
	unsigned int verbose;
};

static void print_help(void)
{
	puts("Usage: ne-emu run [OPTION]... [--] COMMAND [ARGUMENT]...\n\n"
	     "Runs COMMAND with an emulated /dev/nitro_enclaves and AF_VSOCK, and ends with\n"
	     "its status. Enclaves and processes that it leaves behind end with it.\n\n"
	     "  --machine NAME        what runs enclaves: process (default)\n"
	     "  --cpus N              CPUs of the emulated parent instance (16)\n"
	     "  --threads N           threads of each of its cores (2)\n"
	     "  --pool LIST           its CPUs that are for enclaves (2-15); '' for none\n"
	     "  --strict              demand huge pages, as the driver does\n"
	     "  --numa-node N         with --strict: memory must be on this node\n"
	     "  --max-mem-regions N   pieces of memory that an enclave may have\n"
	     "  -q, --quiet           no notice that this is an emulation\n"
	     "  -v, --verbose         say more; twice: much more\n"
	     "  -h, --help            this text\n\n"
	     "Of the security modules of its enclaves:\n");
	puts(nsm_options_help);
	puts("\nExit status: COMMAND's; 125 if ne-emu itself failed, 126 or 127 if COMMAND could\n"
	     "not be executed or found, 128+N if signal N ended it.");
}

static bool parse_unsigned(const char *text, unsigned int *number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value > INT_MAX)
		return false;
	*number = (unsigned int)value;
	return true;
}

static int set_machine(struct options *options, const char *name)
{
	if (strcmp(name, "process") == 0) {
		options->device.machine = &process_machine;
		return 0;
	}
	if (strcmp(name, "qemu") == 0)
		log_error(
			"this version has no qemu machine yet; use --machine process");
	else
		log_error("there is no machine '%s'; there is: process", name);
	return -EINVAL;
}

static int bad_number(const char *option, const char *text)
{
	log_error("%s cannot be '%s'", option, text);
	return -EINVAL;
}

enum {
	OPTION_MACHINE = 256,
	OPTION_CPUS,
	OPTION_THREADS,
	OPTION_POOL,
	OPTION_STRICT,
	OPTION_NUMA_NODE,
	OPTION_MAX_MEM_REGIONS
};

static const struct option long_options[] = {
	{ "machine", required_argument, NULL, OPTION_MACHINE },
	{ "cpus", required_argument, NULL, OPTION_CPUS },
	{ "threads", required_argument, NULL, OPTION_THREADS },
	{ "pool", required_argument, NULL, OPTION_POOL },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "numa-node", required_argument, NULL, OPTION_NUMA_NODE },
	{ "max-mem-regions", required_argument, NULL, OPTION_MAX_MEM_REGIONS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	NSM_LONG_OPTIONS,
	{ 0 },
};

static int set_nsm_option(struct options *options, int option,
			  const char *value)
{
	struct ne_error err = { 0 };
	int r = nsm_options_set(&options->nsm, option, value, &err);

	if (r)
		log_error("%s",
			  r == -ENOENT ? "see ne-emu run --help" : err.text);
	return r;
}

static int set_option(struct options *options, int option, const char *value)
{
	unsigned int node;

	switch (option) {
	case OPTION_MACHINE:
		return set_machine(options, value);
	case OPTION_CPUS:
		return parse_unsigned(value, &options->cpus)
			       ? 0
			       : bad_number("--cpus", value);
	case OPTION_THREADS:
		return parse_unsigned(value, &options->threads)
			       ? 0
			       : bad_number("--threads", value);
	case OPTION_POOL:
		options->pool = value;
		return 0;
	case OPTION_STRICT:
		options->device.strict = true;
		return 0;
	case OPTION_NUMA_NODE:
		if (!parse_unsigned(value, &node))
			return bad_number("--numa-node", value);
		options->device.numa_node = (int)node;
		return 0;
	case OPTION_MAX_MEM_REGIONS:
		return parse_unsigned(value,
				      &options->device.max_mem_regions) &&
				       options->device.max_mem_regions > 0
			       ? 0
			       : bad_number("--max-mem-regions", value);
	case 'q':
		options->quiet = true;
		return 0;
	case 'v':
		options->verbose++;
		return 0;
	default:
		return set_nsm_option(options, option, value);
	}
}

/* 0: go on; 1: that was all (--help); -EINVAL. */
static int parse_options(struct options *options, int argc, char **argv)
{
	struct ne_error err = { 0 };
	int option, r;

	opterr = 1;
	while ((option = getopt_long(argc, argv, "+qvh", long_options, NULL)) !=
	       -1) {
		if (option == 'h') {
			print_help();
			return 1;
		}
		r = set_option(options, option, optarg);
		if (r)
			return r;
	}
	if (optind == argc) {
		log_error("which command? See ne-emu run --help");
		return -EINVAL;
	}
	if (options->device.numa_node >= 0 && !options->device.strict) {
		log_error("--numa-node goes with --strict");
		return -EINVAL;
	}
	r = nsm_options_check(&options->nsm, &err);
	if (r)
		log_error("%s", err.text);
	return r;
}

/* What stands around the command. */
struct world {
	const struct options *options;
	struct topology topology;
	int runtime;
	char runtime_path[PATH_MAX];
	struct fabric fabric;
	struct nsm_host *nsm;
	struct device *device;
	struct vsock_syscalls *vsock;
	bool is_over; /* no thread is left at something */
};

static int build(void *data, struct loop *loop, struct trap_handler *handlers,
		 size_t *n_handlers, struct ne_error *err)
{
	struct world *world = data;
	const struct options *options = world->options;
	struct device_options device = options->device;
	int r;

	r = topology_init(&world->topology, options->cpus, options->threads,
			  options->pool, err);
	if (r)
		return r;
	world->runtime = runtime_open(world->runtime_path,
				      sizeof(world->runtime_path), err);
	if (world->runtime < 0)
		return world->runtime;
	r = fabric_open(&world->fabric, world->runtime, world->runtime_path,
			err);
	if (r)
		return r;
	r = nsm_host_new(&world->nsm, loop, &options->nsm, err);
	if (r)
		return r;
	device.nsm = world->nsm;
	device.instance_id = options->nsm.instance_id;
	r = device_new(&world->device, loop, world->runtime,
		       world->runtime_path, &world->topology, &device, err);
	if (r)
		return r;
	r = vsock_syscalls_new(&world->vsock, loop, &world->fabric,
			       VSOCK_CID_PARENT, true, err);
	if (r)
		return r;
	handlers[0] = vsock_syscalls_handler(world->vsock);
	handlers[1] = *device_handler(world->device);
	*n_handlers = 2;
	return setenv("NE_EMULATED", "1", 1) ? -errno : 0;
}

static void end(void *data)
{
	struct world *world = data;

	device_free(world->device);
	world->is_over = nsm_host_end(world->nsm);
	vsock_syscalls_free(world->vsock);
}

static int run(const struct options *options, char **command)
{
	struct world world = { .options = options,
			       .runtime = -1,
			       .is_over = true };
	const struct command_world around = {
		.program = "ne-emu",
		.notice =
			options->quiet
				? NULL
				: "emulating /dev/nitro_enclaves and AF_VSOCK: a test instrument, no security boundary",
		.build = build,
		.end = end,
		.data = &world,
	};
	const char *notice = nsm_options_notice(&options->nsm);
	int status;

	if (notice && !options->quiet)
		log_warn("%s", notice);
	status = command_run_in(&around, command);

	if (world.fabric.names.folder)
		fabric_sweep(&world.fabric, VSOCK_CID_PARENT);
	close_keeping_errno(world.runtime);
	if (!world.is_over) {
		fflush(NULL);
		_exit(status);
	}
	return status;
}

int command_run(int argc, char **argv)
{
	struct options options = {
		.cpus = 16,
		.threads = 2,
		.pool = "2-15",
		.device = { .machine = &process_machine, .numa_node = -1 },
	};
	int r = parse_options(&options, argc, argv);

	if (r)
		return r < 0 ? EXIT_EMULATOR : EXIT_SUCCESS;
	log_init("ne-emu", options.verbose > 1 ? LOG_DEBUG
			   : options.verbose   ? LOG_INFO
					       : LOG_WARN);
	return run(&options, argv + optind);
}
