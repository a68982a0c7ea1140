// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/hierarchy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "libne/endian.h"
#include "nsm-emu/certificate.h"
#include "nsm-emu/crypto.h"
#include "nsm-emu/key.h"
#include "nsm-emu/random.h"

#define HOUR 3600
#define DAY (24 * HOUR)

#define ROOT_YEARS 30
/* So that one made today is good for clocks that are set back. */
#define ROOT_YEARS_BACK 10
/* 2020-01-01 00:00:00 UTC: a seed shall give the same root on any day. */
#define SEEDED_ROOT_NOT_BEFORE 1577836800

#define SERIAL_MAX 20
#define LEAF_SERIAL_SIZE 16

#define COUNTRY           \
	{                 \
		"C", "ZZ" \
	}
#define ORGANISATION         \
	{                    \
		"O", "libne" \
	}
#define UNIT                     \
	{                        \
		"OU", "Emulated" \
	}

#define AUTHORITY_USAGE "critical,digitalSignature,keyCertSign,cRLSign"

/* Random parts of a certificate other than its key. */
struct chance {
	uint8_t serial[SERIAL_MAX];
	uint8_t name[8];
	uint8_t crl[16];
};

/*
 * How levels differ. A certificate's name begins with the level's; lifetimes
 * are those of certificates of real documents. What is backdated is valid
 * before what is below it, although they are made together.
 */
static const struct level {
	const char *name;
	int64_t backdate; /* seconds */
	int64_t lifetime; /* seconds, from not_before */
	size_t serial_size;
	const char *basic_constraints;
	const char *key_usage;
	bool has_key_ids;
	bool has_crl;
} levels[HIERARCHY_LEVELS] = {
	[HIERARCHY_ROOT] = {
		.name = "root",
		.serial_size = 16,
		.basic_constraints = "critical,CA:TRUE",
		.key_usage = AUTHORITY_USAGE,
		.has_key_ids = true,
	},
	[HIERARCHY_REGIONAL] = {
		.name = "regional",
		.backdate = HOUR,
		.lifetime = 20 * DAY + HOUR,
		.serial_size = 16,
		.basic_constraints = "critical,CA:TRUE,pathlen:2",
		.key_usage = AUTHORITY_USAGE,
		.has_key_ids = true,
		.has_crl = true,
	},
	[HIERARCHY_ZONAL] = {
		.name = "zonal",
		.backdate = HOUR / 2,
		.lifetime = 5 * DAY + 19 * HOUR - 1,
		.serial_size = 16,
		.basic_constraints = "critical,CA:TRUE,pathlen:1",
		.key_usage = AUTHORITY_USAGE,
		.has_key_ids = true,
		.has_crl = true,
	},
	[HIERARCHY_INSTANCE] = {
		.name = "instance",
		.backdate = HOUR / 4,
		.lifetime = DAY,
		.serial_size = SERIAL_MAX,
		.basic_constraints = "critical,CA:TRUE,pathlen:0",
		.key_usage = "critical,keyCertSign",
	},
	[HIERARCHY_LEAF] = {
		.name = "leaf",
		.backdate = HIERARCHY_LEAF_BACKDATE,
		.lifetime = HIERARCHY_LEAF_BACKDATE + HIERARCHY_LEAF_LIFETIME,
		.serial_size = LEAF_SERIAL_SIZE,
		.basic_constraints = "critical,CA:FALSE",
		.key_usage = "digitalSignature,nonRepudiation",
	},
};

const char *hierarchy_left_out(int32_t path_length)
{
	static const char *const left_out[] = {
		"region, zone and instance",
		"region and zone",
		"region",
	};

	return path_length < (int32_t)ARRAY_SIZE(left_out)
		       ? left_out[path_length]
		       : NULL;
}

/* --- Validity --------------------------------------------------------------- */

static int64_t add_years(int64_t time, int years)
{
	const time_t seconds = time;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		return time;
	tm.tm_year += years;
	return timegm(&tm);
}

/* Real ones live for 30 years and an hour. */
static struct hierarchy_validity root_validity(int64_t not_before)
{
	return (struct hierarchy_validity){
		.not_before = not_before,
		.not_after = add_years(not_before, ROOT_YEARS) + HOUR,
	};
}

struct hierarchy_validity hierarchy_validity(enum hierarchy_level level,
					     int64_t now,
					     const struct nsm_random *random)
{
	const int64_t not_before = now - levels[level].backdate;

	if (level == HIERARCHY_ROOT)
		return root_validity(
			nsm_random_is_seeded(random)
				? SEEDED_ROOT_NOT_BEFORE
				: add_years(now, -ROOT_YEARS_BACK));
	return (struct hierarchy_validity){
		.not_before = not_before,
		.not_after = not_before + levels[level].lifetime,
	};
}

/* --- Chance ----------------------------------------------------------------- */

