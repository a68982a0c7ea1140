/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nitro Secure Module, as a program in an enclave sees it: measurements,
 * attestation documents, entropy.
 *
 *	int nsm = ne_nsm_open(NULL, &err);
 *	ne_nsm_attest(nsm, &(struct ne_nsm_attest_input){
 *				   .nonce = nonce,
 *				   .nonce_size = sizeof(nonce),
 *			   },
 *		      &document, &size, &err);
 *	free(document);
 *	close(nsm);
 *
 * The requests and responses are those of aws-nitro-enclaves-nsm-api
 * (src/api/mod.rs); they reach the module through the kernel's nsm driver
 * (Linux 6.8 and later: drivers/misc/nsm.c) or through AWS's older one. Documents
 * are for others to verify, see <ne/attestation.h>.
 *
 * Errors: negative errno, and a sentence in the last parameter; see
 * <ne/error.h>. What a function was to fill in is untouched when it fails.
 * Any request can fail with
 *
 *	what the module answers
 *	-EINVAL		InvalidArgument: it cannot read an argument
 *	-ERANGE		InvalidIndex: there is no such PCR
 *	-EROFS		ReadOnlyIndex: the PCR is locked
 *	-EOPNOTSUPP	InvalidOperation: it does not know the request
 *	-ENOBUFS	BufferTooSmall: the response does not fit
 *	-E2BIG		InputTooLarge: more than it, or the driver, takes
 *	-EIO		InternalError: it cannot do it
 *	-EPROTO		InvalidResponse; or the response is malformed, or
 *			belongs to another request
 *
 *	what the driver answers
 *	-EBADF, -ENOTTY	the descriptor is no NSM
 *	-ETIMEDOUT	the module has not answered for two minutes
 *	-EIO, -ENODATA	the driver cannot reach the module
 *
 * and -ENOMEM. EINTR is not one of them: an interrupted request is repeated.
 *
 * Thread safety: all of it; threads and processes may share a descriptor. The
 * driver does one request at a time and lets others wait.
 */
#ifndef NE_NSM_H
#define NE_NSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ne/error.h>
#include <ne/pcr.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The driver's device node. */
#define NE_NSM_PATH "/dev/nsm"

/** Bytes of a request, at most (linux/nsm.h: NSM_REQUEST_MAX_SIZE). */
#define NE_NSM_REQUEST_MAX 0x1000
/** Bytes of a response, at most (linux/nsm.h: NSM_RESPONSE_MAX_SIZE). */
#define NE_NSM_RESPONSE_MAX 0x3000

/**
 * Bytes that a document may carry for its verifiers to accept it
 * (aws-nitro-enclaves-nsm-api, docs/attestation_process.md, 3.2.2.2). Modules
 * have been seen to sign more, so these are not enforced here.
 */
#define NE_NSM_USER_DATA_MAX 512
#define NE_NSM_NONCE_MAX 512
#define NE_NSM_PUBLIC_KEY_MAX 1024

/**
 * Bytes of a module's id, the terminating zero included. AWS's own C interface
 * (nsm-lib) has room for 100; "i-<17 digits>-enc<16 digits>" has 39.
 */
#define NE_NSM_MODULE_ID_SIZE 128

/* --- Opening, and requests of one's own ----------------------------------- */

/**
 * ne_nsm_open() - open the NSM
 * @path: device node, or NULL for NE_NSM_PATH
 * @err: the sentence of a failure, or NULL
 *
 * Return: a close-on-exec descriptor that is the caller's to close(2); -ENOENT
 * (this is no enclave, or one without the driver), -EACCES, or another
 * negative errno of open(2).
 */
int ne_nsm_open(const char *path, struct ne_error *err);

/**
 * ne_nsm_request() - do a request that is CBOR already
 * @nsm: from ne_nsm_open()
 * @request: @request_size bytes
 * @request_size: bytes of @request, up to NE_NSM_REQUEST_MAX
 * @response: room for @response_size bytes
 * @response_size: bytes of @response. The driver cuts a response that is
 *                 longer, without a word; NE_NSM_RESPONSE_MAX is always enough.
 * @err: the sentence of a failure, or NULL
 *
 * For requests that are newer than this library. The response is not looked at:
 * what the module answers, an error included, is no failure of this function.
 *
 * Return: bytes of the response, or a negative errno: what the driver answers,
 * see above, or -E2BIG.
 */
ssize_t ne_nsm_request(int nsm, const void *request, size_t request_size,
		       void *response, size_t response_size,
		       struct ne_error *err);

/* --- What the module is ---------------------------------------------------- */

/**
 * enum ne_nsm_digest - what PCRs are computed with
 *
 * All modules so far have NE_NSM_SHA384, the only one that fits struct ne_pcr.
 */
enum ne_nsm_digest {
	NE_NSM_SHA256,
	NE_NSM_SHA384,
	NE_NSM_SHA512,
};

/**
 * ne_nsm_digest_name() - as the API spells it
 * @digest: one of enum ne_nsm_digest
 *
 * Return: "SHA384" and the like; "unknown" for any other number. Static.
 */
const char *ne_nsm_digest_name(enum ne_nsm_digest digest);

