/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Nitro Secure Module: request bytes in, response bytes out.
 *
 * The module does no I/O and has no thread. Everything but an attestation is
 * answered at once, and in the order of the calls; an attestation is a piece
 * of work that knows all it needs (the registers as they were at the request)
 * and may be done by any thread, beside others and beside the module's next
 * requests, even after the module is gone.
 *
 * The API (requests, responses, error codes) is that of
 * aws-nitro-enclaves-nsm-api, src/api/mod.rs; sizes are those of the kernel's
 * drivers/misc/nsm.c and of that repository's docs/attestation_process.md.
 *
 * Thread safety: a module belongs to one thread at a time.
 */
#ifndef NSM_EMU_MODULE_H
#define NSM_EMU_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ne/pcr.h>

struct ne_error;
struct nsm_identity;
struct nsm_random;

/* Bytes of a request and of a response, at most [drivers/misc/nsm.c]. */
#define NSM_REQUEST_MAX 0x1000
#define NSM_RESPONSE_MAX 0x3000
/* Bytes of a module's id, at most. */
#define NSM_MODULE_ID_MAX 100
/* Bytes that GetRandom gives, as Nitro's do. */
#define NSM_RANDOM_SIZE 256
/* Registers that are locked when an enclave boots: 0 to 15. */
#define NSM_LOCKED_AT_BOOT 16

/*
 * The two ways in which real modules have been seen to write a document, which
 * differ in its outermost map alone: an absent field is null in both. And the
 * way that its specification has: absent fields are left out.
 */
enum nsm_dialect {
	NSM_DIALECT_INDEFINITE, /* the newer one: bf ... ff, since 2025 */
	NSM_DIALECT_DEFINITE,	/* the older one: a9 ... */
	NSM_DIALECT_SPARSE, /* the specified one: bf ... ff, without nulls */
};

/*
 * What user_data, nonce and public_key of an attestation may have.
 * NSM_LIMITS_DOCUMENTED: 512, 512 and 1024 bytes, as verifiers demand
 *	[docs/attestation_process.md, 3.2.2.2]; more is InputTooLarge.
 * NSM_LIMITS_HARDWARE: what fits into a request: real modules have been seen
 *	to sign more, and AWS's own nsm-check asks for 1024 of each.
 */
enum nsm_limits {
	NSM_LIMITS_DOCUMENTED,
	NSM_LIMITS_HARDWARE,
};

/* The time: milliseconds since 1970 (UTC). Called from any thread. */
struct nsm_clock {
	uint64_t (*now)(void *data);
	void *data;
};

/*
 * Is told why an InternalError is one: its caller is not, and cannot help it.
 * Called from any thread; tell may be NULL.
 */
struct nsm_failures {
	void (*tell)(const struct ne_error *why, void *data);
	void *data;
};

/*
 * What a module is made of; copied, but for what identity, random, clock and
 * failures point at, which must outlive it (identity: which is kept by reference).
 * module_id: text, "i-0123456789abcdef0-enc0123456789abcdef"
 * pcrs: the registers at boot; the first NSM_LOCKED_AT_BOOT get locked
 * identity: what signs documents; NULL: attestations are an InternalError,
 *	without a word to failures
 */
struct nsm_config {
	const char *module_id;
	struct ne_pcr pcrs[NE_PCR_COUNT];
	enum nsm_dialect dialect;
	enum nsm_limits limits;
	struct nsm_identity *identity;
	struct nsm_random *random;
	struct nsm_clock clock;
	struct nsm_failures failures;
};

struct nsm_module;
/* An attestation that is still to be signed. */
struct nsm_attestation;

/* 0; -EINVAL: the module id is not 1 to 100 bytes of UTF-8; -ENOMEM. */
int nsm_module_new(struct nsm_module **module, const struct nsm_config *config,
		   struct ne_error *err);
/* NULL is fine. */
void nsm_module_free(struct nsm_module *module);

/*
 * Takes a request of any size and content. Either returns the size of the
 * response, of which `response` has NSM_RESPONSE_MAX bytes; or 0 and an
 * attestation to be signed, then freed.
 */
size_t nsm_module_request(struct nsm_module *module, const void *request,
			  size_t size, uint8_t *response,
			  struct nsm_attestation **attestation);
/*
 * Takes back what the last request changed: its caller was gone before the
 * response reached it, and will ask again or never.
 */
void nsm_module_undo(struct nsm_module *module);

/*
 * Signs, in any thread. Returns the size of the response as above: a document
 * or an error.
 */
size_t nsm_attestation_sign(struct nsm_attestation *attestation,
			    uint8_t *response);
void nsm_attestation_free(struct nsm_attestation *attestation);

#endif
