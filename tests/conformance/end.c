// SPDX-License-Identifier: Apache-2.0
/*
 * The end of an enclave: its own, and that of its last descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

/* --- Its own --------------------------------------------------------------------- */

static void quiet_before_the_start(void)
{
	expect_quiet(new_enclave());
}

static void ends_as_told(char what)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);

	tell_init(connection, what);
	expect_gone(connection);
	expect_hangup(enclave);
}

static void init_exits(void)
{
	ends_as_told('e');
}

static void init_fails(void)
{
	ends_as_told('f');
}

static void init_crashes(void)
{
	ends_as_told('a');
}

static void init_reboots(void)
{
	ends_as_told('r');
}

static void init_powers_off(void)
{
	ends_as_told('o');
}

static int ended_enclave(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);

	tell_init(connection, 'r');
	expect_hangup(enclave);
	return enclave;
}

static void hangup_stays(void)
{
	int enclave = ended_enclave();

	expect_hangup(enclave);
	expect_hangup(enclave);
}

static void hangup_shows_in_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int enclave = ended_enclave();
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	expect_true(epoll_ctl(epoll, EPOLL_CTL_ADD, enclave, &event) == 0);
	expect_true(epoll_wait(epoll, &event, 1, 1000) == 1);
	expect_true(event.events == EPOLLHUP);
}

static void hangup_shows_in_select(void)
{
	struct timeval second = { .tv_sec = 1 };
	int enclave = ended_enclave();
	fd_set readable;

	FD_ZERO(&readable);
	FD_SET(enclave, &readable);
	expect_true(select(enclave + 1, &readable, NULL, NULL, &second) == 1);
}

static void *wait_for_hangup(void *data)
{
	struct pollfd pollfd = { .fd = *(int *)data, .events = POLLIN };

	poll(&pollfd, 1, -1);
	return (void *)(uintptr_t)pollfd.revents;
}

static void hangup_wakes_waiters(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);
	pthread_t waiters[4];
	void *revents;

	for (size_t i = 0; i < ARRAY_SIZE(waiters); i++)
		expect_true(!pthread_create(&waiters[i], NULL, wait_for_hangup,
					    &enclave));
	tell_init(connection, 'e');
	for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
		expect_true(!pthread_join(waiters[i], &revents));
		expect_true((uintptr_t)revents == POLLHUP);
	}
}

static void not_in_init_state(void)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };
	int enclave = ended_enclave();
	uint32_t id = 0;
	uint64_t cid = CID_AUTO;

	expect(add_vcpu(enclave, BAD_POINTER), -EFAULT);
	expect(add_vcpu(enclave, &id), -NE_ERR_NOT_IN_INIT_STATE);
	expect(get_load_info(enclave, &info), -NE_ERR_NOT_IN_INIT_STATE);
	expect(set_region(enclave, 0, HUGE_PAGE), -NE_ERR_NOT_IN_INIT_STATE);
	expect(start(enclave, 0, &cid), -NE_ERR_NOT_IN_INIT_STATE);
	cid = CID_PARENT;
	expect(start(enclave, 0, &cid), -NE_ERR_INVALID_ENCLAVE_CID);
	expect(call(enclave, NE_CREATE_VM, &cid), -ENOTTY);
}

/* What an enclave held is its own as long as it can be looked at. */
static void cpus_stay_until_close(void)
{
	int enclave = ended_enclave();
	uint32_t id = pool_cpu(0, 0);

	expect(add_vcpu(new_enclave(), &id), -NE_ERR_VCPU_NOT_IN_CPU_POOL);
	call_close(enclave);
	expect(add_vcpu(new_enclave(), &id), 0);
}

/* --- Its last descriptor ------------------------------------------------------------ */

static void close_gives_the_cpus_back_at_once(void)
{
	int last = -1;

	for (unsigned int i = 0; i < 50; i++) {
		if (last >= 0)
			call_close(last);
		last = new_enclave();
		for (unsigned int cpu = 0; cpu < suite.pool_size; cpu++)
			give_vcpu(last, suite.pool[cpu]);
	}
}