/**
 * struct ne_nsm_description - DescribeNSM
 * @version_major: changes break the API
 * @version_minor: changes are backwards compatible
 * @version_patch: changes are fixes
 * @max_pcrs: how many PCRs there are; NE_PCR_COUNT so far
 * @locked_pcrs: bit i: PCR i is locked, for the first 32
 * @digest: what they are computed with
 * @module_id: UTF-8, terminated; has the enclave's id in it. It is text from
 *             outside and may have control characters.
 */
struct ne_nsm_description {
	uint16_t version_major;
	uint16_t version_minor;
	uint16_t version_patch;
	uint16_t max_pcrs;
	uint32_t locked_pcrs;
	enum ne_nsm_digest digest;
	char module_id[NE_NSM_MODULE_ID_SIZE];
};

/**
 * ne_nsm_describe() - which module this is, and which PCRs are locked
 * @nsm: from ne_nsm_open()
 * @description: filled in
 * @err: the sentence of a failure, or NULL
 *
 * Return: 0 or a negative errno, see above.
 */
int ne_nsm_describe(int nsm, struct ne_nsm_description *description,
		    struct ne_error *err);

/* --- Registers ------------------------------------------------------------- */

/**
 * ne_nsm_describe_pcr() - read a PCR
 * @nsm: from ne_nsm_open()
 * @index: which one; an enclave has NE_PCR_COUNT
 * @value: gets its value; may be NULL
 * @locked: gets whether it is locked; may be NULL
 * @err: the sentence of a failure, or NULL
 *
 * Return: 0 or a negative errno, see above; -ERANGE: there is no such PCR.
 */
int ne_nsm_describe_pcr(int nsm, uint16_t index, struct ne_pcr *value,
			bool *locked, struct ne_error *err);

/**
 * ne_nsm_extend_pcr() - measure data into a PCR
 * @nsm: from ne_nsm_open()
 * @index: which one; an enclave starts with 16 to 31 unlocked
 * @data: @size bytes; may be NULL if @size is 0
 * @size: bytes of @data; about 4050 fit into a request
 * @value: gets its new value, SHA-384(old value || data); may be NULL
 * @err: the sentence of a failure, or NULL
 *
 * Return: 0 or a negative errno, see above; -EROFS: the PCR is locked.
 */
int ne_nsm_extend_pcr(int nsm, uint16_t index, const void *data, size_t size,
		      struct ne_pcr *value, struct ne_error *err);

/**
 * ne_nsm_lock_pcr() - make a PCR's value final
 * @nsm: from ne_nsm_open()
 * @index: which one
 * @err: the sentence of a failure, or NULL
 *
 * A locked PCR stays locked as long as the enclave lives, and from now on is
 * in its attestation documents.
 *
 * Return: 0 or a negative errno, see above; -EROFS: it is locked already.
 */
int ne_nsm_lock_pcr(int nsm, uint16_t index, struct ne_error *err);

/**
 * ne_nsm_lock_pcrs() - make the values of the first PCRs final
 * @nsm: from ne_nsm_open()
 * @range: how many: PCR 0 to @range - 1. That some are locked is no error.
 * @err: the sentence of a failure, or NULL
 *
 * Return: 0 or a negative errno, see above; -ERANGE: there are not so many.
 */
int ne_nsm_lock_pcrs(int nsm, uint16_t range, struct ne_error *err);

/* --- Entropy --------------------------------------------------------------- */

/**
 * ne_nsm_random() - entropy from the module
 * @nsm: from ne_nsm_open()
 * @buffer: gets @size bytes; undefined if it fails
 * @size: any; a module gives 256 bytes at a time, so this does as many requests
 *        as it takes
 * @err: the sentence of a failure, or NULL
 *
 * The driver feeds getrandom(2) from here too; whoever just needs
 * random numbers asks that.
 *
 * Return: 0 or a negative errno, see above.
 */
int ne_nsm_random(int nsm, void *buffer, size_t size, struct ne_error *err);

/* --- Attestation ----------------------------------------------------------- */

/**
 * struct ne_nsm_attest_input - what a document is to carry for its caller
 * @user_data: anything, or NULL for none
 * @user_data_size: bytes, see NE_NSM_USER_DATA_MAX
 * @nonce: what the verifier asked for, so that the document is a fresh one; or
 *         NULL for none
 * @nonce_size: bytes, see NE_NSM_NONCE_MAX
 * @public_key: a key that the verifier may encrypt for, in DER
 *              (SubjectPublicKeyInfo); or NULL for none. Not looked at here.
 * @public_key_size: bytes, see NE_NSM_PUBLIC_KEY_MAX
 *
 * A size of 0 beside a pointer means an empty one, which is not none.
 */
struct ne_nsm_attest_input {
	const void *user_data;
	size_t user_data_size;
	const void *nonce;
	size_t nonce_size;
	const void *public_key;
	size_t public_key_size;
};

/**
 * ne_nsm_attest() - get an attestation document
 * @nsm: from ne_nsm_open()
 * @input: what it is to carry, or NULL for nothing
 * @document: gets the document, a COSE_Sign1 structure, to be passed on as it
 *            is; the caller must free() it
 * @size: gets its bytes; 4 to 10 thousand
 * @err: the sentence of a failure, or NULL
 *
 * The document has the values of all locked PCRs.
 *
 * Return: 0 or a negative errno, see above; -E2BIG: @input is more than the
 * module signs.
 */
int ne_nsm_attest(int nsm, const struct ne_nsm_attest_input *input,
		  uint8_t **document, size_t *size, struct ne_error *err);

#ifdef __cplusplus
}
#endif
#endif
