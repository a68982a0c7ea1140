/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process gets its modules from: they have an authority, a clock and
 * randomness in common, as the user's options say.
 */
#ifndef NSM_EMU_FACTORY_H
#define NSM_EMU_FACTORY_H

#include <stdbool.h>

#include <ne/pcr.h>

struct ne_eif_measurements;
struct ne_error;
struct nsm_factory;
struct nsm_module;
struct nsm_options;

/*
 * Copies the options but for the texts, which must outlive it. Touches no
 * file. 0, or a negative errno.
 */
int nsm_factory_new(struct nsm_factory **factory,
		    const struct nsm_options *options, struct ne_error *err);
/* After its modules and what they still sign. NULL is fine. */
void nsm_factory_free(struct nsm_factory *factory);

/*
 * Opens the authority, which must be valid at the time that the clock says, and
 * makes the root if there is none; once, before the first module; from any
 * thread. 0, or a negative errno and a sentence: then modules can be made that
 * do all but attest.
 */
int nsm_factory_open(struct nsm_factory *factory, struct ne_error *err);

/*
 * The registers that an enclave boots with: of its image, if it has one (0 to
 * 2 are zero in debug mode), of the role and of the instance.
 */
int nsm_factory_registers(const struct nsm_factory *factory,
			  const struct ne_eif_measurements *image, bool debug,
			  struct ne_pcr pcrs[NE_PCR_COUNT],
			  struct ne_error *err);

/*
 * A module. Why it answers InternalError is logged, each kind of reason once.
 * enclave: its number in the module's id; 0: a random one. What the
 * module is random in depends on the seed and on how many there were before.
 */
int nsm_factory_make(struct nsm_factory *factory, uint64_t enclave,
		     const struct ne_pcr pcrs[NE_PCR_COUNT],
		     struct nsm_module **module, struct ne_error *err);

#endif
