// SPDX-License-Identifier: Apache-2.0
/*
 * eif build
 *
 * Theory of operation
 *
 * The image is laid out as nitro-cli does it: kernel, command line, metadata,
 * a ramdisk with what boots (/init and kernel modules), a ramdisk with the
 * application (/rootfs, /cmd, /env), then the ramdisks that were given as they
 * are. So PCR1 measures what boots and PCR2 what runs.
 *
 * What is made depends on the arguments and on the content of the files they
 * name, and on nothing else of this machine, now or ever: not on times, inode
 * numbers, the order of directories or the locale. Only $SOURCE_DATE_EPOCH is
 * taken from the environment, for the metadata, which is not measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <ne/eif.h>

#include "eif/build_options.h"
#include "eif/eif.h"
#include "eif/init.h"
#include "eif/kernel.h"
#include "eif/measurements.h"
#include "eif/metadata.h"
#include "eif/output.h"
#include "eif/ramdisk.h"
#include "eif/tree.h"
#include "libne/cleanup.h"

struct build {
	struct build_options options;
	struct output output;
	struct ne_eif_writer *writer;
};

static void cleanup_buildp(struct build *build)
{
	ne_eif_writer_free(build->writer);
	output_free(&build->output);
	free_build_options(&build->options);
}

static void cleanup_ramdiskp(struct ramdisk **ramdisk)
{
	ramdisk_free(*ramdisk);
}

static void cleanup_eifp(struct ne_eif **eif)
{
	ne_eif_close(*eif);
}

#define cleanup_build __attribute__((cleanup(cleanup_buildp)))
#define cleanup_ramdisk __attribute__((cleanup(cleanup_ramdiskp)))
#define cleanup_eif __attribute__((cleanup(cleanup_eifp)))

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- Sections that are files or text ------------------------------------ */

static int open_input(const char *path, struct ne_error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ne_error_set(err, errno, "%s: cannot open it: %s", path,
				    ne_strerror(errno));
	return take_fd(&fd);
}

static int add_text_section(struct build *build, enum ne_eif_section_type type,
			    const char *text, struct ne_error *err)
{
	int ret = ne_eif_writer_begin(build->writer, type, err);

	return ret ? ret
		   : ne_eif_writer_append(build->writer, text, strlen(text),
					  err);
}

static int add_file_section(struct build *build, enum ne_eif_section_type type,
			    const char *path, struct ne_error *err)
{
	cleanup_close int fd = open_input(path, err);
	int ret;

	if (fd < 0)
		return fd;
	ret = ne_eif_writer_begin(build->writer, type, err);
	if (!ret)
		ret = ne_eif_writer_append_fd(build->writer, fd, err);
	if (ret)
		ne_error_prefix(err, "%s", path);
	return ret;
}

static int add_metadata(struct build *build, struct ne_error *err)
{
	const struct build_options *options = &build->options;
	cleanup_close int kernel = open_input(options->kernel, err);
	char kernel_version[KERNEL_VERSION_SIZE];
	const struct metadata metadata = {
		.name = options->name,
		.version = options->version,
		.kernel_version = kernel_version,
		.custom = options->metadata,
	};
	cleanup_free char *json = NULL;
	int ret;

	if (kernel < 0)
		return kernel;
	read_kernel_version(kernel, kernel_version);
	ret = make_metadata(&metadata, &json, err);
	return ret ? ret
		   : add_text_section(build, NE_EIF_SECTION_METADATA, json,
				      err);
}

/* --- The ramdisk that boots --------------------------------------------- */

static int check_module_names(const struct strings *modules,
			      struct ne_error *err)
{
	size_t i, j;

	for (i = 0; i < modules->count; i++) {
		const char *name = base_name(modules->items[i]);

		if (!*name || strchr(name, '\n') || !strcmp(name, "order"))
			return ne_error_set(err, EINVAL,
					    "%s: not a name for a module",
					    modules->items[i]);
		for (j = 0; j < i; j++)
			if (!strcmp(name, base_name(modules->items[j])))
				return ne_error_set(err, EINVAL,
						    "%s: another module has "
						    "the same name",
						    modules->items[i]);
	}
	return 0;
}

/* A text file with a string on each line. */
static int add_lines(struct ramdisk *ramdisk, const char *path,
		     const struct strings *lines, bool base_names,
		     struct ne_error *err)
{
	cleanup_free char *text = NULL;
	size_t size, i;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return ne_error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < lines->count; i++)
		fprintf(file, "%s\n",
			base_names ? base_name(lines->items[i])
				   : lines->items[i]);
	if (fclose(file))
		return ne_error_set(err, ENOMEM, "out of memory");
	return ramdisk_add_text(ramdisk, path, text, size, err);
}

static int add_module(struct ramdisk *ramdisk, const char *module,
		      struct ne_error *err)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, "modules/%s", base_name(module)) < 0) {
		path = NULL;
		return ne_error_set(err, ENOMEM, "out of memory");
	}
	return ramdisk_add_file(ramdisk, path, 0644, module, err);
}

static int add_modules(struct ramdisk *ramdisk, const struct strings *modules,
		       struct ne_error *err)
{
	size_t i;
	int ret;

	if (!modules->count)
		return 0;
	ret = check_module_names(modules, err);
	if (!ret)
		ret = ramdisk_add_directory(ramdisk, "modules", 0755, err);
	for (i = 0; !ret && i < modules->count; i++)
		ret = add_module(ramdisk, modules->items[i], err);
	return ret ? ret
		   : add_lines(ramdisk, "modules/order", modules, true, err);
}

