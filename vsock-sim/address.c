// SPDX-License-Identifier: Apache-2.0
#include "vsock-sim/address.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <linux/vm_sockets.h>

#define CONNECTING_PREFIX "ne-vsock"

static socklen_t name_length(size_t path_length)
{
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   path_length);
}

socklen_t vsock_bound_name(const struct vsock_names *names,
			   struct vsock_address address,
			   struct sockaddr_un *name)
{
	int n;

	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(name->sun_path, sizeof(name->sun_path),
		     "%s/%" PRIu32 "/%" PRIu32, names->folder, address.cid,
		     address.port);
	return name_length((size_t)n + 1);
}

socklen_t vsock_connecting_name(const struct vsock_names *names,
				struct vsock_address address,
				struct sockaddr_un *name)
{
	int n;

	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1,
		     CONNECTING_PREFIX "/%016" PRIx64 "/%" PRIu32 "/%" PRIu32,
		     names->id, address.cid, address.port);
	return name_length((size_t)n + 1);
}

/* A decimal number without sign, blanks or leading zeros. */
static bool parse_number(const char **text, uint32_t *number)
{
	const char *p = *text;
	uint64_t value = 0;

	if (*p == '0' && p[1] >= '0' && p[1] <= '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (uint64_t)(*p - '0');
		if (value > UINT32_MAX)
			return false;
	}
	if (p == *text)
		return false;
	*text = p;
	*number = (uint32_t)value;
	return true;
}

static bool skip(const char **text, const char *expected)
{
	size_t length = strlen(expected);

	if (strncmp(*text, expected, length))
		return false;
	*text += length;
	return true;
}

bool vsock_parse_name(const struct vsock_names *names,
		      const struct sockaddr_un *name, socklen_t length,
		      struct vsock_address *address)
{
	char path[sizeof(name->sun_path) + 1] = { 0 };
	const char *text = path;
	char id[24];

	if (length <= name_length(0) || length > sizeof(*name) ||
	    name->sun_family != AF_UNIX)
		return false;
	memcpy(path, name->sun_path, length - name_length(0));
	if (path[0]) {
		if (!skip(&text, names->folder))
			return false;
	} else {
		snprintf(id, sizeof(id), "/%016" PRIx64, names->id);
		text++;
		if (!skip(&text, CONNECTING_PREFIX) || !skip(&text, id))
			return false;
	}
	return skip(&text, "/") && parse_number(&text, &address->cid) &&
	       skip(&text, "/") && parse_number(&text, &address->port) &&
	       *text == '\0';
}

void vsock_put_sockaddr(struct vsock_address address,
			uint8_t bytes[VSOCK_SOCKADDR_SIZE])
{
	uint16_t family = AF_VSOCK;

	memset(bytes, 0, VSOCK_SOCKADDR_SIZE);
	memcpy(bytes, &family, sizeof(family));
	memcpy(bytes + 4, &address.port, sizeof(address.port));
	memcpy(bytes + 8, &address.cid, sizeof(address.cid));
}

bool vsock_get_sockaddr(const uint8_t *bytes, size_t size,
			struct vsock_address *address)
{
	uint16_t family;

	if (size < VSOCK_SOCKADDR_SIZE)
		return false;
	memcpy(&family, bytes, sizeof(family));
	memcpy(&address->port, bytes + 4, sizeof(address->port));
	memcpy(&address->cid, bytes + 8, sizeof(address->cid));
	return family == AF_VSOCK && !(bytes[12] & ~VMADDR_FLAG_TO_HOST);
}
