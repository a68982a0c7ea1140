// SPDX-License-Identifier: Apache-2.0
#include "ne-run/emulate.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <ne/error.h>

#include "libne/cleanup.h"
#include "ne-run/options.h"
#include "ne-run/parse.h"

/* From this program to itself. */
#define FIRST_START "NE_RUN_FIRST_START"

bool emulate_is_on(void)
{
	return getenv("NE_EMULATED") != NULL;
}

bool emulate_any_cpu(const struct options *options)
{
	return options->emulate == EMULATE_QEMU;
}

int64_t emulate_first_start(void)
{
	const char *text = getenv(FIRST_START);
	uint64_t number;

	if (!emulate_is_on() || !text ||
	    !parse_number(text, 0, INT64_MAX, &number))
		return -1;
	return (int64_t)number;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

/* The folder of this program's file, without a slash at its end. */
static int find_own_folder(char *self, char *folder)
{
	ssize_t size = readlink("/proc/self/exe", self, PATH_MAX - 1);

	if (size < 0)
		return -errno;
	self[size] = '\0';
	memcpy(folder, self, (size_t)size + 1);
	*strrchr(folder, '/') = '\0';
	return 0;
}

/*
 * $NE_EMU; beside this program, as it is installed; where the build leaves
 * it; or wherever $PATH has it.
 */
static int find_emulator(const char *folder, char *path, size_t size)
{
	static const char *const places[] = { "ne-emu", "../ne-emu/ne-emu" };
	const char *given = getenv("NE_EMU");

	if (given && *given)
		return snprintf(path, size, "%s", given) < (int)size;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (snprintf(path, size, "%s/%s", folder, places[i]) <
			    (int)size &&
		    is_program(path))
			return true;
	return snprintf(path, size, "ne-emu") < (int)size;
}

static size_t count_arguments(char **argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	return n;
}

/* ne-emu run [OPTION]... -- SELF ARGUMENT... */
static char **make_command(const struct options *options, char *emulator,
			   char *self, char **argv)
{
	size_t n = 0, n_arguments = count_arguments(argv);
	char **command = calloc(n_arguments + 8, sizeof(*command));

	if (!command)
		return NULL;
	command[n++] = emulator;
	command[n++] = (char *)"run";
	/* This program has said that it is an emulation. */
	command[n++] = (char *)"--quiet";
	if (options->emulate != EMULATE_AUTO) {
		command[n++] = (char *)"--machine";
		command[n++] = (char *)(options->emulate == EMULATE_QEMU
						? "qemu"
						: "process");
	}
	if (options->verbose)
		command[n++] = (char *)"-v";
	command[n++] = (char *)"--";
	command[n++] = self;
	if (n_arguments > 1)
		memcpy(command + n, argv + 1,
		       (n_arguments - 1) * sizeof(*command));
	return command;
}

int emulate_exec(const struct options *options, char **argv, int64_t started,
		 struct ne_error *err)
{
	char self[PATH_MAX], folder[PATH_MAX], emulator[PATH_MAX], number[24];
	cleanup_free char **command = NULL;
	int rc = find_own_folder(self, folder);

	if (rc < 0)
		return ne_error_set(err, -rc, "cannot find this program: %s",
				    ne_strerror(rc));
	if (!find_emulator(folder, emulator, sizeof(emulator)))
		return ne_error_set(err, ENAMETOOLONG,
				    "the path of ne-emu is "
				    "too long");
	snprintf(number, sizeof(number), "%" PRId64, started);
	command = make_command(options, emulator, self, argv);
	if (!command || setenv(FIRST_START, number, 1) < 0)
		return ne_error_set(err, ENOMEM, "cannot run ne-emu: %s",
				    ne_strerror(ENOMEM));
	execvp(emulator, command);
	if (errno == ENOENT)
		return ne_error_set(err, ENOENT,
				    "there is no /dev/nitro_enclaves here, and "
				    "no ne-emu to emulate it (looked for %s); "
				    "install it, or name it in $NE_EMU",
				    emulator);
	return ne_error_set(err, errno, "cannot run %s: %s", emulator,
			    ne_strerror(errno));
}
