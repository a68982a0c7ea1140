// SPDX-License-Identifier: Apache-2.0
#include "libne/instance.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "libne/cleanup.h"

#define NO_INSTANCE_ID "i-0000000000000000"

void instance_id(char text[INSTANCE_ID_SIZE])
{
	cleanup_close int fd = open(INSTANCE_ID_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, INSTANCE_ID_SIZE - 1);

	text[got < 0 ? 0 : got] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, "i-", 2) != 0)
		snprintf(text, INSTANCE_ID_SIZE, "%s", NO_INSTANCE_ID);
}
