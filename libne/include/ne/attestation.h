/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestation documents: what an enclave shows to prove what runs in it.
 *
 * A document is a COSE_Sign1 structure (RFC 9052) around a CBOR map, which
 * has the enclave's registers, up to three values that the enclave chose, the
 * certificate of the key that signed it, and the authorities above that. It
 * is specified in docs/attestation_process.md of aws-nitro-enclaves-nsm-api;
 * section numbers here are of that text.
 *
 * Reading a document (ne_attestation_parse()) proves nothing: everybody can
 * write one. Only ne_attestation_verify() says that it is authentic, and only
 * registers that are expected there say of which code.
 *
 * Thread safety: a document does not change once it is read, any number of
 * threads may use it at the same time; ne_attestation_free() must be the last.
 * Certificate authorities that were part of a valid chain are kept decoded for
 * the next documents, under a lock of the library's own.
 */
#ifndef NE_ATTESTATION_H
#define NE_ATTESTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ne/error.h>
#include <ne/pcr.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Largest document that is read, in bytes; a module's have less than 12288. */
#define NE_ATTESTATION_MAX_SIZE 32768
/** Most authorities that a document may name; real ones name 4. */
#define NE_ATTESTATION_MAX_CABUNDLE 16
/** Largest user_data and nonce, in bytes, that verifiers take [3.2.2.2]. */
#define NE_ATTESTATION_MAX_DATA 512
/** Largest ones that modules have been seen to sign [2.2: user_data]. */
#define NE_ATTESTATION_MAX_LARGE_DATA 1024
/** Seconds that a document may be ahead of the clock if its age matters. */
#define NE_ATTESTATION_CLOCK_SKEW 60

/** A document that was read. */
struct ne_attestation;

/**
 * struct ne_attestation_bytes - bytes that lie elsewhere
 * @data: never NULL where it comes from a document
 * @size: bytes of @data
 */
struct ne_attestation_bytes {
	const uint8_t *data;
	size_t size;
};

/* --- Reading ------------------------------------------------------------- */

/**
 * ne_attestation_parse() - read a document
 * @attestation: the document, for ne_attestation_free(); untouched on failure
 * @data: the document as the module made it: binary; copied
 * @size: bytes of @data, all of which are the document
 * @err: the sentence of a failure, or NULL
 *
 * Checks the syntax [3.2.2]. COSE: tagged (18) or not; an array of four; the
 * protected header is {1: -35} (ES384); the unprotected one is an empty map,
 * since nobody signs it; a payload of 1 to 16384 bytes; 96 bytes of signature.
 * Payload: a map of definite or indefinite length, at most 32 fields, none of
 * them twice; each field has the type and length that are specified; optional
 * fields may be absent or null. Nothing may follow, neither the document nor
 * the payload. Strings in pieces are refused: no module writes them.
 *
 * user_data and nonce may have up to NE_ATTESTATION_MAX_LARGE_DATA bytes here;
 * what verifiers take is for ne_attestation_verify().
 *
 * Fields that are not known are ignored once they are well-formed, as AWS's
 * own reader does: AWS may add some, and they cannot change what the others
 * say. One is refused, nitrotpm_pcrs: such a document is of an instance, not of
 * an enclave, and AWS's root signs these, too.
 *
 * Return: 0; -EBADMSG: not a document, or a malformed one; -ENOMEM.
 */
int ne_attestation_parse(struct ne_attestation **attestation, const void *data,
			 size_t size, struct ne_error *err);

/**
 * ne_attestation_free() - forget a document, and what was handed out of it
 * @attestation: or NULL
 */
void ne_attestation_free(struct ne_attestation *attestation);

/* --- Looking into it: nothing of this is verified ------------------------ */

/**
 * ne_attestation_module_id() - the module that issued it
 *
 * "i-0123456789abcdef0-enc0123456789abcdef": the parent's instance and the
 * enclave. UTF-8, not empty; may hold control characters.
 */
const char *ne_attestation_module_id(const struct ne_attestation *attestation);

/** ne_attestation_digest() - of the registers: "SHA384", nothing else yet. */
const char *ne_attestation_digest(const struct ne_attestation *attestation);

/** ne_attestation_timestamp() - when it was made, ms since 1970 (UTC); > 0. */
uint64_t ne_attestation_timestamp(const struct ne_attestation *attestation);

/**
 * ne_attestation_pcr() - a register
 * @index: 0 to NE_PCR_COUNT - 1
 *
 * Return: its 32, 48 or 64 bytes, real ones always have NE_PCR_SIZE; NULL: the
 * document does not have it, or @index is too large.
 */
