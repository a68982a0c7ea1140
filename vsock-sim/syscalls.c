// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "plumbing/loop.h"
#include "vsock-sim/fabric.h"

/*
 * Marks: no socket has such modes by itself (the kernel gives 0777). bind()
 * makes its file with the same mode, so the owner's bits must be there.
 */
#define MARK_SOCKET 0742
#define MARK_BOUND_ANY 0743 /* bound with VMADDR_CID_ANY */

#define SOCK_TYPE_MASK 0xf /* what socket(2) takes as a type */
#define SOCK_TYPE_MAX 11   /* types there are */

/* So long a connect(2) waits for a full queue, if the program did not say. */
#define CONNECT_TIMEOUT_MS 2000
#define CONNECT_RETRY_MS 5

/* How often waiting calls are looked at: has the caller been interrupted? */
#define CHECK_MS 200

#define CAP_NET_BIND_SERVICE_BIT 10

/* A call whose answer has to wait. */
struct waiting {
	struct vsock_syscalls *vsock;
	struct waiting *next;
	struct trap_call *call;
	int fd; /* duplicate of the caller's socket */
	ino_t socket;
	struct loop_source *source;
	struct loop_source *deadline; /* of an accept */
	struct vsock_address remote;  /* of a connect */
	unsigned int elapsed;	      /* milliseconds, of a connect */
};

/*
 * What was done for a caller that a signal took away before the answer. It
 * makes the same call again, or does not; these are few and rare. A connection
 * that accept was to return we have still, or the caller has it already, under
 * a number that it does not know.
 */
struct undelivered {
	ino_t socket;
	int nr;
	int accepted; /* ours, or -1 */
	int given;    /* the caller's number, or -1 */
	ino_t connection;
};

#define UNDELIVERED_MAX 16

/* So many files of closed sockets may lie about. */
#define BINDS_PER_SWEEP 1024

struct vsock_syscalls {
	struct loop *loop;
	const struct fabric *fabric;
	uint32_t local_cid;
	bool trap_open;
	int (*make_socket)(int type, void *data);
	void *make_data;
	unsigned int binds;
	struct stat device; /* the file that stands for /dev/vsock */
	char device_path[VSOCK_FOLDER_MAX + 16];
	struct waiting *waiting;
	struct loop_source *check;
	struct undelivered undelivered[UNDELIVERED_MAX];
	unsigned int next_undelivered;
};

/* --- Undelivered answers ------------------------------------------------- */

static void forget_undelivered(struct undelivered *slot)
{
	if (slot->nr && slot->accepted >= 0)
		close(slot->accepted);
	*slot = (struct undelivered){ .accepted = -1, .given = -1 };
}

static struct undelivered *keep_undelivered(struct vsock_syscalls *vsock,
					    ino_t socket, int nr)
{
	struct undelivered *slot =
		&vsock->undelivered[vsock->next_undelivered++ % UNDELIVERED_MAX];

	forget_undelivered(slot);
	slot->socket = socket;
	slot->nr = nr;
	return slot;
}

static struct undelivered *find_undelivered(struct vsock_syscalls *vsock,
					    ino_t socket, int nr)
{
	for (size_t i = 0; i < UNDELIVERED_MAX; i++)
		if (vsock->undelivered[i].nr == nr &&
		    vsock->undelivered[i].socket == socket)
			return &vsock->undelivered[i];
	return NULL;
}

/* Was this call done already, for the same caller, without it knowing? */
static bool was_done(struct vsock_syscalls *vsock, ino_t socket, int nr)
{
	struct undelivered *slot = find_undelivered(vsock, socket, nr);

	if (!slot)
		return false;
	forget_undelivered(slot);
	return true;
}

/* --- Answers ------------------------------------------------------------- */

/*
 * Our duplicate of the caller's socket is closed before the answer: what the
 * caller closes next has to be closed then, and to leave its epoll sets.
 */
static void let_go(int *fd)
{
	if (*fd >= 0)
		close(take_fd(fd));
}

/* r is 0 or a negative errno. */
static bool finish(struct trap_call *call, int *fd, int r)
{
	let_go(fd);
	if (r)
		trap_fail(call, -r);
	else
		trap_return(call, 0);
	return true;
}

