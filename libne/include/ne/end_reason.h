/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why an enclave ended: a question to the enclave's descriptor.
 *
 * The nitro_enclaves driver tells that an enclave has ended (POLLHUP) and
 * has no way to tell why; it answers this ioctl, as every other that it does
 * not know, with ENOTTY. A hypervisor that does know the reason answers it.
 * Asking is therefore safe everywhere.
 */
#ifndef NE_END_REASON_H
#define NE_END_REASON_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct ne_end_reason - where the reason shall be written
 * @address: of a buffer in the caller's memory
 * @size: bytes at @address; on return the bytes of the whole text, its
 *        terminating zero included. A longer text is cut, and terminated.
 *
 * The text is one line of UTF-8 without a newline.
 */
struct ne_end_reason {
	__u64 address;
	__u64 size;
};

/**
 * NE_GET_END_REASON - ioctl on an enclave's descriptor
 *
 * Return: 0, or -1 with errno ENOTTY (this device does not know), EAGAIN (the
 * enclave has not ended), EFAULT.
 */
#define NE_GET_END_REASON _IOWR(0xAE, 0x40, struct ne_end_reason)

#endif
