// SPDX-License-Identifier: Apache-2.0
/*
 * Clients that never stop asking an NSM, for a test that lasts:
 *
 *	nsm_soak SECONDS CLIENTS ROOT.pem
 *
 * Each client is a process of its own with a descriptor of its own. It gets
 * document after document with a fresh nonce, verifies each against the root
 * at that very moment, and asks for registers and randomness in between. At
 * the end: "DOCUMENTS documents, LEAVES leaves", the latter seen by the first
 * client. Ends with status 1 at the first thing that is wrong.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ne/attestation.h>
#include <ne/nsm.h>

#include "libne/cleanup.h"

#define NONCE_SIZE 64
#define CLIENTS_MAX 64

struct tally {
	unsigned long documents;
	unsigned long leaves;
};

static struct ne_attestation_bytes root;

static void read_root(const char *path)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	int size = certificate ? i2d_X509(certificate, &der) : -1;

	if (size <= 0)
		errx(1, "%s is no certificate", path);
	root = (struct ne_attestation_bytes){ .data = der,
					      .size = (size_t)size };
	X509_free(certificate);
}

static void fail(const char *what, const struct ne_error *err)
{
	errx(1, "%s: %s", what, err->text);
}

/* Is the certificate another one than the last? It is then kept. */
static bool is_new(const struct ne_attestation_bytes *certificate)
{
	static uint8_t last[1024];
	static size_t last_size;

	if (certificate->size == last_size &&
	    !memcmp(certificate->data, last, last_size))
		return false;
	last_size = certificate->size;
	memcpy(last, certificate->data, last_size);
	return true;
}

static void verify(const uint8_t *document, size_t size,
		   const struct ne_attestation_bytes *nonce,
		   struct tally *tally)
{
	struct ne_attestation_policy policy = { .roots = &root,
						.n_roots = 1,
						.nonce = nonce };
	struct ne_attestation *attestation;
	struct ne_error err = { 0 };

	if (ne_attestation_parse(&attestation, document, size, &err))
		fail("a document cannot be read", &err);
	if (ne_attestation_verify(attestation, &policy, NULL, &err))
		fail("a document does not verify", &err);
	tally->documents++;
	tally->leaves += is_new(ne_attestation_certificate(attestation));
	ne_attestation_free(attestation);
}

static void ask(int nsm, struct tally *tally)
{
	uint8_t bytes[NONCE_SIZE];
	struct ne_attestation_bytes nonce = { bytes, sizeof(bytes) };
	struct ne_nsm_attest_input input = { .nonce = bytes,
					     .nonce_size = sizeof(bytes) };
	cleanup_free uint8_t *document = NULL;
	struct ne_error err = { 0 };
	struct ne_pcr pcr;
	size_t size;
	bool locked;

	if (ne_nsm_random(nsm, bytes, sizeof(bytes), &err))
		fail("GetRandom", &err);
	if (ne_nsm_extend_pcr(nsm, 16, bytes, sizeof(bytes), &pcr, &err))
		fail("ExtendPCR", &err);
	if (ne_nsm_describe_pcr(nsm, 0, &pcr, &locked, &err) || !locked)
		fail("DescribePCR", &err);
	if (ne_nsm_attest(nsm, &input, &document, &size, &err))
		fail("Attestation", &err);
	verify(document, size, &nonce, tally);
}

static void run_client(time_t end, struct tally *tally)
{
	struct ne_error err = { 0 };
	int nsm = ne_nsm_open(NULL, &err);

	if (nsm < 0)
		fail("open", &err);
	while (time(NULL) < end)
		ask(nsm, tally);
	exit(0);
}

static unsigned long parse_number(const char *text, unsigned long most)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (!number || number > most || *end)
		errx(2, "not a number from 1 to %lu: %s", most, text);
	return number;
}

int main(int argc, char **argv)
{
	struct tally *tallies;
	unsigned long clients, documents = 0;
	int status, failed = 0;
	time_t end;

	if (argc != 4)
		errx(2, "usage: nsm_soak SECONDS CLIENTS ROOT.pem");
	end = time(NULL) + (time_t)parse_number(argv[1], 1000000);
	clients = parse_number(argv[2], CLIENTS_MAX);
	read_root(argv[3]);
	tallies = mmap(NULL, clients * sizeof(*tallies), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		err(1, "mmap");
	for (unsigned long i = 0; i < clients; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (pid == 0)
			run_client(end, &tallies[i]);
	}
	while (wait(&status) > 0)
		failed |= status;
	for (unsigned long i = 0; i < clients; i++)
		documents += tallies[i].documents;
	printf("%lu documents, %lu leaves\n", documents, tallies[0].leaves);
	return failed ? 1 : 0;
}
