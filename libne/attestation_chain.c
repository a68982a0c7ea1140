// SPDX-License-Identifier: Apache-2.0
/*
 * Is this chain of certificates one that may sign attestation documents?
 *
 * Theory of operation
 *
 * The chain comes in its order, and its first certificate is trusted. First
 * it is held against what section 3.2.3 of docs/attestation_process.md asks,
 * certificate by certificate, so that a refusal can say which one lacks what.
 * Then OpenSSL judges it by RFC 5280: with this one root in an otherwise empty
 * store (no file, no folder, no revocation lists), no partial chains, and the
 * result must be the very chain that the document gave. Signatures are checked
 * there. Times are not: they come last, in chain_check_validity(), so that only
 * what is right but old is called old.
 *
 * OpenSSL's own strict mode is of no use: real leaves and their issuers have
 * no key identifiers, which it wants.
 */
#include "libne/attestation_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "libne/cleanup.h"

/* OpenSSL's level for at least 112 bits: no SHA-1, no short RSA keys. */
#define SECURITY_LEVEL 2
#define MIN_RSA_BITS 2048

/* --- Order --------------------------------------------------------------- */

static int check_order(const struct chain *chain, struct verdict *verdict)
{
	for (unsigned int i = 1; i < chain->count; i++) {
		const X509_NAME *issuer =
			X509_get_issuer_name(chain->certificates[i]);
		const X509_NAME *before =
			X509_get_subject_name(chain->certificates[i - 1]);

		if (X509_NAME_cmp(issuer, before))
			return verdict_refuse(
				verdict, NE_ATTESTATION_ORDER,
				"%s was issued by CN=%s, but before it "
				"comes CN=%s; certificates must run from "
				"the root to the leaf",
				chain_describe(chain, i).text,
				certificate_common_name(issuer).text,
				certificate_common_name(before).text);
	}
	return 0;
}

/* --- Constraints --------------------------------------------------------- */

static bool extension_is_understood(X509_EXTENSION *extension)
{
	switch (OBJ_obj2nid(X509_EXTENSION_get_object(extension))) {
	case NID_basic_constraints:
	case NID_key_usage:
	case NID_name_constraints: /* by OpenSSL */
		return true;
	default:
		return false;
	}
}

static int check_extensions(const struct chain *chain, unsigned int index,
			    struct verdict *verdict)
{
	const X509 *certificate = chain->certificates[index];

	for (int i = 0; i < X509_get_ext_count(certificate); i++) {
		X509_EXTENSION *extension = X509_get_ext(certificate, i);
		char name[64];

		if (!X509_EXTENSION_get_critical(extension) ||
		    extension_is_understood(extension))
			continue;
		OBJ_obj2txt(name, sizeof(name),
			    X509_EXTENSION_get_object(extension), 0);
		return verdict_refuse(
			verdict, NE_ATTESTATION_CONSTRAINTS,
			"%s has the critical extension %s, which is not "
			"understood",
			chain_describe(chain, index).text, name);
	}
	return 0;
}

static bool key_is_sound(const EVP_PKEY *key)
{
	if (!key)
		return false;
	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= MIN_RSA_BITS;
	if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		return true;
	return certificate_key_is_on(key, SN_X9_62_prime256v1) ||
	       certificate_key_is_on(key, SN_secp384r1) ||
	       certificate_key_is_on(key, SN_secp521r1);
}

static bool is_critical(const X509 *certificate, int nid)
{
	int at = X509_get_ext_by_NID(certificate, nid, -1);

	return at >= 0 &&
	       X509_EXTENSION_get_critical(X509_get_ext(certificate, at));
}

static int check_authority(const struct chain *chain, unsigned int index,
			   struct verdict *verdict)
{
	X509 *certificate = chain->certificates[index];
	/* Neither this one nor the leaf */
	long below = (long)(chain->count - index - 2);
	long limit = X509_get_pathlen(certificate);

	if (!(X509_get_extension_flags(certificate) & EXFLAG_CA))
		return verdict_refuse(
			verdict, NE_ATTESTATION_CONSTRAINTS,
			"%s is no authority (CA:TRUE), but another "
			"certificate follows it",
			chain_describe(chain, index).text);
	if (!is_critical(certificate, NID_basic_constraints))
		return verdict_refuse(
			verdict, NE_ATTESTATION_CONSTRAINTS,
			"%s has basic constraints that are not critical",
			chain_describe(chain, index).text);
	if (limit >= 0 && below > limit)
		return verdict_refuse(
			verdict, NE_ATTESTATION_CONSTRAINTS,
			"%s has path length %ld, but %ld authorities are "
			"below it",
			chain_describe(chain, index).text, limit, below);
	return 0;
}

