/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The faces of nsm-emu serve: a Unix socket, of one type or another.
 *
 * All answer what one client asks in the order of his asking, one request at
 * a time. No client of a connection waits for another who does not read his
 * answers; those of datagrams do if very many do not.
 */
#ifndef NSM_EMU_SERVE_H
#define NSM_EMU_SERVE_H

#include <stdbool.h>

struct loop;
struct nsm_module;
struct nsm_server;

/*
 * fd: a bound, non-blocking socket, a listening one for connections; owned
 * from now on. NULL on failure (errno says), then it is still the caller's.
 */
struct datagrams;
struct datagrams *datagrams_new(struct loop *loop, struct nsm_server *server,
				struct nsm_module *module, int fd);
/* NULL is fine. */
void datagrams_free(struct datagrams *datagrams);

/* is_stream: SOCK_STREAM, not SOCK_SEQPACKET */
struct connections;
struct connections *connections_new(struct loop *loop,
				    struct nsm_server *server,
				    struct nsm_module *module, int fd,
				    bool is_stream);
/* NULL is fine. */
void connections_free(struct connections *connections);

#endif
