// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * The device is an ordinary file, told by its device and inode numbers, so it
 * does not matter how often and where a descriptor of it was duplicated,
 * passed on or inherited. For a program in an enclave that is the placeholder
 * in its /dev; for one that sees the host's /dev, opens of the name give
 * descriptors of a memfd, which is sealed: nothing can be written there.
 *
 * A call is a struct asked from its coming to its answer: first in the list
 * of those who wait for a module (the enclave is still being measured), then
 * with the server.
 *
 * The kernel's ioctl cannot be interrupted, ours can: a signal takes the
 * caller away, and mostly it makes the same call again. What its first call
 * changed is undone when the answer does not reach it. An attestation is not
 * started afresh then: who is interrupted more often than it takes would wait
 * for ever. The call that comes again adopts the work on the former one, as
 * long as it is the same request and nothing else was asked meanwhile.
 *
 * Only ioctls of the NSM's type are trapped, so what else a program asks of
 * the descriptor (is it a terminal?) fails with the ENOTTY of a file and not
 * with the driver's EINVAL. Reading gives nothing where the driver says
 * EINVAL.
 */
#include "nsm-emu/trap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/module.h"
#include "nsm-emu/server.h"
#include "plumbing/opening.h"

/* [include/uapi/linux/nsm.h]; our oldest headers do not have it. */
#define NSM_MAGIC 0x0a
struct nsm_span {
	uint64_t address;
	uint64_t size;
};
struct nsm_raw {
	struct nsm_span request;
	struct nsm_span response;
};
#define NSM_COMMAND _IOWR(NSM_MAGIC, 0x0, struct nsm_raw)

/* Thousands of threads may wait at once, and be looked for. */
#define BUCKETS 256

TAILQ_HEAD(asked_list, asked);

struct nsm_trap {
	struct nsm_server *server;
	struct nsm_module *module;
	void (*wanted)(void *data);
	void *wanted_data;
	bool trap_open;
	int file; /* for opens, or -1 */
	dev_t dev;
	ino_t ino;
	struct asked_list waiting;	    /* for a module */
	struct asked_list signing[BUCKETS]; /* by the caller's thread id */
	/* Requests answered at once so far: they may have changed things. */
	uint64_t answered;
	/* Guards call and dropped of those in signing. */
	pthread_mutex_t lock;
	/* Here, since only one is looked at at a time. */
	uint8_t request[NSM_REQUEST_MAX];
};

/* A call until its answer. */
struct asked {
	struct nsm_job job;
	struct nsm_trap *face;
	struct trap_call *call;
	struct nsm_raw raw;
	struct asked_list *list; /* which it is in, or NULL */
	TAILQ_ENTRY(asked) link;
	/* When it is being signed: what was asked, and when. */
	uint8_t *request;
	uint64_t answered;
	bool dropped; /* nobody waited for it when its turn came */
};

static struct asked *asked_of(struct nsm_job *job)
{
	return (struct asked *)((char *)job - offsetof(struct asked, job));
}

static void put_in(struct asked_list *list, struct asked *asked)
{
	asked->list = list;
	TAILQ_INSERT_TAIL(list, asked, link);
}

static void asked_free(struct asked *asked)
{
	if (asked->list)
		TAILQ_REMOVE(asked->list, asked, link);
	free(asked->request);
	free(asked);
}

/* --- Answers ------------------------------------------------------------- */

/* 0, or a negative errno, the caller being told; -ENOENT: he is gone. */
static int give_response(struct asked *asked, const uint8_t *response,
			 size_t size)
{
	struct trap_call *call = asked->call;
	struct nsm_raw *raw = &asked->raw;
	int r = 0;

	if (raw->response.size > size)
		raw->response.size = size;
	if (raw->response.size > 0)
		r = trap_write(call, raw->response.address, response,
			       raw->response.size);
	return r ?: trap_write(call, call->args[2], raw, sizeof(*raw));
}

static bool answer(struct nsm_job *job, const uint8_t *response, size_t size)
{
	struct asked *asked = asked_of(job);
	int r = size ? give_response(asked, response, size) : -ENOMEM;

	if (r)
		/* Not delivered is only what reached nobody. */
		r = trap_fail(asked->call, -r) ?: r == -ENOENT ? r : 0;
	else
		r = trap_return(asked->call, 0);
	asked_free(asked);
	return r == 0;
}

