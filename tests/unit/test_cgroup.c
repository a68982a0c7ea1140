// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ne-emu/cgroup.h"

#define LIMIT (32 << 20)

/* A process that touches so much memory when it is told to, then ends. */
struct eater {
	pid_t pid;
	int go;
};

static struct eater start_eater(size_t size)
{
	struct eater eater;
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	eater.pid = fork();
	if (eater.pid == 0) {
		close(ends[1]);
		(void)!read(ends[0], &byte, 1);
		memset(mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		       1, size);
		_exit(0);
	}
	close(ends[0]);
	eater.go = ends[1];
	return eater;
}

static int let_it_eat(struct eater *eater)
{
	int status;

	close(eater->go);
	assert_int_equal(waitpid(eater->pid, &status, 0), eater->pid);
	return status;
}

static struct cgroup *make_group(const struct eater *eater)
{
	const char *why;
	struct cgroup *cgroup = cgroup_new("test", LIMIT, eater->pid, &why);

	assert_non_null(cgroup);
	return cgroup;
}

/* The folder of the group that a process is in, by /proc. */
static void group_of(pid_t pid, char *name, size_t size)
{
	char path[64], line[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	name[0] = '\0';
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "0::", 3) == 0)
			snprintf(name, size, "%s", line + 3);
	fclose(file);
}

static void a_process_is_put_into_a_group_of_its_own(void **state)
{
	struct eater eater = start_eater(1 << 20);
	struct cgroup *cgroup = make_group(&eater);
	char name[PATH_MAX], wanted[64];

	(void)state;
	group_of(eater.pid, name, sizeof(name));
	snprintf(wanted, sizeof(wanted), "/ne-%d-test\n", getpid());
	assert_non_null(strstr(name, wanted));
	assert_int_equal(let_it_eat(&eater), 0);
	assert_false(cgroup_ran_out(cgroup));
	cgroup_free(cgroup);
	/* It is gone: one of the same name can be made. */
	eater = start_eater(1 << 20);
	cgroup = make_group(&eater);
	let_it_eat(&eater);
	cgroup_free(cgroup);
}

static void
who_takes_more_than_the_limit_is_killed_and_that_is_known(void **state)
{
	struct eater eater = start_eater(4 * (size_t)LIMIT);
	struct cgroup *cgroup = make_group(&eater);

	(void)state;
	assert_int_equal(let_it_eat(&eater), SIGKILL);
	assert_true(cgroup_ran_out(cgroup));
	cgroup_free(cgroup);
}

static void no_group_has_not_run_out(void **state)
{
	(void)state;
	assert_false(cgroup_ran_out(NULL));
	cgroup_free(NULL);
}

/* NULL if groups can be made here, else why not. */
static const char *reason_to_skip(void)
{
	const char *why = NULL;
	struct eater eater = start_eater(1 << 20);
	struct cgroup *cgroup = cgroup_new("probe", LIMIT, eater.pid, &why);

	let_it_eat(&eater);
	if (!cgroup)
		return why ?: "";
	cgroup_free(cgroup);
	return NULL;
}

int main(void)
{
	const char *reason = reason_to_skip();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_put_into_a_group_of_its_own),
		cmocka_unit_test(
			who_takes_more_than_the_limit_is_killed_and_that_is_known),
		cmocka_unit_test(no_group_has_not_run_out),
	};

	if (reason) {
		printf("1..0 # SKIP %s\n", reason);
		return *reason ? 0 : 1; /* a reason must be given */
	}
	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
