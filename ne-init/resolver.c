// SPDX-License-Identifier: Apache-2.0
/*
 * libnl can look up names of hosts and protocols. init never asks it to, but
 * the C library's resolver would be linked for that, and is hundreds of
 * kilobytes that do not even work in a static program. These stand in for it.
 */
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **result)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)result;
	return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *result)
{
	(void)result;
}

int getnameinfo(const struct sockaddr *restrict address, socklen_t address_size,
		char *restrict host, socklen_t host_size,
		char *restrict service, socklen_t service_size, int flags)
{
	(void)address;
	(void)address_size;
	(void)host;
	(void)host_size;
	(void)service;
	(void)service_size;
	(void)flags;
	return EAI_FAIL;
}

struct protoent *getprotobyname(const char *name)
{
	(void)name;
	return NULL;
}

struct protoent *getprotobynumber(int number)
{
	(void)number;
	return NULL;
}