static bool is_waiting(struct nsm_job *job)
{
	struct asked *asked = asked_of(job);
	bool dropped;

	pthread_mutex_lock(&asked->face->lock);
	dropped = asked->dropped = !trap_is_waiting(asked->call);
	pthread_mutex_unlock(&asked->face->lock);
	return !dropped;
}

/* --- Requests ------------------------------------------------------------ */

static void fail(struct asked *asked, int error)
{
	trap_fail(asked->call, error);
	asked_free(asked);
}

/* In the order of the driver's nsm_dev_ioctl(). */
static int read_request(struct asked *asked)
{
	const struct trap_call *call = asked->call;
	struct nsm_raw *raw = &asked->raw;
	int r = trap_read(call, call->args[2], raw, sizeof(*raw));

	if (r)
		return r;
	if (raw->request.size > NSM_REQUEST_MAX)
		return -EMSGSIZE;
	return trap_read(call, raw->request.address, asked->face->request,
			 raw->request.size);
}

static struct asked_list *bucket_of(struct nsm_trap *face,
				    const struct trap_call *call)
{
	return &face->signing[(uint32_t)call->tid % BUCKETS];
}

/* The attestation that this thread was interrupted in waiting for. */
static struct asked *find_former(struct nsm_trap *face,
				 const struct trap_call *call)
{
	struct asked *asked;

	TAILQ_FOREACH_REVERSE(asked, bucket_of(face, call), asked_list, link)
	if (asked->call->tid == call->tid)
		return asked;
	return NULL;
}

static bool is_same(const struct asked *former, const struct asked *asked)
{
	const struct nsm_trap *face = asked->face;

	return former->answered == face->answered && former->request &&
	       former->call->args[2] == asked->call->args[2] &&
	       !memcmp(&former->raw, &asked->raw, sizeof(asked->raw)) &&
	       !memcmp(former->request, face->request, asked->raw.request.size);
}

/* True if there is work on it already. */
static bool adopt_former(struct nsm_trap *face, struct asked *asked)
{
	struct asked *former = find_former(face, asked->call);
	struct trap_call *call;
	bool dropped;

	if (!former || !is_same(former, asked))
		return false;
	pthread_mutex_lock(&face->lock);
	dropped = former->dropped;
	call = former->call;
	if (!dropped)
		former->call = asked->call;
	pthread_mutex_unlock(&face->lock);
	if (dropped)
		return false;
	asked->call = call;
	fail(asked, EINTR);
	return true;
}

static void ask(struct nsm_trap *face, struct asked *asked)
{
	size_t size;
	int r = read_request(asked);

	if (r) {
		fail(asked, -r);
		return;
	}
	if (adopt_former(face, asked))
		return;
	size = asked->raw.request.size;
	if (nsm_server_request(face->server, face->module, face->request, size,
			       &asked->job)) {
		face->answered++;
		return;
	}
	put_in(bucket_of(face, asked->call), asked);
	asked->answered = face->answered;
	asked->request = malloc(size);
	if (asked->request)
		memcpy(asked->request, face->request, size);
}

/* One that is waiting for the module and was interrupted comes again. */
static void drop_former(struct nsm_trap *face, pid_t tid)
{
	struct asked *asked;

	TAILQ_FOREACH(asked, &face->waiting, link)
	if (asked->call->tid == tid) {
		fail(asked, EINTR);
		return;
	}
}

static void wait_for_module(struct nsm_trap *face, struct asked *asked)
{
	void (*wanted)(void *data) = face->wanted;

	drop_former(face, asked->call->tid);
	put_in(&face->waiting, asked);
	face->wanted = NULL;
	if (wanted)
		wanted(face->wanted_data);
}

static void stop_waiting(struct asked *asked)
{
	TAILQ_REMOVE(asked->list, asked, link);
	asked->list = NULL;
}

void nsm_trap_set_module(struct nsm_trap *face, struct nsm_module *module)
{
	struct asked *asked;

	face->module = module;
	while ((asked = TAILQ_FIRST(&face->waiting))) {
		stop_waiting(asked);
		ask(face, asked);
	}
}

void nsm_trap_set_wanted(struct nsm_trap *face, void (*wanted)(void *data),
			 void *data)
{
	face->wanted = wanted;
	face->wanted_data = data;
}

/* --- Calls --------------------------------------------------------------- */

