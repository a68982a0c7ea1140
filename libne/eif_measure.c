// SPDX-License-Identifier: Apache-2.0
/*
 * Measuring an image.
 *
 * Theory of operation
 *
 * PCR0 covers kernel, command line and all ramdisks, PCR1 the same with the
 * first ramdisk only, PCR2 the other ramdisks; each in the order of the file,
 * content without headers:
 *
 *	PCR = SHA-384(48 zero bytes || SHA-384(content))
 *
 * PCR0 and PCR1 have a common beginning, mostly all of PCR1. It is hashed
 * once: PCR1's digest is a copy of PCR0's, made when the second ramdisk is
 * reached. The other ramdisks must be hashed twice, for PCR0 and for PCR2;
 * a second thread does the latter, so that measuring takes as long as hashing
 * the image once.
 */
#include "libne/eif_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include <openssl/evp.h>

#include "libne/cleanup.h"

/* Less than this is hashed in less time than a thread takes to start. */
#define WORTH_A_THREAD (256 * 1024)

static void cleanup_digestp(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}

#define cleanup_digest __attribute__((cleanup(cleanup_digestp)))

static int no_digest(struct ne_error *err)
{
	return ne_error_set(err, EIO, "OpenSSL cannot compute a SHA-384");
}

static EVP_MD_CTX *new_digest(void)
{
	cleanup_digest EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (!digest || !EVP_DigestInit_ex(digest, EVP_sha384(), NULL))
		return NULL;
	return take_ptr(&digest);
}

static bool add_section(EVP_MD_CTX *digest,
			const struct ne_eif_section *section)
{
	return EVP_DigestUpdate(digest, section->data, section->size);
}

static bool finish_pcr(struct ne_pcr *pcr, EVP_MD_CTX *digest)
{
	uint8_t content[NE_PCR_SIZE];

	*pcr = (struct ne_pcr){ 0 };
	return EVP_DigestFinal_ex(digest, content, NULL) &&
	       !ne_pcr_extend(pcr, content, sizeof(content), NULL);
}

/*
 * One more section for PCR0 and PCR1.
 * @pcr1: NULL until the two differ.
 */
static bool measure_section(const struct ne_eif *eif,
			    const struct ne_eif_section *section,
			    EVP_MD_CTX *pcr0, EVP_MD_CTX **pcr1)
{
	bool further = section->type == NE_EIF_SECTION_RAMDISK &&
		       section != eif->ramdisks[0];

	if (section->type == NE_EIF_SECTION_SIGNATURE ||
	    section->type == NE_EIF_SECTION_METADATA)
		return true;
	if (further && !*pcr1) {
		*pcr1 = EVP_MD_CTX_new();
		if (!*pcr1 || !EVP_MD_CTX_copy_ex(*pcr1, pcr0))
			return false;
	}
	if (!further && *pcr1 && !add_section(*pcr1, section))
		return false;
	return add_section(pcr0, section);
}

static bool measure_boot(const struct ne_eif *eif,
			 struct ne_eif_measurements *measured)
{
	cleanup_digest EVP_MD_CTX *pcr0 = new_digest();
	cleanup_digest EVP_MD_CTX *pcr1 = NULL;
	unsigned int i;

	if (!pcr0)
		return false;
	for (i = 0; i < eif->header.section_count; i++)
		if (!measure_section(eif, &eif->sections[i], pcr0, &pcr1))
			return false;
	if (!finish_pcr(&measured->pcr0, pcr0))
		return false;
	if (pcr1)
		return finish_pcr(&measured->pcr1, pcr1);
	measured->pcr1 = measured->pcr0;
	return true;
}

struct application {
	const struct ne_eif *eif;
	struct ne_pcr pcr2;
	bool done;
};

static void *measure_application(void *data)
{
	struct application *application = data;
	const struct ne_eif *eif = application->eif;
	cleanup_digest EVP_MD_CTX *pcr2 = new_digest();
	unsigned int i;

	if (!pcr2)
		return NULL;
	for (i = 1; i < eif->ramdisk_count; i++)
		if (!add_section(pcr2, eif->ramdisks[i]))
			return NULL;
	application->done = finish_pcr(&application->pcr2, pcr2);
	return NULL;
}

static uint64_t application_size(const struct ne_eif *eif)
{
	uint64_t size = 0;
	unsigned int i;

	for (i = 1; i < eif->ramdisk_count; i++)
		size += eif->ramdisks[i]->size;
	return size;
}

/* A thread that no signal of the caller's is delivered to. */
static bool start_thread(pthread_t *thread, void *(*run)(void *), void *data)
{
	sigset_t all, saved;
	bool started;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &saved))
		return false;
	started = !pthread_create(thread, NULL, run, data);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return started;
}

static int measure_content(const struct ne_eif *eif,
			   struct ne_eif_measurements *measured,
			   struct ne_error *err)
{
	struct application application = { .eif = eif };
	pthread_t thread;
	bool threaded, done;

	threaded = application_size(eif) >= WORTH_A_THREAD &&
		   start_thread(&thread, measure_application, &application);
	done = measure_boot(eif, measured);
	if (threaded)
		pthread_join(thread, NULL);
	else
		measure_application(&application);
	if (!done || !application.done)
		return no_digest(err);
	measured->pcr2 = application.pcr2;
	return 0;
}

static int measure_signature(const struct ne_eif_section *signature,
			     struct ne_eif_measurements *measured,
			     struct ne_error *err)
{
	cleanup_digest EVP_MD_CTX *digest = NULL;
	cleanup_free uint8_t *der = NULL;
	size_t size;
	int ret;

	ret = eif_signing_certificate(signature, &der, &size, err);
	if (ret)
		return ret;
	digest = new_digest();
	if (!digest || !EVP_DigestUpdate(digest, der, size) ||
	    !finish_pcr(&measured->pcr8, digest))
		return no_digest(err);
	measured->is_signed = true;
	return 0;
}

int ne_eif_measure(const struct ne_eif *eif,
		   struct ne_eif_measurements *measurements,
		   struct ne_error *err)
{
	struct ne_eif_measurements measured = { 0 };
	int ret;

	ret = eif_check_size(eif, err);
	if (!ret && eif->signature)
		ret = measure_signature(eif->signature, &measured, err);
	if (!ret)
		ret = measure_content(eif, &measured, err);
	if (!ret)
		*measurements = measured;
	return ret;
}
