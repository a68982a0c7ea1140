// SPDX-License-Identifier: Apache-2.0
#include <ne/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>
#include <linux/nitro_enclaves.h>

#include "libne/cleanup.h"
#include "libne/utf8.h"

/*
 * Much of a sentence may come from strangers, and goes to terminals and into
 * JSON: what is no UTF-8 (also a character that was cut off at the end) or
 * does more than to be shown becomes a question mark.
 */
static void make_printable(char *text)
{
	size_t left = strlen(text);
	char *to = text;

	while (left) {
		uint32_t code = 0;
		size_t length = utf8_read(text, left, &code);

		if (length && utf8_is_harmless(code)) {
			memmove(to, text, length);
			to += length;
		} else
			*to++ = '?';
		text += length ? length : 1;
		left -= length ? length : 1;
	}
	*to = '\0';
}

int ne_error_set(struct ne_error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return -code;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	make_printable(err->text);
	return -code;
}

int ne_error_prefix(struct ne_error *err, const char *format, ...)
{
	char rest[NE_ERROR_TEXT_SIZE];
	size_t used;
	va_list args;

	if (!err)
		return -EIO;
	memcpy(rest, err->text, sizeof(rest));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", rest);
	make_printable(err->text);
	return -err->code;
}

/* The causes that include/uapi/linux/nitro_enclaves.h gives for each. */
static const char *const driver_errors[] = {
	[NE_ERR_VCPU_ALREADY_USED - 256] = "the enclave already has this vCPU",
	[NE_ERR_VCPU_NOT_IN_CPU_POOL - 256] =
		"the vCPU is not in the enclave CPU pool, or is taken",
	[NE_ERR_VCPU_INVALID_CPU_CORE - 256] =
		"the CPU core of the vCPU is not one of the pool's",
	[NE_ERR_INVALID_MEM_REGION_SIZE - 256] =
		"the size of the memory region is not a multiple of 2 MiB",
	[NE_ERR_INVALID_MEM_REGION_ADDR - 256] =
		"the address of the memory region is not the caller's own",
	[NE_ERR_UNALIGNED_MEM_REGION_ADDR - 256] =
		"the address of the memory region is not a multiple of 2 MiB",
	[NE_ERR_MEM_REGION_ALREADY_USED - 256] =
		"the memory region overlaps one that is already set",
	[NE_ERR_MEM_NOT_HUGE_PAGE - 256] =
		"the memory region is not made of huge pages",
	[NE_ERR_MEM_DIFFERENT_NUMA_NODE - 256] =
		"the memory region is on another NUMA node than the CPU pool",
	[NE_ERR_MEM_MAX_REGIONS - 256] =
		"the enclave's memory lies in too many separate pieces",
	[NE_ERR_NO_MEM_REGIONS_ADDED - 256] = "the enclave has no memory",
	[NE_ERR_NO_VCPUS_ADDED - 256] = "the enclave has no vCPU",
	[NE_ERR_ENCLAVE_MEM_MIN_SIZE - 256] =
		"the enclave has less than 64 MiB of memory",
	[NE_ERR_FULL_CORES_NOT_USED - 256] =
		"the enclave has a CPU core of which it does not use all threads",
	[NE_ERR_NOT_IN_INIT_STATE - 256] =
		"the enclave has been started already",
	[NE_ERR_INVALID_VCPU - 256] =
		"the vCPU number is beyond the last CPU of this machine",
	[NE_ERR_NO_CPUS_AVAIL_IN_POOL - 256] =
		"no CPUs left in the enclave CPU pool",
	[NE_ERR_INVALID_PAGE_SIZE - 256] =
		"the memory region has pages smaller than 2 MiB",
	[NE_ERR_INVALID_FLAG_VALUE - 256] = "a flag has an invalid value",
	[NE_ERR_INVALID_ENCLAVE_CID - 256] =
		"the CID is reserved or out of range",
};

const char *ne_strerror(int code)
{
	unsigned int index;
	const char *text;

	code = abs(code);
	index = (unsigned int)code - 256;
	if (code >= 256 && index < ARRAY_SIZE(driver_errors))
		return driver_errors[index];
	text = strerrordesc_np(code);
	return text ? text : "unknown error";
}
