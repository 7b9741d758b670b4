/* Checking: verdicts in their words, what is extracted, and the bounds of both. */
#include "base/err.h"
#include "base/limits.h"
#include "schema/schema.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PAYLOAD_MAX = 4 << 20 };

static struct schema *compile(const char *source)
{
	struct schema *sc = NULL;
	char why[400] = "";
	if (schema_compile(span_str(source), "t", 1, NULL, &sc, why, sizeof(why)) != 0)
		fail_msg("%s: %s", source, why);
	return sc;
}

static int check(const char *source, struct span payload, struct extract *e, struct verdict *v)
{
	struct schema *sc = compile(source);
	struct schema_scratch s;
	schema_scratch_init(&s, PAYLOAD_MAX);
	int err = schema_parse(&s, payload, v);
	if (!err)
		err = schema_check(sc, &s, e, v);
	schema_scratch_done(&s);
	schema_free(sc);
	return err;
}

static void expect(const char *source, const char *payload, const char *text, const char *pointer,
                   const char *rule)
{
	struct verdict v;
	static struct extract e;
	memset(&v, 'x', sizeof(v));
	int err = check(source, span_str(payload), &e, &v);
	if (err == 0)
		fail_msg("%s is accepted by %s", payload, source);
	assert_int_equal(err, ERR_INVALID);
	assert_string_equal(v.text, text);
	assert_string_equal(v.pointer, pointer);
	assert_string_equal(v.rule, rule);
	assert_string_equal(v.schema, "t/1");
	assert_int_equal(e.n_results, 0);
}

