/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from files and from the command line.
 *
 * Functions return 0 or a negative errno with a sentence. What they return is
 * for bytes_free().
 */
#ifndef NE_ATTEST_BYTES_H
#define NE_ATTEST_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include <ne/error.h>

struct bytes {
	uint8_t *data; /* a zero byte follows; NULL: nothing */
	size_t size;
};

void bytes_free(struct bytes *bytes);

#define cleanup_bytes __attribute__((cleanup(bytes_free)))

/* All of a file, "-": of standard input; -EFBIG if there is more than max. */
int bytes_read(struct bytes *bytes, const char *path, size_t max,
	       struct ne_error *err);

/* Hexadecimal digits alone. -EINVAL. */
int bytes_from_hex(struct bytes *bytes, const char *text, struct ne_error *err);
/* Of either alphabet, padded or not. -EINVAL. */
int bytes_from_base64(struct bytes *bytes, const char *text,
		      struct ne_error *err);

/*
 * The values of options: HEX, base64:TEXT, text:TEXT, or @FILE for the content
 * of a file. -EINVAL: none of these; what bytes_read() fails with.
 */
int bytes_from_option(struct bytes *bytes, const char *value,
		      struct ne_error *err);

/* Lower-case hexadecimal digits, for free(3); NULL: out of memory. */
char *bytes_to_hex(const uint8_t *data, size_t size);

#endif
