/* Privacy steps: what each makes of a payload, what it refuses, what a list may say. */
#include "base/err.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "privacy/privacy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* HMAC-SHA-256 of "abc" and of 17 by the key of period 0, as Python's hmac has it. */
#define PSEUDONYM_ABC "9bfd5eb65093f5137ceb07c3ef2affdc"
#define PSEUDONYM_17  "45b38ff90c60c525a0cda070861b4c44"

static struct privacy_scratch scratch;
static char key_path[] = "/tmp/oudp-key-XXXXXX";

static struct privacy *compiled(const char *one, const char *two)
{
	const char *const steps[] = {one, two, NULL};
	struct privacy *p;
	char why[600];
	if (privacy_compile((char *const *)steps, &p, why, sizeof(why)))
		fail_msg("%s", why);
	return p;
}

static void becomes2(const char *one, const char *two, const char *from, const char *to)
{
	struct privacy *p = compiled(one, two);
	struct verdict v;
	struct span got;
	if (privacy_apply(p, &scratch, span_str(from), SPAN("/when"), 0, &got, &v))
		fail_msg("%s: %s: %s", one, from, v.text);
	if (!span_is(got, to))
		fail_msg("%s: %s became %.*s, not %s", one, from, (int)got.n, got.p, to);
	privacy_free(p);
}

static void becomes(const char *step, const char *from, const char *to)
{
	becomes2(step, NULL, from, to);
}

static void refuses(const char *step, const char *payload, const char *text)
{
	struct privacy *p = compiled(step, NULL);
	struct verdict v;
	struct span got;
	assert_int_equal(privacy_apply(p, &scratch, span_str(payload), SPAN(""), 0, &got, &v),
	                 ERR_INVALID);
	assert_string_equal(v.text, text);
	assert_string_equal(v.rule, "privacy");
	privacy_free(p);
}

static void drops(void **state UNUSED)
{
	becomes("drop /a", "{\"a\":1}", "{}");
	becomes("drop /a", "{ \"a\" : 1 , \"b\" : 2 }", "{ \"b\" : 2 }");
	becomes("drop /b", "{\"a\":1,\"b\":{\"c\":[1,\"]\"]}}", "{\"a\":1}");
	becomes("drop /b", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3}");
	becomes("drop /*", "{\"a\":1,\"b\":2,\"c\":3}", "{}");
	becomes("drop /1", "[1,2,3]", "[1,3]");
	becomes("drop /*/x", "[{\"x\":1,\"y\":2},{\"y\":3,\"x\":4},{\"x\":5},{}]",
	        "[{\"y\":2},{\"y\":3},{},{}]");
	becomes("drop /a~1b/~0", "{\"a/b\":{\"~\":1,\"c\":2}}", "{\"a/b\":{\"c\":2}}");
	becomes("drop /naam", "{\"n\\u0061am\":\"Jan\",\"b\":1}", "{\"b\":1}");
	becomes("drop /a/b", "{\"a\":[1],\"b\":2}", "{\"a\":[1],\"b\":2}");
	becomes2("drop /*/a", "drop /*/c", "{\"x\":{\"a\":1,\"b\":2,\"c\":3}}",
	         "{\"x\":{\"b\":2}}");
}

static void rounds(void **state UNUSED)
{
	becomes("round /x 0.1", "{\"x\":1.26}", "{\"x\":1.3}");
	becomes("round /x 0.1", "{\"x\":-0.04}", "{\"x\":0.0}");
	becomes("round /x 0.25", "{\"x\":-1.13}", "{\"x\":-1.25}");
	becomes("round /x 10", "{\"x\":1.5e2,\"y\":1}", "{\"x\":150,\"y\":1}");
	becomes("round /x/* 5", "{\"x\":[2.5,2.49,null,-2.6]}", "{\"x\":[5,0,null,-5]}");
	refuses("round /x 1", "{\"x\":\"3.1415\"}", "/x: round takes a number");
	refuses("round /x 1", "{\"x\":1e300}", "/x: the number is too large to be rounded");
}

static void coarsens(void **state UNUSED)
{
	becomes("coarsen-time /t 15m", "{\"t\":\"2026-11-30T10:14:59.999Z\"}",
	        "{\"t\":\"2026-11-30T10:00:00Z\"}");
	becomes("coarsen-time 1h", "{\"when\":\"2026-11-30T00:30:00+01:00\"}",
	        "{\"when\":\"2026-11-29T23:00:00Z\"}");
	becomes("coarsen-time 1d", "{\"t\":1}", "{\"t\":1}");
	becomes("coarsen-time /*/t 1m", "[{\"t\":1795521659},{\"t\":1795521659999},{\"t\":-1}]",
	        "[{\"t\":1795521600},{\"t\":1795521600000},{\"t\":-60}]");
	refuses("coarsen-time /t 1m", "{\"t\":\"today\"}",
	        "/t: coarsen-time takes an RFC 3339 time or a number");
}

