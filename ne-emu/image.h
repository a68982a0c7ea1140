/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking an enclave's image out of the memory that was donated for it.
 */
#ifndef NE_EMU_IMAGE_H
#define NE_EMU_IMAGE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ne_eif;
struct ne_error;

/* Where NE_GET_IMAGE_LOAD_INFO has an EIF put, in bytes of enclave memory. */
#define IMAGE_LOAD_OFFSET (8ULL << 20)

/* A piece of an enclave's memory, addressed as its donor addresses it. */
struct memory_piece {
	uint64_t address;
	uint64_t size;
};

/* The donor's memory. read() reads all of it, or fails with -EFAULT etc. */
struct donor {
	int (*read)(void *data, uint64_t address, void *to, size_t size);
	void *data;
};

/*
 * A copy of an image, in memory of our own. Does not change, and stays as
 * long as somebody holds a reference, of any thread.
 */
struct image {
	struct ne_eif *eif;
	void *mapping;
	size_t mapping_size;
	atomic_uint references;
};

/*
 * An enclave's memory is the concatenation of its pieces. Copies the image
 * out of it, at its load offset, and checks what the hypervisor checks:
 * structure, checksum, CPU.
 *
 * -ENOEXEC and a sentence if what lies there cannot be run; other negative
 * errnos if it could not be found out. Else there is one reference.
 */
int image_fetch(struct image **image, const struct donor *donor,
		const struct memory_piece *pieces, size_t n_pieces,
		struct ne_error *err);

struct image *image_ref(struct image *image);
/* NULL is fine. */
void image_unref(struct image *image);

#endif
