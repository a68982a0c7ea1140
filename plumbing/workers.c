// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 *	owner --add--> queued --thread--> running --thread--> finished
 *	   ^                                                      |
 *	   '------------------------- done(), by the loop --------'
 *
 * One lock guards the lists and the states. Who makes the list of finished
 * work no longer empty writes to the eventfd that the loop watches; the loop
 * then takes what has come together by that time, so that a busy pool costs
 * it one wake-up for many pieces of work.
 */
#include "plumbing/workers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "plumbing/loop.h"

/* More than this do not help, however many CPUs there are. */
#define THREADS_MAX 256
/* Background work's niceness. */
#define BACKGROUND_NICE 10

TAILQ_HEAD(work_list, work);

struct workers {
	bool background;
	unsigned int most;
	unsigned int n_threads;
	pthread_t threads[THREADS_MAX];
	int event;
	struct loop_source *source;

	pthread_mutex_t lock;
	pthread_cond_t wanted;	/* there is work, or the end has come */
	pthread_cond_t stopped; /* of running, something that is waited for */
	unsigned int n_idle;
	unsigned int n_queued;
	unsigned int n_running;
	bool ending;
	struct work *awaited;
	struct work_list queued;
	struct work_list finished;
};

/* --- Threads ------------------------------------------------------------- */

/*
 * Ours may have been given a priority above all others: what is background
 * work must not take part in it.
 */
static void step_back(void)
{
	struct sched_param ordinary = { 0 };

	sched_setscheduler(0, SCHED_BATCH, &ordinary);
	/* Nobody becomes less nice than the process is. */
	if (getpriority(PRIO_PROCESS, 0) < BACKGROUND_NICE)
		setpriority(PRIO_PROCESS, (id_t)gettid(), BACKGROUND_NICE);
}

static void finish(struct workers *workers, struct work *work)
{
	bool first = TAILQ_EMPTY(&workers->finished);

	workers->n_running--;
	work->state = WORK_FINISHED;
	TAILQ_INSERT_TAIL(&workers->finished, work, link);
	if (workers->awaited == work)
		pthread_cond_signal(&workers->stopped);
	if (first)
		eventfd_write(workers->event, 1);
}

static struct work *take_queued(struct workers *workers)
{
	struct work *work = TAILQ_FIRST(&workers->queued);

	if (!work)
		return NULL;
	TAILQ_REMOVE(&workers->queued, work, link);
	workers->n_queued--;
	workers->n_running++;
	work->state = WORK_RUNNING;
	return work;
}

static void *run_thread(void *data)
{
	struct workers *workers = data;

	if (workers->background)
		step_back();
	pthread_mutex_lock(&workers->lock);
	while (!workers->ending) {
		struct work *work = take_queued(workers);

		if (!work) {
			workers->n_idle++;
			pthread_cond_wait(&workers->wanted, &workers->lock);
			workers->n_idle--;
			continue;
		}
		pthread_mutex_unlock(&workers->lock);
		work->run(work);
		pthread_mutex_lock(&workers->lock);
		finish(workers, work);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static int start_thread(struct workers *workers)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&workers->threads[workers->n_threads], NULL,
			   run_thread, workers);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!r)
		workers->n_threads++;
	return -r;
}

/* --- The loop's side ----------------------------------------------------- */

static struct work *take_finished(struct workers *workers)
{
	struct work *work;

	pthread_mutex_lock(&workers->lock);
	work = TAILQ_FIRST(&workers->finished);
	if (work) {
		TAILQ_REMOVE(&workers->finished, work, link);
		work->state = WORK_IDLE;
	}
	pthread_mutex_unlock(&workers->lock);
	return work;
}

static void some_finished(uint32_t events, void *data)
{
	struct workers *workers = data;
	struct work *work;
	eventfd_t n;

	(void)events;
	eventfd_read(workers->event, &n);
	while ((work = take_finished(workers)))
		work->done(work);
}

static unsigned int count_cpus(void)
{
	cpu_set_t cpus;
	unsigned int n = 1;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		n = (unsigned int)CPU_COUNT(&cpus);
	return n < THREADS_MAX ? n : THREADS_MAX;
}

struct workers *workers_new(struct loop *loop, bool background)
{
	struct workers *workers = calloc(1, sizeof(*workers));

	if (!workers)
		return NULL;
	workers->background = background;
	workers->most = count_cpus();
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wanted, NULL);
	pthread_cond_init(&workers->stopped, NULL);
	TAILQ_INIT(&workers->queued);
	TAILQ_INIT(&workers->finished);
	workers->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (workers->event >= 0)
		workers->source = loop_add(loop, workers->event, EPOLLIN,
					   some_finished, workers);
	if (!workers->source) {
		workers_free(workers);
		return NULL;
	}
	return workers;
}

static void end_threads(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->wanted);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->n_threads; i++)
		pthread_join(workers->threads[i], NULL);
}

void workers_free(struct workers *workers)
{
	struct work *work;

	if (!workers)
		return;
	loop_remove(workers->source);
	end_threads(workers);
	TAILQ_CONCAT(&workers->finished, &workers->queued, link);
	while ((work = take_finished(workers)))
		work->done(work);
	close_keeping_errno(workers->event);
	pthread_cond_destroy(&workers->stopped);
	pthread_cond_destroy(&workers->wanted);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

/* Nobody takes up what is queued any more. */
static bool stop_taking(struct workers *workers)
{
	bool idle;

	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	idle = !workers->n_running;
	pthread_mutex_unlock(&workers->lock);
	return idle;
}

bool workers_end(struct workers *workers)
{
	if (!workers || stop_taking(workers)) {
		workers_free(workers);
		return true;
	}
	loop_remove(workers->source);
	workers->source = NULL;
	return false;
}

int workers_add(struct workers *workers, struct work *work)
{
	bool too_few;
	int r = 0;

	pthread_mutex_lock(&workers->lock);
	work->state = WORK_QUEUED;
	TAILQ_INSERT_TAIL(&workers->queued, work, link);
	workers->n_queued++;
	/* Threads that were woken up for others are still idle. */
	too_few = workers->n_queued > workers->n_idle &&
		  workers->n_threads < workers->most;
	pthread_cond_signal(&workers->wanted);
	pthread_mutex_unlock(&workers->lock);

	if (too_few)
		r = start_thread(workers);
	if (!r || workers->n_threads > 0)
		return 0;
	workers_cancel(workers, work);
	return r;
}

/* With the lock held. */
static bool take_back(struct workers *workers, struct work *work)
{
	if (work->state == WORK_RUNNING)
		return false;
	if (work->state == WORK_QUEUED) {
		TAILQ_REMOVE(&workers->queued, work, link);
		workers->n_queued--;
	} else if (work->state == WORK_FINISHED)
		TAILQ_REMOVE(&workers->finished, work, link);
	work->state = WORK_IDLE;
	return true;
}

bool workers_cancel(struct workers *workers, struct work *work)
{
	bool taken;

	pthread_mutex_lock(&workers->lock);
	taken = take_back(workers, work);
	pthread_mutex_unlock(&workers->lock);
	return taken;
}

void workers_cancel_wait(struct workers *workers, struct work *work)
{
	pthread_mutex_lock(&workers->lock);
	workers->awaited = work;
	while (!take_back(workers, work))
		pthread_cond_wait(&workers->stopped, &workers->lock);
	workers->awaited = NULL;
	pthread_mutex_unlock(&workers->lock);
}
