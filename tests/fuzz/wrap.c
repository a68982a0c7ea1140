// SPDX-License-Identifier: Apache-2.0
/*
 * Makes allocations, calls of OpenSSL and of the kernel fail.
 *
 * Theory of operation
 *
 * The linker's --wrap (wrap.options has one for each name here) sends calls
 * that are made in the program to the functions below, and lets these reach the
 * real ones. What OpenSSL itself calls is not touched: it is our handling of
 * failures that is to be tried. A name that is only here, or only there, does
 * not link. A target says from where to where calls of it can fail (fuzz.h), so
 * that its own do not.
 *
 * libFuzzer's call of the target comes here, too. The last four bytes of an
 * input say what fails; the target gets the rest. Two bytes are the number of
 * the first call to fail; of those that follow, one in so many fails as the
 * other two bytes say, or none if that is 0. The one call alone reaches each
 * error path; more of them reach error paths that themselves call what can
 * fail, and callers that go on. The mutator knows how many calls there were, so
 * that the first number is mostly one of a call.
 *
 * A call fails as its manual says: those that tell "no" (0) from "cannot say"
 * (negative) cannot say. Nothing is put into OpenSSL's error queue. What cannot
 * fail, given what it is given, is not here: X509_up_ref(), ECDSA_SIG_set0().
 */
#include "tests/fuzz/wrap.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "libne/endian.h"

/* At the end of an input. */
#define PLAN_SIZE 4

/* --- Which calls fail --------------------------------------------------------- */

static atomic_bool is_on;
static atomic_bool has_failed;
static atomic_uint calls;
static unsigned int most_calls = 1; /* for one input */
static unsigned int first;	    /* to fail; 0: none */
static unsigned int odds;	    /* one in so many of the others; 0: none */

static bool chance(unsigned int call)
{
	return odds && (call * UINT32_C(2654435761) >> 16) % odds == 0;
}

static bool fails(void)
{
	unsigned int call;

	if (!is_on)
		return false;
	call = atomic_fetch_add(&calls, 1) + 1;
	if (!first || call < first || (call > first && !chance(call)))
		return false;
	has_failed = true;
	return true;
}

void wrap_start(void)
{
	is_on = true;
}

void wrap_stop(void)
{
	is_on = false;
}

bool wrap_has_failed(void)
{
	return has_failed;
}

/* --- Between libFuzzer and the target ------------------------------------------ */

int __real_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *plan;
	int ret;

	if (size < PLAN_SIZE)
		return -1;
	plan = data + size - PLAN_SIZE;
	first = get_big_endian16(plan);
	odds = get_big_endian16(plan + 2);
	calls = 0;
	has_failed = false;
	ret = __real_LLVMFuzzerTestOneInput(data, size - PLAN_SIZE);
	wrap_stop();
	if (calls > most_calls)
		most_calls = calls;
	return ret;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);

static void make_plan(uint8_t plan[PLAN_SIZE], unsigned int seed)
{
	const unsigned int range = most_calls < 0xffff ? most_calls : 0xffff;

	put_big_endian16(plan, (uint16_t)(1 + seed / 8 % range));
	put_big_endian16(plan + 2,
			 seed % 8 ? 0 : (uint16_t)(1 + seed / 8 % 61));
}

/* Changes what fails, or what is looked at then. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	uint8_t plan[PLAN_SIZE] = { 0 };

	if (max < PLAN_SIZE)
		return 0;
	if (size >= PLAN_SIZE) {
		size -= PLAN_SIZE;
		memcpy(plan, data + size, PLAN_SIZE);
	} else {
		size = 0;
	}
	if (seed % 2)
		make_plan(plan, seed / 2);
	else
		size = LLVMFuzzerMutate(data, size, max - PLAN_SIZE);
	memcpy(data + size, plan, PLAN_SIZE);
	return size + PLAN_SIZE;
}

/* --- Memory and threads ------------------------------------------------------- */