static void verdicts(void **state)
{
	static const char *const ROWS[][5] = {
	    {"{\"type\":\"number\"}", "\"x\"", "t/1: /: a string is not a number", "", "type"},
	    {"{\"type\":[\"number\",\"null\",\"string\"]}", "[]",
	     "t/1: /: an array is not null, a number or a string", "", "type"},
	    {"{\"type\":\"integer\"}", "1.5", "t/1: /: 1.5 is not an integer", "", "type"},
	    {"false", "1", "t/1: /: nothing is allowed here", "", "false"},
	    {"{\"properties\":{\"a\":{\"properties\":{\"b/c\":{\"const\":1}}}}}",
	     "{\"a\":{\"b/c\":2}}", "t/1: /a/b~1c: 2 is not 1", "/a/b~1c", "const"},
	    {"{\"items\":{\"enum\":[1,\"a\"]}}", "[1,\"a\",{}]",
	     "t/1: /2: an object is not one of the allowed values", "/2", "enum"},
	    {"{\"exclusiveMinimum\":0}", "0", "t/1: /: 0 is not more than 0", "",
	     "exclusiveMinimum"},
	    {"{\"exclusiveMaximum\":1e2}", "100", "t/1: /: 100 is not less than 1e2", "",
	     "exclusiveMaximum"},
	    {"{\"maximum\":9007199254740992}", "9007199254740993",
	     "t/1: /: 9007199254740993 is more than maximum 9007199254740992", "", "maximum"},
	    {"{\"multipleOf\":0.01}", "19.999", "t/1: /: 19.999 is not a multiple of 0.01", "",
	     "multipleOf"},
	    {"{\"minLength\":2}", "\"\xc3\xa9\"",
	     "t/1: /: \"\xc3\xa9\" is shorter than 2 characters", "", "minLength"},
	    {"{\"pattern\":\"^\\\\d+$\"}", "\"12\\n\"", "t/1: /: \"12\\n\" does not match ^\\d+$",
	     "", "pattern"},
	    {"{\"format\":\"email\"}", "\"a@b@c\"", "t/1: /: \"a@b@c\" is not an email address", "",
	     "format"},
	    {"{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "t/1: /: member \"b\" is missing", "",
	     "required"},
	    {"{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{\"c\":1}",
	     "t/1: /: none of the members \"a\" and \"b\" is there", "", "anyOf"},
	    {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}",
	     "t/1: /: member \"b\" is missing beside \"a\"", "", "dependentRequired"},
	    {"{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1,\"b\":2}",
	     "t/1: /: member \"b\" is not allowed", "", "additionalProperties"},
	    {"{\"allOf\":[{\"properties\":{\"a\":true}}],\"unevaluatedProperties\":false}",
	     "{\"a\":1,\"b\":2}", "t/1: /: member \"b\" is not allowed", "",
	     "unevaluatedProperties"},
	    {"{\"prefixItems\":[true],\"unevaluatedItems\":false}", "[1,2]",
	     "t/1: /: item 1 is not allowed", "", "unevaluatedItems"},
	    {"{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}",
	     "t/1: /: member name \"abc\" is longer than 2 characters", "", "maxLength"},
	    {"{\"minProperties\":2}", "{\"a\":1}", "t/1: /: 1 member is fewer than 2", "",
	     "minProperties"},
	    {"{\"maxItems\":1}", "[1,2]", "t/1: /: 2 items are more than 1", "", "maxItems"},
	    {"{\"uniqueItems\":true}", "[1,2,1.0]", "t/1: /: items 0 and 2 are equal", "",
	     "uniqueItems"},
	    {"{\"contains\":{\"const\":1}}", "[2]", "t/1: /: no item fits what one must fit", "",
	     "contains"},
	    {"{\"contains\":{\"const\":1},\"maxContains\":1}", "[1,1]",
	     "t/1: /: 2 items fit what at most 1 may fit", "", "maxContains"},
	    {"{\"not\":{\"type\":\"string\"}}", "\"a\"", "t/1: /: \"a\" fits what it must not fit",
	     "", "not"},
	    {"{\"oneOf\":[{\"minimum\":1},{\"maximum\":3}]}", "2",
	     "t/1: /: 2 fits 2 alternatives and must fit one", "", "oneOf"},
	    {"{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]}}", "{\"a\":1}",
	     "t/1: /: member \"b\" is missing", "", "required"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
		expect(ROWS[i][0], ROWS[i][1], ROWS[i][2], ROWS[i][3], ROWS[i][4]);
}

/* The branch that came nearest; the deepest violation before those above it. */
static void nearest(void **state)
{
	const char *shapes =
	    "{\"anyOf\":["
	    "{\"properties\":{\"kind\":{\"const\":\"circle\"},\"r\":{\"minimum\":0}},"
	    "\"required\":[\"kind\",\"r\"]},"
	    "{\"properties\":{\"kind\":{\"const\":\"square\"},\"side\":{\"minimum\":0}},"
	    "\"required\":[\"kind\",\"side\"]}]}";
	(void)state;
	expect(shapes, "{\"kind\":\"square\",\"side\":-2}", "t/1: /side: -2 is less than minimum 0",
	       "/side", "minimum");
	expect(shapes, "{\"kind\":\"circle\"}", "t/1: /: member \"r\" is missing", "", "required");
	/* a kind that no branch knows is not told as if there were one */
	expect(shapes, "{\"kind\":\"cube\",\"side\":2}",
	       "t/1: /kind: \"cube\" is not one of the allowed values", "/kind", "enum");
	expect("{\"anyOf\":[{\"const\":1},{\"enum\":[2,3]}]}", "4",
	       "t/1: /: 4 is not one of the allowed values", "", "enum");
	expect("{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"required\":[\"id\"]}]}",
	       "{}", "t/1: /: member \"id\" is missing", "", "required");
	expect("{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\"}]}", "1",
	       "t/1: /: a number is not a string or an array", "", "type");
	expect("{\"anyOf\":[{\"anyOf\":[{\"type\":\"integer\"}]},{\"type\":\"null\"}]}", "1.5",
	       "t/1: /: 1.5 is not an integer", "", "type");
	expect("{\"required\":[\"t\"],\"properties\":{\"a\":{\"maximum\":1}}}", "{\"a\":2}",
	       "t/1: /a: 2 is more than maximum 1", "/a", "maximum");
}

/* Branches that a member decides are told apart by a table: the same answers as one by one. */
static void decided(void **state)
{
	static const char IFS[] =
	    "{\"allOf\":["
	    "{\"if\":{\"required\":[\"k\"],\"properties\":{\"k\":{\"const\":\"a\"}}},"
	    "\"then\":{\"required\":[\"x\"]}},"
	    "{\"if\":{\"required\":[\"k\"],\"properties\":{\"k\":{\"enum\":[\"b\",\"c\"]},\"u\":{"
	    "\"const\":1}}},\"then\":{\"required\":[\"y\"]}},"
	    "{\"if\":{\"required\":[\"k\"],\"properties\":{\"k\":{\"const\":\"b\"}}},"
	    "\"then\":{\"required\":[\"z\"]}},"
	    "{\"if\":{\"properties\":{\"k\":{\"const\":\"d\"}}},\"then\":{\"required\":[\"w\"]}}]}";
	static const char KINDS[] =
	    "{\"%s\":[{\"required\":[\"k\"],\"properties\":{\"k\":{\"const\":\"a\"},\"v\":{"
	    "\"type\":"
	    "\"number\"}}},{\"required\":[\"k\"],\"properties\":{\"k\":{\"enum\":[\"a\",\"b\"]},"
	    "\"v\":{\"type\":[\"string\",\"null\"]}}},{\"required\":[\"n\"]}]}";
	static const struct {
		const char *source, *payload;
		bool fits;
	} ROWS[] = {
	    {IFS, "{\"k\":\"a\",\"x\":1}", true},
	    {IFS, "{\"k\":\"a\"}", false},
	    {IFS, "{\"k\":\"b\",\"y\":1,\"z\":1}", true},
	    {IFS, "{\"k\":\"b\",\"y\":1}", false},
	    {IFS, "{\"k\":\"b\",\"z\":1}", false},
	    {IFS, "{\"u\":2,\"k\":\"b\",\"z\":1}", true},
	    {IFS, "{\"k\":\"c\",\"y\":1}", true},
	    {IFS, "{\"k\":\"d\"}", false},
	    {IFS, "{\"k\":\"d\",\"w\":1}", true},
	    {IFS, "{\"k\":\"e\"}", true},
	    {IFS, "{\"k\":5}", true},
	    {IFS, "{}", false}, /* the last if holds of what has no k */
	    {IFS, "{\"w\":1}", true},
	    {IFS, "[]", true}, /* all ifs hold of what is no object, and so do all thens */
	    {IFS, "{\"\\u006b\":\"a\"}", false},
	    {IFS, "{\"k\":\"\\u0061\"}", false},
	    {"any", "{\"k\":\"a\",\"v\":1}", true},
	    {"any", "{\"k\":\"a\",\"v\":\"s\"}", true},
	    {"any", "{\"k\":\"b\",\"v\":1}", false},
	    {"any", "{\"k\":\"z\",\"n\":1}", true},
	    {"any", "{\"k\":\"z\"}", false},
	    {"any", "{\"n\":1}", true},
	    {"one", "{\"k\":\"a\",\"v\":1}", true},
	    {"one", "{\"k\":\"a\"}", false}, /* fits two */
	    {"one", "{\"k\":\"b\"}", true},
	    {"one", "{\"k\":\"b\",\"n\":1}", false},
	    {"one", "{\"n\":1}", true},
	    {"one", "{}", false},
	    {"one", "7", false}, /* fits all three */
	};
	static struct extract e;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
		char source[1000];
		struct verdict v;
		bool ifs = ROWS[i].source == IFS;
		if (ifs)
			strcpy(source, IFS);
		else
			snprintf(source, sizeof(source), "{\"%sOf\":%s", ROWS[i].source,
			         strchr(KINDS, '['));
		int err = check(source, span_str(ROWS[i].payload), &e, &v);
		if ((err == 0) != ROWS[i].fits)
			fail_msg("%s %s: %s", source, ROWS[i].payload, err ? v.text : "fits");
	}
	struct schema *sc = compile(IFS);
	struct buf why;
	buf_init(&why, 1000);
	assert_true(schema_slow(sc, &why)); /* the last if is always tried */
	assert_string_equal(buf_str(&why), "1 branch of anyOf, oneOf, not or if that is tried");
	buf_done(&why);
	schema_free(sc);
}

