// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fakes.h"
#include "libne/cleanup.h"
#include "ne-emu/hypervisor.h"
#include "ne-emu/image.h"
#include "plumbing/claim.h"
#include "plumbing/loop.h"

#define MIB (1ULL << 20)
#define MEMORY_SIZE (16 * MIB)
/* Where the pieces of memory lie, as far as the hypervisor can tell. */
#define BASE 0x100000000ULL

static struct hypervisor hypervisor;
static uint8_t *memory;
static uint8_t *image;
static size_t image_size;
static unsigned int ends;

static int read_memory(void *data, uint64_t address, void *to, size_t size)
{
	(void)data;
	if (address < BASE || address - BASE > MEMORY_SIZE ||
	    size > MEMORY_SIZE - (address - BASE))
		return -EFAULT;
	memcpy(to, memory + (address - BASE), size);
	return 0;
}

static const struct donor donor = { read_memory, NULL };

static void count_end(struct slot *slot, void *data)
{
	(void)slot;
	(void)data;
	ends++;
}

static int set_up(void **state)
{
	(void)state;
	hypervisor = (struct hypervisor){ .loop = loop_new(),
					  .runtime = fakes_open_runtime(),
					  .machine = &fake_machine_ops };
	memory = calloc(1, MEMORY_SIZE);
	image = fakes_image(&image_size);
	memcpy(memory + IMAGE_LOAD_OFFSET, image, image_size);
	fake_machine = (struct fake_machine){ 0 };
	ends = 0;
	return hypervisor.loop && memory ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(hypervisor.loop);
	fakes_close_runtime(hypervisor.runtime);
	free(memory);
	free(image);
	return 0;
}

static struct slot *new_slot(void)
{
	struct slot *slot;

	assert_int_equal(slot_alloc(&slot, &hypervisor, count_end, NULL), 0);
	return slot;
}

static struct slot *ready_slot(void)
{
	struct slot *slot = new_slot();

	assert_int_equal(slot_add_memory(slot, BASE, MEMORY_SIZE), 0);
	slot_add_vcpu(slot);
	slot_add_vcpu(slot);
	return slot;
}

static int start(struct slot *slot, uint64_t *cid)
{
	return slot_start(slot, cid, false, &donor);
}

static uint64_t start_any(struct slot *slot)
{
	uint64_t cid = 0;

	assert_int_equal(start(slot, &cid), 0);
	return cid;
}

/* --- Slots --------------------------------------------------------------- */

static void slots_are_numbered_by_time_and_differ(void **state)
{
	struct slot *a = new_slot();
	struct slot *b = new_slot();

	(void)state;
	assert_true(slot_id(a) != 0);
	assert_true(slot_id(a) != slot_id(b));
	/* 2021 to 2100, in milliseconds. */
	assert_in_range(slot_id(a) >> 16, 1609459200000ULL, 4102444800000ULL);
	assert_int_equal(slot_state(a), SLOT_INIT);
	slot_free(a);
	slot_free(b);
}

static void a_freed_slot_is_there_for_the_next(void **state)
{
	struct slot *slots[HYPERVISOR_SLOTS], *more;

	(void)state;
	for (size_t i = 0; i < HYPERVISOR_SLOTS; i++)
		slots[i] = new_slot();
	assert_int_equal(slot_alloc(&more, &hypervisor, count_end, NULL),
			 -ENOSPC);
	slot_free(slots[77]);
	slots[77] = new_slot();
	for (size_t i = 0; i < HYPERVISOR_SLOTS; i++)
		slot_free(slots[i]);
}

/* --- CIDs ---------------------------------------------------------------- */

static void cids_are_given_lowest_first_from_16(void **state)
{
	struct slot *a = ready_slot(), *b = ready_slot(), *c = ready_slot();

	(void)state;
	assert_int_equal(start_any(a), 16);
	assert_int_equal(start_any(b), 17);
	slot_free(a);
	assert_int_equal(start_any(c), 16);
	slot_free(b);
	slot_free(c);
}

static void a_cid_can_be_requested_once(void **state)
{
	struct slot *a = ready_slot(), *b = ready_slot();
	uint64_t cid = 4711;

	(void)state;
	assert_int_equal(start(a, &cid), 0);
	assert_int_equal(cid, 4711);
	assert_int_equal(start(b, &cid), -EADDRINUSE);
	assert_non_null(strstr(slot_reason(b), "CID 4711 is taken"));
	assert_int_equal(slot_state(b), SLOT_INIT);
	slot_free(a);
	assert_int_equal(start(b, &cid), 0);
	assert_null(slot_reason(b));
	slot_free(b);
}

