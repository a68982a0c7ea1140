// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/trap.h"
#include "tests/unit/traced.h"

/* A syscall that no program makes and the kernel does not harm us with. */
#define ASK SYS_lookup_dcookie
#define MAGIC 0x123456789abcLL

static struct loop *loop;
static size_t descriptors_before;

/* What handlers leave for the test to look at. */
static struct {
	struct trap_call *held;
	bool is_held;
	unsigned int calls;
	int result;
	int result2;
	int32_t process;
	int32_t thread;
	char text[64];
	struct stat st;
} seen;

static int set_up(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	descriptors_before = open_descriptors();
	loop = loop_new();
	return loop ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return open_descriptors() == descriptors_before ? 0 : -1;
}

static const struct trap_rule every_ask[] = { { .nr = ASK } };

static struct trap_handler asked(bool (*call)(struct trap_call *call,
					      void *data))
{
	return (struct trap_handler){ .rules = every_ask,
				      .n_rules = 1,
				      .call = call };
}

static long ask(uint64_t a, uint64_t b, uint64_t c)
{
	return syscall(ASK, a, b, c);
}

static void run(bool (*handle)(struct trap_call *call, void *data),
		void (*body)(void *data))
{
	struct trap_handler handler = asked(handle);

	traced_run(loop, &handler, 1, body, NULL);
}

/* Keeps the call for the test. */
static bool hold(struct trap_call *call, void *data)
{
	(void)data;
	seen.calls++;
	seen.held = call;
	seen.is_held = true;
	return true;
}

/* --- Answers --------------------------------------------------------------- */

static bool answer_magic(struct trap_call *call, void *data)
{
	(void)data;
	seen.calls++;
	seen.result |= trap_return(call, MAGIC);
	return true;
}

static void expect_magic(void *data)
{
	(void)data;
	CHECK(ask(1, 2, 3) == MAGIC);
}

static void a_call_can_be_answered_with_a_value(void **state)
{
	(void)state;
	run(answer_magic, expect_magic);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.result, 0);
}

static bool answer_arguments(struct trap_call *call, void *data)
{
	bool right = call->nr == ASK && call->tid > 0;

	(void)data;
	for (uint64_t i = 0; i < 6; i++)
		right = right && call->args[i] == 0xfedcba9800000000 + i;
	trap_return(call, right);
	return true;
}

static void pass_six(void *data)
{
	const uint64_t base = 0xfedcba9800000000;

	(void)data;
	CHECK(syscall(ASK, base, base + 1, base + 2, base + 3, base + 4,
		      base + 5) == 1);
}

static void all_six_arguments_arrive_in_full(void **state)
{
	(void)state;
	run(answer_arguments, pass_six);
}

static bool fail_as_told(struct trap_call *call, void *data)
{
	(void)data;
	seen.result |= trap_fail(call, (int)call->args[0]);
	return true;
}

static void expect_errors(void *data)
{
	(void)data;
	CHECK_ERRNO(ENOTTY, ask(ENOTTY, 0, 0));
	CHECK_ERRNO(270, ask(270, 0, 0)); /* numbers beyond the usual, too */
	CHECK_ERRNO(EPERM, ask(EPERM, 0, 0));
}

static void a_call_can_be_failed(void **state)
{
	(void)state;
	run(fail_as_told, expect_errors);
	assert_int_equal(seen.result, 0);
}

static bool continue_it(struct trap_call *call, void *data)
{
	(void)data;
	seen.calls++;
	seen.result |= trap_continue(call);
	return true;
}

static bool not_mine(struct trap_call *call, void *data)
{
	(void)call;
	(void)data;
	seen.calls++;
	return false;
}

static const struct trap_rule parent_rule[] = { { .nr = SYS_getppid } };
static pid_t test_pid;

static void expect_parent(void *data)
{
	(void)data;
	CHECK(syscall(SYS_getppid) == test_pid);
}

