/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance suite of /dev/nitro_enclaves.
 *
 * Theory of operation
 *
 * The suite opens the device with open(2) and talks to it with ioctl(2) and
 * poll(2), with nothing of libne in between, so that it says the same about
 * the kernel's driver (inside a VM that has the device) and about whatever
 * stands in for it. What it expects was read from the driver:
 * drivers/virt/nitro_enclaves/ne_misc_dev.c of Linux 5.16 and later.
 *
 * A case is a function with a sentence for a name. It runs in a process of
 * its own with a time limit, so that all it holds is given back however it
 * ends, and so that the next one starts from a whole pool. The functions
 * below end that process when something is not as expected; a case that
 * returns has passed.
 *
 * With --transcript each call is printed as it was answered, with names in
 * place of whatever differs from run to run (descriptors, addresses, slot
 * ids), so that the transcripts of two devices can be compared line by line.
 */
#ifndef CONFORMANCE_SUITE_H
#define CONFORMANCE_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include <linux/types.h>

#include <linux/nitro_enclaves.h>

#define MIB (1024ULL * 1024)
#define GIB (1024 * MIB)

/* The unit of donated memory: the driver's NE_MIN_MEM_REGION_SIZE. */
#define HUGE_PAGE (2 * MIB)
/* The least that an enclave starts with: NE_MIN_ENCLAVE_MEM_SIZE. */
#define ENCLAVE_MIN (64 * MIB)
/* Where the image goes: NE_EIF_LOAD_OFFSET. */
#define LOAD_OFFSET (8 * MIB)

#define CID_AUTO 0
#define CID_PARENT 3

/* Never mapped in a program of ours, and canonical. */
#define BAD_POINTER ((void *)0x10)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What a case cannot do without. */
enum needs {
	NEEDS_IMAGE = 1 << 0,	    /* an image that boots */
	NEEDS_STRICT = 1 << 1,	    /* a device that wants huge pages */
	NEEDS_LENIENT = 1 << 2,	    /* one that does not */
	NEEDS_OTHER_NODE = 1 << 3,  /* a pool on a NUMA node without memory */
	NEEDS_MAX_REGIONS = 1 << 4, /* a known limit of memory regions */
	NEEDS_SIBLINGS = 1 << 5,    /* cores with more than one thread */
	NEEDS_CPUS_KNOWN = 1 << 6,  /* the number of the machine's CPUs */
};

struct test_case {
	const char *name;
	void (*run)(void);
	unsigned int needs;
	unsigned int cores; /* that the pool must have, 1 if 0 */
	/*
	 * How the emulation of the device is known to differ, for cases that
	 * hold on the driver alone.
	 */
	const char *known_difference;
};

/* CASE("a sentence", function, .needs = ..., .cores = ...) */
#define CASE(sentence, function, ...)                              \
	{                                                          \
		.name = (sentence), .run = (function), __VA_ARGS__ \
	}

struct test_group {
	const struct test_case *cases;
	size_t count;
};

extern const struct test_group device_cases;
extern const struct test_group vcpu_cases;
extern const struct test_group load_info_cases;
extern const struct test_group memory_cases;
extern const struct test_group start_cases;
extern const struct test_group end_cases;

#define MAX_CPUS 1024

/* What the suite was told and has found out; constant while cases run. */
struct suite_config {
	const char *image;
	unsigned int threads_per_core;
	unsigned int cpus;	      /* 0 if not known */
	unsigned int max_mem_regions; /* 0 if not known */
	unsigned int enclave_mem_mib;
	bool strict;
	bool other_node;
	bool omit_unmet;
	bool transcript; /* a case whose calls race turns it off */

	uint32_t pool[MAX_CPUS]; /* ascending */
	unsigned int pool_size;
};

extern struct suite_config suite;

/* --- Ending a case (run.c) ----------------------------------------------- */

void fail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void skip(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* A call answers with a value that is not negative, or -errno. */
void expect_at(const char *file, int line, const char *what, long actual,
	       long expected);
#define expect(answer, expected) \
	expect_at(__FILE__, __LINE__, #answer, (answer), (expected))

void expect_true_at(const char *file, int line, const char *what, bool holds);
#define expect_true(condition) \
	expect_true_at(__FILE__, __LINE__, #condition, (condition))

/* "ENOMEM", "NE_ERR_INVALID_VCPU"; belongs to the suite. */
const char *error_name(long error);

/* --- Calls, as they are and with a transcript (call.c) --------------------- */

int device_open(void);
/* ioctl(2); BAD_POINTER and read-only memory are as good as any argument. */
long call(int fd, unsigned long request, void *argument);
/* poll(2) for everything: revents, 0 after the time. */
long call_poll(int fd, int timeout_ms);
long call_close(int fd);
void transcript(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What a descriptor is called in the transcript. */
void name_descriptor(int fd, const char *name);
/* The same for memory. */
void name_memory(const void *address, size_t size);

long create_vm(int device, uint64_t *slot);
long add_vcpu(int enclave, uint32_t *id);
long set_region(int enclave, const void *address, uint64_t size);
long set_region_flags(int enclave, uint64_t flags, uint64_t address,
		      uint64_t size);
long get_load_info(int enclave, struct ne_image_load_info *info);
long start(int enclave, uint64_t flags, uint64_t *cid);

/* --- The same, where all goes well (fixture.c) ----------------------------- */

int new_enclave(void);
/* Adds the vCPU (0: any); the one that was added. */
uint32_t give_vcpu(int enclave, uint32_t id);
/* All threads of the pool's core number `index`. */
void give_core(int enclave, unsigned int index);
/* Every core that is left. */
void give_all_cores(int enclave);
/* The thread of the pool's core, both counted from 0. */
uint32_t pool_cpu(unsigned int core, unsigned int thread);
unsigned int pool_cores(void);

/*
 * Memory that the device takes, as the caller's own huge pages: 2 MiB
 * aligned, writable, anonymous, private. On a device that is not strict, any
 * memory if there are no huge pages. Skips the case if there is none.
 */
char *enclave_memory(size_t size);
/* Not huge, 2 MiB aligned. */
char *ordinary_memory(size_t size);
/* A page that can only be read, holding a copy of the bytes. */
void *read_only_copy(const void *bytes, size_t size);
/* Copies the image to the offset; memory is one piece. */
void load_image(char *memory, size_t size);

/* An enclave with an image, memory and the pool's core: ready to start. */
int ready_enclave(unsigned int core);
/* The same, and running; its CID. Nobody hears its heartbeat. */
int running_enclave(unsigned int core, uint64_t *cid);

/* The image's init at work: it connects to us when it boots. */
int hear_heartbeats(void);
/* The connection of the enclave with that CID. */
int booted(int listener, uint64_t cid);
/* running_enclave() that has booted; *connection leads to its init. */
int booted_enclave(unsigned int core, uint64_t *cid, int *connection);
/* Tells init something, see init.c. */
void tell_init(int connection, char what);
bool init_answers(int connection);
/* Waits for the end of the enclave, as seen from its connection. */
void expect_gone(int connection);
/* Waits for POLLHUP, and nothing else. */
void expect_hangup(int enclave);
/* Nothing to be seen on the enclave's descriptor. */
void expect_quiet(int enclave);

/* Runs the function in a forked child; its result. */
long in_child(long (*function)(void *data), void *data);

/* What `--after-exec FD` does: see end.c. */
int after_exec(const char *fd);

#endif
