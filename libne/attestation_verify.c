// SPDX-License-Identifier: Apache-2.0
/*
 * Verifying attestation documents.
 *
 * Theory of operation
 *
 * The checks run in the order of enum ne_attestation_check; the first that
 * fails ends it, so that nothing later ever vouches for what was refused. The
 * signature comes before the chain that gives its key any authority, so that
 * a changed document is called changed whatever was changed in it.
 */
#include <ne/attestation.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "libne/attestation_internal.h"
#include "libne/cbor.h"
#include "libne/cleanup.h"

static const struct {
	const char *name;
	int code; /* what ne_attestation_verify() fails with */
} checks[NE_ATTESTATION_CHECKS] = {
	[NE_ATTESTATION_NO_CHECK] = { "none", 0 },
	[NE_ATTESTATION_SYNTAX] = { "syntax", EBADMSG },
	[NE_ATTESTATION_SIGNATURE] = { "signature", EKEYREJECTED },
	[NE_ATTESTATION_ROOT] = { "root", EKEYREJECTED },
	[NE_ATTESTATION_ORDER] = { "order", EKEYREJECTED },
	[NE_ATTESTATION_CONSTRAINTS] = { "constraints", EKEYREJECTED },
	[NE_ATTESTATION_KEY_USAGE] = { "key_usage", EKEYREJECTED },
	[NE_ATTESTATION_CHAIN] = { "chain", EKEYREJECTED },
	[NE_ATTESTATION_VALIDITY] = { "validity", EKEYEXPIRED },
	[NE_ATTESTATION_AGE] = { "age", EKEYEXPIRED },
	[NE_ATTESTATION_PCRS] = { "pcrs", EACCES },
	[NE_ATTESTATION_NONCE] = { "nonce", EACCES },
	[NE_ATTESTATION_USER_DATA] = { "user_data", EACCES },
	[NE_ATTESTATION_PUBLIC_KEY] = { "public_key", EACCES },
	[NE_ATTESTATION_MODULE_ID] = { "module_id", EACCES },
};

const char *ne_attestation_check_name(enum ne_attestation_check check)
{
	if ((unsigned int)check >= NE_ATTESTATION_CHECKS)
		return "unknown";
	return checks[check].name;
}

/* --- Failing ------------------------------------------------------------- */

int verdict_refuse(struct verdict *verdict, enum ne_attestation_check check,
		   const char *format, ...)
{
	char text[NE_ERROR_TEXT_SIZE];
	va_list args;

	verdict->failed = check;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return ne_error_set(verdict->err, checks[check].code, "%s", text);
}

