// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <linux/vm_sockets.h>

#include "tests/unit/fabric_fixture.h"
#include "tests/unit/traced.h"
#include "vsock-sim/syscalls.h"

/* --- In the test ----------------------------------------------------------- */

/* Runs body under the trap, as a program of the parent. */
static void run(void **state, void (*body)(void *data))
{
	struct fabric_fixture *fixture = *state;
	struct vsock_syscalls *vsock;
	struct trap_handler handler;
	struct traced traced;
	int status;

	assert_int_equal(vsock_syscalls_new(&vsock, fixture->loop,
					    &fixture->fabric, VSOCK_CID_PARENT,
					    true, NULL),
			 0);
	handler = vsock_syscalls_handler(vsock);
	traced_start(&traced, fixture->loop, &handler, 1, body, NULL);
	status = traced_finish(&traced);
	/* It may hold calls of the trap's. */
	vsock_syscalls_free(vsock);
	traced_free(&traced);
	assert_int_equal(status, 0);
}

/* --- In the child ---------------------------------------------------------- */

static struct sockaddr_vm address_of(uint32_t cid, uint32_t port)
{
	return (struct sockaddr_vm){ .svm_family = AF_VSOCK,
				     .svm_cid = cid,
				     .svm_port = port };
}

static int new_socket(int flags)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM | flags, 0);

	CHECK(fd >= 0);
	return fd;
}

static int bind_to(int fd, uint32_t cid, uint32_t port)
{
	struct sockaddr_vm address = address_of(cid, port);

	return bind(fd, (struct sockaddr *)&address, sizeof(address));
}

static int connect_to(int fd, uint32_t cid, uint32_t port)
{
	struct sockaddr_vm address = address_of(cid, port);

	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int listen_at(uint32_t port, int backlog)
{
	int fd = new_socket(0);

	CHECK(bind_to(fd, VMADDR_CID_ANY, port) == 0);
	CHECK(listen(fd, backlog) == 0);
	return fd;
}

static int connected_to(uint32_t port)
{
	int fd = new_socket(0);

	CHECK(connect_to(fd, VSOCK_CID_PARENT, port) == 0);
	return fd;
}

static int accept_from(int listener, struct sockaddr_vm *peer)
{
	socklen_t size = sizeof(*peer);

	memset(peer, 0xff, sizeof(*peer));
	return accept(listener, (struct sockaddr *)peer, &size);
}

static struct sockaddr_vm name_of(int fd)
{
	struct sockaddr_vm name;
	socklen_t size = sizeof(name);

	CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0);
	CHECK(size == sizeof(name) && name.svm_family == AF_VSOCK);
	return name;
}

static struct sockaddr_vm peer_of(int fd)
{
	struct sockaddr_vm name;
	socklen_t size = sizeof(name);

	CHECK(getpeername(fd, (struct sockaddr *)&name, &size) == 0);
	CHECK(size == sizeof(name) && name.svm_family == AF_VSOCK);
	return name;
}

static void expect_talk(int a, int b)
{
	char byte;

	CHECK(write(a, "a", 1) == 1);
	CHECK(read(b, &byte, 1) == 1 && byte == 'a');
	CHECK(write(b, "b", 1) == 1);
	CHECK(read(a, &byte, 1) == 1 && byte == 'b');
}

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void alarm_after(unsigned int milliseconds, int flags)
{
	struct itimerval soon = { .it_value.tv_usec = milliseconds * 1000 };

	catch_signal(SIGALRM, flags);
	setitimer(ITIMER_REAL, &soon, NULL);
}

static void reap(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == 0);
}

/* --- socket ---------------------------------------------------------------- */

static void make_sockets(void *data)
{
	int lowest = dup(0), fd;

	(void)data;
	close(lowest);
	CHECK(new_socket(0) == lowest);
	CHECK(fcntl(lowest, F_GETFD) == 0);
	CHECK((fcntl(lowest, F_GETFL) & O_NONBLOCK) == 0);
	fd = new_socket(SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(socket(AF_VSOCK, SOCK_SEQPACKET, 0) >= 0);
	CHECK(socket(AF_VSOCK, SOCK_STREAM, AF_VSOCK) >= 0);
	CHECK_ERRNO(ENODEV, socket(AF_VSOCK, SOCK_DGRAM, 0));
	CHECK_ERRNO(ESOCKTNOSUPPORT, socket(AF_VSOCK, SOCK_RAW, 0));
	CHECK_ERRNO(ESOCKTNOSUPPORT, socket(AF_VSOCK, 0, 0));
	CHECK_ERRNO(EINVAL, socket(AF_VSOCK, 11, 0));
	CHECK_ERRNO(EINVAL, socket(AF_VSOCK, SOCK_STREAM | 0x100, 0));
	CHECK_ERRNO(EPROTONOSUPPORT, socket(AF_VSOCK, SOCK_STREAM, 1));
	CHECK_ERRNO(EPROTONOSUPPORT, socket(AF_VSOCK, SOCK_DGRAM, 1));
	/* The kernel looks at 32 bits of each argument. */
	CHECK(syscall(SYS_socket, 0xabc00000000 | AF_VSOCK,
		      0x100000000 | SOCK_STREAM, 0) >= 0);
}

static void sockets_are_made_with_the_errors_of_the_kernel_s(void **state)
{
	run(state, make_sockets);
}

static void look_at_options(void *data)
{
	int fd = new_socket(0), value;
	int32_t canary[2] = { -1, -1 };
	socklen_t size = sizeof(value);

	(void)data;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &size) == 0);
	CHECK(value == AF_VSOCK && size == sizeof(value));
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) == 0);
	CHECK(value == SOCK_STREAM);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size) == 0);
	CHECK(value == 0);
	size = 100;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, canary, &size) == 0);
	CHECK(size == 4 && canary[0] == AF_VSOCK && canary[1] == -1);
	size = 1;
	canary[0] = -1;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, canary, &size) == 0);
	CHECK(size == 1 && memcmp(canary, "\x28\xff\xff\xff", 4) == 0);
	size = (socklen_t)-1;
	CHECK_ERRNO(EINVAL,
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, canary, &size));
	size = 4;
	CHECK_ERRNO(EFAULT,
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, (void *)8, &size));
	CHECK_ERRNO(EFAULT, getsockopt(fd, SOL_SOCKET, SO_DOMAIN, canary,
				       (socklen_t *)8));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &size) == 0);
	CHECK(value == AF_INET);
	CHECK_ERRNO(ENOTSOCK, getsockopt(open("/dev/null", O_RDONLY),
					 SOL_SOCKET, SO_DOMAIN, &value, &size));
}

