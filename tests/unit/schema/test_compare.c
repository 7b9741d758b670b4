/* What a new version of a schema changes: each kind of change, its place, whether it breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/compare.h"

#include <stdio.h>

#define P(members) "{\"type\":\"object\",\"properties\":{" members "}}"
#define X(members) P("\"x\":{" members "}")
#define R(words)   X("\"type\":\"number\",\"x-oudp\":{\"role\":\"result\"," words "}")
#define PROPERTY   "\"observedProperty\":\"http://e/p\""

static const struct row {
	const char *from, *to, *expected; /* "-pointer rule text" breaks, "+" does not; by ';' */
} rows[] = {
    {X("\"type\":\"number\""), "{\"properties\":{\"x\":{\"type\":\"number\"}},\"type\":\"object\"}",
     ""},
    {P(""), P("\"y\":{\"type\":\"number\"}"), "+/y properties is new and optional"},
    {P(""), "{\"type\":\"object\",\"required\":[\"y\"]}", "-/y required is required now"},
    {"{\"type\":\"object\",\"required\":[\"y\"]}", P(""), "+/y required is no longer required"},
    {X("\"type\":\"number\""), X("\"type\":\"integer\""), "-/x type must be an integer now"},
    {X("\"type\":\"integer\""), X("\"type\":\"number\""), "+/x type may have a fraction now"},
    {X("\"type\":[\"number\",\"string\"]"), X("\"type\":[\"number\",\"null\"]"),
     "-/x type may no longer be string;+/x type may be null too"},
    {X("\"minimum\":1.0"), X("\"minimum\":1"), ""},
    {X("\"minimum\":1"), X("\"minimum\":2"), "-/x minimum is 2, was 1"},
    {X("\"maximum\":10"), X("\"maximum\":20"), "+/x maximum is 20, was 10"},
    {X("\"maximum\":10"), X("\"exclusiveMaximum\":10"),
     "+/x maximum was 10, is none;-/x exclusiveMaximum is 10, was none"},
    {X("\"multipleOf\":0.5"), X("\"multipleOf\":0.1"), "-/x multipleOf is 0.1 now"},
    {X("\"enum\":[\"a\",\"b\"]"), X("\"enum\":[\"b\",\"c\"]"),
     "-/x enum a is no longer allowed;+/x enum c is allowed too"},
    {X("\"const\":1"), X("\"enum\":[1.0,2]"), "+/x enum 2 is allowed too"},
    {X("\"const\":1,\"enum\":[2]"), X("\"const\":1"), "+/x const 1 is allowed too"},
    {X("\"const\":1"), X("\"const\":1,\"enum\":[2]"), "-/x const 1 is no longer allowed"},
    {X(""), X("\"enum\":[1]"), "-/x enum only 1 value is allowed now"},
    {X("\"maxLength\":10"), X("\"maxLength\":9"), "-/x maxLength is 9, was 10"},
    {X("\"pattern\":\"^a\""), X("\"pattern\":\"^b\""), "-/x pattern must match ^b now"},
    {X("\"format\":\"date\""), X("\"format\":\"date-time\""),
     "-/x format must be an RFC 3339 date-time now"},
    {X("\"format\":\"date\""), X(""), "+/x format need not be a date any more"},
    {P("\"a\":{},\"b\":{}"), P("\"a\":{}"), "+/b properties is no longer described"},
    {"{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}},\"additionalProperties\":false}",
     "{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":false}",
     "-/b additionalProperties is no longer allowed"},
    {P("\"a\":{}"),
     "{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":false}",
     "- additionalProperties nothing more is allowed now"},
    {R(PROPERTY ",\"unit\":\"1\""), P(""), "-/x properties is gone, and what was read from it"},
    {R(PROPERTY ",\"unit\":\"Cel\""), R(PROPERTY ",\"unit\":\"K\""), "-/x unit is K, was Cel"},
    {R(PROPERTY ",\"unit\":\"1\""), R("\"observedProperty\":\"http://e/q\",\"unit\":\"1\""),
     "-/x observedProperty is http://e/q, was http://e/p"},
    {R(PROPERTY ",\"unit\":\"1\""), R(PROPERTY ",\"unit\":\"1\",\"scale\":0.1"),
     "-/x scale is 0.1, was 1"},
    {R(PROPERTY ",\"unit\":\"1\""), R(PROPERTY ",\"unit\":\"1\",\"plausible\":[0,1]"),
     "+/x plausible is another range now"},
    {X("\"type\":\"string\",\"x-oudp\":{\"role\":\"thing\"}"), X("\"type\":\"string\""),
     "-/x role is none, was thing"},
    {X("\"type\":\"string\""), X("\"type\":\"string\",\"x-oudp\":{\"role\":\"time\"}"),
     "-/x role is time, was none"},
    {X("\"items\":{\"maximum\":9}"), X("\"items\":{\"maximum\":8}"), "-/x/* maximum is 8, was 9"},
    {X("\"maxItems\":3,\"uniqueItems\":true"), X("\"minItems\":1"),
     "-/x minItems is 1, was 0;+/x maxItems was 3, is none;+/x uniqueItems items may be equal now"},
    {"{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
     "{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]},{\"required\":[\"c\"]}]}",
     "+ anyOf one of other members must be there than before"},
    {"{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
     "{\"anyOf\":[{\"required\":[\"a\"]}]}",
     "- anyOf one of other members must be there than before"},
    {"{\"anyOf\":[{\"maximum\":1},{\"minimum\":5}]}",
     "{\"anyOf\":[{\"maximum\":1},{\"minimum\":5},{\"const\":3}]}",
     "+ anyOf has 3 branches now, had 2"},
    {"{\"allOf\":[{\"maximum\":1}]}", "{\"allOf\":[{\"maximum\":1},{\"minimum\":5}]}",
     "- allOf has 2 branches now, had 1"},
    {"{\"not\":{\"maximum\":1}}", "{\"not\":{\"maximum\":2}}",
     "+ maximum is 2, was 1;- not has changed inside, which turns more against a message"},
    {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"maximum\":2}}}", "{\"maximum\":1}",
     "- maximum is 1, was 2"},
    {X("\"maxItems\":3,\"contains\":{\"maximum\":1}"), X("\"maxItems\":3"),
     "+/x contains asks for no item now"},
    {X(""), X("\"maxItems\":3"), "-/x maxItems is 3, was none"},
    {X("\"contains\":{\"maximum\":1},\"maxContains\":2"),
     X("\"contains\":{\"maximum\":2},\"maxContains\":2"),
     "+/x/* maximum is 2, was 1;-/x maxContains more items fit what at most 2 may fit"},
    {"{\"properties\":{\"a\":{}},\"unevaluatedProperties\":false}",
     "{\"properties\":{\"b\":{}},\"unevaluatedProperties\":false}",
     "-/a unevaluatedProperties is no longer described here;+/b properties is new and optional"},
    {"{\"allOf\":[{\"properties\":{\"a\":{}}},{\"maximum\":1}],\"unevaluatedProperties\":false}",
     "{\"allOf\":[{\"properties\":{\"a\":{}}}],\"unevaluatedProperties\":false}",
     "- allOf has 1 branches now, had 2"},
    /* a list of lists without end is compared once */
    {"{\"items\":{\"$ref\":\"#\"},\"maxItems\":3}", "{\"items\":{\"$ref\":\"#\"},\"maxItems\":2}",
     "- maxItems is 2, was 3"},
    {"{\"patternProperties\":{\"^a\":{}}}", "{\"patternProperties\":{\"^b\":{}}}",
     "- patternProperties has changed"},
    {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"dependentRequired\":{\"a\":[\"b\",\"c\"]}}",
     "- dependentRequired asks for other members now"},
};

