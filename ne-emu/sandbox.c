// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * The process starts with the identity of the user who runs the emulator, in
 * fresh user, mount, PID, network, IPC and UTS namespaces, over which it has
 * every capability, and in its cgroup. It takes a cgroup namespace that begins
 * there, and then builds the enclave's world around itself:
 *
 * 1. While it can still see the host's files with that identity, it takes
 *    detached copies of the few that the enclave will have: harmless device
 *    nodes and its console.
 * 2. It becomes root of its user namespace.
 * 3. It mounts a tmpfs, the cellar, with in it: an instance each of proc and
 *    sysfs (inside a user namespace the kernel lets one mount these only
 *    while a fully visible instance is mounted already), and dev, the tmpfs
 *    that plays devtmpfs, where ordinary files stand for /dev/nsm and
 *    /dev/vsock.
 * 4. It makes the cellar its root and unmounts the host's tree. From here on
 *    nothing of the host is reachable by any name.
 * 5. It mounts the enclave's own root, a tmpfs of the enclave's memory size,
 *    unpacks the ramdisks there, and moves it on top of the cellar, which so
 *    stays mounted and out of sight.
 * 6. It puts itself under the trap, sends the trap's listener to the
 *    supervisor, and executes the image's init.
 */
#include "ne-emu/sandbox.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-emu/cmdline.h"
#include "ne-emu/initramfs.h"
#include "plumbing/descriptors.h"
#include "plumbing/message.h"
#include "plumbing/trap.h"

#if defined(__x86_64__)
#define OUR_ELF_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_ELF_MACHINE EM_AARCH64
#endif

/* --- Talking to the supervisor ------------------------------------------- */

static void send_message(const struct sandbox_spec *spec,
			 enum sandbox_message_type type, const char *format,
			 va_list args) __attribute__((format(printf, 3, 0)));