static void a_socket_says_that_it_is_one_of_vsock(void **state)
{
	run(state, look_at_options);
}

/* --- bind ------------------------------------------------------------------ */

static void bind_sockets(void *data)
{
	int a = new_socket(0), b = new_socket(0);
	struct sockaddr_vm any;

	(void)data;
	CHECK(bind_to(a, VSOCK_CID_PARENT, 5000) == 0);
	CHECK_ERRNO(EADDRINUSE, bind_to(b, VSOCK_CID_PARENT, 5000));
	CHECK_ERRNO(EADDRINUSE, bind_to(b, VMADDR_CID_ANY, 5000));
	CHECK_ERRNO(EINVAL, bind_to(a, VSOCK_CID_PARENT, 5001));
	CHECK_ERRNO(EADDRNOTAVAIL, bind_to(b, 16, 5001));
	CHECK_ERRNO(EADDRNOTAVAIL, bind_to(b, 0, 5001));
	CHECK_ERRNO(EADDRNOTAVAIL, bind_to(b, VMADDR_CID_HOST, 5001));
	CHECK(bind_to(b, VSOCK_CID_LOCAL, 5001) == 0);
	close(a);
	a = new_socket(0);
	CHECK(bind_to(a, VSOCK_CID_PARENT, 5000) == 0); /* free again */
	close(b);
	b = new_socket(0);
	CHECK(bind_to(b, VMADDR_CID_ANY, VMADDR_PORT_ANY) == 0);
	any = name_of(b);
	CHECK(any.svm_cid == VMADDR_CID_ANY && any.svm_port > 1023);
}

static void addresses_are_bound_once_and_only_one_s_own(void **state)
{
	run(state, bind_sockets);
}

static void bind_reserved(void *data)
{
	int fd = new_socket(0);

	(void)data;
	if (geteuid() == 0) {
		CHECK(bind_to(fd, VMADDR_CID_ANY, 1023) == 0);
		fd = new_socket(0);
		CHECK(setresuid(65534, 65534, 65534) == 0);
	}
	CHECK_ERRNO(EACCES, bind_to(fd, VMADDR_CID_ANY, 1023));
	CHECK_ERRNO(EACCES, bind_to(fd, VMADDR_CID_ANY, 0));
	CHECK(bind_to(fd, VMADDR_CID_ANY, 1024) == 0);
}

static void reserved_ports_need_a_capability(void **state)
{
	run(state, bind_reserved);
}

/* Both take what they are given just so. */
static void expect_absurd_addresses_refused(int (*call)(int,
							const struct sockaddr *,
							socklen_t))
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr *address = (struct sockaddr *)&storage;
	struct sockaddr_vm good = address_of(VSOCK_CID_PARENT, 4711);
	struct sockaddr_vm flagged = good;
	int fd = new_socket(0);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *hole = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(&storage, &good, sizeof(good));
	CHECK_ERRNO(EINVAL, call(fd, address, 0));
	CHECK_ERRNO(EINVAL, call(fd, address, 2));
	CHECK_ERRNO(EINVAL, call(fd, address, sizeof(good) - 1));
	CHECK_ERRNO(EINVAL, call(fd, address, sizeof(storage) + 1));
	CHECK_ERRNO(EINVAL, call(fd, address, INT32_MAX));
	CHECK_ERRNO(EINVAL, call(fd, address, (socklen_t)INT32_MIN));
	CHECK_ERRNO(EINVAL, call(fd, address, (socklen_t)-1));
	CHECK_ERRNO(EFAULT, call(fd, NULL, sizeof(good)));
	CHECK(munmap(hole + page, page) == 0);
	memcpy(hole + page - 10, &good, 10);
	CHECK_ERRNO(EFAULT, call(fd, (struct sockaddr *)(hole + page - 10),
				 sizeof(good)));
	address->sa_family = AF_INET;
	CHECK_ERRNO(EINVAL, call(fd, address, sizeof(good)));
	address->sa_family = AF_UNIX;
	CHECK_ERRNO(EINVAL, call(fd, address, sizeof(struct sockaddr_un)));
	flagged.svm_flags = 0x40;
	CHECK_ERRNO(EINVAL,
		    call(fd, (struct sockaddr *)&flagged, sizeof(flagged)));
	/* More room than needed is fine. */
	memcpy(&storage, &good, sizeof(good));
	CHECK(call(fd, address, sizeof(storage)) == 0 || errno == ECONNRESET);
	CHECK_ERRNO(EBADF, call(9999, address, sizeof(good)));
	CHECK_ERRNO(ENOTSOCK,
		    call(open("/dev/null", O_RDONLY), address, sizeof(good)));
}

static void pass_absurd_addresses(void *data)
{
	(void)data;
	expect_absurd_addresses_refused(bind);
	expect_absurd_addresses_refused(connect);
}

static void absurd_addresses_are_refused(void **state)
{
	run(state, pass_absurd_addresses);
}

/* --- Names ----------------------------------------------------------------- */

