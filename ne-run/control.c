// SPDX-License-Identifier: Apache-2.0
#include "ne-run/control.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "libne/cleanup.h"

/* An init that speaks says so right after the heartbeat. */
#define GREETING_MILLISECONDS 100

void control_init(struct control *control, int fd)
{
	*control = (struct control){ .fd = fd, .status = -1 };
}

void control_close(struct control *control)
{
	if (control->fd >= 0)
		close(control->fd);
	control->fd = -1;
}

static void take(struct control *control, const char *bytes, size_t size)
{
	struct ne_control_line line;

	while (ne_control_read(&control->reader, &bytes, &size, &line)) {
		if (line.word == NE_CONTROL_INIT)
			control->speaks = true;
		else if (line.word == NE_CONTROL_EXIT)
			control->status = (int)line.number;
	}
}

void control_receive(struct control *control)
{
	char bytes[256];
	ssize_t size;

	while (control->fd >= 0) {
		size = recv(control->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (size > 0)
			take(control, bytes, (size_t)size);
		else if (size < 0 && errno == EAGAIN)
			return;
		else if (size == 0 || errno != EINTR)
			control_close(control);
	}
}

bool control_receive_for(struct control *control, int milliseconds)
{
	struct pollfd fd = { .fd = control->fd, .events = POLLIN };

	if (control->fd < 0 || poll(&fd, 1, milliseconds) <= 0)
		return false;
	control_receive(control);
	return true;
}

bool control_signal(struct control *control, int number)
{
	struct ne_control_line line = {
		.word = NE_CONTROL_SIGNAL,
		.number = (unsigned int)number,
	};
	char text[NE_CONTROL_LINE_MAX + 1];
	size_t size = ne_control_format(text, &line);

	if (!control->speaks)
		control_receive_for(control, GREETING_MILLISECONDS);
	if (control->fd < 0 || !control->speaks || size == 0)
		return false;
	return send(control->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       (ssize_t)size;
}
