/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the EIF reader and writer share. <ne/eif.h> is the
 * interface, and names where the format is specified.
 */
#ifndef LIBNE_EIF_INTERNAL_H
#define LIBNE_EIF_INTERNAL_H

#include <ne/eif.h>

/* Offsets in the header. All numbers are big-endian. */
#define EIF_MAGIC ".eif"
#define EIF_MAGIC_SIZE 4
#define EIF_VERSION 4
#define EIF_FLAGS 6
#define EIF_DEFAULT_MEMORY 8
#define EIF_DEFAULT_CPUS 16
#define EIF_SECTION_COUNT 26
#define EIF_SECTION_OFFSETS 28
#define EIF_SECTION_SIZES (EIF_SECTION_OFFSETS + 8 * NE_EIF_MAX_SECTIONS)
#define EIF_CRC 544

#define EIF_FLAG_AARCH64 0x1

/* Offsets in the header of a section. */
#define EIF_SECTION_TYPE 0
#define EIF_SECTION_FLAGS 2
#define EIF_SECTION_SIZE 4

struct eif_header {
	unsigned int version;
	enum ne_eif_arch arch;
	uint64_t default_memory;
	uint64_t default_cpus;
	unsigned int section_count;
	uint64_t section_offsets[NE_EIF_MAX_SECTIONS];
	uint64_t section_sizes[NE_EIF_MAX_SECTIONS];
	uint32_t crc;
};

struct ne_eif {
	int fd; /* -1: the memory is borrowed, else it is a mapping of this */
	const uint8_t *data;
	size_t size;
	struct eif_header header;
	struct ne_eif_section sections[NE_EIF_MAX_SECTIONS];
	/* By what they hold: pointers into sections[]. */
	const struct ne_eif_section *kernel;
	const struct ne_eif_section *cmdline;
	const struct ne_eif_section *signature;
	const struct ne_eif_section *metadata;
	const struct ne_eif_section *ramdisks[NE_EIF_MAX_SECTIONS];
	unsigned int ramdisk_count;
};

/* -ESTALE if the file is no longer as large as its mapping. */
int eif_check_size(const struct ne_eif *eif, struct ne_error *err);

/* The checksum that the header should have. */
uint32_t eif_compute_crc(const struct ne_eif *eif);

/*
 * The certificate of the first signature in a signature section, as DER, for
 * free(). Does not look at the signature itself.
 */
int eif_signing_certificate(const struct ne_eif_section *section, uint8_t **der,
			    size_t *size, struct ne_error *err);

#endif