static void ask_for_names(void *data)
{
	int fd = new_socket(0), listener, client, server;
	struct sockaddr_vm name = name_of(fd), peer;
	uint8_t bytes[32];
	socklen_t size;

	(void)data;
	CHECK(name.svm_cid == VMADDR_CID_ANY);
	CHECK(name.svm_port == VMADDR_PORT_ANY);
	CHECK_ERRNO(ENOTCONN, getpeername(fd, (struct sockaddr *)&name, &size));
	CHECK(bind_to(fd, VSOCK_CID_PARENT, 6000) == 0);
	name = name_of(fd);
	CHECK(name.svm_cid == VSOCK_CID_PARENT && name.svm_port == 6000);

	/* Cut to the room there is, with the size it would have. */
	memset(bytes, 0xee, sizeof(bytes));
	size = 6;
	CHECK(getsockname(fd, (struct sockaddr *)bytes, &size) == 0);
	CHECK(size == 16 && memcmp(bytes, &name, 6) == 0 && bytes[6] == 0xee);
	size = 0;
	CHECK(getsockname(fd, (struct sockaddr *)bytes, &size) == 0);
	CHECK(size == 16);
	size = 0;
	CHECK(getsockname(fd, NULL, &size) == 0); /* nothing to nowhere */
	size = 32;
	CHECK(getsockname(fd, (struct sockaddr *)bytes, &size) == 0);
	CHECK(size == 16 && bytes[16] == 0xee);
	size = (socklen_t)-1;
	CHECK_ERRNO(EINVAL, getsockname(fd, (struct sockaddr *)bytes, &size));
	CHECK_ERRNO(EFAULT, getsockname(fd, (struct sockaddr *)bytes, NULL));
	size = 16;
	CHECK_ERRNO(EFAULT, getsockname(fd, NULL, &size));

	listener = listen_at(6001, 5);
	CHECK(name_of(listener).svm_cid == VMADDR_CID_ANY);
	client = connected_to(6001);
	server = accept_from(listener, &peer);
	name = name_of(server);
	CHECK(name.svm_cid == VSOCK_CID_PARENT && name.svm_port == 6001);
	name = peer_of(client);
	CHECK(name.svm_cid == VSOCK_CID_PARENT && name.svm_port == 6001);
	name = peer_of(server);
	CHECK(memcmp(&name, &peer, sizeof(name)) == 0);
	CHECK(name.svm_cid == VSOCK_CID_PARENT);
	/* What connect binds is bound to any CID, as in the kernel. */
	CHECK(name_of(client).svm_port == name.svm_port);
	CHECK(name_of(client).svm_cid == VMADDR_CID_ANY);
	size = 2;
	memset(bytes, 0xee, sizeof(bytes));
	CHECK(getpeername(client, (struct sockaddr *)bytes, &size) == 0);
	CHECK(size == 16 && bytes[0] == AF_VSOCK && bytes[2] == 0xee);
}

static void names_are_given_as_the_kernel_gives_them(void **state)
{
	run(state, ask_for_names);
}

/* --- connect --------------------------------------------------------------- */

static void connect_wrongly(void *data)
{
	int fd = new_socket(0), listener = listen_at(6000, 5);
	struct sockaddr_vm peer;

	(void)data;
	CHECK_ERRNO(ECONNRESET, connect_to(fd, VSOCK_CID_PARENT, 6001));
	CHECK_ERRNO(ECONNRESET, connect_to(fd, 77, 6001));
	CHECK_ERRNO(ECONNRESET, connect_to(fd, VMADDR_CID_HOST, 1024));
	/* and may try again */
	CHECK(connect_to(fd, VSOCK_CID_PARENT, 6000) == 0);
	CHECK_ERRNO(EISCONN, connect_to(fd, VSOCK_CID_PARENT, 6000));
	CHECK_ERRNO(EISCONN, connect(fd, (struct sockaddr *)&peer, 3));
	CHECK_ERRNO(EINVAL, connect_to(listener, VSOCK_CID_PARENT, 6000));
	CHECK_ERRNO(EINVAL, bind_to(fd, VSOCK_CID_PARENT, 6003));
	close(fd);
	fd = new_socket(0);
	CHECK(bind_to(fd, VMADDR_CID_ANY, 6002) == 0);
	CHECK_ERRNO(EINVAL, accept_from(fd, &peer)); /* does not listen */
	CHECK(connect_to(fd, VSOCK_CID_LOCAL, 6000) == 0);
	close(accept_from(listener, &peer)); /* the first one */
	close(accept_from(listener, &peer));
	CHECK(peer.svm_port == 6002 && peer.svm_cid == VSOCK_CID_PARENT);
	CHECK_ERRNO(EINVAL, listen(new_socket(0), 5)); /* has no address */
}

static void connections_fail_as_the_kernel_s_do(void **state)
{
	run(state, connect_wrongly);
}

static void fill_queue(void *data)
{
	int listener = listen_at(6000, 0), first = connected_to(6000);
	int waiting = new_socket(SOCK_NONBLOCK), blocking = new_socket(0);
	struct timeval limit = { .tv_usec = 150000 }, read = { 0 };
	socklen_t size = sizeof(read);
	double begin = now_ms();

	(void)data;
	CHECK_ERRNO(ECONNRESET, connect_to(waiting, VSOCK_CID_PARENT, 6000));
	CHECK(now_ms() - begin < 1000);
	CHECK(getsockopt(blocking, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT,
			 &read, &size) == 0);
	CHECK(read.tv_sec == 2 && read.tv_usec == 0 && size == sizeof(read));
	CHECK(setsockopt(blocking, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT,
			 &limit, sizeof(limit)) == 0);
	CHECK(getsockopt(dup(blocking), AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT,
			 &read, &size) == 0);
	CHECK(read.tv_sec == 0 && read.tv_usec == 150000);
	begin = now_ms();
	CHECK_ERRNO(ETIMEDOUT, connect_to(blocking, VSOCK_CID_PARENT, 6000));
	CHECK(now_ms() - begin > 100 && now_ms() - begin < 1900);
	alarm_after(50, 0);
	CHECK_ERRNO(EINTR, connect_to(new_socket(0), VSOCK_CID_PARENT, 6000));
	CHECK((fcntl(blocking, F_GETFL) & O_NONBLOCK) == 0);
	close(first);
	close(listener);
}

static void a_full_queue_keeps_only_callers_who_may_wait(void **state)
{
	run(state, fill_queue);
}