/* The same for calls that must not be done again if they come again. */
static bool finish_once(struct vsock_syscalls *vsock, struct trap_call *call,
			int *fd, ino_t socket, int r)
{
	int nr = call->nr;

	let_go(fd);
	if (r)
		trap_fail(call, -r);
	else if (trap_return(call, 0) == -ENOENT)
		keep_undelivered(vsock, socket, nr);
	return true;
}

/* --- Whose socket is it? ------------------------------------------------- */

static bool is_marked(const struct stat *st)
{
	mode_t mode = st->st_mode & 07777;

	return S_ISSOCK(st->st_mode) &&
	       (mode == MARK_SOCKET || mode == MARK_BOUND_ANY);
}

/*
 * A duplicate of the caller's socket if it is one of the fabric's, -ENOTSOCK
 * if it is not: then the call is the kernel's. Another errno: it may be one
 * and cannot be had, and then the kernel must not do the call, which knows
 * nothing of vsock addresses.
 */
static int get_socket(struct vsock_syscalls *vsock,
		      const struct trap_call *call, struct stat *st)
{
	cleanup_close int fd = -1;
	struct vsock_address address;

	if (trap_fstat(call, (int)call->args[0], st) || !S_ISSOCK(st->st_mode))
		return -ENOTSOCK;
	fd = trap_get_fd(call, (int)call->args[0]);
	if (fd == -EPERM && !is_marked(st)) /* a process that hides */
		return -ENOTSOCK;
	if (fd < 0 || is_marked(st) ||
	    fabric_local_address(vsock->fabric, fd, &address))
		return take_fd(&fd);
	return -ENOTSOCK;
}

/* What is to be done without get_socket()'s socket: true if it is done. */
static bool without_socket(struct trap_call *call, int error)
{
	if (error == -ENOTSOCK)
		return false;
	trap_fail(call, -error);
	return true;
}

/* As struct sockaddr_vm in the caller's memory. */
static int read_address(const struct trap_call *call,
			struct vsock_address *address)
{
	uint8_t bytes[VSOCK_SOCKADDR_SIZE];
	uint32_t size = (uint32_t)call->args[2];
	int r;

	if (size < sizeof(bytes) || size > sizeof(struct sockaddr_storage))
		return -EINVAL;
	r = trap_read(call, call->args[1], bytes, sizeof(bytes));
	if (r)
		return r;
	return vsock_get_sockaddr(bytes, sizeof(bytes), address) ? 0 : -EINVAL;
}

/* As the kernel gives names: cut to the room there is, with the full size. */
static int write_address(const struct trap_call *call, uint64_t where,
			 uint64_t where_size, struct vsock_address address)
{
	uint8_t bytes[VSOCK_SOCKADDR_SIZE];
	uint32_t full = sizeof(bytes);
	int32_t room;
	int r = trap_read(call, where_size, &room, sizeof(room));

	if (r)
		return r;
	if (room < 0)
		return -EINVAL;
	vsock_put_sockaddr(address, bytes);
	r = trap_write(call, where, bytes,
		       (uint32_t)room < full ? (uint32_t)room : full);
	return r ? r : trap_write(call, where_size, &full, sizeof(full));
}

static bool may_bind_reserved(const struct trap_call *call)
{
	cleanup_fclose FILE *file = NULL;
	uint64_t capabilities = 0;
	char line[128];

	snprintf(line, sizeof(line), "/proc/%d/status", call->tid);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
			break;
	return capabilities >> CAP_NET_BIND_SERVICE_BIT & 1;
}

/* --- socket -------------------------------------------------------------- */

static bool on_socket(struct vsock_syscalls *vsock, struct trap_call *call)
{
	int type = (int)call->args[1] & SOCK_TYPE_MASK;
	int flags = (int)call->args[1] & ~SOCK_TYPE_MASK;
	int protocol = (int)call->args[2];
	cleanup_close int fd = -1;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return trap_fail(call, EINVAL), true;
	if (type >= SOCK_TYPE_MAX)
		return trap_fail(call, EINVAL), true;
	if (protocol && protocol != AF_VSOCK)
		return trap_fail(call, EPROTONOSUPPORT), true;
	if (type == SOCK_DGRAM) /* no transport of Nitro's has them */
		return trap_fail(call, ENODEV), true;
	if (type != SOCK_STREAM && type != SOCK_SEQPACKET)
		return trap_fail(call, ESOCKTNOSUPPORT), true;

	fd = vsock->make_socket(type | (flags & SOCK_NONBLOCK),
				vsock->make_data);
	if (fd < 0)
		return trap_fail(call, -take_fd(&fd)), true;
	if (fchmod(fd, MARK_SOCKET))
		return trap_fail(call, errno), true;
	trap_return_fd(call, fd, flags & SOCK_CLOEXEC);
	return true;
}

