// SPDX-License-Identifier: Apache-2.0
/*
 * ne-emu run: options in, a device and a vsock fabric around a command, the
 * command's status out.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/commands.h"
#include "ne-emu/device.h"
#include "ne-emu/family.h"
#include "ne-emu/machine.h"
#include "ne-emu/topology.h"
#include "plumbing/claim.h"
#include "plumbing/log.h"
#include "plumbing/loop.h"
#include "plumbing/trap.h"
#include "vsock-sim/fabric.h"
#include "vsock-sim/syscalls.h"

struct options {
	unsigned int cpus;
	unsigned int threads;
	const char *pool;
	struct device_options device;
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
	     "Exit status: COMMAND's; 125 if ne-emu itself failed, 126 or 127 if COMMAND could\n"
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
	{ 0 },
};

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
		log_error("see ne-emu run --help");
		return -EINVAL;
	}
}

/* 0: go on; 1: that was all (--help); -EINVAL. */
static int parse_options(struct options *options, int argc, char **argv)
{
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
	return 0;
}

/* Everything that stands around the command. */
struct stage {
	struct topology topology;
	int runtime;
	char runtime_path[PATH_MAX];
	struct fabric fabric;
	struct loop *loop;
	struct device *device;
	struct vsock_syscalls *vsock;
	struct trap *trap;
	struct family family;
	struct loop_source *keeper_source;
	int signals;
	struct loop_source *signals_source;
};

static int set_up(struct stage *stage, const struct options *options,
		  struct ne_error *err)
{
	struct trap_handler handlers[2];
	int r;

	r = topology_init(&stage->topology, options->cpus, options->threads,
			  options->pool, err);
	if (r)
		return r;
	stage->runtime = runtime_open(stage->runtime_path,
				      sizeof(stage->runtime_path), err);
	if (stage->runtime < 0)
		return stage->runtime;
	r = fabric_open(&stage->fabric, stage->runtime, stage->runtime_path,
			err);
	if (r)
		return r;
	stage->loop = loop_new();
	if (!stage->loop)
		return ne_error_set(err, errno, "cannot make an event loop: %s",
				    strerror(errno));
	r = device_new(&stage->device, stage->loop, stage->runtime,
		       stage->runtime_path, &stage->topology, &options->device,
		       err);
	if (r)
		return r;
	r = vsock_syscalls_new(&stage->vsock, stage->loop, &stage->fabric,
			       VSOCK_CID_PARENT, true, err);
	if (r)
		return r;
	handlers[0] = vsock_syscalls_handler(stage->vsock);
	handlers[1] = *device_handler(stage->device);
	return trap_new(&stage->trap, handlers, ARRAY_SIZE(handlers), err);
}

static void tear_down(struct stage *stage)
{
	device_free(stage->device);
	vsock_syscalls_free(stage->vsock);
	loop_remove(stage->keeper_source);
	loop_remove(stage->signals_source);
	trap_free(stage->trap);
	loop_free(stage->loop);
	if (stage->fabric.names.folder)
		fabric_sweep(&stage->fabric, VSOCK_CID_PARENT);
	close_keeping_errno(stage->signals);
	close_keeping_errno(stage->family.pidfd);
	close_keeping_errno(stage->runtime);
}

static void keeper_ended(uint32_t events, void *data)
{
	struct stage *stage = data;

	(void)events;
	loop_stop(stage->loop);
}

/* Signals meant for us are meant for the command. */
static void signal_came(uint32_t events, void *data)
{
	struct stage *stage = data;
	struct signalfd_siginfo info;

	(void)events;
	if (read(stage->signals, &info, sizeof(info)) != sizeof(info))
		return;
	/* The terminal's come from the kernel and reach the command too. */
	if (info.ssi_code <= 0)
		kill(stage->family.keeper, (int)info.ssi_signo);
}

static int watch(struct stage *stage, const sigset_t *signals,
		 struct ne_error *err)
{
	stage->signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (stage->signals >= 0)
		stage->signals_source = loop_add(stage->loop, stage->signals,
						 EPOLLIN, signal_came, stage);
	stage->keeper_source = loop_add(stage->loop, stage->family.pidfd,
					EPOLLIN, keeper_ended, stage);
	if (!stage->signals_source || !stage->keeper_source)
		return ne_error_set(err, errno, "cannot watch the command: %s",
				    strerror(errno));
	return 0;
}

/* Programs and enclaves that wait for connections have one each here. */
static void allow_many_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int start(struct stage *stage, char **command, mode_t mask,
		 struct ne_error *err)
{
	sigset_t signals;
	int listener, r;

	/* The command inherits the user's, and not what comes afterwards. */
	umask(mask);
	r = family_start(&stage->family, stage->trap, command, err);
	umask(077);
	if (r)
		return r;
	allow_many_descriptors();
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	r = watch(stage, &signals, err);
	if (r || stage->family.listener < 0)
		return r;
	listener = take_fd(&stage->family.listener);
	r = trap_attach(stage->trap, stage->loop, listener);
	return r ? ne_error_set(err, -r, "cannot serve the trap: %s",
				ne_strerror(r))
		 : 0;
}

static int run(struct stage *stage, const struct options *options,
	       char **command)
{
	/* What is made in the runtime folder is for its owner. */
	mode_t mask = umask(077);
	struct ne_error err = { 0 };
	int r = set_up(stage, options, &err);

	if (!r && !options->quiet)
		log_warn(
			"emulating /dev/nitro_enclaves and AF_VSOCK: a test instrument, no security boundary");
	if (!r)
		r = setenv("NE_EMULATED", "1", 1);
	if (!r)
		r = start(stage, command, mask, &err);
	if (!r)
		r = loop_run(stage->loop);
	if (r) {
		log_error("%s", err.code ? err.text : ne_strerror(r));
		return EXIT_EMULATOR;
	}
	return family_status(&stage->family);
}

int command_run(int argc, char **argv)
{
	struct options options = {
		.cpus = 16,
		.threads = 2,
		.pool = "2-15",
		.device = { .machine = &process_machine, .numa_node = -1 },
	};
	struct stage stage = { .runtime = -1,
			       .signals = -1,
			       .family = { .pidfd = -1, .listener = -1 } };
	int status, r = parse_options(&options, argc, argv);

	if (r)
		return r < 0 ? EXIT_EMULATOR : EXIT_SUCCESS;
	log_init("ne-emu", options.verbose > 1 ? LOG_DEBUG
			   : options.verbose   ? LOG_INFO
					       : LOG_WARN);
	status = run(&stage, &options, argv + optind);
	tear_down(&stage);
	family_kill_descendants();
	return status;
}
