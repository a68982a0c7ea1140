// SPDX-License-Identifier: Apache-2.0
#include "plumbing/family.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/log.h"
#include "plumbing/message.h"
#include "plumbing/trap.h"

/* What the keeper gets when the supervisor is dead. */
#define SIGNAL_ORPHANED SIGRTMIN

/* --- Descendants --------------------------------------------------------- */

struct process {
	pid_t pid;
	pid_t parent;
	bool below; /* us */
};

static pid_t parent_of(pid_t pid)
{
	cleanup_fclose FILE *file = NULL;
	char line[512], *end;
	pid_t parent = -1;

	snprintf(line, sizeof(line), "/proc/%d/stat", pid);
	file = fopen(line, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return -1;
	/* The name in parentheses may contain anything. */
	end = strrchr(line, ')');
	if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
		return -1;
	return parent;
}

static size_t list_processes(struct process **list)
{
	DIR *folder = opendir("/proc");
	size_t n = 0, room = 0;
	struct dirent *entry;

	*list = NULL;
	while (folder && (entry = readdir(folder))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0)
			continue;
		if (n == room) {
			struct process *more;

			room = room ? 2 * room : 256;
			more = reallocarray(*list, room, sizeof(**list));
			if (!more)
				break;
			*list = more;
		}
		(*list)[n++] = (struct process){ pid, parent_of(pid), false };
	}
	if (folder)
		closedir(folder);
	return n;
}

/* Children from before our time. */
static struct process *spared;
static size_t n_spared;

static bool is_spared(pid_t pid)
{
	for (size_t i = 0; i < n_spared; i++)
		if (spared[i].pid == pid && spared[i].parent == getpid())
			return true;
	return false;
}

static void spare_children(void)
{
	siginfo_t info;

	/* Mostly there are none, and that is soon known. */
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT))
		return;
	n_spared = list_processes(&spared);
}

static bool is_below(const struct process *list, size_t n, pid_t parent)
{
	if (parent == getpid())
		return true;
	for (size_t i = 0; i < n; i++)
		if (list[i].pid == parent)
			return list[i].below;
	return false;
}

/* Returns how many it has found. */
static unsigned int kill_round(void)
{
	cleanup_free struct process *list = NULL;
	size_t n = list_processes(&list);
	unsigned int killed = 0, before;

	do {
		before = killed;
		for (size_t i = 0; i < n; i++) {
			if (list[i].below || is_spared(list[i].pid) ||
			    !is_below(list, n, list[i].parent))
				continue;
			list[i].below = true;
			kill(list[i].pid, SIGKILL);
			killed++;
		}
	} while (killed > before);
	return killed;
}

void family_kill_descendants(void)
{
	/* Whoever is forked meanwhile becomes our child, and is next. */
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitid(P_ALL, 0, &(siginfo_t){ 0 },
			   WEXITED | WNOHANG | WNOWAIT) ||
		    kill_round() == 0)
			return;
		usleep(1000);
	}
}

/* --- The command --------------------------------------------------------- */

static _Noreturn void run_command(const struct trap *trap, char *const argv[],
				  const sigset_t *signals, int socket)
{
	int listener;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	listener = trap_install(trap);
	if (listener < 0) {
		if (listener == -EBUSY)
			log_error(
				"this process is under a syscall trap already: one emulator does not run inside another");
		else
			log_error(
				"cannot install the syscall filter: %s; in a container try --security-opt seccomp=unconfined",
				ne_strerror(listener));
		_exit(125);
	}
	if (message_send(socket, "", 1, &listener, 1))
		_exit(125);
	close(listener);
	close(socket);
	sigprocmask(SIG_SETMASK, signals, NULL);
	execvp(argv[0], argv);
	log_error("cannot run %s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* --- The keeper ---------------------------------------------------------- */

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static _Noreturn void keep(pid_t command, pid_t supervisor)
{
	sigset_t all;
	siginfo_t info;

	sigfillset(&all);
	for (;;) {
		int status;
		pid_t pid;

		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == command) {
				family_kill_descendants();
				_exit(shell_status(status));
			}
		if (sigwaitinfo(&all, &info) < 0)
			continue;
		if (info.si_signo == SIGNAL_ORPHANED) {
			family_kill_descendants();
			_exit(125);
		}
		/*
		 * What the terminal, or somebody who signals the whole group,
		 * sends, the command gets by itself.
		 */
		if (info.si_code <= 0 && info.si_pid == supervisor)
			kill(command, info.si_signo);
	}
}

static _Noreturn void run_keeper(const struct trap *trap, const char *program,
				 char *const argv[], const sigset_t *signals,
				 int socket, pid_t supervisor)
{
	char name[16];
	pid_t command;

	snprintf(name, sizeof(name), "%s-keeper", program);
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHANED);
	if (getppid() != supervisor)
		_exit(125);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	command = fork();
	if (command < 0)
		_exit(125);
	if (command == 0)
		run_command(trap, argv, signals, socket);
	close(socket);
	keep(command, supervisor);
}

/* --- The supervisor ------------------------------------------------------ */

int family_start(struct family *family, const struct trap *trap,
		 const char *program, char *const argv[], struct ne_error *err)
{
	pid_t supervisor = getpid();
	sigset_t all, before;
	cleanup_close int ours = -1;
	int pair[2];
	char byte;

	family->pidfd = family->listener = -1;
	spare_children();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return ne_error_set(err, errno, "socketpair: %s",
				    strerror(errno));
	ours = pair[0];
	/* Blocked from its first moment, the keeper loses none. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	family->keeper = fork();
	if (family->keeper == 0) {
		close(ours);
		run_keeper(trap, program, argv, &before, pair[1], supervisor);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (family->keeper < 0)
		return ne_error_set(err, errno, "cannot start a process: %s",
				    strerror(errno));
	family->pidfd = (int)syscall(SYS_pidfd_open, family->keeper, 0);
	if (family->pidfd < 0)
		return ne_error_set(err, errno, "pidfd_open: %s",
				    strerror(errno));
	/* None comes if the command failed; its status says so. */
	message_receive(ours, &byte, 1, &family->listener, 1, 0);
	return 0;
}

int family_status(struct family *family)
{
	int status = 0;

	while (waitpid(family->keeper, &status, 0) < 0)
		if (errno != EINTR)
			return 125;
	return shell_status(status);
}
