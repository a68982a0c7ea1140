/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's end of the control channel; see <ne/heartbeat.h>.
 */
#ifndef NE_RUN_CONTROL_H
#define NE_RUN_CONTROL_H

#include <stdbool.h>

#include <ne/heartbeat.h>

/*
 * fd: -1 once the enclave has closed it. speaks: its init has said that it
 * speaks. status: the application's exit status, -1 until it is reported.
 */
struct control {
	int fd;
	bool speaks;
	int status;
	struct ne_control_reader reader;
};

/* Owns fd, a connection from ne_heartbeat_accept(), from now on. */
void control_init(struct control *control, int fd);
void control_close(struct control *control);

/* Reads what there is, without waiting. */
void control_receive(struct control *control);

/* Waits for more, and reads it. False when milliseconds passed without. */
bool control_receive_for(struct control *control, int milliseconds);

/* Asks init to signal the application. False if it cannot be asked. */
bool control_signal(struct control *control, int number);

#endif