/* --- Calls that wait ----------------------------------------------------- */

/* Returns the call, which is still to be answered. */
static struct trap_call *stop_waiting(struct waiting *waiting)
{
	struct trap_call *call = waiting->call;
	struct waiting **link = &waiting->vsock->waiting;

	while (*link != waiting)
		link = &(*link)->next;
	*link = waiting->next;
	loop_remove(waiting->source);
	loop_remove(waiting->deadline);
	close(waiting->fd);
	free(waiting);
	return call;
}

/*
 * A caller that was interrupted or killed leaves its call behind. Our
 * duplicate of its socket must not keep that open.
 */
static void drop_interrupted(struct vsock_syscalls *vsock)
{
	struct waiting *next;

	for (struct waiting *w = vsock->waiting; w; w = next) {
		next = w->next;
		if (!trap_is_waiting(w->call))
			trap_fail(stop_waiting(w), EINTR);
	}
}

/* True while connections wait for their listener to accept again. */
static bool drop_orphaned(struct vsock_syscalls *vsock)
{
	struct vsock_address listener;
	bool left = false;

	for (size_t i = 0; i < UNDELIVERED_MAX; i++) {
		struct undelivered *slot = &vsock->undelivered[i];

		if (slot->accepted < 0)
			continue;
		if (fabric_local_address(vsock->fabric, slot->accepted,
					 &listener) &&
		    fabric_is_bound(vsock->fabric, listener))
			left = true;
		else
			forget_undelivered(slot);
	}
	return left;
}

static void check_waiting(uint32_t events, void *data);

static void check_later(struct vsock_syscalls *vsock)
{
	if (!vsock->check)
		vsock->check =
			loop_timer(vsock->loop, CHECK_MS, check_waiting, vsock);
}

static void check_waiting(uint32_t events, void *data)
{
	struct vsock_syscalls *vsock = data;

	(void)events;
	vsock->check = NULL;
	drop_interrupted(vsock);
	if (drop_orphaned(vsock) || vsock->waiting)
		check_later(vsock);
}

static struct waiting *start_waiting(struct vsock_syscalls *vsock,
				     struct trap_call *call, int *fd,
				     ino_t socket)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return NULL;
	waiting->vsock = vsock;
	waiting->call = call;
	waiting->fd = take_fd(fd);
	waiting->socket = socket;
	waiting->next = vsock->waiting;
	vsock->waiting = waiting;
	check_later(vsock);
	return waiting;
}

/* --- bind ---------------------------------------------------------------- */

static int check_bind(const struct vsock_syscalls *vsock,
		      const struct trap_call *call, int fd,
		      struct vsock_address *address, bool *any)
{
	struct vsock_address bound;
	int r = read_address(call, address);

	if (r)
		return r;
	if (fabric_local_address(vsock->fabric, fd, &bound))
		return -EINVAL;
	*any = address->cid == VMADDR_CID_ANY;
	if (*any || address->cid == VSOCK_CID_LOCAL)
		address->cid = vsock->local_cid;
	if (address->cid != vsock->local_cid)
		return -EADDRNOTAVAIL;
	if (address->port <= VSOCK_LAST_RESERVED_PORT &&
	    !may_bind_reserved(call))
		return -EACCES;
	return 0;
}

static bool on_bind(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct vsock_address address;
	struct stat st;
	cleanup_close int fd = get_socket(vsock, call, &st);
	bool any;
	int r;

	if (fd < 0)
		return without_socket(call, fd);
	if (was_done(vsock, st.st_ino, call->nr))
		return finish_once(vsock, call, &fd, st.st_ino, 0);
	drop_interrupted(vsock);
	r = check_bind(vsock, call, fd, &address, &any);
	if (!r)
		r = fabric_bind(vsock->fabric, fd, &address);
	/* Each leaves a file that nobody removes when its socket is closed. */
	if (!r && ++vsock->binds % BINDS_PER_SWEEP == 0)
		fabric_sweep(vsock->fabric, vsock->local_cid);
	if (!r && any)
		fchmod(fd, MARK_BOUND_ANY);
	return finish_once(vsock, call, &fd, st.st_ino, r);
}

