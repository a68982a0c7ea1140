// SPDX-License-Identifier: Apache-2.0
/*
 * Times the verification of an attestation document; bench/nsm runs it:
 *
 *	time-verify ROUNDS DOCUMENT ROOT.pem NE_ATTEST
 *
 * The document's PCR0 is 48 bytes of 0x11.
 *
 * The peer is what no verifier can do without: five ES384 signature checks by
 * bare OpenSSL, of four certificates and a document, with keys that are
 * already decoded.
 */
#include <err.h>
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ne/attestation.h>

#include "bench/samples.h"
#include "libne/cleanup.h"

#define DOCUMENTS 100U
#define TARGET_PERCENT 80.0

/* Bytes that are signed, about: of a certificate, and of a document. */
#define CERTIFICATE_SIZE 550
#define DOCUMENT_SIZE 4400
#define N_CERTIFICATES 4

extern char **environ;

/* --- Bare signature checks ------------------------------------------------ */

static EVP_PKEY *key;
static uint8_t text[DOCUMENT_SIZE];

struct signature {
	uint8_t bytes[128];
	size_t size;
	size_t text_size;
};

static struct signature of_certificate = { .text_size = CERTIFICATE_SIZE };
static struct signature of_document = { .text_size = DOCUMENT_SIZE };

static void sign(struct signature *signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	signature->size = sizeof(signature->bytes);
	if (!context ||
	    EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key) != 1 ||
	    EVP_DigestSign(context, signature->bytes, &signature->size, text,
			   signature->text_size) != 1)
		errx(1, "OpenSSL cannot sign");
	EVP_MD_CTX_free(context);
}

static void check(const struct signature *signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context ||
	    EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, key) != 1 ||
	    EVP_DigestVerify(context, signature->bytes, signature->size, text,
			     signature->text_size) != 1)
		errx(1, "OpenSSL cannot verify");
	EVP_MD_CTX_free(context);
}

static void check_bare(void)
{
	for (unsigned int i = 0; i < DOCUMENTS; i++) {
		for (unsigned int j = 0; j < N_CERTIFICATES; j++)
			check(&of_certificate);
		check(&of_document);
	}
}

/* --- By the library, and by the command ------------------------------------ */

static uint8_t document[NE_ATTESTATION_MAX_SIZE];
static size_t document_size;
static struct ne_attestation_bytes root;
static const char *document_path, *root_path, *ne_attest;

static void read_files(void)
{
	cleanup_fclose FILE *file = fopen(document_path, "re");
	cleanup_fclose FILE *pem = fopen(root_path, "re");
	X509 *certificate = pem ? PEM_read_X509(pem, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	int size = certificate ? i2d_X509(certificate, &der) : -1;

	if (!file || size <= 0)
		errx(1, "cannot read %s and %s", document_path, root_path);
	document_size = fread(document, 1, sizeof(document), file);
	root = (struct ne_attestation_bytes){ der, (size_t)size };
	X509_free(certificate);
}

static void verify_by_library(void)
{
	struct ne_attestation_policy policy = { .roots = &root,
						.n_roots = 1,
						.expected_pcrs = 1 };
	struct ne_attestation *attestation;
	struct ne_error error = { 0 };

	memset(policy.pcrs[0].bytes, 0x11, NE_PCR_SIZE);
	for (unsigned int i = 0; i < DOCUMENTS; i++) {
		if (ne_attestation_parse(&attestation, document, document_size,
					 &error) ||
		    ne_attestation_verify(attestation, &policy, NULL, &error))
			errx(1, "%s: %s", document_path, error.text);
		ne_attestation_free(attestation);
	}
}

static void run_command(unsigned int documents)
{
	char pcr0[NE_PCR_HEX_SIZE];
	const char *argv[DOCUMENTS + 8] = { ne_attest, "verify",  "--quiet",
					    "--root",  root_path, "--pcr0",
					    pcr0 };
	int status;
	pid_t pid;

	for (unsigned int i = 0; i < documents; i++)
		argv[7 + i] = document_path;
	memset(pcr0, '1', sizeof(pcr0) - 1);
	pcr0[sizeof(pcr0) - 1] = '\0';
	errno = posix_spawn(&pid, ne_attest, NULL, NULL, (char **)argv,
			    environ);
	if (errno)
		err(1, "%s", ne_attest);
	if (waitpid(pid, &status, 0) < 0 || status)
		errx(1, "%s verify failed", ne_attest);
}

static void verify_by_command(void)
{
	run_command(DOCUMENTS);
}

static void verify_one_by_one(void)
{
	for (unsigned int i = 0; i < DOCUMENTS; i++)
		run_command(1);
}

enum { BARE, COMMAND, LIBRARY, ONE_BY_ONE };

static struct way {
	const char *name;
	void (*run)(void);
	struct samples us, share;
} ways[] = {
	[BARE] = { .name = "five bare signature checks", .run = check_bare },
	[COMMAND] = { .name = "ne-attest verify, 100 documents",
		      .run = verify_by_command },
	[LIBRARY] = { .name = "ne_attestation_verify()",
		      .run = verify_by_library },
	[ONE_BY_ONE] = { .name = "ne-attest verify, one at a time",
			 .run = verify_one_by_one },
};

static void run_round(void)
{
	double us[ARRAY_SIZE(ways)];

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int64_t start = now_ns();

		ways[i].run();
		us[i] = (double)(now_ns() - start) / 1e3 / DOCUMENTS;
		samples_add(&ways[i].us, us[i]);
		samples_add(&ways[i].share, us[BARE] / us[i] * 100);
	}
}

int main(int argc, char **argv)
{
	unsigned int rounds;
	double share;

	if (argc != 5)
		errx(2, "usage: time-verify ROUNDS DOCUMENT ROOT NE_ATTEST");
	rounds = parse_count(argv[1], SAMPLES_MAX);
	document_path = argv[2];
	root_path = argv[3];
	ne_attest = argv[4];
	read_files();
	key = EVP_EC_gen("P-384");
	if (!key)
		errx(1, "OpenSSL cannot make a P-384 key");
	sign(&of_certificate);
	sign(&of_document);
	for (unsigned int i = 0; i < rounds; i++)
		run_round();
	printf("verifying a document, %u a round: a second, and as a share of "
	       "five bare checks\n",
	       DOCUMENTS);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		printf("  %-34s %8.0f   %6.1f %%\n", ways[i].name,
		       1e6 / samples_quantile(&ways[i].us, 0.5),
		       samples_quantile(&ways[i].share, 0.5));
	share = samples_quantile(&ways[COMMAND].share, 0.5);
	printf("  target for ne-attest verify: at least %.0f %%, %s\n",
	       TARGET_PERCENT, share >= TARGET_PERCENT ? "met" : "MISSED");
	EVP_PKEY_free(key);
	return 0;
}