static struct schema *compile(const char *text)
{
	struct schema *sc = NULL;
	char why[300] = "";
	if (schema_compile(span_str(text), "t", 1, NULL, &sc, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	return sc;
}

static void one(const struct row *r)
{
	struct schema *from = compile(r->from), *to = compile(r->to);
	struct schema_change ch[8];
	char got[2000] = "";
	size_t at = 0;
	unsigned breaking = 0, n = schema_compare(from, to, ch, 8, &breaking), seen = 0;
	for (unsigned i = 0; i < n; i++) {
		seen += ch[i].breaks;
		at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%c%s %s %s", i ? ";" : "",
		                       ch[i].breaks ? '-' : '+', ch[i].pointer, ch[i].rule,
		                       ch[i].text);
	}
	if (strcmp(got, r->expected) != 0)
		fail_msg("%s\n  to %s:\n  %s\nexpected\n  %s", r->from, r->to, got, r->expected);
	assert_int_equal(seen, breaking);
	schema_free(from);
	schema_free(to);
}

static void changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		one(&rows[i]);
}

/* More changes than there is room for are counted. */
static void bounded(void **state)
{
	(void)state;
	struct schema *from = compile("{}");
	struct schema *to = compile("{\"required\":[\"a\",\"b\",\"c\"]}");
	struct schema_change ch[1];
	unsigned breaking;
	assert_int_equal(schema_compare(from, to, ch, 1, &breaking), 3);
	assert_int_equal(breaking, 3);
	schema_free(from);
	schema_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(changes), cmocka_unit_test(bounded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
