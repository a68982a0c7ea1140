// SPDX-License-Identifier: Apache-2.0
#include "plumbing/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ne/error.h>

#include "libne/cleanup.h"

static int format_path(char *path, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int format_path(char *path, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(path, size, format, args);
	va_end(args);
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

static int runtime_path(char *path, size_t size)
{
	const char *ours = getenv("NE_RUNTIME_DIR");
	const char *session = getenv("XDG_RUNTIME_DIR");
	char here[PATH_MAX];

	if (ours && ours[0] == '/')
		return format_path(path, size, "%s", ours);
	if (ours && ours[0])
		return getcwd(here, sizeof(here))
			       ? format_path(path, size, "%s/%s", here, ours)
			       : -errno;
	if (session && session[0] == '/')
		return format_path(path, size, "%s/ne", session);
	if (geteuid() == 0)
		return format_path(path, size, "/run/ne");
	return format_path(path, size, "/tmp/ne-%u", geteuid());
}

/* For its owner, who may have a umask that takes the folder from himself. */
static int make_folder(const char *path)
{
	if (mkdir(path, 0700))
		return -1;
	return fchmodat(AT_FDCWD, path, 0700, AT_SYMLINK_NOFOLLOW);
}

int runtime_open(char *path, size_t path_size, struct ne_error *err)
{
	cleanup_close int fd = -1;
	struct stat st;
	int r = runtime_path(path, path_size);

	if (r == -ENAMETOOLONG)
		return ne_error_set(
			err, -r,
			"the name of the runtime folder is too long; set NE_RUNTIME_DIR to a shorter one");
	if (r)
		return ne_error_set(
			err, -r,
			"cannot tell where the runtime folder %s is: %s; set NE_RUNTIME_DIR to an absolute path",
			getenv("NE_RUNTIME_DIR"), ne_strerror(r));
	if (make_folder(path) && errno != EEXIST)
		return ne_error_set(
			err, errno,
			"cannot make the runtime folder %s: %s; set NE_RUNTIME_DIR to a folder of yours",
			path, ne_strerror(errno));
	fd = open(path, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return ne_error_set(err, errno,
				    "cannot open the runtime folder %s: %s",
				    path, ne_strerror(errno));
	/* In a shared folder like /tmp it could be somebody's trap. */
	if (st.st_uid != geteuid())
		return ne_error_set(
			err, EPERM,
			"the runtime folder %s belongs to user %u; set NE_RUNTIME_DIR to a folder of yours",
			path, st.st_uid);
	return take_fd(&fd);
}

static int open_claim(int runtime, const char *kind, const char *name)
{
	char path[NAME_MAX];
	int fd;

	if (format_path(path, sizeof(path), "%s/%s", kind, name))
		return -ENAMETOOLONG;
	for (int attempt = 0; attempt < 2; attempt++) {
		fd = openat(runtime, path,
			    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
		if (errno != ENOENT)
			break;
		if (mkdirat(runtime, kind, 0700) && errno != EEXIST)
			break;
	}
	return -errno;
}

/* A lock on the whole file that belongs to the open file description. */
static int ofd_lock(int fd, int command, struct flock *lock)
{
	*lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
	while (fcntl(fd, command, lock))
		if (errno != EINTR)
			return -errno;
	return 0;
}

int claim_take(int runtime, const char *kind, uint64_t number)
{
	cleanup_close int fd = -1;
	struct flock lock;
	char name[24];
	int r;

	snprintf(name, sizeof(name), "%" PRIu64, number);
	fd = open_claim(runtime, kind, name);
	if (fd < 0)
		return take_fd(&fd);
	r = ofd_lock(fd, F_OFD_SETLK, &lock);
	if (r)
		return r == -EAGAIN || r == -EACCES ? -EBUSY : r;
	return take_fd(&fd);
}

bool claim_is_free(int runtime, const char *kind, uint64_t number)
{
	cleanup_close int fd = -1;
	struct flock lock;
	char path[NAME_MAX];

	snprintf(path, sizeof(path), "%s/%" PRIu64, kind, number);
	fd = openat(runtime, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT; /* nobody ever had it */
	return ofd_lock(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

int claim_wait(int runtime, const char *kind)
{
	cleanup_close int fd = open_claim(runtime, kind, "lock");
	struct flock lock;
	int r;

	if (fd < 0)
		return take_fd(&fd);
	r = ofd_lock(fd, F_OFD_SETLKW, &lock);
	return r ? r : take_fd(&fd);
}
