// SPDX-License-Identifier: Apache-2.0
/*
 * The process machine: an enclave's userland as PID 1 of fresh namespaces on
 * the host's kernel.
 *
 * Theory of operation
 *
 * prepare() makes everything that an enclave has around it (console, vsock,
 * the trap) and a process in fresh namespaces that waits for one byte. go()
 * sends it; from there sandbox.c tells the story on the other side. What
 * comes back over the socket pair is the trap's listener, which is then
 * served, or why there will be no enclave.
 *
 * The enclave has ended when its PID 1 has: the kernel kills all others of
 * the PID namespace, unmounts what nobody uses any more, and frees the
 * network namespace by itself. PID 1 in turn dies with this process
 * (PR_SET_PDEATHSIG), however that ends.
 */
#include "ne-emu/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/cgroup.h"
#include "ne-emu/console.h"
#include "ne-emu/idmap.h"
#include "ne-emu/kernel_syscalls.h"
#include "ne-emu/sandbox.h"
#include "plumbing/claim.h"
#include "plumbing/log.h"
#include "plumbing/loop.h"
#include "plumbing/trap.h"
#include "vsock-sim/door.h"
#include "vsock-sim/fabric.h"
#include "vsock-sim/syscalls.h"

struct machine {
	struct loop *loop;
	char name[64];
	uint32_t cid;
	const struct ne_eif *image; /* NULL once it is loaded */
	void (*loaded)(void *data);
	void *loaded_data;

	int runtime;
	char runtime_path[PATH_MAX];
	struct fabric fabric;
	struct console *console;
	struct vsock_syscalls *vsock;
	struct kernel_syscalls kernel;
	struct trap *trap;
	struct door *door;
	struct cgroup *cgroup;

	pid_t pid;
	int pidfd;
	struct loop_source *pid_source;
	int control; /* our end of the socket pair */
	struct loop_source *control_source;

	bool stopped; /* by stop() */
	char failure[sizeof(((struct sandbox_message *)0)->text)];
	char notes[512];

	void (*ended)(const struct machine_end *end, void *data);
	void *data;
};

/* --- The end ------------------------------------------------------------- */

static void say_how(const struct machine *machine, const siginfo_t *info,
		    char *reason, size_t size, bool *failed)
{
	*failed = true;
	if (machine->failure[0])
		snprintf(reason, size, "%s", machine->failure);
	else if (machine->stopped) {
		snprintf(reason, size, "it was terminated");
		*failed = false;
	} else if (cgroup_ran_out(machine->cgroup))
		snprintf(reason, size, "it ran out of memory");
	else if (info->si_code == CLD_EXITED) {
		snprintf(reason, size, "its init exited with status %d",
			 info->si_status);
		*failed = info->si_status != 0;
	} else if (info->si_status == SIGHUP || info->si_status == SIGINT) {
		/* What reboot(2) makes of PID 1 in its namespace. */
		snprintf(reason, size, "it %s",
			 info->si_status == SIGHUP ? "rebooted"
						   : "powered off");
		*failed = false;
	} else
		snprintf(reason, size, "its init was killed by signal %d (%s)",
			 info->si_status, strsignal(info->si_status));
}

static void add_last_words(const struct machine *machine, char *reason,
			   size_t size)
{
	size_t used = strlen(reason);
	char line[160];

	console_drain(machine->console);
	console_last_line(machine->console, line, sizeof(line));
	if (line[0])
		snprintf(reason + used, size - used,
			 "; the console's last line: %s", line);
}

static void receive(struct machine *machine);

static void pid_ended(uint32_t events, void *data)
{
	struct machine *machine = data;
	struct machine_end end = { 0 };
	siginfo_t info = { 0 };
	char reason[768];

	(void)events;
	if (waitid(P_PIDFD, (id_t)machine->pidfd, &info, WEXITED | WNOHANG) ||
	    !info.si_pid)
		return;
	machine->pid = 0;
	loop_remove(machine->pid_source);
	machine->pid_source = NULL;
	/* Its last message may not have been read yet. */
	receive(machine);
	say_how(machine, &info, reason, sizeof(reason), &end.failed);
	if (end.failed && !machine->failure[0])
		add_last_words(machine, reason, sizeof(reason));
	console_end(machine->console);
	end.reason = reason;
	machine->ended(&end, machine->data);
}

/* --- Messages from the sandbox ------------------------------------------- */

static void add_note(struct machine *machine, const char *text)
{
	size_t used = strlen(machine->notes);

	snprintf(machine->notes + used, sizeof(machine->notes) - used, "%s%s",
		 used ? "; " : "", text);
}

