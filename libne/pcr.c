// SPDX-License-Identifier: Apache-2.0
#include <ne/pcr.h>

#include <errno.h>

#include <openssl/evp.h>

#include "libne/cleanup.h"

static void cleanup_digestp(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}

#define cleanup_digest __attribute__((cleanup(cleanup_digestp)))

int ne_pcr_extend(struct ne_pcr *pcr, const void *data, size_t size,
		  struct ne_error *err)
{
	cleanup_digest EVP_MD_CTX *digest = EVP_MD_CTX_new();
	struct ne_pcr extended;

	if (!digest || !EVP_DigestInit_ex(digest, EVP_sha384(), NULL) ||
	    !EVP_DigestUpdate(digest, pcr->bytes, sizeof(pcr->bytes)) ||
	    !EVP_DigestUpdate(digest, data, size) ||
	    !EVP_DigestFinal_ex(digest, extended.bytes, NULL))
		return ne_error_set(err, EIO,
				    "OpenSSL cannot compute a SHA-384");
	*pcr = extended;
	return 0;
}

void ne_pcr_to_hex(const struct ne_pcr *pcr, char hex[NE_PCR_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned int i;

	for (i = 0; i < NE_PCR_SIZE; i++) {
		hex[2 * i] = digits[pcr->bytes[i] >> 4];
		hex[2 * i + 1] = digits[pcr->bytes[i] & 15];
	}
	hex[2 * NE_PCR_SIZE] = 0;
}