/* name(parameters), called with arguments, fails with this value and errno. */
#define WRAP_ERRNO(type, name, parameters, arguments, failure, error) \
	type __real_##name parameters;                                \
	type __wrap_##name parameters;                                \
	type __wrap_##name parameters                                 \
	{                                                             \
		if (!fails())                                         \
			return __real_##name arguments;               \
		errno = error;                                        \
		return failure;                                       \
	}

#define WRAP(type, name, parameters, arguments, failure) \
	WRAP_ERRNO(type, name, parameters, arguments, failure, ENOMEM)

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP(void *, reallocarray, (void *old, size_t count, size_t size),
     (old, count, size), NULL)
WRAP(char *, strdup, (const char *text), (text), NULL)
WRAP(char *, strndup, (const char *text, size_t size), (text, size), NULL)
WRAP(int, vasprintf, (char **to, const char *format, va_list args),
     (to, format, args), -1)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes,
      void *(*run)(void *), void *data),
     (thread, attributes, run, data), EAGAIN)

int __wrap_asprintf(char **to, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

int __wrap_asprintf(char **to, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = __wrap_vasprintf(to, format, args);
	va_end(args);
	return size;
}

/* --- Digests and keys --------------------------------------------------------- */

WRAP(void *, CRYPTO_malloc, (size_t size, const char *file, int line),
     (size, file, line), NULL)
WRAP(int, RAND_bytes_ex,
     (OSSL_LIB_CTX * context, unsigned char *to, size_t size,
      unsigned int strength),
     (context, to, size, strength), 0)

WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), NULL)
WRAP(int, EVP_MD_CTX_copy_ex, (EVP_MD_CTX * to, const EVP_MD_CTX *from),
     (to, from), 0)
WRAP(int, EVP_Digest,
     (const void *data, size_t count, unsigned char *digest, unsigned int *size,
      const EVP_MD *type, ENGINE *engine),
     (data, count, digest, size, type, engine), 0)
WRAP(int, EVP_DigestInit_ex,
     (EVP_MD_CTX * context, const EVP_MD *type, ENGINE *engine),
     (context, type, engine), 0)
WRAP(int, EVP_DigestUpdate,
     (EVP_MD_CTX * context, const void *data, size_t size),
     (context, data, size), 0)
WRAP(int, EVP_DigestFinal_ex,
     (EVP_MD_CTX * context, unsigned char *digest, unsigned int *size),
     (context, digest, size), 0)
WRAP(int, EVP_DigestSignInit,
     (EVP_MD_CTX * context, EVP_PKEY_CTX **key_context, const EVP_MD *type,
      ENGINE *engine, EVP_PKEY *key),
     (context, key_context, type, engine, key), 0)
WRAP(int, EVP_DigestSign,
     (EVP_MD_CTX * context, unsigned char *signature, size_t *size,
      const unsigned char *data, size_t data_size),
     (context, signature, size, data, data_size), 0)
WRAP(int, EVP_DigestVerifyInit_ex,
     (EVP_MD_CTX * context, EVP_PKEY_CTX **key_context, const char *name,
      OSSL_LIB_CTX *library, const char *properties, EVP_PKEY *key,
      const OSSL_PARAM parameters[]),
     (context, key_context, name, library, properties, key, parameters), 0)
WRAP(int, EVP_DigestVerifyUpdate,
     (EVP_MD_CTX * context, const void *data, size_t size),
     (context, data, size), 0)
WRAP(int, EVP_DigestVerifyFinal,
     (EVP_MD_CTX * context, const unsigned char *signature, size_t size),
     (context, signature, size), -1)
WRAP(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name,
     (OSSL_LIB_CTX * library, const char *name, const char *properties),
     (library, name, properties), NULL)
WRAP(int, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX * context), (context), -1)
WRAP(int, EVP_PKEY_fromdata,
     (EVP_PKEY_CTX * context, EVP_PKEY **key, int selection,
      OSSL_PARAM parameters[]),
     (context, key, selection, parameters), -1)
WRAP(int, EVP_PKEY_get_bn_param,
     (const EVP_PKEY *key, const char *name, BIGNUM **number),
     (key, name, number), 0)
WRAP(int, EVP_PKEY_get_group_name,
     (const EVP_PKEY *key, char *name, size_t capacity, size_t *size),
     (key, name, capacity, size), 0)
