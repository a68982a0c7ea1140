/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platform configuration registers: what an enclave is measured into.
 *
 * A register is a SHA-384 digest that can only be extended:
 *	new value = SHA-384(old value || data)
 * and every register starts as 48 zero bytes.
 *
 * Thread safety: everything here works on the caller's memory alone.
 */
#ifndef NE_PCR_H
#define NE_PCR_H

#include <stddef.h>
#include <stdint.h>

#include <ne/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes in a register: SHA-384. */
#define NE_PCR_SIZE 48
/** Registers that an enclave has; 0 to 15 are locked when it boots. */
#define NE_PCR_COUNT 32
/** Bytes that ne_pcr_to_hex() writes, the terminating zero included. */
#define NE_PCR_HEX_SIZE (2 * NE_PCR_SIZE + 1)

/**
 * struct ne_pcr - the value of one register
 */
struct ne_pcr {
	uint8_t bytes[NE_PCR_SIZE];
};

/**
 * ne_pcr_extend() - measure data into a register
 * @pcr: the register; `= { 0 }` is a fresh one
 * @data: @size bytes; may be NULL if @size is 0
 * @size: bytes of @data
 * @err: the sentence of a failure, or NULL
 *
 * PCR3 is a fresh register extended by the ARN of the parent's IAM role, PCR4
 * one extended by the parent's instance id.
 *
 * Return: 0; -EIO if OpenSSL cannot compute SHA-384, @pcr is unchanged then.
 */
int ne_pcr_extend(struct ne_pcr *pcr, const void *data, size_t size,
		  struct ne_error *err);

/**
 * ne_pcr_to_hex() - the register as AWS's tools print it
 * @pcr: the register
 * @hex: NE_PCR_HEX_SIZE bytes: 96 lower-case digits and a zero
 */
void ne_pcr_to_hex(const struct ne_pcr *pcr, char hex[NE_PCR_HEX_SIZE]);

#ifdef __cplusplus
}
#endif
#endif
