// SPDX-License-Identifier: Apache-2.0
#include "eif/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "libne/cleanup.h"

static int cannot_create(const struct output *output, struct ne_error *err)
{
	return ne_error_set(err, errno, "%s: cannot create it: %s",
			    output->path, ne_strerror(errno));
}

/* What open(2) would have given it. */
static mode_t default_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

int output_begin(struct output *output, const char *path, struct ne_error *err)
{
	*output = (struct output){ .fd = -1, .path = path };
	if (asprintf(&output->temporary, "%s.XXXXXX", path) < 0) {
		output->temporary = NULL;
		return ne_error_set(err, ENOMEM, "out of memory");
	}
	output->fd = mkostemp(output->temporary, O_CLOEXEC);
	if (output->fd < 0)
		return cannot_create(output, err);
	if (fchmod(output->fd, default_mode()))
		return cannot_create(output, err);
	return 0;
}

int output_finish(struct output *output, struct ne_error *err)
{
	if (rename(output->temporary, output->path))
		return cannot_create(output, err);
	free(output->temporary);
	output->temporary = NULL;
	return 0;
}

void output_free(struct output *output)
{
	if (output->fd >= 0) {
		if (output->temporary)
			unlink(output->temporary);
		close(output->fd);
	}
	free(output->temporary);
}
