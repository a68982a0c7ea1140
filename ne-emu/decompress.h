/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed streams in ramdisks: which kind, how long, what is in them.
 */
#ifndef NE_EMU_DECOMPRESS_H
#define NE_EMU_DECOMPRESS_H

#include <stddef.h>
#include <sys/types.h>

struct ne_error;
struct compression;

/* The compression whose magic is at data, or NULL. Never freed. */
const struct compression *compression_of(const void *data, size_t size);
/* "gzip", "xz", ... */
const char *compression_name(const struct compression *compression);

/* Takes the next decompressed bytes; a negative errno ends it. */
typedef int decompress_sink(const void *bytes, size_t size, void *data,
			    struct ne_error *err);

/*
 * Decompresses the stream at data and passes on what was in it. At most room
 * bytes of memory (and what the decompressor needs by itself) are taken to be
 * faster; 0 is fine.
 *
 * Returns how many bytes the stream has; what is behind it is not looked at,
 * except that gzip and bzip2 streams that follow each other may count as one.
 * Or a negative errno with a sentence: the sink's, -EINVAL damaged or cut
 * short, -ENOTSUP the library on this machine cannot decompress this.
 */
ssize_t decompress(const struct compression *compression, const void *data,
		   size_t size, size_t room, decompress_sink *sink,
		   void *sink_data, struct ne_error *err);

#endif
