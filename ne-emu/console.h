/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An enclave's console: a pseudo-terminal whose output is served on vsock,
 * CID 0 (the hypervisor), port 10000 + the enclave's CID, where nitro-cli
 * looks for it.
 *
 * Any number of clients may read. Each gets what has been kept (the latest
 * 64 KiB) and then everything new; one who reads too slowly loses the oldest
 * of what he has not read. What clients send is ignored: it is no keyboard.
 */
#ifndef NE_EMU_CONSOLE_H
#define NE_EMU_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

struct console;
struct fabric;
struct loop;
struct ne_error;

#define CONSOLE_PORT_BASE 10000

int console_new(struct console **console, struct loop *loop,
		const struct fabric *fabric, uint32_t cid,
		struct ne_error *err);

/* The enclave's side: a descriptor for its first process, and its path. */
int console_terminal(const struct console *console);
const char *console_terminal_path(const struct console *console);

/* Takes in what is still in the terminal. */
void console_drain(struct console *console);

/* The last line that says something, cut to fit; "" if there is none. */
void console_last_line(const struct console *console, char *line, size_t size);

/*
 * The enclave is no more: clients, also those who come now, are sent what is
 * left and then see the end.
 */
void console_end(struct console *console);

/* Sends clients what they will take at once and closes everything. */
void console_free(struct console *console);

#endif
