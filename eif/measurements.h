/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EIF_MEASUREMENTS_H
#define EIF_MEASUREMENTS_H

#include <jansson.h>

#include <ne/eif.h>

/* As AWS's tools show them. NULL: out of memory. */
json_t *measurements_to_json(const struct ne_eif_measurements *measurements);

/* Prints JSON, indented; takes @json. NULL: out of memory. */
int print_json(json_t *json, struct ne_error *err);

#endif
