/* fuzz_compare.c - two schemas, a line each: what the comparison says must be true. One compared
 * with itself has not changed, nor has its digest. When no change breaks and no member is new, what
 * fitted the first fits the second. The payloads are parts of the schemas themselves (they hold the
 * values at which something changes), and some fixed ones. */
#include "schema/compare.h"
#include "schema_check.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANGES = 64, PARTS = 40 };

static const char *const PAYLOADS[] = {"null",
                                       "true",
                                       "0",
                                       "1",
                                       "-1.5",
                                       "1e3",
                                       "\"\"",
                                       "\"a\"",
                                       "\"abc\"",
                                       "[]",
                                       "[1]",
                                       "[1,1,\"a\"]",
                                       "{}",
                                       "{\"a\":1}",
                                       "{\"a\":\"a\",\"b\":2}",
                                       "{\"x\":1}",
                                       "{\"x\":\"a\"}",
                                       "{\"x\":[1,2,3]}",
                                       "{\"k\":\"a\"}",
                                       "{\"x\":{\"a\":1}}"};

static struct schema *compile(const uint8_t *data, size_t size)
{
	struct schema *sc = NULL;
	char why[400] = "";
	int err = schema_compile(span_of((const char *)data, size), "fuzz", 1, NULL, &sc, why,
	                         sizeof(why));
	return err ? NULL : sc;
}

/* 1 it fits, 0 not, -1 nobody can say. */
static int fits(const struct schema *sc, struct schema_scratch *s)
{
	struct verdict v;
	if (schema_check(sc, s, NULL, &v) == 0)
		return 1;
	return strcmp(v.rule, "limit") == 0 ? -1 : 0;
}

static void try_payload(const struct schema *from, const struct schema *to,
                        struct schema_scratch *s, struct span payload)
{
	struct verdict v;
	if (schema_parse(s, payload, &v))
		return;
	if (fits(from, s) == 1 && fits(to, s) == 0) {
		fprintf(stderr, "%.*s fitted\n", (int)payload.n, payload.p);
		check_that(false, "a compatible change refuses what fitted");
	}
}

static void try_parts(const struct schema *from, const struct schema *to, struct schema_scratch *s)
{
	struct json_tape t;
	size_t at;
	const char *why;
	json_tape_init(&t, CHECK_PAYLOAD_MAX);
	for (int k = 0; k < 2; k++) {
		struct span source = schema_source(k ? to : from);
		check_that(json_parse(&t, source, &at, &why) == 0, "a schema that loads is JSON");
		for (uint32_t i = 0; i < t.n && i < PARTS; i++) {
			struct span part = json_text(&t, i);
			if (t.tok[i].type == JSON_STRING)
				part = span_of(part.p - 1, part.n + 2);
			try_payload(from, to, s, part);
		}
	}
	json_tape_done(&t);
	for (size_t i = 0; i < ARRAY_LEN(PAYLOADS); i++)
		try_payload(from, to, s, span_str(PAYLOADS[i]));
}

static void compare(const struct schema *from, const struct schema *to)
{
	static struct schema_scratch s;
	struct schema_change ch[CHANGES];
	unsigned breaking, n = schema_compare(from, to, ch, CHANGES, &breaking);
	if (breaking > 0 || n > CHANGES)
		return;
	for (unsigned i = 0; i < n; i++)
		if (strcmp(ch[i].rule, "properties") == 0 && strstr(ch[i].text, "is new"))
			return; /* may be refused where it was there unchecked */
	if (!s.private_)
		schema_scratch_init(&s, CHECK_PAYLOAD_MAX);
	try_parts(from, to, &s);
}

static void itself(const struct schema *sc, const uint8_t *data, size_t size)
{
	struct schema_change ch[1];
	uint8_t a[SCHEMA_DIGEST_BYTES], b[SCHEMA_DIGEST_BYTES];
	unsigned breaking, n = schema_compare(sc, sc, ch, 1, &breaking);
	check_that(n == 0 || strcmp(ch[0].rule, "limit") == 0, "a schema differs from itself");
	struct schema *again = compile(data, size);
	check_that(again, "it loads again");
	schema_digest(sc, a);
	schema_digest(again, b);
	check_that(memcmp(a, b, sizeof(a)) == 0, "its digest is another one");
	schema_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size && size < CHECK_PAYLOAD_MAX ? memchr(data, '\n', size) : NULL;
	if (!line)
		return 0;
	size_t n = (size_t)(line - data);
	struct schema *from = compile(data, n), *to = compile(line + 1, size - n - 1);
	if (from)
		itself(from, data, n);
	if (from && to)
		compare(from, to);
	schema_free(from);
	schema_free(to);
	return 0;
}
