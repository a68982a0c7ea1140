// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ne/eif.h>
#include <ne/enclave.h>
#include <ne/error.h>

#include "config.h"
#include "libne/cleanup.h"
#include "ne-run/emulate.h"
#include "ne-run/options.h"
#include "ne-run/report.h"
#include "ne-run/resources.h"
#include "ne-run/run.h"

static void close_image(struct ne_eif **image)
{
	ne_eif_close(*image);
}

/*
 * Hardware would not say what is wrong. The emulator does; there the checksum,
 * an eighth of a boot, is left to it.
 */
static int check_image(const struct options *options,
		       const struct ne_eif *image, struct ne_error *err)
{
	int rc = 0;

	if (!emulate_any_cpu(options))
		rc = ne_eif_check_arch(image, err);
	if (rc == 0 && !emulate_is_on())
		rc = ne_eif_check_crc(image, err);
	if (rc < 0)
		ne_error_prefix(err, "%s", options->image);
	return rc;
}

static int choose_resources(const struct options *options,
			    const struct ne_eif *image,
			    struct resources *resources, struct ne_error *err)
{
	struct resources_wish wish = {
		.image_size = ne_eif_size(image),
		.memory = ne_eif_default_memory(image),
		.cpus = ne_eif_default_cpus(image),
	};
	int rc = resources_choose(resources, options->memory, options->cpus,
				  &wish, err);

	if (rc == 0 && resources->is_tight && !emulate_is_on())
		report_say("little memory for this image: AWS's nitro-cli asks "
			   "for 4 times its size, %zu MiB",
			   (4 * wish.image_size >> 20) + 1);
	return rc;
}

/* The device, or this program again where the device is emulated. */
static int open_device(const struct options *options, char **argv,
		       int64_t started, struct ne_error *err)
{
	bool may_emulate = options->emulate != EMULATE_NEVER &&
			   !emulate_is_on();
	int fd;

	if (may_emulate && options->emulate != EMULATE_AUTO) {
		report_say("emulating /dev/nitro_enclaves (%s machine; a test "
			   "instrument, no security boundary)",
			   options->emulate == EMULATE_QEMU ? "qemu"
							    : "process");
		return emulate_exec(options, argv, started, err);
	}
	fd = ne_device_open(err);
	if (fd == -ENOENT && may_emulate) {
		report_say("no /dev/nitro_enclaves here: emulating it (process "
			   "machine; a test instrument, no security boundary)");
		return emulate_exec(options, argv, started, err);
	}
	if (fd >= 0 && options->console && !options->debug &&
	    !emulate_is_on()) {
		close(fd);
		return ne_error_set(err, EINVAL,
				    "--console needs --debug: this hypervisor "
				    "shows the console of debug enclaves only");
	}
	return fd;
}

/* nitro-cli's default too: the file's name without its ".eif". */
static const char *enclave_name(const struct options *options, char *buffer,
				size_t size)
{
	const char *slash = strrchr(options->image, '/');
	size_t length;

	if (options->name)
		return options->name;
	snprintf(buffer, size, "%s", slash ? slash + 1 : options->image);
	length = strlen(buffer);
	if (length > 4 && strcmp(buffer + length - 4, ".eif") == 0)
		buffer[length - 4] = '\0';
	return buffer;
}

static int fail(const char *name, const struct ne_error *err)
{
	struct report_ended ended = {
		.name = name,
		.exit_status = EXIT_OWN,
		.application_status = -1,
		.reason = err->text,
	};

	report_say("%s", err->text);
	report_ended(&ended);
	return EXIT_OWN;
}

static int run_image(const struct options *options, char **argv,
		     int64_t started)
{
	__attribute__((cleanup(close_image))) struct ne_eif *image = NULL;
	cleanup_close int device = -1;
	struct resources resources;
	struct ne_error err = { 0 };
	char name[256];
	struct run_spec spec = {
		.options = options,
		.resources = &resources,
		.name = enclave_name(options, name, sizeof(name)),
		.started = emulate_first_start() >= 0 ? emulate_first_start()
						      : started,
	};

	if (ne_eif_open(&image, options->image, &err) < 0 ||
	    choose_resources(options, image, &resources, &err) < 0)
		return fail(spec.name, &err);
	spec.image = image;
	device = open_device(options, argv, started, &err);
	if (device < 0 || check_image(options, image, &err) < 0)
		return fail(spec.name, &err);
	spec.device = device;
	return run_enclave(&spec);
}

int main(int argc, char **argv)
{
	int64_t started = ne_now();
	static struct options options;
	struct ne_error err = { 0 };
	int rc = options_parse(&options, argc, argv, &err);

	report_init(options.json, options.verbose);
	if (rc < 0)
		return fail(NULL, &err);
	if (options.help) {
		fputs(options_help, stdout);
		return 0;
	}
	if (options.version) {
		puts("ne-run " PACKAGE_VERSION);
		return 0;
	}
	return run_image(&options, argv, started);
}