static void a_call_can_be_left_to_the_kernel(void **state)
{
	struct trap_handler handler = { parent_rule, 1, continue_it, NULL };

	(void)state;
	test_pid = getpid();
	traced_run(loop, &handler, 1, expect_parent, NULL);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.result, 0);
}

static void what_no_handler_takes_the_kernel_does(void **state)
{
	struct trap_handler handlers[] = {
		{ parent_rule, 1, not_mine, NULL },
		{ NULL, 0, not_mine, NULL },
	};

	(void)state;
	test_pid = getpid();
	traced_run(loop, handlers, 2, expect_parent, NULL);
	assert_int_equal(seen.calls, 2);
}

/* args[0]: close on exec? */
static bool give_pipe(struct trap_call *call, void *data)
{
	int ends[2];

	(void)data;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "hello", 5), 5);
	seen.result = trap_return_fd(call, ends[0], call->args[0]);
	close(ends[0]);
	close(ends[1]);
	return true;
}

static void take_pipes(void *data)
{
	int lowest = dup(0);
	char text[8];

	(void)data;
	close(lowest);
	CHECK(ask(0, 0, 0) == lowest);
	CHECK(fcntl(lowest, F_GETFD) == 0);
	CHECK(read(lowest, text, sizeof(text)) == 5);
	CHECK(memcmp(text, "hello", 5) == 0);
	CHECK(read(lowest, text, sizeof(text)) == 0); /* nobody has a copy */
	CHECK(ask(1, 0, 0) == lowest + 1);
	CHECK(fcntl(lowest + 1, F_GETFD) == FD_CLOEXEC);
}

static void a_call_can_be_answered_with_a_descriptor(void **state)
{
	(void)state;
	run(give_pipe, take_pipes);
	assert_int_equal(seen.result, 0);
}

static void ask_with_a_full_table(void *data)
{
	int lowest = dup(0);
	struct rlimit limit = { (rlim_t)lowest, (rlim_t)lowest };

	(void)data;
	close(lowest);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK_ERRNO(EMFILE, ask(0, 0, 0));
}

static void a_full_descriptor_table_is_emfile_for_both(void **state)
{
	(void)state;
	run(give_pipe, ask_with_a_full_table);
	assert_int_equal(seen.result, -EMFILE);
}

/* --- Rules ----------------------------------------------------------------- */

static void ask_with_and_without(void *data)
{
	(void)data;
	CHECK(ask(0, 0x1200, 0) == MAGIC);
	CHECK(ask(0, 0x12ff, 0) == MAGIC);
	CHECK(ask(0, 0xabcd12340000129a, 0) == MAGIC); /* masked out */
	CHECK(ask(0, 0x1300, 0) == -1);
	CHECK(ask(0x1200, 0, 0x1200) == -1);
}

static void a_rule_looks_at_the_masked_argument_only(void **state)
{
	static const struct trap_rule rules[] = {
		{ .nr = ASK, .arg = 1, .mask = 0xff00, .value = 0x1200 }
	};
	struct trap_handler handler = { rules, 1, answer_magic, NULL };

	(void)state;
	traced_run(loop, &handler, 1, ask_with_and_without, NULL);
	assert_int_equal(seen.calls, 3);
}

static void ask_in_the_upper_half(void *data)
{
	(void)data;
	CHECK(ask(0x100000005, 0, 0) == MAGIC);
	CHECK(ask(0x000000005, 0, 0) == -1);
}

static void a_mask_reaches_the_upper_half(void **state)
{
	static const struct trap_rule rules[] = {
		{ .nr = ASK, .mask = UINT64_MAX, .value = 0x100000005 }
	};
	struct trap_handler handler = { rules, 1, answer_magic, NULL };

	(void)state;
	traced_run(loop, &handler, 1, ask_in_the_upper_half, NULL);
	assert_int_equal(seen.calls, 1);
}

