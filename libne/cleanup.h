/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleaning up at the end of a scope, so that every function has one way out.
 *
 *	cleanup_close int fd = open(...);
 *	cleanup_free char *line = NULL;
 *
 * A variable that passes its value on is emptied by take_fd() or take_ptr().
 */
#ifndef LIBNE_CLEANUP_H
#define LIBNE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void close_keeping_errno(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

static inline void cleanup_closep(int *fd)
{
	close_keeping_errno(*fd);
}

static inline void cleanup_freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define cleanup_close __attribute__((cleanup(cleanup_closep)))
#define cleanup_free __attribute__((cleanup(cleanup_freep)))
#define cleanup_fclose __attribute__((cleanup(cleanup_fclosep)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* take_ptr(&pointer): the pointer's value, leaving NULL behind. */
#define take_ptr(where)                               \
	__extension__({                               \
		__typeof__(where) where_ = (where);   \
		__typeof__(*where_) taken_ = *where_; \
		*where_ = NULL;                       \
		taken_;                               \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