static void set_options(void *data)
{
	int fd = new_socket(0), inet = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval value = { .tv_sec = 20 };
	const int option = SO_VM_SOCKETS_CONNECT_TIMEOUT;
	socklen_t size = sizeof(value);

	(void)data;
	CHECK(setsockopt(fd, AF_VSOCK, option, &value, sizeof(value)) == 0);
	CHECK_ERRNO(EINVAL, setsockopt(fd, AF_VSOCK, option, &value, 15));
	CHECK_ERRNO(EFAULT, setsockopt(fd, AF_VSOCK, option, NULL, 16));
	value.tv_usec = 1000000;
	CHECK_ERRNO(ERANGE, setsockopt(fd, AF_VSOCK, option, &value, 16));
	value = (struct timeval){ .tv_sec = -1 };
	CHECK_ERRNO(ERANGE, setsockopt(fd, AF_VSOCK, option, &value, 16));
	CHECK(getsockopt(fd, AF_VSOCK, option, &value, &size) == 0);
	CHECK(value.tv_sec == 20 && value.tv_usec == 0); /* the good one */
	value = (struct timeval){ 0 };			 /* the default again */
	CHECK(setsockopt(fd, AF_VSOCK, option, &value, 16) == 0);
	CHECK(getsockopt(fd, AF_VSOCK, option, &value, &size) == 0);
	CHECK(value.tv_sec == 2);
	CHECK_ERRNO(ENOPROTOOPT, setsockopt(fd, AF_VSOCK, 99, &value, 16));
	CHECK_ERRNO(ENOPROTOOPT, getsockopt(fd, AF_VSOCK, 99, &value, &size));
	size = 15;
	CHECK_ERRNO(EINVAL, getsockopt(fd, AF_VSOCK, option, &value, &size));
	size = (socklen_t)-1;
	CHECK_ERRNO(EINVAL, getsockopt(fd, AF_VSOCK, option, &value, &size));
	CHECK(setsockopt(inet, AF_VSOCK, option, &value, 16) == -1);
}

static void the_connect_timeout_is_an_option_of_the_socket(void **state)
{
	run(state, set_options);
}

static void *accept_soon(void *data)
{
	struct sockaddr_vm peer;

	usleep(100000);
	CHECK(accept_from(*(int *)data, &peer) >= 0);
	CHECK(accept_from(*(int *)data, &peer) >= 0);
	return NULL;
}

static void wait_in_queue(void *data)
{
	int listener = listen_at(6000, 0), first = connected_to(6000), second;
	pthread_t thread;

	(void)data;
	CHECK(pthread_create(&thread, NULL, accept_soon, &listener) == 0);
	second = connected_to(6000);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(write(second, "x", 1) == 1);
	close(first);
}

static void a_blocking_connect_gets_through_when_there_is_room(void **state)
{
	run(state, wait_in_queue);
}

/* --- accept ---------------------------------------------------------------- */