const struct ne_attestation_bytes *
ne_attestation_pcr(const struct ne_attestation *attestation,
		   unsigned int index);

/**
 * ne_attestation_is_debug() - did the enclave run in debug mode
 *
 * Nothing is measured there: PCR0, PCR1 and PCR2 are zero.
 */
bool ne_attestation_is_debug(const struct ne_attestation *attestation);

/** ne_attestation_certificate() - DER of the leaf, whose key signed it. */
const struct ne_attestation_bytes *
ne_attestation_certificate(const struct ne_attestation *attestation);

/** ne_attestation_cabundle_count() - 1 to NE_ATTESTATION_MAX_CABUNDLE. */
unsigned int
ne_attestation_cabundle_count(const struct ne_attestation *attestation);

/**
 * ne_attestation_cabundle() - DER of an authority above the leaf
 * @index: from 0, which is the root; the last one issued the leaf
 *
 * Return: NULL if there are fewer.
 */
const struct ne_attestation_bytes *
ne_attestation_cabundle(const struct ne_attestation *attestation,
			unsigned int index);

/**
 * ne_attestation_public_key() - the key to encrypt for the enclave with
 *
 * Return: 1 to 1024 bytes, by convention DER; NULL: there is none.
 */
const struct ne_attestation_bytes *
ne_attestation_public_key(const struct ne_attestation *attestation);

/** ne_attestation_user_data() - what the enclave wanted signed; NULL: nothing */
const struct ne_attestation_bytes *
ne_attestation_user_data(const struct ne_attestation *attestation);

/** ne_attestation_nonce() - what the verifier wanted signed; NULL: nothing */
const struct ne_attestation_bytes *
ne_attestation_nonce(const struct ne_attestation *attestation);

/* --- Verifying ----------------------------------------------------------- */

/**
 * enum ne_attestation_check - what is verified, in this order
 * @NE_ATTESTATION_NO_CHECK: nothing has failed
 * @NE_ATTESTATION_SYNTAX: lengths that ne_attestation_parse() leaves open;
 *	the certificates are well-formed
 * @NE_ATTESTATION_SIGNATURE: the leaf's key (P-384) signed this document
 * @NE_ATTESTATION_ROOT: the first of the bundle is, byte for byte, a trusted
 *	root
 * @NE_ATTESTATION_ORDER: each certificate names the one before it as its
 *	issuer, from the root to the leaf
 * @NE_ATTESTATION_CONSTRAINTS: each is of version 3 and has a sound key;
 *	authorities are marked so, critically, and none has more authorities
 *	below it than its path length allows; the leaf is none and has no path
 *	length; there is no critical extension that is not understood
 * @NE_ATTESTATION_KEY_USAGE: authorities may sign certificates, the leaf may
 *	sign documents and no certificates
 * @NE_ATTESTATION_CHAIN: each is signed by the one before it, and whatever
 *	else RFC 5280 asks of a chain
 * @NE_ATTESTATION_VALIDITY: the time of the policy lies in the life of every
 *	certificate, the root's included
 * @NE_ATTESTATION_AGE: the document is as young as expected
 * @NE_ATTESTATION_PCRS: the registers are as expected
 * @NE_ATTESTATION_NONCE: the nonce is the expected one
 * @NE_ATTESTATION_USER_DATA: the user data is the expected one
 * @NE_ATTESTATION_PUBLIC_KEY: the public key is the expected one
 * @NE_ATTESTATION_MODULE_ID: the module is the expected one
 * @NE_ATTESTATION_CHECKS: how many there are, the first of all included
 *
 * So a document that somebody has changed fails with SIGNATURE (or is no
 * document any more), one from elsewhere with ROOT, an old one with VALIDITY.
 */
enum ne_attestation_check {
	NE_ATTESTATION_NO_CHECK = 0,
	NE_ATTESTATION_SYNTAX,
	NE_ATTESTATION_SIGNATURE,
	NE_ATTESTATION_ROOT,
	NE_ATTESTATION_ORDER,
	NE_ATTESTATION_CONSTRAINTS,
	NE_ATTESTATION_KEY_USAGE,
	NE_ATTESTATION_CHAIN,
	NE_ATTESTATION_VALIDITY,
	NE_ATTESTATION_AGE,
	NE_ATTESTATION_PCRS,
	NE_ATTESTATION_NONCE,
	NE_ATTESTATION_USER_DATA,
	NE_ATTESTATION_PUBLIC_KEY,
	NE_ATTESTATION_MODULE_ID,
	NE_ATTESTATION_CHECKS,
};