static void expect_filter_errors(void *data)
{
	(void)data;
	CHECK_ERRNO(EPERM, syscall(SYS_io_uring_setup, 1, NULL));
	CHECK_ERRNO(ENODEV, ask(5, 0, 0));
	CHECK(ask(6, 0, 0) == MAGIC);
}

static void an_error_rule_fails_the_call_without_asking(void **state)
{
	static const struct trap_rule rules[] = {
		{ .nr = SYS_io_uring_setup, .error = EPERM },
		{ .nr = ASK, .mask = UINT64_MAX, .value = 5, .error = ENODEV },
		{ .nr = ASK, .mask = UINT64_MAX, .value = 6 },
	};
	struct trap_handler handler = { rules, 3, answer_magic, NULL };

	(void)state;
	traced_run(loop, &handler, 1, expect_filter_errors, NULL);
	assert_int_equal(seen.calls, 1);
}

static bool answer_if_two(struct trap_call *call, void *data)
{
	(void)data;
	if (call->args[0] != 2)
		return false;
	trap_return(call, 222);
	return true;
}

static void expect_both(void *data)
{
	(void)data;
	CHECK(ask(1, 0, 0) == MAGIC);
	CHECK(ask(2, 0, 0) == 222);
}

static void handlers_with_the_same_rule_are_asked_in_order(void **state)
{
	struct trap_handler handlers[] = { asked(answer_if_two),
					   asked(answer_magic) };

	(void)state;
	traced_run(loop, handlers, 2, expect_both, NULL);
	assert_int_equal(seen.calls, 1);
}

#ifdef __x86_64__
static void call_as_32_bit_program(void *data)
{
	long result;

	(void)data;
	/* getpid of i386, then socket, which would be an untrapped one */
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
	CHECK(result == -ENOSYS);
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(359), "b"(40), "c"(1), "d"(0)
			 : "memory");
	CHECK(result == -ENOSYS);
	CHECK_ERRNO(ENOSYS, syscall(0x40000000 + SYS_getpid)); /* x32 */
}

static void syscalls_of_another_word_size_do_not_exist(void **state)
{
	(void)state;
	run(answer_magic, call_as_32_bit_program);
}
#endif

/* --- The caller's memory --------------------------------------------------- */

/* Two pages, of which only the first is there. */
static char *one_page_and_a_hole(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED);
	CHECK(munmap(pages + page, page) == 0);
	return pages + page;
}

/* args: address, size. Turns each byte by 13. */
static bool turn_memory(struct trap_call *call, void *data)
{
	uint8_t bytes[4096];
	size_t size = (size_t)call->args[1];
	int r = trap_read(call, call->args[0], bytes, size);

	(void)data;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(bytes[i] + 13);
	if (!r)
		r = trap_write(call, call->args[0], bytes, size);
	if (r)
		trap_fail(call, -r);
	else
		trap_return(call, 0);
	return true;
}

static void have_memory_turned(void *data)
{
	char *end = one_page_and_a_hole();
	char text[] = "abc";
	static const char constant[] = "constant";

	(void)data;
	CHECK(ask((uintptr_t)text, 3, 0) == 0);
	CHECK(strcmp(text, "nop") == 0);
	memset(end - 4096, 'a', 4096);
	CHECK(ask((uintptr_t)end - 4000, 4000, 0) == 0);
	CHECK(end[-1] == 'n' && end[-4000] == 'n' && end[-4001] == 'a');
	CHECK_ERRNO(EFAULT, ask((uintptr_t)end - 10, 11, 0));
	CHECK(end[-1] == 'n'); /* nothing was written */
	CHECK_ERRNO(EFAULT, ask((uintptr_t)end, 1, 0));
	CHECK_ERRNO(EFAULT, ask(0, 4, 0));
	CHECK_ERRNO(EFAULT, ask(UINT64_MAX - 1, 4, 0));
	CHECK_ERRNO(EFAULT, ask(0xffff800000000000, 4, 0));
	CHECK_ERRNO(EFAULT, ask((uintptr_t)constant, 4, 0)); /* read only */
	CHECK(ask(0, 0, 0) == 0); /* nothing of nowhere */
}

