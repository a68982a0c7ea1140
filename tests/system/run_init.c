// SPDX-License-Identifier: Apache-2.0
/*
 * PID 1 of the enclaves with which ne-run is tested. It does what the file
 * /do says, a word:
 *
 *	exit3		speak the control channel, report status 3, reboot
 *	serve		speak it; a signal's number n is reported as 128 + n
 *	stubborn	speak it, and take no notice of signals
 *	aws		close the connection after the heartbeat, live on
 *	aws-end		close it, and reboot
 *	chatter		say what no init says, then as exit3
 *	crash		fault, after the heartbeat
 *	early		exit with status 7 before the heartbeat
 *	never		no heartbeat
 *	wrong		another byte than the heartbeat
 *	hello		write to the console, then as exit3
 *	flood		write 4 MiB to the console, then as exit3
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <ne/heartbeat.h>
#include <ne/vsock.h>

static char task[32];
static int parent = -1;

static int is_task(const char *word)
{
	return strcmp(task, word) == 0;
}

static void live_on(void)
{
	for (;;)
		pause();
}

static void send_text(const char *text, size_t size)
{
	if (write(parent, text, size) != (ssize_t)size)
		_exit(99);
}

static void tell(enum ne_control_word word, unsigned int number)
{
	struct ne_control_line line = { word, number };
	char text[NE_CONTROL_LINE_MAX + 1];

	send_text(text, ne_control_format(text, &line));
}

static void give_heartbeat(unsigned char byte)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = NE_VSOCK_CID_PARENT,
		.svm_port = NE_VSOCK_PORT_HEARTBEAT,
	};

	parent = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (parent < 0 ||
	    connect(parent, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    write(parent, &byte, 1) != 1)
		_exit(98);
	if (read(parent, &byte, 1) != 1 || byte != NE_HEARTBEAT_BYTE)
		_exit(97);
}

/* Returns the number of the next signal that the parent wants sent. */
static unsigned int receive_signal(void)
{
	struct ne_control_reader reader = { 0 };
	struct ne_control_line line;
	char byte;

	while (read(parent, &byte, 1) == 1) {
		const char *next = &byte;
		size_t size = 1;

		if (ne_control_read(&reader, &next, &size, &line) &&
		    line.word == NE_CONTROL_SIGNAL)
			return line.number;
	}
	live_on();
	return 0;
}

static void chatter(void)
{
	static const char lines[] = "\nexit 256\nexit -1\nquit\n\n";
	static char bytes[100000];

	memset(bytes, 0xff, sizeof(bytes));
	send_text(bytes, sizeof(bytes));
	send_text(lines, sizeof(lines) - 1);
}

static void flood(void)
{
	static char line[1024];

	memset(line, '#', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 4096; i++)
		if (write(STDOUT_FILENO, line, sizeof(line)) < 0)
			return;
}

static void obey(void)
{
	if (is_task("aws") || is_task("aws-end")) {
		close(parent);
		if (is_task("aws"))
			live_on();
		return;
	}
	if (is_task("crash"))
		__builtin_trap();
	tell(NE_CONTROL_INIT, NE_CONTROL_VERSION);
	if (is_task("serve"))
		tell(NE_CONTROL_EXIT, 128 + receive_signal());
	else if (is_task("stubborn"))
		live_on();
	else if (is_task("chatter"))
		chatter();
	else if (is_task("hello"))
		(void)!write(STDOUT_FILENO, "hello, console\n", 15);
	else if (is_task("flood"))
		flood();
	if (!is_task("serve"))
		tell(NE_CONTROL_EXIT, 3);
}

int main(void)
{
	int fd = open("/do", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, task, sizeof(task) - 1) < 0)
		return 96;
	task[strcspn(task, "\n")] = '\0';
	if (is_task("early"))
		return 7;
	if (is_task("never"))
		live_on();
	give_heartbeat(is_task("wrong") ? 'A' : NE_HEARTBEAT_BYTE);
	obey();
	reboot(RB_AUTOBOOT);
	return 95;
}