static void a_cid_that_another_process_claims_is_taken(void **state)
{
	int claim = claim_take(hypervisor.runtime, "cid", 16);
	struct slot *slot = ready_slot();
	uint64_t cid = 16;

	(void)state;
	assert_true(claim >= 0);
	assert_int_equal(start(slot, &cid), -EADDRINUSE);
	assert_int_equal(start_any(slot), 17);
	slot_free(slot);
	close(claim);
}

/* --- Starting and ending ------------------------------------------------- */

static void the_machine_is_told_what_the_slot_is(void **state)
{
	struct slot *slot = ready_slot();
	uint64_t cid = 20;

	(void)state;
	assert_int_equal(slot_start(slot, &cid, true, &donor), 0);
	assert_int_equal(fake_machine.prepared, 1);
	assert_int_equal(fake_machine.spec.cid, 20);
	assert_int_equal(fake_machine.spec.cpus, 2);
	assert_int_equal(fake_machine.spec.memory, MEMORY_SIZE);
	assert_true(fake_machine.spec.debug);
	assert_int_equal(fake_machine.image_size, image_size);
	assert_memory_equal(fake_machine.name, "enclave ", 8);
	slot_free(slot);
}

static void it_runs_only_when_it_is_let_go(void **state)
{
	struct slot *slot = ready_slot();

	(void)state;
	start_any(slot);
	assert_int_equal(slot_state(slot), SLOT_RUNNING);
	assert_int_equal(fake_machine.gone, 0);
	slot_go(slot);
	assert_int_equal(fake_machine.gone, 1);
	slot_free(slot);
	assert_int_equal(fake_machine.freed, 1);
}

static void a_start_can_be_cancelled(void **state)
{
	struct slot *slot = ready_slot();
	uint64_t cid = 99;

	(void)state;
	assert_int_equal(start(slot, &cid), 0);
	slot_cancel_start(slot);
	assert_int_equal(slot_state(slot), SLOT_INIT);
	assert_int_equal(fake_machine.freed, 1);
	assert_true(claim_is_free(hypervisor.runtime, "cid", 99));
	assert_null(slot_reason(slot));
	assert_int_equal(start(slot, &cid), 0);
	slot_free(slot);
}

static void a_machine_that_will_not_leaves_the_slot_as_it_was(void **state)
{
	struct slot *slot = ready_slot();
	uint64_t cid = 99;

	(void)state;
	fake_machine.fail_prepare = -EPERM;
	assert_int_equal(start(slot, &cid), -EPERM);
	assert_int_equal(slot_state(slot), SLOT_INIT);
	assert_string_equal(slot_reason(slot), "the fake machine will not");
	assert_true(slot_failed(slot));
	assert_true(claim_is_free(hypervisor.runtime, "cid", 99));
	fake_machine.fail_prepare = 0;
	assert_int_equal(start(slot, &cid), 0);
	slot_free(slot);
}

static void an_end_is_announced_once_with_its_reason(void **state)
{
	struct slot *slot = ready_slot();

	(void)state;
	start_any(slot);
	slot_go(slot);
	fakes_run(hypervisor.loop);
	assert_int_equal(ends, 0);
	assert_null(slot_reason(slot));
	fake_machine_end("/init exited with status 3", true);
	fakes_run(hypervisor.loop);
	assert_int_equal(ends, 1);
	assert_int_equal(slot_state(slot), SLOT_STOPPED);
	assert_string_equal(slot_reason(slot), "/init exited with status 3");
	assert_true(slot_failed(slot));
	slot_free(slot);
	fakes_run(hypervisor.loop);
	assert_int_equal(ends, 1);
}

static void a_slot_that_is_freed_ends_silently(void **state)
{
	struct slot *slot = ready_slot();

	(void)state;
	start_any(slot);
	slot_go(slot);
	slot_free(slot);
	fakes_run(hypervisor.loop);
	assert_int_equal(ends, 0);
	assert_int_equal(fake_machine.freed, 1);
	assert_true(claim_is_free(hypervisor.runtime, "cid", 16));
	assert_true(claim_is_free(hypervisor.runtime, "slot", 0));
}

/* --- The image ----------------------------------------------------------- */

static void the_image_lies_in_the_pieces_in_their_order(void **state)
{
	/* Pieces of 2 MiB, the image's last address first. */
	const uint64_t piece = 2 * MIB, n = MEMORY_SIZE / piece;
	uint8_t *mixed = malloc(MEMORY_SIZE);
	struct slot *slot = new_slot();

	(void)state;
	/* It starts near the end of a piece, and goes on in the next. */
	assert_true(image_size > 100);
	memset(memory, 0, MEMORY_SIZE);
	memcpy(memory + IMAGE_LOAD_OFFSET, image, image_size);
	for (uint64_t i = 0; i < n; i++) {
		memcpy(mixed + (n - 1 - i) * piece, memory + i * piece, piece);
		assert_int_equal(slot_add_memory(slot,
						 BASE + (n - 1 - i) * piece,
						 piece),
				 0);
	}
	free(memory);
	memory = mixed;
	start_any(slot);
	assert_int_equal(fake_machine.prepared, 1);
	slot_free(slot);
}