static void close_ends_a_running_enclave(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);

	call_close(enclave);
	expect_gone(connection);
}

static void close_gives_cpus_and_cid_back(void)
{
	int listener = hear_heartbeats();
	uint64_t cid;
	int enclave = running_enclave(0, &cid);
	int connection = booted(listener, cid);

	call_close(enclave);
	expect_gone(connection);
	enclave = ready_enclave(0);
	expect(start(enclave, 0, &cid), 0);
	expect_true(init_answers(booted(listener, cid)));
}

static void close_after_the_end(void)
{
	int enclave = ended_enclave();
	uint64_t cid;

	call_close(enclave);
	running_enclave(0, &cid);
}

/* The two descriptors are one enclave; it ends with the second. */
static void lives_until_both_close(int enclave, int copy, int connection)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };

	name_descriptor(copy, "copy");
	call_close(enclave);
	expect_true(init_answers(connection));
	expect(get_load_info(copy, &info), -NE_ERR_NOT_IN_INIT_STATE);
	expect_quiet(copy);
	call_close(copy);
	expect_gone(connection);
}

static void duplicate(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);

	lives_until_both_close(enclave, dup(enclave), connection);
}

static void duplicate_works_as_well(void)
{
	int enclave = new_enclave();
	int copy = fcntl(enclave, F_DUPFD, 100);
	uint32_t id = 0;

	call_close(enclave);
	expect(add_vcpu(copy, &id), 0);
	expect(add_vcpu(copy, &id), -NE_ERR_VCPU_ALREADY_USED);
}

static void closed_by_other_means(void)
{
	int enclave = new_enclave();

	give_all_cores(enclave);
	expect_true(dup2(STDIN_FILENO, enclave) == enclave);
	enclave = new_enclave();
	give_all_cores(enclave);
	expect_true(close_range((unsigned int)enclave, (unsigned int)enclave,
				0) == 0);
	give_all_cores(new_enclave());
}

/* A message that carries one descriptor. */
struct letter {
	char byte;
	struct iovec text;
	struct msghdr header;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
};

static void prepare_letter(struct letter *letter)
{
	memset(letter, 0, sizeof(*letter));
	letter->text = (struct iovec){ &letter->byte, 1 };
	letter->header = (struct msghdr){
		.msg_iov = &letter->text,
		.msg_iovlen = 1,
		.msg_control = &letter->control,
		.msg_controllen = sizeof(letter->control),
	};
}

static void post(int socket, int fd)
{
	struct letter letter;
	struct cmsghdr *control;

	prepare_letter(&letter);
	control = CMSG_FIRSTHDR(&letter.header);
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(control), &fd, sizeof(fd));
	expect_true(sendmsg(socket, &letter.header, 0) == 1);
}

static int receive(int socket)
{
	struct letter letter;
	struct cmsghdr *control;
	int fd = -1;

	prepare_letter(&letter);
	expect_true(recvmsg(socket, &letter.header, MSG_CMSG_CLOEXEC) == 1);
	control = CMSG_FIRSTHDR(&letter.header);
	expect_true(control && control->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(control), sizeof(fd));
	return fd;
}

static void sent_over_a_socket(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);
	int copy;
	int ends[2];

	expect_true(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	post(ends[0], enclave);
	copy = receive(ends[1]);
	lives_until_both_close(enclave, copy, connection);
}

static void on_its_way_over_a_socket(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);
	int ends[2];

	expect_true(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	post(ends[0], enclave);
	call_close(enclave);
	expect_true(init_answers(connection));
	close(ends[0]);
	close(ends[1]);
	expect_gone(connection);
}

/* A forked child that holds what we hold, until it is killed. */
static pid_t holder(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	expect_true(pid >= 0);
	if (pid == 0) {
		alarm(60);
		pause();
		_exit(0);
	}
	return pid;
}

