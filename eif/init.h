/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EIF_INIT_H
#define EIF_INIT_H

#include <ne/eif.h>

/* Where ne-init is: for free(3), NULL if it is nowhere. */
char *find_init(void);

/* Can the kernel of an image for @arch run this file? */
int check_init(const char *path, enum ne_eif_arch arch, struct ne_error *err);

#endif
