// SPDX-License-Identifier: Apache-2.0
#include "libne/enclave.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <linux/types.h>
#include <linux/nitro_enclaves.h>

#include <ne/error.h>

/* No machine that Linux runs on has more (CONFIG_NR_CPUS is at most 8192). */
#define CPU_ID_MAX 65535

/* id 0: one of the pool's choice. */
static int add_cpu(struct ne_enclave *enclave, uint32_t id)
{
	uint32_t *ids;
	__u32 arg = id;

	ids = reallocarray(enclave->cpu_ids, enclave->n_cpu_ids + 1,
			   sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	enclave->cpu_ids = ids;
	if (ioctl(enclave->fd, NE_ADD_VCPU, &arg) < 0)
		return -errno;
	ids[enclave->n_cpu_ids++] = arg;
	return 0;
}

int ne_enclave_add_cpus(struct ne_enclave *enclave, unsigned int count,
			struct ne_error *err)
{
	int rc;

	if (count == 0)
		return ne_error_set(err, EINVAL,
				    "an enclave needs at least one CPU");
	for (unsigned int i = 0; i < count; i++) {
		rc = add_cpu(enclave, 0);
		if (rc < 0)
			return ne_error_set(
				err, -rc,
				"cannot give %u CPUs to the enclave: %s "
				"after %u",
				count, ne_strerror(rc), i);
	}
	return 0;
}

int ne_enclave_add_cpu_ids(struct ne_enclave *enclave, const uint32_t *ids,
			   size_t count, struct ne_error *err)
{
	int rc;

	for (size_t i = 0; i < count; i++) {
		if (ids[i] == 0)
			return ne_error_set(err, EINVAL,
					    "CPU 0 is the parent's own and "
					    "cannot be given to an enclave");
		rc = add_cpu(enclave, ids[i]);
		if (rc < 0)
			return ne_error_set(
				err, -rc,
				"cannot give CPU %u to the enclave: %s", ids[i],
				ne_strerror(rc));
	}
	return 0;
}

const uint32_t *ne_enclave_cpu_ids(const struct ne_enclave *enclave,
				   size_t *count)
{
	*count = enclave->n_cpu_ids;
	return enclave->n_cpu_ids ? enclave->cpu_ids : NULL;
}

/* Digits at *text to a number; *text is moved behind them. */
static int parse_cpu(const char **text, uint32_t *id)
{
	uint32_t value = 0;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		value = value * 10 + (uint32_t)(**text - '0');
		if (value > CPU_ID_MAX)
			return -ERANGE;
	}
	*id = value;
	return 0;
}

/* "3" or "2-5" at *text. */
static int parse_range(const char **text, uint32_t *first, uint32_t *last)
{
	int rc = parse_cpu(text, first);

	if (rc < 0)
		return rc;
	*last = *first;
	if (**text != '-')
		return 0;
	(*text)++;
	rc = parse_cpu(text, last);
	if (rc < 0)
		return rc;
	return *last < *first ? -EINVAL : 0;
}

static bool contains(const uint32_t *ids, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

int ne_cpu_list_parse(const char *list, uint32_t *ids, size_t max)
{
	uint32_t first, last;
	size_t count = 0;
	int rc;

	for (;; list++) {
		rc = parse_range(&list, &first, &last);
		if (rc < 0)
			return rc;
		for (uint32_t id = first; id <= last; id++) {
			if (contains(ids, count, id))
				return -EINVAL;
			if (count == max)
				return -E2BIG;
			ids[count++] = id;
		}
		if (*list == '\0')
			return (int)count;
		if (*list != ',')
			return -EINVAL;
	}
}
