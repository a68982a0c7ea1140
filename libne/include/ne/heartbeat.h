/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the parent learns that an enclave has booted, and what they say to each
 * other afterwards.
 *
 * The heartbeat
 *
 * When an enclave's init is up it connects to the parent, CID 3 port 9000
 * (<ne/vsock.h>), sends the byte 0xb7 and is answered 0xb7. That is all that
 * AWS's init and nitro-cli do; then both close the connection.
 *
 * Port 9000 exists once per host, so one boot at a time can be listened for.
 * Parents using this library take turns: each holds an exclusive flock(2) on
 * its open /dev/nitro_enclaves from before it starts its enclave until that
 * enclave has connected. The kernel drops the lock of a parent that dies. A
 * parent that knows nothing of the lock (nitro-cli) makes bind(2) fail with
 * EADDRINUSE for a while; that is waited for, too.
 *
 *	ne_heartbeat_listen(&heartbeat, device, &wait, &err);
 *	ne_enclave_start(enclave, NE_CID_ANY, 0, &err);
 *	control = ne_heartbeat_accept(heartbeat, enclave, &wait, &err);
 *	ne_heartbeat_free(heartbeat);
 *
 * The control channel
 *
 * An init that speaks it keeps the heartbeat's connection open and sends
 * lines of ASCII, each ended by '\n', of at most NE_CONTROL_LINE_MAX bytes
 * with the '\n':
 *
 *	init to parent: "ne-init 1\n"	right after the answer: I speak this,
 *					version 1
 *	init to parent: "exit <n>\n"	the application has ended with status
 *					0 to 255, or by signal n - 128
 *	parent to init: "signal <n>\n"	send signal 1 to 64 to the application
 *
 * Numbers are decimal, without sign and leading zeros. A longer line, and one
 * that the reader does not know, is skipped, so that later versions can say
 * more. The end of the stream means nothing to either side: an init goes on
 * without its parent, a parent waits for the enclave's end.
 */
#ifndef NE_HEARTBEAT_H
#define NE_HEARTBEAT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ne_enclave;
struct ne_error;
struct ne_heartbeat;
struct ne_wait;

/** The one byte that goes both ways. */
#define NE_HEARTBEAT_BYTE 0xb7

/* --- The parent's side --------------------------------------------------- */

/**
 * ne_heartbeat_listen() - wait for our turn to boot, and listen
 * @heartbeat: where to put it; untouched on failure
 * @device: the caller's open /dev/nitro_enclaves (ne_device_open()), of which
 *          nobody else has a dup: the turn is a lock on it. It stays the
 *          caller's and must stay open until ne_heartbeat_accept() returns.
 * @wait: how long to wait for the turn, or NULL
 * @err: what went wrong, or NULL
 *
 * Return: 0, or -ETIMEDOUT (another enclave is still booting; the sentence
 * says so), -ECANCELED, -EAFNOSUPPORT (no vsock on this host), or another
 * negative errno of flock(2), socket(2), bind(2), listen(2).
 */
int ne_heartbeat_listen(struct ne_heartbeat **heartbeat, int device,
			const struct ne_wait *wait, struct ne_error *err);

/**
 * ne_heartbeat_accept() - wait for the heartbeat of a started enclave
 * @heartbeat: listening since before the enclave was started
 * @enclave: started
 * @wait: how long, or NULL
 * @err: what went wrong, or NULL
 *
 * Connections from other CIDs are closed and not counted. When this returns
 * it no longer listens and the next parent has its turn, whatever happened.
 *
 * Return: the connection, a close-on-exec and blocking descriptor that is the
 * caller's: the control channel. Or -ETIMEDOUT, -ECANCELED, -ESHUTDOWN (the
 * enclave ended first; see ne_enclave_end_reason()), -EPROTO (it sent another
 * byte), or another negative errno.
 */
int ne_heartbeat_accept(struct ne_heartbeat *heartbeat,
			const struct ne_enclave *enclave,
			const struct ne_wait *wait, struct ne_error *err);

/**
 * ne_heartbeat_free() - stop listening, let others have their turn
 * @heartbeat: may be NULL
 */
void ne_heartbeat_free(struct ne_heartbeat *heartbeat);

/* --- Lines of the control channel, for both sides ------------------------ */
/*
 * These do no I/O, allocate nothing and may be called anywhere.
 */

/** Bytes of the longest line, its '\n' included. */
#define NE_CONTROL_LINE_MAX 63

/** The version of the control channel that is described above. */
#define NE_CONTROL_VERSION 1

/**
 * enum ne_control_word - what a line says
 * @NE_CONTROL_INIT: "ne-init <version>", 1 to 999
 * @NE_CONTROL_EXIT: "exit <status>", 0 to 255
 * @NE_CONTROL_SIGNAL: "signal <number>", 1 to 64
 */
enum ne_control_word {
	NE_CONTROL_INIT = 1,
	NE_CONTROL_EXIT,
	NE_CONTROL_SIGNAL,
};

/** struct ne_control_line - a line, understood */
struct ne_control_line {
	enum ne_control_word word;
	unsigned int number;
};

/**
 * ne_control_parse() - understand a line
 * @line: where to put what it says; untouched unless true is returned
 * @text: the line without its '\n'; any bytes, no terminating zero needed
 * @size: bytes at @text
 *
 * Return: false for a line that is to be skipped.
 */
bool ne_control_parse(struct ne_control_line *line, const char *text,
		      size_t size);

/**
 * ne_control_format() - write a line
 * @text: where to, at least NE_CONTROL_LINE_MAX + 1 bytes; terminated
 * @line: what it shall say
 *
 * Return: bytes to send, the '\n' included and the terminating zero not; 0 if
 * @line says what no line can say.
 */
size_t ne_control_format(char *text, const struct ne_control_line *line);

/**
 * struct ne_control_reader - from a stream's bytes to its lines
 *
 * Start with `= { 0 }`. The fields are the functions' own.
 */
struct ne_control_reader {
	char text[NE_CONTROL_LINE_MAX];
	unsigned char size;
	bool skipping;
};

/**
 * ne_control_read() - take bytes, tell the next line
 * @reader: what is left of earlier calls
 * @bytes: received bytes; moved behind those that were taken
 * @size: how many there are; lowered by those that were taken
 * @line: where to put what the line says
 *
 *	while (ne_control_read(&reader, &bytes, &size, &line))
 *		handle(&line);
 *
 * Return: true with a line; false when all bytes are taken.
 */
bool ne_control_read(struct ne_control_reader *reader, const char **bytes,
		     size_t *size, struct ne_control_line *line);

#ifdef __cplusplus
}
#endif
#endif
