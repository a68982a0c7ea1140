// SPDX-License-Identifier: Apache-2.0
/*
 * Times ne-run against the floor; see bench/boot, which prepares everything.
 *
 *	time-boot [-n RUNS] [-v] NE_RUN IMAGE RAMDISK FOLDER
 *
 * Theory of operation
 *
 * Two ways of getting the init of one ramdisk to its first action take turns,
 * so that what else the machine does hits both alike:
 *
 * ne-run	from just before ne-run is forked and executed until its event
 *		"booted" is read from its stdout (--json). It writes that event
 *		when it has the heartbeat.
 * the floor	from just before a process is cloned into fresh namespaces
 *		until the pipe from its init has something to read. In between
 *		it mounts a tmpfs, has bsdtar unpack the ramdisk there, makes
 *		that its root and executes init: the least that a boot like
 *		ne-run's, out of stock parts, has to do.
 *
 * The kernel takes namespaces and memory apart after their processes are
 * gone, hence the pause before each run.
 *
 * With -v more runs follow, of which the steps are timed: those of ne-run by
 * when the lines that it and ne-emu print arrive here, through a shell script
 * in place of ne-emu that makes it talk. These runs are slower.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/samples.h"
#include "libne/cleanup.h"

#define PAUSE_US 50000
#define WARM_UP_RUNS 2
#define TARGET 1.3

struct setup {
	unsigned int runs;
	bool verbose;
	const char *ne_run;
	const char *image;
	const char *ramdisk;
	const char *folder;	  /* for the floor's tmpfs, and for files */
	char loud_emu[PATH_MAX];  /* what makes ne-emu talk */
	char complaint[PATH_MAX]; /* what a failed run has said */
};

extern char **environ;

/* --- ne-run -------------------------------------------------------------- */

/* A line of ne-run's or ne-emu's, and what has been done when it comes. */
static const struct step {
	const char *key;
	const char *text;
} steps[] = {
	{ "emulating", "ne-run checks the image, finds no device" },
	{ "ae22: done", "ne-emu starts, and ne-run under it; an enclave" },
	{ "ae23: done", "the image into its memory (NE_SET_USER_MEMORY_...)" },
	{ "ae24: done", "ne-emu takes and checks it (NE_START_ENCLAVE)" },
	{ "init began at ", "ramdisks unpacked, init executed" },
	{ "\"booted\"", "heartbeat" },
};

/* When, since the start; 0: not yet. */
struct times {
	int64_t steps[ARRAY_SIZE(steps)];
};

static void note_line(struct times *times, int64_t start, const char *line)
{
	const char *key;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		key = strstr(line, steps[i].key);
		if (!key || times->steps[i])
			continue;
		times->steps[i] = now_ns() - start;
		/* The only one that tells itself when it was. */
		key += strlen(steps[i].key);
		if (key[-1] == ' ')
			times->steps[i] = strtoll(key, NULL, 10) - start;
	}
}

static bool has_booted(const struct times *times)
{
	return times->steps[ARRAY_SIZE(steps) - 1];
}

/* Until ne-run and all that has its stdout are gone. */
static void read_lines(int from, struct times *times, int64_t start)
{
	FILE *stream = fdopen(from, "r");
	char line[1024];

	if (!stream)
		err(1, "fdopen");
	while (fgets(line, sizeof(line), stream))
		note_line(times, start, line);
	fclose(stream);
}

static void show_complaint(const struct setup *setup)
{
	cleanup_fclose FILE *file = fopen(setup->complaint, "re");
	char line[1024];

	while (file && fgets(line, sizeof(line), file))
		fputs(line, stderr);
}

