// SPDX-License-Identifier: Apache-2.0
/*
 * Names and lines that programs give us: names of sockets, struct sockaddr_vm,
 * requests of the plain way in, kernel command lines. What is taken must be
 * what would be written.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ne-emu/cmdline.h"
#include "vsock-sim/address.h"
#include "vsock-sim/door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct vsock_names names = { .folder = "/run/ne/vsock",
					  .id = 0x1234 };

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static bool is_name(const struct sockaddr_un *name, socklen_t length,
		    const struct sockaddr_un *expected, socklen_t full)
{
	/* With a terminator or without. */
	return (length == full || length + 1 == full) &&
	       memcmp(name, expected, length) == 0;
}

static void read_name(const uint8_t *data, size_t size)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX }, expected;
	struct vsock_address address;
	socklen_t length, full;

	if (size > sizeof(name.sun_path))
		size = sizeof(name.sun_path);
	memcpy(name.sun_path, data, size);
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	if (!vsock_parse_name(&names, &name, length, &address))
		return;
	if (name.sun_path[0]) {
		full = vsock_bound_name(&names, address, &expected);
		length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     strnlen(name.sun_path, size));
		expect(is_name(&name, length, &expected, full));
	} else {
		full = vsock_connecting_name(&names, address, &expected);
		length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     1 + strnlen(name.sun_path + 1, size - 1));
		expect(is_name(&name, length + 1, &expected, full) ||
		       is_name(&name, length, &expected, full));
	}
}

static void read_sockaddr(const uint8_t *data, size_t size)
{
	struct vsock_address address, again;
	uint8_t bytes[VSOCK_SOCKADDR_SIZE];

	if (!vsock_get_sockaddr(data, size, &address))
		return;
	vsock_put_sockaddr(address, bytes);
	expect(vsock_get_sockaddr(bytes, sizeof(bytes), &again));
	expect(memcmp(&address, &again, sizeof(address)) == 0);
	expect(memcmp(bytes + 4, data + 4, 8) == 0);
}

static void read_request(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char line[DOOR_LINE_MAX + 1];
	uint32_t port, again;
	size_t used, i;
	int r = 0;

	/* As they come: byte by byte, until it is decided. */
	for (i = 0; i <= size && r == 0; i++)
		r = door_parse(text, i, &port, &used);
	expect(r != 0 || size < DOOR_LINE_MAX);
	if (r == 0)
		return;
	expect(i - 1 <= DOOR_LINE_MAX);
	expect(door_parse(text, size, &again, &used) == r);
	if (r < 0)
		return;
	expect(again == port && used == i - 1);
	r = snprintf(line, sizeof(line), "CONNECT %u\n", port);
	expect(r > 0 && (size_t)r <= used);
	expect(door_parse(line, (size_t)r, &again, &used) == 1);
	expect(again == port);
}

static void read_cmdline(const uint8_t *data, size_t size)
{
	static struct cmdline cmdline;
	size_t n = 0;

	if (cmdline_parse(&cmdline, (const char *)data, size)) {
		expect(size > CMDLINE_MAX);
		return;
	}
	expect(strlen(cmdline.init) > 0 && strlen(cmdline.init) <= size + 5);
	expect(cmdline.argv[0] == cmdline.init);
	while (cmdline.argv[n]) {
		expect(n == 0 || (cmdline.argv[n] >= cmdline.text &&
				  cmdline.argv[n] + strlen(cmdline.argv[n]) <=
					  cmdline.text + size));
		n++;
	}
	expect(n <= CMDLINE_ARGS_MAX + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		read_name(data + 1, size - 1);
		break;
	case 1:
		read_sockaddr(data + 1, size - 1);
		break;
	case 2:
		read_request(data + 1, size - 1);
		break;
	default:
		read_cmdline(data + 1, size - 1);
	}
	return 0;
}