static void blurs(void **state UNUSED)
{
	/* 154500, 463500 in the grid; the published polynomial says 5.379899, 52.159668: 0.3 m */
	becomes("blur 1000m",
	        "{\"location\":{\"type\":\"Point\",\"coordinates\":[5.38,52.157,12]}}",
	        "{\"location\":{\"type\":\"Point\",\"coordinates\":[5.379896,52.159666,12]}}");
	becomes("blur /p 1000m", "{\"p\":{\"lat\":52.157,\"lon\":5.38}}",
	        "{\"p\":{\"lat\":52.159666,\"lon\":5.379896}}");
	becomes("blur 100m", "{\"a\":1}", "{\"a\":1}");
	refuses("blur /p 100m", "{\"p\":{\"lat\":48.85,\"lon\":2.35}}",
	        "/p: the place is not in the Dutch grid");
	refuses("blur /p 100m", "{\"p\":\"Brugstraat 1\"}",
	        "/p: blur takes a point: GeoJSON, or longitude and latitude");
	refuses("blur /p 100m", "{\"p\":{\"type\":\"LineString\",\"coordinates\":[[5,52],[5,53]]}}",
	        "/p: blur takes a point: GeoJSON, or longitude and latitude");
}

static void suppresses(void **state UNUSED)
{
	becomes("suppress-below /n 5", "{\"n\":4,\"m\":1}", "{\"m\":1}");
	becomes("suppress-below /n 5", "{\"n\":5}", "{\"n\":5}");
	becomes("suppress-below /n 5", "{\"n\":null}", "{\"n\":null}");
	becomes("suppress-below /n 5", "{\"n\":\"3\"}", "{}");
	becomes("suppress-below /zones/*/n 5", "{\"zones\":[{\"n\":1,\"z\":2},{\"n\":7}]}",
	        "{\"zones\":[{\"z\":2},{\"n\":7}]}");
	becomes("suppress-below /z/* 3", "{\"z\":[1,3,2,4]}", "{\"z\":[3,4]}");
}

static void pseudonymises(void **state UNUSED)
{
	char step[200], rotating[220];
	struct verdict v;
	struct span a, b;
	char first[200];
	snprintf(step, sizeof(step), "pseudonymise /id %s", key_path);
	becomes(step, "{\"id\":\"abc\"}", "{\"id\":\"" PSEUDONYM_ABC "\"}");
	becomes(step, "{\"id\":\"\\u0061bc\",\"x\":1}", "{\"id\":\"" PSEUDONYM_ABC "\",\"x\":1}");
	becomes(step, "{\"id\":17}", "{\"id\":\"" PSEUDONYM_17 "\"}");
	refuses(step, "{\"id\":{\"a\":1}}", "/id: pseudonymise takes a text or a number");
	snprintf(rotating, sizeof(rotating), "%s rotate 1d", step);
	struct privacy *p = compiled(rotating, NULL);
	const int64_t day = 86400000;
	assert_int_equal(
	    privacy_apply(p, &scratch, SPAN("{\"id\":\"abc\"}"), SPAN(""), day, &a, &v), 0);
	snprintf(first, sizeof(first), "%.*s", (int)a.n, a.p);
	assert_int_equal(
	    privacy_apply(p, &scratch, SPAN("{\"id\":\"abc\"}"), SPAN(""), 2 * day - 1, &b, &v), 0);
	assert_true(span_is(b, first));
	assert_int_equal(
	    privacy_apply(p, &scratch, SPAN("{\"id\":\"abc\"}"), SPAN(""), 2 * day, &b, &v), 0);
	assert_false(span_is(b, first));
	privacy_free(p);
}

static void says_what_is_wrong(void **state UNUSED)
{
	const char *const bad[] = {"",
	                           "drop",
	                           "drop a",
	                           "drop /a /b",
	                           "drop /~2",
	                           "round /a",
	                           "round /a 0",
	                           "round /a -1",
	                           "round /a 0.0000000001",
	                           "blur 5m",
	                           "blur 100",
	                           "blur x 100m",
	                           "coarsen-time 15min",
	                           "coarsen-time 0",
	                           "suppress-below /n 0.5",
	                           "suppress-below 5",
	                           "pseudonymise /id",
	                           "pseudonymise /id key",
	                           "pseudonymise /id /nowhere/key",
	                           "hash /id",
	                           "drop /1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		const char *const steps[] = {bad[i], NULL};
		struct privacy *p;
		char why[600] = "";
		if (privacy_compile((char *const *)steps, &p, why, sizeof(why)) != ERR_CONFIG)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_non_null(strstr(why, ": "));
	}
}