/* Verdicts go into MQTT strings: valid UTF-8, no control characters, bounded. */
static void bounded_texts(void **state)
{
	struct buf b;
	struct verdict v;
	(void)state;
	expect("{\"const\":1}", "\"\xc2\x85\x7f\xef\xbf\xbf\"",
	       "t/1: /: \"\\u0085\\u007f\\uffff\" is not 1", "", "const");
	expect("{\"type\":\"null\",\"description\":\"\"}", "\"x\"", "t/1: /: a string is not null",
	       "", "type");
	expect("{\"maxLength\":1}",
	       "\"1234567890123456789012345678901234567\xe2\x82\xac\xe2\x82\xac\"",
	       "t/1: /: \"1234567890123456789012345678901234567\xe2\x82\xac...\" is longer than 1 "
	       "character",
	       "", "maxLength");
	buf_init(&b, 1 << 20);
	buf_add_str(&b, "{\"");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&b, "\xe2\x82\xac");
	buf_add_str(&b, "\":1}");
	assert_int_equal(check("{\"additionalProperties\":{\"type\":\"string\"}}",
	                       span_of(b.p, b.len), NULL, &v),
	                 ERR_INVALID);
	assert_true(strlen(v.text) < LIMIT_VERDICT_BYTES &&
	            strlen(v.text) > LIMIT_VERDICT_BYTES - 10);
	assert_string_equal(v.text + strlen(v.text) - 3, "...");
	assert_int_equal((strlen(v.text) - 3 - strlen("t/1: /")) % 3, 0); /* no half code point */
	assert_true(strlen(v.pointer) < sizeof(v.pointer));
	assert_string_equal(v.pointer + strlen(v.pointer) - 3, "...");
	buf_done(&b);
}