static void memory_is_read_and_written_all_of_it_or_efault(void **state)
{
	(void)state;
	run(turn_memory, have_memory_turned);
}

/* args: address, room. */
static bool measure_string(struct trap_call *call, void *data)
{
	char text[8192];
	ssize_t n = trap_read_string(call, call->args[0], text,
				     (size_t)call->args[1]);

	(void)data;
	if (n >= 0 && strlen(text) != (size_t)n)
		n = -EPROTO;
	if (n < 0)
		trap_fail(call, (int)-n);
	else
		trap_return(call, n);
	return true;
}

static void have_strings_measured(void *data)
{
	char *end = one_page_and_a_hole();

	(void)data;
	strcpy(end - 6, "hello");
	CHECK(ask((uintptr_t)end - 6, 100, 0) == 5); /* ends with the page */
	CHECK(ask((uintptr_t)end - 6, 6, 0) == 5);
	CHECK_ERRNO(ENAMETOOLONG, ask((uintptr_t)end - 6, 5, 0));
	CHECK(ask((uintptr_t)end - 1, 1, 0) == 0);
	CHECK_ERRNO(ENAMETOOLONG, ask((uintptr_t)end - 1, 0, 0));
	end[-1] = 'o'; /* not terminated */
	CHECK_ERRNO(EFAULT, ask((uintptr_t)end - 6, 100, 0));
	CHECK_ERRNO(ENAMETOOLONG, ask((uintptr_t)end - 6, 6, 0));
	CHECK_ERRNO(EFAULT, ask(0, 100, 0));
	CHECK_ERRNO(EFAULT, ask(UINT64_MAX, 100, 0));
}

static void have_a_string_of_two_pages_measured(void *data)
{
	char *text = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)data;
	memset(text + 4000, 'x', 300);
	CHECK(ask((uintptr_t)text + 4000, 8192, 0) == 300);
	memset(text, 'x', 8191);
	CHECK(ask((uintptr_t)text, 8192, 0) == 8191);
}

static void strings_may_end_anywhere(void **state)
{
	(void)state;
	run(measure_string, have_strings_measured);
	run(measure_string, have_a_string_of_two_pages_measured);
}

static bool read_one_byte(struct trap_call *call, void *data)
{
	char byte;
	int r = trap_read(call, call->args[0], &byte, 1);

	(void)data;
	seen.result = r;
	trap_return(call, 0);
	return true;
}

static void hide_and_ask(void *data)
{
	char byte = 0;

	(void)data;
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	CHECK(ask((uintptr_t)&byte, 0, 0) == 0);
}

static void an_undumpable_process_cannot_be_read_without_privilege(void **state)
{
	(void)state;
	run(read_one_byte, hide_and_ask);
	if (geteuid() != 0)
		assert_int_equal(seen.result, -EPERM);
	else
		assert_true(seen.result == 0 || seen.result == -EPERM);
}

/* --- The caller's descriptors ---------------------------------------------- */

/* args: descriptor, and a byte to write into it. */
static bool write_into(struct trap_call *call, void *data)
{
	cleanup_close int fd = trap_get_fd(call, (int)call->args[0]);
	char byte = (char)call->args[1];

	(void)data;
	if (fd < 0)
		trap_fail(call, -fd);
	else if (fcntl(fd, F_GETFD) != FD_CLOEXEC)
		trap_fail(call, EPROTO);
	else
		trap_return(call, write(fd, &byte, 1));
	return true;
}

