// SPDX-License-Identifier: Apache-2.0
#include "libne/enclave.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>

#include <linux/types.h>
#include <linux/nitro_enclaves.h>

#include <ne/eif.h>
#include <ne/error.h>

static int put_image(struct ne_enclave *enclave, const struct ne_eif *image,
		     struct ne_error *err)
{
	struct ne_image_load_info info = { .flags = NE_EIF_IMAGE };
	size_t size = ne_eif_size(image);
	struct memory_pages pages;
	int rc;

	if (ioctl(enclave->fd, NE_GET_IMAGE_LOAD_INFO, &info) < 0)
		return ne_error_set(err, errno,
				    "cannot ask where the image belongs: %s",
				    ne_strerror(errno));
	rc = memory_map_file(&enclave->memory, info.memory_offset,
			     ne_eif_fd(image), size);
	if (rc < 0)
		rc = memory_copy(&enclave->memory, info.memory_offset,
				 ne_eif_data(image), size);
	if (rc == -ENOSPC)
		return ne_error_set(err, ENOSPC,
				    "an image of %zu bytes, %" PRIu64
				    " MiB into the enclave's memory, does not "
				    "fit into %" PRIu64 " MiB; give it more",
				    size, (uint64_t)info.memory_offset >> 20,
				    ne_enclave_memory(enclave) >> 20);
	if (rc == -ENOMEM) {
		pages = memory_pages_read();
		return memory_say_missing(ne_enclave_memory(enclave), &pages,
					  ENOMEM, err);
	}
	return rc;
}

static int donate(struct ne_enclave *enclave,
		  const struct memory_region *region, struct ne_error *err)
{
	struct ne_user_memory_region arg = {
		.flags = NE_DEFAULT_MEMORY_REGION,
		.memory_size = region->size,
		.userspace_addr = (uintptr_t)region->address,
	};
	struct memory_pages pages;
	int error;

	if (ioctl(enclave->fd, NE_SET_USER_MEMORY_REGION, &arg) == 0)
		return 0;
	error = errno;
	if (error == NE_ERR_MEM_NOT_HUGE_PAGE ||
	    error == NE_ERR_INVALID_PAGE_SIZE) {
		pages = memory_pages_read();
		return memory_say_missing(ne_enclave_memory(enclave), &pages,
					  error, err);
	}
	return ne_error_set(err, error,
			    "cannot give %" PRIu64 " MiB of memory to the "
			    "enclave: %s",
			    region->size >> 20, ne_strerror(error));
}

int ne_enclave_load(struct ne_enclave *enclave, uint64_t memory,
		    const struct ne_eif *image, struct ne_error *err)
{
	int rc;

	if (enclave->memory.count > 0)
		return ne_error_set(err, EALREADY,
				    "the enclave has its memory already");
	if (memory == 0 || memory > INT64_MAX)
		return ne_error_set(err, EINVAL,
				    "an enclave cannot have %" PRIu64
				    " bytes of memory",
				    memory);
	memory = (memory + NE_MEMORY_UNIT - 1) & ~(NE_MEMORY_UNIT - 1);
	rc = memory_map(&enclave->memory, memory, err);
	if (rc == 0 && image)
		rc = put_image(enclave, image, err);
	for (size_t i = 0; rc == 0 && i < enclave->memory.count; i++)
		rc = donate(enclave, &enclave->memory.regions[i], err);
	return rc;
}
