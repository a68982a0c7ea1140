// SPDX-License-Identifier: Apache-2.0
/*
 * The application of the test images: says what it sees of its enclave on
 * stdout, sends the same to the parent (CID 3, port 9001) if somebody listens
 * there, and ends with the status that its last argument names (0), or stays
 * for as long as it may if that is "stay".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define PARENT_CID 3
#define REPORT_PORT 9001

static void report(const char *text)
{
	struct sockaddr_vm parent = {
		.svm_family = AF_VSOCK,
		.svm_cid = PARENT_CID,
		.svm_port = REPORT_PORT,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&parent, sizeof(parent)) == 0 &&
	    write(fd, text, strlen(text)) < 0)
		perror("report");
	close(fd);
}

int main(int argc, char **argv)
{
	const char *greeting = getenv("GREETING");
	char text[256];

	snprintf(text, sizeof(text),
		 "arguments %d, greeting %s, session %d, tmp %s\n", argc,
		 greeting ? greeting : "none", getsid(0) == getpid(),
		 access("/tmp", W_OK) == 0 ? "writable" : "missing");
	fputs(text, stdout);
	fflush(stdout);
	report(text);
	while (argc > 1 && strcmp(argv[argc - 1], "stay") == 0)
		pause();
	return argc > 1 ? atoi(argv[argc - 1]) : 0;
}
