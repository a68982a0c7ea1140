/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIBNE_INSTANCE_H
#define LIBNE_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>

/* What instance_id() gives has at most so many bytes, the zero included. */
#define INSTANCE_ID_SIZE 25

/* Where EC2 says it. */
#define INSTANCE_ID_FILE "/sys/devices/virtual/dmi/id/board_asset_tag"

/*
 * The id of the EC2 instance that this is, "i-0123456789abcdef0"; outside of
 * EC2 the same with zeros.
 */
void instance_id(char text[INSTANCE_ID_SIZE]);

/* "i-" and hexadecimal digits in lower case. */
bool instance_is_id(const char *text);
/* "arn:aws:iam::123456789012:role/NAME", in any partition. */
bool instance_is_role(const char *text);
/*
 * The instance that is in a module's id, "i-0123456789abcdef0-enc...". False:
 * the id is of another form, or the instance's has no room.
 */
bool instance_of_module(const char *module_id, char text[INSTANCE_ID_SIZE]);

#endif
