// SPDX-License-Identifier: Apache-2.0
/*
 * Echo over AF_VSOCK: a server, and clients that check what comes back. Only
 * to be run under ne-emu: CID 3 is ourselves there.
 *
 *	vsock_echo PORT CONNECTIONS BYTES	both, in one program
 *	vsock_echo --serve PORT
 *	vsock_echo --connect PORT CONNECTIONS BYTES
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static struct {
	unsigned int port;
	size_t bytes;
} options;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* A sequence that is another for each seed. */
struct sequence {
	uint64_t state;
};

static uint8_t next(struct sequence *sequence)
{
	sequence->state = sequence->state * 6364136223846793005u + 1;
	return (uint8_t)(sequence->state >> 56);
}

static void *echo(void *data)
{
	int fd = (int)(intptr_t)data;
	char bytes[65536];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t done = 0, m; done < n; done += m) {
			m = send(fd, bytes + done, (size_t)(n - done),
				 MSG_NOSIGNAL);
			if (m < 0)
				fail("echo: send");
		}
	if (n < 0)
		fail("echo: read");
	close(fd);
	return NULL;
}

static void start(void *(*work)(void *data), void *data, pthread_t *thread)
{
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 * 1024);
	errno = pthread_create(thread, &small, work, data);
	if (errno)
		fail("pthread_create");
}

static void *serve(void *data)
{
	int listener = (int)(intptr_t)data;
	pthread_t thread;

	for (;;) {
		struct sockaddr_vm peer;
		socklen_t size = sizeof(peer);
		int fd = accept(listener, (struct sockaddr *)&peer, &size);

		if (fd < 0)
			fail("accept");
		if (peer.svm_family != AF_VSOCK || peer.svm_cid != 3) {
			fprintf(stderr, "a peer of CID %u\n", peer.svm_cid);
			exit(1);
		}
		start(echo, (void *)(intptr_t)fd, &thread);
		pthread_detach(thread);
	}
}

static int listen_at(unsigned int port)
{
	struct sockaddr_vm address = { .svm_family = AF_VSOCK,
				       .svm_cid = VMADDR_CID_ANY,
				       .svm_port = port };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		fail("bind");
	if (listen(fd, 128))
		fail("listen");
	return fd;
}

struct client {
	pthread_t thread;
	int fd;
	unsigned int seed;
};

static void *send_all(void *data)
{
	const struct client *client = data;
	struct sequence sequence = { client->seed };
	uint8_t bytes[32768];

	for (size_t done = 0; done < options.bytes;) {
		size_t size = options.bytes - done;

		if (size > sizeof(bytes))
			size = sizeof(bytes);
		for (size_t i = 0; i < size; i++)
			bytes[i] = next(&sequence);
		for (size_t sent = 0; sent < size;) {
			ssize_t n = send(client->fd, bytes + sent, size - sent,
					 MSG_NOSIGNAL);

			if (n < 0)
				fail("send");
			sent += (size_t)n;
		}
		done += size;
	}
	shutdown(client->fd, SHUT_WR);
	return NULL;
}

static void *be_client(void *data)
{
	struct client *client = data;
	struct sequence sequence = { client->seed };
	struct sockaddr_vm address = { .svm_family = AF_VSOCK,
				       .svm_cid = 3,
				       .svm_port = options.port };
	uint8_t bytes[32768];
	size_t received = 0;
	pthread_t sender;
	ssize_t n;

	client->fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (client->fd < 0)
		fail("socket");
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)))
		fail("connect");
	start(send_all, client, &sender);
	while ((n = read(client->fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != next(&sequence)) {
				fprintf(stderr, "byte %zu is wrong\n",
					received + (size_t)i);
				exit(1);
			}
		received += (size_t)n;
	}
	if (n < 0)
		fail("read");
	if (received != options.bytes) {
		fprintf(stderr, "%zu bytes came back\n", received);
		exit(1);
	}
	pthread_join(sender, NULL);
	close(client->fd);
	return NULL;
}

static void run_clients(unsigned int count)
{
	struct client *clients = calloc(count, sizeof(*clients));

	if (!clients)
		fail("calloc");
	for (unsigned int i = 0; i < count; i++) {
		clients[i].seed = i + 1;
		start(be_client, &clients[i], &clients[i].thread);
	}
	for (unsigned int i = 0; i < count; i++)
		pthread_join(clients[i].thread, NULL);
	free(clients);
}

int main(int argc, char **argv)
{
	const char *emulated = getenv("NE_EMULATED");
	pthread_t server;
	int listener;

	/* Elsewhere CID 3 may be somebody. */
	if (!emulated || strcmp(emulated, "1") != 0) {
		fprintf(stderr, "run me under ne-emu\n");
		return 2;
	}
	if (argc == 3 && strcmp(argv[1], "--serve") == 0) {
		listener = listen_at((unsigned int)atoi(argv[2]));
		puts("listening");
		fflush(stdout);
		serve((void *)(intptr_t)listener);
	}
	if (argc == 5 && strcmp(argv[1], "--connect") == 0) {
		argv++;
	} else if (argc == 4) {
		listener = listen_at((unsigned int)atoi(argv[1]));
		start(serve, (void *)(intptr_t)listener, &server);
	} else {
		fprintf(stderr, "see the source\n");
		return 2;
	}
	options.port = (unsigned int)atoi(argv[1]);
	options.bytes = (size_t)atol(argv[3]);
	run_clients((unsigned int)atoi(argv[2]));
	return 0;
}