/* --- connect ------------------------------------------------------------- */

/*
 * How long a connect waits is kept in an option of the socket that AF_UNIX
 * has no use for, so that every copy of the socket shares it.
 */
static unsigned int connect_timeout(int fd)
{
	uint64_t rate = UINT64_MAX;
	socklen_t size = sizeof(rate);

	if (getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &size) ||
	    size != sizeof(rate) || rate > INT_MAX || !rate)
		return CONNECT_TIMEOUT_MS;
	return (unsigned int)rate;
}

static int set_connect_timeout(int fd, unsigned int milliseconds)
{
	uint64_t rate = milliseconds ?: CONNECT_TIMEOUT_MS;

	return setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate,
			  sizeof(rate))
		       ? -errno
		       : 0;
}

static void retry_connect(uint32_t events, void *data)
{
	struct waiting *waiting = data;
	struct vsock_syscalls *vsock = waiting->vsock;
	ino_t socket = waiting->socket;
	int none = -1, r;

	(void)events;
	waiting->source = NULL;
	waiting->elapsed += CONNECT_RETRY_MS;
	r = fabric_connect(vsock->fabric, waiting->fd, vsock->local_cid,
			   waiting->remote);
	if (r == -EAGAIN && waiting->elapsed < connect_timeout(waiting->fd) &&
	    trap_is_waiting(waiting->call)) {
		waiting->source = loop_timer(vsock->loop, CONNECT_RETRY_MS,
					     retry_connect, waiting);
		if (waiting->source)
			return;
	}
	finish_once(vsock, stop_waiting(waiting), &none, socket,
		    r == -EAGAIN ? -ETIMEDOUT : r);
}

/* -EAGAIN if it has to be tried again. */
static int start_connect(struct vsock_syscalls *vsock,
			 const struct trap_call *call, int fd,
			 struct vsock_address *remote)
{
	struct vsock_address address;
	int r = read_address(call, remote);

	if (r == -EINVAL && fabric_peer_address(vsock->fabric, fd, &address))
		return -EISCONN;
	if (r)
		return r;
	/* What connect(2) binds by itself it binds to VMADDR_CID_ANY. */
	if (!fabric_local_address(vsock->fabric, fd, &address))
		fchmod(fd, MARK_BOUND_ANY);
	r = fabric_connect(vsock->fabric, fd, vsock->local_cid, *remote);
	/*
	 * A non-blocking caller must not wait, and an AF_UNIX socket cannot
	 * connect in the background. A full vsock listener answers so.
	 */
	if (r == -EAGAIN && fcntl(fd, F_GETFL) & O_NONBLOCK)
		return -ECONNRESET;
	return r;
}

static bool on_connect(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct vsock_address remote;
	struct waiting *waiting;
	struct stat st;
	cleanup_close int fd = get_socket(vsock, call, &st);
	int r;

	if (fd < 0)
		return without_socket(call, fd);
	if (was_done(vsock, st.st_ino, call->nr))
		return finish_once(vsock, call, &fd, st.st_ino, 0);
	drop_interrupted(vsock);
	r = start_connect(vsock, call, fd, &remote);
	if (r != -EAGAIN)
		return finish_once(vsock, call, &fd, st.st_ino, r);

	/* The queue is full. */
	waiting = start_waiting(vsock, call, &fd, st.st_ino);
	if (!waiting)
		return trap_fail(call, ENOMEM), true;
	waiting->remote = remote;
	waiting->source = loop_timer(vsock->loop, CONNECT_RETRY_MS,
				     retry_connect, waiting);
	if (!waiting->source)
		trap_fail(stop_waiting(waiting), ENOMEM);
	return true;
}

/* --- accept -------------------------------------------------------------- */

static void do_nothing(int signal)
{
	(void)signal;
}

/*
 * The listener's O_NONBLOCK is the program's. Should another of its threads
 * take the connection between poll and accept, a timer's signal gets us out.
 */