static struct nsm_random *source(enum hierarchy_level level,
				 const struct hierarchy_names *names,
				 struct hierarchy_validity validity,
				 const struct nsm_random *random)
{
	const char *name = level == HIERARCHY_LEAF	 ? names->module_id
			   : level == HIERARCHY_INSTANCE ? names->instance_id
			   : level == HIERARCHY_ROOT	 ? ""
							 : names->region;
	cleanup_free char *label = NULL;

	if (asprintf(&label, "%s %" PRId64 " %" PRId64 " %s",
		     levels[level].name, validity.not_before,
		     validity.not_after, name) < 0) {
		label = NULL;
		return NULL;
	}
	return nsm_random_derive(random, label);
}

/* A positive number that has all of its bytes. */
static void make_serial(uint8_t *serial)
{
	serial[0] = (serial[0] & 0x3f) | 0x40;
}

/* In text: 8 random bytes, 16 characters. */
#define NAME_SIZE 17

static void make_name(const struct chance *chance, char text[NAME_SIZE])
{
	snprintf(text, NAME_SIZE, "%016" PRIx64,
		 get_big_endian64(chance->name));
}

#define CRL_SIZE 96

/* A random UUID [RFC 9562, 5.4] under a name that never exists [RFC 2606]. */
static void make_crl(const struct chance *chance, char text[CRL_SIZE])
{
	const uint8_t *u = chance->crl;

	snprintf(text, CRL_SIZE,
		 "URI:http://crl.emulated.invalid/crl/"
		 "%08" PRIx32 "-%04x-4%03x-%04x-%04x%08" PRIx32 ".crl",
		 get_big_endian32(u), get_big_endian16(u + 4),
		 get_big_endian16(u + 6) & 0xfff,
		 (get_big_endian16(u + 8) & 0x3fff) | 0x8000,
		 get_big_endian16(u + 10), get_big_endian32(u + 12));
}

/* --- The leaf ---------------------------------------------------------------- */

/*
 * The enclave's id: the number behind "-enc" in a module id as Nitro makes
 * them, else of any other a number of that size.
 */
static int enclave_id(const char *module_id, uint8_t id[8])
{
	const char *enc = strstr(module_id, "-enc");
	const char *digits = enc ? enc + strlen("-enc") : "";
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (strlen(digits) == 16 &&
	    strspn(digits, "0123456789abcdefABCDEF") == 16) {
		put_big_endian64(id, strtoull(digits, NULL, 16));
		return 0;
	}
	if (!EVP_Digest(module_id, strlen(module_id), digest, NULL,
			EVP_sha256(), NULL))
		return -EIO;
	memcpy(id, digest, 8);
	return 0;
}

/* Real ones are made of the enclave's id, 0, and not_before. */
static int leaf_serial(const char *module_id, int64_t not_before,
		       uint8_t serial[LEAF_SERIAL_SIZE])
{
	put_big_endian32(serial + 8, 0);
	put_big_endian32(serial + 12, (uint32_t)not_before);
	return enclave_id(module_id, serial);
}

/* How many bytes of a text there are up to a character that ends by `most`. */
static size_t cut(const char *text, size_t most)
{
	size_t size = strlen(text);

	if (size <= most)
		return size;
	for (size = most; size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80;)
		size--;
	return size;
}

/*
 * Module ids as Nitro makes them fit into a common name. Longer ones are
 * allowed to enclaves of an emulator, and are cut.
 */
static int leaf_name(const struct hierarchy_names *names,
		     char name[CERTIFICATE_COMMON_NAME_MAX + 1])
{
	const size_t suffix = strlen(names->region) + strlen("..emulated");

	if (suffix >= CERTIFICATE_COMMON_NAME_MAX)
		return CERTIFICATE_COMMON_NAME_MAX + 1;
	return snprintf(name, CERTIFICATE_COMMON_NAME_MAX + 1,
			"%.*s.%s.emulated",
			(int)cut(names->module_id,
				 CERTIFICATE_COMMON_NAME_MAX - suffix),
			names->module_id, names->region);
}

/* --- The certificate --------------------------------------------------------- */

static int common_name(enum hierarchy_level level,
		       const struct hierarchy_names *names,
		       const struct chance *chance,
		       char name[CERTIFICATE_COMMON_NAME_MAX + 1])
{
	const size_t size = CERTIFICATE_COMMON_NAME_MAX + 1;
	char random[NAME_SIZE];

	make_name(chance, random);
	switch (level) {
	case HIERARCHY_ROOT:
		return snprintf(name, size, HIERARCHY_DOMAIN);
	case HIERARCHY_REGIONAL:
		return snprintf(name, size, "%s.%s." HIERARCHY_DOMAIN, random,
				names->region);
	case HIERARCHY_ZONAL:
		return snprintf(name, size, "%s.zonal.%s." HIERARCHY_DOMAIN,
				random, names->region);
	case HIERARCHY_INSTANCE:
		return snprintf(name, size, "%s.%s." HIERARCHY_DOMAIN,
				names->instance_id, names->region);
	case HIERARCHY_LEAF:
		break;
	}
	return leaf_name(names, name);
}