static void run_ne_run(const struct setup *setup, bool loud,
		       struct times *times)
{
	const char *quiet_argv[] = { setup->ne_run, "--emulate=auto",
				     "--json",	    "--cpus=2",
				     "--mem=512",   setup->image,
				     NULL };
	const char *loud_argv[] = { setup->ne_run, "--emulate=auto", "--json",
				    "--cpus=2",	   "--mem=512",	     "-v",
				    "--console",   setup->image,     NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status;
	int64_t start;
	pid_t pid;

	*times = (struct times){ 0 };
	if (pipe2(ends, O_CLOEXEC))
		err(1, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	if (loud)
		posix_spawn_file_actions_adddup2(&actions, ends[1],
						 STDERR_FILENO);
	else
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO,
						 setup->complaint,
						 O_WRONLY | O_CREAT | O_TRUNC,
						 0600);
	if (loud)
		setenv("NE_EMU", setup->loud_emu, 1);
	start = now_ns();
	errno = posix_spawn(&pid, setup->ne_run, &actions, NULL,
			    (char **)(loud ? loud_argv : quiet_argv), environ);
	if (errno)
		err(1, "%s", setup->ne_run);
	close(ends[1]);
	read_lines(ends[0], times, start);
	waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&actions);
	if (loud)
		unsetenv("NE_EMU");
	if (!has_booted(times) || status) {
		show_complaint(setup);
		errx(1, "ne-run did not boot %s", setup->image);
	}
}

/* --- The floor ----------------------------------------------------------- */

/* What its pipe says one after the other: a time each. */
static const char *const floor_steps[] = {
	"namespaces and a tmpfs",
	"bsdtar",
	"init executed",
};

struct floor_times {
	int64_t steps[ARRAY_SIZE(floor_steps)];
	int64_t end;
};

static void write_file(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
}

/* The user is root of his namespace, as under unshare --map-root-user. */
static void map_root(uid_t uid, gid_t gid)
{
	char map[64];

	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
}

static void unpack(const struct setup *setup)
{
	const char *argv[] = { "bsdtar", "-xf",		setup->ramdisk,
			       "-C",	 setup->folder, NULL };
	int status;
	pid_t pid;

	errno = posix_spawnp(&pid, "bsdtar", NULL, NULL, (char **)argv,
			     environ);
	if (errno)
		err(1, "bsdtar");
	if (waitpid(pid, &status, 0) < 0 || status)
		errx(1, "bsdtar failed");
}

static void tell_time(int to)
{
	int64_t now = now_ns();

	if (write(to, &now, sizeof(now)) != sizeof(now))
		_exit(1);
}

static _Noreturn void floor_child(const struct setup *setup, int to, uid_t uid,
				  gid_t gid)
{
	char number[16];

	if (uid)
		map_root(uid, gid);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", setup->folder, "tmpfs", 0, "size=512m"))
		err(1, "mount");
	tell_time(to);
	unpack(setup);
	tell_time(to);
	if (chdir(setup->folder) || chroot("."))
		err(1, "chroot");
	fcntl(to, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", to);
	execl("/init", "/init", "--pipe", number, (char *)NULL);
	err(1, "/init");
}

static void run_floor(const struct setup *setup, struct floor_times *times)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
			 CLONE_NEWIPC | CLONE_NEWUTS,
		.exit_signal = SIGCHLD,
	};
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int ends[2], status;
	int64_t start;
	long pid;

	if (uid)
		args.flags |= CLONE_NEWUSER;
	if (pipe2(ends, O_CLOEXEC))
		err(1, "pipe");
	start = now_ns();
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		err(1, "cannot make namespaces");
	if (pid == 0)
		floor_child(setup, ends[1], uid, gid);
	close(ends[1]);
	for (size_t i = 0; i < ARRAY_SIZE(floor_steps); i++) {
		if (read(ends[0], &times->steps[i], sizeof(int64_t)) !=
		    sizeof(int64_t))
			errx(1, "the floor's init has not begun");
		times->end = now_ns() - start;
		times->steps[i] -= start;
	}
	close(ends[0]);
	waitpid((pid_t)pid, &status, 0);
}

/* --- Taking turns -------------------------------------------------------- */

static void print_row(const char *name, struct samples *samples)
{
	printf("  %-10s %9.1f %9.1f %9.1f %9.1f\n", name,
	       samples_quantile(samples, 0.5), samples_quantile(samples, 0),
	       samples_quantile(samples, 0.25),
	       samples_quantile(samples, 0.75));
}

