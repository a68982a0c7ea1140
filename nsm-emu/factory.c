// SPDX-License-Identifier: Apache-2.0
#include "nsm-emu/factory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "libne/cleanup.h"
#include "libne/instance.h"
#include "nsm-emu/authority.h"
#include "nsm-emu/identity.h"
#include "nsm-emu/module.h"
#include "nsm-emu/options.h"
#include "nsm-emu/random.h"
#include "plumbing/log.h"

/* A module's own randomness, where that matters. */
struct seeded {
	struct seeded *next;
	struct nsm_random *random;
};

struct nsm_factory {
	struct nsm_options options;
	char instance_id[INSTANCE_ID_SIZE]; /* if the user names none */
	struct nsm_random *random;
	struct nsm_random *enclaves; /* for numbers of enclaves */
	struct nsm_authority *authority;
	struct nsm_clock clock;
	uint64_t started; /* of a running clock: milliseconds */
	unsigned int made;
	struct seeded *seeded;
	atomic_bool told[256]; /* by error number */
};

/* --- Clocks -------------------------------------------------------------- */

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t host_now(void *data)
{
	(void)data;
	return read_clock(CLOCK_REALTIME);
}

static uint64_t standing_now(void *data)
{
	const struct nsm_factory *factory = data;

	return factory->options.clock_start;
}

static uint64_t running_now(void *data)
{
	const struct nsm_factory *factory = data;

	return factory->options.clock_start + read_clock(CLOCK_BOOTTIME) -
	       factory->started;
}

static void set_clock(struct nsm_factory *factory)
{
	static uint64_t (*const now[])(void *data) = {
		[NSM_CLOCK_HOST] = host_now,
		[NSM_CLOCK_STANDS] = standing_now,
		[NSM_CLOCK_RUNS] = running_now,
	};

	factory->started = read_clock(CLOCK_BOOTTIME);
	factory->clock = (struct nsm_clock){
		.now = now[factory->options.clock],
		.data = factory,
	};
}

/* --- The factory --------------------------------------------------------- */

/* That of the module's id, so that a document does not contradict itself. */
static void choose_instance(struct nsm_factory *factory)
{
	const char *module_id = factory->options.module_id;

	if (!module_id || !instance_of_module(module_id, factory->instance_id))
		instance_id(factory->instance_id);
	factory->options.instance_id = factory->instance_id;
}

int nsm_factory_new(struct nsm_factory **factory,
		    const struct nsm_options *options, struct ne_error *err)
{
	struct nsm_factory *new = calloc(1, sizeof(*new));

	if (!new)
		return ne_error_set(err, ENOMEM, "out of memory");
	new->options = *options;
	if (!options->region)
		new->options.region = "us-east-1";
	if (!options->instance_id)
		choose_instance(new);
	set_clock(new);
	new->random = nsm_random_new(options->seed);
	if (new->random)
		new->enclaves = nsm_random_derive(new->random, "enclaves");
	if (!new->enclaves) {
		nsm_factory_free(new);
		return ne_error_set(err, ENOMEM, "out of memory");
	}
	*factory = new;
	return 0;
}

void nsm_factory_free(struct nsm_factory *factory)
{
	if (!factory)
		return;
	nsm_authority_free(factory->authority);
	while (factory->seeded) {
		struct seeded *first = factory->seeded;

		factory->seeded = first->next;
		nsm_random_free(first->random);
		free(first);
	}
	nsm_random_free(factory->enclaves);
	nsm_random_free(factory->random);
	free(factory);
}

/* Who has imported it has been told then. */
static void tell_left_out(const struct nsm_factory *factory)
{
	const char *left_out = nsm_authority_left_out(factory->authority);

	if (left_out)
		log_line(
			factory->options.ca_cert ? LOG_WARN : LOG_INFO,
			"the authority's path length leaves no room for %s, which are missing from documents",
			left_out);
}

int nsm_factory_open(struct nsm_factory *factory, struct ne_error *err)
{
	const uint64_t now = factory->clock.now(factory->clock.data);
	const struct nsm_authority_options options = {
		.folder = factory->options.pki,
		.ca_cert = factory->options.ca_cert,
		.ca_key = factory->options.ca_key,
		.region = factory->options.region,
		.instance_id = factory->options.instance_id,
		.random = factory->random,
		.now = now ? now : 1, /* 0 is the system's */
	};

	int r = nsm_authority_open(&factory->authority, &options, err);

	if (!r)
		tell_left_out(factory);
	return r;
}