static int accept_without_waiting(int listener)
{
	const struct itimerval soon = { .it_value.tv_usec = 20000,
					.it_interval.tv_usec = 20000 };
	const struct itimerval never = { 0 };
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	struct sigaction action = { .sa_handler = do_nothing };
	int fd;

	if (poll(&pfd, 1, 0) <= 0)
		return -EAGAIN;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		fd = errno == EINTR ? -EAGAIN : -errno;
	setitimer(ITIMER_REAL, &never, NULL);
	return fd;
}

static int next_connection(struct vsock_syscalls *vsock, int listener,
			   ino_t socket)
{
	for (size_t i = 0; i < UNDELIVERED_MAX; i++) {
		struct undelivered *slot = &vsock->undelivered[i];
		int fd;

		if (slot->socket != socket || slot->accepted < 0)
			continue;
		fd = take_fd(&slot->accepted);
		forget_undelivered(slot);
		return fd;
	}
	return accept_without_waiting(listener);
}

/* 0, or a negative errno with which the connection is lost. */
static int tell_peer(const struct vsock_syscalls *vsock,
		     const struct trap_call *call, int fd)
{
	struct vsock_address peer = { VMADDR_CID_ANY, VMADDR_PORT_ANY };
	int r;

	if (!call->args[1])
		return 0;
	fabric_peer_address(vsock->fabric, fd, &peer);
	r = write_address(call, call->args[1], call->args[2], peer);
	return r == -EFAULT || r == -EINVAL ? r : 0;
}

static void answer_accept(struct vsock_syscalls *vsock, struct trap_call *call,
			  ino_t listener, int number, ino_t connection)
{
	struct undelivered *slot;

	if (trap_return(call, number) != -ENOENT)
		return;
	slot = keep_undelivered(vsock, listener, SYS_accept4);
	slot->given = number;
	slot->connection = connection;
}

/* Does the caller have a connection that it was not told of? */
static bool accept_given(struct vsock_syscalls *vsock, struct trap_call *call,
			 int *listener_fd, ino_t listener)
{
	for (size_t i = 0; i < UNDELIVERED_MAX; i++) {
		struct undelivered *slot = &vsock->undelivered[i];
		struct undelivered given = *slot;
		cleanup_close int fd = -1;
		struct stat st;

		if (given.socket != listener || given.given < 0)
			continue;
		fd = trap_get_fd(call, given.given);
		if (fd < 0 || fstat(fd, &st) || st.st_ino != given.connection)
			continue;
		forget_undelivered(slot);
		tell_peer(vsock, call, fd);
		let_go(&fd);
		let_go(listener_fd);
		answer_accept(vsock, call, listener, given.given,
			      given.connection);
		return true;
	}
	return false;
}

/*
 * Gives the caller a connection, or the negative errno that it is. Both our
 * duplicates, that one and the listener's, are closed by then.
 */
static void give_connection(struct vsock_syscalls *vsock,
			    struct trap_call *call, ino_t listener,
			    int connection)
{
	int flags = call->nr == SYS_accept4 ? (int)call->args[3] : 0;
	cleanup_close int fd = connection;
	struct stat st;
	int number, r = fd < 0 ? fd : tell_peer(vsock, call, fd);

	if (!r && fstat(fd, &st))
		r = -errno;
	if (r) {
		finish(call, &fd, r); /* as in the kernel, it is lost */
		return;
	}
	fchmod(fd, MARK_SOCKET);
	fcntl(fd, F_SETFL, O_RDWR | (flags & SOCK_NONBLOCK));
	number = trap_give_fd(call, fd, flags & SOCK_CLOEXEC);
	if (number < 0) {
		keep_undelivered(vsock, listener, SYS_accept4)->accepted =
			take_fd(&fd);
		check_later(vsock);
		trap_fail(call, -number);
		return;
	}
	let_go(&fd);
	answer_accept(vsock, call, listener, number, st.st_ino);
}

static void accept_ready(uint32_t events, void *data)
{
	struct waiting *waiting = data;
	struct vsock_syscalls *vsock = waiting->vsock;
	ino_t socket = waiting->socket;
	int fd;

	(void)events;
	if (!trap_is_waiting(waiting->call)) {
		trap_fail(stop_waiting(waiting), EINTR);
		return;
	}
	fd = next_connection(vsock, waiting->fd, socket);
	if (fd != -EAGAIN)
		give_connection(vsock, stop_waiting(waiting), socket, fd);
}

