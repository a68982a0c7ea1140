// SPDX-License-Identifier: Apache-2.0
/*
 * Times the NSM that is behind /dev/nsm; bench/nsm runs it under nsm-emu run.
 *
 *	time-nsm sign ROUNDS
 *		documents a second from /dev/nsm, asked for by as many threads
 *		as keep every CPU busy, and ES384 signatures a second that bare
 *		OpenSSL makes on the same CPUs, by turns
 *	time-nsm calls ROUNDS
 *		how long one caller waits for DescribePCR and GetRandom, and
 *		for an ioctl of /dev/null, which nobody traps
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "bench/samples.h"
#include "libne/cleanup.h"

/* struct nsm_raw of <linux/nsm.h>, which not every system has */
struct nsm_message {
	struct {
		uint64_t address;
		uint64_t size;
	} request, response;
};

#define NSM_REQUEST _IOWR(0x0a, 0, struct nsm_message)
#define RESPONSE_SIZE 0x3000

/* As serde writes them. */
#define ATTESTATION   \
	"\xa1\x6b"    \
	"Attestation" \
	"\xa3\x69"    \
	"user_data"   \
	"\xf6"        \
	"\x65"        \
	"nonce"       \
	"\xf6"        \
	"\x6a"        \
	"public_key"  \
	"\xf6"
#define DESCRIBE_PCR  \
	"\xa1\x6b"    \
	"DescribePCR" \
	"\xa1\x65"    \
	"index"       \
	"\x00"
#define GET_RANDOM \
	"\x69"     \
	"GetRandom"

#define SLICE_NS 500000000
#define CALLS 2000U
#define TARGET_PERCENT 90.0
/* So that there is always one to be served. */
#define CALLERS_PER_CPU 4

/* The size of what an ES384 signature of a document covers, about. */
#define SIGNED_SIZE 4400

static int device;

/* Its first bytes tell a document from an error. */
static void ask(const void *request, size_t size, const char *wanted)
{
	static _Thread_local uint8_t response[RESPONSE_SIZE];
	struct nsm_message message = {
		.request = { (uintptr_t)request, size },
		.response = { (uintptr_t)response, sizeof(response) },
	};

	if (ioctl(device, NSM_REQUEST, &message))
		err(1, "ioctl(/dev/nsm)");
	if (message.response.size < strlen(wanted) + 2 ||
	    memcmp(response + 2, wanted, strlen(wanted)))
		errx(1, "the NSM does not answer with %s", wanted);
}

/* --- As many as possible ------------------------------------------------- */

struct slice {
	void *(*work)(void *slice);
	EVP_PKEY *key;
	int64_t end;
	atomic_uint_fast64_t done;
};

static void *ask_for_documents(void *data)
{
	struct slice *slice = data;

	while (now_ns() < slice->end) {
		ask(ATTESTATION, sizeof(ATTESTATION) - 1, "Attestation");
		slice->done++;
	}
	return NULL;
}

static void *make_signatures(void *data)
{
	static const uint8_t text[SIGNED_SIZE];
	struct slice *slice = data;
	EVP_MD_CTX *key = EVP_MD_CTX_new(), *context = EVP_MD_CTX_new();
	uint8_t signature[128];
	size_t size;

	if (!key || !context ||
	    EVP_DigestSignInit(key, NULL, EVP_sha384(), NULL, slice->key) != 1)
		errx(1, "OpenSSL cannot sign");
	while (now_ns() < slice->end) {
		size = sizeof(signature);
		if (EVP_MD_CTX_copy_ex(context, key) != 1 ||
		    EVP_DigestSign(context, signature, &size, text,
				   sizeof(text)) != 1)
			errx(1, "OpenSSL cannot sign");
		slice->done++;
	}
	EVP_MD_CTX_free(context);
	EVP_MD_CTX_free(key);
	return NULL;
}

/* How many a second. */
static double run_slice(struct slice *slice, unsigned int n_threads)
{
	cleanup_free pthread_t *threads = calloc(n_threads, sizeof(*threads));
	int64_t start = now_ns();

	if (!threads)
		errx(1, "out of memory");
	slice->end = start + SLICE_NS;
	slice->done = 0;
	for (unsigned int i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, slice->work, slice))
			errx(1, "cannot start a thread");
	for (unsigned int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	return (double)slice->done * 1e9 / (double)(now_ns() - start);
}

