/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of what reaches a module: one that attests, and requests to it.
 * Include after <cmocka.h>.
 */
#ifndef TESTS_UNIT_NSM_FIXTURE_H
#define TESTS_UNIT_NSM_FIXTURE_H

#include "nsm-emu/factory.h"
#include "nsm-emu/module.h"

struct nsm_fixture {
	char folder[64]; /* of its authority */
	struct nsm_factory *factory;
	struct nsm_module *module;
};

void nsm_fixture_set_up(struct nsm_fixture *fixture);
void nsm_fixture_tear_down(struct nsm_fixture *fixture);

/* Requests; sizeof() - 1 bytes each. */
#define NSM_DESCRIBE "kDescribeNSM"
#define NSM_DESCRIBE_16 "\241kDescribePCR\241eindex\020"
#define NSM_EXTEND_16 "\241iExtendPCR\242eindex\020ddata\101x"
#define NSM_ATTEST "\241kAttestation\240"

#endif
