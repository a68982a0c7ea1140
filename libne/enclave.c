// SPDX-License-Identifier: Apache-2.0
#include "libne/enclave.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/types.h>
#include <linux/nitro_enclaves.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "libne/instance.h"

int ne_device_open(struct ne_error *err)
{
	int fd = open(NE_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
		return ne_error_set(err, ENOENT,
				    "there is no " NE_DEVICE_PATH " here: this "
				    "is no EC2 instance with enclaves enabled, "
				    "or the nitro_enclaves module is not "
				    "loaded");
	case EACCES:
	case EPERM:
		return ne_error_set(err, errno,
				    "cannot open " NE_DEVICE_PATH ": %s; is "
				    "this user in the group that owns it?",
				    ne_strerror(errno));
	default:
		return ne_error_set(err, errno,
				    "cannot open " NE_DEVICE_PATH ": %s",
				    ne_strerror(errno));
	}
}

int ne_enclave_create(struct ne_enclave **enclave, int device,
		      struct ne_error *err)
{
	struct ne_enclave *new = calloc(1, sizeof(*new));
	__u64 slot = 0;

	if (!new)
		return ne_error_set(err, ENOMEM, "cannot create an enclave: %s",
				    ne_strerror(ENOMEM));
	new->fd = ioctl(device, NE_CREATE_VM, &slot);
	if (new->fd < 0) {
		ne_error_set(err, errno, "cannot create an enclave: %s",
			     ne_strerror(errno));
		free(new);
		return -errno;
	}
	new->slot = slot;
	*enclave = new;
	return 0;
}

void ne_enclave_free(struct ne_enclave *enclave)
{
	if (!enclave)
		return;
	close(enclave->fd);
	memory_unmap(&enclave->memory);
	free(enclave->cpu_ids);
	free(enclave);
}

/* What a start that failed with this error needs. */
static const char *start_advice(int error)
{
	switch (error) {
	case NE_ERR_FULL_CORES_NOT_USED:
		return "; ask for whole cores, an even number of CPUs where "
		       "a core has two";
	case EADDRINUSE:
	case EEXIST:
	case EBUSY:
		return "; another enclave may have this CID";
	default:
		return "";
	}
}

int ne_enclave_start(struct ne_enclave *enclave, uint64_t cid,
		     unsigned int flags, struct ne_error *err)
{
	struct ne_enclave_start_info info = {
		.flags = flags & NE_START_DEBUG ? NE_ENCLAVE_DEBUG_MODE
						: NE_ENCLAVE_PRODUCTION_MODE,
		.enclave_cid = cid,
	};
	char with_cid[32] = "";
	char reason[NE_ERROR_TEXT_SIZE / 2];
	int error;

	if (ioctl(enclave->fd, NE_START_ENCLAVE, &info) == 0) {
		enclave->cid = info.enclave_cid;
		return 0;
	}
	error = errno;
	if (cid != NE_CID_ANY)
		snprintf(with_cid, sizeof(with_cid), " with CID %" PRIu64, cid);
	if (ne_enclave_end_reason(enclave, reason, sizeof(reason)) == 0)
		return ne_error_set(err, error,
				    "cannot start the enclave%s: %s", with_cid,
				    reason);
	return ne_error_set(err, error, "cannot start the enclave%s: %s%s",
			    with_cid, ne_strerror(error), start_advice(error));
}

int ne_enclave_fd(const struct ne_enclave *enclave)
{
	return enclave->fd;
}

uint64_t ne_enclave_cid(const struct ne_enclave *enclave)
{
	return enclave->cid;
}

uint64_t ne_enclave_memory(const struct ne_enclave *enclave)
{
	return memory_size(&enclave->memory);
}

const char *ne_enclave_id(struct ne_enclave *enclave)
{
	char instance[INSTANCE_ID_SIZE];

	if (enclave->id[0] == '\0') {
		instance_id(instance);
		snprintf(enclave->id, sizeof(enclave->id), "%s-enc%" PRIx64,
			 instance, enclave->slot);
	}
	return enclave->id;
}
