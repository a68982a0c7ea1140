// SPDX-License-Identifier: Apache-2.0
#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ne/eif.h>
#include <ne/error.h>

#include "plumbing/claim.h"
#include "plumbing/loop.h"

/* --- The runtime folder -------------------------------------------------- */

static char folder[256];

int fakes_open_runtime(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[4096];
	int fd;

	snprintf(folder, sizeof(folder), "%s/runtime.XXXXXX",
		 tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(folder));
	setenv("NE_RUNTIME_DIR", folder, 1);
	fd = runtime_open(path, sizeof(path), NULL);
	assert_true(fd >= 0);
	return fd;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fakes_close_runtime(int runtime)
{
	close(runtime);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- The image ----------------------------------------------------------- */

static void add_section(struct ne_eif_writer *writer,
			enum ne_eif_section_type type, const char *content)
{
	assert_int_equal(ne_eif_writer_begin(writer, type, NULL), 0);
	assert_int_equal(ne_eif_writer_append(writer, content, strlen(content),
					      NULL),
			 0);
}

uint8_t *fakes_image(size_t *size)
{
#ifdef __x86_64__
	const struct ne_eif_settings settings = { .arch = NE_EIF_X86_64 };
#else
	const struct ne_eif_settings settings = { .arch = NE_EIF_AARCH64 };
#endif
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct ne_eif_writer *writer;
	uint8_t *image;
	struct stat st;

	assert_int_equal(ne_eif_writer_new(&writer, fd, &settings, NULL), 0);
	add_section(writer, NE_EIF_SECTION_KERNEL, "kernel");
	add_section(writer, NE_EIF_SECTION_CMDLINE, "quiet");
	add_section(writer, NE_EIF_SECTION_METADATA, "{}");
	add_section(writer, NE_EIF_SECTION_RAMDISK, "ramdisk");
	assert_int_equal(ne_eif_writer_finish(writer, NULL), 0);
	ne_eif_writer_free(writer);

	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	image = malloc(*size);
	assert_non_null(image);
	assert_int_equal(pread(fd, image, *size, 0), st.st_size);
	close(fd);
	return image;
}

/* --- The loop ------------------------------------------------------------ */

static void stop(uint32_t events, void *loop)
{
	(void)events;
	loop_stop(loop);
}

void fakes_run(struct loop *loop)
{
	assert_non_null(loop_timer(loop, 5, stop, loop));
	assert_int_equal(loop_run(loop), 0);
}

/* --- The machine --------------------------------------------------------- */

struct machine {
	struct loop *loop;
	struct loop_source *end_source;
	void (*ended)(const struct machine_end *end, void *data);
	void *data;
	struct machine_end end;
};

struct fake_machine fake_machine;
static struct machine *last;

static int prepare(struct machine **machine, struct loop *loop,
		   const struct machine_spec *spec,
		   void (*ended)(const struct machine_end *end, void *data),
		   void *data, struct ne_error *err)
{
	if (fake_machine.fail_prepare)
		return ne_error_set(err, -fake_machine.fail_prepare,
				    "the fake machine will not");
	fake_machine.prepared++;
	fake_machine.spec = *spec;
	fake_machine.image_size = ne_eif_size(spec->image);
	snprintf(fake_machine.name, sizeof(fake_machine.name), "%s",
		 spec->name);
	last = calloc(1, sizeof(*last));
	assert_non_null(last);
	*last = (struct machine){ .loop = loop, .ended = ended, .data = data };
	*machine = last;
	return 0;
}

static void go(struct machine *machine)
{
	assert_ptr_equal(machine, last);
	fake_machine.gone++;
}

static void announce(uint32_t events, void *data)
{
	struct machine *machine = data;

	(void)events;
	machine->end_source = NULL;
	machine->ended(&machine->end, machine->data);
}

static void end_with(struct machine *machine, const char *reason, bool failed)
{
	machine->end = (struct machine_end){ reason, failed };
	machine->end_source = loop_timer(machine->loop, 0, announce, machine);
	assert_non_null(machine->end_source);
}

static void power_off(struct machine *machine)
{
	end_with(machine, "powered off", false);
}

static void free_machine(struct machine *machine)
{
	loop_remove(machine->end_source);
	free(machine);
	last = NULL;
	fake_machine.freed++;
}

void fake_machine_end(const char *reason, bool failed)
{
	assert_non_null(last);
	end_with(last, reason, failed);
}

const struct machine_ops fake_machine_ops = {
	.name = "fake",
	.prepare = prepare,
	.go = go,
	.stop = power_off,
	.free = free_machine,
};