static int add_boot_ramdisk(struct build *build, struct ne_error *err)
{
	const struct build_options *options = &build->options;
	cleanup_ramdisk struct ramdisk *ramdisk = NULL;
	cleanup_free char *init = options->init ? strdup(options->init)
						: find_init();
	int ret;

	if (!init)
		return ne_error_set(err, ENOENT,
				    "ne-init is not at %s/ne-init; name "
				    "another with --init",
				    NE_LIBEXECDIR);
	ret = check_init(init, options->arch, err);
	if (!ret)
		ret = ramdisk_new(&ramdisk, build->writer, options->compression,
				  err);
	if (!ret)
		ret = ramdisk_add_directory(ramdisk, "dev", 0755, err);
	if (!ret)
		ret = ramdisk_add_file(ramdisk, "init", 0755, init, err);
	if (!ret)
		ret = add_modules(ramdisk, &options->modules, err);
	return ret ? ret : ramdisk_finish(ramdisk, err);
}

/* --- The ramdisk with the application ----------------------------------- */

/* An init mounts something on these; nitro-cli makes the same. */
static int add_mount_points(struct ramdisk *ramdisk, const char *rootfs,
			    struct ne_error *err)
{
	static const struct {
		const char *path;
		mode_t mode;
	} points[] = {
		{ "rootfs/dev", 0755 },	 { "rootfs/proc", 0755 },
		{ "rootfs/run", 0755 },	 { "rootfs/sys", 0755 },
		{ "rootfs/tmp", 01777 }, { "rootfs/var", 0755 },
	};
	cleanup_close int directory =
		open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		struct stat status;
		int ret;

		if (!fstatat(directory, base_name(points[i].path), &status,
			     AT_SYMLINK_NOFOLLOW))
			continue;
		ret = ramdisk_add_directory(ramdisk, points[i].path,
					    points[i].mode, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int add_rootfs(struct build *build, struct ramdisk *ramdisk,
		      struct ne_error *err)
{
	struct stat output;
	const struct tree_options tree = {
		.directory = build->options.rootfs,
		.prefix = "rootfs",
		.output = &output,
		.all_root = build->options.all_root,
		.keep_times = build->options.keep_times,
	};
	int ret;

	if (fstat(build->output.fd, &output))
		return ne_error_set(err, errno, "%s: %s", build->output.path,
				    ne_strerror(errno));
	ret = add_tree(ramdisk, &tree, err);
	return ret ? ret : add_mount_points(ramdisk, tree.directory, err);
}

static int add_application_ramdisk(struct build *build, struct ne_error *err)
{
	const struct build_options *options = &build->options;
	cleanup_ramdisk struct ramdisk *ramdisk = NULL;
	int ret;

	ret = ramdisk_new(&ramdisk, build->writer, options->compression, err);
	if (!ret)
		ret = add_lines(ramdisk, "cmd", &options->command, false, err);
	if (!ret)
		ret = add_lines(ramdisk, "env", &options->environment, false,
				err);
	if (!ret && options->rootfs)
		ret = add_rootfs(build, ramdisk, err);
	return ret ? ret : ramdisk_finish(ramdisk, err);
}

/* --- The image ---------------------------------------------------------- */

static int add_ramdisks(struct build *build, struct ne_error *err)
{
	const struct build_options *options = &build->options;
	size_t i;
	int ret = 0;

	if (options->init || options->command.count || options->modules.count)
		ret = add_boot_ramdisk(build, err);
	if (!ret && options->command.count)
		ret = add_application_ramdisk(build, err);
	for (i = 0; !ret && i < options->ramdisks.count; i++)
		ret = add_file_section(build, NE_EIF_SECTION_RAMDISK,
				       options->ramdisks.items[i], err);
	return ret;
}

static int print_measurements(const struct build *build, struct ne_error *err)
{
	struct ne_eif_measurements measurements;
	cleanup_eif struct ne_eif *eif = NULL;
	int ret;

	ret = ne_eif_open_fd(&eif, build->output.fd, err);
	if (!ret)
		ret = ne_eif_measure(eif, &measurements, err);
	if (ret)
		return ret;
	return print_json(json_pack("{s:o}", "Measurements",
				    measurements_to_json(&measurements)),
			  err);
}

static int build_image(struct build *build, struct ne_error *err)
{
	const struct build_options *options = &build->options;
	const struct ne_eif_settings settings = { .arch = options->arch };
	int ret;

	ret = output_begin(&build->output, options->output, err);
	if (!ret)
		ret = ne_eif_writer_new(&build->writer, build->output.fd,
					&settings, err);
	if (!ret)
		ret = add_file_section(build, NE_EIF_SECTION_KERNEL,
				       options->kernel, err);
	if (!ret)
		ret = add_text_section(build, NE_EIF_SECTION_CMDLINE,
				       options->cmdline, err);
	if (!ret)
		ret = add_metadata(build, err);
	if (!ret)
		ret = add_ramdisks(build, err);
	if (!ret)
		ret = ne_eif_writer_finish(build->writer, err);
	if (!ret)
		ret = print_measurements(build, err);
	return ret ? ret : output_finish(&build->output, err);
}

int build_command(int argc, char **argv)
{
	cleanup_build struct build build = { .output = { .fd = -1 } };
	struct ne_error err = { 0 };
	int status;

	status = parse_build_options(&build.options, argc, argv);
	if (status >= 0)
		return status;
	return build_image(&build, &err) ? report_failure(&err) : EXIT_SUCCESS;
}
