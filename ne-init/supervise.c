// SPDX-License-Identifier: Apache-2.0

#include "ne-init/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "ne-init/parent.h"
#include "ne-init/say.h"

#define GRACE 2000

/* What the application gets when init does. */
static const int forwarded[] = { SIGHUP,  SIGINT,  SIGQUIT,
				 SIGUSR1, SIGUSR2, SIGTERM };

static pid_t application;
static bool ended;
static unsigned int exit_status;

static void forwarded_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(set, forwarded[i]);
	sigaddset(set, SIGCHLD);
}

void supervise_block_signals(void)
{
	sigset_t set;

	forwarded_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* --- The application -------------------------------------------------------- */

static const char *path_of(char *const envp[])
{
	for (; *envp; envp++)
		if (!strncmp(*envp, "PATH=", 5))
			return *envp + 5;
	return "";
}

/* As a program expects them, whoever started init. */
static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void run(char *const argv[],
					  char *const envp[])
{
	int error;

	setsid();
	/* A console that is no terminal has no use for this. */
	ioctl(STDIN_FILENO, TIOCSCTTY, 1);
	reset_signals();
	/* The program is looked for in the path that it will see. */
	environ = (char **)envp;
	execvp(argv[0], argv);

	error = errno;
	if (error == ENOENT && strchr(argv[0], '/') &&
	    access(argv[0], F_OK) == 0)
		say("cannot run %s: its interpreter is not in the image",
		    argv[0]);
	else if (error == ENOENT && !strchr(argv[0], '/'))
		say("cannot run %s: not found in PATH=%s", argv[0],
		    path_of(envp));
	else
		say("cannot run %s: %s", argv[0], strerror(error));
	_exit(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

static unsigned int status_of(int status)
{
	return WIFSIGNALED(status) ? 128u + (unsigned int)WTERMSIG(status)
				   : (unsigned int)WEXITSTATUS(status);
}

/* --- Reaping ---------------------------------------------------------------- */

/* Takes every child that has ended. false: there are no children left. */
static bool reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != application)
			continue;
		ended = true;
		exit_status = status_of(status);
	}
	return pid == 0;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Ends every process but init. */
static void end_the_rest(void)
{
	const struct timespec second = { .tv_sec = 1 };
	int64_t end = now() + GRACE;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (!reap())
		return;
	kill(-1, SIGTERM);
	while (reap()) {
		int64_t left = end - now();
		struct timespec time = {
			.tv_sec = left / 1000,
			.tv_nsec = left % 1000 * 1000000,
		};

		if (left > 0) {
			sigtimedwait(&child, NULL, &time);
			continue;
		}
		/* Again and again: a child may just have been born. */
		kill(-1, SIGKILL);
		sigtimedwait(&child, NULL, &second);
	}
}

/* --- Signals ---------------------------------------------------------------- */

static void forward(int number)
{
	/* The group is gone, or not yet there, when its leader alone is. */
	if (!ended && kill(-application, number) < 0)
		kill(application, number);
}

static void read_signals(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo == SIGCHLD)
			reap();
		else
			forward((int)info.ssi_signo);
}

static void watch(int signals, struct parent *parent)
{
	while (!ended) {
		struct pollfd fds[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = parent->listens ? parent->fd : -1,
			  .events = POLLIN },
		};

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[0].revents)
			read_signals(signals);
		if (fds[1].revents)
			parent_read(parent, forward);
	}
}

/* Without a signalfd: no forwarding, but the application's end is seen. */
static void wait_plainly(void)
{
	int status;
	pid_t pid;

	while ((pid = wait(&status)) != application)
		if (pid < 0 && errno != EINTR)
			return;
	ended = true;
	exit_status = status_of(status);
}

unsigned int supervise(char *const argv[], char *const envp[],
		       struct parent *parent)
{
	cleanup_close int signals = -1;
	sigset_t set;

	forwarded_set(&set);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	application = fork();
	if (application == 0)
		run(argv, envp);
	if (application < 0) {
		say("cannot start the application: %s", strerror(errno));
		return 126;
	}
	if (signals >= 0)
		watch(signals, parent);
	else
		wait_plainly();
	end_the_rest();
	return exit_status;
}
