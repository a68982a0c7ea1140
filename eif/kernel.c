// SPDX-License-Identifier: Apache-2.0
#include "eif/kernel.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The setup header, Documentation/arch/x86/boot.rst of Linux. */
#define SETUP_MAGIC 0x202
#define SETUP_KERNEL_VERSION 0x20e
#define SETUP_HEADER_END 0x210
#define KERNEL_VERSION_BASE 0x200

static off_t version_offset(int fd)
{
	uint8_t header[SETUP_HEADER_END];
	unsigned int offset;

	if (pread(fd, header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header + SETUP_MAGIC, "HdrS", 4))
		return -1;
	offset = header[SETUP_KERNEL_VERSION] |
		 (unsigned int)header[SETUP_KERNEL_VERSION + 1] << 8;
	return offset ? (off_t)offset + KERNEL_VERSION_BASE : -1;
}

static int is_version_character(char c)
{
	return c > ' ' && c < 0x7f;
}

void read_kernel_version(int fd, char version[KERNEL_VERSION_SIZE])
{
	off_t offset = version_offset(fd);
	ssize_t got, i;

	got = offset < 0 ? 0
			 : pread(fd, version, KERNEL_VERSION_SIZE - 1, offset);
	for (i = 0; i < got && is_version_character(version[i]); i++)
		;
	version[i] = 0;
}