static void killed(pid_t pid)
{
	kill(pid, SIGKILL);
	expect_true(waitpid(pid, NULL, 0) == pid);
}

static void child_keeps_it_alive(void)
{
	uint64_t cid;
	int connection;
	int enclave = booted_enclave(0, &cid, &connection);
	pid_t child = holder();

	call_close(enclave);
	expect_true(init_answers(connection));
	killed(child);
	expect_gone(connection);
}

/* The creator dies, in the middle of everything. */
static void creator_is_killed(void)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	expect_true(child >= 0);
	if (child == 0) {
		give_all_cores(new_enclave());
		raise(SIGKILL);
	}
	expect_true(waitpid(child, NULL, 0) == child);
	give_all_cores(new_enclave());
}

/* --- The rest ------------------------------------------------------------------------- */

/*
 * An enclave belongs to the address space that made it. Another program in
 * the same process is another address space.
 */
static void next_program_is_another_process(void)
{
	char fd[16];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		snprintf(fd, sizeof(fd), "%d", dup(new_enclave()));
		execl("/proc/self/exe", "conformance", "--after-exec", fd,
		      (char *)NULL);
		_exit(2);
	}
	expect_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	expect_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int after_exec(const char *fd)
{
	int enclave = atoi(fd);
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };
	uint32_t id = 0;

	if (get_load_info(enclave, &info) != 0)
		return 3;
	if (add_vcpu(enclave, &id) != -EIO)
		return 4;
	return set_region(enclave, 0, HUGE_PAGE) == -EIO ? 0 : 5;
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	(void)number;
	alarms++;
}

/* A signal every half millisecond, until the case ends. */
static void disturb(int flags)
{
	struct sigaction action = { .sa_handler = count_alarm,
				    .sa_flags = flags };
	struct itimerval often = { { 0, 500 }, { 0, 500 } };

	suite.transcript = false;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

#define ROUNDS 200

/*
 * The kernel tells the supervisor of a trapped call that its answer was
 * accepted and may, about once in a thousand such moments, let a signal have
 * the caller all the same: the call comes again and finds itself done. An
 * emulator cannot help that. One that undoes nothing fails far more often.
 */
#define CROSSINGS_MAX (ROUNDS / 20)

/* The first of two calls that add a vCPU, made again or not. */
static void added_once(long added, unsigned int *crossings)
{
	if (added == -NE_ERR_VCPU_ALREADY_USED) {
		++*crossings;
		expect_true(*crossings <= CROSSINGS_MAX);
		return;
	}
	expect(added, 0);
}

/* The driver waits for its device where no signal wakes it. */
static void signals_do_not_interrupt(void)
{
	int device = device_open();
	uint64_t slot;

	disturb(0);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t id = 0;
		long enclave = create_vm(device, &slot);

		expect_true(enclave >= 0);
		expect(add_vcpu((int)enclave, &id), 0);
		call_close((int)enclave);
	}
	expect_true(alarms > 0);
}

static void signals_restart(void)
{
	int device = device_open();
	unsigned int crossings = 0;
	uint64_t slot;

	disturb(SA_RESTART);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t id = pool_cpu(0, 0);
		long enclave = create_vm(device, &slot);

		expect_true(enclave >= 0);
		added_once(add_vcpu((int)enclave, &id), &crossings);
		expect(add_vcpu((int)enclave, &id), -NE_ERR_VCPU_ALREADY_USED);
		call_close((int)enclave);
	}
	expect_true(alarms > 0);
}

static void what_is_interrupted_has_not_happened(void)
{
	int device = device_open();
	unsigned int crossings = 0;
	uint64_t slot;

	disturb(0);
	for (int i = 0; i < ROUNDS; i++) {
		long enclave;
		long added;

		while ((enclave = create_vm(device, &slot)) == -EINTR)
			;
		expect_true(enclave >= 0);
		for (unsigned int cpu = 0; cpu < suite.threads_per_core;
		     cpu++) {
			uint32_t id = pool_cpu(0, cpu);

			while ((added = add_vcpu((int)enclave, &id)) == -EINTR)
				;
			added_once(added, &crossings);
		}
		call_close((int)enclave);
	}
}