static void accept_in_every_way(void *data)
{
	int listener = listen_at(6000, 50), client, server;
	struct sockaddr_vm peer;
	uint8_t bytes[16];
	socklen_t size;

	(void)data;
	client = connected_to(6000);
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0);
	expect_talk(client, server);
	/* The kernel accepted that one by itself; it is one of ours still. */
	CHECK(name_of(server).svm_port == 6000);
	CHECK(peer_of(server).svm_port == name_of(client).svm_port);
	size = sizeof(int);
	CHECK(getsockopt(server, SOL_SOCKET, SO_DOMAIN, bytes, &size) == 0);
	CHECK(bytes[0] == AF_VSOCK);
	close(server);
	CHECK(read(client, bytes, 1) == 0);

	client = connected_to(6000);
	server = accept_from(listener, &peer);
	CHECK(fcntl(server, F_GETFD) == 0);
	CHECK((fcntl(server, F_GETFL) & O_NONBLOCK) == 0);
	CHECK(peer.svm_port == name_of(client).svm_port);
	expect_talk(client, server);

	client = connected_to(6000);
	size = sizeof(peer);
	server = accept4(listener, (struct sockaddr *)&peer, &size,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK(fcntl(server, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(server, F_GETFL) & O_NONBLOCK);
	CHECK_ERRNO(EAGAIN, read(server, bytes, 1));

	client = connected_to(6000);
	size = 3;
	memset(bytes, 0xee, sizeof(bytes));
	server = accept(listener, (struct sockaddr *)bytes, &size);
	CHECK(server >= 0 && size == 16 && bytes[3] == 0xee);

	CHECK_ERRNO(EINVAL, accept4(listener, (struct sockaddr *)&peer, &size,
				    SOCK_STREAM));
	CHECK_ERRNO(EINVAL, accept_from(client, &peer));
	CHECK_ERRNO(EINVAL, accept_from(new_socket(0), &peer));
	CHECK_ERRNO(EBADF, accept_from(9999, &peer));
	/* The connection is lost, as in the kernel. */
	client = connected_to(6000);
	CHECK_ERRNO(EFAULT, accept(listener, (struct sockaddr *)&peer, NULL));
	CHECK(read(client, bytes, 1) == 0);
	CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERRNO(EAGAIN, accept_from(listener, &peer));
	CHECK_ERRNO(EAGAIN, accept(listener, NULL, NULL));
}

static void connections_are_accepted_in_every_way(void **state)
{
	run(state, accept_in_every_way);
}

static void *connect_soon(void *data)
{
	(void)data;
	usleep(50000);
	connected_to(6000);
	return NULL;
}

static void block_in_accept(void *data)
{
	int listener = listen_at(6000, 5);
	struct sockaddr_vm peer;
	pthread_t thread;

	(void)data;
	CHECK(pthread_create(&thread, NULL, connect_soon, NULL) == 0);
	CHECK(accept_from(listener, &peer) >= 0);
	CHECK(pthread_join(thread, NULL) == 0);
	/* A signal, and another try; then a signal that is not noticed. */
	alarm_after(30, 0);
	CHECK_ERRNO(EINTR, accept_from(listener, &peer));
	CHECK(pthread_create(&thread, NULL, connect_soon, NULL) == 0);
	alarm_after(20, SA_RESTART);
	CHECK(accept_from(listener, &peer) >= 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void a_blocking_accept_waits_and_can_be_interrupted(void **state)
{
	run(state, block_in_accept);
}

static void limit_accept(void *data)
{
	int listener = listen_at(6000, 5);
	struct timeval limit = { .tv_usec = 80000 };
	struct sockaddr_vm peer;
	double begin = now_ms();

	(void)data;
	CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit,
			 sizeof(limit)) == 0);
	CHECK_ERRNO(EAGAIN, accept_from(listener, &peer));
	CHECK(now_ms() - begin >= 70);
	connected_to(6000);
	CHECK(accept_from(listener, &peer) >= 0);
}

static void a_receive_timeout_limits_accept_too(void **state)
{
	run(state, limit_accept);
}

static void *shut_down_soon(void *data)
{
	usleep(50000);
	shutdown(*(int *)data, SHUT_RDWR);
	return NULL;
}

static void shut_down_listener(void *data)
{
	int listener = listen_at(6000, 5);
	struct sockaddr_vm peer;
	pthread_t thread;

	(void)data;
	CHECK(pthread_create(&thread, NULL, shut_down_soon, &listener) == 0);
	CHECK_ERRNO(EINVAL, accept_from(listener, &peer));
	CHECK(pthread_join(thread, NULL) == 0);
}

static void shutting_a_listener_down_ends_accept(void **state)
{
	run(state, shut_down_listener);
}

static void kill_in_accept(void *data)
{
	struct sockaddr_vm peer;

	(void)data;
	for (int i = 0; i < 5; i++) {
		int ends[2], fd;
		char byte;
		pid_t pid;

		CHECK(pipe(ends) == 0);
		pid = fork();
		if (pid == 0) {
			int listener = listen_at(6000, 5);

			CHECK(write(ends[1], "x", 1) == 1);
			accept_from(listener, &peer);
			_exit(1);
		}
		CHECK(read(ends[0], &byte, 1) == 1);
		usleep(20000); /* it is in accept now */
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(waitpid(pid, NULL, 0) == pid);
		if (i % 2) {
			fd = new_socket(0);
			CHECK_ERRNO(ECONNRESET,
				    connect_to(fd, VSOCK_CID_PARENT, 6000));
			close(fd);
		}
		fd = new_socket(0);
		CHECK(bind_to(fd, VMADDR_CID_ANY, 6000) == 0);
		close(fd);
		close(ends[0]);
		close(ends[1]);
	}
}

static void a_server_killed_in_accept_leaves_its_port_at_once(void **state)
{
	run(state, kill_in_accept);
}

static void *serve_some(void *data)
{
	int listener = *(int *)data;
	struct sockaddr_vm peer;

	for (int i = 0; i < 20; i++) {
		int fd = accept_from(listener, &peer);

		CHECK(fd >= 0);
		CHECK(write(fd, "x", 1) == 1);
		close(fd);
	}
	return NULL;
}

static void accept_in_many_threads(void *data)
{
	int listener = listen_at(6000, 200);
	pthread_t threads[5];
	char byte;

	(void)data;
	for (int i = 0; i < 5; i++)
		CHECK(pthread_create(&threads[i], NULL, serve_some,
				     &listener) == 0);
	for (int i = 0; i < 100; i++) {
		int fd = connected_to(6000);

		CHECK(read(fd, &byte, 1) == 1);
		CHECK(read(fd, &byte, 1) == 0);
		close(fd);
	}
	for (int i = 0; i < 5; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static void many_threads_may_accept_from_one_listener(void **state)
{
	run(state, accept_in_many_threads);
}

static volatile sig_atomic_t shots;

static void take_shot(int signal)
{
	(void)signal;
	/* On a slow machine every call might be hit before it is done. */
	if (--shots == 0)
		setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

static void open_fire(int flags)
{
	const struct itimerval often = { .it_value.tv_usec = 300,
					 .it_interval.tv_usec = 300 };
	struct sigaction action = { .sa_handler = take_shot,
				    .sa_flags = flags };

	shots = 2000;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

/* Clients who are each told a byte, by a server under a hail of signals. */
static void serve_under_fire(int flags)
{
	struct sockaddr_vm peer;
	int listener = listen_at(6000, 5);
	pid_t clients = fork();
	char byte;

	if (clients == 0) {
		for (int i = 0; i < 200; i++) {
			int fd = connected_to(6000);

			CHECK(read(fd, &byte, 1) == 1);
			close(fd);
		}
		_exit(0);
	}
	open_fire(flags);
	for (int i = 0; i < 200;) {
		int fd = accept_from(listener, &peer);

		if (fd < 0) {
			CHECK(errno == EINTR && !flags);
			continue;
		}
		while (write(fd, "x", 1) != 1)
			CHECK(errno == EINTR);
		close(fd);
		i++;
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	reap(clients);
}

static void serve_under_fire_with_eintr(void *data)
{
	(void)data;
	serve_under_fire(0);
}

static void serve_under_fire_with_restart(void *data)
{
	(void)data;
	serve_under_fire(SA_RESTART);
}

static void no_connection_is_lost_in_a_hail_of_signals(void **state)
{
	run(state, serve_under_fire_with_eintr);
	run(state, serve_under_fire_with_restart);
}

static bool is_bound_to(int fd, unsigned int port)
{
	struct sockaddr_vm address;
	socklen_t size = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
	       address.svm_port == port;
}

static bool is_connected_to(int fd, unsigned int port)
{
	struct sockaddr_vm address;
	socklen_t size = sizeof(address);

	return getpeername(fd, (struct sockaddr *)&address, &size) == 0 &&
	       address.svm_port == port;
}

/*
 * Rarely, the kernel takes an answer and lets a signal have the caller all the
 * same: then the call comes again, and finds itself done.
 */
static void connect_under_fire(void *data)
{
	int listener = listen_at(6000, 100);

	(void)data;
	open_fire(SA_RESTART);
	for (int i = 0; i < 100; i++) {
		int fd = new_socket(0), other = new_socket(0), server;

		CHECK(bind_to(other, VMADDR_CID_ANY, 7000) == 0 ||
		      (errno == EINVAL && is_bound_to(other, 7000)));
		CHECK(connect_to(fd, VSOCK_CID_PARENT, 6000) == 0 ||
		      (errno == EISCONN && is_connected_to(fd, 6000)));
		server = accept(listener, NULL, NULL);
		CHECK(server >= 0);
		close(server);
		close(fd);
		close(other);
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

static void restarted_calls_do_what_they_do_once(void **state)
{
	run(state, connect_under_fire);
}

/* A server that may have one descriptor more, and needs two. */
static void accept_with_a_full_table(void *data)
{
	int listener = listen_at(6000, 5), client = connected_to(6000);
	int lowest = dup(0), server;
	struct rlimit few = { (rlim_t)lowest, 1000 }, enough = { 1000, 1000 };
	struct sockaddr_vm peer;

	(void)data;
	close(lowest);
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK_ERRNO(EMFILE, accept_from(listener, &peer));
	CHECK_ERRNO(EMFILE, accept_from(listener, &peer));
	CHECK(setrlimit(RLIMIT_NOFILE, &enough) == 0);
	server = accept_from(listener, &peer);
	CHECK(peer.svm_port == name_of(client).svm_port);
	expect_talk(client, server);
}

static void a_connection_waits_until_the_table_has_room(void **state)
{
	run(state, accept_with_a_full_table);
}

static void orphan_a_connection(void *data)
{
	int listener = listen_at(6000, 5), client = connected_to(6000);
	int lowest = dup(0);
	struct rlimit few = { (rlim_t)lowest, 1000 };
	struct sockaddr_vm peer;
	char byte;

	(void)data;
	close(lowest);
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK_ERRNO(EMFILE, accept_from(listener, &peer));
	close(listener);
	CHECK(read(client, &byte, 1) == 0); /* in a moment */
}

static void so_it_ends_when_its_listener_does(void **state)
{
	run(state, orphan_a_connection);
}

/* Sockets that the supervisor looked at before it answered. */
static void close_at_once(void *data)
{
	struct epoll_event event = { .events = EPOLLIN }, got;
	int listener = listen_at(6000, 5);

	(void)data;
	for (int i = 0; i < 200; i++) {
		int epoll = epoll_create1(0), client = new_socket(0), server;

		CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event) == 0);
		CHECK(connect_to(client, VSOCK_CID_PARENT, 6000) == 0);
		server = accept(listener, NULL, NULL);
		CHECK(write(server, "x", 1) == 1);
		name_of(client);
		CHECK(close(client) == 0);
		CHECK(epoll_wait(epoll, &got, 1, 0) == 0);
		CHECK(close(epoll) == 0 && close(server) == 0);
	}
}

static void a_socket_that_is_closed_leaves_epoll_at_once(void **state)
{
	run(state, close_at_once);
}

/* --- Copies of sockets ----------------------------------------------------- */

static void pass_descriptor(int through, int fd)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	CHECK(sendmsg(through, &header, 0) == 1);
}

static int receive_descriptor(int through)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr header = { .msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	int fd;

	CHECK(recvmsg(through, &header, 0) == 1);
	CHECK(CMSG_FIRSTHDR(&header));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(int));
	return fd;
}

static void serve_one(int listener)
{
	struct sockaddr_vm peer;
	int server = accept_from(listener, &peer);

	CHECK(server >= 0 && peer.svm_family == AF_VSOCK);
	CHECK(name_of(server).svm_port == 6000);
	CHECK(write(server, "x", 1) == 1);
}

static void expect_service(void)
{
	int client = connected_to(6000);
	char byte;

	CHECK(read(client, &byte, 1) == 1);
	close(client);
}

static void copy_sockets(void *data)
{
	int listener = listen_at(6000, 5), copy = dup2(listener, 100), ends[2];
	char number[16];
	pid_t pid;

	(void)data;
	CHECK(name_of(copy).svm_port == 6000);
	close(listener);
	CHECK_ERRNO(EADDRINUSE, bind_to(new_socket(0), VMADDR_CID_ANY, 6000));

	pid = fork();
	if (pid == 0) {
		serve_one(copy);
		_exit(0);
	}
	expect_service();
	reap(pid);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	pid = fork();
	if (pid == 0) {
		close(copy);
		serve_one(receive_descriptor(ends[0]));
		_exit(0);
	}
	pass_descriptor(ends[1], copy);
	expect_service();
	reap(pid);

	pid = fork();
	if (pid == 0) {
		snprintf(number, sizeof(number), "%d", copy);
		execl("/proc/self/exe", "test", "--serve", number, NULL);
		_exit(1);
	}
	expect_service();
	reap(pid);

	CHECK(close_range(50, ~0U, 0) == 0);
	CHECK(bind_to(new_socket(0), VMADDR_CID_ANY, 6000) == 0);
}

static void copies_by_dup_fork_exec_and_scm_rights_are_the_socket(void **state)
{
	run(state, copy_sockets);
}

/* --- What the kernel does by itself ---------------------------------------- */

static void wait_with_epoll(void *data)
{
	int epoll = epoll_create1(0), listener = listen_at(6000, 5);
	int client, server;
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP }, got;
	struct sockaddr_vm peer;

	(void)data;
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0);
	CHECK(epoll_wait(epoll, &got, 1, 0) == 0);
	client = connected_to(6000);
	CHECK(epoll_wait(epoll, &got, 1, 1000) == 1 && got.events == EPOLLIN);
	server = accept_from(listener, &peer);
	CHECK(epoll_wait(epoll, &got, 1, 0) == 0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event) == 0);
	CHECK(epoll_wait(epoll, &got, 1, 0) == 0);
	CHECK(write(client, "x", 1) == 1);
	CHECK(epoll_wait(epoll, &got, 1, 1000) == 1 && got.events == EPOLLIN);
	shutdown(client, SHUT_WR);
	CHECK(epoll_wait(epoll, &got, 1, 1000) == 1);
	CHECK(got.events == (EPOLLIN | EPOLLRDHUP));
	close(client);
	CHECK(epoll_wait(epoll, &got, 1, 1000) == 1);
	CHECK(got.events & EPOLLHUP);
	/* A closed socket leaves epoll: nobody has a copy any more. */
	close(server);
	usleep(50000);
	CHECK(epoll_wait(epoll, &got, 1, 100) == 0);
}

static void epoll_works_as_with_any_socket(void **state)
{
	run(state, wait_with_epoll);
}

static void send_packets(void *data)
{
	int listener = socket(AF_VSOCK, SOCK_SEQPACKET, 0);
	int client = socket(AF_VSOCK, SOCK_SEQPACKET, 0), server;
	struct sockaddr_vm peer;
	char text[16];

	(void)data;
	CHECK(bind_to(listener, VMADDR_CID_ANY, 6000) == 0);
	CHECK(listen(listener, 5) == 0);
	CHECK_ERRNO(ECONNRESET,
		    connect_to(new_socket(0), VSOCK_CID_PARENT, 6000));
	CHECK(connect_to(client, VSOCK_CID_PARENT, 6000) == 0);
	server = accept_from(listener, &peer);
	CHECK(write(client, "one", 3) == 3 && write(client, "three", 5) == 5);
	CHECK(read(server, text, sizeof(text)) == 3);
	CHECK(read(server, text, sizeof(text)) == 5);
}

static void packets_keep_their_boundaries(void **state)
{
	run(state, send_packets);
}

static void ask_for_local_cid(void *data)
{
	int device = open("/dev/vsock", O_RDWR | O_CLOEXEC), other;
	uint32_t cid = 0;

	(void)data;
	CHECK(device >= 0 && fcntl(device, F_GETFD) == FD_CLOEXEC);
	CHECK(ioctl(device, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == 0);
	CHECK(cid == VSOCK_CID_PARENT);
	other = openat(AT_FDCWD, "/dev/vsock", O_RDONLY);
	CHECK(other >= 0 && fcntl(other, F_GETFD) == 0);
	CHECK((fcntl(other, F_GETFL) & O_ACCMODE) == O_RDONLY);
	cid = 0;
	CHECK(ioctl(dup(other), IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == 0);
	CHECK(cid == VSOCK_CID_PARENT);
	cid = 0;
	CHECK(ioctl(new_socket(0), IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == 0);
	CHECK(cid == VSOCK_CID_PARENT);
	CHECK_ERRNO(EFAULT, ioctl(device, IOCTL_VM_SOCKETS_GET_LOCAL_CID, 8));
	CHECK_ERRNO(ENOTTY, ioctl(open("/dev/null", O_RDWR),
				  IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid));
	CHECK_ERRNO(ENOTTY, ioctl(device, TCGETS, &cid));
	CHECK(open("/dev/vsock-not", O_RDWR) == -1 && errno == ENOENT);
	CHECK(open("/dev/null", O_RDWR) >= 0);
	CHECK_ERRNO(EFAULT, open((const char *)8, O_RDONLY));
}

static void the_local_cid_can_be_asked_for(void **state)
{
	run(state, ask_for_local_cid);
}

/* However it is opened: the kernel has another device there, or none. */
static void open_by_every_call(void *data)
{
	struct open_how how = { .flags = O_RDWR | O_CLOEXEC };
	int root = open("/", O_PATH | O_DIRECTORY);
	int devices = open("/dev", O_RDONLY | O_DIRECTORY);
	int opened[] = {
		open("//dev/./pts/../vsock", O_RDWR),
		openat(devices, "vsock", O_RDWR),
		openat(root, "dev/vsock", O_RDWR),
		(int)syscall(SYS_openat2, root, "dev//vsock", &how,
			     sizeof(how)),
		creat("/dev/vsock", 0600),
	};
	uint32_t cid;

	(void)data;
	for (size_t i = 0; i < sizeof(opened) / sizeof(opened[0]); i++) {
		cid = 0;
		CHECK(ioctl(opened[i], IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) ==
		      0);
		CHECK(cid == VSOCK_CID_PARENT);
	}
	CHECK(fcntl(opened[3], F_GETFD) == FD_CLOEXEC);
	CHECK_ERRNO(ENOENT, openat(root, "vsock", O_RDWR));
}

static void the_device_is_opened_by_every_call(void **state)
{
	run(state, open_by_every_call);
}

static void try_io_uring(void *data)
{
	char parameters[256] = { 0 };

	(void)data;
	CHECK_ERRNO(EPERM, syscall(SYS_io_uring_setup, 4, parameters));
}

static void io_uring_is_refused(void **state)
{
	run(state, try_io_uring);
}

static void use_other_sockets(void *data)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX,
				  .sun_path = "\0ne-test-other" };
	struct sockaddr_storage name;
	socklen_t size = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client, server;

	(void)data;
	CHECK(bind(listener, (struct sockaddr *)&in, sizeof(in)) == 0);
	CHECK(listen(listener, 5) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&in, &size) == 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&in, sizeof(in)) == 0);
	size = sizeof(name);
	server = accept(listener, (struct sockaddr *)&name, &size);
	CHECK(server >= 0 && name.ss_family == AF_INET);
	expect_talk(client, server);
	size = sizeof(name);
	CHECK(getpeername(client, (struct sockaddr *)&name, &size) == 0);
	CHECK(memcmp(&name, &in, sizeof(in)) == 0);
	alarm_after(30, 0);
	CHECK_ERRNO(EINTR, accept(listener, (struct sockaddr *)&name, &size));

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&un, sizeof(un)) == 0);
	CHECK(listen(listener, 5) == 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&un, sizeof(un)) == 0);
	size = sizeof(name);
	server = accept(listener, (struct sockaddr *)&name, &size);
	CHECK(server >= 0 && size == sizeof(sa_family_t));
	size = sizeof(name);
	CHECK(getpeername(client, (struct sockaddr *)&name, &size) == 0);
	CHECK(memcmp(&name, &un, sizeof(un)) == 0);
}