static bool is_device(const struct nsm_trap *face, const struct trap_call *call)
{
	int fd = (int)call->args[0];
	struct stat st;

	return !trap_fstat(call, fd, &st) && st.st_dev == face->dev &&
	       st.st_ino == face->ino && trap_fd_is_open(call, fd);
}

static bool on_ioctl(struct nsm_trap *face, struct trap_call *call)
{
	uint32_t command = (uint32_t)call->args[1];
	struct asked *asked;

	if (_IOC_TYPE(command) != NSM_MAGIC || !is_device(face, call))
		return false;
	if (command != NSM_COMMAND)
		return trap_fail(call, EINVAL), true;
	asked = calloc(1, sizeof(*asked));
	if (!asked)
		return trap_fail(call, ENOMEM), true;
	asked->job.answer = answer;
	asked->job.is_waiting = is_waiting;
	asked->face = face;
	asked->call = call;
	if (face->module)
		ask(face, asked);
	else
		wait_for_module(face, asked);
	return true;
}

static bool on_open(const struct nsm_trap *face, struct trap_call *call)
{
	static const char *const name = "/dev/nsm";
	cleanup_close int fd = -1;
	uint64_t flags;

	if (!face->trap_open || opening_find(call, &name, 1, &flags) < 0)
		return false;
	fd = opening_open_device(face->file, flags);
	if (fd < 0)
		return trap_fail(call, -take_fd(&fd)), true;
	trap_return_fd(call, fd, flags & O_CLOEXEC);
	return true;
}

static bool on_call(struct trap_call *call, void *data)
{
	return call->nr == SYS_ioctl ? on_ioctl(data, call)
				     : on_open(data, call);
}

static const struct trap_rule rules[] = {
	{ .nr = SYS_ioctl,
	  .arg = 1,
	  .mask = _IOC_TYPEMASK << _IOC_TYPESHIFT,
	  .value = NSM_MAGIC << _IOC_TYPESHIFT },
	/* Opens last: without trap_open the table ends before them. */
	OPENING_RULES,
};

struct trap_handler nsm_trap_handler(struct nsm_trap *face)
{
	return (struct trap_handler){
		.rules = rules,
		.n_rules = ARRAY_SIZE(rules) -
			   (face->trap_open ? 0 : OPENING_N_RULES),
		.call = on_call,
		.data = face,
	};
}

/* --- The device ---------------------------------------------------------- */

static int make_file(struct nsm_trap *face)
{
	struct stat st;

	face->file = memfd_create("nsm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (face->file < 0 || fchmod(face->file, 0666) ||
	    fcntl(face->file, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) ||
	    fstat(face->file, &st))
		return -errno;
	nsm_trap_set_device(face, &st);
	return 0;
}

void nsm_trap_set_device(struct nsm_trap *face, const struct stat *device)
{
	face->dev = device->st_dev;
	face->ino = device->st_ino;
}

int nsm_trap_new(struct nsm_trap **face, struct nsm_server *server,
		 bool trap_open, struct ne_error *err)
{
	struct nsm_trap *new = calloc(1, sizeof(*new));
	int r;

	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	new->server = server;
	new->trap_open = trap_open;
	new->file = -1;
	TAILQ_INIT(&new->waiting);
	for (size_t i = 0; i < BUCKETS; i++)
		TAILQ_INIT(&new->signing[i]);
	pthread_mutex_init(&new->lock, NULL);
	r = trap_open ? make_file(new) : 0;
	if (r) {
		nsm_trap_free(new);
		return ne_error_set(err, -r,
				    "cannot make a file for /dev/nsm: %s",
				    ne_strerror(r));
	}
	*face = new;
	return 0;
}

static void drop_all(struct nsm_trap *face, struct asked_list *list)
{
	struct asked *asked;

	while ((asked = TAILQ_FIRST(list))) {
		if (list != &face->waiting)
			nsm_server_cancel_wait(face->server, &asked->job);
		fail(asked, EINTR);
	}
}

void nsm_trap_free(struct nsm_trap *face)
{
	if (!face)
		return;
	drop_all(face, &face->waiting);
	for (size_t i = 0; i < BUCKETS; i++)
		drop_all(face, &face->signing[i]);
	close_keeping_errno(face->file);
	pthread_mutex_destroy(&face->lock);
	free(face);
}
