/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/nsm as a traced program sees it.
 *
 * What is asked is answered as by the kernel's drivers/misc/nsm.c: checks and
 * errors are its own, in its order.
 */
#ifndef NSM_EMU_TRAP_H
#define NSM_EMU_TRAP_H

#include <stdbool.h>
#include <sys/stat.h>

#include "plumbing/trap.h"

struct ne_error;
struct nsm_module;
struct nsm_server;
struct nsm_trap;

/*
 * One trap's device. The server must outlive it.
 * trap_open: opens of the name /dev/nsm are trapped, for programs that see
 *	the host's /dev; else nsm_trap_set_device() says what the device is.
 * 0, or a negative errno.
 */
int nsm_trap_new(struct nsm_trap **face, struct nsm_server *server,
		 bool trap_open, struct ne_error *err);
/* Fails the calls that wait, so it comes before trap_free(). NULL is fine. */
void nsm_trap_free(struct nsm_trap *face);

/* What the program has for a device is this file. */
void nsm_trap_set_device(struct nsm_trap *face, const struct stat *device);
/*
 * Who is asked; the module stays its owner's. Callers wait until there is
 * one. wanted() is called once, in the loop, when the first one does: who
 * makes modules only for those who want one sets it before the module.
 */
void nsm_trap_set_module(struct nsm_trap *face, struct nsm_module *module);
void nsm_trap_set_wanted(struct nsm_trap *face, void (*wanted)(void *data),
			 void *data);

/* Valid as long as the face. */
struct trap_handler nsm_trap_handler(struct nsm_trap *face);

#endif
