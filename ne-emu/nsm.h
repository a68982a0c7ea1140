/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The security modules of a hypervisor's enclaves.
 *
 * Theory of operation
 *
 * Each enclave has a module of its own, which begins with what the enclave is
 * measured as. Measuring goes on in a thread while the enclave boots, and must
 * not delay it. The module itself is made when the enclave first asks for
 * something, and so is, for all enclaves together, the authority that signs:
 * who never asks pays for no more than the measuring, and nothing that is
 * wrong with the authority keeps an enclave from running.
 *
 *	measuring --> measured --.
 *	                          >-- the authority is open --> ready
 *	idle -------> wanted ----'    (or cannot be opened)
 *
 * Thread safety: all functions are for the loop's thread.
 */
#ifndef NE_EMU_NSM_H
#define NE_EMU_NSM_H

#include <stdbool.h>
#include <stdint.h>

struct enclave_nsm;
struct image;
struct loop;
struct ne_error;
struct nsm_host;
struct nsm_module;
struct nsm_options;
struct nsm_server;

/* What all enclaves of a process have in common. 0, or a negative errno. */
int nsm_host_new(struct nsm_host **host, struct loop *loop,
		 const struct nsm_options *options, struct ne_error *err);
/*
 * After its enclaves, at the end of the process. False: something is still
 * being measured, or somebody keeps us from the authority; it goes on until
 * the process ends, by _exit(). NULL is fine.
 */
bool nsm_host_end(struct nsm_host *host);
struct nsm_server *nsm_host_server(struct nsm_host *host);

/*
 * Called from the loop, never from inside enclave_nsm_new().
 * ready: the module, after enclave_nsm_want(); it belongs to the enclave_nsm
 * failed: instead, or even before somebody wants it: why there is none
 */
struct enclave_nsm_events {
	void (*ready)(struct nsm_module *module, void *data);
	void (*failed)(const char *why, void *data);
};

/*
 * Begins to measure an enclave's image.
 * slot: the number in the module's id
 * 0, or a negative errno.
 */
int enclave_nsm_new(struct enclave_nsm **nsm, struct nsm_host *host,
		    uint64_t slot, bool debug, struct image *image,
		    const struct enclave_nsm_events *events, void *data,
		    struct ne_error *err);
/* Its first request has come. */
void enclave_nsm_want(struct enclave_nsm *nsm);
/* Does not wait. NULL is fine. */
void enclave_nsm_free(struct enclave_nsm *nsm);

#endif
