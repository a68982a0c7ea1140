/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata section: what an image says about itself. AWS's tools want the
 * same fields.
 */
#ifndef EIF_METADATA_H
#define EIF_METADATA_H

#include <ne/error.h>

/*
 * custom: path of a JSON file with an object of the user's, or NULL.
 */
struct metadata {
	const char *name;
	const char *version;
	const char *kernel_version;
	const char *custom;
};

/*
 * json: for free(3). The build time is $SOURCE_DATE_EPOCH, or 1970: the same
 * input gives the same image.
 */
int make_metadata(const struct metadata *metadata, char **json,
		  struct ne_error *err);

#endif