/* --- Failures -------------------------------------------------------------- */

/* Each kind once: callers may ask thousands of times, and a clock may run. */
static void tell_failure(const struct ne_error *why, void *data)
{
	struct nsm_factory *factory = data;
	const size_t kind = (size_t)why->code % ARRAY_SIZE(factory->told);

	if (!atomic_exchange(&factory->told[kind], true))
		log_error("the NSM answers InternalError: %s",
			  why->code ? why->text : "it does not know why");
}

/* --- Modules ------------------------------------------------------------- */

static void set_image(struct ne_pcr *pcrs,
		      const struct ne_eif_measurements *image, bool debug)
{
	if (!debug) {
		pcrs[0] = image->pcr0;
		pcrs[1] = image->pcr1;
		pcrs[2] = image->pcr2;
	}
	pcrs[8] = image->pcr8;
}

int nsm_factory_registers(const struct nsm_factory *factory,
			  const struct ne_eif_measurements *image, bool debug,
			  struct ne_pcr pcrs[NE_PCR_COUNT],
			  struct ne_error *err)
{
	const char *role = factory->options.role;
	const char *instance = factory->options.instance_id;
	int r = 0;

	memset(pcrs, 0, NE_PCR_COUNT * sizeof(*pcrs));
	if (image)
		set_image(pcrs, image, debug);
	if (role)
		r = ne_pcr_extend(&pcrs[3], role, strlen(role), err);
	return r ?: ne_pcr_extend(&pcrs[4], instance, strlen(instance), err);
}

/* Who are not to be told from one another by what they ask for share one. */
static struct nsm_random *random_for_next(struct nsm_factory *factory)
{
	struct seeded *seeded;
	char label[32];

	if (!nsm_random_is_seeded(factory->random))
		return factory->random;
	seeded = calloc(1, sizeof(*seeded));
	if (!seeded)
		return NULL;
	snprintf(label, sizeof(label), "module %u", factory->made);
	seeded->random = nsm_random_derive(factory->random, label);
	seeded->next = factory->seeded;
	factory->seeded = seeded;
	return seeded->random;
}

static int make_id(struct nsm_factory *factory, uint64_t enclave, char *id,
		   size_t size)
{
	if (factory->options.module_id) {
		if ((size_t)snprintf(id, size, "%s",
				     factory->options.module_id) >= size)
			return -EINVAL;
		return 0;
	}
	if (!enclave &&
	    nsm_random_bytes(factory->enclaves, &enclave, sizeof(enclave)))
		return -EIO;
	snprintf(id, size, "%s-enc%016" PRIx64, factory->options.instance_id,
		 enclave);
	return 0;
}

static int fill_config(struct nsm_factory *factory, const char *id,
		       struct nsm_config *config, struct ne_error *err)
{
	config->module_id = id;
	config->dialect = factory->options.dialect;
	config->limits = factory->options.limits;
	config->clock = factory->clock;
	config->failures =
		(struct nsm_failures){ .tell = tell_failure, .data = factory };
	config->random = random_for_next(factory);
	if (!config->random)
		return ne_error_set(err, ENOMEM, "out of memory");
	if (!factory->authority)
		return 0;
	return nsm_identity_new(&config->identity, factory->authority, id,
				factory->options.leaf_lifetime, err);
}

int nsm_factory_make(struct nsm_factory *factory, uint64_t enclave,
		     const struct ne_pcr pcrs[NE_PCR_COUNT],
		     struct nsm_module **module, struct ne_error *err)
{
	struct nsm_config config = { 0 };
	char id[128];
	int r = make_id(factory, enclave, id, sizeof(id));

	if (r)
		return ne_error_set(err, -r, "cannot name a module: %s",
				    r == -EINVAL ? "--module-id is too long"
						 : ne_strerror(r));
	memcpy(config.pcrs, pcrs, sizeof(config.pcrs));
	r = fill_config(factory, id, &config, err);
	if (!r)
		r = nsm_module_new(module, &config, err);
	nsm_identity_unref(config.identity);
	factory->made++;
	return r;
}