static void key_files_are_secret_and_long(void **state UNUSED)
{
	char step[200], why[600];
	struct privacy *p;
	snprintf(step, sizeof(step), "pseudonymise /id %s", key_path);
	const char *const steps[] = {step, NULL};
	chmod(key_path, 0444);
	assert_int_equal(privacy_compile((char *const *)steps, &p, why, sizeof(why)), ERR_CONFIG);
	assert_non_null(strstr(why, "chmod 400"));
	chmod(key_path, 0440); /* as systemd hands over credentials */
	assert_int_equal(privacy_compile((char *const *)steps, &p, why, sizeof(why)), 0);
	privacy_free(p);
	chmod(key_path, 0600);
	assert_int_equal(truncate(key_path, 31), 0);
	assert_int_equal(privacy_compile((char *const *)steps, &p, why, sizeof(why)), ERR_CONFIG);
	assert_non_null(strstr(why, "32 to 4096 bytes"));
}

static void verdicts_hold_no_values(void **state UNUSED)
{
	struct privacy *p = compiled("drop /owner/name", "drop /people/*");
	const struct {
		const char *pointer, *rule, *text;
	} rows[] = {
	    {"/pm25", "maximum", "s/1: /pm25: does not fit: maximum"},
	    {"", "required", "s/1: /: does not fit: required"},
	    {"/people/jan/age", "type", "s/1: /people: does not fit: type"},
	    {"/owner/name/x", "type", "s/1: /owner/name: does not fit: type"},
	    {"/jan", "additionalProperties", "s/1: /: does not fit: additionalProperties"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct verdict v = {.schema = "s/1", .text = "secret"};
		snprintf(v.pointer, sizeof(v.pointer), "%s", rows[i].pointer);
		snprintf(v.rule, sizeof(v.rule), "%s", rows[i].rule);
		privacy_plain_verdict(p, &v);
		assert_string_equal(v.text, rows[i].text);
	}
	privacy_free(p);
}

static void what_is_too_fine_is_found(void **state UNUSED)
{
	struct privacy *p = compiled("coarsen-time 1h", "blur 1000m");
	struct extract *e = calloc(1, sizeof(*e));
	assert_null(privacy_too_fine(p, e));
	e->has_time = true;
	e->time_ms = 3600000;
	assert_null(privacy_too_fine(p, e));
	e->time_ms++;
	assert_non_null(privacy_too_fine(p, e));
	e->has_time = false;
	e->n_results = 1;
	e->results[0] = (struct extract_result){.has_time = true, .time_ms = 5};
	assert_non_null(privacy_too_fine(p, e));
	e->n_results = 0;
	e->has_location = true;
	e->place = box_of_point(53798960, 521596660);
	assert_null(privacy_too_fine(p, e));
	e->place.north_e7 += 1; /* a box tells more than its middle */
	assert_non_null(privacy_too_fine(p, e));
	e->place = box_of_point(53798960, 521596760);
	assert_non_null(privacy_too_fine(p, e));
	assert_true(privacy_time(p, 3599999) == 0);
	free(e);
	privacy_free(p);
}

static void pointers(void **state UNUSED)
{
	static const char text[] = "{\"a\":[{\"x/y\":1},{\"~\":2}],\"b\":3}";
	struct json_tape t;
	size_t at;
	const char *why;
	char out[160];
	json_tape_init(&t, 100);
	assert_int_equal(json_parse(&t, SPAN(text), &at, &why), 0);
	const struct {
		const char *value, *pointer;
	} rows[] = {{"1", "/a/0/x~1y"}, {"2", "/a/1/~0"}, {"3", "/b"}};
	for (uint32_t i = 0; i < t.n; i++)
		for (unsigned k = 0; k < ARRAY_LEN(rows); k++)
			if (t.tok[i].type == JSON_NUMBER &&
			    span_is(json_text(&t, i), rows[k].value)) {
				privacy_pointer(&t, i, out, sizeof(out));
				assert_string_equal(out, rows[k].pointer);
			}
	json_tape_done(&t);
}

static int make_key(void **state UNUSED)
{
	int fd = mkstemp(key_path);
	const char key[] = "0123456789abcdef0123456789abcdef";
	privacy_scratch_init(&scratch, 1 << 20);
	return fd < 0 || write(fd, key, 32) != 32 || close(fd);
}

static int remove_key(void **state UNUSED)
{
	privacy_scratch_done(&scratch);
	return unlink(key_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(drops),
	                                   cmocka_unit_test(rounds),
	                                   cmocka_unit_test(coarsens),
	                                   cmocka_unit_test(blurs),
	                                   cmocka_unit_test(suppresses),
	                                   cmocka_unit_test(pseudonymises),
	                                   cmocka_unit_test(says_what_is_wrong),
	                                   cmocka_unit_test(verdicts_hold_no_values),
	                                   cmocka_unit_test(what_is_too_fine_is_found),
	                                   cmocka_unit_test(pointers),
	                                   cmocka_unit_test(key_files_are_secret_and_long)};
	return cmocka_run_group_tests(tests, make_key, remove_key);
}
