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

#define LOWER_HEX "0123456789abcdef"

/* Of an instance's id that the text begins with; 0: it does not. */
static size_t id_length(const char *text)
{
	size_t digits = strncmp(text, "i-", 2) ? 0
					       : strspn(text + 2, LOWER_HEX);

	return digits ? 2 + digits : 0;
}

bool instance_is_id(const char *text)
{
	size_t length = id_length(text);

	return length && !text[length];
}

bool instance_is_role(const char *text)
{
	return !strncmp(text, "arn:", 4) && strstr(text, ":role/");
}

bool instance_of_module(const char *module_id, char text[INSTANCE_ID_SIZE])
{
	size_t length = id_length(module_id);
	const char *enclave = module_id + length;

	if (!length || length >= INSTANCE_ID_SIZE ||
	    strncmp(enclave, "-enc", 4))
		return false;
	memcpy(text, module_id, length);
	text[length] = '\0';
	return true;
}