static void compare(const struct setup *setup)
{
	static struct samples ours, theirs;
	struct floor_times floor_times;
	struct times times;
	double ratio;

	for (unsigned int i = 0; i < setup->runs + WARM_UP_RUNS; i++) {
		usleep(PAUSE_US);
		run_ne_run(setup, false, &times);
		usleep(PAUSE_US);
		run_floor(setup, &floor_times);
		if (i < WARM_UP_RUNS)
			continue;
		samples_add(&ours,
			    (double)times.steps[ARRAY_SIZE(steps) - 1] / 1e6);
		samples_add(&theirs, (double)floor_times.end / 1e6);
	}
	printf("  %-10s %9s %9s %9s %9s   (ms, %u runs each)\n", "", "median",
	       "least", "1st qu.", "3rd qu.", setup->runs);
	print_row("ne-run", &ours);
	print_row("floor", &theirs);
	ratio = samples_quantile(&ours, 0.5) / samples_quantile(&theirs, 0.5);
	printf("  ne-run takes %.2f times the floor (of the least times: %.2f);"
	       " target: at most %.1f, %s\n",
	       ratio, samples_quantile(&ours, 0) / samples_quantile(&theirs, 0),
	       TARGET, ratio <= TARGET ? "met" : "MISSED");
}

/* --- The steps ----------------------------------------------------------- */

/* A shell script instead of ne-emu: with the options that make it talk. */
static void make_loud_emu(struct setup *setup)
{
	cleanup_fclose FILE *file = NULL;
	char real[PATH_MAX], *slash;
	const char *emulator = getenv("NE_EMU");

	if (!realpath(setup->ne_run, real))
		err(1, "%s", setup->ne_run);
	slash = strrchr(real, '/');
	*slash = '\0';
	snprintf(setup->loud_emu, sizeof(setup->loud_emu), "%s.emu",
		 setup->folder);
	file = fopen(setup->loud_emu, "we");
	if (!file)
		err(1, "%s", setup->loud_emu);
	if (emulator)
		fprintf(file, "#!/bin/sh\nshift\nexec '%s' run -vv \"$@\"\n",
			emulator);
	else
		fprintf(file,
			"#!/bin/sh\nshift\nexec '%s/../ne-emu/ne-emu' run -vv "
			"\"$@\"\n",
			real);
	fchmod(fileno(file), 0700);
}

static void print_steps(const char *title, const char *const *texts,
			struct samples *samples, size_t count)
{
	double before = 0;

	printf("  %s\n", title);
	for (size_t i = 0; i < count; i++) {
		double median = samples_quantile(&samples[i], 0.5);

		printf("    %8.1f  +%6.1f  %s\n", median, median - before,
		       texts[i]);
		before = median;
	}
}

static void show_steps(struct setup *setup)
{
	static struct samples ours[ARRAY_SIZE(steps)];
	static struct samples theirs[ARRAY_SIZE(floor_steps)];
	const char *texts[ARRAY_SIZE(steps)];
	struct floor_times floor_times;
	struct times times;

	make_loud_emu(setup);
	for (unsigned int i = 0; i < setup->runs; i++) {
		usleep(PAUSE_US);
		run_ne_run(setup, true, &times);
		for (size_t j = 0; j < ARRAY_SIZE(steps); j++)
			samples_add(&ours[j], (double)times.steps[j] / 1e6);
		usleep(PAUSE_US);
		run_floor(setup, &floor_times);
		for (size_t j = 0; j < ARRAY_SIZE(floor_steps); j++)
			samples_add(&theirs[j],
				    (double)floor_times.steps[j] / 1e6);
	}
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		texts[i] = steps[i].text;
	print_steps("ne-run, step by step (ms since its start; made to talk, "
		    "so slower)",
		    texts, ours, ARRAY_SIZE(steps));
	print_steps("the floor, step by step", floor_steps, theirs,
		    ARRAY_SIZE(floor_steps));
}

int main(int argc, char **argv)
{
	static struct setup setup = { .runs = 15 };
	int option;

	while ((option = getopt(argc, argv, "n:v")) != -1) {
		if (option == 'n')
			setup.runs = parse_count(optarg, SAMPLES_MAX);
		else if (option == 'v')
			setup.verbose = true;
		else
			return 2;
	}
	if (argc - optind != 4)
		errx(2, "usage: time-boot [-n RUNS] [-v] NE_RUN IMAGE RAMDISK "
			"FOLDER");
	setup.ne_run = argv[optind];
	setup.image = argv[optind + 1];
	setup.ramdisk = argv[optind + 2];
	setup.folder = argv[optind + 3];
	snprintf(setup.complaint, sizeof(setup.complaint), "%s.complaint",
		 setup.folder);
	compare(&setup);
	if (setup.verbose)
		show_steps(&setup);
	return 0;
}
