/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An enclave's console: what its kernel and init write, readable from the
 * parent. AWS's hypervisor has one for enclaves started with NE_START_DEBUG
 * only.
 */
#ifndef NE_CONSOLE_H
#define NE_CONSOLE_H

#ifdef __cplusplus
extern "C" {
#endif

struct ne_enclave;
struct ne_error;
struct ne_wait;

/**
 * ne_console_connect() - connect to the console of a started enclave
 * @enclave: started; may be in use by another thread that only waits for it
 * @wait: how long, or NULL
 * @err: what went wrong, or NULL
 *
 * Tries again for as long as the hypervisor refuses (the console comes up a
 * moment after the enclave) and the enclave has not ended.
 *
 * Return: a close-on-exec and blocking descriptor that is the caller's: read(2)
 * gives what the enclave has written, byte for byte. The end of the enclave
 * need not be an end of file: look at ne_enclave_fd() as well. Or -ETIMEDOUT,
 * -ECANCELED, -ESHUTDOWN (the enclave ended first), -EAFNOSUPPORT (no vsock on
 * this host), or another negative errno of connect(2).
 */
int ne_console_connect(const struct ne_enclave *enclave,
		       const struct ne_wait *wait, struct ne_error *err);

#ifdef __cplusplus
}
#endif
#endif
