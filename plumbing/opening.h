/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trapped opens: which of the names that a handler has is being opened?
 *
 * A program may open a name by open, creat, openat or openat2, relative to a
 * folder, and with "//", "/./" or "/../" in it. Every open of every traced
 * program is asked about, so nearly all have to end at a glance at their
 * last few letters.
 */
#ifndef PLUMBING_OPENING_H
#define PLUMBING_OPENING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

struct trap_call;

/* What a handler's table of trap rules must hold: opens of any kind. */
#ifdef SYS_open
#define OPENING_RULES                                                  \
	{ .nr = SYS_open }, { .nr = SYS_creat }, { .nr = SYS_openat }, \
	{                                                              \
		.nr = SYS_openat2                                      \
	}
#define OPENING_N_RULES 4
#else
#define OPENING_RULES             \
	{ .nr = SYS_openat },     \
	{                         \
		.nr = SYS_openat2 \
	}
#define OPENING_N_RULES 2
#endif

/*
 * Which of these names, absolute and simple, does the call open? Its number,
 * and the flags of the open as open(2) has them (creat's included); -1: none,
 * the call opens something else, is no open, or cannot be read.
 *
 * Links are not looked for: a wanted name has none on its way, and who comes
 * by a link of his own is not recognised. Neither is a name of more than
 * 511 bytes.
 */
int opening_find(const struct trap_call *call, const char *const *names,
		 size_t n_names, uint64_t *flags);

/*
 * What the open gives when the name stands for a device, and an ordinary file
 * that is open as fd stands in for it: a close-on-exec descriptor of its own,
 * for reading or writing as asked, or a negative errno.
 */
int opening_open_device(int fd, uint64_t flags);
/* The file that is open as fd once more, with these flags of open(2). */
int opening_open_again(int fd, int flags);

/*
 * The parts of opening_find(). Does the path end like one of the names, so that it is
 * worth a closer look?
 */
bool opening_is_likely(const char *path, const char *const *names,
		       size_t n_names);
/*
 * Takes "//", "/./" and "/x/../" out of an absolute path, in place. The root
 * itself becomes "".
 */
void opening_simplify(char *path);

#endif
