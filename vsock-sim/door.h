/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain way in, for programs that know no vsock.
 *
 * Theory of operation
 *
 * <runtime>/vsock/<cid>.sock belongs to a CID. A program connects there,
 * sends "CONNECT <port>\n", is answered "OK <its own port>\n" and is then
 * connected to that port, as with Firecracker, Cloud Hypervisor and
 * vhost-device-vsock. If nobody listens the connection is closed without an
 * answer, as theirs are. Data passes through here, since the program's
 * socket and the listener's are not the same.
 */
#ifndef VSOCK_SIM_DOOR_H
#define VSOCK_SIM_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct door;
struct fabric;
struct loop;
struct ne_error;

int door_new(struct door **door, struct loop *loop, const struct fabric *fabric,
	     uint32_t cid, struct ne_error *err);
void door_free(struct door *door);

/* The longest request, "CONNECT 4294967295\n". */
#define DOOR_LINE_MAX 19

/*
 * Reads a request, size bytes of it so far. 1: port is set and the line is
 * *used bytes long; 0: more bytes are needed; -1: it is none. Pure.
 */
int door_parse(const char *bytes, size_t size, uint32_t *port, size_t *used);

#endif
