// SPDX-License-Identifier: Apache-2.0
/*
 * nsm-emu serve: options in, a module behind a Unix socket, for programs that
 * cannot be trapped.
 */
#include "nsm-emu/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "nsm-emu/boot.h"
#include "nsm-emu/commands.h"
#include "nsm-emu/factory.h"
#include "nsm-emu/module.h"
#include "nsm-emu/server.h"
#include "plumbing/log.h"
#include "plumbing/loop.h"
#include "plumbing/program.h"

struct options {
	struct boot boot;
	const char *path;
	int type;
};

/* --- Options ------------------------------------------------------------- */

static void print_help(void)
{
	puts("Usage: nsm-emu serve --socket PATH [OPTION]...\n\n"
	     "Answers NSM requests that come over a Unix socket, until it gets SIGINT or\n"
	     "SIGTERM: one request in a datagram, one response in another.\n\n"
	     "  --socket PATH         where to listen; only this user can connect\n"
	     "  --type NAME           dgram (default): answers go to the sender's address, so\n"
	     "                        it needs one; seqpacket or stream, with connections");
	puts(boot_help);
	puts(nsm_options_help);
	puts("\nExit status: 0; 125 if it failed.");
}

enum { OPTION_SOCKET = 256, OPTION_TYPE };

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "type", required_argument, NULL, OPTION_TYPE },
	BOOT_LONG_OPTIONS,
	{ 0 },
};

static int set_type(struct options *options, const char *name)
{
	if (strcmp(name, "dgram") == 0)
		options->type = SOCK_DGRAM;
	else if (strcmp(name, "seqpacket") == 0)
		options->type = SOCK_SEQPACKET;
	else if (strcmp(name, "stream") == 0)
		options->type = SOCK_STREAM;
	else {
		log_error(
			"--type cannot be '%s', but dgram, seqpacket or stream",
			name);
		return -EINVAL;
	}
	return 0;
}

static int set_option(struct options *options, int option, const char *value)
{
	int r;

	switch (option) {
	case OPTION_SOCKET:
		options->path = value;
		return 0;
	case OPTION_TYPE:
		return set_type(options, value);
	default:
		r = boot_set_option(&options->boot, option, value);
		if (r == -ENOENT)
			log_error("see nsm-emu serve --help");
		return r;
	}
}

/* 0: go on; 1: that was all (--help); -EINVAL. */
static int parse_options(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "qvh", long_options, NULL)) !=
	       -1) {
		if (option == 'h') {
			print_help();
			return 1;
		}
		if (set_option(options, option, optarg))
			return -EINVAL;
	}
	if (optind < argc) {
		log_error("what is '%s'? See nsm-emu serve --help",
			  argv[optind]);
		return -EINVAL;
	}
	if (!options->path || !*options->path) {
		log_error("where? See --socket in nsm-emu serve --help");
		return -EINVAL;
	}
	return boot_check(&options->boot);
}

/* --- The socket ---------------------------------------------------------- */

/* Held while it is found out and changed who has the name. */
static int lock_folder(const char *path, struct ne_error *err)
{
	cleanup_free char *copy = strdup(path);
	const char *folder = copy ? dirname(copy) : NULL;
	cleanup_close int fd = -1;

	if (!folder)
		return ne_error_set(err, ENOMEM, "out of memory");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX))
		return ne_error_set(err, errno, "%s: %s", folder,
				    strerror(errno));
	return take_fd(&fd);
}

/* Takes away what a dead one has left; nothing else. */
static int remove_dead(const char *path, const struct sockaddr_un *address,
		       int type, struct ne_error *err)
{
	cleanup_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return ne_error_set(err, errno, "socket: %s", strerror(errno));
	if (lstat(path, &st))
		return errno == ENOENT ? 0
				       : ne_error_set(err, errno, "%s: %s",
						      path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return ne_error_set(
			err, EEXIST,
			"%s: there is a file of that name that is no socket; choose another name",
			path);
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		    0 ||
	    errno != ECONNREFUSED)
		return ne_error_set(
			err, EADDRINUSE,
			"%s: somebody listens there already; end that first, or choose another name",
			path);
	if (unlink(path) && errno != ENOENT)
		return ne_error_set(err, errno, "%s: %s", path,
				    strerror(errno));
	return 0;
}

static int bind_there(int fd, const char *path, int type,
		      const struct sockaddr_un *address, struct ne_error *err)
{
	cleanup_close int lock = lock_folder(path, err);
	mode_t mask;
	int r;

	if (lock < 0)
		return take_fd(&lock);
	r = remove_dead(path, address, type, err);
	if (r)
		return r;
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	umask(mask);
	if (r || (type != SOCK_DGRAM && listen(fd, SOMAXCONN)))
		return ne_error_set(err, errno, "%s: %s", path,
				    strerror(errno));
	return 0;
}