static void other_sockets_are_left_alone(void **state)
{
	run(state, use_other_sockets);
}

static void hide(void *data)
{
	int fd;

	(void)data;
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	fd = new_socket(0);
	/* Works with privilege, fails without; but it never hangs. */
	CHECK(bind_to(fd, VMADDR_CID_ANY, 6000) == 0 || errno == EINVAL ||
	      errno == EPERM);
}

static void an_undumpable_program_is_answered(void **state)
{
	run(state, hide);
}

/* --- Two CIDs -------------------------------------------------------------- */

static void answer_as_enclave(void *data)
{
	int listener = listen_at(5000, 5), server, back;
	struct sockaddr_vm peer;
	uint32_t cid = 0;
	char byte;

	CHECK(write(*(int *)data, "x", 1) == 1);
	server = accept_from(listener, &peer);
	CHECK(server >= 0 && peer.svm_cid == VSOCK_CID_PARENT);
	CHECK(name_of(server).svm_cid == 16);
	CHECK(read(server, &byte, 1) == 1);
	CHECK(ioctl(server, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == 0);
	CHECK(cid == 16);
	back = new_socket(0);
	CHECK(connect_to(back, VSOCK_CID_PARENT, 9000) == 0);
	CHECK_ERRNO(ECONNRESET, connect_to(new_socket(0), 17, 5000));
	CHECK_ERRNO(ECONNRESET, connect_to(new_socket(0), 0, 10016));
	CHECK_ERRNO(EADDRNOTAVAIL, bind_to(new_socket(0), 3, 7000));
	CHECK(write(server, "y", 1) == 1);
}

static void talk_to_enclave(void *data)
{
	int listener = listen_at(9000, 5), client = new_socket(0), server;
	struct sockaddr_vm peer;
	char byte;

	CHECK(read(*(int *)data, &byte, 1) == 1);
	CHECK(connect_to(client, 16, 5000) == 0);
	CHECK(peer_of(client).svm_cid == 16);
	CHECK(write(client, "x", 1) == 1);
	server = accept_from(listener, &peer);
	CHECK(server >= 0 && peer.svm_cid == 16);
	CHECK(read(client, &byte, 1) == 1);
}

static void programs_of_two_cids_reach_each_other(void **state)
{
	struct fabric_fixture *fixture = *state;
	const uint32_t cids[] = { 16, VSOCK_CID_PARENT };
	struct vsock_syscalls *vsock[2];
	struct traced traced[2];
	struct trap_handler handler;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vsock_syscalls_new(&vsock[i], fixture->loop,
						    &fixture->fabric, cids[i],
						    i == 1, NULL),
				 0);
		handler = vsock_syscalls_handler(vsock[i]);
		traced_start(&traced[i], fixture->loop, &handler, 1,
			     i ? talk_to_enclave : answer_as_enclave,
			     &ends[1 - i]);
	}
	assert_int_equal(traced_finish(&traced[1]), 0);
	assert_int_equal(traced_finish(&traced[0]), 0);
	for (int i = 0; i < 2; i++) {
		vsock_syscalls_free(vsock[i]);
		traced_free(&traced[i]);
		close(ends[i]);
	}
}

