// SPDX-License-Identifier: Apache-2.0
/* What an enclave may say on the control channel: anything. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ne/heartbeat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ne_control_reader reader = { 0 };
	struct ne_control_line line, again;
	const char *bytes = (const char *)data;
	char text[NE_CONTROL_LINE_MAX + 1];
	size_t length;

	while (ne_control_read(&reader, &bytes, &size, &line)) {
		length = ne_control_format(text, &line);
		if (length == 0 || length > NE_CONTROL_LINE_MAX ||
		    !ne_control_parse(&again, text, length - 1) ||
		    again.word != line.word || again.number != line.number)
			abort();
	}
	return 0;
}
