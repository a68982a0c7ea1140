// SPDX-License-Identifier: Apache-2.0
/*
 * The process machine: an enclave's userland as PID 1 of fresh namespaces on
 * the host's kernel.
 *
 * Theory of operation
 *
 * prepare() makes everything that an enclave has around it (console, vsock,
 * the trap) and its warden, a process in fresh namespaces that waits. go()
 * has the warden start the enclave's PID 1; from there sandbox.c tells the
 * story on the other side. What comes back over a socket pair is the trap's
 * listener, which is then served, or why there will be no enclave.
 *
 * The enclave has ended when its PID 1 has: the kernel kills all others of
 * the PID namespace, unmounts what nobody uses any more, and frees the
 * network namespace by itself. The warden says how it ended, and sees to it
 * that the enclave ends with this process (warden.h).
 */
#include "ne-emu/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/cgroup.h"
#include "ne-emu/console.h"
#include "ne-emu/idmap.h"
#include "ne-emu/kernel_syscalls.h"
#include "ne-emu/sandbox.h"
#include "ne-emu/warden.h"
#include "nsm-emu/trap.h"
#include "plumbing/claim.h"
#include "plumbing/log.h"
#include "plumbing/loop.h"
#include "plumbing/message.h"
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
	struct nsm_trap *nsm;
	struct kernel_syscalls kernel;
	struct trap *trap;
	struct door *door;
	struct cgroup *cgroup;

	struct warden warden;
	struct loop_source *warden_source;
	int control; /* our end of the socket pair */
	struct loop_source *control_source;

	bool stopped; /* by stop() */
	char failure[sizeof(((struct sandbox_message *)0)->text)];
	char notes[512];

	void (*ended)(const struct machine_end *end, void *data);
	void *data;
};

/* --- The end ------------------------------------------------------------- */