static void malformed(void **state)
{
	struct verdict v;
	(void)state;
	assert_int_equal(check("true", SPAN("{\"a\":1,\"\\u0061\":2}"), NULL, &v), ERR_MALFORMED);
	assert_string_equal(v.text, "payload: byte 7: a member name is given twice");
	assert_string_equal(v.rule, "json");
	assert_string_equal(v.schema, "");
	assert_int_equal(
	    check("true", SPAN("[{\"x\":{\"b\":[1,{\"k\":1,\"c\":3,\"k\":1}]}}]"), NULL, &v),
	    ERR_MALFORMED);
	assert_string_equal(v.text, "payload: byte 27: a member name is given twice");
	assert_int_equal(check("true", SPAN("{\"a\":01}"), NULL, &v), ERR_MALFORMED);
	assert_string_equal(v.rule, "json");
	assert_int_equal(check("true", SPAN(""), NULL, &v), ERR_MALFORMED);
}

static void errors_all(void **state)
{
	struct schema *sc =
	    compile("{\"required\":[\"t\",\"u\"],\"properties\":{\"a\":{\"maximum\":1},"
	            "\"b\":{\"type\":\"string\"}}}");
	struct schema_scratch s;
	struct verdict v[8];
	(void)state;
	schema_scratch_init(&s, 1000);
	assert_int_equal(schema_parse(&s, SPAN("{\"a\":2,\"b\":3}"), v), 0);
	assert_int_equal(schema_errors(sc, &s, v, 8), 4);
	assert_string_equal(v[0].text, "t/1: /a: 2 is more than maximum 1");
	assert_string_equal(v[1].text, "t/1: /b: a number is not a string");
	assert_string_equal(v[2].text, "t/1: /: member \"t\" is missing");
	assert_string_equal(v[3].text, "t/1: /: member \"u\" is missing");
	assert_int_equal(schema_errors(sc, &s, v, 2), 2);
	assert_int_equal(schema_parse(&s, SPAN("{\"t\":2,\"u\":3}"), v), 0);
	assert_int_equal(schema_errors(sc, &s, v, 8), 0);
	assert_int_equal(schema_check(sc, &s, NULL, v), 0);
	schema_scratch_done(&s);
	schema_free(sc);
}

