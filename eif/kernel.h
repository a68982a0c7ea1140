/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EIF_KERNEL_H
#define EIF_KERNEL_H

#define KERNEL_VERSION_SIZE 64

/*
 * The version that a bzImage says it is, up to the first blank: "6.12.9-amd64".
 * Empty if the file is no bzImage, or says something else. @fd: not moved.
 */
void read_kernel_version(int fd, char version[KERNEL_VERSION_SIZE]);

#endif