static void lend_descriptors(void *data)
{
	int ends[2], path;
	char byte = 0;

	(void)data;
	CHECK(pipe(ends) == 0);
	CHECK(ask((uint64_t)ends[1], 'p', 0) == 1);
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 'p');
	CHECK(close(ends[1]) == 0);
	CHECK(read(ends[0], &byte, 1) == 0); /* no copy was kept */
	CHECK(close(ends[0]) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	CHECK(ask((uint64_t)ends[1], 's', 0) == 1);
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 's');
	CHECK_ERRNO(EBADF, ask(9999, 0, 0));
	CHECK_ERRNO(EBADF, ask((uint64_t)-1, 0, 0));
	CHECK_ERRNO(EBADF, ask((uint64_t)AT_FDCWD, 0, 0));
	path = open("/", O_PATH);
	CHECK(ask((uint64_t)path, 0, 0) == -1);
}

static void descriptors_of_the_caller_can_be_duplicated(void **state)
{
	(void)state;
	run(write_into, lend_descriptors);
}

static bool stat_it(struct trap_call *call, void *data)
{
	int r = trap_fstat(call, (int)call->args[0], &seen.st);

	(void)data;
	if (!r)
		r = trap_write(call, call->args[1], &seen.st, sizeof(seen.st));
	if (r)
		trap_fail(call, -r);
	else
		trap_return(call, 0);
	return true;
}

static void expect_stat(int fd)
{
	struct stat ours, theirs;

	CHECK(fd >= 0 && fstat(fd, &ours) == 0);
	CHECK(ask((uint64_t)fd, (uintptr_t)&theirs, 0) == 0);
	CHECK(ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino);
	CHECK(ours.st_mode == theirs.st_mode);
}

static void have_descriptors_looked_at(void *data)
{
	char name[] = "/tmp/trap.XXXXXX";
	int ends[2], fd;

	(void)data;
	CHECK(pipe(ends) == 0);
	expect_stat(ends[0]);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	CHECK(fchmod(ends[0], 0142) == 0);
	expect_stat(ends[0]);
	expect_stat(open("/dev/null", O_RDONLY));
	expect_stat(open("/", O_PATH));
	expect_stat(open("/proc/self/exe", O_PATH | O_NOFOLLOW));
	fd = mkstemp(name);
	unlink(name);
	expect_stat(fd); /* has no name any more */
	expect_stat((int)syscall(SYS_memfd_create, "x", 0));
	CHECK_ERRNO(EBADF, ask(9999, 0, 0));
	CHECK_ERRNO(EBADF, ask((uint64_t)-1, 0, 0));
}

static void descriptors_of_the_caller_can_be_looked_at(void **state)
{
	(void)state;
	run(stat_it, have_descriptors_looked_at);
}

/* --- Threads and processes ------------------------------------------------- */

static bool who_asks(struct trap_call *call, void *data)
{
	cleanup_close int fd = trap_get_fd(call, (int)call->args[1]);
	char byte = 'x';

	(void)data;
	seen.thread = call->tid;
	seen.process = trap_process(call);
	if (fd < 0 || write(fd, &byte, 1) != 1 ||
	    trap_fstat(call, (int)call->args[1], &seen.st) ||
	    trap_write(call, call->args[0], &seen.process,
		       sizeof(seen.process)))
		trap_fail(call, EPROTO);
	else
		trap_return(call, call->tid);
	return true;
}

static void *ask_who(void *data)
{
	int32_t process = -1;
	int ends[2];
	char byte;

	(void)data;
	CHECK(pipe(ends) == 0);
	CHECK(ask((uintptr_t)&process, (uint64_t)ends[1], 0) ==
	      syscall(SYS_gettid));
	CHECK(process == getpid());
	CHECK(read(ends[0], &byte, 1) == 1);
	return NULL;
}