static void send_message(const struct sandbox_spec *spec,
			 enum sandbox_message_type type, const char *format,
			 va_list args)
{
	struct sandbox_message message = { .type = type };

	vsnprintf(message.text, sizeof(message.text), format, args);
	if (send(spec->supervisor, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void note(const struct sandbox_spec *spec, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static _Noreturn void fail(const struct sandbox_spec *spec, const char *format,
			   ...) __attribute__((format(printf, 2, 3)));

static void note(const struct sandbox_spec *spec, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send_message(spec, SANDBOX_NOTE, format, args);
	va_end(args);
}

static _Noreturn void fail(const struct sandbox_spec *spec, const char *format,
			   ...)
{
	va_list args;

	va_start(args, format);
	send_message(spec, SANDBOX_FAILED, format, args);
	va_end(args);
	_exit(1);
}

static void send_running(const struct sandbox_spec *spec, int listener, int dev)
{
	struct sandbox_message message = { .type = SANDBOX_RUNNING };
	int fds[SANDBOX_RUNNING_FDS] = { listener, dev };

	fds[2] = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (fds[2] < 0)
		fail(spec, "pidfd_open: %s", strerror(errno));
	if (message_send(spec->supervisor, &message, sizeof(message), fds,
			 SANDBOX_RUNNING_FDS))
		_exit(1);
	close(fds[2]);
}

/* --- 1. What the enclave will have of the host --------------------------- */

/* The nodes of a real enclave's devtmpfs that are harmless to share. */
static const struct host_node {
	const char *name;
	unsigned int major, minor; /* as in a ramdisk: devices.txt */
} host_nodes[] = {
	{ "null", 1, 3 },    { "zero", 1, 5 },	  { "full", 1, 7 },
	{ "random", 1, 8 },  { "urandom", 1, 9 }, { "tty", 5, 0 },
	{ "console", 5, 1 },
};

static const char *source_of(const struct sandbox_spec *spec,
			     const struct host_node *node, char *path,
			     size_t size)
{
	if (strcmp(node->name, "console") == 0)
		return spec->terminal_path;
	snprintf(path, size, "/dev/%s", node->name);
	return path;
}

/* A detached copy of the mount of one file. */
static int copy_file_mount(int folder, const char *path)
{
	return open_tree(folder, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static void copy_host_nodes(const struct sandbox_spec *spec, int *copies)
{
	char path[32];

	for (size_t i = 0; i < ARRAY_SIZE(host_nodes); i++) {
		const char *source =
			source_of(spec, &host_nodes[i], path, sizeof(path));

		copies[i] = copy_file_mount(AT_FDCWD, source);
		if (copies[i] < 0)
			fail(spec, "cannot take %s into the enclave: %s",
			     source, strerror(errno));
	}
}

/* --- 2. Root of its own namespace ---------------------------------------- */

static void become_root(const struct sandbox_spec *spec)
{
	/* Not allowed where setgroups had to be denied: then nothing to drop. */
	if (setgroups(0, NULL) && errno != EPERM)
		fail(spec, "setgroups: %s", strerror(errno));
	if (setresgid(0, 0, 0) || setresuid(0, 0, 0))
		fail(spec, "cannot become root of the enclave: %s",
		     strerror(errno));
}

/* --- 3. The cellar ------------------------------------------------------- */

static void mount_or_fail(const struct sandbox_spec *spec, const char *type,
			  const char *target, unsigned long flags,
			  const char *options)
{
	if (mkdir(target, 0755) && errno != EEXIST)
		fail(spec, "mkdir %s: %s", target, strerror(errno));
	if (mount(type, target, type, flags, options) == 0)
		return;
	if (errno == EPERM)
		fail(spec,
		     "cannot mount %s in a user namespace: %s; in a container, /proc and /sys must not be masked or read-only (Docker: --security-opt systempaths=unconfined -v /sys:/sys)",
		     type, strerror(errno));
	fail(spec, "cannot mount %s: %s", type, strerror(errno));
}

static int make_file(int folder, const char *name)
{
	cleanup_close int fd = openat(
		folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	return fd < 0 ? -errno : 0;
}

static int put_mount(int mount_fd, int folder, const char *name)
{
	return move_mount(mount_fd, "", folder, name, MOVE_MOUNT_F_EMPTY_PATH)
		       ? -errno
		       : 0;
}

/* The tmpfs that plays devtmpfs. Returns it, O_PATH. */
static int make_dev(const struct sandbox_spec *spec, int *copies)
{
	int dev, r;

	mount_or_fail(spec, "tmpfs", "dev", MS_NOSUID, "mode=755,size=4m");
	dev = open("dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dev < 0)
		fail(spec, "open dev: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(host_nodes); i++) {
		r = make_file(dev, host_nodes[i].name);
		if (!r)
			r = put_mount(copies[i], dev, host_nodes[i].name);
		if (r)
			fail(spec, "cannot make /dev/%s: %s",
			     host_nodes[i].name, ne_strerror(r));
		close(copies[i]);
	}
	/* The trap knows these when they are asked something. */
	if (make_file(dev, "nsm") || make_file(dev, "vsock"))
		fail(spec, "cannot make /dev/nsm: %s", strerror(errno));
	/* devpts is the image's to mount. */
	if (symlinkat("pts/ptmx", dev, "ptmx"))
		fail(spec, "cannot make /dev/ptmx: %s", strerror(errno));
	return dev;
}

/* Ends in the cellar, as the current directory. Returns its dev. */
static int make_cellar(const struct sandbox_spec *spec, int *copies)
{
	static const char *const places[] = { "/tmp", "/mnt", "/run", "/var" };
	struct stat st;
	size_t i;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail(spec, "cannot make mounts private: %s", strerror(errno));
	for (i = 0; i < ARRAY_SIZE(places); i++)
		if (stat(places[i], &st) == 0 && S_ISDIR(st.st_mode))
			break;
	if (i == ARRAY_SIZE(places))
		fail(spec, "there is no /tmp to mount on");
	mount_or_fail(spec, "tmpfs", places[i], 0, "mode=755,size=4m");
	if (chdir(places[i]))
		fail(spec, "chdir: %s", strerror(errno));
	mount_or_fail(spec, "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		      NULL);
	mount_or_fail(spec, "sysfs", "sys", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		      NULL);
	return make_dev(spec, copies);
}

/* --- 4. Leaving the host ------------------------------------------------- */

static void leave_host(const struct sandbox_spec *spec)
{
	/* The old root comes to lie on the new one, and is taken off it. */
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (umount2(".", MNT_DETACH) || chdir("/"))
			fail(spec, "cannot unmount the host's file systems: %s",
			     strerror(errno));
		return;
	}
	/*
	 * A host that runs from its own initramfs cannot pivot. There the new
	 * root is laid over the old one, which no name leads to any more.
	 */
	if (errno != EINVAL || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		fail(spec, "cannot leave the host's file systems: %s",
		     strerror(errno));
}

/* --- 5. The enclave's root ----------------------------------------------- */

/* For the unpacker: /dev/null and the like as the ramdisk names them. */
static int make_device(int dir_fd, const char *name, const char *path,
		       mode_t mode, unsigned int major, unsigned int minor,
		       void *data)
{
	const int *dev = data;
	int r;

	(void)path;
	for (size_t i = 0; i < ARRAY_SIZE(host_nodes); i++) {
		cleanup_close int copy = -1;

		if (!S_ISCHR(mode) || host_nodes[i].major != major ||
		    host_nodes[i].minor != minor)
			continue;
		copy = copy_file_mount(*dev, host_nodes[i].name);
		if (copy < 0)
			return -errno;
		r = make_file(dir_fd, name);
		return r ? r : put_mount(copy, dir_fd, name);
	}
	return -ENOTSUP;
}

/* What a kernel's root has before any ramdisk is unpacked. */
static void make_default_root(const struct sandbox_spec *spec, int root,
			      int *dev)
{
	cleanup_close int folder = -1;
	int r;

	if (mkdirat(root, "dev", 0755) || mkdirat(root, "root", 0700))
		fail(spec, "mkdir: %s", strerror(errno));
	folder = openat(root, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		fail(spec, "open dev: %s", strerror(errno));
	r = make_device(folder, "console", "dev/console", S_IFCHR | 0600, 5, 1,
			dev);
	if (r)
		fail(spec, "cannot make /dev/console: %s", ne_strerror(r));
}

static void unpack(const struct sandbox_spec *spec, int root, int *dev)
{
	struct initramfs_counts counts = { 0 };
	struct initramfs_options options = { .max_bytes = spec->memory,
					     .chown = true,
					     .device = make_device,
					     .data = dev,
					     .counts = &counts };
	struct ne_error err = { 0 };

	for (unsigned int i = 0; i < ne_eif_ramdisk_count(spec->image); i++) {
		const struct ne_eif_section *ramdisk =
			ne_eif_ramdisk(spec->image, i);
		int r = initramfs_unpack(root, ramdisk->data, ramdisk->size,
					 &options, &err);

		if (r == -ENOSPC || r == -E2BIG)
			fail(spec,
			     "ramdisk %u does not fit into the enclave's %llu MiB of memory; give it more",
			     i + 1, (unsigned long long)(spec->memory >> 20));
		if (r)
			fail(spec, "ramdisk %u: %s", i + 1, err.text);
	}
	if (counts.dropped)
		note(spec,
		     "%llu entries of the ramdisks could not be made where they want to be, %s the first of them; the kernel drops such entries too",
		     (unsigned long long)counts.dropped, counts.first_dropped);
	if (counts.unmapped_owners)
		note(spec,
		     "%llu files belong to root instead of their owners: this user has no subordinate ids (see subuid(5))",
		     (unsigned long long)counts.unmapped_owners);
	if (counts.placeholders)
		note(spec,
		     "%llu device nodes in the ramdisks are empty files here",
		     (unsigned long long)counts.placeholders);
}

/*
 * The current directory's tmpfs may take large folios for what is written to
 * it, inside of files only (Linux 6.14). An optimisation: it may fail.
 */
static void allow_huge_pages(bool allow)
{
	mount("tmpfs", ".", NULL, MS_REMOUNT,
	      allow ? "huge=within_size" : "huge=never");
}

static void make_root(const struct sandbox_spec *spec, int *dev)
{
	char options[64];
	int root;

	snprintf(options, sizeof(options), "mode=755,size=%llu",
		 (unsigned long long)spec->memory);
	mount_or_fail(spec, "tmpfs", "root", 0, options);
	root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fchdir(root))
		fail(spec, "open root: %s", strerror(errno));
	make_default_root(spec, root, dev);
	/* Not for the enclave itself: its holes shall cost what they cost. */
	allow_huge_pages(true);
	unpack(spec, root, dev);
	allow_huge_pages(false);
	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail(spec, "cannot enter the enclave's root: %s",
		     strerror(errno));
	close(root);
}

/* --- 6. Into the image's init -------------------------------------------- */

static void check_elf(const struct sandbox_spec *spec, const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char ident[20];
	uint16_t machine;

	if (fd < 0 || read(fd, ident, sizeof(ident)) != sizeof(ident) ||
	    memcmp(ident, ELFMAG, SELFMAG) != 0)
		return;
	machine = ident[EI_DATA] == ELFDATA2MSB
			  ? (uint16_t)(ident[18] << 8 | ident[19])
			  : (uint16_t)(ident[19] << 8 | ident[18]);
	if (machine != OUR_ELF_MACHINE || ident[EI_CLASS] != ELFCLASS64)
		fail(spec,
		     "%s of the image is for another CPU (ELF machine %u, this is %u)",
		     path, machine, OUR_ELF_MACHINE);
}

static void check_init(const struct sandbox_spec *spec, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		fail(spec, "the image's ramdisks have no %s: %s", path,
		     strerror(errno));
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		fail(spec, "%s of the image is not executable (mode %04o)",
		     path, st.st_mode & 07777);
	check_elf(spec, path);
}

static void set_affinity(const struct sandbox_spec *spec)
{
	cpu_set_t ours, wanted;
	unsigned int available, skip, taken = 0;

	if (sched_getaffinity(0, sizeof(ours), &ours))
		return;
	available = (unsigned int)CPU_COUNT(&ours);
	if (available < spec->cpus) {
		note(spec, "%u CPUs asked for, this host has %u: not enforced",
		     spec->cpus, available);
		return;
	}
	/* Enclaves side by side should not all sit on the first CPUs. */
	skip = spec->cid * spec->cpus % available;
	CPU_ZERO(&wanted);
	for (unsigned int i = 0, seen = 0; taken < spec->cpus;
	     i = (i + 1) % CPU_SETSIZE)
		if (CPU_ISSET(i, &ours) && !CPU_ISSET(i, &wanted) &&
		    seen++ >= skip) {
			CPU_SET(i, &wanted);
			taken++;
		}
	sched_setaffinity(0, sizeof(wanted), &wanted);
}

/* What a kernel gives its first process; the supervisor's are its own. */
static void reset_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 1024) {
		limit.rlim_cur = 1024;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void open_stdio(const struct sandbox_spec *spec)
{
	for (int i = 0; i < 3; i++)
		if (dup2(spec->terminal, i) < 0)
			fail(spec, "dup2: %s", strerror(errno));
}

static void execute(const struct sandbox_spec *spec, int dev)
{
	const struct ne_eif_section *text = ne_eif_cmdline(spec->image);
	struct cmdline cmdline;
	int listener;

	if (cmdline_parse(&cmdline, text->data, text->size))
		fail(spec, "the image's kernel command line is too long");
	check_init(spec, cmdline.init);
	set_affinity(spec);
	reset_signals();
	reset_limits();
	umask(022);
	setsid();
	/* Whatever the kernel's default is; ours may have a name. */
	if (sethostname("(none)", strlen("(none)")))
		note(spec, "cannot set the host name: %s", strerror(errno));
	listener = trap_install(spec->trap);
	if (listener < 0)
		fail(spec,
		     "cannot install the syscall filter: %s; in a container try --security-opt seccomp=unconfined",
		     ne_strerror(listener));
	send_running(spec, listener, dev);
	close(listener);
	close(dev);
	open_stdio(spec);
	/* The supervisor's socket stays for fail(), and closes at exec. */
	close_all_but(spec->supervisor, spec->supervisor);
	execve(cmdline.init, cmdline.argv, cmdline.envp);
	fail(spec, "cannot execute %s of the image: %s%s", cmdline.init,
	     strerror(errno),
	     errno == ENOENT ? " (its interpreter or dynamic linker is missing)"
			     : "");
}

void sandbox_run(const struct sandbox_spec *spec)
{
	int copies[ARRAY_SIZE(host_nodes)];
	int dev;

	if (unshare(CLONE_NEWCGROUP))
		fail(spec,
		     "the user namespace has no capabilities (%s): AppArmor restricts it; try: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
		     strerror(errno));
	umask(0);
	copy_host_nodes(spec, copies);
	become_root(spec);
	dev = make_cellar(spec, copies);
	leave_host(spec);
	make_root(spec, &dev);
	execute(spec, dev);
	_exit(1);
}