#define P "\"observedProperty\":\"http://example.org/p\""
static const char VENDOR[] =
    "{\"properties\":{"
    "\"dev\":{\"properties\":{\"serial\":{\"x-oudp\":{\"role\":\"thing\"}}}},"
    "\"ts\":{\"type\":\"integer\",\"x-oudp\":{\"role\":\"time\",\"time\":\"epoch-s\"}},"
    "\"v\":{\"x-oudp\":{\"role\":\"version\"}},"
    "\"lat\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"location\",\"axis\":\"latitude\","
    "\"scale\":1e-7}},"
    "\"lng\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"location\",\"axis\":\"longitude\","
    "\"scale\":1e-7}},"
    "\"t\":{\"type\":\"integer\",\"x-oudp\":{\"role\":\"result\",\"name\":\"temperature\"," P
    ",\"unit\":\"Cel\",\"scale\":0.1,\"offset\":-40}},"
    "\"door\":{\"type\":[\"string\",\"boolean\",\"null\"],\"x-oudp\":{\"role\":\"result\"," P "}},"
    "\"la\":{\"properties\":{\"max\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\"," P
    ",\"unit\":\"dB[SPL]\"}},"
    "\"a/b\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\"," P ",\"unit\":\"1\"}}}}"
    "}}";

static void extraction(void **state)
{
	static struct extract e;
	static char text[1000];
	struct verdict v;
	struct schema *sc = compile(VENDOR);
	struct schema_scratch s;
	(void)state;
	schema_scratch_init(&s, 10000);
	snprintf(
	    text, sizeof(text),
	    "{\"dev\":{\"serial\":\"s\\u002d1\"},\"ts\":1764000000,\"v\":2,\"lat\":520771000,"
	    "\"lng\":-43162005,\"t\":603,\"door\":\"op\\u0065n\",\"la\":{\"max\":81.25,\"a/b\":3},"
	    "\"unknown\":[1,2,{\"t\":3}]}");
	assert_int_equal(schema_parse(&s, span_str(text), &v), 0);
	assert_int_equal(schema_check(sc, &s, &e, &v), 0);
	assert_true(span_is(e.thing, "s-1"));
	assert_true(span_is(e.version, "2"));
	assert_true(e.has_time && e.time_ms == 1764000000000);
	assert_true(e.has_location);
	assert_int_equal(e.place.south_e7, 520771000);
	assert_int_equal(e.place.west_e7, -43162005);
	assert_int_equal(e.n_results, 4);
	assert_true(span_is(e.results[0].member, "temperature"));
	assert_int_equal(e.results[0].type, EXTRACT_NUMBER);
	assert_true(e.results[0].number == 60.3 - 40);
	assert_false(e.results[0].has_time);
	assert_true(span_is(e.results[1].member, "door"));
	assert_int_equal(e.results[1].type, EXTRACT_STRING);
	assert_true(span_is(e.results[1].text, "open"));
	assert_true(span_is(e.results[2].member, "la/max"));
	assert_true(e.results[2].number == 81.25);
	assert_true(span_is(e.results[3].member, "la/a~1b"));
	assert_true(schema_has_role_version(sc));
	assert_int_equal(schema_result_count(sc), 4);
	assert_string_equal(schema_result_info(sc, 0).member, "door");
	assert_string_equal(schema_result_info(sc, 1).member, "la/a~1b");
	assert_string_equal(schema_result_info(sc, 2).member, "la/max");
	assert_string_equal(schema_result_info(sc, 2).unit, "dB[SPL]");
	assert_string_equal(schema_result_info(sc, 3).member, "temperature");

	assert_int_equal(schema_parse(&s, SPAN("{\"door\":true,\"lat\":1}"), &v), 0);
	assert_int_equal(schema_check(sc, &s, &e, &v), 0);
	assert_false(e.has_location || e.has_time);
	assert_int_equal(e.thing.n, 0);
	assert_int_equal(e.n_results, 1);
	assert_int_equal(e.results[0].type, EXTRACT_BOOL);
	assert_true(e.results[0].number == 1);
	assert_int_equal(schema_parse(&s, SPAN("{\"door\":null}"), &v), 0);
	assert_int_equal(schema_check(sc, &s, &e, &v), 0);
	assert_int_equal(e.results[0].type, EXTRACT_NULL);
	schema_scratch_done(&s);
	schema_free(sc);
}