static void accept_too_late(uint32_t events, void *data)
{
	struct waiting *waiting = data;

	(void)events;
	waiting->deadline = NULL;
	trap_fail(stop_waiting(waiting), EAGAIN);
}

/* SO_RCVTIMEO is how long accept(2) waits, too. False: out of memory. */
static bool set_deadline(struct waiting *waiting)
{
	struct timeval limit = { 0 };
	socklen_t size = sizeof(limit);
	unsigned int milliseconds = UINT_MAX;

	getsockopt(waiting->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size);
	if (!limit.tv_sec && !limit.tv_usec)
		return true;
	if (limit.tv_sec < UINT_MAX / 1000)
		milliseconds = (unsigned int)limit.tv_sec * 1000 +
			       (unsigned int)limit.tv_usec / 1000;
	waiting->deadline = loop_timer(waiting->vsock->loop, milliseconds,
				       accept_too_late, waiting);
	return waiting->deadline;
}

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t size = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) ==
		       0 &&
	       listening;
}

static bool on_accept(struct vsock_syscalls *vsock, struct trap_call *call)
{
	int flags = call->nr == SYS_accept4 ? (int)call->args[3] : 0;
	struct waiting *waiting;
	struct stat st;
	cleanup_close int fd = get_socket(vsock, call, &st);
	int connection;

	if (fd < 0)
		return without_socket(call, fd);
	/* Without an address there is nothing to translate. */
	if (!call->args[1] && !find_undelivered(vsock, st.st_ino, SYS_accept4))
		return false;
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) || !is_listening(fd))
		return finish(call, &fd, -EINVAL);
	if (accept_given(vsock, call, &fd, st.st_ino))
		return true;
	connection = next_connection(vsock, fd, st.st_ino);
	if (connection != -EAGAIN || fcntl(fd, F_GETFL) & O_NONBLOCK) {
		let_go(&fd);
		give_connection(vsock, call, st.st_ino, connection);
		return true;
	}

	waiting = start_waiting(vsock, call, &fd, st.st_ino);
	if (!waiting)
		return trap_fail(call, ENOMEM), true;
	waiting->source = loop_add(vsock->loop, waiting->fd, EPOLLIN,
				   accept_ready, waiting);
	if (!waiting->source || !set_deadline(waiting))
		trap_fail(stop_waiting(waiting), ENOMEM);
	return true;
}

/* --- Names and options --------------------------------------------------- */

static bool on_getsockname(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct vsock_address address = { VMADDR_CID_ANY, VMADDR_PORT_ANY };
	struct stat st;
	cleanup_close int fd = get_socket(vsock, call, &st);

	if (fd < 0)
		return without_socket(call, fd);
	if (fabric_local_address(vsock->fabric, fd, &address) &&
	    (st.st_mode & 07777) == MARK_BOUND_ANY)
		address.cid = VMADDR_CID_ANY;
	return finish(call, &fd,
		      write_address(call, call->args[1], call->args[2],
				    address));
}

static bool on_getpeername(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct vsock_address address;
	struct stat st;
	cleanup_close int fd = get_socket(vsock, call, &st);

	if (fd < 0)
		return without_socket(call, fd);
	if (!fabric_peer_address(vsock->fabric, fd, &address))
		return finish(call, &fd, -ENOTCONN);
	return finish(call, &fd,
		      write_address(call, call->args[1], call->args[2],
				    address));
}

/* Gives an option's value, cut to the room there is. */
static int write_option(const struct trap_call *call, const void *value,
			size_t full)
{
	int32_t size;
	int r = trap_read(call, call->args[4], &size, sizeof(size));

	if (!r && size < 0)
		r = -EINVAL;
	if (!r && (size_t)size > full)
		size = (int32_t)full;
	if (!r)
		r = trap_write(call, call->args[3], value, (size_t)size);
	return r ? r : trap_write(call, call->args[4], &size, sizeof(size));
}

/* Options of vsock(7). Both numbers mean 64 bits on our machines. */
static bool is_connect_timeout(int option)
{
	return option == SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD ||
	       option == SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW;
}

