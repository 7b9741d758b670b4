/* check.h - for the tests of the configuration: a text with its expected problems. */
#ifndef TESTS_CONFIG_CHECK_H
#define TESTS_CONFIG_CHECK_H

#include "base/err.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHECK_BYTES = 1 << 20 };

/* Parses text as "t" without files. problems: exactly what is to be said, "" for nothing. Returns
 * the configuration, or NULL when it is refused. */
static inline struct config *parse(const char *text, const char *problems)
{
	struct config *c = NULL;
	struct buf errors;
	buf_init(&errors, CHECK_BYTES);
	int err = config_parse("t", text, false, &c, &errors);
	assert_string_equal(buf_str(&errors), problems);
	assert_true((err == 0) == (c != NULL));
	assert_true(err == 0 || err == ERR_CONFIG);
	buf_done(&errors);
	return c;
}

static inline void refused(const char *text, const char *problems)
{
	assert_null(parse(text, problems));
}

static inline struct config *accepted(const char *text)
{
	struct config *c = parse(text, "");
	assert_non_null(c);
	return c;
}

/* A feed block around more options, on line 1. */
#define FEED(more) "feed \"f\" { topics = { \"a\" } schemas = { \"any\" } " more "}\n"

#endif