static const char BUFFERED[] =
    "{\"properties\":{\"at\":{\"x-oudp\":{\"role\":\"time\"}},\"readings\":{\"type\":\"array\","
    "\"x-oudp\":{\"role\":\"item\"},\"items\":{\"properties\":{"
    "\"t\":{\"x-oudp\":{\"role\":\"time\",\"time\":\"epoch-ms\"}},"
    "\"pm25\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\"," P ",\"unit\":\"ug/m3\"}},"
    "\"in\":{\"properties\":{\"pm10\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\"," P
    ",\"unit\":\"ug/m3\"}}}}}}}}}";

static void items(void **state)
{
	static struct extract e;
	struct verdict v;
	(void)state;
	assert_int_equal(check(BUFFERED,
	                       SPAN("{\"at\":\"2026-11-24T12:00:00Z\",\"readings\":["
	                            "{\"t\":1000,\"pm25\":1},{\"pm25\":2,\"in\":{\"pm10\":3}},"
	                            "{\"pm25\":4,\"in\":{\"pm10\":5},\"t\":1500.5}]}"),
	                       &e, &v),
	                 0);
	assert_int_equal(e.n_results, 5);
	assert_true(e.has_time);
	assert_int_equal(e.time_ms, 1795521600000);
	assert_true(e.results[0].has_time && e.results[0].time_ms == 1000);
	assert_false(e.results[1].has_time || e.results[2].has_time);
	assert_true(e.results[1].number == 2 && e.results[2].number == 3);
	assert_true(e.results[3].has_time && e.results[3].time_ms == 1501);
	assert_true(e.results[4].has_time && e.results[4].time_ms == 1501);
	assert_int_equal(e.n_results, 5);
}

/* Views must be looked at while the scratch lives. */
static void item_members(void **state)
{
	static struct extract e;
	struct verdict v;
	struct schema *sc = compile(BUFFERED);
	struct schema_scratch s;
	(void)state;
	schema_scratch_init(&s, 10000);
	assert_int_equal(
	    schema_parse(&s, SPAN("{\"readings\":[{\"pm25\":1},{\"in\":{\"pm10\":3}}]}"), &v), 0);
	assert_int_equal(schema_check(sc, &s, &e, &v), 0);
	assert_int_equal(e.n_results, 2);
	assert_true(span_is(e.results[0].member, "pm25"));
	assert_true(span_is(e.results[1].member, "in/pm10"));
	assert_int_equal(schema_result_count(sc), 2);
	assert_string_equal(schema_result_info(sc, 0).member, "in/pm10");
	assert_string_equal(schema_result_info(sc, 1).member, "pm25");
	schema_scratch_done(&s);
	schema_free(sc);
}

