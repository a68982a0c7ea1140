// SPDX-License-Identifier: Apache-2.0

#include "ne-init/network.h"

#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/socket.h>
#include <netinet/in.h>

#include "ne-init/say.h"

#define LOOPBACK_INDEX 1 /* in every network namespace */

static void cleanup_socketp(struct nl_sock **socket)
{
	nl_socket_free(*socket);
}

static void cleanup_linkp(struct rtnl_link **link)
{
	rtnl_link_put(*link);
}

static void cleanup_addressp(struct rtnl_addr **address)
{
	rtnl_addr_put(*address);
}

static void cleanup_nl_addrp(struct nl_addr **address)
{
	nl_addr_put(*address);
}

#define CLEANUP(function) __attribute__((cleanup(function)))

static int set_up(struct nl_sock *socket)
{
	CLEANUP(cleanup_linkp) struct rtnl_link *link = rtnl_link_alloc();
	CLEANUP(cleanup_linkp) struct rtnl_link *change = rtnl_link_alloc();

	if (!link || !change)
		return -NLE_NOMEM;
	rtnl_link_set_ifindex(link, LOOPBACK_INDEX);
	rtnl_link_set_flags(change, IFF_UP);
	return rtnl_link_change(socket, link, change, 0);
}

/* The kernel gives lo its addresses when it comes up; this makes sure. */
static int add_address(struct nl_sock *socket, int family, const void *bytes,
		       size_t size, int prefix)
{
	CLEANUP(cleanup_addressp) struct rtnl_addr *address = rtnl_addr_alloc();
	CLEANUP(cleanup_nl_addrp)
	struct nl_addr *local = nl_addr_build(family, bytes, size);
	int r;

	if (!address || !local)
		return -NLE_NOMEM;
	nl_addr_set_prefixlen(local, prefix);
	rtnl_addr_set_ifindex(address, LOOPBACK_INDEX);
	rtnl_addr_set_scope(address, RT_SCOPE_HOST);
	r = rtnl_addr_set_local(address, local);
	if (r == 0)
		r = rtnl_addr_add(socket, address, NLM_F_EXCL);
	return r == -NLE_EXIST ? 0 : r;
}

static int bring_up(void)
{
	const struct in_addr ipv4 = { htonl(INADDR_LOOPBACK) };
	const struct in6_addr ipv6 = IN6ADDR_LOOPBACK_INIT;
	CLEANUP(cleanup_socketp) struct nl_sock *socket = nl_socket_alloc();
	int r;

	if (!socket)
		return -NLE_NOMEM;
	r = nl_connect(socket, NETLINK_ROUTE);
	if (r == 0)
		r = set_up(socket);
	if (r == 0)
		r = add_address(socket, AF_INET, &ipv4, sizeof(ipv4), 8);
	if (r == 0)
		/* A kernel may have no IPv6, and that is fine. */
		add_address(socket, AF_INET6, &ipv6, sizeof(ipv6), 128);
	return r;
}

void network_bring_up(void)
{
	int r = bring_up();

	if (r < 0)
		say("cannot bring the loopback interface up: %s; going on without it",
		    nl_geterror(r));
}
