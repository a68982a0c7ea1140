// SPDX-License-Identifier: Apache-2.0
/*
 * What the trap costs; see bench/trap.
 *
 *	time-trap [-n ROUNDS] NE_EMU TRAP_LOAD
 *
 * Theory of operation
 *
 * Each round runs each load (trap-load.c) as it is, with an empty seccomp
 * filter, and under the trap, one after the other, so that what else the
 * machine does hits all alike. Other work on the machine only ever makes a
 * load slower: the least time of all rounds is what is compared, and the
 * median is shown to tell how much of it there was.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/samples.h"
#include "libne/cleanup.h"

#define TARGET_PERCENT 2.0

enum way { PLAIN, EMPTY_FILTER, TRAPPED, N_WAYS };

struct setup {
	unsigned int rounds;
	const char *ne_emu;
	const char *trap_load;
};

struct load {
	const char *kind;
	const char *count;
	const char *text;
	bool trapped; /* by the trap, or only passing its filter */
	bool plain;   /* can be done without the trap */
	struct samples ns[N_WAYS];
};

static struct load loads[] = {
	{ .kind = "getppid",
	  .count = "1000000",
	  .text = "getppid(), which does nothing",
	  .plain = true },
	{ .kind = "write",
	  .count = "1000000",
	  .text = "write() of a byte to /dev/null",
	  .plain = true },
	{ .kind = "pread",
	  .count = "1000000",
	  .text = "pread() of 4 KiB that are cached",
	  .plain = true },
	{ .kind = "pread-and-hash",
	  .count = "1000000",
	  .text = "a program that hashes them, too",
	  .plain = true },
	{ .kind = "open",
	  .count = "1000",
	  .text = "open() and close() of an ordinary file",
	  .trapped = true,
	  .plain = true },
	{ .kind = "foreign-ioctl",
	  .count = "1000",
	  .text = "an ioctl() of that number, not ours",
	  .trapped = true,
	  .plain = true },
	{ .kind = "ioctl",
	  .count = "1000",
	  .text = "an ioctl() that ne-emu answers",
	  .trapped = true },
};

/* Of the table above: nothing but calls, and something with them. */
#define CHEAPEST 0
#define PROGRAM 3

extern char **environ;

static double read_number(int from, const char *what)
{
	char text[64];
	ssize_t size = 0, n;

	while ((n = read(from, text + size, sizeof(text) - 1 - (size_t)size)) >
	       0)
		size += n;
	text[size] = '\0';
	if (size == 0)
		errx(1, "%s printed nothing", what);
	return strtod(text, NULL);
}

/* Nanoseconds of one call. */
static double run(const struct setup *setup, const struct load *load,
		  enum way way)
{
	const char *argv[8];
	posix_spawn_file_actions_t actions;
	int ends[2], status, n = 0;
	double total;
	pid_t pid;

	if (way == TRAPPED) {
		argv[n++] = setup->ne_emu;
		argv[n++] = "run";
		argv[n++] = "-q";
		argv[n++] = "--";
	}
	argv[n++] = setup->trap_load;
	if (way == EMPTY_FILTER)
		argv[n++] = "-f";
	argv[n++] = load->kind;
	argv[n++] = load->count;
	argv[n] = NULL;
	if (pipe2(ends, O_CLOEXEC))
		err(1, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	errno = posix_spawn(&pid, argv[0], &actions, NULL, (char **)argv,
			    environ);
	if (errno)
		err(1, "%s", argv[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	total = read_number(ends[0], argv[0]);
	close(ends[0]);
	waitpid(pid, &status, 0);
	if (status)
		errx(1, "%s failed", argv[0]);
	return total / strtod(load->count, NULL);
}

static void run_round(const struct setup *setup)
{
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		struct load *load = &loads[i];

		if (load->plain)
			samples_add(&load->ns[PLAIN], run(setup, load, PLAIN));
		if (!load->trapped)
			samples_add(&load->ns[EMPTY_FILTER],
				    run(setup, load, EMPTY_FILTER));
		samples_add(&load->ns[TRAPPED], run(setup, load, TRAPPED));
	}
}

static double least(struct load *load, enum way way)
{
	return samples_quantile(&load->ns[way], 0);
}

static double median(struct load *load, enum way way)
{
	return samples_quantile(&load->ns[way], 0.5);
}

static double percent_more(double than, double value)
{
	return (value / than - 1) * 100;
}

static void print_untrapped(void)
{
	printf("\ncalls that are not trapped, a million each: ns per call, "
	       "least (median)\n"
	       "  %-34s %13s %13s %13s\n",
	       "", "alone", "empty filter", "ne-emu run");
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		struct load *load = &loads[i];

		if (load->trapped)
			continue;
		printf("  %-34s", load->text);
		for (enum way way = PLAIN; way < N_WAYS; way++)
			printf(" %5.0f (%5.0f)", least(load, way),
			       median(load, way));
		printf("  %+.1f %%, of which any filter costs %+.1f %%\n",
		       percent_more(least(load, PLAIN), least(load, TRAPPED)),
		       percent_more(least(load, PLAIN),
				    least(load, EMPTY_FILTER)));
	}
}

static void print_trapped(void)
{
	printf("\ncalls that are trapped, 1,000 each: us per call, "
	       "least (median)\n"
	       "  %-38s %15s %15s\n",
	       "", "alone", "ne-emu run");
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		struct load *load = &loads[i];

		if (!load->trapped)
			continue;
		printf("  %-38s", load->text);
		if (load->plain)
			printf(" %6.2f (%6.2f)", least(load, PLAIN) / 1e3,
			       median(load, PLAIN) / 1e3);
		else
			printf(" %15s", "");
		printf(" %6.2f (%6.2f)", least(load, TRAPPED) / 1e3,
		       median(load, TRAPPED) / 1e3);
		if (load->plain)
			printf("  %.1f times",
			       least(load, TRAPPED) / least(load, PLAIN));
		putchar('\n');
	}
}

static void print_verdict(void)
{
	double cheapest = percent_more(least(&loads[CHEAPEST], PLAIN),
				       least(&loads[CHEAPEST], TRAPPED));
	double program = percent_more(least(&loads[PROGRAM], PLAIN),
				      least(&loads[PROGRAM], TRAPPED));

	printf("\nThe trap costs a program that makes its million calls and "
	       "nothing else %.1f %%; target: under %.0f %%, %s.\n"
	       "That is %.0f ns a call; an empty filter, the least that the "
	       "kernel has, takes %.0f ns.\n"
	       "One that does something with its calls pays %.1f %%.\n",
	       cheapest, TARGET_PERCENT,
	       cheapest < TARGET_PERCENT ? "met" : "MISSED",
	       least(&loads[CHEAPEST], TRAPPED) -
		       least(&loads[CHEAPEST], PLAIN),
	       least(&loads[CHEAPEST], EMPTY_FILTER) -
		       least(&loads[CHEAPEST], PLAIN),
	       program);
}

int main(int argc, char **argv)
{
	struct setup setup = { .rounds = 9 };
	int option;

	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			return 2;
		setup.rounds = parse_count(optarg, SAMPLES_MAX);
	}
	if (argc - optind != 2)
		errx(2, "usage: time-trap [-n ROUNDS] NE_EMU TRAP_LOAD");
	setup.ne_emu = argv[optind];
	setup.trap_load = argv[optind + 1];
	for (unsigned int i = 0; i < setup.rounds; i++)
		run_round(&setup);
	printf("bench/trap: what ne-emu run costs a program (%u rounds)\n",
	       setup.rounds);
	print_untrapped();
	print_trapped();
	print_verdict();
	return 0;
}
