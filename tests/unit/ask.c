// SPDX-License-Identifier: Apache-2.0
/* A static program that makes one trapped call and ends with its answer. */
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	return (int)syscall(SYS_lookup_dcookie, 0, 0, 0);
}