static int check_leaf(const struct chain *chain, struct verdict *verdict)
{
	X509 *leaf = chain_leaf(chain);
	const struct certificate_text what =
		chain_describe(chain, chain->count - 1);

	if (X509_get_extension_flags(leaf) & EXFLAG_CA)
		return verdict_refuse(verdict, NE_ATTESTATION_CONSTRAINTS,
				      "%s is an authority (CA:TRUE)",
				      what.text);
	if (X509_get_pathlen(leaf) >= 0)
		return verdict_refuse(
			verdict, NE_ATTESTATION_CONSTRAINTS,
			"%s has a path length, which only authorities "
			"may",
			what.text);
	return 0;
}

static int check_constraints(const struct chain *chain, unsigned int index,
			     struct verdict *verdict)
{
	X509 *certificate = chain->certificates[index];
	int ret;

	if (X509_get_version(certificate) != X509_VERSION_3)
		return verdict_refuse(verdict, NE_ATTESTATION_CONSTRAINTS,
				      "%s is of X.509 version %ld, not 3",
				      chain_describe(chain, index).text,
				      X509_get_version(certificate) + 1);
	if (X509_get_extension_flags(certificate) & EXFLAG_INVALID)
		return verdict_refuse(verdict, NE_ATTESTATION_CONSTRAINTS,
				      "%s has a malformed or doubled extension",
				      chain_describe(chain, index).text);
	ret = check_extensions(chain, index, verdict);
	if (ret)
		return ret;
	if (!key_is_sound(X509_get0_pubkey(certificate)))
		return verdict_refuse(
			verdict, NE_ATTESTATION_CONSTRAINTS,
			"%s has neither an EC key on P-256, P-384 or "
			"P-521, nor an Edwards curve's, nor an RSA key of "
			"at least %d bits",
			chain_describe(chain, index).text, MIN_RSA_BITS);
	return index == chain->count - 1
		       ? check_leaf(chain, verdict)
		       : check_authority(chain, index, verdict);
}

/* --- Key usage ----------------------------------------------------------- */

/* Which are allowed; none if there is no such extension. */
static uint32_t key_usage(X509 *certificate)
{
	if (!(X509_get_extension_flags(certificate) & EXFLAG_KUSAGE))
		return 0;
	return X509_get_key_usage(certificate);
}

static int check_key_usage(const struct chain *chain, struct verdict *verdict)
{
	unsigned int last = chain->count - 1;

	for (unsigned int i = 0; i < last; i++)
		if (!(key_usage(chain->certificates[i]) & KU_KEY_CERT_SIGN))
			return verdict_refuse(verdict, NE_ATTESTATION_KEY_USAGE,
					      "%s may not sign certificates "
					      "(keyCertSign)",
					      chain_describe(chain, i).text);
	if (!(key_usage(chain_leaf(chain)) & KU_DIGITAL_SIGNATURE))
		return verdict_refuse(
			verdict, NE_ATTESTATION_KEY_USAGE,
			"%s may not sign documents (digitalSignature)",
			chain_describe(chain, last).text);
	if (key_usage(chain_leaf(chain)) & KU_KEY_CERT_SIGN)
		return verdict_refuse(
			verdict, NE_ATTESTATION_KEY_USAGE,
			"%s may sign certificates (keyCertSign), which "
			"only authorities may",
			chain_describe(chain, last).text);
	return 0;
}

/* --- Signatures, and the rest of RFC 5280 -------------------------------- */

/* What OpenSSL takes to judge a chain. */
struct judge {
	X509_STORE *store;
	X509_STORE_CTX *context;
	STACK_OF(X509) * untrusted;
};

static void cleanup_judgep(struct judge *judge)
{
	X509_STORE_CTX_free(judge->context);
	X509_STORE_free(judge->store);
	sk_X509_free(judge->untrusted);
}

#define cleanup_judge __attribute__((cleanup(cleanup_judgep)))

static bool prepare_judge(struct judge *judge, const struct chain *chain)
{
	X509_VERIFY_PARAM *param;

	judge->store = X509_STORE_new();
	judge->context = X509_STORE_CTX_new();
	judge->untrusted = sk_X509_new_null();
	if (!judge->store || !judge->context || !judge->untrusted ||
	    !X509_STORE_add_cert(judge->store, chain_root(chain)))
		return false;
	for (unsigned int i = 1; i < chain->count - 1; i++)
		if (!sk_X509_push(judge->untrusted, chain->certificates[i]))
			return false;
	if (!X509_STORE_CTX_init(judge->context, judge->store,
				 chain_leaf(chain), judge->untrusted))
		return false;
	param = X509_STORE_CTX_get0_param(judge->context);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
}