WRAP(int, EVP_PKEY_eq, (const EVP_PKEY *a, const EVP_PKEY *b), (a, b), -1)
WRAP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_new, (void), (), NULL)
WRAP(OSSL_PARAM *, OSSL_PARAM_BLD_to_param, (OSSL_PARAM_BLD * builder),
     (builder), NULL)
WRAP(int, OSSL_PARAM_BLD_push_BN,
     (OSSL_PARAM_BLD * builder, const char *name, const BIGNUM *number),
     (builder, name, number), 0)
WRAP(int, OSSL_PARAM_BLD_push_utf8_string,
     (OSSL_PARAM_BLD * builder, const char *name, const char *text,
      size_t size),
     (builder, name, text, size), 0)
WRAP(int, OSSL_PARAM_BLD_push_octet_string,
     (OSSL_PARAM_BLD * builder, const char *name, const void *bytes,
      size_t size),
     (builder, name, bytes, size), 0)

/* EVP_EC_gen() is this with a type of "EC" and the name of a curve. */
EVP_PKEY *__real_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *library,
				   const char *properties, const char *type,
				   ...);
EVP_PKEY *__wrap_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *library,
				   const char *properties, const char *type,
				   ...);

EVP_PKEY *__wrap_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *library,
				   const char *properties, const char *type,
				   ...)
{
	const char *curve;
	va_list args;

	if (strcmp(type, "EC") != 0)
		abort();
	va_start(args, type);
	curve = va_arg(args, const char *);
	va_end(args);
	return fails() ? NULL
		       : __real_EVP_PKEY_Q_keygen(library, properties, type,
						  curve);
}

/* --- Numbers, curves and signatures ------------------------------------------- */

WRAP(BIGNUM *, BN_new, (void), (), NULL)
WRAP(BIGNUM *, BN_secure_new, (void), (), NULL)
WRAP(BIGNUM *, BN_dup, (const BIGNUM *from), (from), NULL)
WRAP(BN_CTX *, BN_CTX_secure_new, (void), (), NULL)
WRAP(BIGNUM *, BN_bin2bn, (const unsigned char *bytes, int size, BIGNUM *to),
     (bytes, size, to), NULL)
WRAP(int, BN_bn2binpad, (const BIGNUM *from, unsigned char *to, int size),
     (from, to, size), -1)
WRAP(ASN1_INTEGER *, BN_to_ASN1_INTEGER, (const BIGNUM *from, ASN1_INTEGER *to),
     (from, to), NULL)
WRAP(int, BN_add_word, (BIGNUM * number, BN_ULONG word), (number, word), 0)
WRAP(int, BN_sub_word, (BIGNUM * number, BN_ULONG word), (number, word), 0)
WRAP(int, BN_sub, (BIGNUM * to, const BIGNUM *a, const BIGNUM *b), (to, a, b),
     0)
WRAP(int, BN_rshift, (BIGNUM * to, const BIGNUM *from, int bits),
     (to, from, bits), 0)
WRAP(int, BN_div,
     (BIGNUM * quotient, BIGNUM *rest, const BIGNUM *a, const BIGNUM *b,
      BN_CTX *context),
     (quotient, rest, a, b, context), 0)
WRAP(int, BN_nnmod,
     (BIGNUM * to, const BIGNUM *a, const BIGNUM *m, BN_CTX *context),
     (to, a, m, context), 0)
WRAP(int, BN_mod_add,
     (BIGNUM * to, const BIGNUM *a, const BIGNUM *b, const BIGNUM *m,
      BN_CTX *context),
     (to, a, b, m, context), 0)
WRAP(int, BN_mod_mul,
     (BIGNUM * to, const BIGNUM *a, const BIGNUM *b, const BIGNUM *m,
      BN_CTX *context),
     (to, a, b, m, context), 0)
WRAP(BIGNUM *, BN_mod_inverse,
     (BIGNUM * to, const BIGNUM *a, const BIGNUM *m, BN_CTX *context),
     (to, a, m, context), NULL)