/* --- The end --------------------------------------------------------------- */

static void be_left_in_accept(void *data)
{
	int listener = listen_at(6000, 5);
	struct sockaddr_vm peer;

	CHECK(write(*(int *)data, "x", 1) == 1);
	CHECK_ERRNO(EINTR, accept_from(listener, &peer));
	CHECK_ERRNO(ENOSYS, accept_from(listener, &peer));
}

static void freeing_it_ends_calls_that_wait(void **state)
{
	struct fabric_fixture *fixture = *state;
	struct vsock_syscalls *vsock;
	struct trap_handler handler;
	struct traced traced;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(vsock_syscalls_new(&vsock, fixture->loop,
					    &fixture->fabric, VSOCK_CID_PARENT,
					    false, NULL),
			 0);
	handler = vsock_syscalls_handler(vsock);
	traced_start(&traced, fixture->loop, &handler, 1, be_left_in_accept,
		     &ends[1]);
	run_for(fixture->loop, 100);
	vsock_syscalls_free(vsock);
	traced_free(&traced);
	assert_int_equal(traced_finish(&traced), 0);
	close(ends[0]);
	close(ends[1]);
}

static void bind_when_told(void *data)
{
	int fd = new_socket(0);
	char byte;

	CHECK(read(*(int *)data, &byte, 1) == 1);
	CHECK_ERRNO(EMFILE, bind_to(fd, VMADDR_CID_ANY, 6000));
	CHECK_ERRNO(EMFILE, connect_to(fd, VSOCK_CID_PARENT, 6000));
}

