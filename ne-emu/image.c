// SPDX-License-Identifier: Apache-2.0
#include "ne-emu/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "libne/cleanup.h"

/* Half of a small second-level cache. */
#define COPY_SIZE (128U << 10)

struct memory {
	const struct donor *donor;
	const struct memory_piece *pieces;
	size_t n_pieces;
};

static void close_eif(struct ne_eif **eif)
{
	ne_eif_close(*eif);
}

#define cleanup_eif __attribute__((cleanup(close_eif)))

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

static int write_all(int fd, const uint8_t *from, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, from, size);

		if (n < 0)
			return -errno;
		from += n;
		size -= (size_t)n;
	}
	return 0;
}

/*
 * By way of a buffer that stays in the cache: much faster than by mapping
 * the file, each page of which would be zeroed and faulted in first.
 */
static int copy(const struct memory *memory, int fd, uint64_t size)
{
	cleanup_free uint8_t *buffer = malloc(COPY_SIZE);

	if (!buffer)
		return -ENOMEM;
	for (uint64_t at = 0; at < size; at += COPY_SIZE) {
		uint64_t n = size - at < COPY_SIZE ? size - at : COPY_SIZE;
		int r = read_memory(memory, IMAGE_LOAD_OFFSET + at, buffer, n);

		if (!r)
			r = write_all(fd, buffer, n);
		if (r)
			return r;
	}
	return 0;
}

static int make_copy(const struct memory *memory, uint64_t size)
{
	cleanup_close int fd =
		memfd_create("enclave-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = copy(memory, fd, size);
	if (r)
		return r;
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		return -errno;
	return take_fd(&fd);
}

static int check(int fd, struct ne_error *err)
{
	cleanup_eif struct ne_eif *eif = NULL;

	if (ne_eif_open_fd(&eif, fd, err) || ne_eif_check_arch(eif, err) ||
	    ne_eif_check_crc(eif, err))
		return bad_image(err);
	return 0;
}

int image_fetch(int *image, const struct donor *donor,
		const struct memory_piece *pieces, size_t n_pieces,
		struct ne_error *err)
{
	struct memory memory = { donor, pieces, n_pieces };
	cleanup_close int fd = -1;
	uint64_t size;
	int r;

	r = find_size(&memory, &size, err);
	if (r)
		return r;
	fd = make_copy(&memory, size);
	if (fd < 0)
		return cannot_copy(fd, err);
	r = check(fd, err);
	if (r)
		return r;
	*image = take_fd(&fd);
	return 0;
}