static void say_how(const struct machine *machine, char *reason, size_t size,
		    bool *failed)
{
	const struct warden *warden = &machine->warden;

	*failed = true;
	if (machine->failure[0])
		snprintf(reason, size, "%s", machine->failure);
	else if (machine->stopped) {
		snprintf(reason, size, "it was terminated");
		*failed = false;
	} else if (cgroup_ran_out(machine->cgroup))
		snprintf(reason, size, "it ran out of memory");
	else if (!warden->enclave_ended)
		snprintf(reason, size, "it was killed");
	else if (warden->code == CLD_EXITED) {
		snprintf(reason, size, "its init exited with status %d",
			 warden->status);
		*failed = warden->status != 0;
	} else if (warden->status == SIGHUP || warden->status == SIGINT) {
		/* What reboot(2) makes of PID 1 in its namespace. */
		snprintf(reason, size, "it %s",
			 warden->status == SIGHUP ? "rebooted" : "powered off");
		*failed = false;
	} else
		snprintf(reason, size, "its init was killed by signal %d (%s)",
			 warden->status, strsignal(warden->status));
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

static void warden_ended(uint32_t events, void *data)
{
	struct machine *machine = data;
	struct machine_end end = { 0 };
	char reason[768];

	(void)events;
	if (!warden_reap(&machine->warden, false))
		return;
	loop_remove(machine->warden_source);
	machine->warden_source = NULL;
	/* Its last message may not have been read yet. */
	receive(machine);
	say_how(machine, reason, sizeof(reason), &end.failed);
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

static void start_serving(struct machine *machine, const int *fds)
{
	struct stat vsock, nsm;

	if (machine->notes[0])
		log_warn("%s: %s", machine->name, machine->notes);
	machine->kernel.dev = fds[1];
	machine->kernel.pidfd = fds[2];
	if (fstatat(fds[1], "vsock", &vsock, 0) == 0)
		vsock_syscalls_set_device(machine->vsock, &vsock);
	if (fstatat(fds[1], "nsm", &nsm, 0) == 0)
		nsm_trap_set_device(machine->nsm, &nsm);
	/* fds[0] belongs to the trap from here on. */
	if (trap_attach(machine->trap, machine->loop, fds[0])) {
		snprintf(machine->failure, sizeof(machine->failure),
			 "cannot serve its syscalls");
		warden_kill(&machine->warden);
	}
}

/* True if there was one. */
static bool receive_message(struct machine *machine)
{
	struct sandbox_message message = { 0 };
	int fds[SANDBOX_RUNNING_FDS];
	ssize_t n = message_receive(machine->control, &message, sizeof(message),
				    fds, SANDBOX_RUNNING_FDS, MSG_DONTWAIT);

	if (n < 0)
		return false;
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
	else if (fds[0] >= 0)
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

/* What the enclave's root must own: its ids and its console. */
static int give_to_enclave(struct machine *machine, struct ne_error *err)
{
	struct idmap_root root;
	int r = idmap_write(machine->warden.pid, &root, err);

	if (r)
		return r;
	if (fchown(console_terminal(machine->console), root.uid, root.gid))
		return ne_error_set(
			err, errno,
			"cannot give the console to the enclave: %s",
			strerror(errno));
	return 0;
}

static void run_sandbox(const void *data)
{
	sandbox_run(data);
}

/* The whole pages of an image. */
static void *image_pages(const struct ne_eif *image, size_t *size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)ne_eif_data(image);
	uintptr_t end = start + ne_eif_size(image);

	start = (start + page - 1) / page * page;
	end = end / page * page;
	*size = start < end ? end - start : 0;
	return (void *)start;
}

/* Its copy of the image is not for the warden to keep. */
static void forget_image(const void *data)
{
	const struct sandbox_spec *sandbox = data;
	size_t size;
	void *pages = image_pages(sandbox->image, &size);

	if (size)
		munmap(pages, size);
}

/* Nor are those of others: who needed this one has been forked. */
static void keep_image_from_others(const struct ne_eif *image)
{
	size_t size;
	void *pages = image_pages(image, &size);

	/* If that fails, memory is all that is lost. */
	if (size)
		madvise(pages, size, MADV_DONTFORK);
}

static int make_socket(int type, void *data)
{
	struct machine *machine = data;

	return warden_make_socket(&machine->warden, type);
}

static int start_warden(struct machine *machine,
			const struct machine_spec *spec, struct ne_error *err)
{
	struct sandbox_spec sandbox = {
		.image = machine->image,
		.memory = spec->memory,
		.cpus = spec->cpus,
		.cid = machine->cid,
		.terminal_path = console_terminal_path(machine->console),
		.terminal = console_terminal(machine->console),
		.trap = machine->trap,
	};
	struct warden_enclave enclave = { .run = run_sandbox,
					  .forget = forget_image,
					  .data = &sandbox };
	cleanup_close int theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return ne_error_set(err, errno, "socketpair: %s",
				    strerror(errno));
	machine->control = pair[0];
	theirs = sandbox.supervisor = pair[1];
	enclave.keep[0] = sandbox.supervisor;
	enclave.keep[1] = sandbox.terminal;
	r = warden_start(&machine->warden, &enclave, err);
	if (r)
		return r;
	keep_image_from_others(machine->image);
	machine->warden_source = loop_add(machine->loop, machine->warden.pidfd,
					  EPOLLIN, warden_ended, machine);
	machine->control_source = loop_add(machine->loop, machine->control,
					   EPOLLIN, control_ready, machine);
	if (!machine->warden_source || !machine->control_source)
		return ne_error_set(err, ENOMEM, "out of memory");
	vsock_syscalls_set_maker(machine->vsock, make_socket, machine);
	return give_to_enclave(machine, err);
}

static void limit_memory(struct machine *machine,
			 const struct machine_spec *spec)
{
	static bool said;
	char name[64], text[192];
	const char *why;

	snprintf(name, sizeof(name), "%" PRIu32, machine->cid);
	machine->cgroup =
		cgroup_new(name, spec->memory, machine->warden.pid, &why);
	if (machine->cgroup || said)
		return;
	said = true;
	snprintf(text, sizeof(text),
		 "it is not held to %" PRIu64
		 " MiB of memory, only its root file system is: %s",
		 spec->memory >> 20, why);
	add_note(machine, text);
}

static int build(struct machine *machine, const struct machine_spec *spec,
		 struct ne_error *err)
{
	struct trap_handler handlers[3];
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
	r = nsm_trap_new(&machine->nsm, spec->nsm_server, false, err);
	if (r)
		return r;
	nsm_trap_set_wanted(machine->nsm, spec->nsm_wanted, spec->nsm_data);
	handlers[0] = vsock_syscalls_handler(machine->vsock);
	handlers[1] = kernel_syscalls_handler(&machine->kernel);
	handlers[2] = nsm_trap_handler(machine->nsm);
	r = trap_new(&machine->trap, handlers, ARRAY_SIZE(handlers), err);
	if (r)
		return r;
	r = door_new(&machine->door, machine->loop, &machine->fabric,
		     machine->cid, err);
	if (r)
		return r;
	return start_warden(machine, spec, err);
}

static void process_free(struct machine *machine)
{
	if (!machine)
		return;
	loop_remove(machine->warden_source);
	warden_free(&machine->warden);
	loop_remove(machine->control_source);
	/* First those who may hold calls of the trap's. */
	vsock_syscalls_free(machine->vsock);
	nsm_trap_free(machine->nsm);
	trap_free(machine->trap);
	door_free(machine->door);
	console_free(machine->console);
	cgroup_free(machine->cgroup);
	if (machine->fabric.names.folder) {
		fabric_forget(&machine->fabric, machine->cid);
		fabric_sweep(&machine->fabric, VSOCK_CID_HYPERVISOR);
	}
	close_keeping_errno(machine->kernel.dev);
	close_keeping_errno(machine->kernel.pidfd);
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
				 .warden = { .pidfd = -1, .socket = -1 },
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
	warden_go(&machine->warden);
}

static void process_set_module(struct machine *machine,
			       struct nsm_module *module)
{
	nsm_trap_set_module(machine->nsm, module);
}

static void process_stop(struct machine *machine)
{
	machine->stopped = true;
	warden_kill(&machine->warden);
}

const struct machine_ops process_machine = {
	.name = "process",
	.prepare = process_prepare,
	.go = process_go,
	.set_module = process_set_module,
	.stop = process_stop,
	.free = process_free,
};
