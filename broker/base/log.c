/* log.c - see log.h. One write(2) per line, so lines of threads do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static _Atomic int current_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store(&current_level, (int)level);
}
static PRINTF(2, 0) void emit(enum log_level level, const char *fmt, va_list ap)
{
	if ((int)level > atomic_load(&current_level))
		return;
	char line[LINE_MAX_BYTES];
	int at = snprintf(line, sizeof(line), "<%d>", (int)level);
	int n = vsnprintf(line + at, sizeof(line) - (size_t)at - 1, fmt, ap);
	if (n < 0)
		return;
	size_t len = (size_t)at + (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	ssize_t done = write(STDERR_FILENO, line, len);
	(void)done; /* nowhere to tell */
}

#define LOG_BODY(level)                                                                            \
	va_list ap;                                                                                \
	va_start(ap, fmt);                                                                         \
	emit(level, fmt, ap);                                                                      \
	va_end(ap)

void log_error(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR);
}
void log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN);
}
void log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_INFO);
}
void log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_DEBUG);
}

void fatal(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR);
	exit(1);
}

const char *log_escape(char *buf, size_t size, const char *s, size_t n)
{
	assert(size >= 8);
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if (at + 8 > size) {
			memcpy(buf + at, "...", 3);
			at += 3;
			break;
		}
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			buf[at++] = (char)c;
		} else {
			snprintf(buf + at, 5, "\\x%02x", c);
			at += 4;
		}
	}
	buf[at] = '\0';
	return buf;
}
