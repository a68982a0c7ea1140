// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ne/error.h>

#include "plumbing/claim.h"

static char folder[PATH_MAX];
static int runtime;

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int make_runtime(void **state)
{
	char path[PATH_MAX];
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/claim.XXXXXX", tmp ?: "/tmp");
	if (!mkdtemp(folder))
		return -1;
	unsetenv("XDG_RUNTIME_DIR");
	setenv("NE_RUNTIME_DIR", folder, 1);
	runtime = runtime_open(path, sizeof(path), NULL);
	return runtime < 0 ? -1 : 0;
}

static int remove_runtime(void **state)
{
	(void)state;
	close(runtime);
	return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A process that takes a claim, says so, and keeps it until it is killed. */
static pid_t start_holder(const char *kind, uint64_t number)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		byte = claim_take(runtime, kind, number) >= 0;
		(void)!write(ends[1], &byte, 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void end_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_claim_belongs_to_one_at_a_time(void **state)
{
	int fd = claim_take(runtime, "cpu", 3);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(claim_take(runtime, "cpu", 3), -EBUSY);
	close(fd);
	fd = claim_take(runtime, "cpu", 3);
	assert_true(fd >= 0);
	close(fd);
}

static void claims_of_other_numbers_and_kinds_are_others(void **state)
{
	int a = claim_take(runtime, "cpu", 3);
	int b = claim_take(runtime, "cpu", UINT64_MAX);
	int c = claim_take(runtime, "cid", 3);

	(void)state;
	assert_true(a >= 0 && b >= 0 && c >= 0);
	close(a);
	close(b);
	close(c);
}

static void another_process_is_refused(void **state)
{
	pid_t holder = start_holder("slot", 1);

	(void)state;
	assert_int_equal(claim_take(runtime, "slot", 1), -EBUSY);
	end_holder(holder);
}

static void a_claim_is_free_when_its_holder_was_killed(void **state)
{
	pid_t holder = start_holder("slot", 1);
	int fd;

	(void)state;
	end_holder(holder);
	assert_true(claim_is_free(runtime, "slot", 1));
	fd = claim_take(runtime, "slot", 1);
	assert_true(fd >= 0);
	close(fd);
}

static void a_copy_of_the_descriptor_keeps_the_claim(void **state)
{
	int fd = claim_take(runtime, "slot", 1), copy = dup(fd);
	pid_t child;

	(void)state;
	close(fd);
	assert_int_equal(claim_take(runtime, "slot", 1), -EBUSY);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	close(copy);
	assert_int_equal(claim_take(runtime, "slot", 1), -EBUSY);
	end_holder(child);
	assert_true(claim_is_free(runtime, "slot", 1));
}

static void the_descriptor_is_closed_on_exec(void **state)
{
	int fd = claim_take(runtime, "slot", 1);

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(fcntl(runtime, F_GETFD), FD_CLOEXEC);
}

static void
opening_the_file_and_closing_it_does_not_drop_the_claim(void **state)
{
	char path[PATH_MAX + 16];
	int fd = claim_take(runtime, "slot", 1), other;

	(void)state;
	snprintf(path, sizeof(path), "%s/slot/1", folder);
	other = open(path, O_RDWR);
	assert_true(other >= 0);
	close(other);
	assert_int_equal(claim_take(runtime, "slot", 1), -EBUSY);
	close(fd);
}

static void whether_it_is_free_can_be_asked_by_anybody(void **state)
{
	int fd;

	(void)state;
	assert_true(claim_is_free(runtime, "cid", 16)); /* never taken */
	fd = claim_take(runtime, "cid", 16);
	assert_false(claim_is_free(runtime, "cid", 16));
	close(fd);
	assert_true(claim_is_free(runtime, "cid", 16));
}

static void asking_disturbs_nobody_who_takes_it(void **state)
{
	pid_t asker = fork();

	(void)state;
	if (asker == 0)
		for (;;)
			claim_is_free(runtime, "cid", 16);
	for (int i = 0; i < 3000; i++) {
		int fd = claim_take(runtime, "cid", 16);

		if (fd < 0) {
			end_holder(asker);
			fail_msg("attempt %d: %d", i, fd);
		}
		close(fd);
	}
	end_holder(asker);
}

static void what_cannot_be_asked_about_is_not_free(void **state)
{
	struct rlimit before, none;
	bool answer;

	(void)state;
	close(claim_take(runtime, "cid", 16));
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	answer = claim_is_free(runtime, "cid", 16);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_false(answer);
}

static void of_many_who_race_exactly_one_gets_it(void **state)
{
	unsigned int *taken = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[8];
	int go[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(go), 0);
	for (size_t i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			close(go[1]);
			(void)!read(go[0], &byte, 1);
			if (claim_take(runtime, "new", 7) >= 0)
				__atomic_add_fetch(taken, 1, __ATOMIC_SEQ_CST);
			__atomic_add_fetch(taken + 1, 1, __ATOMIC_SEQ_CST);
			while (__atomic_load_n(taken + 1, __ATOMIC_SEQ_CST) < 8)
				usleep(1000);
			_exit(0);
		}
	}
	close(go[0]);
	close(go[1]);
	for (size_t i = 0; i < 8; i++)
		waitpid(pids[i], NULL, 0);
	assert_int_equal(*taken, 1);
	munmap(taken, 4096);
}

static void a_waiting_claim_comes_when_the_holder_lets_go(void **state)
{
	int fd = claim_wait(runtime, "vsock"), ends[2];
	char byte = 0;
	pid_t waiter;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	waiter = fork();
	if (waiter == 0) {
		close(fd);
		if (claim_wait(runtime, "vsock") >= 0)
			(void)!write(ends[1], "x", 1);
		_exit(0);
	}
	usleep(30000);
	assert_int_equal(read(ends[0], &byte, 1), -1);
	close(fd);
	assert_int_equal(waitpid(waiter, NULL, 0), waiter);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
}

static void a_link_in_place_of_a_claim_is_not_followed(void **state)
{
	char path[PATH_MAX + 16], victim[PATH_MAX + 16];
	struct stat st;

	(void)state;
	close(claim_take(runtime, "slot", 1));
	snprintf(path, sizeof(path), "%s/slot/2", folder);
	snprintf(victim, sizeof(victim), "%s/victim", folder);
	assert_int_equal(symlink(victim, path), 0);
	assert_int_equal(claim_take(runtime, "slot", 2), -ELOOP);
	assert_int_equal(lstat(victim, &st), -1);
	assert_false(claim_is_free(runtime, "slot", 2));
}

static void the_longest_kind_fits_or_is_refused(void **state)
{
	char kind[PATH_MAX];

	(void)state;
	memset(kind, 'k', sizeof(kind));
	kind[sizeof(kind) - 1] = '\0';
	assert_int_equal(claim_take(runtime, kind, 1), -ENAMETOOLONG);
	assert_int_equal(claim_wait(runtime, kind), -ENAMETOOLONG);
}

/* --- The runtime folder ---------------------------------------------------- */

static void expect_runtime(const char *expected)
{
	struct ne_error err = { 0 };
	char path[PATH_MAX];
	struct stat st;
	int fd = runtime_open(path, sizeof(path), &err);

	if (fd < 0)
		fail_msg("%s", err.text);
	assert_string_equal(path, expected);
	assert_int_equal(stat(expected, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	close(fd);
}

static void expect_refusal(int error, const char *word)
{
	struct ne_error err = { 0 };
	char path[PATH_MAX];

	assert_int_equal(runtime_open(path, sizeof(path), &err), -error);
	if (!strstr(err.text, word))
		fail_msg("'%s' does not say '%s'", err.text, word);
}

static void the_runtime_folder_is_made_for_its_owner_only(void **state)
{
	char wanted[PATH_MAX + 16];
	struct stat st;
	mode_t mask = umask(0);

	(void)state;
	snprintf(wanted, sizeof(wanted), "%s/new", folder);
	setenv("NE_RUNTIME_DIR", wanted, 1);
	expect_runtime(wanted);
	umask(mask);
	assert_int_equal(stat(wanted, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void no_umask_takes_the_runtime_folder_from_its_owner(void **state)
{
	char wanted[PATH_MAX + 16];
	struct stat st;
	mode_t mask = umask(0777);

	(void)state;
	snprintf(wanted, sizeof(wanted), "%s/masked", folder);
	setenv("NE_RUNTIME_DIR", wanted, 1);
	expect_runtime(wanted);
	umask(mask);
	assert_int_equal(stat(wanted, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void without_a_name_of_ours_it_is_below_the_session_s(void **state)
{
	char wanted[PATH_MAX + 16];

	(void)state;
	setenv("XDG_RUNTIME_DIR", folder, 1);
	snprintf(wanted, sizeof(wanted), "%s/ne", folder);
	unsetenv("NE_RUNTIME_DIR");
	expect_runtime(wanted);
	setenv("NE_RUNTIME_DIR", "", 1); /* as good as none */
	expect_runtime(wanted);
}

static void a_relative_name_begins_where_we_are(void **state)
{
	char wanted[PATH_MAX + 16], before[PATH_MAX];

	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder), 0);
	setenv("NE_RUNTIME_DIR", "here", 1);
	snprintf(wanted, sizeof(wanted), "%s/here", folder);
	expect_runtime(wanted);
	assert_int_equal(chdir(before), 0);
}

static void a_relative_name_in_a_removed_folder_is_said_to_be_that(void **state)
{
	char gone[PATH_MAX + 16], before[PATH_MAX];

	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	snprintf(gone, sizeof(gone), "%s/gone", folder);
	assert_int_equal(mkdir(gone, 0700), 0);
	assert_int_equal(chdir(gone), 0);
	assert_int_equal(rmdir(gone), 0);
	setenv("NE_RUNTIME_DIR", "here", 1);
	expect_refusal(ENOENT, "absolute");
	assert_int_equal(chdir(before), 0);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	static char name[2 * PATH_MAX];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[0] = '/';
	setenv("NE_RUNTIME_DIR", name, 1);
	expect_refusal(ENAMETOOLONG, "NE_RUNTIME_DIR");
}

static void a_folder_that_cannot_be_made_is_refused(void **state)
{
	char name[PATH_MAX + 16];

	(void)state;
	snprintf(name, sizeof(name), "%s/no/parent", folder);
	setenv("NE_RUNTIME_DIR", name, 1);
	expect_refusal(ENOENT, name);
}

static void a_file_and_a_link_are_refused(void **state)
{
	char name[PATH_MAX + 16];

	(void)state;
	snprintf(name, sizeof(name), "%s/file", folder);
	close(open(name, O_WRONLY | O_CREAT, 0600));
	setenv("NE_RUNTIME_DIR", name, 1);
	expect_refusal(ENOTDIR, name);
	unlink(name);
	assert_int_equal(symlink(folder, name), 0);
	expect_refusal(ENOTDIR, name);
}

static void somebody_else_s_folder_is_refused(void **state)
{
	(void)state;
	/* What is in / and not ours: everybody's, or root's. */
	setenv("NE_RUNTIME_DIR", geteuid() ? "/" : folder, 1);
	if (geteuid() == 0)
		assert_int_equal(chown(folder, 65534, 65534), 0);
	expect_refusal(EPERM, "belongs to user");
	if (geteuid() == 0)
		assert_int_equal(chown(folder, 0, 0), 0);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_runtime, remove_runtime)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_claim_belongs_to_one_at_a_time),
		TEST(claims_of_other_numbers_and_kinds_are_others),
		TEST(another_process_is_refused),
		TEST(a_claim_is_free_when_its_holder_was_killed),
		TEST(a_copy_of_the_descriptor_keeps_the_claim),
		TEST(the_descriptor_is_closed_on_exec),
		TEST(opening_the_file_and_closing_it_does_not_drop_the_claim),
		TEST(whether_it_is_free_can_be_asked_by_anybody),
		TEST(asking_disturbs_nobody_who_takes_it),
		TEST(what_cannot_be_asked_about_is_not_free),
		TEST(of_many_who_race_exactly_one_gets_it),
		TEST(a_waiting_claim_comes_when_the_holder_lets_go),
		TEST(a_link_in_place_of_a_claim_is_not_followed),
		TEST(the_longest_kind_fits_or_is_refused),
		TEST(the_runtime_folder_is_made_for_its_owner_only),
		TEST(no_umask_takes_the_runtime_folder_from_its_owner),
		TEST(without_a_name_of_ours_it_is_below_the_session_s),
		TEST(a_relative_name_begins_where_we_are),
		TEST(a_relative_name_in_a_removed_folder_is_said_to_be_that),
		TEST(a_name_that_is_too_long_is_refused),
		TEST(a_folder_that_cannot_be_made_is_refused),
		TEST(a_file_and_a_link_are_refused),
		TEST(somebody_else_s_folder_is_refused),
	};

	return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