/** When the certificates must be valid. */
enum ne_attestation_when {
	NE_ATTESTATION_NOW = 0,
	/** When the document was made, says the document. */
	NE_ATTESTATION_AT_ITS_TIME,
	/** ne_attestation_policy.time */
	NE_ATTESTATION_AT_TIME,
};

/**
 * struct ne_attestation_policy - what to expect of a document
 * @roots: certificates (DER) of the trusted roots, which must be self-signed;
 *	 NULL: AWS's alone
 * @n_roots: how many
 * @when: the time to verify at
 * @time: seconds since 1970 (UTC), for NE_ATTESTATION_AT_TIME
 * @max_age: seconds from the document's time to that of @when, at most; 0: any;
 *	 makes no sense with NE_ATTESTATION_AT_ITS_TIME (-EINVAL)
 * @large_data: user_data and nonce may have NE_ATTESTATION_MAX_LARGE_DATA bytes
 *	 instead of NE_ATTESTATION_MAX_DATA
 * @expected_pcrs: bit i: register i must be @pcrs[i]; a document of an enclave
 *	 in debug mode is refused if there is any, unless PCR0, PCR1 or PCR2
 *	 are among them, and zero
 * @pcrs: registers, those that are expected
 * @nonce: what the nonce must be; NULL: anything, also none
 * @user_data: likewise
 * @public_key: likewise
 * @module_id: likewise
 *
 * `= { 0 }` is the strictest that can be said without knowing the enclave: a
 * document of AWS's, from now. It says nothing about the code: expect
 * registers.
 */
struct ne_attestation_policy {
	const struct ne_attestation_bytes *roots;
	size_t n_roots;
	enum ne_attestation_when when;
	int64_t time;
	uint64_t max_age;
	bool large_data;
	uint32_t expected_pcrs;
	struct ne_pcr pcrs[NE_PCR_COUNT];
	const struct ne_attestation_bytes *nonce;
	const struct ne_attestation_bytes *user_data;
	const struct ne_attestation_bytes *public_key;
	const char *module_id;
};

/**
 * ne_attestation_verify() - is it authentic, and what was expected
 * @attestation: the document
 * @policy: what to expect
 * @failed: the first check that failed, or NULL; NE_ATTESTATION_NO_CHECK on
 *	success, and if it could not be verified at all (-EINVAL, -ENOMEM, -EIO)
 * @err: the sentence of a failure, or NULL; it names the certificate or field,
 *	what was expected and what was found
 *
 * No file, no environment and no network is consulted, but for OpenSSL's own
 * configuration: neither the system's trust store nor revocation lists [3.2.4:
 * CRLs must be disabled]. nonce,
 * user_data, public_key and module_id are compared in constant time; their
 * expected values never become part of @err. Whatever was in the calling
 * thread's queue of OpenSSL errors is cleared.
 *
 * A signature can be rewritten into another valid one by anybody (ECDSA is
 * malleable), so that the bytes of a document are no identity of it: who must
 * not accept a document twice expects a nonce.
 *
 * Return: 0: all checks passed; -EBADMSG: NE_ATTESTATION_SYNTAX failed;
 * -EKEYREJECTED: signature, root, order, constraints, key usage or chain;
 * -EKEYEXPIRED: validity or age; -EACCES: another expectation; -EINVAL: the
 * policy has an array of roots without any, roots without an array, or @max_age
 * for a document's own time; -ENOMEM; -EIO: OpenSSL failed.
 */
int ne_attestation_verify(const struct ne_attestation *attestation,
			  const struct ne_attestation_policy *policy,
			  enum ne_attestation_check *failed,
			  struct ne_error *err);

/**
 * ne_attestation_check_name() - "signature", "chain", "pcrs" and the like
 *
 * Return: a constant, never NULL; it does not change from release to release.
 */
const char *ne_attestation_check_name(enum ne_attestation_check check);

/**
 * ne_attestation_aws_root() - DER of the root of AWS's commercial partitions
 *
 * CN=aws.nitro-enclaves, SHA-256 fingerprint
 * 64:1A:03:21:A3:E2:44:EF:E4:56:46:31:95:D6:06:31:7E:D7:CD:CC:3C:17:56:E0:
 * 98:93:F3:C6:8F:79:BB:5B, published by AWS as
 * https://aws-nitro-enclaves.amazonaws.com/AWS_NitroEnclaves_Root-G1.zip.
 *
 * Return: a constant.
 */
const struct ne_attestation_bytes *ne_attestation_aws_root(void);

#ifdef __cplusplus
}
#endif
#endif
