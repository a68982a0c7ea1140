// SPDX-License-Identifier: Apache-2.0
#include "ne-attest/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "libne/cleanup.h"

/* Values on the command line: no field of a document is larger. */
#define MAX_VALUE_FILE (1 << 20)

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

static int allocate(struct bytes *bytes, size_t size, struct ne_error *err)
{
	bytes->data = calloc(1, size + 1);
	bytes->size = size;
	if (!bytes->data)
		return ne_error_set(err, ENOMEM, "out of memory");
	return 0;
}

/* --- Files --------------------------------------------------------------- */

static int read_all(int fd, struct bytes *bytes)
{
	size_t used = 0;

	while (used < bytes->size) {
		ssize_t got = read(fd, bytes->data + used, bytes->size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		used += (size_t)got;
	}
	bytes->size = used;
	bytes->data[used] = 0;
	return 0;
}

int bytes_read(struct bytes *bytes, const char *path, size_t max,
	       struct ne_error *err)
{
	bool is_stdin = !strcmp(path, "-");
	const char *name = is_stdin ? "standard input" : path;
	cleanup_close int fd = is_stdin ? dup(STDIN_FILENO)
					: open(path, O_RDONLY | O_CLOEXEC);
	cleanup_bytes struct bytes content = { 0 };
	int ret;

	if (fd < 0)
		return ne_error_set(err, errno, "cannot open %s: %s", name,
				    ne_strerror(errno));
	/* One more, to see that there is more. */
	ret = allocate(&content, max + 1, err);
	if (ret)
		return ret;
	ret = read_all(fd, &content);
	if (ret)
		return ne_error_set(err, -ret, "cannot read %s: %s", name,
				    ne_strerror(ret));
	if (content.size > max)
		return ne_error_set(err, EFBIG, "%s has more than %zu bytes",
				    name, max);
	*bytes = content;
	content = (struct bytes){ 0 };
	return 0;
}

/* --- Text ---------------------------------------------------------------- */

int bytes_from_hex(struct bytes *bytes, const char *text, struct ne_error *err)
{
	size_t digits = strlen(text);
	size_t size;
	int ret;

	if (digits % 2 || strspn(text, "0123456789abcdefABCDEF") != digits)
		return ne_error_set(err, EINVAL,
				    "\"%.40s\" is no even number of "
				    "hexadecimal digits",
				    text);
	ret = allocate(bytes, digits / 2, err);
	if (ret || !digits)
		return ret;
	if (OPENSSL_hexstr2buf_ex(bytes->data, bytes->size, &size, text, '\0'))
		return 0;
	bytes_free(bytes);
	return ne_error_set(err, EIO, "OpenSSL cannot read hexadecimal digits");
}

/* As EVP_DecodeBlock() wants it: the usual alphabet, padded. */
static char *canonical_base64(const char *text, size_t *padding)
{
	size_t size = strlen(text);
	char *copy;

	while (size && text[size - 1] == '=')
		size--;
	*padding = (4 - size % 4) % 4;
	copy = malloc(size + *padding + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		copy[i] = text[i];
		if (text[i] == '-')
			copy[i] = '+';
		else if (text[i] == '_')
			copy[i] = '/';
	}
	memset(copy + size, '=', *padding);
	copy[size + *padding] = '\0';
	return copy;
}

/* All of it, or none. */
static bool is_padding(const char *text, size_t digits)
{
	size_t size = strlen(text);

	return digits % 4 != 1 && strspn(text, "=") == size &&
	       (!size || size == (4 - digits % 4) % 4);
}

int bytes_from_base64(struct bytes *bytes, const char *text,
		      struct ne_error *err)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789+/-_";
	cleanup_free char *canonical = NULL;
	size_t digits = strspn(text, alphabet);
	size_t padding;
	int size, ret;

	if (!is_padding(text + digits, digits))
		return ne_error_set(err, EINVAL, "\"%.40s\" is no base64",
				    text);
	canonical = canonical_base64(text, &padding);
	if (!canonical)
		return ne_error_set(err, ENOMEM, "out of memory");
	ret = allocate(bytes, strlen(canonical) / 4 * 3, err);
	if (ret)
		return ret;
	size = EVP_DecodeBlock(bytes->data, (const unsigned char *)canonical,
			       (int)strlen(canonical));
	if (size < 0 || (size_t)size < padding) {
		bytes_free(bytes);
		return ne_error_set(err, EINVAL, "\"%.40s\" is no base64",
				    text);
	}
	bytes->size = (size_t)size - padding;
	return 0;
}

static const char *behind(const char *text, const char *prefix)
{
	size_t size = strlen(prefix);

	return strncmp(text, prefix, size) ? NULL : text + size;
}

static int from_text(struct bytes *bytes, const char *text,
		     struct ne_error *err)
{
	int ret = allocate(bytes, strlen(text), err);

	if (!ret)
		memcpy(bytes->data, text, bytes->size);
	return ret;
}

int bytes_from_option(struct bytes *bytes, const char *value,
		      struct ne_error *err)
{
	const char *rest;
	int ret;

	if (*value == '@')
		return bytes_read(bytes, value + 1, MAX_VALUE_FILE, err);
	rest = behind(value, "text:");
	if (rest)
		return from_text(bytes, rest, err);
	rest = behind(value, "base64:");
	if (rest)
		return bytes_from_base64(bytes, rest, err);
	ret = bytes_from_hex(bytes, value, err);
	if (ret == -EINVAL)
		return ne_error_set(err, EINVAL,
				    "\"%.40s\" is no hexadecimal number; other "
				    "forms are text:TEXT, base64:TEXT and "
				    "@FILE",
				    value);
	return ret;
}

char *bytes_to_hex(const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * size + 1);

	if (!hex)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		hex[2 * i] = digits[data[i] >> 4];
		hex[2 * i + 1] = digits[data[i] & 15];
	}
	hex[2 * size] = '\0';
	return hex;
}
