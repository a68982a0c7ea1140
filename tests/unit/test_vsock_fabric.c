// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <ne/error.h>

#include "tests/unit/fabric_fixture.h"
#include "tests/unit/traced.h"
#include "vsock-sim/fabric.h"

static const struct vsock_address parent_9000 = { VSOCK_CID_PARENT, 9000 };
static const struct vsock_address enclave_5000 = { 16, 5000 };

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static int bind_to(const struct fabric *fabric, int fd,
		   struct vsock_address address)
{
	return fabric_bind(fabric, fd, &address);
}

static int connect_as(const struct fabric *fabric, uint32_t cid,
		      struct vsock_address to)
{
	int fd = new_socket();
	int r = fabric_connect(fabric, fd, cid, to);

	close(fd);
	return r;
}

static bool file_exists(const struct fabric *fabric, const char *name)
{
	char path[PATH_MAX + 64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", fabric->folder, name);
	return lstat(path, &st) == 0;
}

/* --- Binding --------------------------------------------------------------- */

static void an_address_belongs_to_one_socket(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int a = new_socket(), b = new_socket();

	assert_false(fabric_is_bound(fabric, parent_9000));
	assert_int_equal(bind_to(fabric, a, parent_9000), 0);
	assert_true(fabric_is_bound(fabric, parent_9000));
	assert_int_equal(bind_to(fabric, b, parent_9000), -EADDRINUSE);
	assert_int_equal(bind_to(fabric, b, (struct vsock_address){ 3, 9001 }),
			 0);
	close(a);
	close(b);
}

static void it_is_free_when_the_last_copy_of_the_socket_is_closed(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int a = new_socket(), b = new_socket(), copy;

	assert_int_equal(bind_to(fabric, a, parent_9000), 0);
	copy = dup(a);
	close(a);
	assert_true(fabric_is_bound(fabric, parent_9000));
	assert_int_equal(bind_to(fabric, b, parent_9000), -EADDRINUSE);
	close(copy);
	assert_false(fabric_is_bound(fabric, parent_9000));
	assert_int_equal(bind_to(fabric, b, parent_9000), 0);
	close(b);
}

static void it_is_free_when_its_holder_was_killed(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int ends[2], fd = new_socket();
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		byte = bind_to(fabric, new_socket(), parent_9000) == 0;
		(void)!write(ends[1], &byte, 1);
		pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(bind_to(fabric, fd, parent_9000), -EADDRINUSE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(bind_to(fabric, fd, parent_9000), 0);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void a_port_can_be_chosen_by_the_fabric(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	struct vsock_address a = { 3, VMADDR_PORT_ANY }, b = a, read;
	int first = new_socket(), second = new_socket();

	assert_int_equal(fabric_bind(fabric, first, &a), 0);
	assert_int_equal(fabric_bind(fabric, second, &b), 0);
	assert_true(a.port > VSOCK_LAST_RESERVED_PORT &&
		    a.port != VMADDR_PORT_ANY);
	assert_int_not_equal(a.port, b.port);
	assert_true(fabric_local_address(fabric, first, &read));
	assert_memory_equal(&read, &a, sizeof(a));
	close(first);
	close(second);
}

static void a_bound_socket_is_not_bound_again(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int fd = new_socket();

	assert_int_equal(bind_to(fabric, fd, parent_9000), 0);
	assert_int_equal(bind_to(fabric, fd, (struct vsock_address){ 3, 1 }),
			 -EINVAL);
	assert_false(fabric_is_bound(fabric, (struct vsock_address){ 3, 1 }));
	close(fd);
}

/*
 * bind(2) makes the file first and owns the name a moment later. Whoever
 * takes the file for a leftover in between would share the address.
 */
static void of_those_who_race_for_an_address_one_gets_it(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	enum { RACERS = 3, ROUNDS = 200 };
	struct {
		unsigned int round, done, winners[ROUNDS];
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[RACERS];

	assert_ptr_not_equal(shared, MAP_FAILED);
	for (int i = 0; i < RACERS; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (unsigned int round = 0; round < ROUNDS; round++) {
			int fd = new_socket();

			__atomic_add_fetch(&shared->round, 1, __ATOMIC_SEQ_CST);
			while (__atomic_load_n(&shared->round,
					       __ATOMIC_SEQ_CST) <
			       RACERS * (round + 1))
				sched_yield();
			if (bind_to(fabric, fd, parent_9000) == 0)
				__atomic_add_fetch(&shared->winners[round], 1,
						   __ATOMIC_SEQ_CST);
			fabric_sweep(fabric, VSOCK_CID_PARENT);
			__atomic_add_fetch(&shared->done, 1, __ATOMIC_SEQ_CST);
			while (__atomic_load_n(&shared->done,
					       __ATOMIC_SEQ_CST) <
			       RACERS * (round + 1))
				sched_yield();
			close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < RACERS; i++)
		waitpid(pids[i], NULL, 0);
	for (unsigned int round = 0; round < ROUNDS; round++)
		assert_int_equal(shared->winners[round], 1);
	munmap(shared, sizeof(*shared));
}

static void a_folder_is_forgotten_while_somebody_binds_in_it(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	pid_t forgetter = fork();

	if (forgetter == 0)
		for (;;)
			fabric_forget(fabric, 16);
	for (int i = 0; i < 1000; i++) {
		int fd = new_socket();
		int r = bind_to(fabric, fd, enclave_5000);

		close(fd);
		if (r) {
			kill(forgetter, SIGKILL);
			waitpid(forgetter, NULL, 0);
			fail_msg("round %d: %d", i, r);
		}
	}
	kill(forgetter, SIGKILL);
	waitpid(forgetter, NULL, 0);
}

/* --- Connecting ------------------------------------------------------------ */

static void both_ends_know_both_addresses(void **state)
{
	struct fabric_fixture *fixture = *state;
	const struct fabric *fabric = &fixture->fabric;
	int listener = fabric_listen(fabric, parent_9000, 5);
	struct vsock_address a, b;
	int client, server;

	assert_true(listener >= 0);
	client = fabric_fixture_connect(fixture, 16, parent_9000);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_true(fabric_peer_address(fabric, client, &a));
	assert_memory_equal(&a, &parent_9000, sizeof(a));
	assert_true(fabric_local_address(fabric, server, &a));
	assert_memory_equal(&a, &parent_9000, sizeof(a));
	assert_true(fabric_local_address(fabric, client, &a));
	assert_true(fabric_peer_address(fabric, server, &b));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.cid, 16);
	assert_true(a.port > VSOCK_LAST_RESERVED_PORT);
	assert_int_equal(write(client, "x", 1), 1);
	close(client);
	/* The peer's address outlives the peer. */
	assert_true(fabric_peer_address(fabric, server, &b));
	assert_memory_equal(&a, &b, sizeof(a));
	close(server);
	close(listener);
}

static void a_listener_of_ours_does_not_wait_and_is_closed_on_exec(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int listener = fabric_listen(fabric, parent_9000, 5);

	assert_int_equal(fcntl(listener, F_GETFD), FD_CLOEXEC);
	assert_int_equal(accept(listener, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fabric_listen(fabric, parent_9000, 5), -EADDRINUSE);
	close(listener);
}

static void a_client_may_have_bound_its_address(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int listener = fabric_listen(fabric, enclave_5000, 5);
	int client = new_socket(), server;
	struct vsock_address address;

	assert_int_equal(
		bind_to(fabric, client, (struct vsock_address){ 3, 1234 }), 0);
	assert_int_equal(fabric_connect(fabric, client, VSOCK_CID_PARENT,
					enclave_5000),
			 0);
	server = accept(listener, NULL, NULL);
	assert_true(fabric_peer_address(fabric, server, &address));
	assert_int_equal(address.port, 1234);
	close(client);
	close(server);
	close(listener);
}

static void the_port_of_a_connected_socket_is_taken(void **state)
{
	struct fabric_fixture *fixture = *state;
	const struct fabric *fabric = &fixture->fabric;
	int listener = fabric_listen(fabric, enclave_5000, 5);
	int client = fabric_fixture_connect(fixture, 3, enclave_5000);
	int other = new_socket();
	struct vsock_address address;

	assert_true(fabric_local_address(fabric, client, &address));
	assert_int_equal(bind_to(fabric, other, address), -EADDRINUSE);
	close(client);
	assert_int_equal(bind_to(fabric, other, address), 0);
	close(other);
	close(listener);
}

static void where_nobody_listens_a_connection_is_reset(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int bound = new_socket(), packets;
	struct vsock_address other = { 16, 5001 };

	/* No folder, no file, a bound socket, one that is gone, packets. */
	assert_int_equal(connect_as(fabric, 3, enclave_5000), -ECONNRESET);
	assert_int_equal(bind_to(fabric, bound, other), 0);
	assert_int_equal(connect_as(fabric, 3, enclave_5000), -ECONNRESET);
	assert_int_equal(connect_as(fabric, 3, other), -ECONNRESET);
	close(bound);
	assert_int_equal(connect_as(fabric, 3, other), -ECONNRESET);
	packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind_to(fabric, packets, enclave_5000), 0);
	assert_int_equal(listen(packets, 5), 0);
	assert_int_equal(connect_as(fabric, 3, enclave_5000), -ECONNRESET);
	close(packets);
}

static void who_reaches_whom_is_as_with_nitro(void **state)
{
	static const struct {
		uint32_t from, to;
		int result;
	} table[] = {
		{ 3, 16, 0 },
		{ 3, 17, 0 },
		{ 3, 3, 0 },
		{ 3, 0, 0 },
		{ 3, 1, 0 },
		{ 3, 2, -ECONNRESET },
		{ 16, 3, 0 },
		{ 16, 16, 0 },
		{ 16, 1, 0 },
		{ 16, 17, -ECONNRESET },
		{ 16, 0, -ECONNRESET },
		{ 16, 2, -ECONNRESET },
	};
	static const uint32_t listening[] = { 0, 2, 3, 16, 17 };
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int listeners[5];

	for (size_t i = 0; i < 5; i++) {
		listeners[i] = fabric_listen(
			fabric, (struct vsock_address){ listening[i], 7 }, 50);
		assert_true(listeners[i] >= 0);
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (connect_as(fabric, table[i].from,
			       (struct vsock_address){ table[i].to, 7 }) !=
		    table[i].result)
			fail_msg("from %u to %u", table[i].from, table[i].to);
	for (size_t i = 0; i < 5; i++)
		close(listeners[i]);
}

static void a_full_queue_is_eagain_and_nobody_waits(void **state)
{
	struct fabric_fixture *fixture = *state;
	const struct fabric *fabric = &fixture->fabric;
	int listener = fabric_listen(fabric, enclave_5000, 0);
	int first = fabric_fixture_connect(fixture, 3, enclave_5000);
	int second = new_socket(), served;
	struct vsock_address before, after;

	assert_int_equal(fabric_connect(fabric, second, 3, enclave_5000),
			 -EAGAIN);
	assert_int_equal(fcntl(second, F_GETFL) & O_NONBLOCK, 0);
	assert_true(fabric_local_address(fabric, second, &before));
	served = accept(listener, NULL, NULL);
	assert_int_equal(fabric_connect(fabric, second, 3, enclave_5000), 0);
	assert_true(fabric_local_address(fabric, second, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	close(served);
	close(first);
	close(second);
	close(listener);
}

static void a_connected_socket_stays_as_it_is(void **state)
{
	struct fabric_fixture *fixture = *state;
	const struct fabric *fabric = &fixture->fabric;
	int listener = fabric_listen(fabric, enclave_5000, 5);
	int client = fabric_fixture_connect(fixture, 3, enclave_5000);

	assert_int_equal(fabric_connect(fabric, client, 3, enclave_5000),
			 -EISCONN);
	assert_int_equal(fabric_connect(fabric, client, 3, parent_9000),
			 -EISCONN);
	assert_int_equal(fabric_connect(fabric, listener, 16, parent_9000),
			 -ECONNRESET);
	assert_int_equal(fabric_connect(fabric, listener, 16, enclave_5000),
			 -EINVAL);
	close(client);
	close(listener);
}

static int connect_named(const struct fabric *fabric,
			 const struct sockaddr_un *name, socklen_t length)
{
	int fd = new_socket();
	int r = bind(fd, (const struct sockaddr *)name, length);

	assert_int_equal(r, 0);
	r = fabric_connect(fabric, fd, 16, parent_9000);
	close(fd);
	return r;
}

/* A program can bind an AF_UNIX socket of its own to any abstract name. */
static void nobody_speaks_with_the_address_of_another_cid(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int listener = fabric_listen(fabric, parent_9000, 5);
	struct sockaddr_un name;
	socklen_t length;

	length = vsock_connecting_name(
		&fabric->names, (struct vsock_address){ 77, 5000 }, &name);
	assert_int_equal(connect_named(fabric, &name, length), -ECONNRESET);
	name = (struct sockaddr_un){ .sun_family = AF_UNIX,
				     .sun_path = "\0ne-test-foreign" };
	assert_int_equal(connect_named(fabric, &name, sizeof(name)),
			 -ECONNRESET);
	assert_int_equal(accept(listener, NULL, NULL), -1);
	close(listener);
}

static void sockets_of_no_fabric_have_no_address(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	struct vsock_address address;
	int ends[2], inet;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_false(fabric_local_address(fabric, ends[0], &address));
	assert_false(fabric_peer_address(fabric, ends[0], &address));
	inet = socket(AF_INET, SOCK_STREAM, 0);
	assert_false(fabric_local_address(fabric, inet, &address));
	assert_false(fabric_local_address(fabric, -1, &address));
	close(inet);
	close(ends[0]);
	close(ends[1]);
}

/* --- Tidying up ------------------------------------------------------------ */

static void
sweeping_removes_what_dead_sockets_left_and_nothing_else(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int alive = new_socket(), dead = new_socket();

	assert_int_equal(bind_to(fabric, alive, enclave_5000), 0);
	assert_int_equal(bind_to(fabric, dead, (struct vsock_address){ 16, 1 }),
			 0);
	close(dead);
	assert_true(file_exists(fabric, "16/1"));
	fabric_sweep(fabric, 16);
	assert_false(file_exists(fabric, "16/1"));
	assert_true(file_exists(fabric, "16/5000"));
	fabric_forget(fabric, 16);
	assert_true(file_exists(fabric, "16/5000"));
	close(alive);
	fabric_forget(fabric, 16);
	assert_false(file_exists(fabric, "16"));
	fabric_sweep(fabric, 16); /* there is none */
	fabric_forget(fabric, 16);
}

static void only_one_listens_at_a_door_and_a_dead_one_is_replaced(void **state)
{
	const struct fabric *fabric =
		&((struct fabric_fixture *)*state)->fabric;
	int door = fabric_listen_door(fabric, 16);

	assert_true(door >= 0);
	assert_int_equal(fabric_listen_door(fabric, 16), -EADDRINUSE);
	close(door); /* as after kill -9: the file is still there */
	assert_true(file_exists(fabric, "16.sock"));
	door = fabric_listen_door(fabric, 16);
	assert_true(door >= 0);
	fabric_remove_door(fabric, 16);
	assert_false(file_exists(fabric, "16.sock"));
	close(door);
}

static void a_folder_whose_name_is_too_long_is_refused(void **state)
{
	struct fabric_fixture *fixture = *state;
	struct ne_error err = { 0 };
	struct fabric fabric;
	char path[VSOCK_FOLDER_MAX + 1];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(fabric_open(&fabric, fixture->runtime, path, &err),
			 -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "NE_RUNTIME_DIR"));
}

static void fabrics_do_not_mix(void **state)
{
	struct fabric_fixture *fixture = *state;
	struct fabric_fixture *other;
	void *other_state;
	struct vsock_address address;
	int listener, client;

	assert_int_equal(fabric_fixture_new(&other_state), 0);
	other = other_state;
	listener = fabric_listen(&fixture->fabric, enclave_5000, 5);
	assert_int_equal(connect_as(&other->fabric, 3, enclave_5000),
			 -ECONNRESET);
	client = fabric_fixture_connect(fixture, 3, enclave_5000);
	assert_false(fabric_local_address(&other->fabric, client, &address));
	assert_false(fabric_peer_address(&other->fabric, client, &address));
	close(client);
	close(listener);
	assert_int_equal(fabric_fixture_free(&other_state), 0);
}

#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, fabric_fixture_new, \
					fabric_fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_belongs_to_one_socket),
		TEST(it_is_free_when_the_last_copy_of_the_socket_is_closed),
		TEST(it_is_free_when_its_holder_was_killed),
		TEST(a_port_can_be_chosen_by_the_fabric),
		TEST(a_bound_socket_is_not_bound_again),
		TEST(of_those_who_race_for_an_address_one_gets_it),
		TEST(a_folder_is_forgotten_while_somebody_binds_in_it),
		TEST(both_ends_know_both_addresses),
		TEST(a_listener_of_ours_does_not_wait_and_is_closed_on_exec),
		TEST(a_client_may_have_bound_its_address),
		TEST(the_port_of_a_connected_socket_is_taken),
		TEST(where_nobody_listens_a_connection_is_reset),
		TEST(who_reaches_whom_is_as_with_nitro),
		TEST(a_full_queue_is_eagain_and_nobody_waits),
		TEST(a_connected_socket_stays_as_it_is),
		TEST(nobody_speaks_with_the_address_of_another_cid),
		TEST(sockets_of_no_fabric_have_no_address),
		TEST(sweeping_removes_what_dead_sockets_left_and_nothing_else),
		TEST(only_one_listens_at_a_door_and_a_dead_one_is_replaced),
		TEST(a_folder_whose_name_is_too_long_is_refused),
		TEST(fabrics_do_not_mix),
	};

	return cmocka_run_group_tests_name("vsock fabric", tests, NULL, NULL);
}
