// SPDX-License-Identifier: Apache-2.0
/*
 * Inside an enclave: an attestation document with the nonce that the verifier
 * has sent, in base64.
 *
 *	attest NONCE
 *
 * NONCE is hexadecimal digits, as for ne-attest.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ne/nsm.h>

static void print_base64(const uint8_t *bytes, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; size; bytes += 3, size -= size < 3 ? size : 3) {
		unsigned int three = (unsigned int)bytes[0] << 16 |
				     (size > 1 ? bytes[1] << 8 : 0) |
				     (size > 2 ? bytes[2] : 0);

		putchar(digits[three >> 18]);
		putchar(digits[three >> 12 & 63]);
		putchar(size > 1 ? digits[three >> 6 & 63] : '=');
		putchar(size > 2 ? digits[three & 63] : '=');
	}
	putchar('\n');
}

/* The number of bytes, or -1. */
static ssize_t read_hex(uint8_t *bytes, size_t capacity, const char *digits)
{
	size_t size = strlen(digits) / 2;

	if (strlen(digits) % 2 || size > capacity ||
	    digits[strspn(digits, "0123456789abcdefABCDEF")])
		return -1;
	for (size_t i = 0; i < size; i++) {
		const char pair[] = { digits[2 * i], digits[2 * i + 1], 0 };

		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return (ssize_t)size;
}

int main(int argc, char **argv)
{
	struct ne_nsm_attest_input input = { 0 };
	struct ne_error error = { 0 };
	uint8_t nonce[NE_NSM_NONCE_MAX];
	ssize_t nonce_size;
	uint8_t *document;
	size_t size;
	int nsm;

	if (argc != 2)
		errx(2, "usage: attest NONCE");
	nonce_size = read_hex(nonce, sizeof(nonce), argv[1]);
	if (nonce_size < 0)
		errx(2,
		     "the nonce is to be up to %zu bytes in hexadecimal "
		     "digits, two for each",
		     sizeof(nonce));
	input.nonce = nonce;
	input.nonce_size = (size_t)nonce_size;
	nsm = ne_nsm_open(NULL, &error);
	if (nsm < 0 || ne_nsm_attest(nsm, &input, &document, &size, &error))
		errx(1, "%s", error.text);
	print_base64(document, size);
	free(document);
	close(nsm);
	return fflush(stdout) ? 1 : 0;
}
