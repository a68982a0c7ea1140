/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way to log: lines on stderr, "program: text". What a user must know is
 * said with log_error() or log_warn(); what he may want to know with
 * log_info() (shown with -v) and log_debug() (shown with -vv).
 *
 * A line is one write(2), so that lines of several processes do not mix.
 * Control characters are replaced by '?'.
 */
#ifndef PLUMBING_LOG_H
#define PLUMBING_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Once, at the start of main: the name in front of each line, and how much. */
void log_init(const char *program, enum log_level most);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
