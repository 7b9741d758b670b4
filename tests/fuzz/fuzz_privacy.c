/* fuzz_privacy.c - any JSON through any steps. What comes out is JSON, holds nothing where a step
 * dropped, is the same when it is done again (but for pseudonyms), and is not much larger. The
 * input: a byte with the number of the list of steps, then the payload. */
#include "base/err.h"
#include "base/limits.h"
#include "privacy/privacy.h"
#include "schema_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const lists[][5] = {
    {"drop /a/b", "drop /c/0", "drop /d/*", NULL},
    {"round /a 0.25", "round /*/b 10", "round /c/* 0.001", NULL},
    {"suppress-below /a 5", "suppress-below /*/b 3", "suppress-below /c/* 100", NULL},
    {"coarsen-time /t 15m", "coarsen-time /*/t 1d", "coarsen-time 1h", NULL},
    {"blur 100m", "blur /p 10m", "blur /c/* 100000m", NULL},
    {"drop /*", NULL},
    {"drop /*/*", "round /~1~0 1", "drop /", NULL},
    {"drop /*/a", "suppress-below /a/* 5", "round /b 0.1", "drop /b/*/c", NULL},
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

static void check_dropped(struct json_tape *t)
{
	if (t->tok[0].type != JSON_OBJECT)
		return;
	uint32_t a = json_member(t, 0, SPAN("a")), d = json_member(t, 0, SPAN("d"));
	check_that(!a || t->tok[a].type != JSON_OBJECT || !json_member(t, a, SPAN("b")),
	           "/a/b is gone");
	check_that(!d || (t->tok[d].type != JSON_OBJECT && t->tok[d].type != JSON_ARRAY) ||
	               t->tok[d].size == 0,
	           "/d is empty");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct privacy *p[LISTS];
	static struct privacy_scratch s;
	static struct schema_scratch parse;
	struct verdict v = {0};
	struct span once, twice, payload;
	char why[512];
	if (!parse.private_) {
		privacy_scratch_init(&s, CHECK_PAYLOAD_MAX);
		schema_scratch_init(&parse, 4 * CHECK_PAYLOAD_MAX);
		for (unsigned i = 0; i < LISTS; i++)
			check_that(
			    privacy_compile((char *const *)lists[i], &p[i], why, sizeof(why)) == 0,
			    why);
	}
	if (size == 0 || size > CHECK_PAYLOAD_MAX)
		return 0;
	unsigned which = data[0] % LISTS;
	payload = span_of((const char *)data + 1, size - 1);
	if (schema_parse(&parse, payload, &v)) /* admission has seen to that before */
		return 0;
	if (privacy_apply(p[which], &s, payload, SPAN("/time"), 0, &once, &v)) {
		check_that(v.text[0] && strcmp(v.rule, "privacy") == 0, "a refusal says why");
		return 0;
	}
	check_that(once.n <=
	               2 * payload.n + (size_t)LIMIT_PRIVACY_STEPS * LIMIT_PRIVACY_GROWTH_BYTES,
	           "it grows little");
	char *copy = malloc(once.n + 1);
	check_that(copy != NULL, "memory");
	memcpy(copy, once.p, once.n);
	once.p = copy;
	check_that(schema_parse(&parse, once, &v) == 0, "what is left is JSON");
	if (which == 0)
		check_dropped(&parse.tape);
	bool by_index = which == 0 || which == 4; /* the next element is at the index now */
	check_that(privacy_apply(p[which], &s, once, SPAN("/time"), 0, &twice, &v) == 0 ||
	               which == 4, /* a middle may be outside of the grid */
	           "what is left passes again");
	if (!by_index)
		check_that(span_eq(once, twice), "what is left stays");
	free(copy);
	return 0;
}