static void the_image_may_lie_across_pieces(void **state)
{
	struct slot *slot = new_slot();

	(void)state;
	for (uint64_t at = 0; at < MEMORY_SIZE;) {
		/* Cut it into pieces of 100 bytes. */
		uint64_t size = at < IMAGE_LOAD_OFFSET ? IMAGE_LOAD_OFFSET
				: at < IMAGE_LOAD_OFFSET + image_size
					? 100
					: MEMORY_SIZE - at;

		assert_int_equal(slot_add_memory(slot, BASE + at, size), 0);
		at += size;
	}
	start_any(slot);
	assert_int_equal(fake_machine.prepared, 1);
	slot_free(slot);
}

/* Like on Nitro: it starts, and has ended. */
static void expect_stillborn(const char *reason)
{
	struct slot *slot = ready_slot();

	start_any(slot);
	assert_int_equal(slot_state(slot), SLOT_RUNNING);
	assert_int_equal(ends, 0);
	slot_go(slot);
	assert_int_equal(ends, 0);
	fakes_run(hypervisor.loop);
	assert_int_equal(ends, 1);
	assert_int_equal(slot_state(slot), SLOT_STOPPED);
	assert_true(slot_failed(slot));
	if (!strstr(slot_reason(slot), reason))
		fail_msg("\"%s\" does not say \"%s\"", slot_reason(slot),
			 reason);
	assert_int_equal(fake_machine.prepared, 0);
	slot_free(slot);
	ends = 0;
}

static void an_enclave_without_an_image_ends_at_once(void **state)
{
	(void)state;
	memset(memory, 0, MEMORY_SIZE);
	expect_stillborn("at 8 MiB into the memory: not an enclave image");
	memset(memory, 0xff, MEMORY_SIZE);
	expect_stillborn("not an enclave image");
}

static void an_image_with_a_wrong_checksum_ends_at_once(void **state)
{
	(void)state;
	memory[IMAGE_LOAD_OFFSET + image_size - 1] ^= 1;
	expect_stillborn("checksum");
}

static void an_image_for_another_cpu_ends_at_once(void **state)
{
	(void)state;
	memory[IMAGE_LOAD_OFFSET + 7] ^= 1;
	expect_stillborn("aarch64");
}

static void an_image_that_claims_more_than_there_is_ends_at_once(void **state)
{
	/* The size of section 3, big-endian, in the header. */
	uint8_t *size = memory + IMAGE_LOAD_OFFSET + 28 + 256 + 3 * 8;

	(void)state;
	size[4] = 1; /* 16 MiB more */
	expect_stillborn("the memory has room for");
	memset(size, 0xff, 8);
	expect_stillborn("no image that can be run");
}

static void memory_that_cannot_be_read_is_an_error(void **state)
{
	struct slot *slot = new_slot();
	uint64_t cid = 0;

	(void)state;
	assert_int_equal(slot_add_memory(slot, BASE + MEMORY_SIZE, MEMORY_SIZE),
			 0);
	assert_int_equal(start(slot, &cid), -EFAULT);
	assert_int_equal(slot_state(slot), SLOT_INIT);
	assert_non_null(strstr(slot_reason(slot), "must stay mapped"));
	slot_free(slot);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(slots_are_numbered_by_time_and_differ),
		TEST(a_freed_slot_is_there_for_the_next),
		TEST(cids_are_given_lowest_first_from_16),
		TEST(a_cid_can_be_requested_once),
		TEST(a_cid_that_another_process_claims_is_taken),
		TEST(the_machine_is_told_what_the_slot_is),
		TEST(it_runs_only_when_it_is_let_go),
		TEST(a_start_can_be_cancelled),
		TEST(a_machine_that_will_not_leaves_the_slot_as_it_was),
		TEST(an_end_is_announced_once_with_its_reason),
		TEST(a_slot_that_is_freed_ends_silently),
		TEST(the_image_lies_in_the_pieces_in_their_order),
		TEST(the_image_may_lie_across_pieces),
		TEST(an_enclave_without_an_image_ends_at_once),
		TEST(an_image_with_a_wrong_checksum_ends_at_once),
		TEST(an_image_for_another_cpu_ends_at_once),
		TEST(an_image_that_claims_more_than_there_is_ends_at_once),
		TEST(memory_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
