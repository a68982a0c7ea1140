// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the cases, one process each, and says on stdout in TAP how they went.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

#define POOL_FILE "/sys/module/nitro_enclaves/parameters/ne_cpus"
#define CASE_SECONDS 60

/* How a case's process ends when the case does not just return. */
#define EXIT_FAILED 1
#define EXIT_SKIPPED 77

struct suite_config suite = {
	.threads_per_core = 2,
	.enclave_mem_mib = 64,
};

static const struct test_group *const groups[] = {
	&device_cases, &vcpu_cases,  &load_info_cases,
	&memory_cases, &start_cases, &end_cases,
};

/* Where a case leaves its last words for the one who reports them. */
static int last_words = -1;

static void leave(int status, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0), noreturn));

static void leave(int status, const char *format, va_list arguments)
{
	vdprintf(last_words, format, arguments);
	fflush(stdout);
	_exit(status);
}

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	leave(EXIT_FAILED, format, arguments);
}

void skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	leave(EXIT_SKIPPED, format, arguments);
}

static const char *answer(char *text, size_t size, long value)
{
	if (value < 0)
		snprintf(text, size, "%s", error_name(value));
	else
		snprintf(text, size, "%ld", value);
	return text;
}

/* Without the folders that the compiler was told of. */
static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void expect_true_at(const char *file, int line, const char *what, bool holds)
{
	if (!holds)
		fail("%s:%d: not so: %s", file_name(file), line, what);
}

void expect_at(const char *file, int line, const char *what, long actual,
	       long expected)
{
	char is[64];
	char should[64];

	if (actual == expected)
		return;
	fail("%s:%d: %s is %s, not %s", file_name(file), line, what,
	     answer(is, sizeof(is), actual),
	     answer(should, sizeof(should), expected));
}

/* --- The pool ---------------------------------------------------------------- */

static void pool_add(unsigned long first, unsigned long last)
{
	for (unsigned long cpu = first; cpu <= last; cpu++)
		if (suite.pool_size < MAX_CPUS)
			suite.pool[suite.pool_size++] = (uint32_t)cpu;
}

/* "2-5,8,10-11", the cpu-list of the kernel's documentation. */
static void read_pool(void)
{
	char list[4096];
	FILE *file = fopen(POOL_FILE, "re");
	char *at = list;

	if (!file || !fgets(list, sizeof(list), file)) {
		fprintf(stderr,
			"conformance: cannot read the CPU pool from %s: %m\n",
			POOL_FILE);
		exit(2);
	}
	fclose(file);
	while (*at >= '0' && *at <= '9') {
		unsigned long first = strtoul(at, &at, 10);
		unsigned long last = first;

		if (*at == '-')
			last = strtoul(at + 1, &at, 10);
		pool_add(first, last);
		if (*at == ',')
			at++;
	}
}

/* --- Running ----------------------------------------------------------------- */

/* Why the case cannot be run here, or NULL. */
static const char *unmet(const struct test_case *test)
{
	unsigned int cores = test->cores ? test->cores : 1;

	if ((test->needs & NEEDS_IMAGE) && !suite.image)
		return "needs an image to boot (--image)";
	if ((test->needs & NEEDS_STRICT) && !suite.strict)
		return "needs a device that wants huge pages (--strict)";
	if ((test->needs & NEEDS_LENIENT) && suite.strict)
		return "this device wants huge pages";
	if ((test->needs & NEEDS_OTHER_NODE) != 0 && !suite.other_node)
		return "needs a pool on a NUMA node without memory (--other-node)";
	if ((test->needs & NEEDS_MAX_REGIONS) && !suite.max_mem_regions)
		return "the limit of memory regions is not known (--max-mem-regions)";
	if ((test->needs & NEEDS_SIBLINGS) && suite.threads_per_core < 2)
		return "cores have one thread here";
	if ((test->needs & NEEDS_CPUS_KNOWN) && !suite.cpus)
		return "the number of CPUs is not known (--cpus)";
	/*
	 * What the case is about would come after the check of the NUMA node,
	 * or of the number of regions.
	 */
	if (suite.other_node && !(test->needs & NEEDS_OTHER_NODE))
		return "no memory is good enough for a pool on another NUMA node";
	if (suite.max_mem_regions && !(test->needs & NEEDS_MAX_REGIONS))
		return "run where memory regions are not scarce";
	if (pool_cores() < cores)
		return "the pool has too few cores";
	return NULL;
}

static void run_in_child(const struct test_case *test, int words)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	last_words = words;
	signal(SIGPIPE, SIG_IGN);
	alarm(CASE_SECONDS);
	test->run();
	fflush(stdout);
	_exit(0);
}