bool verdict_lacks_memory(void)
{
	return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
	       ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

int verdict_openssl(struct verdict *verdict, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	return ne_error_set(verdict->err, verdict_lacks_memory() ? ENOMEM : EIO,
			    "OpenSSL cannot %s: %s", what,
			    why ? why : "unknown reason");
}

struct utc_text utc_describe(int64_t time)
{
	struct utc_text text;
	time_t seconds = (time_t)time;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(text.text, sizeof(text.text),
						  "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(text.text, sizeof(text.text), "%" PRId64 " s", time);
	return text;
}

/* --- Syntax that depends on the policy ----------------------------------- */

static int check_length(const char *name,
			const struct ne_attestation_bytes *data,
			const struct ne_attestation_policy *policy,
			struct verdict *verdict)
{
	if (data->size > NE_ATTESTATION_MAX_DATA && !policy->large_data)
		return verdict_refuse(
			verdict, NE_ATTESTATION_SYNTAX,
			"the %s has %zu bytes, and verifiers take %d "
			"unless they allow for large ones",
			name, data->size, NE_ATTESTATION_MAX_DATA);
	return 0;
}

static int check_lengths(const struct ne_attestation *attestation,
			 const struct ne_attestation_policy *policy,
			 struct verdict *verdict)
{
	int ret = check_length("user_data", &attestation->user_data, policy,
			       verdict);

	if (!ret)
		ret = check_length("nonce", &attestation->nonce, policy,
				   verdict);
	return ret;
}

/* --- The signature ------------------------------------------------------- */

static void cleanup_md_ctxp(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

#define cleanup_md_ctx __attribute__((cleanup(cleanup_md_ctxp)))

/* OpenSSL's form of an ECDSA signature: DER. */
struct der_signature {
	uint8_t bytes[ES384_SIGNATURE_SIZE + 16];
	size_t size;
};

static bool to_der(const uint8_t signature[ES384_SIGNATURE_SIZE],
		   struct der_signature *der)
{
	const int half = ES384_SIGNATURE_SIZE / 2;
	ECDSA_SIG *parts = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, half, NULL);
	BIGNUM *s = BN_bin2bn(signature + half, half, NULL);
	unsigned char *end = der->bytes;
	int size = 0;

	if (parts && r && s && ECDSA_SIG_set0(parts, r, s))
		size = i2d_ECDSA_SIG(parts, &end);
	else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(parts);
	der->size = size > 0 ? (size_t)size : 0;
	return size > 0;
}

/*
 * What is signed [RFC 9052, 4.4]: ["Signature1", protected header, no external
 * data, payload]. This is all of it but the payload's content.
 */
static struct cbor_out signed_head(const struct ne_attestation *attestation,
				   uint8_t *bytes, size_t capacity)
{
	struct cbor_out out = { .start = bytes, .capacity = capacity };

	cbor_out_array(&out, 4);
	cbor_out_text(&out, "Signature1");
	cbor_out_bytes(&out, attestation->protected_header.data,
		       attestation->protected_header.size);
	cbor_out_bytes(&out, NULL, 0);
	cbor_out_bytes_head(&out, attestation->payload.size);
	return out;
}

/*
 * Without a provider for them no key is understood, which is not the
 * document's fault.
 */
static bool keys_can_be_read(void)
{
	EVP_KEYMGMT *manager = EVP_KEYMGMT_fetch(NULL, "EC", NULL);

	EVP_KEYMGMT_free(manager);
	return manager;
}

static int check_signature(const struct ne_attestation *attestation,
			   const struct chain *chain, struct verdict *verdict)
{
	cleanup_md_ctx EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *key = X509_get0_pubkey(chain_leaf(chain));
	struct der_signature signature = { .size = 0 };
	uint8_t bytes[128];
	struct cbor_out head = signed_head(attestation, bytes, sizeof(bytes));
	int ret;

	if (!key && !keys_can_be_read())
		return verdict_openssl(verdict, "read keys on curves");
	if (!key || !certificate_key_is_on(key, SN_secp384r1))
		return verdict_refuse(
			verdict, NE_ATTESTATION_SIGNATURE,
			"%s has no key on P-384, which ES384 takes",
			chain_describe(chain, chain->count - 1).text);
	if (!context || head.full ||
	    !to_der(attestation->signature.data, &signature) ||
	    EVP_DigestVerifyInit_ex(context, NULL, "SHA384", NULL, NULL, key,
				    NULL) != 1 ||
	    EVP_DigestVerifyUpdate(context, head.start, head.used) != 1 ||
	    EVP_DigestVerifyUpdate(context, attestation->payload.data,
				   attestation->payload.size) != 1)
		return verdict_openssl(verdict, "verify a signature");
	/* Negative: it could not be found out. */
	ret = EVP_DigestVerifyFinal(context, signature.bytes, signature.size);
	if (ret < 0)
		return verdict_openssl(verdict, "verify a signature");
	if (!ret)
		return verdict_refuse(
			verdict, NE_ATTESTATION_SIGNATURE,
			"the signature does not hold: the document was "
			"changed, or not signed by %s",
			chain_describe(chain, chain->count - 1).text);
	return 0;
}

/* --- The root ------------------------------------------------------------ */

/* Of emulated roots, so that nobody takes them for AWS's. */
static const char emulated[] = "emulated.nitro-enclaves";

static bool bytes_are_equal(const struct ne_attestation_bytes *a,
			    const struct ne_attestation_bytes *b)
{
	return a->size == b->size && !CRYPTO_memcmp(a->data, b->data, a->size);
}

static bool is_trusted(const struct ne_attestation_bytes *root,
		       const struct ne_attestation_policy *policy)
{
	if (!policy->roots)
		return bytes_are_equal(root, ne_attestation_aws_root());
	for (size_t i = 0; i < policy->n_roots; i++)
		if (bytes_are_equal(root, &policy->roots[i]))
			return true;
	return false;
}

struct fingerprint {
	char hex[2 * EVP_MAX_MD_SIZE + 1];
};

static struct fingerprint fingerprint(const struct ne_attestation_bytes *der)
{
	struct fingerprint text = { "?" };
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size;

	if (EVP_Digest(der->data, der->size, digest, &size, EVP_sha256(), NULL))
		for (unsigned int i = 0; i < size; i++)
			snprintf(text.hex + (size_t)2 * i, 3, "%02x",
				 digest[i]);
	return text;
}

/* As "aws-us-gov.nitro-enclaves"; anybody can call a root so. */
static bool is_of_a_partition(const char *name)
{
	const char *dot = strchr(name, '.');

	return !strncmp(name, "aws-", 4) && dot &&
	       !strcmp(dot, ".nitro-enclaves");
}

static int untrusted_root(const struct ne_attestation *attestation,
			  const struct chain *chain,
			  const struct ne_attestation_policy *policy,
			  struct verdict *verdict)
{
	const struct ne_attestation_bytes *root = &attestation->cabundle[0];
	const char *expected = policy->roots ? "a trusted root" : "AWS's root";
	struct certificate_text name = certificate_common_name(
		X509_get_subject_name(chain_root(chain)));

	if (bytes_are_equal(root, ne_attestation_aws_root()))
		return verdict_refuse(
			verdict, NE_ATTESTATION_ROOT,
			"this document is from AWS (CN=%s), and the root "
			"that is trusted is another",
			name.text);
	if (!strcmp(name.text, emulated))
		return verdict_refuse(
			verdict, NE_ATTESTATION_ROOT,
			"this document is from an emulator (CN=%s, "
			"SHA-256 %s), not below %s",
			name.text, fingerprint(root).hex, expected);
	if (is_of_a_partition(name.text))
		return verdict_refuse(
			verdict, NE_ATTESTATION_ROOT,
			"this document claims to be from another partition "
			"of AWS's (CN=%s, SHA-256 %s), whose root is not "
			"built in and is not %s",
			name.text, fingerprint(root).hex, expected);
	return verdict_refuse(
		verdict, NE_ATTESTATION_ROOT,
		"the root of this document (CN=%s, SHA-256 %s) is not "
		"%s",
		name.text, fingerprint(root).hex, expected);
}

static int check_root(const struct ne_attestation *attestation,
		      const struct chain *chain,
		      const struct ne_attestation_policy *policy,
		      struct verdict *verdict)
{
	X509 *root = chain_root(chain);

	if (!is_trusted(&attestation->cabundle[0], policy))
		return untrusted_root(attestation, chain, policy, verdict);
	if (X509_NAME_cmp(X509_get_subject_name(root),
			  X509_get_issuer_name(root)))
		return verdict_refuse(
			verdict, NE_ATTESTATION_ROOT,
			"%s is not self-signed, so that it cannot be the "
			"root; trust the one above it",
			chain_describe(chain, 0).text);
	return 0;
}

/* --- Times --------------------------------------------------------------- */

static int64_t timestamp_in_seconds(const struct ne_attestation *attestation)
{
	return (int64_t)(attestation->timestamp / 1000);
}

static int64_t time_to_verify_at(const struct ne_attestation *attestation,
				 const struct ne_attestation_policy *policy)
{
	switch (policy->when) {
	case NE_ATTESTATION_AT_ITS_TIME:
		return timestamp_in_seconds(attestation);
	case NE_ATTESTATION_AT_TIME:
		return policy->time;
	default:
		return time(NULL);
	}
}

static int check_age(const struct ne_attestation *attestation,
		     const struct ne_attestation_policy *policy, int64_t now,
		     struct verdict *verdict)
{
	int64_t made = timestamp_in_seconds(attestation);
	int64_t age;

	if (!policy->max_age)
		return 0;
	if (__builtin_sub_overflow(now, made, &age) ||
	    age < -NE_ATTESTATION_CLOCK_SKEW)
		return verdict_refuse(
			verdict, NE_ATTESTATION_AGE,
			"the document is from %s, which is after %s; "
			"check the clock",
			utc_describe(made).text, utc_describe(now).text);
	if (age > 0 && (uint64_t)age > policy->max_age)
		return verdict_refuse(
			verdict, NE_ATTESTATION_AGE,
			"the document is %" PRId64 " s old (from %s), "
			"and may be %" PRIu64 " s; ask for a new one",
			age, utc_describe(made).text, policy->max_age);
	return 0;
}

/* --- Expectations -------------------------------------------------------- */

/* PCR0, 1 and 2: zero in debug mode */
#define PCRS_OF_DEBUG 0x7

static int wrong_pcr(const struct ne_attestation *attestation,
		     unsigned int index, const struct ne_pcr *expected,
		     struct verdict *verdict)
{
	const struct ne_attestation_bytes *found = &attestation->pcrs[index];
	char expected_hex[NE_PCR_HEX_SIZE];
	char found_hex[NE_PCR_HEX_SIZE];
	struct ne_pcr pcr;

	ne_pcr_to_hex(expected, expected_hex);
	if (!found->data)
		return verdict_refuse(
			verdict, NE_ATTESTATION_PCRS,
			"PCR%u is missing (it was not locked), expected "
			"is %s",
			index, expected_hex);
	if (index <= 2 && ne_attestation_is_debug(attestation))
		return verdict_refuse(
			verdict, NE_ATTESTATION_PCRS,
			"PCR%u is zero: the enclave ran in debug mode, "
			"where nothing is measured; expected is %s",
			index, expected_hex);
	if (found->size != sizeof(pcr.bytes))
		return verdict_refuse(verdict, NE_ATTESTATION_PCRS,
				      "PCR%u has %zu bytes, expected is %s",
				      index, found->size, expected_hex);
	memcpy(pcr.bytes, found->data, sizeof(pcr.bytes));
	ne_pcr_to_hex(&pcr, found_hex);
	return verdict_refuse(verdict, NE_ATTESTATION_PCRS,
			      "PCR%u is %s, expected is %s", index, found_hex,
			      expected_hex);
}

static int check_pcrs(const struct ne_attestation *attestation,
		      const struct ne_attestation_policy *policy,
		      struct verdict *verdict)
{
	for (unsigned int i = 0; i < NE_PCR_COUNT; i++) {
		const struct ne_attestation_bytes expected = {
			policy->pcrs[i].bytes, NE_PCR_SIZE
		};

		if (policy->expected_pcrs & UINT32_C(1) << i &&
		    !bytes_are_equal(&attestation->pcrs[i], &expected))
			return wrong_pcr(attestation, i, &policy->pcrs[i],
					 verdict);
	}
	/* As PCR0 to 2 are zero, who expected any of them expected zero. */
	if (policy->expected_pcrs && !(policy->expected_pcrs & PCRS_OF_DEBUG) &&
	    ne_attestation_is_debug(attestation))
		return verdict_refuse(
			verdict, NE_ATTESTATION_PCRS,
			"the enclave ran in debug mode: its console is open, "
			"and no register tells which code ran; if that is "
			"meant, expect PCR0 to be zero");
	return 0;
}

static int check_data(enum ne_attestation_check check,
		      const struct ne_attestation_bytes *found,
		      const struct ne_attestation_bytes *expected,
		      struct verdict *verdict)
{
	const char *name = checks[check].name;

	if (!expected || (found->data && bytes_are_equal(found, expected)))
		return 0;
	if (!found->data)
		return verdict_refuse(
			verdict, check,
			"the document has no %s, and %zu bytes are expected",
			name, expected->size);
	if (found->size != expected->size)
		return verdict_refuse(
			verdict, check,
			"the document's %s has %zu bytes, and %zu are "
			"expected",
			name, found->size, expected->size);
	return verdict_refuse(
		verdict, check,
		"the document's %s is not the expected one, but has as "
		"many bytes (%zu)",
		name, found->size);
}

static int check_module_id(const struct ne_attestation *attestation,
			   const char *expected, struct verdict *verdict)
{
	const char *found = attestation->module_id;

	if (!expected || (strlen(expected) == strlen(found) &&
			  !CRYPTO_memcmp(expected, found, strlen(found))))
		return 0;
	return verdict_refuse(
		verdict, NE_ATTESTATION_MODULE_ID,
		"the document is from module %s, which is not the "
		"expected one",
		found);
}

static int check_expectations(const struct ne_attestation *attestation,
			      const struct ne_attestation_policy *policy,
			      struct verdict *verdict)
{
	int ret = check_pcrs(attestation, policy, verdict);

	if (!ret)
		ret = check_data(NE_ATTESTATION_NONCE, &attestation->nonce,
				 policy->nonce, verdict);
	if (!ret)
		ret = check_data(NE_ATTESTATION_USER_DATA,
				 &attestation->user_data, policy->user_data,
				 verdict);
	if (!ret)
		ret = check_data(NE_ATTESTATION_PUBLIC_KEY,
				 &attestation->public_key, policy->public_key,
				 verdict);
	if (!ret)
		ret = check_module_id(attestation, policy->module_id, verdict);
	return ret;
}

/* --- All of it ----------------------------------------------------------- */

static int verify(const struct ne_attestation *attestation,
		  const struct ne_attestation_policy *policy,
		  const struct chain *chain, struct verdict *verdict)
{
	int64_t now = time_to_verify_at(attestation, policy);
	int ret = check_signature(attestation, chain, verdict);

	if (!ret)
		ret = check_root(attestation, chain, policy, verdict);
	if (!ret)
		ret = chain_check(chain, verdict);
	if (ret)
		return ret;
	chain_remember(chain, attestation);
	ret = chain_check_validity(chain, now, verdict);
	if (!ret)
		ret = check_age(attestation, policy, now, verdict);
	if (!ret)
		ret = check_expectations(attestation, policy, verdict);
	return ret;
}

static int load_and_verify(const struct ne_attestation *attestation,
			   const struct ne_attestation_policy *policy,
			   struct verdict *verdict)
{
	struct chain chain = { .count = 0 };
	int ret = check_lengths(attestation, policy, verdict);

	if (!ret)
		ret = chain_load(&chain, attestation, verdict);
	if (!ret)
		ret = verify(attestation, policy, &chain, verdict);
	chain_unload(&chain);
	return ret;
}

static int check_policy(const struct ne_attestation_policy *policy,
			struct ne_error *err)
{
	if (policy->roots && !policy->n_roots)
		return ne_error_set(err, EINVAL,
				    "there is no root in the list of roots to "
				    "trust");
	/* Else AWS's root would be trusted where another is meant. */
	if (!policy->roots && policy->n_roots)
		return ne_error_set(err, EINVAL,
				    "there is no list of the %zu roots to "
				    "trust",
				    policy->n_roots);
	/* Would always hold, and look as if it meant something. */
	if (policy->max_age && policy->when == NE_ATTESTATION_AT_ITS_TIME)
		return ne_error_set(err, EINVAL,
				    "a document has no age at its own time: "
				    "expect a largest age at another time");
	return 0;
}

int ne_attestation_verify(const struct ne_attestation *attestation,
			  const struct ne_attestation_policy *policy,
			  enum ne_attestation_check *failed,
			  struct ne_error *err)
{
	struct verdict verdict = { .failed = NE_ATTESTATION_NO_CHECK,
				   .err = err };
	int ret;

	ret = check_policy(policy, err);
	if (!ret) {
		ERR_clear_error();
		ret = load_and_verify(attestation, policy, &verdict);
		ERR_clear_error();
	}
	if (failed)
		*failed = verdict.failed;
	return ret;
}