/* "No issuer found" is a poor reason when it is there. */
static int better_reason(const struct chain *chain, unsigned int index,
			 int error)
{
	int reason;

	if (error != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY &&
	    error != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT &&
	    error != X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)
		return error;
	reason = X509_check_issued(chain->certificates[index - 1],
				   chain->certificates[index]);
	return reason == X509_V_OK ? error : reason;
}

static int not_a_chain(const struct chain *chain, X509_STORE_CTX *context,
		       struct verdict *verdict)
{
	int error = X509_STORE_CTX_get_error(context);
	int depth = X509_STORE_CTX_get_error_depth(context);
	unsigned int last = chain->count - 1;
	unsigned int index = depth < 0 || (unsigned int)depth > last
				     ? 0
				     : last - (unsigned int)depth;

	if (error == X509_V_ERR_OUT_OF_MEM || verdict_lacks_memory())
		return verdict_openssl(verdict, "verify certificates");
	if (index)
		error = better_reason(chain, index, error);
	if (error == X509_V_ERR_CERT_SIGNATURE_FAILURE && index)
		return verdict_refuse(
			verdict, NE_ATTESTATION_CHAIN,
			"%s was not signed by the certificate before it "
			"(CN=%s), which it names as its issuer",
			chain_describe(chain, index).text,
			certificate_common_name(
				X509_get_subject_name(
					chain->certificates[index - 1]))
				.text);
	return verdict_refuse(verdict, NE_ATTESTATION_CHAIN, "%s: %s",
			      chain_describe(chain, index).text,
			      X509_verify_cert_error_string(error));
}

/* OpenSSL looks for a chain itself: it must have found this one. */
static bool is_the_chain(const struct chain *chain, X509_STORE_CTX *context)
{
	STACK_OF(X509) *found = X509_STORE_CTX_get0_chain(context);

	if (sk_X509_num(found) != (int)chain->count)
		return false;
	for (unsigned int i = 0; i < chain->count; i++)
		if (X509_cmp(sk_X509_value(found, (int)i),
			     chain->certificates[chain->count - 1 - i]))
			return false;
	return true;
}

static int check_signatures(const struct chain *chain, struct verdict *verdict)
{
	cleanup_judge struct judge judge = { 0 };

	if (!prepare_judge(&judge, chain))
		return verdict_openssl(verdict, "verify certificates");
	if (X509_verify_cert(judge.context) != 1)
		return not_a_chain(chain, judge.context, verdict);
	if (!is_the_chain(chain, judge.context))
		return verdict_refuse(
			verdict, NE_ATTESTATION_CHAIN,
			"some of the document's certificates do not "
			"belong to the chain from its root to its leaf");
	return 0;
}

int chain_check(const struct chain *chain, struct verdict *verdict)
{
	int ret = check_order(chain, verdict);

	for (unsigned int i = 0; !ret && i < chain->count; i++)
		ret = check_constraints(chain, i, verdict);
	if (!ret)
		ret = check_key_usage(chain, verdict);
	if (!ret)
		ret = check_signatures(chain, verdict);
	return ret;
}

/* --- Validity ------------------------------------------------------------ */

static bool to_seconds(const ASN1_TIME *time, int64_t *seconds)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(time, &tm))
		return false;
	*seconds = timegm(&tm);
	return true;
}

static int check_certificate_validity(const struct chain *chain,
				      unsigned int index, int64_t time,
				      struct verdict *verdict)
{
	const X509 *certificate = chain->certificates[index];
	int64_t from, to;

	if (!to_seconds(X509_get0_notBefore(certificate), &from) ||
	    !to_seconds(X509_get0_notAfter(certificate), &to))
		return verdict_refuse(verdict, NE_ATTESTATION_VALIDITY,
				      "%s has a malformed validity",
				      chain_describe(chain, index).text);
	if (time < from)
		return verdict_refuse(
			verdict, NE_ATTESTATION_VALIDITY,
			"%s is not yet valid at %s: its life begins at "
			"%s; check the clock",
			chain_describe(chain, index).text,
			utc_describe(time).text, utc_describe(from).text);
	if (time > to)
		return verdict_refuse(
			verdict, NE_ATTESTATION_VALIDITY,
			"%s has expired: its life ended at %s, and it is "
			"verified at %s; verify an old document at the "
			"time it was made",
			chain_describe(chain, index).text,
			utc_describe(to).text, utc_describe(time).text);
	return 0;
}

int chain_check_validity(const struct chain *chain, int64_t time,
			 struct verdict *verdict)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < chain->count; i++)
		ret = check_certificate_validity(chain, i, time, verdict);
	return ret;
}