static void branches(void **state)
{
	const char *source =
	    "{\"oneOf\":[{\"properties\":{\"k\":{\"const\":1},\"a\":{\"type\":\"number\",\"x-"
	    "oudp\":{"
	    "\"role\":\"result\"," P ",\"unit\":\"m\"}},\"z\":false}},"
	    "{\"properties\":{\"k\":{\"const\":2},\"b\":{\"type\":\"number\",\"x-oudp\":{"
	    "\"role\":\"result\"," P ",\"unit\":\"m\"}}}}],"
	    "\"not\":{\"properties\":{\"a\":{\"const\":9,\"x-oudp\":{\"role\":\"result\"," P
	    ",\"unit\":\"m\"}}},\"required\":[\"a\"]}}";
	static struct extract e;
	struct verdict v;
	(void)state;
	assert_int_equal(check(source, SPAN("{\"a\":5,\"b\":6,\"k\":2}"), &e, &v), 0);
	assert_int_equal(e.n_results, 1);
	assert_true(e.results[0].number == 6);
	/* the branch had read a before it failed at z */
	assert_int_equal(check(source, SPAN("{\"k\":2,\"b\":6,\"a\":5,\"z\":0}"), &e, &v), 0);
	assert_int_equal(e.n_results, 1);
	assert_int_equal(check(source, SPAN("{\"a\":5,\"b\":6,\"k\":1}"), &e, &v), 0);
	assert_int_equal(e.n_results, 1);
	assert_true(e.results[0].number == 5);
}

static void ours(void **state)
{
	static struct extract e;
	struct verdict v;
	(void)state;
	expect(VENDOR, "{\"ts\":-5}", "t/1: /ts: -5 is not seconds since 1970", "/ts", "time");
	expect(VENDOR, "{\"lat\":910000000}", "t/1: /lat: 910000000 is not a latitude", "/lat",
	       "location");
	expect(BUFFERED, "{\"at\":\"yesterday\"}",
	       "t/1: /at: \"yesterday\" is not an RFC 3339 date-time", "/at", "time");
	expect("{\"properties\":{\"p\":{\"x-oudp\":{\"role\":\"location\"}}}}",
	       "{\"p\":{\"longitude\":200,\"latitude\":1}}", "t/1: /p: 200 is not a longitude",
	       "/p", "location");
	expect(BUFFERED, "{\"readings\":[{\"pm25\":1e999}]}",
	       "t/1: /readings/0/pm25: 1e999 is too large a number", "/readings/0/pm25", "result");
	expect("{\"items\":{\"x-oudp\":{\"role\":\"thing\"}}}", "[\"a\",\"a\",\"b\"]",
	       "t/1: /: one message is about two things", "", "thing");
	assert_int_equal(
	    check("{\"items\":{\"x-oudp\":{\"role\":\"thing\"}}}", SPAN("[\"a\",\"a\"]"), &e, &v),
	    0);
	const char *places = "{\"x-oudp\":{\"role\":\"location\"}}";
	assert_int_equal(
	    check(places, SPAN("{\"type\":\"Polygon\",\"coordinates\":[1,2]}"), &e, &v), 0);
	assert_false(e.has_location);
	assert_int_equal(
	    check(places, SPAN("{\"type\":\"Point\",\"coordinates\":[4.5,-52,3]}"), &e, &v), 0);
	assert_true(e.has_location && box_is_point(&e.place) && e.place.south_e7 == -520000000 &&
	            e.place.west_e7 == 45000000);
}

