/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syscall trap: seccomp user notification, made convenient.
 *
 * Theory of operation
 *
 * A traced program runs at native speed under a seccomp filter that knows
 * only a few syscalls (struct trap_rule). When a thread makes one of them,
 * the kernel suspends it and tells us (struct trap_call). Handlers look at
 * the call, at the caller's memory and descriptors, and answer: a value, an
 * errno, a new descriptor, or "let the kernel do it". What nobody takes the
 * kernel does.
 *
 * While a call is unanswered, a signal may interrupt it as it would a
 * blocking syscall of the kernel's own: the caller gets EINTR or makes the
 * call again (SA_RESTART). An answer to such a call is refused with -ENOENT,
 * and a handler that has changed something by then must undo it.
 *
 * Many syscalls name their objects by address: we read the caller's memory
 * while the caller waits. Another thread of it may change that memory
 * meanwhile. This is a test instrument and no security boundary, so the trap
 * promises only that nothing worse happens than to the program itself.
 *
 * The trap knows processes and syscalls. It knows nothing of what they mean.
 */
#ifndef PLUMBING_TRAP_H
#define PLUMBING_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct loop;
struct ne_error;
struct trap;

/*
 * Which calls: syscall number nr where (argument `arg` & mask) == value, or
 * all of them when mask is 0. With `error` the filter itself fails the call
 * with that errno and nobody is asked.
 */
struct trap_rule {
	int nr;
	unsigned int arg;
	uint64_t mask;
	uint64_t value;
	int error;
};

/* A call that waits for its answer. Whoever takes it owns it. */
struct trap_call {
	struct trap *trap;
	uint64_t id;
	pid_t tid; /* the calling thread, in our PID namespace */
	int nr;
	uint64_t args[6];
};

/*
 * One who answers calls.
 *
 * call() returns true if it took the call: it has answered it or will later,
 * with exactly one of the answer functions below. It returns false, without
 * having touched it, for calls that are not its business.
 * Handlers are asked in order. A handler sees every trapped call, also those
 * that only others' rules ask for.
 */
struct trap_handler {
	const struct trap_rule *rules;
	size_t n_rules;
	bool (*call)(struct trap_call *call, void *data);
	void *data;
};

/*
 * A trap for the given handlers (copied; their data is not). Builds the
 * filter; installs nothing yet.
 */
int trap_new(struct trap **trap, const struct trap_handler *handlers,
	     size_t n_handlers, struct ne_error *err);
/*
 * Ends it: waiting calls fail with ENOSYS, as all later ones do. A handler
 * that holds calls still must answer them before.
 */
void trap_free(struct trap *trap);

/*
 * In the process to be traced (after fork, before exec): installs the
 * filter. Async-signal-safe. If the process lacks CAP_SYS_ADMIN in its user
 * namespace, no_new_privs is set, which survives exec: set-user-id programs
 * then run without their privilege.
 * Returns the listening descriptor (close-on-exec), to be given to
 * trap_attach() in the supervisor, or a negative errno.
 */
int trap_install(const struct trap *trap);

/*
 * In the supervisor: serves the listening descriptor (owned from now on)
 * in this loop.
 */
int trap_attach(struct trap *trap, struct loop *loop, int listener);

/*
 * Answers. Each one consumes the call. 0, or -ENOENT when the caller was
 * interrupted or is dead, so that it never saw the answer.
 */
int trap_return(struct trap_call *call, int64_t value);
int trap_fail(struct trap_call *call, int error);
int trap_continue(struct trap_call *call);
/*
 * Gives the caller a copy of fd as its lowest free descriptor, which is the
 * call's value. fd stays the handler's. Other errors than -ENOENT (a full
 * descriptor table: -EMFILE) have been passed to the caller.
 */
int trap_return_fd(struct trap_call *call, int fd, bool close_on_exec);

/* Is the caller still waiting? */
bool trap_is_waiting(const struct trap_call *call);

/*
 * The caller's memory: all of it or -EFAULT; -ENOENT when the caller is
 * gone. Other negative errnos when it may not be read (a process that
 * made itself undumpable).
 */
int trap_read(const struct trap_call *call, uint64_t address, void *to,
	      size_t size);
int trap_write(const struct trap_call *call, uint64_t address, const void *from,
	       size_t size);
/* A terminated string; -ENAMETOOLONG if it does not fit. Else its length. */
ssize_t trap_read_string(const struct trap_call *call, uint64_t address,
			 char *to, size_t size);

/*
 * A duplicate (close-on-exec) of the caller's descriptor, or -EBADF etc.;
 * -ENOENT when the caller is gone, as for the next two.
 */
int trap_get_fd(const struct trap_call *call, int fd);
/* fstat(2) on the caller's descriptor, O_PATH ones included. */
int trap_fstat(const struct trap_call *call, int fd, struct stat *st);
/* Is it there for more than its name, that is, not one of O_PATH? */
bool trap_fd_is_open(const struct trap_call *call, int fd);
/* The process (thread group) of the caller. */
pid_t trap_process(const struct trap_call *call);

#endif
