/* check.h - what the tests of this room share. */
#ifndef TESTS_JSON_CHECK_H
#define TESTS_JSON_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/json.h"

static inline int parse(struct json_tape *t, struct span s)
{
	size_t at;
	const char *why;
	return json_parse(t, s, &at, &why);
}

/* Parses what must be right. */
#define PARSE(t, text) assert_int_equal(parse((t), span_str(text)), 0)

static inline void assert_span(struct span s, const char *want)
{
	assert_int_equal(s.n, strlen(want));
	assert_memory_equal(s.p, want, s.n);
}

/* A small generator with a seed, so that a failure can be run again (xorshift64*). */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

#endif