/* The kinds and orders of a real chain's names. */
static void set_subject(struct certificate_description *d,
			enum hierarchy_level level, const char *common)
{
	const struct certificate_name_part
		authority[CERTIFICATE_NAME_PARTS_MAX] = { COUNTRY,
							  ORGANISATION,
							  UNIT,
							  { "CN", common } },
		zonal[CERTIFICATE_NAME_PARTS_MAX] = { { "CN", common },
						      UNIT,
						      ORGANISATION,
						      COUNTRY,
						      { "ST", "NW" },
						      { "L", "Nowhere" } },
		instance[CERTIFICATE_NAME_PARTS_MAX] = { COUNTRY,
							 { "ST", "Nowhere" },
							 { "L", "Nowhere" },
							 ORGANISATION,
							 UNIT,
							 { "CN", common } };
	const struct certificate_name_part *subject =
		level == HIERARCHY_ZONAL      ? zonal
		: level >= HIERARCHY_INSTANCE ? instance
					      : authority;

	memcpy(d->subject, subject, sizeof(d->subject));
}

static int name_too_long(enum hierarchy_level level, struct ne_error *err)
{
	return ne_error_set(
		err, EINVAL,
		"the name of the %s certificate would be longer than %d characters; take a shorter region or instance id",
		levels[level].name, CERTIFICATE_COMMON_NAME_MAX);
}

int hierarchy_check_names(const struct hierarchy_names *names,
			  struct ne_error *err)
{
	char name[CERTIFICATE_COMMON_NAME_MAX + 1];
	const struct chance chance = { 0 };
	enum hierarchy_level level;

	for (level = HIERARCHY_REGIONAL; level <= HIERARCHY_LEAF; level++)
		if (common_name(level, names, &chance, name) >=
		    (int)sizeof(name))
			return name_too_long(level, err);
	return 0;
}

static int certify(struct hierarchy_signer *made, enum hierarchy_level level,
		   const struct hierarchy_names *names, struct chance *chance,
		   const struct hierarchy_signer *issuer, struct ne_error *err)
{
	const struct level *shape = &levels[level];
	char name[CERTIFICATE_COMMON_NAME_MAX + 1];
	char crl[CRL_SIZE];
	struct certificate_description d = {
		.key = made->key,
		.issuer = issuer ? issuer->certificate : NULL,
		.issuer_key = issuer ? issuer->key : made->key,
		.serial = chance->serial,
		.serial_size = shape->serial_size,
		.not_before = made->validity.not_before,
		.not_after = made->validity.not_after,
		.basic_constraints = shape->basic_constraints,
		.key_usage = shape->key_usage,
		.crl = shape->has_crl ? crl : NULL,
		.has_key_ids = shape->has_key_ids,
	};

	if (common_name(level, names, chance, name) >= (int)sizeof(name))
		return name_too_long(level, err);
	set_subject(&d, level, name);
	make_crl(chance, crl);
	make_serial(chance->serial);
	if (level == HIERARCHY_LEAF &&
	    leaf_serial(names->module_id, d.not_before, chance->serial))
		return crypto_error(err, EIO, "cannot number a certificate");
	return certificate_make(&made->certificate, &d, err);
}

static int make(struct hierarchy_signer *made, enum hierarchy_level level,
		const struct hierarchy_names *names,
		const struct hierarchy_signer *issuer,
		struct nsm_random *random, struct ne_error *err)
{
	struct chance chance = { 0 };
	int r = nsm_key_new(&made->key, random, err);

	if (r)
		return r;
	if (nsm_random_bytes(random, &chance, sizeof(chance)))
		return ne_error_set(
			err, EIO,
			"cannot make a certificate: there is no randomness");
	return certify(made, level, names, &chance, issuer, err);
}

int hierarchy_make(struct hierarchy_signer *made, enum hierarchy_level level,
		   const struct hierarchy_names *names,
		   struct hierarchy_validity validity,
		   const struct hierarchy_signer *issuer,
		   const struct nsm_random *random, struct ne_error *err)
{
	struct hierarchy_signer signer = { .validity = validity };
	struct nsm_random *own = source(level, names, validity, random);
	int r;

	if (!own)
		return ne_error_set(err, ENOMEM, "out of memory");
	r = make(&signer, level, names, issuer, own, err);
	nsm_random_free(own);
	if (r)
		hierarchy_signer_clear(&signer);
	else
		*made = signer;
	return r;
}

void hierarchy_signer_clear(struct hierarchy_signer *signer)
{
	nsm_key_free(signer->key);
	X509_free(signer->certificate);
	*signer = (struct hierarchy_signer){ 0 };
}
