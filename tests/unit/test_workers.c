// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plumbing/workers.h"
#include "tests/unit/traced.h"

struct fixture {
	struct loop *loop;
	struct workers *workers;
};

static struct workers *new_workers(struct fixture *f, bool background)
{
	f->loop = loop_new();
	assert_non_null(f->loop);
	f->workers = workers_new(f->loop, background);
	assert_non_null(f->workers);
	return f->workers;
}

static void end(struct fixture *f)
{
	workers_free(f->workers);
	loop_free(f->loop);
}

/* From now on this process has one CPU, so that a pool has one thread. */
static void use_one_cpu(void)
{
	cpu_set_t all, one;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static unsigned int threads(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/task", &st), 0);
	return (unsigned int)st.st_nlink - 2;
}

/* A piece of work that tells what became of it. */
struct piece {
	struct work work;
	pthread_t ran_in;
	bool ran;
	bool done;
	atomic_bool begun;
	int number;  /* in the order of running */
	sem_t *gate; /* run() waits for it */
};

static atomic_int n_ran;

static void run(struct work *work)
{
	struct piece *piece = (struct piece *)work;

	piece->begun = true;
	if (piece->gate)
		while (sem_wait(piece->gate))
			;
	piece->ran_in = pthread_self();
	piece->number = n_ran++;
	piece->ran = true;
}

static void done(struct work *work)
{
	((struct piece *)work)->done = true;
}

static struct piece new_piece(sem_t *gate)
{
	return (struct piece){ .work = { .run = run, .done = done },
			       .gate = gate };
}

/* Until a thread has it. */
static void wait_until_running(const struct piece *piece)
{
	while (!piece->begun)
		usleep(1000);
}

static void no_work_no_threads(void **state)
{
	struct fixture f;
	unsigned int before = threads();

	(void)state;
	new_workers(&f, false);
	assert_int_equal(threads(), before);
	end(&f);
}

static void work_is_done_elsewhere_and_comes_back_to_the_loop(void **state)
{
	struct fixture f;
	struct workers *workers = new_workers(&f, false);
	struct piece piece = new_piece(NULL);

	(void)state;
	assert_int_equal(workers_add(workers, &piece.work), 0);
	assert_false(piece.done);
	run_until(f.loop, &piece.done);
	assert_true(piece.ran);
	assert_false(pthread_equal(piece.ran_in, pthread_self()));
	/* Once more, the same. */
	piece.done = false;
	assert_int_equal(workers_add(workers, &piece.work), 0);
	run_until(f.loop, &piece.done);
	end(&f);
}

static void there_are_no_more_threads_than_cpus(void **state)
{
	enum { PIECES = 1000 };
	struct fixture f;
	struct workers *workers = new_workers(&f, false);
	struct piece *pieces = calloc(PIECES, sizeof(*pieces));
	unsigned int before = threads();
	cpu_set_t cpus;

	(void)state;
	assert_non_null(pieces);
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	for (int i = 0; i < PIECES; i++) {
		pieces[i] = new_piece(NULL);
		assert_int_equal(workers_add(workers, &pieces[i].work), 0);
	}
	for (int i = 0; i < PIECES; i++)
		run_until(f.loop, &pieces[i].done);
	assert_true(threads() - before <= (unsigned int)CPU_COUNT(&cpus));
	free(pieces);
	end(&f);
}

static void work_is_begun_in_the_order_of_adding(void **state)
{
	struct fixture f;
	struct workers *workers;
	struct piece pieces[20];

	(void)state;
	use_one_cpu();
	workers = new_workers(&f, false);
	n_ran = 0;
	for (size_t i = 0; i < 20; i++) {
		pieces[i] = new_piece(NULL);
		assert_int_equal(workers_add(workers, &pieces[i].work), 0);
	}
	run_until(f.loop, &pieces[19].done);
	for (int i = 0; i < 20; i++) {
		assert_true(pieces[i].done);
		assert_int_equal(pieces[i].number, i);
	}
	end(&f);
}

static void what_is_queued_can_be_taken_back(void **state)
{
	struct fixture f;
	struct workers *workers;
	struct piece first, second, third;
	sem_t gate;

	(void)state;
	use_one_cpu();
	sem_init(&gate, 0, 0);
	workers = new_workers(&f, false);
	first = new_piece(&gate);
	second = new_piece(NULL);
	third = new_piece(NULL);
	assert_int_equal(workers_add(workers, &first.work), 0);
	wait_until_running(&first);
	assert_int_equal(workers_add(workers, &second.work), 0);
	assert_int_equal(workers_add(workers, &third.work), 0);
	assert_true(workers_cancel(workers, &second.work));
	/* What runs cannot. */
	assert_false(workers_cancel(workers, &first.work));
	sem_post(&gate);
	run_until(f.loop, &third.done);
	assert_true(first.done);
	assert_false(second.ran);
	assert_false(second.done);
	/* Nor is what is over in the way. */
	assert_true(workers_cancel(workers, &first.work));
	end(&f);
}

static void *open_gate_later(void *gate)
{
	usleep(50000);
	sem_post(gate);
	return NULL;
}

static void one_can_wait_for_what_is_running(void **state)
{
	struct fixture f;
	struct workers *workers = new_workers(&f, false);
	struct piece piece;
	pthread_t opener;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	piece = new_piece(&gate);
	assert_int_equal(workers_add(workers, &piece.work), 0);
	wait_until_running(&piece);
	assert_int_equal(pthread_create(&opener, NULL, open_gate_later, &gate),
			 0);
	workers_cancel_wait(workers, &piece.work);
	assert_true(piece.ran);
	run_for(f.loop, 20);
	assert_false(piece.done);
	pthread_join(opener, NULL);
	end(&f);
}

static void the_end_gives_everything_back(void **state)
{
	struct fixture f;
	struct workers *workers;
	struct piece running, queued;
	pthread_t opener;
	sem_t gate;

	(void)state;
	use_one_cpu();
	sem_init(&gate, 0, 0);
	workers = new_workers(&f, false);
	running = new_piece(&gate);
	queued = new_piece(NULL);
	assert_int_equal(workers_add(workers, &running.work), 0);
	wait_until_running(&running);
	assert_int_equal(workers_add(workers, &queued.work), 0);
	assert_int_equal(pthread_create(&opener, NULL, open_gate_later, &gate),
			 0);
	end(&f);
	assert_true(running.ran && running.done);
	assert_true(!queued.ran && queued.done);
	pthread_join(opener, NULL);
}

/* The pool and what runs stay, and so does the event loop's other work. */
static void the_end_of_a_process_waits_for_nobody(void **state)
{
	struct fixture f;
	struct workers *workers;
	struct piece running;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	running = new_piece(&gate);
	workers = new_workers(&f, false);
	assert_int_equal(workers_add(workers, &running.work), 0);
	wait_until_running(&running);
	assert_false(workers_end(workers));
	assert_false(running.ran);
	assert_false(running.done);
	/* This process goes on, and clears up after all. */
	sem_post(&gate);
	workers_free(workers);
	assert_true(running.ran && running.done);
	loop_free(f.loop);

	workers = new_workers(&f, false);
	assert_true(workers_end(workers));
	loop_free(f.loop);
	sem_destroy(&gate);
}

/* --- What threads are like ----------------------------------------------- */

static sigset_t blocked;
static int niceness;

static void look_around(struct work *work)
{
	(void)work;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	niceness = getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void look_from(bool background)
{
	struct fixture f;
	struct workers *workers = new_workers(&f, background);
	struct piece piece = { .work = { .run = look_around, .done = done } };

	assert_int_equal(workers_add(workers, &piece.work), 0);
	run_until(f.loop, &piece.done);
	end(&f);
}

static void signals_do_not_reach_them(void **state)
{
	(void)state;
	look_from(false);
	assert_true(sigismember(&blocked, SIGTERM));
	assert_true(sigismember(&blocked, SIGUSR1));
	assert_true(sigismember(&blocked, SIGCHLD));
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	assert_false(sigismember(&blocked, SIGTERM));
}

static void those_in_the_background_are_nice(void **state)
{
	int before = getpriority(PRIO_PROCESS, 0);

	(void)state;
	look_from(false);
	assert_int_equal(niceness, before);
	look_from(true);
	assert_true(niceness > before || before >= 10);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_work_no_threads),
		cmocka_unit_test(
			work_is_done_elsewhere_and_comes_back_to_the_loop),
		cmocka_unit_test(there_are_no_more_threads_than_cpus),
		cmocka_unit_test(signals_do_not_reach_them),
		cmocka_unit_test(those_in_the_background_are_nice),
		/* From here on with one CPU. */
		cmocka_unit_test(work_is_begun_in_the_order_of_adding),
		cmocka_unit_test(what_is_queued_can_be_taken_back),
		cmocka_unit_test(one_can_wait_for_what_is_running),
		cmocka_unit_test(the_end_gives_everything_back),
		cmocka_unit_test(the_end_of_a_process_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
