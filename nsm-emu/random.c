// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of operation
 *
 * A seeded source is a key. What it gives is HMAC-SHA-512 under that key of
 * a counter; a source derived from it has as key the same function of the
 * label. One byte in front keeps the two apart. Each request starts with a
 * fresh block.
 */
#include "nsm-emu/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "libne/cleanup.h"
#include "libne/endian.h"

#define BLOCK_SIZE 64

enum purpose { BLOCK, DERIVATION };

struct nsm_random {
	bool is_seeded;
	uint8_t key[BLOCK_SIZE]; /* never changes */
	pthread_mutex_t mutex;	 /* of the counter */
	uint64_t counter;
};

static struct nsm_random *random_alloc(bool is_seeded)
{
	struct nsm_random *random = calloc(1, sizeof(*random));

	if (!random)
		return NULL;
	random->is_seeded = is_seeded;
	pthread_mutex_init(&random->mutex, NULL);
	return random;
}

/* HMAC-SHA-512 of the purpose and the data, which is short. */
static int function(const struct nsm_random *random, enum purpose purpose,
		    const void *data, size_t size, uint8_t block[BLOCK_SIZE])
{
	cleanup_free uint8_t *message = malloc(size + 1);
	unsigned int length = BLOCK_SIZE;

	if (!message)
		return -ENOMEM;
	message[0] = (uint8_t)purpose;
	memcpy(message + 1, data, size);
	if (!HMAC(EVP_sha512(), random->key, sizeof(random->key), message,
		  size + 1, block, &length)) {
		ERR_clear_error();
		return -EIO;
	}
	return 0;
}

struct nsm_random *nsm_random_new(const char *seed)
{
	struct nsm_random *random = random_alloc(seed);

	if (!random || !seed)
		return random;
	if (!EVP_Digest(seed, strlen(seed), random->key, NULL, EVP_sha512(),
			NULL)) {
		ERR_clear_error();
		nsm_random_free(random);
		return NULL;
	}
	return random;
}

struct nsm_random *nsm_random_derive(const struct nsm_random *parent,
				     const char *label)
{
	struct nsm_random *random = random_alloc(parent->is_seeded);

	if (!random || !random->is_seeded)
		return random;
	if (function(parent, DERIVATION, label, strlen(label), random->key)) {
		nsm_random_free(random);
		return NULL;
	}
	return random;
}

void nsm_random_free(struct nsm_random *random)
{
	if (!random)
		return;
	pthread_mutex_destroy(&random->mutex);
	OPENSSL_cleanse(random->key, sizeof(random->key));
	free(random);
}

bool nsm_random_is_seeded(const struct nsm_random *random)
{
	return random->is_seeded;
}

static uint64_t take_blocks(struct nsm_random *random, size_t n)
{
	uint64_t first;

	pthread_mutex_lock(&random->mutex);
	first = random->counter;
	random->counter += n;
	pthread_mutex_unlock(&random->mutex);
	return first;
}

static int seeded_bytes(struct nsm_random *random, uint8_t *to, size_t size)
{
	uint64_t counter = take_blocks(random, size / BLOCK_SIZE + 1);
	uint8_t block[BLOCK_SIZE], number[8];
	size_t part;

	for (; size > 0; size -= part, to += part) {
		put_big_endian64(number, counter++);
		if (function(random, BLOCK, number, sizeof(number), block))
			return -EIO;
		part = size < BLOCK_SIZE ? size : BLOCK_SIZE;
		memcpy(to, block, part);
	}
	OPENSSL_cleanse(block, sizeof(block));
	return 0;
}

int nsm_random_bytes(struct nsm_random *random, void *to, size_t size)
{
	if (random->is_seeded)
		return seeded_bytes(random, to, size);
	if (RAND_bytes_ex(NULL, to, size, 0) != 1) {
		ERR_clear_error();
		return -EIO;
	}
	return 0;
}