static void start_serving(struct machine *machine, const int fds[2])
{
	struct stat vsock;

	if (machine->notes[0])
		log_warn("%s: %s", machine->name, machine->notes);
	machine->kernel.dev = fds[1];
	if (fstatat(fds[1], "vsock", &vsock, 0) == 0)
		vsock_syscalls_set_device(machine->vsock, &vsock);
	/* fds[0] belongs to the trap from here on. */
	if (trap_attach(machine->trap, machine->loop, fds[0])) {
		snprintf(machine->failure, sizeof(machine->failure),
			 "cannot serve its syscalls");
		kill(machine->pid, SIGKILL);
	}
}

static bool take_descriptors(struct msghdr *header, int fds[2])
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET ||
	    cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(cmsg), 2 * sizeof(int));
	return true;
}

/* True if there was one. */
static bool receive_message(struct machine *machine)
{
	struct sandbox_message message = { 0 };
	struct iovec iov = { &message, sizeof(message) };
	int fds[2];
	union {
		char bytes[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(machine->control, &header,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EINTR;
	if (n == 0) {
		/* exec has closed its end, or its process is gone. */
		loop_remove(machine->control_source);
		machine->control_source = NULL;
		machine->image = NULL;
		machine->loaded(machine->loaded_data);
		return false;
	}
	message.text[sizeof(message.text) - 1] = '\0';
	if (message.type == SANDBOX_FAILED)
		memcpy(machine->failure, message.text,
		       sizeof(machine->failure));
	else if (message.type == SANDBOX_NOTE)
		add_note(machine, message.text);
	else if (take_descriptors(&header, fds))
		start_serving(machine, fds);
	return true;
}

static void receive(struct machine *machine)
{
	while (machine->control_source && receive_message(machine))
		;
}

static void control_ready(uint32_t events, void *data)
{
	(void)events;
	receive(data);
}

/* --- Preparing ----------------------------------------------------------- */

static bool file_says(const char *path, char wanted)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char first;

	return fd >= 0 && read(fd, &first, 1) == 1 && first == wanted;
}

/* What forbids user namespaces here, and what to do about it. */
static const char *who_forbids(int error)
{
	if (error == ENOSPC || error == EUSERS ||
	    file_says("/proc/sys/user/max_user_namespaces", '0'))
		return "none are allowed, or too many are in use; try: sudo sysctl user.max_user_namespaces=15000";
	if (file_says("/proc/sys/kernel/unprivileged_userns_clone", '0'))
		return "only root may make them; try: sudo sysctl kernel.unprivileged_userns_clone=1";
	if (file_says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
		      '1'))
		return "AppArmor forbids them; try: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0";
	/* Container engines answer clone3 with ENOSYS. */
	if (error == EPERM || error == ENOSYS)
		return "a container's seccomp profile forbids them; try: docker run --security-opt seccomp=unconfined";
	return strerror(error);
}

static int explain_clone(int error, struct ne_error *err)
{
	return ne_error_set(err, error,
			    "cannot make the enclave's user namespace: %s",
			    who_forbids(error));
}

/* What the enclave's root must own: its ids and its console. */
static int give_to_enclave(struct machine *machine, struct ne_error *err)
{
	struct idmap_root root;
	int r = idmap_write(machine->pid, &root, err);

	if (r)
		return r;
	if (fchown(console_terminal(machine->console), root.uid, root.gid))
		return ne_error_set(
			err, errno,
			"cannot give the console to the enclave: %s",
			strerror(errno));
	return 0;
}

static int start_process(struct machine *machine,
			 const struct machine_spec *spec, struct ne_error *err)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWUSER | CLONE_NEWNS |
			 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			 CLONE_NEWUTS,
		.pidfd = (uintptr_t)&machine->pidfd,
		.exit_signal = SIGCHLD,
	};
	struct sandbox_spec sandbox = {
		.image = machine->image,
		.memory = spec->memory,
		.cpus = spec->cpus,
		.cid = machine->cid,
		.terminal_path = console_terminal_path(machine->console),
		.terminal = console_terminal(machine->console),
		.trap = machine->trap,
	};
	cleanup_close int theirs = -1;
	int pair[2];
	long pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return ne_error_set(err, errno, "socketpair: %s",
				    strerror(errno));
	machine->control = pair[0];
	theirs = sandbox.supervisor = pair[1];

	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return explain_clone(errno, err);
	if (pid == 0) {
		close(machine->control);
		sandbox_run(&sandbox);
	}
	machine->pid = (pid_t)pid;
	machine->pid_source = loop_add(machine->loop, machine->pidfd, EPOLLIN,
				       pid_ended, machine);
	machine->control_source = loop_add(machine->loop, machine->control,
					   EPOLLIN, control_ready, machine);
	machine->kernel.pidfd = machine->pidfd;
	if (!machine->pid_source || !machine->control_source)
		return ne_error_set(err, ENOMEM, "out of memory");
	return give_to_enclave(machine, err);
}

