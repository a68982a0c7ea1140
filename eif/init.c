// SPDX-License-Identifier: Apache-2.0
#include "eif/init.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "libne/cleanup.h"

/* Up to and with e_machine; both architectures are little-endian. */
#define ELF_START_SIZE 20

/* A place beside the folder of this program. */
static char *find_beside(const char *place)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *path;

	if (length < 0)
		return NULL;
	self[length] = 0;
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	*slash = 0;
	if (asprintf(&path, "%s/../%s", self, place) < 0)
		return NULL;
	if (!access(path, R_OK))
		return path;
	free(path);
	return NULL;
}

char *find_init(void)
{
	/* The build tree; an installed tree, wherever it was moved. */
	char *beside = find_beside("ne-init/ne-init")
			       ?: find_beside("libexec/libne/ne-init");

	if (beside)
		return beside;
	if (!access(NE_LIBEXECDIR "/ne-init", R_OK))
		return strdup(NE_LIBEXECDIR "/ne-init");
	return NULL;
}

static unsigned int elf_machine(enum ne_eif_arch arch)
{
	return arch == NE_EIF_AARCH64 ? EM_AARCH64 : EM_X86_64;
}

int check_init(const char *path, enum ne_eif_arch arch, struct ne_error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t start[ELF_START_SIZE];
	ssize_t got;

	if (fd < 0)
		return ne_error_set(err, errno, "%s: cannot open it: %s", path,
				    ne_strerror(errno));
	got = read(fd, start, sizeof(start));
	if (got < 0)
		return ne_error_set(err, errno, "%s: cannot read it: %s", path,
				    ne_strerror(errno));
	if (got >= 2 && !memcmp(start, "#!", 2))
		return 0;
	if (got < ELF_START_SIZE || memcmp(start, ELFMAG, SELFMAG))
		return ne_error_set(err, ENOEXEC,
				    "%s: neither a program nor a script, it "
				    "cannot be /init",
				    path);
	if ((start[18] | (unsigned int)start[19] << 8) != elf_machine(arch))
		return ne_error_set(err, ENOEXEC,
				    "%s: a program for another CPU than the "
				    "image, which is for %s",
				    path, ne_eif_arch_name(arch));
	return 0;
}