static void ask_who_in_a_thread(void *data)
{
	pthread_t thread;

	ask_who(data);
	CHECK(pthread_create(&thread, NULL, ask_who, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void a_thread_s_call_is_served_in_its_process(void **state)
{
	(void)state;
	run(who_asks, ask_who_in_a_thread);
	assert_int_not_equal(seen.thread, seen.process);
}

static void *ask_who_and_exit(void *data)
{
	usleep(20000); /* the first thread is gone by then */
	ask_who(data);
	_exit(0);
}

static void end_the_first_thread(void *data)
{
	pthread_t thread;

	(void)data;
	CHECK(pthread_create(&thread, NULL, ask_who_and_exit, NULL) == 0);
	syscall(SYS_exit, 0);
}

static void a_thread_that_outlives_the_first_one_is_served(void **state)
{
	(void)state;
	run(who_asks, end_the_first_thread);
}

static bool answer_first(struct trap_call *call, void *data)
{
	(void)data;
	seen.calls++;
	trap_return(call, (int64_t)call->args[0]);
	return true;
}

static void *ask_often(void *data)
{
	uint64_t base = (uintptr_t)data;

	for (uint64_t i = 0; i < 200; i++)
		CHECK(ask(base + i, 0, 0) == (long)(base + i));
	return NULL;
}

static void ask_from_everywhere(void *data)
{
	pthread_t threads[4];
	int status;

	(void)data;
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			ask_often((void *)(uintptr_t)(1000 * i));
			_exit(0);
		}
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, ask_often,
				     (void *)(uintptr_t)(90000 * (i + 1))) ==
		      0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(wait(&status) > 0 && status == 0);
}

static void many_threads_and_processes_each_get_their_own_answers(void **state)
{
	(void)state;
	run(answer_first, ask_from_everywhere);
	assert_int_equal(seen.calls, 8 * 200);
}

static bool answer_77(struct trap_call *call, void *data)
{
	(void)data;
	trap_return(call, 77);
	return true;
}

static void run_program(const char *path, const char *argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, argument, NULL);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 77);
}

static void run_programs(void *data)
{
	const char *folder = getenv("top_builddir");
	char path[PATH_MAX];

	(void)data;
	run_program("/proc/self/exe", "--ask");
	snprintf(path, sizeof(path), "%s/tests/unit/ask", folder ?: ".");
	if (access(path, X_OK) == 0)
		run_program(path, NULL);
	else
		dprintf(2, "# no static program at %s\n", path);
}

static void
the_trap_stays_over_exec_of_dynamic_and_static_programs(void **state)
{
	(void)state;
	run(answer_77, run_programs);
}

/* --- Interruptions --------------------------------------------------------- */

static void ask_under_alarm(int flags)
{
	struct itimerval soon = { .it_value.tv_usec = 30000 };

	catch_signal(SIGALRM, flags);
	setitimer(ITIMER_REAL, &soon, NULL);
}

static void be_interrupted(void *data)
{
	(void)data;
	ask_under_alarm(0);
	CHECK_ERRNO(EINTR, ask(1, 0, 0));
	/* What was answered too late has left nothing behind. */
	CHECK(ask(2, 0, 0) == dup(0) - 1);
}

static bool hold_first(struct trap_call *call, void *data)
{
	if (call->args[0] == 1)
		return hold(call, data);
	assert_false(trap_is_waiting(seen.held));
	assert_int_equal(trap_read(seen.held, 0, seen.text, 1), -ENOENT);
	assert_int_equal(trap_write(seen.held, 0, seen.text, 1), -ENOENT);
	assert_int_equal(trap_read_string(seen.held, 0, seen.text, 9), -ENOENT);
	assert_int_equal(trap_get_fd(seen.held, 0), -ENOENT);
	assert_int_equal(trap_fstat(seen.held, 0, &seen.st), -ENOENT);
	assert_int_equal(trap_process(seen.held), -ENOENT);
	seen.result = trap_return_fd(seen.held, 0, false);
	trap_return_fd(call, 0, false);
	return true;
}

static void
an_answer_to_an_interrupted_call_is_enoent_and_leaves_nothing(void **state)
{
	(void)state;
	run(hold_first, be_interrupted);
	assert_int_equal(seen.result, -ENOENT);
}

