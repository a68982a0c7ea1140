/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How libne fails.
 *
 * Every function of libne that can fail returns 0 (or a value that is not
 * negative) for success and a negative error number for failure. The number
 * is an errno, or one of the NE_ERR_* of <linux/nitro_enclaves.h> (256 and
 * up), negated. The sentence for a human is made where the failure happened,
 * in the caller's struct ne_error: what failed, on what, why, what to do.
 *
 * Thread safety: everything here works on the caller's memory alone.
 */
#ifndef NE_ERROR_H
#define NE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes in ne_error.text, the terminating zero included. */
#define NE_ERROR_TEXT_SIZE 512

/**
 * struct ne_error - what went wrong
 * @code: positive errno or NE_ERR_*; 0 while nothing has failed
 * @text: one line of UTF-8 without a newline, always terminated; what may be
 *	 a stranger's in it cannot do more to a terminal than be shown
 *
 * Lives wherever the caller likes, mostly on the stack; needs no release.
 * Initialise it with `= { 0 }`. Every libne function that takes one accepts
 * NULL for callers who only want the number.
 */
struct ne_error {
	int code;
	char text[NE_ERROR_TEXT_SIZE];
};

/**
 * ne_error_set() - record a failure
 * @err: where to, or NULL
 * @code: positive errno or NE_ERR_*
 * @format: printf format of the sentence; longer ones are cut
 *
 * Control characters in the result are replaced by '?', so that a name taken
 * from untrusted input cannot play with a terminal.
 *
 * Return: -@code, so that `return ne_error_set(err, EINVAL, "...")` reads well.
 */
int ne_error_set(struct ne_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * ne_error_prefix() - say on what a failure happened
 * @err: a recorded failure, or NULL
 * @format: printf format of the prefix; ": " is put behind it
 *
 * Return: -err->code, or -EIO if @err is NULL.
 */
int ne_error_prefix(struct ne_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * ne_strerror() - the text of an error number
 * @code: errno or NE_ERR_* (256 to 275, <linux/nitro_enclaves.h>), positive
 *        or negative
 *
 * Return: a sentence fragment without a full stop; never NULL. It belongs to
 * the library (for NE_ERR_*) or to the C library, and stays valid.
 */
const char *ne_strerror(int code);

#ifdef __cplusplus
}
#endif
#endif
