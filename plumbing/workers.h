/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads beside the event loop, for work that takes longer than the loop may
 * wait.
 *
 * Work is done in the order of its adding, by whichever thread is free. What
 * is finished comes back to the loop, all of it by one wake-up. Threads are
 * made when there is work for them, at most as many as this process has CPUs,
 * and stay. Signals do not reach them.
 *
 * Thread safety: all functions are for the loop's thread.
 */
#ifndef PLUMBING_WORKERS_H
#define PLUMBING_WORKERS_H

#include <stdbool.h>
#include <sys/queue.h>

struct loop;
struct workers;

/*
 * A piece of work: part of something of its owner's.
 * run: in a thread of the pool's
 * done: in the loop afterwards; it may free the work, or add it again
 */
struct work {
	void (*run)(struct work *work);
	void (*done)(struct work *work);
	/* The pool's; zero to begin with. */
	enum { WORK_IDLE, WORK_QUEUED, WORK_RUNNING, WORK_FINISHED } state;
	TAILQ_ENTRY(work) link;
};

/*
 * background: what this pool does can wait while others need the CPUs.
 * Makes no thread yet. NULL on failure (errno says).
 */
struct workers *workers_new(struct loop *loop, bool background);
/*
 * Waits for what is running, forgets what is queued, and calls done() for
 * all of that and for what is finished. NULL is fine.
 */
void workers_free(struct workers *workers);
/*
 * For the end of the process, which need not wait: as above if nothing is
 * running. Else false: done() is not called for that, which goes on; it, what
 * it uses and the pool must stay, and the process ends by _exit(), since
 * exit() takes down what threads may be using.
 */
bool workers_end(struct workers *workers);

/* 0, or a negative errno: there is not a single thread to be had. */
int workers_add(struct workers *workers, struct work *work);
/*
 * Takes work back: its owner has it as if it had never been added, or has
 * just been done. False: it is running, done() will be called.
 */
bool workers_cancel(struct workers *workers, struct work *work);
/* The same, but waits for it if it is running. */
void workers_cancel_wait(struct workers *workers, struct work *work);

#endif