static int make_socket(const struct options *options, struct ne_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;
	int r;

	if (strlen(options->path) >= sizeof(address.sun_path))
		return ne_error_set(
			err, ENAMETOOLONG,
			"%s: the name of a socket has at most %zu bytes; use a shorter or a relative one",
			options->path, sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, options->path);
	fd = socket(AF_UNIX, options->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ne_error_set(err, errno, "socket: %s", strerror(errno));
	r = bind_there(fd, options->path, options->type, &address, err);
	return r ? r : take_fd(&fd);
}

/* --- Serving ------------------------------------------------------------- */

struct stage {
	struct nsm_factory *factory;
	struct nsm_module *module;
	struct loop *loop;
	struct nsm_server *server;
	struct datagrams *datagrams;
	struct connections *connections;
	int signals;
	struct loop_source *signals_source;
	bool bound;
	struct stat socket;
};

static void stop(uint32_t events, void *data)
{
	(void)events;
	loop_stop(data);
}

static int watch_signals(struct stage *stage)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	stage->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (stage->signals >= 0)
		stage->signals_source = loop_add(stage->loop, stage->signals,
						 EPOLLIN, stop, stage->loop);
	return stage->signals_source ? 0 : -errno;
}

static void allow_many_connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int make_face(struct stage *stage, const struct options *options,
		     struct ne_error *err)
{
	cleanup_close int fd = make_socket(options, err);

	if (fd < 0)
		return take_fd(&fd);
	stage->bound = stat(options->path, &stage->socket) == 0;
	if (options->type == SOCK_DGRAM)
		stage->datagrams = datagrams_new(stage->loop, stage->server,
						 stage->module, fd);
	else
		stage->connections = connections_new(
			stage->loop, stage->server, stage->module, fd,
			options->type == SOCK_STREAM);
	if (!stage->datagrams && !stage->connections)
		return ne_error_set(err, errno, "cannot serve %s: %s",
				    options->path, strerror(errno));
	take_fd(&fd);
	return 0;
}

static int set_up(struct stage *stage, const struct options *options,
		  struct ne_error *err)
{
	int r = boot_module(&options->boot, &stage->factory, &stage->module,
			    err);

	if (r)
		return r;
	allow_many_connections();
	stage->loop = loop_new();
	if (stage->loop)
		stage->server = nsm_server_new(stage->loop);
	if (!stage->server)
		return ne_error_set(err, errno, "cannot make a server: %s",
				    strerror(errno));
	r = make_face(stage, options, err);
	/* Until then they end a wait for somebody's lock. */
	if (!r && watch_signals(stage))
		r = ne_error_set(err, errno, "cannot wait for signals: %s",
				 strerror(errno));
	return r;
}

/* Somebody may have put another there meanwhile. */
static void remove_socket(const struct stage *stage, const char *path)
{
	struct stat st;

	if (stage->bound && lstat(path, &st) == 0 &&
	    st.st_dev == stage->socket.st_dev &&
	    st.st_ino == stage->socket.st_ino)
		unlink(path);
}

static void tear_down(struct stage *stage, const struct options *options)
{
	remove_socket(stage, options->path);
	datagrams_free(stage->datagrams);
	connections_free(stage->connections);
	nsm_server_free(stage->server);
	loop_remove(stage->signals_source);
	loop_free(stage->loop);
	nsm_module_free(stage->module);
	nsm_factory_free(stage->factory);
	close_keeping_errno(stage->signals);
}

static int serve(struct stage *stage, const struct options *options)
{
	struct ne_error err = { 0 };
	int r = set_up(stage, options, &err);

	if (!r && !options->boot.quiet)
		log_warn(
			"emulating a Nitro Secure Module: a test instrument, its documents prove nothing");
	if (!r) {
		printf("listening on %s\n", options->path);
		fflush(stdout);
		r = loop_run(stage->loop);
	}
	if (!r)
		return EXIT_SUCCESS;
	log_error("%s", err.code ? err.text : ne_strerror(r));
	return EXIT_EMULATOR;
}

int command_serve(int argc, char **argv)
{
	struct options options = { .type = SOCK_DGRAM };
	struct stage stage = { .signals = -1 };
	int status, r = parse_options(&options, argc, argv);

	if (r)
		return r < 0 ? EXIT_EMULATOR : EXIT_SUCCESS;
	log_init("nsm-emu", options.boot.verbose > 1 ? LOG_DEBUG
			    : options.boot.verbose   ? LOG_INFO
						     : LOG_WARN);
	/* Who has read where it listens may be gone. */
	signal(SIGPIPE, SIG_IGN);
	status = serve(&stage, &options);
	tear_down(&stage, &options);
	return status;
}
