// SPDX-License-Identifier: Apache-2.0
#include "plumbing/command.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/family.h"
#include "plumbing/log.h"
#include "plumbing/loop.h"
#include "plumbing/program.h"
#include "plumbing/trap.h"

struct command {
	const struct command_world *world;
	struct loop *loop;
	struct trap *trap;
	struct family family;
	struct loop_source *keeper_source;
	int signals;
	struct loop_source *signals_source;
};

static int build(struct command *command, struct ne_error *err)
{
	const struct command_world *world = command->world;
	struct trap_handler handlers[COMMAND_HANDLERS];
	size_t n = 0;
	int r;

	command->loop = loop_new();
	if (!command->loop)
		return ne_error_set(err, errno, "cannot make an event loop: %s",
				    strerror(errno));
	r = world->build(world->data, command->loop, handlers, &n, err);
	return r ? r : trap_new(&command->trap, handlers, n, err);
}

static void tear_down(struct command *command)
{
	command->world->end(command->world->data);
	loop_remove(command->keeper_source);
	loop_remove(command->signals_source);
	trap_free(command->trap);
	loop_free(command->loop);
	close_keeping_errno(command->signals);
	close_keeping_errno(command->family.pidfd);
	family_kill_descendants();
}

static void keeper_ended(uint32_t events, void *data)
{
	struct command *command = data;

	(void)events;
	loop_stop(command->loop);
}

/* Signals meant for us are meant for the command. */
static void signal_came(uint32_t events, void *data)
{
	struct command *command = data;
	struct signalfd_siginfo info;

	(void)events;
	if (read(command->signals, &info, sizeof(info)) != sizeof(info))
		return;
	/* The terminal's come from the kernel and reach the command too. */
	if (info.ssi_code <= 0)
		kill(command->family.keeper, (int)info.ssi_signo);
}

static int watch(struct command *command, const sigset_t *signals,
		 struct ne_error *err)
{
	command->signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (command->signals >= 0)
		command->signals_source = loop_add(command->loop,
						   command->signals, EPOLLIN,
						   signal_came, command);
	command->keeper_source = loop_add(command->loop, command->family.pidfd,
					  EPOLLIN, keeper_ended, command);
	if (!command->signals_source || !command->keeper_source)
		return ne_error_set(err, errno, "cannot watch the command: %s",
				    strerror(errno));
	return 0;
}

/* Programs that wait for something of ours have one each here. */
static void allow_many_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int start(struct command *command, char *const argv[], mode_t mask,
		 struct ne_error *err)
{
	sigset_t signals;
	int listener, r;

	/* The command inherits the user's, and not what comes afterwards. */
	umask(mask);
	r = family_start(&command->family, command->trap,
			 command->world->program, argv, err);
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
	r = watch(command, &signals, err);
	if (r || command->family.listener < 0)
		return r;
	listener = take_fd(&command->family.listener);
	r = trap_attach(command->trap, command->loop, listener);
	return r ? ne_error_set(err, -r, "cannot serve the trap: %s",
				ne_strerror(r))
		 : 0;
}

static int run(struct command *command, char *const argv[])
{
	mode_t mask = umask(077);
	struct ne_error err = { 0 };
	int r = build(command, &err);

	if (!r && command->world->notice)
		log_warn("%s", command->world->notice);
	if (!r)
		r = start(command, argv, mask, &err);
	if (!r)
		r = loop_run(command->loop);
	if (r) {
		log_error("%s", err.code ? err.text : ne_strerror(r));
		return EXIT_EMULATOR;
	}
	return family_status(&command->family);
}

int command_run_in(const struct command_world *world, char *const argv[])
{
	struct command command = { .world = world,
				   .signals = -1,
				   .family = { .pidfd = -1, .listener = -1 } };
	int status = run(&command, argv);

	tear_down(&command);
	return status;
}
