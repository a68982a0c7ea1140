// SPDX-License-Identifier: Apache-2.0
/*
 * What is in a document, for people and for programs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libne/cleanup.h"
#include "ne-attest/certificates.h"
#include "ne-attest/document.h"
#include "ne-attest/times.h"

/* --- The certificates, root first and leaf last -------------------------- */

static unsigned int count_certificates(const struct ne_attestation *attestation)
{
	return ne_attestation_cabundle_count(attestation) + 1;
}

static const struct ne_attestation_bytes *
certificate_at(const struct ne_attestation *attestation, unsigned int index)
{
	const struct ne_attestation_bytes *authority =
		ne_attestation_cabundle(attestation, index);

	return authority ? authority : ne_attestation_certificate(attestation);
}

/* --- For people ---------------------------------------------------------- */

#define LABEL "%-13s"

static void print_hex(const struct ne_attestation_bytes *bytes)
{
	for (size_t i = 0; i < bytes->size; i++)
		printf("%02x", bytes->data[i]);
}

static bool is_zero(const struct ne_attestation_bytes *bytes)
{
	for (size_t i = 0; i < bytes->size; i++)
		if (bytes->data[i])
			return false;
	return true;
}

static bool is_printable(const struct ne_attestation_bytes *bytes)
{
	for (size_t i = 0; i < bytes->size; i++)
		if (bytes->data[i] < 0x20 || bytes->data[i] > 0x7e)
			return false;
	return bytes->size;
}

/* Text from a document must not play with the terminal. */
static void print_text(const char *label, const char *text)
{
	printf(LABEL, label);
	for (; *text; text++)
		putchar(*text < 0x20 || *text > 0x7e ? '?' : *text);
	putchar('\n');
}

static void print_data(const char *label,
		       const struct ne_attestation_bytes *bytes)
{
	printf(LABEL, label);
	if (!bytes)
		printf("none");
	else if (!bytes->size)
		printf("empty");
	else
		print_hex(bytes);
	if (bytes && is_printable(bytes))
		printf(" (\"%.*s\")", (int)bytes->size,
		       (const char *)bytes->data);
	putchar('\n');
}

static void print_pcrs(const struct ne_attestation *attestation)
{
	for (unsigned int i = 0; i < NE_PCR_COUNT; i++) {
		const struct ne_attestation_bytes *pcr =
			ne_attestation_pcr(attestation, i);
		char label[16];

		if (!pcr)
			continue;
		snprintf(label, sizeof(label), "PCR%u", i);
		printf(LABEL, label);
		if (is_zero(pcr))
			printf("zero");
		else
			print_hex(pcr);
		putchar('\n');
	}
}

static void print_certificate(const char *label,
			      const struct ne_attestation_bytes *der)
{
	cleanup_certificate_words struct certificate_words words;

	if (!certificate_describe(&words, der)) {
		printf(LABEL "malformed\n", label);
		return;
	}
	printf(LABEL "%s\n", label, words.subject);
	printf(LABEL "valid %s to %s\n", "",
	       time_to_text(words.not_before).text,
	       time_to_text(words.not_after).text);
	printf(LABEL "SHA-256 %s\n", "", words.sha256);
}

static void print_certificates(const struct ne_attestation *attestation)
{
	unsigned int count = count_certificates(attestation);

	for (unsigned int i = 0; i < count; i++) {
		const char *label = "authority";

		if (i == count - 1)
			label = "leaf";
		else if (!i)
			label = "root";
		print_certificate(label, certificate_at(attestation, i));
	}
}

void document_print(const struct ne_attestation *attestation)
{
	print_text("module id", ne_attestation_module_id(attestation));
	print_text("made",
		   time_to_text_ms(ne_attestation_timestamp(attestation)).text);
	print_text("debug mode",
		   ne_attestation_is_debug(attestation) ? "yes" : "no");
	print_text("digest", ne_attestation_digest(attestation));
	print_pcrs(attestation);
	print_data("nonce", ne_attestation_nonce(attestation));
	print_data("user data", ne_attestation_user_data(attestation));
	print_data("public key", ne_attestation_public_key(attestation));
	print_certificates(attestation);
}

/* --- For programs -------------------------------------------------------- */

static json_t *bytes_to_json(const struct ne_attestation_bytes *bytes)
{
	cleanup_free char *hex = NULL;

	if (!bytes)
		return json_null();
	hex = bytes_to_hex(bytes->data, bytes->size);
	return hex ? json_string(hex) : NULL;
}

static json_t *pcrs_to_json(const struct ne_attestation *attestation)
{
	json_t *json = json_object();

	for (unsigned int i = 0; i < NE_PCR_COUNT; i++) {
		const struct ne_attestation_bytes *pcr =
			ne_attestation_pcr(attestation, i);
		char key[16];

		snprintf(key, sizeof(key), "%u", i);
		if (pcr && json_object_set_new(json, key, bytes_to_json(pcr))) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static json_t *certificate_to_json(const struct ne_attestation_bytes *der)
{
	cleanup_certificate_words struct certificate_words words;

	if (!certificate_describe(&words, der))
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "subject",
			 words.subject, "issuer", words.issuer, "serial",
			 words.serial, "not_before",
			 time_to_text(words.not_before).text, "not_after",
			 time_to_text(words.not_after).text, "sha256",
			 words.sha256);
}

static json_t *certificates_to_json(const struct ne_attestation *attestation)
{
	json_t *json = json_array();

	for (unsigned int i = 0; i < count_certificates(attestation); i++)
		if (json_array_append_new(
			    json, certificate_to_json(
					  certificate_at(attestation, i)))) {
			json_decref(json);
			return NULL;
		}
	return json;
}

json_t *document_to_json(const struct ne_attestation *attestation)
{
	/* json_pack() takes what "o" names, and fails if one of them is NULL. */
	return json_pack(
		"{s:s, s:s, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:o}",
		"module_id", ne_attestation_module_id(attestation), "digest",
		ne_attestation_digest(attestation), "timestamp",
		(json_int_t)ne_attestation_timestamp(attestation), "made",
		time_to_text_ms(ne_attestation_timestamp(attestation)).text,
		"debug_mode", (int)ne_attestation_is_debug(attestation), "pcrs",
		pcrs_to_json(attestation), "nonce",
		bytes_to_json(ne_attestation_nonce(attestation)), "user_data",
		bytes_to_json(ne_attestation_user_data(attestation)),
		"public_key",
		bytes_to_json(ne_attestation_public_key(attestation)),
		"certificates", certificates_to_json(attestation));
}
