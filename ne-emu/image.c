// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "libne/cleanup.h"

#define HUGE_PAGE (UINT64_C(2) << 20)

struct memory {
	const struct donor *donor;
	const struct memory_piece *pieces;
	size_t n_pieces;
};

struct image *image_ref(struct image *image)
{
	atomic_fetch_add(&image->references, 1);
	return image;
}

void image_unref(struct image *image)
{
	if (!image || atomic_fetch_sub(&image->references, 1) > 1)
		return;
	ne_eif_close(image->eif);
	if (image->mapping)
		munmap(image->mapping, image->mapping_size);
	free(image);
}

static void release_image(struct image **image)
{
	image_unref(*image);
}

#define cleanup_image __attribute__((cleanup(release_image)))

static uint64_t total_size(const struct memory *memory)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < memory->n_pieces; i++)
		sum += memory->pieces[i].size;
	return sum;
}

/* The caller has checked that the memory has offset + size bytes. */
static int read_memory(const struct memory *memory, uint64_t offset,
		       uint8_t *to, uint64_t size)
{
	for (size_t i = 0; size > 0 && i < memory->n_pieces; i++) {
		const struct memory_piece *piece = &memory->pieces[i];
		uint64_t n = piece->size;
		int r;

		if (offset >= n) {
			offset -= n;
			continue;
		}
		n -= offset;
		if (n > size)
			n = size;
		r = memory->donor->read(memory->donor->data,
					piece->address + offset, to, n);
		if (r)
			return r;
		offset = 0;
		to += n;
		size -= n;
	}
	return 0;
}

static int cannot_copy(int r, struct ne_error *err)
{
	if (r == -EFAULT)
		return ne_error_set(
			err, EFAULT,
			"the enclave's memory is not there; it must stay mapped until the enclave has been started");
	return ne_error_set(
		err, -r, "cannot copy the image from the enclave's memory: %s",
		ne_strerror(r));
}

/* However the image is bad, the sentence is the caller's business. */
static int bad_image(struct ne_error *err)
{
	if (err) {
		err->code = ENOEXEC;
		ne_error_prefix(
			err,
			"no image that can be run at 8 MiB into the memory");
	}
	return -ENOEXEC;
}

static int find_size(const struct memory *memory, uint64_t *size,
		     struct ne_error *err)
{
	uint64_t room = total_size(memory);
	uint8_t header[NE_EIF_HEADER_SIZE];
	int r;

	if (room < IMAGE_LOAD_OFFSET + sizeof(header)) {
		ne_error_set(err, ENOEXEC, "the memory ends before it");
		return bad_image(err);
	}
	room -= IMAGE_LOAD_OFFSET;
	r = read_memory(memory, IMAGE_LOAD_OFFSET, header, sizeof(header));
	if (r)
		return cannot_copy(r, err);
	if (ne_eif_size_from_header(header, size, err))
		return bad_image(err);
	if (*size < sizeof(header) || *size > room) {
		ne_error_set(err, ENOEXEC,
			     "the image has %" PRIu64
			     " bytes, the memory has room for %" PRIu64,
			     *size, room);
		return bad_image(err);
	}
	return 0;
}

/*
 * Memory for size bytes, in huge pages if they can be had: copying costs less
 * than faulting in small pages does.
 */
static void *map_room(struct image *image, uint64_t size)
{
	uintptr_t start;

	image->mapping_size = size + HUGE_PAGE;
	image->mapping = mmap(NULL, image->mapping_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (image->mapping == MAP_FAILED) {
		image->mapping = NULL;
		return NULL;
	}
	start = ((uintptr_t)image->mapping + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	madvise((void *)start, size, MADV_HUGEPAGE);
	return (void *)start;
}

static int check(struct image *image, const void *data, size_t size,
		 struct ne_error *err)
{
	if (ne_eif_parse(&image->eif, data, size, err) ||
	    ne_eif_check_arch(image->eif, err) ||
	    ne_eif_check_crc(image->eif, err))
		return bad_image(err);
	return 0;
}

int image_fetch(struct image **image, const struct donor *donor,
		const struct memory_piece *pieces, size_t n_pieces,
		struct ne_error *err)
{
	struct memory memory = { donor, pieces, n_pieces };
	cleanup_image struct image *new = NULL;
	uint64_t size;
	void *data;
	int r;

	r = find_size(&memory, &size, err);
	if (r)
		return r;
	new = calloc(1, sizeof(*new));
	if (!new)
		return cannot_copy(-ENOMEM, err);
	atomic_init(&new->references, 1);
	data = map_room(new, size);
	if (!data)
		return cannot_copy(-ENOMEM, err);
	r = read_memory(&memory, IMAGE_LOAD_OFFSET, data, size);
	if (r)
		return cannot_copy(r, err);
	r = check(new, data, size, err);
	if (r)
		return r;
	*image = take_ptr(&new);
	return 0;
}
