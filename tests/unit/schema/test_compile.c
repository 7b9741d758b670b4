/* What does not load, with the place it names; and units, URIs and patterns on their own. */
#include "base/err.h"
#include "schema/build.h"
#include "schema/ecma.h"
#include "schema/unit.h"
#include "schema/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect_error(const char *source, const char *text)
{
	struct schema *sc = NULL;
	char why[400] = "";
	int err = schema_compile(span_str(source), "t", 1, NULL, &sc, why, sizeof(why));
	if (err == 0) {
		schema_free(sc);
		fail_msg("loads: %s", source);
	}
	assert_int_equal(err, ERR_CONFIG);
	assert_null(sc);
	assert_string_equal(why, text);
}

static void expect_loads(const char *source)
{
	struct schema *sc = NULL;
	char why[400] = "";
	if (schema_compile(span_str(source), "t", 1, NULL, &sc, why, sizeof(why)) != 0)
		fail_msg("%s: %s", source, why);
	schema_free(sc);
}

#define META07 "\"$schema\":\"http://json-schema.org/draft-07/schema#\""

static void load_errors(void **state)
{
	static const char *const ROWS[][2] = {
	    {"", "byte 0: the text ends too early"},
	    {"{\"type\":\"number\",\"type\":\"string\"}", "/: a member name is given twice"},
	    {"[]", "/: must be a schema: an object, true or false"},
	    {"{\"type\":\"float\"}",
	     "/type: is not a type: null, boolean, integer, number, string, array or object"},
	    {"{\"type\":[\"string\",1]}", "/type/1: must be a string"},
	    {"{\"properties\":{\"pm25\":{\"maximum\":\"1000\"}}}",
	     "/properties/pm25/maximum: must be a number"},
	    {"{\"properties\":{\"a/b~c\":7}}",
	     "/properties/a~1b~0c: must be a schema: an object, true or false"},
	    {"{\"properties\":[]}", "/properties: must be an object"},
	    {"{\"required\":[\"a\",2]}", "/required/1: must be a string"},
	    {"{\"required\":\"a\"}", "/required: must be an array of member names"},
	    {"{\"minLength\":-1}", "/minLength: must be a whole number that is not negative"},
	    {"{\"maxItems\":1.5}", "/maxItems: must be a whole number that is not negative"},
	    {"{\"multipleOf\":0}", "/multipleOf: must be more than 0"},
	    {"{\"uniqueItems\":1}", "/uniqueItems: must be true or false"},
	    {"{\"enum\":\"a\"}", "/enum: must be an array"},
	    {"{\"allOf\":{}}", "/allOf: must be an array of schemas"},
	    {"{\"oneOf\":[]}", "/oneOf: must hold a schema"},
	    {"{\"items\":[true]}",
	     "/items: must be a schema: an array of them is prefixItems in 2020-12"},
	    {"{\"pattern\":\"(\"}", "/pattern: is not a regular expression: a ( is not closed"},
	    {"{\"pattern\":\"(?R)\"}", "/pattern: is not a regular expression: (? is followed by "
	                               "something that has no meaning in ECMA-262"},
	    {"{\"patternProperties\":{\"a**\":true}}",
	     "/patternProperties/a**: is not a regular "
	     "expression: a quantifier has nothing to repeat"},
	    {"{\"$ref\":\"#/$defs/x\"}", "/$ref: cannot be resolved: nothing is there"},
	    {"{\"$ref\":\"#x\"}", "/$ref: cannot be resolved: there is no such anchor"},
	    {"{\"$ref\":\"../../common/1/schema.json\"}",
	     "/$ref: cannot be resolved: oudp:///common/1/schema.json is not in the schema "
	     "directories"},
	    {"{\"$ref\":\"https://example.org/s.json\"}",
	     "/$ref: cannot be resolved: https://example.org/s.json is not in the schema "
	     "directories"},
	    {"{\"$ref\":5}", "/$ref: must be a string"},
	    {"{\"$ref\":\"#\"}", "/: leads back to itself without an end"},
	    {"{\"allOf\":[{\"anyOf\":[{\"$ref\":\"#/allOf/0\"}]}]}",
	     "/allOf/0: leads back to itself without an end"},
	    {"{\"$defs\":{\"a\":{\"if\":{\"$ref\":\"#/$defs/a\"},\"then\":true}},\"$ref\":\"#/"
	     "$defs/"
	     "a\"}",
	     "/$defs/a: leads back to itself without an end"},
	    {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}",
	     "/$schema: not supported: this is for 2020-12 and draft-07"},
	    {"{\"$schema\":\"https://example.org/meta\"}",
	     "/$schema: cannot be resolved: https://example.org/meta is not in the schema "
	     "directories"},
	    {"{" META07 ",\"$ref\":\"#/definitions/a\",\"definitions\":{\"a\":{}},\"x-oudp\":{}}",
	     "/x-oudp: stands beside $ref, which draft-07 ignores: use allOf"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
		expect_error(ROWS[i][0], ROWS[i][1]);
}

#define RESULT(rest)                                                                               \
	"{\"properties\":{\"a\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\"" rest "}}}}"
#define PROPERTY ",\"observedProperty\":\"http://example.org/p\""

static void note_errors(void **state)
{
	static const char *const ROWS[][2] = {
	    {RESULT(""), "/properties/a/x-oudp: a result needs observedProperty"},
	    {RESULT(PROPERTY),
	     "/properties/a/x-oudp: a result needs unit (\"1\" for a count or a ratio)"},
	    {RESULT(PROPERTY ",\"unit\":\"ug/m^3\""),
	     "/properties/a/x-oudp/unit: is not a unit of UCUM that is known here: \"ug/m^3\""},
	    {RESULT(",\"observedProperty\":\"pm25\",\"unit\":\"1\""),
	     "/properties/a/x-oudp/observedProperty: must be the URI of a vocabulary's term"},
	    {RESULT(PROPERTY ",\"units\":\"m\""),
	     "/properties/a/x-oudp/units: is not a member of x-oudp"},
	    {RESULT(PROPERTY ",\"unit\":\"m\",\"time\":\"rfc3339\""),
	     "/properties/a/x-oudp/time: means nothing with role result"},
	    {RESULT(PROPERTY ",\"unit\":\"m\",\"scale\":0"),
	     "/properties/a/x-oudp/scale: must not be 0"},
	    {RESULT(PROPERTY ",\"unit\":\"m\",\"scale\":\"0.1\""),
	     "/properties/a/x-oudp/scale: must be a number"},
	    {RESULT(PROPERTY ",\"unit\":\"m\",\"plausible\":[3,1]"),
	     "/properties/a/x-oudp/plausible: its low is more than its high"},
	    {"{\"x-oudp\":{\"role\":\"resultt\"}}", "/x-oudp/role: must be thing, time, location, "
	                                            "result, item or version"},
	    {"{\"x-oudp\":{\"unit\":\"m\"}}", "/x-oudp: member \"role\" is missing"},
	    {"{\"x-oudp\":true}", "/x-oudp: must be an object"},
	    {"{\"type\":\"object\",\"x-oudp\":{\"role\":\"result\"}}",
	     "/x-oudp: a result is a number, a string, a boolean or null"},
	    {"{\"type\":\"number\",\"x-oudp\":{\"role\":\"time\"}}",
	     "/x-oudp: the type here cannot have role time"},
	    {"{\"type\":\"object\",\"x-oudp\":{\"role\":\"item\"}}",
	     "/x-oudp: the type here cannot have role item"},
	    {"{\"x-oudp\":{\"role\":\"time\",\"time\":\"unix\"}}",
	     "/x-oudp/time: must be rfc3339, iso8601, epoch-s or epoch-ms"},
	    {"{\"oneOf\":[" RESULT(PROPERTY ",\"unit\":\"m\"") "," RESULT(PROPERTY
	                                                                  ",\"unit\":\"cm\"") "]}",
	     "/oneOf/1/properties/a: result \"a\" has another unit or observedProperty elsewhere"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
		expect_error(ROWS[i][0], ROWS[i][1]);
	expect_loads(RESULT(PROPERTY ",\"unit\":\"1\",\"plausible\":[1,3],\"scale\":0.1"));
	expect_loads("{\"type\":\"string\",\"x-oudp\":{\"role\":\"result\"" PROPERTY "}}");
	expect_loads("{\"enum\":[\"a\",\"b\"],\"x-oudp\":{\"role\":\"result\"" PROPERTY "}}");
	expect_loads("{\"x-vendor\":{\"units\":1},\"units\":\"unknown keywords are annotations\"}");
}

static void limits(void **state)
{
	struct buf b;
	(void)state;
	buf_init(&b, 4 << 20);
	for (int i = 0; i < 100; i++)
		buf_add_str(&b, "{\"not\":");
	buf_add_str(&b, "true");
	for (int i = 0; i < 100; i++)
		buf_add_char(&b, '}');
	expect_loads(buf_str(&b));

	buf_clear(&b);
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_add_str(&b, "{\"not\":");
	buf_add_str(&b, "{}");
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_add_char(&b, '}');
	expect_error(buf_str(&b), "byte 896: nested too deep");

	buf_clear(&b);
	buf_add_str(&b, "{\"required\":[\"0\"");
	for (int i = 1; i < LIMIT_SCHEMA_NAMES; i++)
		buf_addf(&b, ",\"%d\"", i);
	size_t fits = b.len;
	buf_add_str(&b, "]}");
	expect_loads(buf_str(&b));
	b.len = fits;
	buf_add_str(&b, ",\"more\"]}");
	expect_error(buf_str(&b), "/required/256: more than 256 members are asked for");

	buf_clear(&b);
	buf_add_str(&b, "{\"allOf\":[true");
	for (int i = 0; i < LIMIT_SCHEMA_NODES; i++)
		buf_add_str(&b, ",true");
	buf_add_str(&b, "]}");
	expect_error(buf_str(&b), "/allOf/19999: more than 20000 subschemas");

	buf_clear(&b);
	buf_add_str(&b, "{\"pattern\":\"");
	for (int i = 0; i <= LIMIT_PATTERN_BYTES; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "\"}");
	expect_error(buf_str(&b), "/pattern: is not a regular expression: longer than 4096 bytes");

	buf_clear(&b);
	while (b.len <= LIMIT_SCHEMA_BYTES)
		buf_add_str(&b, "                                                                ");
	expect_error(buf_str(&b), "oudp:///t/1/schema.json is larger than 1048576 bytes");
	buf_done(&b);
}

static void units(void **state)
{
	static const char *const GOOD[] = {
	    "1",       "%",       "m",      "Cel",    "ug/m3",   "ng/m3",    "km/h",
	    "m/s2",    "L/m2",    "l",      "hPa",    "W/m2",    "kW.h",     "[ppm]",
	    "dB[SPL]", "[pH]",    "uS/cm",  "mm",     "/h",      "1/min",    "{bikes}",
	    "m3/s",    "10*3/ul", "deg",    "mol/L",  "mg/dL",   "lx",       "mA",
	    "1/(m.s)", "cd.sr",   "kg.m-2", "m[H2O]", "cm[H2O]", "J/(m2.s)", "{vehicles}/h",
	    "s-1",     "m+2"};
	static const char *const BAD[] = {
	    "",   "celsius", "ug/m^3", "µg/m3", "km//h", "m/",    ".m",   "dB(A)", "m 2", "{open",
	    "(m", "m)",      "kmin",   "degC",  "mmHg",  "kCelm", "[ppm", "m--2",  "/"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
		if (GOOD[i][0] && !unit_valid(span_str(GOOD[i])))
			fail_msg("%s is a unit", GOOD[i]);
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
		if (unit_valid(span_str(BAD[i])))
			fail_msg("%s is no unit", BAD[i]);
}

/* RFC 3986 5.4, with the base it uses. */
static void uris(void **state)
{
	static const char *const ROWS[][2] = {
	    {"g:h", "g:h"},
	    {"g", "http://a/b/c/g"},
	    {"./g", "http://a/b/c/g"},
	    {"g/", "http://a/b/c/g/"},
	    {"/g", "http://a/g"},
	    {"//g", "http://g"},
	    {"?y", "http://a/b/c/d;p?y"},
	    {"g?y", "http://a/b/c/g?y"},
	    {"#s", "http://a/b/c/d;p?q"},
	    {"g?y#s", "http://a/b/c/g?y"},
	    {";x", "http://a/b/c/;x"},
	    {"", "http://a/b/c/d;p?q"},
	    {".", "http://a/b/c/"},
	    {"..", "http://a/b/"},
	    {"../g", "http://a/b/g"},
	    {"../..", "http://a/"},
	    {"../../g", "http://a/g"},
	    {"../../../g", "http://a/g"},
	    {"/./g", "http://a/g"},
	    {"/../g", "http://a/g"},
	    {"g.", "http://a/b/c/g."},
	    {"..g", "http://a/b/c/..g"},
	    {"./g/.", "http://a/b/c/g/"},
	    {"g/../h", "http://a/b/c/h"},
	};
	struct buf b;
	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
		buf_clear(&b);
		uri_resolve(SPAN("http://a/b/c/d;p?q"), span_str(ROWS[i][0]), &b);
		assert_string_equal(buf_str(&b), ROWS[i][1]);
	}
	buf_clear(&b);
	uri_resolve(SPAN("oudp:///air/2/schema.json"), SPAN("../../common/1/schema.json#/$defs/a"),
	            &b);
	assert_string_equal(buf_str(&b), "oudp:///common/1/schema.json");
	buf_done(&b);
}

static void patterns(void **state)
{
	static const char *const BAD[] = {"\\a",     "\\Z",   "a++",     "*a",      "[a",
	                                  "a)",      "\\",    "\\u12",   "\\ud800", "a{2,1}",
	                                  "(*UTF)a", "(?i)a", "\\Qa\\E", "\\p{"};
	char why[200];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		pcre2_code *code = ecma_compile(span_str(BAD[i]), why, sizeof(why));
		if (code)
			fail_msg("%s compiles", BAD[i]);
		assert_true(strlen(why) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(load_errors), cmocka_unit_test(note_errors),
	    cmocka_unit_test(limits),      cmocka_unit_test(units),
	    cmocka_unit_test(uris),        cmocka_unit_test(patterns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