static int get_vsock_option(const struct trap_call *call, int fd)
{
	unsigned int timeout = connect_timeout(fd);
	struct timeval value = { .tv_sec = timeout / 1000,
				 .tv_usec = timeout % 1000 * 1000 };
	int32_t size;
	int r;

	if (!is_connect_timeout((int)call->args[2]))
		return -ENOPROTOOPT;
	r = trap_read(call, call->args[4], &size, sizeof(size));
	if (r)
		return r;
	if (size < (int32_t)sizeof(value))
		return -EINVAL;
	return write_option(call, &value, sizeof(value));
}

static bool on_getsockopt(struct vsock_syscalls *vsock, struct trap_call *call)
{
	const int32_t domain = AF_VSOCK;
	int level = (int)call->args[1];
	struct stat st;
	cleanup_close int fd = -1;

	if (level != AF_VSOCK &&
	    (level != SOL_SOCKET || (int)call->args[2] != SO_DOMAIN))
		return false;
	fd = get_socket(vsock, call, &st);
	if (fd < 0)
		return without_socket(call, fd);
	return finish(call, &fd,
		      level == AF_VSOCK
			      ? get_vsock_option(call, fd)
			      : write_option(call, &domain, sizeof(domain)));
}

static int set_vsock_option(const struct trap_call *call, int fd)
{
	struct timeval value;
	int r;

	if (!is_connect_timeout((int)call->args[2]))
		return -ENOPROTOOPT;
	if ((uint32_t)call->args[4] < sizeof(value))
		return -EINVAL;
	r = trap_read(call, call->args[3], &value, sizeof(value));
	if (r)
		return r;
	if (value.tv_sec < 0 || value.tv_sec > INT_MAX / 1000 - 1 ||
	    value.tv_usec < 0 || value.tv_usec >= 1000000)
		return -ERANGE;
	return set_connect_timeout(fd,
				   (unsigned int)value.tv_sec * 1000 +
					   (unsigned int)value.tv_usec / 1000);
}

static bool on_setsockopt(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct stat st;
	cleanup_close int fd = -1;

	if ((int)call->args[1] != AF_VSOCK)
		return false;
	fd = get_socket(vsock, call, &st);
	if (fd < 0)
		return without_socket(call, fd);
	return finish(call, &fd, set_vsock_option(call, fd));
}

static bool on_ioctl(struct vsock_syscalls *vsock, struct trap_call *call)
{
	struct stat st;
	int r;

	if ((uint32_t)call->args[1] != IOCTL_VM_SOCKETS_GET_LOCAL_CID ||
	    trap_fstat(call, (int)call->args[0], &st))
		return false;
	if (!is_marked(&st) && (st.st_dev != vsock->device.st_dev ||
				st.st_ino != vsock->device.st_ino))
		return false;
	r = trap_write(call, call->args[2], &vsock->local_cid,
		       sizeof(vsock->local_cid));
	if (r)
		trap_fail(call, -r);
	else
		trap_return(call, 0);
	return true;
}