/* One line, whatever the case had to say. */
static void read_words(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	while (length < size - 1 &&
	       (got = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\n' || text[i] == '#')
			text[i] = ' ';
}

static bool report(unsigned int number, const struct test_case *test,
		   int status, const char *words)
{
	bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		printf("ok %u - %s # SKIP %s\n", number, test->name, words);
		return true;
	}
	printf("%s %u - %s", passed ? "ok" : "not ok", number, test->name);
	if (test->known_difference && !passed)
		printf(" # TODO %s", test->known_difference);
	printf("\n");
	if (passed)
		return true;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("# still waiting after %d seconds\n", CASE_SECONDS);
	else if (WIFSIGNALED(status))
		printf("# killed by signal %d\n", WTERMSIG(status));
	else
		printf("# %s\n", words);
	return test->known_difference != NULL;
}

static bool run_case(unsigned int number, const struct test_case *test)
{
	const char *reason = unmet(test);
	char words[1024];
	int words_pipe[2];
	int status;
	pid_t pid;

	if (reason) {
		printf("ok %u - %s # SKIP %s\n", number, test->name, reason);
		return true;
	}
	if (suite.transcript)
		printf("# %s\n", test->name);
	fflush(stdout);
	if (pipe(words_pipe) < 0 || (pid = fork()) < 0) {
		perror("conformance");
		exit(2);
	}
	if (pid == 0)
		run_in_child(test, words_pipe[1]);
	close(words_pipe[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	read_words(words_pipe[0], words, sizeof(words));
	close(words_pipe[0]);
	return report(number, test, status, words);
}

static bool is_chosen(const struct test_case *test, char *const *wanted)
{
	if (suite.omit_unmet && unmet(test))
		return false;
	if (!*wanted)
		return true;
	for (; *wanted; wanted++)
		if (strstr(test->name, *wanted))
			return true;
	return false;
}

static unsigned int count_chosen(char *const *wanted)
{
	unsigned int count = 0;

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (size_t i = 0; i < groups[g]->count; i++)
			count += is_chosen(&groups[g]->cases[i], wanted);
	return count;
}

static bool run_chosen(char *const *wanted)
{
	bool all_well = true;
	unsigned int number = 0;

	printf("1..%u\n", count_chosen(wanted));
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (size_t i = 0; i < groups[g]->count; i++) {
			const struct test_case *test = &groups[g]->cases[i];

			if (is_chosen(test, wanted) &&
			    !run_case(++number, test))
				all_well = false;
		}
	return all_well;
}

/* --- Options ----------------------------------------------------------------- */

static const char usage[] =
	"usage: conformance [options] [PART OF A CASE'S NAME...]\n"
	"  --image EIF             an image around this suite's init\n"
	"  --threads-per-core N    siblings have adjacent numbers (2)\n"
	"  --cpus N                CPUs of the machine, the pool included\n"
	"  --mem MIB               memory of an enclave that boots (64)\n"
	"  --strict                only huge pages are good memory\n"
	"  --other-node            all memory is on another NUMA node\n"
	"  --max-mem-regions N     what a slot takes\n"
	"  --omit-unmet            leave out what other options would allow\n"
	"  --transcript            print every call\n"
	"  --list                  print the cases' names\n";

enum option_code {
	OPTION_IMAGE = 1,
	OPTION_THREADS,
	OPTION_CPUS,
	OPTION_MEM,
	OPTION_STRICT,
	OPTION_OTHER_NODE,
	OPTION_MAX_REGIONS,
	OPTION_OMIT_UNMET,
	OPTION_TRANSCRIPT,
	OPTION_LIST,
	OPTION_HELP,
	OPTION_AFTER_EXEC,
};

static const struct option options[] = {
	{ "image", required_argument, NULL, OPTION_IMAGE },
	{ "threads-per-core", required_argument, NULL, OPTION_THREADS },
	{ "cpus", required_argument, NULL, OPTION_CPUS },
	{ "mem", required_argument, NULL, OPTION_MEM },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "other-node", no_argument, NULL, OPTION_OTHER_NODE },
	{ "max-mem-regions", required_argument, NULL, OPTION_MAX_REGIONS },
	{ "omit-unmet", no_argument, NULL, OPTION_OMIT_UNMET },
	{ "transcript", no_argument, NULL, OPTION_TRANSCRIPT },
	{ "list", no_argument, NULL, OPTION_LIST },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "after-exec", required_argument, NULL, OPTION_AFTER_EXEC },
	{ 0 },
};

static void list_cases(void)
{
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (size_t i = 0; i < groups[g]->count; i++)
			puts(groups[g]->cases[i].name);
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value == 0 || value > 65536) {
		fprintf(stderr,
			"conformance: %s is not a number from 1 to 65536\n",
			text);
		exit(2);
	}
	return (unsigned int)value;
}

static void set_option(int code)
{
	switch (code) {
	case OPTION_IMAGE:
		suite.image = optarg;
		break;
	case OPTION_THREADS:
		suite.threads_per_core = number(optarg);
		break;
	case OPTION_CPUS:
		suite.cpus = number(optarg);
		break;
	case OPTION_MEM:
		suite.enclave_mem_mib = number(optarg);
		break;
	case OPTION_STRICT:
		suite.strict = true;
		break;
	case OPTION_OTHER_NODE:
		suite.other_node = true;
		break;
	case OPTION_MAX_REGIONS:
		suite.max_mem_regions = number(optarg);
		break;
	case OPTION_OMIT_UNMET:
		suite.omit_unmet = true;
		break;
	case OPTION_TRANSCRIPT:
		suite.transcript = true;
		break;
	case OPTION_LIST:
		list_cases();
		exit(0);
	case OPTION_HELP:
		fputs(usage, stdout);
		exit(0);
	case OPTION_AFTER_EXEC:
		exit(after_exec(optarg));
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	int code;

	while ((code = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(code);
	read_pool();
	return run_chosen(argv + optind) ? 0 : 1;
}