static unsigned int count_cpus(void)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		err(1, "sched_getaffinity");
	return (unsigned int)CPU_COUNT(&cpus);
}

static void time_signing(unsigned int rounds)
{
	struct slice documents = { .work = ask_for_documents };
	struct slice signatures = { .work = make_signatures,
				    .key = EVP_EC_gen("P-384") };
	struct samples asked = { 0 }, bare = { 0 }, share = { 0 };
	unsigned int cpus = count_cpus();
	double median;

	if (!signatures.key)
		errx(1, "OpenSSL cannot make a P-384 key");
	/* The first document waits for the certificates. */
	ask(ATTESTATION, sizeof(ATTESTATION) - 1, "Attestation");
	for (unsigned int i = 0; i < rounds; i++) {
		/* In this order, what the machine does meanwhile evens out. */
		double a = run_slice(&documents, CALLERS_PER_CPU * cpus);
		double b = run_slice(&signatures, cpus);

		b = (b + run_slice(&signatures, cpus)) / 2;
		a = (a + run_slice(&documents, CALLERS_PER_CPU * cpus)) / 2;

		samples_add(&asked, a);
		samples_add(&bare, b);
		samples_add(&share, a / b * 100);
	}
	EVP_PKEY_free(signatures.key);
	median = samples_quantile(&share, 0.5);
	printf("attestation documents a second through /dev/nsm, %u CPUs, "
	       "%u callers\n"
	       "  documents               %8.0f\n"
	       "  bare ES384 signatures   %8.0f\n"
	       "  share                   %8.1f %%   (%.1f to %.1f in %u "
	       "rounds)\n"
	       "  target: at least %.0f %%, %s\n",
	       cpus, CALLERS_PER_CPU * cpus, samples_quantile(&asked, 0.5),
	       samples_quantile(&bare, 0.5), median,
	       samples_quantile(&share, 0), samples_quantile(&share, 1), rounds,
	       TARGET_PERCENT, median >= TARGET_PERCENT ? "met" : "MISSED");
}

/* --- As quickly as possible ---------------------------------------------- */

static void describe_pcr(void)
{
	ask(DESCRIBE_PCR, sizeof(DESCRIBE_PCR) - 1, "DescribePCR");
}

static void get_random(void)
{
	ask(GET_RANDOM, sizeof(GET_RANDOM) - 1, "GetRandom");
}

/* The kernel knows no such command of /dev/null, and says so at once. */
static void call_null(void)
{
	static int null = -1;
	int value;

	if (null < 0)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (ioctl(null, FIONREAD, &value) == 0)
		errx(1, "ioctl(/dev/null) does something");
}

static struct kind {
	const char *name;
	void (*call)(void);
	struct samples us;
} kinds[] = {
	{ .name = "ioctl(/dev/null)", .call = call_null },
	{ .name = "DescribePCR", .call = describe_pcr },
	{ .name = "GetRandom, 256 bytes", .call = get_random },
};

static void time_calls(unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++)
		for (size_t j = 0; j < ARRAY_SIZE(kinds); j++) {
			int64_t start = now_ns();

			for (unsigned int k = 0; k < CALLS; k++)
				kinds[j].call();
			samples_add(&kinds[j].us,
				    (double)(now_ns() - start) / 1e3 / CALLS);
		}
	printf("latency of one caller, %u calls a round: us per call, median "
	       "(least)\n",
	       CALLS);
	for (size_t j = 0; j < ARRAY_SIZE(kinds); j++)
		printf("  %-24s %7.2f (%7.2f)   %6.1f times ioctl(/dev/null)\n",
		       kinds[j].name, samples_quantile(&kinds[j].us, 0.5),
		       samples_quantile(&kinds[j].us, 0),
		       samples_quantile(&kinds[j].us, 0.5) /
			       samples_quantile(&kinds[0].us, 0.5));
}

int main(int argc, char **argv)
{
	unsigned int rounds;

	if (argc != 3)
		errx(2, "usage: time-nsm sign|calls ROUNDS");
	rounds = parse_count(argv[2], SAMPLES_MAX);
	device = open("/dev/nsm", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/nsm");
	if (strcmp(argv[1], "sign") == 0)
		time_signing(rounds);
	else if (strcmp(argv[1], "calls") == 0)
		time_calls(rounds);
	else
		errx(2, "usage: time-nsm sign|calls ROUNDS");
	return 0;
}