static void expect_eintr(void *data)
{
	(void)data;
	ask_under_alarm(0);
	CHECK_ERRNO(EINTR, ask(1, 0, 0));
}

static void every_kind_of_answer_to_an_interrupted_call_is_enoent(void **state)
{
	int (*const answers[])(struct trap_call *) = { trap_continue };
	struct trap_handler handler = asked(hold);
	struct traced traced;

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		seen.is_held = false;
		traced_start(&traced, loop, &handler, 1, expect_eintr, NULL);
		run_until(loop, &seen.is_held);
		assert_true(trap_is_waiting(seen.held));
		assert_int_equal(traced_finish(&traced), 0);
		if (kind == 0)
			seen.result = trap_return(seen.held, 1);
		else if (kind == 1)
			seen.result = trap_fail(seen.held, EIO);
		else
			seen.result = answers[0](seen.held);
		assert_int_equal(seen.result, -ENOENT);
		traced_free(&traced);
	}
}

static bool answer_second(struct trap_call *call, void *data)
{
	if (++seen.calls == 1) {
		seen.held = call;
		return true;
	}
	(void)data;
	seen.result = trap_return(seen.held, 1);
	seen.result2 = trap_return(call, 2);
	return true;
}

static void expect_restart(void *data)
{
	(void)data;
	ask_under_alarm(SA_RESTART);
	CHECK(ask(1, 0, 0) == 2);
}

static void with_sa_restart_the_call_comes_again(void **state)
{
	(void)state;
	run(answer_second, expect_restart);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.result, -ENOENT);
	assert_int_equal(seen.result2, 0);
}

static void ask_once(void *data)
{
	(void)data;
	ask(1, 0, 0);
}

static void a_killed_caller_sees_no_answer(void **state)
{
	struct trap_handler handler = asked(hold);
	struct traced traced;

	(void)state;
	traced_start(&traced, loop, &handler, 1, ask_once, NULL);
	run_until(loop, &seen.is_held);
	assert_true(trap_is_waiting(seen.held));
	kill(traced.pid, SIGKILL);
	assert_int_equal(traced_finish(&traced), SIGKILL);
	assert_false(trap_is_waiting(seen.held));
	assert_int_equal(trap_read(seen.held, 0, seen.text, 1), -ENOENT);
	assert_int_equal(trap_write(seen.held, 0, seen.text, 1), -ENOENT);
	assert_int_equal(trap_get_fd(seen.held, 0), -ENOENT);
	assert_int_equal(trap_fstat(seen.held, 0, &seen.st), -ENOENT);
	assert_int_equal(trap_return(seen.held, 1), -ENOENT);
	traced_free(&traced);
}

static void ask_twice(void *data)
{
	(void)data;
	CHECK_ERRNO(ENOSYS, ask(1, 0, 0));
	CHECK_ERRNO(ENOSYS, ask(2, 0, 0));
	CHECK(getppid() > 0); /* all else is the kernel's still */
}

/* trap_free() while a call waits; the handler's own memory is his to free. */
static void without_its_supervisor_trapped_calls_fail_with_enosys(void **state)
{
	struct trap_handler handler = asked(hold);
	struct traced traced;

	(void)state;
	traced_start(&traced, loop, &handler, 1, ask_twice, NULL);
	run_until(loop, &seen.is_held);
	traced_free(&traced);
	assert_int_equal(traced_finish(&traced), 0);
	free(seen.held);
}

/* --- Installing ------------------------------------------------------------ */

static void install_again(void *data)
{
	CHECK(trap_install(data) == -EBUSY);
}

static void one_trap_inside_another_is_refused(void **state)
{
	struct trap_handler handler = asked(answer_magic);
	struct trap *second;

	(void)state;
	assert_int_equal(trap_new(&second, &handler, 1, NULL), 0);
	traced_run(loop, &handler, 1, install_again, second);
	trap_free(second);
}

