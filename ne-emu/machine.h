/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine runs an enclave. `process` is one; `qemu` will be the other.
 *
 * The hypervisor model prepares a machine when an enclave is started and its
 * memory is complete, lets it go when the caller has been told so, and hears
 * once when it has ended. Everything happens in one event loop.
 */
#ifndef NE_EMU_MACHINE_H
#define NE_EMU_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct ne_eif;
struct ne_error;
struct machine;
struct nsm_module;
struct nsm_server;

/* What an enclave is, as its hypervisor knows it. */
struct machine_spec {
	const char *name; /* for messages: "enclave 5f0c…" */
	uint64_t cid;
	unsigned int cpus;
	uint64_t memory; /* bytes */
	bool debug;
	/*
	 * The image, as it lay in the donated memory; its structure, checksum
	 * and CPU have been checked. It stays until the machine says that it
	 * needs it no more, by loaded(), or until free() has returned.
	 * loaded() is called at most once, from the loop.
	 */
	const struct ne_eif *image;
	void (*loaded)(void *data);
	void *loaded_data;
	/*
	 * Who answers the enclave's NSM requests, and what is to be called,
	 * once, from the loop, when there is the first: set_module() follows.
	 */
	struct nsm_server *nsm_server;
	void (*nsm_wanted)(void *data);
	void *nsm_data;
};

/*
 * How it ended.
 * reason: one line for a human, never empty: "/init exited with status 3".
 */
struct machine_end {
	const char *reason;
	bool failed; /* it never ran, or not by its own will */
};

struct machine_ops {
	const char *name;

	/*
	 * Builds everything up to the first instruction. Quick: what takes
	 * long (unpacking) goes on beside the loop, after go().
	 * ended() is called at most once, from the loop and never from
	 * inside prepare(), go() or stop(); never after free().
	 */
	int (*prepare)(struct machine **machine, struct loop *loop,
		       const struct machine_spec *spec,
		       void (*ended)(const struct machine_end *end, void *data),
		       void *data, struct ne_error *err);
	/* Run. */
	void (*go)(struct machine *machine);
	/*
	 * The enclave's NSM, from now on until free() has returned. Requests
	 * wait for it.
	 */
	void (*set_module)(struct machine *machine, struct nsm_module *module);
	/* Power off, hard. ended() follows. */
	void (*stop)(struct machine *machine);
	/* Stops it if need be, leaves nothing behind; waits for that. */
	void (*free)(struct machine *machine);
};

extern const struct machine_ops process_machine;

#endif
