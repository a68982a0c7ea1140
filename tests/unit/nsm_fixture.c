// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ne/error.h>

#include "nsm-emu/options.h"
#include "tests/unit/nsm_fixture.h"

void nsm_fixture_set_up(struct nsm_fixture *fixture)
{
	const char *tmp = getenv("TMPDIR");
	struct nsm_options options = { .pki = fixture->folder };
	struct ne_pcr pcrs[NE_PCR_COUNT];
	struct ne_error err = { 0 };

	snprintf(fixture->folder, sizeof(fixture->folder), "%s/pki.XXXXXX",
		 tmp && strlen(tmp) < 50 ? tmp : "/tmp");
	assert_non_null(mkdtemp(fixture->folder));
	if (nsm_factory_new(&fixture->factory, &options, &err) ||
	    nsm_factory_registers(fixture->factory, NULL, false, pcrs, &err) ||
	    nsm_factory_open(fixture->factory, &err) ||
	    nsm_factory_make(fixture->factory, 0, pcrs, &fixture->module, &err))
		fail_msg("%s", err.text);
}

void nsm_fixture_tear_down(struct nsm_fixture *fixture)
{
	char command[128];

	nsm_module_free(fixture->module);
	nsm_factory_free(fixture->factory);
	snprintf(command, sizeof(command), "rm -rf '%s'", fixture->folder);
	assert_int_equal(system(command), 0);
}