static void limit_memory(struct machine *machine,
			 const struct machine_spec *spec)
{
	char name[64], text[192];
	const char *why;

	snprintf(name, sizeof(name), "%" PRIu32, machine->cid);
	machine->cgroup = cgroup_new(name, spec->memory, machine->pid, &why);
	if (machine->cgroup)
		return;
	snprintf(text, sizeof(text),
		 "its processes are not held to %" PRIu64
		 " MiB of memory, only its files are: %s",
		 spec->memory >> 20, why);
	add_note(machine, text);
}

static int build(struct machine *machine, const struct machine_spec *spec,
		 struct ne_error *err)
{
	struct trap_handler handlers[2];
	int r;

	machine->image = spec->image;
	machine->loaded = spec->loaded;
	machine->loaded_data = spec->loaded_data;
	machine->runtime = runtime_open(machine->runtime_path,
					sizeof(machine->runtime_path), err);
	if (machine->runtime < 0)
		return machine->runtime;
	r = fabric_open(&machine->fabric, machine->runtime,
			machine->runtime_path, err);
	if (r)
		return r;
	r = console_new(&machine->console, machine->loop, &machine->fabric,
			machine->cid, err);
	if (r)
		return r;
	r = vsock_syscalls_new(&machine->vsock, machine->loop, &machine->fabric,
			       machine->cid, false, err);
	if (r)
		return r;
	handlers[0] = vsock_syscalls_handler(machine->vsock);
	handlers[1] = kernel_syscalls_handler(&machine->kernel);
	r = trap_new(&machine->trap, handlers, ARRAY_SIZE(handlers), err);
	if (r)
		return r;
	r = door_new(&machine->door, machine->loop, &machine->fabric,
		     machine->cid, err);
	if (r)
		return r;
	return start_process(machine, spec, err);
}

static void process_free(struct machine *machine)
{
	siginfo_t info;

	if (!machine)
		return;
	if (machine->pid) {
		kill(machine->pid, SIGKILL);
		while (waitid(P_PIDFD, (id_t)machine->pidfd, &info, WEXITED) &&
		       errno == EINTR)
			;
	}
	loop_remove(machine->pid_source);
	loop_remove(machine->control_source);
	/* First those who may hold calls of the trap's. */
	vsock_syscalls_free(machine->vsock);
	trap_free(machine->trap);
	door_free(machine->door);
	console_free(machine->console);
	cgroup_free(machine->cgroup);
	if (machine->fabric.names.folder) {
		fabric_forget(&machine->fabric, machine->cid);
		fabric_sweep(&machine->fabric, VSOCK_CID_HYPERVISOR);
	}
	close_keeping_errno(machine->kernel.dev);
	close_keeping_errno(machine->pidfd);
	close_keeping_errno(machine->control);
	close_keeping_errno(machine->runtime);
	free(machine);
}

static int process_prepare(struct machine **machine, struct loop *loop,
			   const struct machine_spec *spec,
			   void (*ended)(const struct machine_end *end,
					 void *data),
			   void *data, struct ne_error *err)
{
	struct machine *new = calloc(1, sizeof(*new));
	int r;

	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	*new = (struct machine){ .loop = loop,
				 .cid = (uint32_t)spec->cid,
				 .runtime = -1,
				 .pidfd = -1,
				 .control = -1,
				 .kernel = { .pidfd = -1, .dev = -1 },
				 .ended = ended,
				 .data = data };
	snprintf(new->name, sizeof(new->name), "%s", spec->name);
	r = build(new, spec, err);
	if (r) {
		process_free(new);
		return r;
	}
	limit_memory(new, spec);
	*machine = new;
	return 0;
}

static void process_go(struct machine *machine)
{
	/* If it is dead already, pid_ended() will tell. */
	send(machine->control, "", 1, MSG_NOSIGNAL);
}

static void process_stop(struct machine *machine)
{
	machine->stopped = true;
	if (machine->pid)
		kill(machine->pid, SIGKILL);
}

const struct machine_ops process_machine = {
	.name = "process",
	.prepare = process_prepare,
	.go = process_go,
	.stop = process_stop,
	.free = process_free,
};
