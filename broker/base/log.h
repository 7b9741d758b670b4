/* log.h - stderr only, with the <N> priority prefix journald reads. A line is a sentence followed
 * by key=value pairs. Peer strings go through log_escape(). Payloads and credentials are never
 * logged. The level is the one piece of global mutable state in the house; it is atomic. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compiler.h"

#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_set_level(enum log_level level);

void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);
/* Logs and ends the process with status 1. For start-up errors and an unusable store. */
void fatal(const char *fmt, ...) PRINTF(1, 2) NORETURN;

/* Copies n bytes of a peer's string into buf (size bytes, always terminated): printable ASCII other
 * than
 * '"' and '\\' as it is, the rest as \xNN, cut with "..." when it does not fit. Returns buf. */
const char *log_escape(char *buf, size_t size, const char *s, size_t n);

#endif