static void too_many_results(void **state)
{
	static struct extract e;
	struct verdict v;
	struct buf b;
	(void)state;
	buf_init(&b, 1 << 20);
	buf_add_str(&b, "{\"readings\":[{\"pm25\":1}");
	for (int i = 1; i < EXTRACT_RESULTS_MAX; i++)
		buf_add_str(&b, ",{\"pm25\":1}");
	size_t fits = b.len;
	buf_add_str(&b, "]}");
	assert_int_equal(check(BUFFERED, span_of(b.p, b.len), &e, &v), 0);
	assert_int_equal(e.n_results, EXTRACT_RESULTS_MAX);
	b.len = fits;
	buf_add_str(&b, ",{\"pm25\":1}]}");
	assert_int_equal(check(BUFFERED, span_of(b.p, b.len), &e, &v), ERR_INVALID);
	assert_string_equal(v.text, "t/1: /: more results than one message may hold");
	assert_string_equal(v.rule, "result");
	buf_done(&b);
}

/* What could take for ever ends, with a verdict. */
static void work_is_bounded(void **state)
{
	struct verdict v;
	struct buf b;
	(void)state;
	buf_init(&b, PAYLOAD_MAX);
	buf_add_char(&b, '"');
	for (int i = 0; i < 40; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "!\"");
	assert_int_equal(check("{\"pattern\":\"^(a+)+$\"}", span_of(b.p, b.len), NULL, &v),
	                 ERR_INVALID);
	assert_string_equal(v.text, "t/1: /: takes too much work to check");
	assert_string_equal(v.rule, "limit");
	assert_int_equal(
	    check("{\"not\":{\"pattern\":\"^(a+)+$\"}}", span_of(b.p, b.len), NULL, &v),
	    ERR_INVALID);

	/* 2^60 ways through the branches */
	buf_clear(&b);
	buf_add_str(&b, "{\"$defs\":{\"d0\":{\"const\":1}");
	for (int i = 1; i <= 60; i++)
		buf_addf(
		    &b,
		    ",\"d%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/d%d\"},{\"$ref\":\"#/$defs/d%d\"}]}",
		    i, i - 1, i - 1);
	buf_add_str(&b, "},\"$ref\":\"#/$defs/d60\"}");
	assert_int_equal(check(buf_str(&b), SPAN("2"), NULL, &v), ERR_INVALID);
	assert_string_equal(v.rule, "limit");

	/* many items, all with the same double */
	buf_clear(&b);
	buf_add_str(&b, "[1e400");
	for (int i = 1; i < 100000; i++)
		buf_addf(&b, ",%de400", i + 1);
	buf_add_char(&b, ']');
	assert_int_equal(check("{\"uniqueItems\":true}", span_of(b.p, b.len), NULL, &v),
	                 ERR_INVALID);
	assert_string_equal(v.rule, "limit");
	buf_done(&b);
}

static void unique_big(void **state)
{
	struct verdict v;
	struct buf b;
	(void)state;
	buf_init(&b, PAYLOAD_MAX);
	buf_add_str(&b, "[0");
	for (int i = 1; i < 100000; i++)
		buf_addf(&b, ",{\"a\":%d,\"b\":\"x\"}", i);
	size_t n = b.len;
	buf_add_char(&b, ']');
	assert_int_equal(check("{\"uniqueItems\":true}", span_of(b.p, b.len), NULL, &v), 0);
	b.len = n;
	buf_add_str(&b, ",{\"b\":\"\\u0078\",\"a\":77e0}]");
	assert_int_equal(check("{\"uniqueItems\":true}", span_of(b.p, b.len), NULL, &v),
	                 ERR_INVALID);
	assert_string_equal(v.text, "t/1: /: two items are equal");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(verdicts),
	    cmocka_unit_test(nearest),
	    cmocka_unit_test(decided),
	    cmocka_unit_test(bounded_texts),
	    cmocka_unit_test(malformed),
	    cmocka_unit_test(errors_all),
	    cmocka_unit_test(extraction),
	    cmocka_unit_test(items),
	    cmocka_unit_test(item_members),
	    cmocka_unit_test(branches),
	    cmocka_unit_test(ours),
	    cmocka_unit_test(too_many_results),
	    cmocka_unit_test(work_is_bounded),
	    cmocka_unit_test(unique_big),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
