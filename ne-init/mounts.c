// SPDX-License-Identifier: Apache-2.0

#include "ne-init/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libne/cleanup.h"
#include "ne-init/say.h"

struct mount_point {
	const char *target;
	const char *type;
	unsigned long flags;
	const char *options;
	const char *fallback_options; /* tried if the first are refused */
	bool optional;		      /* not worth a word if it cannot be had */
};

static const struct mount_point dev = {
	.target = "/dev",
	.type = "devtmpfs",
	.flags = MS_NOSUID | MS_NOEXEC,
	.options = "mode=0755",
};

static const struct mount_point rest[] = {
	{ "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, NULL,
	  false },
	{ "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, NULL,
	  false },
	{ "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL,
	  NULL, true },
	{ "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755", NULL, false },
	{ "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", NULL, false },
	{ "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", NULL, false },
	/* Group 5 is tty, which a user namespace may not have. */
	{ "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	  "mode=0620,ptmxmode=0666,gid=5", "mode=0620,ptmxmode=0666", false },
};

static const struct {
	const char *target;
	const char *path;
} links[] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
	{ "pts/ptmx", "/dev/ptmx" }, /* devtmpfs has it as a node */
};

static void mount_one(const struct mount_point *point)
{
	int r;

	/* That it is there, or cannot be made, mount(2) will tell. */
	mkdir(point->target, 0755);
	r = mount(point->type, point->target, point->type, point->flags,
		  point->options);
	if (r < 0 && errno == EINVAL && point->fallback_options)
		r = mount(point->type, point->target, point->type, point->flags,
			  point->fallback_options);
	if (r < 0 && errno != EBUSY && !point->optional)
		say("cannot mount %s on %s: %s; going on without it",
		    point->type, point->target, strerror(errno));
}

/* Makes sure that descriptors 0 to 2 are open, so that none is mistaken. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 2);
	if (fd > 2)
		close(fd);
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0) {
		fill_standard_descriptors();
		return;
	}
	for (int standard = 0; standard <= 2; standard++)
		dup2(fd, standard);
	if (fd > 2)
		close(fd);
}

void mounts_early(void)
{
	umask(022);
	mount_one(&dev);
	open_console();
}

/*
 * Puts /rootfs over the root and stands in it. Stepping in by chroot would
 * do, but the kernel lets nobody make user namespaces behind one. The old
 * root stays below; it cannot be unmounted anyway.
 */
static int move_root(void)
{
	if (mount("/rootfs", "/rootfs", NULL, MS_BIND | MS_REC, NULL) < 0 ||
	    chdir("/rootfs") < 0)
		return -1;
	return mount(".", "/", NULL, MS_MOVE, NULL);
}

void mounts_enter_rootfs(void)
{
	struct stat st;

	if (stat("/rootfs", &st) < 0 || !S_ISDIR(st.st_mode))
		return;
	if (move_root() < 0) {
		say("cannot put /rootfs over the root: %s; using chroot alone",
		    strerror(errno));
		if (chdir("/rootfs") < 0) {
			say("cannot enter /rootfs: %s; staying outside",
			    strerror(errno));
			return;
		}
	}
	if (chroot(".") < 0 || chdir("/") < 0)
		say("cannot make /rootfs the root: %s", strerror(errno));
	mount_one(&dev);
}

void mounts_rest(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rest); i++)
		mount_one(&rest[i]);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i].target, links[i].path) < 0 &&
		    errno != EEXIST)
			say("cannot make %s: %s", links[i].path,
			    strerror(errno));
}
