/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Huge pages for programs that insist on them, on hosts that have none.
 *
 * Programs written for Nitro map the enclave's memory with MAP_HUGETLB. Where
 * the host has huge pages to spare they are left alone. Where it has not, we
 * give them ordinary memory, aligned like huge pages, for the same call.
 */
#ifndef NE_EMU_HUGETLB_H
#define NE_EMU_HUGETLB_H

#include <stdbool.h>

struct trap_call;
struct trap_rule;

/* Which calls hugetlb_call() wants to see. */
extern const struct trap_rule hugetlb_rule;

/*
 * A handler of trapped calls, see struct trap_handler: takes calls of
 * mmap(2) for huge pages that the host does not have.
 */
bool hugetlb_call(struct trap_call *call);

#endif