static void *add_many(void *data)
{
	uint32_t id = 0;

	while (add_vcpu(*(int *)data, &id) == 0)
		id = 0;
	return NULL;
}

static void threads_at_once(void)
{
	pthread_t threads[8];
	int enclave = new_enclave();

	suite.transcript = false;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		expect_true(
			!pthread_create(&threads[i], NULL, add_many, &enclave));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < suite.pool_size; i++) {
		uint32_t id = suite.pool[i];

		expect(add_vcpu(enclave, &id), -NE_ERR_VCPU_ALREADY_USED);
	}
}

static const struct test_case cases[] = {
	CASE("nothing is to be polled before the start",
	     quiet_before_the_start),
	CASE("POLLHUP, and nothing else, when init exits", init_exits,
	     .needs = NEEDS_IMAGE),
	CASE("POLLHUP when init fails", init_fails, .needs = NEEDS_IMAGE),
	CASE("POLLHUP when init crashes", init_crashes, .needs = NEEDS_IMAGE),
	CASE("POLLHUP when the enclave reboots", init_reboots,
	     .needs = NEEDS_IMAGE),
	CASE("POLLHUP when the enclave powers off", init_powers_off,
	     .needs = NEEDS_IMAGE),
	CASE("POLLHUP stays", hangup_stays, .needs = NEEDS_IMAGE),
	CASE("epoll says EPOLLHUP", hangup_shows_in_epoll,
	     .needs = NEEDS_IMAGE),
	CASE("select says that it can be read", hangup_shows_in_select,
	     .needs = NEEDS_IMAGE),
	CASE("POLLHUP wakes every thread that waits", hangup_wakes_waiters,
	     .needs = NEEDS_IMAGE),
	CASE("after the end every request is NE_ERR_NOT_IN_INIT_STATE",
	     not_in_init_state, .needs = NEEDS_IMAGE),
	CASE("an ended enclave keeps its CPUs until it is closed",
	     cpus_stay_until_close, .needs = NEEDS_IMAGE),
	CASE("the last close gives the CPUs back before it returns",
	     close_gives_the_cpus_back_at_once),
	CASE("the last close ends a running enclave",
	     close_ends_a_running_enclave, .needs = NEEDS_IMAGE),
	CASE("the last close gives CPUs and CID back",
	     close_gives_cpus_and_cid_back, .needs = NEEDS_IMAGE),
	CASE("an ended enclave closes and its core runs another",
	     close_after_the_end, .needs = NEEDS_IMAGE),
	CASE("an enclave lives until its duplicate is closed", duplicate,
	     .needs = NEEDS_IMAGE),
	CASE("a duplicate is as good as the original", duplicate_works_as_well),
	CASE("dup2 and close_range close as well", closed_by_other_means),
	CASE("an enclave lives until the copy sent over a socket is closed",
	     sent_over_a_socket, .needs = NEEDS_IMAGE),
	CASE("an enclave lives while it is on its way over a socket",
	     on_its_way_over_a_socket, .needs = NEEDS_IMAGE),
	CASE("an enclave lives until the last child that holds it has died",
	     child_keeps_it_alive, .needs = NEEDS_IMAGE),
	CASE("a creator that is killed leaves nothing behind",
	     creator_is_killed),
	CASE("an enclave's creator is another one after exec",
	     next_program_is_another_process, .cores = 2),
	CASE("no ioctl is interrupted by a signal", signals_do_not_interrupt,
	     .known_difference = "emulated, it can be, as a blocking call"),
	CASE("no ioctl minds a signal that restarts calls", signals_restart),
	CASE("an ioctl that a signal has interrupted all the same has not happened",
	     what_is_interrupted_has_not_happened),
	CASE("threads that add CPUs at once get each of them once",
	     threads_at_once),
};

const struct test_group end_cases = { cases, ARRAY_SIZE(cases) };