WRAP(EC_GROUP *, EC_GROUP_new_by_curve_name, (int name), (name), NULL)
WRAP(EC_POINT *, EC_POINT_new, (const EC_GROUP *group), (group), NULL)
WRAP(int, EC_POINT_mul,
     (const EC_GROUP *group, EC_POINT *to, const BIGNUM *generator,
      const EC_POINT *point, const BIGNUM *factor, BN_CTX *context),
     (group, to, generator, point, factor, context), 0)
WRAP(size_t, EC_POINT_point2buf,
     (const EC_GROUP *group, const EC_POINT *point,
      point_conversion_form_t form, unsigned char **to, BN_CTX *context),
     (group, point, form, to, context), 0)
WRAP(int, EC_POINT_get_affine_coordinates,
     (const EC_GROUP *group, const EC_POINT *point, BIGNUM *x, BIGNUM *y,
      BN_CTX *context),
     (group, point, x, y, context), 0)

WRAP(ECDSA_SIG *, ECDSA_SIG_new, (void), (), NULL)
WRAP(ECDSA_SIG *, d2i_ECDSA_SIG,
     (ECDSA_SIG * *to, const unsigned char **from, long size), (to, from, size),
     NULL)
WRAP(int, i2d_ECDSA_SIG, (const ECDSA_SIG *from, unsigned char **to),
     (from, to), -1)

/* --- Certificates ------------------------------------------------------------- */

WRAP(X509 *, X509_new, (void), (), NULL)
WRAP(X509 *, d2i_X509, (X509 * *to, const unsigned char **from, long size),
     (to, from, size), NULL)
WRAP(int, i2d_X509, (const X509 *from, unsigned char **to), (from, to), -1)
WRAP(int, i2d_re_X509_tbs, (X509 * from, unsigned char **to), (from, to), -1)
WRAP(int, i2d_X509_ALGOR, (const X509_ALGOR *from, unsigned char **to),
     (from, to), -1)
WRAP(int, i2d_ASN1_SEQUENCE_ANY,
     (const ASN1_SEQUENCE_ANY *from, unsigned char **to), (from, to), -1)
WRAP(EVP_PKEY *, d2i_AutoPrivateKey,
     (EVP_PKEY * *to, const unsigned char **from, long size), (to, from, size),
     NULL)
WRAP(int, X509_set_version, (X509 * certificate, long version),
     (certificate, version), 0)
WRAP(int, X509_set_pubkey, (X509 * certificate, EVP_PKEY *key),
     (certificate, key), 0)
WRAP(int, X509_set_issuer_name, (X509 * certificate, const X509_NAME *name),
     (certificate, name), 0)
WRAP(int, X509_NAME_add_entry_by_txt,
     (X509_NAME * name, const char *field, int type, const unsigned char *bytes,
      int size, int at, int set),
     (name, field, type, bytes, size, at, set), 0)
WRAP(X509_EXTENSION *, X509V3_EXT_nconf_nid,
     (CONF * config, X509V3_CTX *context, int nid, const char *value),
     (config, context, nid, value), NULL)
WRAP(int, X509_add_ext, (X509 * certificate, X509_EXTENSION *extension, int at),
     (certificate, extension, at), 0)
WRAP(int, X509_sign, (X509 * certificate, EVP_PKEY *key, const EVP_MD *type),
     (certificate, key, type), 0)
WRAP(int, X509_verify, (X509 * certificate, EVP_PKEY *key), (certificate, key),
     -1)
WRAP(int, X509_digest,
     (const X509 *certificate, const EVP_MD *type, unsigned char *digest,
      unsigned int *size),
     (certificate, type, digest, size), 0)
WRAP(EVP_PKEY *, X509_get0_pubkey, (const X509 *certificate), (certificate),
     NULL)
WRAP(X509_STORE *, X509_STORE_new, (void), (), NULL)
WRAP(int, X509_STORE_add_cert, (X509_STORE * store, X509 *certificate),
     (store, certificate), 0)
WRAP(X509_STORE_CTX *, X509_STORE_CTX_new, (void), (), NULL)
WRAP(int, X509_STORE_CTX_init,
     (X509_STORE_CTX * context, X509_STORE *store, X509 *target,
      STACK_OF(X509) * others),
     (context, store, target, others), 0)
