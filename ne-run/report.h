/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ne-run says.
 *
 * Lines for people go to stderr, so that stdout is the enclave's console's
 * alone, or with --json, that of events. On a terminal a status line tells
 * what is being waited for; the next line takes its place.
 */
#ifndef NE_RUN_REPORT_H
#define NE_RUN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Before all else. */
void report_init(bool json, bool verbose);

/* "ne-run: text" */
void report_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with --verbose only. */
void report_detail(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The status line; nothing where stderr is no terminal. */
void report_status(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
void report_status_off(void);

/* An enclave that has booted. */
struct report_booted {
	const char *name;
	const char *id;
	uint64_t cid;
	const uint32_t *cpu_ids;
	size_t n_cpus;
	uint64_t memory;      /* bytes */
	int64_t milliseconds; /* that booting took */
};

void report_booted(const struct report_booted *booted);

/* The end, of whatever there was. */
struct report_ended {
	const char *name;	/* NULL: not even an image */
	const char *id;		/* NULL: it never had one */
	uint64_t cid;		/* 0: it was never started */
	int exit_status;	/* ours */
	int application_status; /* -1: it was not reported */
	const char *reason;
};

/* The last event; nothing without --json. */
void report_ended(const struct report_ended *ended);

#endif