static void the_listening_descriptor_is_closed_on_exec(void **state)
{
	struct trap_handler handler = asked(answer_magic);
	struct trap *trap;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(trap_new(&trap, &handler, 1, NULL), 0);
	pid = fork();
	if (pid == 0) {
		int fd = trap_install(trap);

		CHECK(fd >= 0);
		CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	trap_free(trap);
}

static void a_trap_without_rules_lets_everything_through(void **state)
{
	test_pid = getpid();
	(void)state;
	traced_run(loop, NULL, 0, expect_parent, NULL);
}

static void a_rule_that_cannot_be_is_an_error_with_a_sentence(void **state)
{
	static const struct trap_rule rules[] = {
		{ .nr = ASK, .arg = 99, .mask = 1, .value = 1 }
	};
	struct trap_handler handler = { rules, 1, answer_magic, NULL };
	struct ne_error err = { 0 };
	struct trap *trap = NULL;

	(void)state;
	assert_true(trap_new(&trap, &handler, 1, &err) < 0);
	assert_null(trap);
	assert_true(strlen(err.text) > 0);
	trap_free(NULL);
}

static double cpu_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void when_the_last_caller_is_gone_the_loop_rests(void **state)
{
	struct trap_handler handler = asked(answer_magic);
	struct traced traced;
	double begin;

	(void)state;
	traced_start(&traced, loop, &handler, 1, expect_magic, NULL);
	assert_int_equal(traced_finish(&traced), 0);
	begin = cpu_seconds();
	run_for(loop, 200);
	assert_true(cpu_seconds() - begin < 0.1);
	traced_free(&traced);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_can_be_answered_with_a_value),
		TEST(all_six_arguments_arrive_in_full),
		TEST(a_call_can_be_failed),
		TEST(a_call_can_be_left_to_the_kernel),
		TEST(what_no_handler_takes_the_kernel_does),
		TEST(a_call_can_be_answered_with_a_descriptor),
		TEST(a_full_descriptor_table_is_emfile_for_both),
		TEST(a_rule_looks_at_the_masked_argument_only),
		TEST(a_mask_reaches_the_upper_half),
		TEST(an_error_rule_fails_the_call_without_asking),
		TEST(handlers_with_the_same_rule_are_asked_in_order),
#ifdef __x86_64__
		TEST(syscalls_of_another_word_size_do_not_exist),
#endif
		TEST(memory_is_read_and_written_all_of_it_or_efault),
		TEST(strings_may_end_anywhere),
		TEST(an_undumpable_process_cannot_be_read_without_privilege),
		TEST(descriptors_of_the_caller_can_be_duplicated),
		TEST(descriptors_of_the_caller_can_be_looked_at),
		TEST(a_thread_s_call_is_served_in_its_process),
		TEST(a_thread_that_outlives_the_first_one_is_served),
		TEST(many_threads_and_processes_each_get_their_own_answers),
		TEST(the_trap_stays_over_exec_of_dynamic_and_static_programs),
		TEST(an_answer_to_an_interrupted_call_is_enoent_and_leaves_nothing),
		TEST(every_kind_of_answer_to_an_interrupted_call_is_enoent),
		TEST(with_sa_restart_the_call_comes_again),
		TEST(a_killed_caller_sees_no_answer),
		TEST(without_its_supervisor_trapped_calls_fail_with_enosys),
		TEST(one_trap_inside_another_is_refused),
		TEST(the_listening_descriptor_is_closed_on_exec),
		TEST(a_trap_without_rules_lets_everything_through),
		TEST(a_rule_that_cannot_be_is_an_error_with_a_sentence),
		TEST(when_the_last_caller_is_gone_the_loop_rests),
	};

	if (argc == 2 && strcmp(argv[1], "--ask") == 0)
		return (int)ask(0, 0, 0);
	return cmocka_run_group_tests_name("syscall trap", tests, NULL, NULL);
}