WRAP(int, X509_verify_cert, (X509_STORE_CTX * context), (context), -1)
WRAP(int, X509_NAME_print_ex,
     (BIO * to, const X509_NAME *name, int indent, unsigned long flags),
     (to, name, indent, flags), -1)
WRAP(ASN1_TIME *, ASN1_TIME_set, (ASN1_TIME * to, time_t time), (to, time),
     NULL)
WRAP(int, ASN1_TIME_to_tm, (const ASN1_TIME *from, struct tm *to), (from, to),
     0)
WRAP(ASN1_TYPE *, ASN1_TYPE_new, (void), (), NULL)
WRAP(ASN1_STRING *, ASN1_STRING_type_new, (int type), (type), NULL)
WRAP(int, ASN1_STRING_set, (ASN1_STRING * to, const void *bytes, int size),
     (to, bytes, size), 0)
WRAP(int, ASN1_STRING_to_UTF8, (unsigned char **to, const ASN1_STRING *from),
     (to, from), -1)
/* What sk_X509_push() and its like are. */
WRAP(OPENSSL_STACK *, OPENSSL_sk_new_null, (void), (), NULL)
WRAP(int, OPENSSL_sk_push, (OPENSSL_STACK * stack, const void *element),
     (stack, element), 0)

/* --- Files -------------------------------------------------------------------- */

WRAP_ERRNO(int, mkdir, (const char *path, mode_t mode), (path, mode), -1,
	   EACCES)
WRAP_ERRNO(int, fchmodat,
	   (int folder, const char *path, mode_t mode, int flags),
	   (folder, path, mode, flags), -1, EPERM)
WRAP_ERRNO(int, mkostemp, (char *name, int flags), (name, flags), -1, ENOSPC)
WRAP_ERRNO(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EPERM)
WRAP_ERRNO(int, flock, (int fd, int operation), (fd, operation), -1, ENOLCK)
WRAP_ERRNO(int, fsync, (int fd), (fd), -1, EIO)
WRAP_ERRNO(int, rename, (const char *from, const char *to), (from, to), -1, EIO)
WRAP_ERRNO(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size), -1,
	   EIO)
WRAP_ERRNO(ssize_t, write, (int fd, const void *from, size_t size),
	   (fd, from, size), -1, ENOSPC)
WRAP(BIO *, BIO_new, (const BIO_METHOD *method), (method), NULL)
WRAP(BIO *, BIO_new_mem_buf, (const void *bytes, int size), (bytes, size), NULL)
WRAP(int, PEM_read_bio,
     (BIO * from, char **name, char **header, unsigned char **data, long *size),
     (from, name, header, data, size), 0)
WRAP(X509 *, PEM_read_bio_X509,
     (BIO * from, X509 **to, pem_password_cb *password, void *data),
     (from, to, password, data), NULL)
WRAP(int, PEM_write_bio,
     (BIO * to, const char *name, const char *header, const unsigned char *data,
      long size),
     (to, name, header, data, size), 0)
WRAP(int, PEM_write_bio_X509, (BIO * to, const X509 *certificate),
     (to, certificate), 0)
WRAP(int, PEM_write_bio_PKCS8PrivateKey,
     (BIO * to, const EVP_PKEY *key, const EVP_CIPHER *cipher,
      const char *passphrase, int size, pem_password_cb *password, void *data),
     (to, key, cipher, passphrase, size, password, data), 0)
WRAP(OSSL_STORE_CTX *, OSSL_STORE_open,
     (const char *uri, const UI_METHOD *method, void *method_data,
      OSSL_STORE_post_process_info_fn process, void *process_data),
     (uri, method, method_data, process, process_data), NULL)
WRAP(OSSL_STORE_INFO *, OSSL_STORE_load, (OSSL_STORE_CTX * store), (store),
     NULL)
WRAP(EVP_PKEY *, OSSL_STORE_INFO_get1_PKEY, (const OSSL_STORE_INFO *info),
     (info), NULL)
