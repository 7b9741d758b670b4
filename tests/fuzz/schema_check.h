/* schema_check.h - what must hold for any schema and any payload, for the two fuzz targets: both
 * ways of walking agree, a verdict is a sentence that may go into an MQTT string, an extract is in
 * bounds and the same when asked again. */
#ifndef TESTS_SCHEMA_CHECK_H
#define TESTS_SCHEMA_CHECK_H

#include "base/err.h"
#include "base/limits.h"
#include "schema/schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHECK_PAYLOAD_MAX = 1 << 20, CHECK_ERRORS = 5 };

static inline void check_that(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "schema_check: %s\n", what);
	abort();
}

/* Valid UTF-8 without control characters, terminated within size. */
static inline void check_text(const char *s, size_t size)
{
	size_t n = strnlen(s, size);
	check_that(n < size, "a text is not terminated");
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		size_t more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		check_that(c >= 0x20 && c != 0x7f && (c < 0x80 || c >= 0xc2) && c < 0xf5,
		           "a text holds a control character or a stray byte");
		check_that(i + more < n, "a text is cut within a code point");
		for (size_t k = 1; k <= more; k++)
			check_that((s[i + k] & 0xc0) == 0x80, "a text is not UTF-8");
		check_that(c != 0xc2 || (unsigned char)s[i + 1] >= 0xa0,
		           "a text holds a C1 control");
		i += more + 1;
	}
}

static inline void check_verdict(const struct verdict *v)
{
	check_text(v->text, sizeof(v->text));
	check_text(v->schema, sizeof(v->schema));
	check_text(v->pointer, sizeof(v->pointer));
	check_text(v->rule, sizeof(v->rule));
	check_that(v->rule[0] != '\0', "a verdict without a rule");
}

static inline void check_extract(const struct extract *e)
{
	volatile char last = 0;
	check_that(e->n_results <= EXTRACT_RESULTS_MAX, "too many results");
	check_that(!e->has_location || box_is_sound(&e->place), "a place is out of the world");
	if (e->thing.n > 0)
		last = e->thing.p[e->thing.n - 1]; /* the sanitizer looks */
	for (unsigned i = 0; i < e->n_results; i++) {
		const struct extract_result *r = &e->results[i];
		check_that(r->type >= EXTRACT_NUMBER && r->type <= EXTRACT_NULL, "a result's type");
		check_that(isfinite(r->number), "a result is not a number");
		if (r->member.n > 0)
			last = r->member.p[r->member.n - 1];
		if (r->text.n > 0)
			last = r->text.p[r->text.n - 1];
	}
	(void)last;
}

static inline void check_payload(const struct schema *sc, struct schema_scratch *s,
                                 struct span payload)
{
	static struct extract e, again;
	struct verdict v, all[CHECK_ERRORS];
	if (schema_parse(s, payload, &v) != 0) {
		check_verdict(&v);
		return;
	}
	int err = schema_check(sc, s, &e, &v);
	check_that(err == 0 || err == ERR_INVALID, "an error of another kind");
	if (err)
		check_verdict(&v);
	else
		check_extract(&e);
	check_that(schema_check(sc, s, NULL, &v) == 0 || err, "it fits with an extract only");
	unsigned n = schema_errors(sc, s, all, CHECK_ERRORS);
	check_that(n <= CHECK_ERRORS && (n > 0) == (err != 0), "the two ways of walking disagree");
	for (unsigned i = 0; i < n; i++)
		check_verdict(&all[i]);
	check_that(schema_check(sc, s, &again, &v) == err, "another answer when asked again");
	check_that(again.n_results == e.n_results, "another extract when asked again");
}

#endif