static bool on_open(struct vsock_syscalls *vsock, struct trap_call *call)
{
	uint64_t address = call->args[call->nr == SYS_openat ? 1 : 0];
	uint64_t flags = call->args[call->nr == SYS_openat ? 2 : 1];
	char path[sizeof("/dev/vsock")];
	cleanup_close int fd = -1;

	if (!vsock->trap_open ||
	    trap_read_string(call, address, path, sizeof(path)) < 0 ||
	    strcmp(path, "/dev/vsock") != 0)
		return false;
	fd = open(vsock->device_path,
		  ((int)flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC);
	if (fd < 0)
		return trap_fail(call, errno), true;
	trap_return_fd(call, fd, flags & O_CLOEXEC);
	return true;
}

/* --- Wiring -------------------------------------------------------------- */

static const struct trap_rule rules[] = {
	{ .nr = SYS_socket, .arg = 0, .mask = UINT32_MAX, .value = AF_VSOCK },
	{ .nr = SYS_bind },
	{ .nr = SYS_connect },
	{ .nr = SYS_accept },
	{ .nr = SYS_accept4 },
	{ .nr = SYS_getsockname },
	{ .nr = SYS_getpeername },
	{ .nr = SYS_getsockopt,
	  .arg = 2,
	  .mask = UINT32_MAX,
	  .value = SO_DOMAIN },
	{ .nr = SYS_getsockopt,
	  .arg = 1,
	  .mask = UINT32_MAX,
	  .value = AF_VSOCK },
	{ .nr = SYS_setsockopt,
	  .arg = 1,
	  .mask = UINT32_MAX,
	  .value = AF_VSOCK },
	{ .nr = SYS_ioctl,
	  .arg = 1,
	  .mask = UINT32_MAX,
	  .value = IOCTL_VM_SOCKETS_GET_LOCAL_CID },
	{ .nr = SYS_io_uring_setup, .error = EPERM },
	/* Opens last: without trap_open the table ends before them. */
	{ .nr = SYS_openat },
#ifdef SYS_open
	{ .nr = SYS_open },
#endif
};

#ifdef SYS_open
#define N_OPEN_RULES 2
#else
#define N_OPEN_RULES 1
#endif

static bool on_call(struct trap_call *call, void *data)
{
	struct vsock_syscalls *vsock = data;

	switch (call->nr) {
	case SYS_socket:
		return (int)call->args[0] == AF_VSOCK && on_socket(vsock, call);
	case SYS_bind:
		return on_bind(vsock, call);
	case SYS_connect:
		return on_connect(vsock, call);
	case SYS_accept:
	case SYS_accept4:
		return on_accept(vsock, call);
	case SYS_getsockname:
		return on_getsockname(vsock, call);
	case SYS_getpeername:
		return on_getpeername(vsock, call);
	case SYS_getsockopt:
		return on_getsockopt(vsock, call);
	case SYS_setsockopt:
		return on_setsockopt(vsock, call);
	case SYS_ioctl:
		return on_ioctl(vsock, call);
#ifdef SYS_open
	case SYS_open:
#endif
	case SYS_openat:
		return on_open(vsock, call);
	default:
		return false;
	}
}

static int make_device(struct vsock_syscalls *vsock)
{
	cleanup_close int fd = -1;

	snprintf(vsock->device_path, sizeof(vsock->device_path), "%s/device",
		 vsock->fabric->folder);
	fd = open(vsock->device_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? fd : fstat(fd, &vsock->device);
}

static int make_own_socket(int type, void *data)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)data;
	return fd < 0 ? -errno : fd;
}

void vsock_syscalls_set_maker(struct vsock_syscalls *vsock,
			      int (*make)(int type, void *data), void *data)
{
	vsock->make_socket = make;
	vsock->make_data = data;
}

void vsock_syscalls_set_device(struct vsock_syscalls *vsock,
			       const struct stat *device)
{
	vsock->device = *device;
}

int vsock_syscalls_new(struct vsock_syscalls **vsock, struct loop *loop,
		       const struct fabric *fabric, uint32_t local_cid,
		       bool trap_open, struct ne_error *err)
{
	struct vsock_syscalls *new = calloc(1, sizeof(*new));

	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	new->loop = loop;
	new->fabric = fabric;
	new->local_cid = local_cid;
	new->trap_open = trap_open;
	new->make_socket = make_own_socket;
	for (size_t i = 0; i < UNDELIVERED_MAX; i++)
		forget_undelivered(&new->undelivered[i]);
	if (trap_open && make_device(new)) {
		int r = ne_error_set(err, errno, "cannot make %s: %s",
				     new->device_path, ne_strerror(errno));

		free(new);
		return r;
	}
	*vsock = new;
	return 0;
}

void vsock_syscalls_free(struct vsock_syscalls *vsock)
{
	if (!vsock)
		return;
	while (vsock->waiting)
		trap_fail(stop_waiting(vsock->waiting), EINTR);
	loop_remove(vsock->check);
	for (size_t i = 0; i < UNDELIVERED_MAX; i++)
		forget_undelivered(&vsock->undelivered[i]);
	free(vsock);
}

struct trap_handler vsock_syscalls_handler(struct vsock_syscalls *vsock)
{
	return (struct trap_handler){
		.rules = rules,
		.n_rules = ARRAY_SIZE(rules) -
			   (vsock->trap_open ? 0 : N_OPEN_RULES),
		.call = on_call,
		.data = vsock,
	};
}
