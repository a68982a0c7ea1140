// SPDX-License-Identifier: Apache-2.0
#include "ne-run/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Back to the first column, and clear to the end of the line. */
#define ERASE "\r\033[K"

static struct {
	bool json;
	bool verbose;
	bool on_terminal;
	bool has_status; /* a status line is on the screen */
} report;

void report_init(bool json, bool verbose)
{
	report.json = json;
	report.verbose = verbose;
	report.on_terminal = isatty(STDERR_FILENO);
}

/* One write(2) per line, so that lines of several programs do not mix. */
static void put_line(const char *before, const char *format, va_list args,
		     const char *behind) __attribute__((format(printf, 2, 0)));

static void put_line(const char *before, const char *format, va_list args,
		     const char *behind)
{
	char line[1024];
	int size = snprintf(line, sizeof(line), "%s%s",
			    report.has_status ? ERASE : "", before);
	size_t left = sizeof(line) - (size_t)size;

	vsnprintf(line + size, left - strlen(behind), format, args);
	for (char *c = line + size; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	strcat(line, behind);
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return; /* nobody is left to tell */
}

static void put(const char *before, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(const char *before, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(before, format, args, "\n");
	va_end(args);
	report.has_status = false;
}

void report_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line("ne-run: ", format, args, "\n");
	va_end(args);
	report.has_status = false;
}

void report_detail(const char *format, ...)
{
	va_list args;

	if (!report.verbose)
		return;
	va_start(args, format);
	put_line("ne-run: ", format, args, "\n");
	va_end(args);
	report.has_status = false;
}

void report_status(const char *format, ...)
{
	va_list args;

	if (!report.on_terminal)
		return;
	/* The cursor goes back, in case another program has something to say. */
	va_start(args, format);
	put_line("", format, args, "\r");
	va_end(args);
	report.has_status = true;
}

void report_status_off(void)
{
	if (!report.has_status)
		return;
	if (write(STDERR_FILENO, ERASE, strlen(ERASE)) < 0)
		return;
	report.has_status = false;
}

/* An event is one line; it takes over the object. */
static void put_event(json_t *event)
{
	char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;

	if (text)
		printf("%s\n", text);
	fflush(stdout);
	free(text);
	json_decref(event);
}

/* Names come from command lines and hypervisors: they may not be UTF-8. */
static json_t *string(const char *text)
{
	json_t *value = json_string(text);

	return value ? value : json_string("?");
}

static json_t *cpu_array(const struct report_booted *booted)
{
	json_t *array = json_array();

	for (size_t i = 0; i < booted->n_cpus; i++)
		json_array_append_new(array, json_integer(booted->cpu_ids[i]));
	return array;
}

/* As nitro-cli's run-enclave has them: its src/common/json_output.rs. */
static void put_booted(const struct report_booted *booted)
{
	put_event(json_pack(
		"{s:s, s:o, s:o, s:i, s:I, s:I, s:o, s:I, s:I}", "Event",
		"booted", "EnclaveName", string(booted->name), "EnclaveID",
		string(booted->id), "ProcessID", (int)getpid(), "EnclaveCID",
		(json_int_t)booted->cid, "NumberOfCPUs",
		(json_int_t)booted->n_cpus, "CPUIDs", cpu_array(booted),
		"MemoryMiB", (json_int_t)(booted->memory >> 20),
		"BootMilliseconds", (json_int_t)booted->milliseconds));
}

void report_booted(const struct report_booted *booted)
{
	report_status_off();
	if (report.json)
		put_booted(booted);
	else
		put("enclave ",
		    "%s: cid %" PRIu64 ", %zu cpu%s, %" PRIu64
		    " MiB, booted in %" PRId64 " ms",
		    booted->id, booted->cid, booted->n_cpus,
		    booted->n_cpus == 1 ? "" : "s", booted->memory >> 20,
		    booted->milliseconds);
}

void report_ended(const struct report_ended *ended)
{
	json_t *event;

	report_status_off();
	if (!report.json)
		return;
	event = json_pack("{s:s}", "Event", "ended");
	if (ended->name)
		json_object_set_new(event, "EnclaveName", string(ended->name));
	if (ended->id)
		json_object_set_new(event, "EnclaveID", string(ended->id));
	if (ended->cid)
		json_object_set_new(event, "EnclaveCID",
				    json_integer((json_int_t)ended->cid));
	json_object_set_new(event, "ExitStatus",
			    json_integer(ended->exit_status));
	json_object_set_new(event, "ApplicationStatus",
			    ended->application_status < 0
				    ? json_null()
				    : json_integer(ended->application_status));
	json_object_set_new(event, "Reason", string(ended->reason));
	put_event(event);
}