/* The kernel would take the socket for what it is: one of AF_UNIX. */
static void
a_supervisor_without_descriptors_leaves_nothing_to_the_kernel(void **state)
{
	struct fabric_fixture *fixture = *state;
	struct vsock_syscalls *vsock;
	struct trap_handler handler;
	struct traced traced;
	struct rlimit before, none;
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(vsock_syscalls_new(&vsock, fixture->loop,
					    &fixture->fabric, VSOCK_CID_PARENT,
					    false, NULL),
			 0);
	handler = vsock_syscalls_handler(vsock);
	traced_start(&traced, fixture->loop, &handler, 1, bind_when_told,
		     &ends[0]);
	run_for(fixture->loop, 50); /* it has its socket */
	getrlimit(RLIMIT_NOFILE, &before);
	/* Room for the timer of traced_finish(), no more. */
	none = (struct rlimit){ (rlim_t)dup(0) + 1, before.rlim_max };
	close((int)none.rlim_cur - 1);
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(write(ends[1], "x", 1), 1);
	status = traced_finish(&traced);
	setrlimit(RLIMIT_NOFILE, &before);
	vsock_syscalls_free(vsock);
	traced_free(&traced);
	assert_int_equal(status, 0);
	close(ends[0]);
	close(ends[1]);
}

#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, fabric_fixture_new, \
					fabric_fixture_free)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(sockets_are_made_with_the_errors_of_the_kernel_s),
		TEST(a_socket_says_that_it_is_one_of_vsock),
		TEST(addresses_are_bound_once_and_only_one_s_own),
		TEST(reserved_ports_need_a_capability),
		TEST(absurd_addresses_are_refused),
		TEST(names_are_given_as_the_kernel_gives_them),
		TEST(connections_fail_as_the_kernel_s_do),
		TEST(a_full_queue_keeps_only_callers_who_may_wait),
		TEST(the_connect_timeout_is_an_option_of_the_socket),
		TEST(a_blocking_connect_gets_through_when_there_is_room),
		TEST(connections_are_accepted_in_every_way),
		TEST(a_blocking_accept_waits_and_can_be_interrupted),
		TEST(a_receive_timeout_limits_accept_too),
		TEST(shutting_a_listener_down_ends_accept),
		TEST(a_server_killed_in_accept_leaves_its_port_at_once),
		TEST(many_threads_may_accept_from_one_listener),
		TEST(no_connection_is_lost_in_a_hail_of_signals),
		TEST(restarted_calls_do_what_they_do_once),
		TEST(a_connection_waits_until_the_table_has_room),
		TEST(so_it_ends_when_its_listener_does),
		TEST(a_socket_that_is_closed_leaves_epoll_at_once),
		TEST(copies_by_dup_fork_exec_and_scm_rights_are_the_socket),
		TEST(epoll_works_as_with_any_socket),
		TEST(packets_keep_their_boundaries),
		TEST(the_local_cid_can_be_asked_for),
		TEST(the_device_is_opened_by_every_call),
		TEST(io_uring_is_refused),
		TEST(other_sockets_are_left_alone),
		TEST(an_undumpable_program_is_answered),
		TEST(programs_of_two_cids_reach_each_other),
		TEST(freeing_it_ends_calls_that_wait),
		TEST(a_supervisor_without_descriptors_leaves_nothing_to_the_kernel),
	};

	/* Only ever executed by a child that is under the trap. */
	if (argc == 3 && strcmp(argv[1], "--serve") == 0) {
		serve_one(atoi(argv[2]));
		return 0;
	}
	return cmocka_run_group_tests_name("vsock syscalls", tests, NULL, NULL);
}
