/* SenML packs: what is read from them, and why others are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rfc3339.h"
#include "schema/senml.h"
#include "schema/unit.h"
#include "json/write.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t NOW_MS = 1795521600000; /* 2026-11-24T12:00:00Z */

static struct schema_scratch scratch;
static struct extract e;

static int set_up(void **state)
{
	(void)state;
	schema_scratch_init(&scratch, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	schema_scratch_done(&scratch);
	return 0;
}

/* "thing|member=value unit @seconds|..." ; the time of receipt is left out. */
static void describe(struct buf *b)
{
	buf_add_span(b, e.thing);
	for (unsigned i = 0; i < e.n_results; i++) {
		const struct extract_result *r = &e.results[i];
		buf_add_char(b, '|');
		buf_add_span(b, r->member);
		buf_add_char(b, '=');
		if (r->type == EXTRACT_NUMBER)
			json_write_double(b, r->number);
		else if (r->type == EXTRACT_BOOL)
			buf_add_str(b, r->number != 0 ? "true" : "false");
		if (r->text.n) {
			buf_add_char(b, r->type == EXTRACT_NUMBER ? ' ' : '\'');
			buf_add_span(b, r->text);
		}
		if (r->has_time) {
			buf_add_str(b, " @");
			json_write_double(b, (double)r->time_ms / 1e3);
		}
	}
}

struct row {
	const char *topic, *pack, *expected; /* "!verdict" when it is refused */
};

static void one(const struct row *r)
{
	struct verdict v;
	struct buf got;
	buf_init(&got, 1 << 20);
	assert_int_equal(schema_parse(&scratch, span_str(r->pack), &v), 0);
	int err = senml_extract(&scratch, span_str(r->topic), NOW_MS, &e, &v);
	if (err) {
		assert_int_equal(err, ERR_INVALID);
		assert_string_equal(v.schema, "senml");
		buf_addf(&got, "!%s", v.text);
	} else {
		describe(&got);
	}
	if (strcmp(buf_str(&got), r->expected) != 0)
		fail_msg("%s\n  %s\nexpected\n  %s", r->pack, buf_str(&got), r->expected);
	buf_done(&got);
}

#define DEV "urn:dev:ow:10e2073a01080063"

static const struct row rows[] = {
    /* names */
    {"", "[{\"n\":\"" DEV ":voltage\",\"u\":\"V\",\"v\":1.5}]", DEV "|voltage=1.5 V"},
    {"", "[{\"bn\":\"" DEV ":\",\"n\":\"voltage\",\"u\":\"V\",\"v\":1.5}]", DEV "|voltage=1.5 V"},
    {"", "[{\"n\":\"" DEV "\",\"u\":\"%RH\",\"v\":20}]", DEV "|%RH=20 %"},
    {"", "[{\"n\":\"" DEV "\",\"v\":20}]", DEV "|value=20"},
    {"", "[{\"n\":\"urn:dev:mac:0024befffe804ff1/3303/0/5700\",\"v\":1}]",
     "urn:dev:mac:0024befffe804ff1|3303/0/5700=1"},
    {"", "[{\"n\":\"urn:dev:mac:0024befffe804ff1_temp\",\"v\":1}]",
     "urn:dev:mac:0024befffe804ff1|temp=1"},
    {"", "[{\"bn\":\"2001:db8::2/\",\"n\":\"temperature\",\"v\":1}]", "2001:db8::2|temperature=1"},
    {"", "[{\"n\":\"2001:db8::2/temperature\",\"v\":1}]", "2001:db8::2|temperature=1"},
    {"", "[{\"bn\":\"pole-17\",\"v\":1,\"u\":\"Cel\"}]", "pole-17|Cel=1 Cel"},
    {"", "[{\"bn\":\"a/\",\"n\":\"x\",\"v\":1},{\"bn\":\"b/\",\"n\":\"x\",\"v\":1}]",
     "!senml: /1: one message is about two things, a and b/x; send them apart, or to a topic that "
     "names the gateway"},
    {"gw", "[{\"bn\":\"a/\",\"n\":\"x\",\"v\":1},{\"bn\":\"b/\",\"n\":\"x\",\"v\":1}]",
     "|a/x=1|b/x=1"},
    {"10e2073a01080063", "[{\"n\":\"" DEV ":voltage\",\"v\":1.5}]", DEV "|voltage=1.5"},
    {"", "[{\"v\":1}]", "!senml: /0: neither bn nor n gives a name"},
    {"", "[{\"n\":\"a b\",\"v\":1}]", "!senml: /0/n: \"a b\" is no name of SenML"},
    {"", "[{\"n\":\":a\",\"v\":1}]", "!senml: /0/n: \":a\" is no name of SenML"},
    /* base fields hold until given again */
    {"",
     "[{\"bn\":\"d/\",\"bu\":\"V\",\"n\":\"a\",\"v\":1},{\"n\":\"b\",\"u\":\"A\",\"v\":2},"
     "{\"bu\":\"K\",\"n\":\"c\",\"v\":3}]",
     "d|a=1 V|b=2 A|c=3 K"},
    {"",
     "[{\"bn\":\"d/\",\"bv\":20,\"n\":\"a\",\"v\":1.5},{\"n\":\"b\"},{\"n\":\"c\",\"vb\":true}]",
     "d|a=21.5|b=20|c=true"},
    {"", "[{\"bn\":\"d/\"},{\"n\":\"a\",\"v\":1}]", "d|a=1"},
    {"", "[{\"bn\":\"d/\",\"bver\":10,\"n\":\"a\",\"v\":1}]", "d|a=1"},
    {"", "[{\"bn\":\"d/\",\"bver\":11,\"n\":\"a\",\"v\":1}]",
     "!senml: /0/bver: a version of SenML that is not known here"},
    {"",
     "[{\"bn\":\"d/\",\"bs\":100,\"u\":\"W\",\"n\":\"a\",\"v\":1,\"s\":5},{\"n\":\"b\",\"s\":7}]",
     "d|a=1 W|a/sum=105 W.s|b/sum=107"},
    /* times */
    {"", "[{\"n\":\"a\",\"v\":1,\"t\":1276020076.305}]", "a|value=1 @1276020076.305"},
    {"", "[{\"n\":\"a\",\"v\":1,\"bt\":1276020076,\"t\":-5}]", "a|value=1 @1276020071"},
    {"", "[{\"n\":\"a\",\"v\":1,\"t\":-10}]", "a|value=1 @1795521590"},
    {"", "[{\"n\":\"a\",\"v\":1,\"t\":60}]", "a|value=1 @1795521660"},
    {"", "[{\"n\":\"a\",\"v\":1,\"t\":0}]", "a|value=1"},
    {"", "[{\"n\":\"a\",\"v\":1,\"t\":1.76675482e9}]", "a|value=1 @1766754820"},
    {"", "[{\"n\":\"a\",\"v\":1,\"t\":1e300}]",
     "!senml: /0/t: its time is before 1970 or after 9999"},
    {"", "[{\"n\":\"a\",\"v\":1,\"t\":-2e9}]",
     "!senml: /0/t: its time is before 1970 or after 9999"},
    /* values */
    {"", "[{\"n\":\"a\",\"vs\":\"b\\u00e9\"}]", "a|value='b\xc3\xa9"},
    {"", "[{\"n\":\"a\",\"vb\":false}]", "a|value=false"},
    {"", "[{\"n\":\"a\",\"vd\":\"aGkgCg\"}]", "a|value='aGkgCg"},
    {"", "[{\"n\":\"a\",\"vd\":\"aGkg+g==\"}]", "!senml: /0/vd: it is not base64url"},
    {"", "[{\"n\":\"a\"}]", "!senml: /0: it has no value"},
    {"", "[{\"n\":\"a\",\"v\":1,\"vb\":true}]", "!senml: /0: it has more than one value"},
    {"", "[{\"n\":\"a\",\"v\":\"1\"}]", "!senml: /0/v: it has another type than SenML gives it"},
    {"", "[{\"n\":\"a\",\"bv\":1e308,\"v\":1e308}]",
     "!senml: /0: the sum of base and value is too large a number"},
    /* units */
    {"", "[{\"n\":\"a\",\"u\":\"/\",\"v\":1}]", "a|/=1 1"},
    {"", "[{\"bn\":\"d/\",\"n\":\"a\",\"u\":\"kWh\",\"v\":1}]", "d|a=1 kW.h"},
    {"", "[{\"bn\":\"d/\",\"n\":\"a\",\"u\":\"ug/m3\",\"v\":1}]", "d|a=1 ug/m3"},
    {"", "[{\"n\":\"a\",\"u\":\"furlong\",\"v\":1}]",
     "!senml: /0/u: \"furlong\" is no unit of SenML"},
    {"", "[{\"bn\":\"a\",\"bu\":\"furlong\",\"v\":1}]",
     "!senml: /0/bu: \"furlong\" is no unit of SenML"},
    /* the whole */
    {"", "{}", "!senml: /: a SenML pack is an array of records"},
    {"", "[]", "!senml: /: the pack has no reading"},
    {"", "[1]", "!senml: /0: a record is an object"},
    {"", "[{\"n\":\"a\",\"v\":1,\"l\":\"[]\",\"ut\":5,\"more\":1}]", "a|value=1"},
    {"", "[{\"n\":\"a\",\"v\":1,\"more_\":1}]",
     "!senml: /0/more_: a field that must be understood, and is not"},
};

static void vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		one(&rows[i]);
}

static void place_and_time(void **state)
{
	(void)state;
	struct verdict v;
	assert_int_equal(
	    schema_parse(
	        &scratch,
	        SPAN("[{\"bn\":\"m\",\"bt\":1320067464,\"u\":\"lat\",\"v\":60.07965},"
	             "{\"u\":\"lon\",\"v\":24.30621},{\"u\":\"lat\",\"v\":60.07967,\"t\":60}]"),
	        &v),
	    0);
	assert_int_equal(senml_extract(&scratch, SPAN(""), NOW_MS, &e, &v), 0);
	assert_true(e.has_location);
	assert_int_equal(e.place.south_e7, 600796700);
	assert_int_equal(e.place.west_e7, 243062100);
	assert_true(e.has_time);
	assert_int_equal(e.time_ms, 1320067524000);
}

/* Every unit of the registries is UCUM here. */
static void units(void **state)
{
	(void)state;
	static const char *const REGISTERED[] = {
	    "m",     "kg",       "g",      "s",    "A",     "K",    "cd",    "mol",  "Hz",
	    "rad",   "sr",       "N",      "Pa",   "J",     "W",    "C",     "V",    "F",
	    "Ohm",   "S",        "Wb",     "T",    "H",     "Cel",  "lm",    "lx",   "Bq",
	    "Gy",    "Sv",       "kat",    "m2",   "m3",    "l",    "m/s",   "m/s2", "m3/s",
	    "l/s",   "W/m2",     "cd/m2",  "bit",  "bit/s", "lat",  "lon",   "pH",   "dB",
	    "dBW",   "Bspl",     "count",  "/",    "%",     "%RH",  "%EL",   "EL",   "1/s",
	    "1/min", "beat/min", "beats",  "S/m",  "B",     "VA",   "VAs",   "var",  "vars",
	    "J/m",   "kg/m3",    "deg",    "NTU",  "ms",    "min",  "h",     "MHz",  "kW",
	    "kVA",   "kvar",     "Ah",     "Wh",   "kWh",   "varh", "kvarh", "kVAh", "Wh/km",
	    "KiB",   "GB",       "Mbit/s", "B/s",  "MB/s",  "mV",   "mA",    "dBm",  "ug/m3",
	    "mm/h",  "m/h",      "ppm",    "/100", "/1000", "hPa",  "mm",    "cm",   "km",
	    "km/h"};
	for (size_t i = 0; i < ARRAY_LEN(REGISTERED); i++) {
		bool same;
		const char *ucum = senml_unit(span_str(REGISTERED[i]), &same);
		if (!ucum || !unit_valid(span_str(ucum)))
			fail_msg("%s: %s", REGISTERED[i], ucum ? ucum : "unknown");
	}
}

static void bounded(void **state)
{
	(void)state;
	struct buf b;
	struct verdict v;
	buf_init(&b, 1 << 20);
	buf_add_char(&b, '[');
	for (int i = 0; i <= EXTRACT_RESULTS_MAX; i++)
		buf_addf(&b, "%s{\"n\":\"a/%d\",\"v\":1}", i ? "," : "", i);
	buf_add_char(&b, ']');
	assert_int_equal(schema_parse(&scratch, span_of(b.p, b.len), &v), 0);
	assert_int_equal(senml_extract(&scratch, SPAN(""), NOW_MS, &e, &v), ERR_INVALID);
	assert_string_equal(v.text, "senml: /256: more than 256 results");
	buf_clear(&b);
	buf_addf(&b, "[{\"bn\":\"%0600d\",\"v\":1}]", 1);
	assert_int_equal(schema_parse(&scratch, span_of(b.p, b.len), &v), 0);
	assert_int_equal(senml_extract(&scratch, SPAN(""), NOW_MS, &e, &v), ERR_INVALID);
	assert_string_equal(v.rule, "name");
	buf_done(&b);
}

/* ---- the examples of the standard, where they are ---- */

static bool read_file(const char *dir, const char *name, struct buf *b)
{
	char path[500];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "r");
	char piece[4096];
	size_t n;
	buf_clear(b);
	while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(b, piece, n);
	if (f)
		fclose(f);
	return f != NULL;
}

static void describe_file(const char *dir, const char *name, int64_t now_ms, struct buf *file,
                          struct buf *out)
{
	struct verdict v;
	assert_true(read_file(dir, name, file));
	assert_int_equal(schema_parse(&scratch, span_of(file->p, file->len), &v), 0);
	if (senml_extract(&scratch, SPAN("gateway"), now_ms, &e, &v))
		fail_msg("%s: %s", name, v.text);
	for (unsigned i = 0; i < e.n_results; i++) { /* resolved: every record has a time */
		if (!e.results[i].has_time)
			e.results[i].time_ms = now_ms;
		e.results[i].has_time = true;
	}
	buf_clear(out);
	describe(out);
}

/* A pack and its resolved form say the same. */
static void examples(void **state)
{
	(void)state;
	static const char DIR_[] = "../shared/payloads/senml/rfc8428", END[] = ".gen.resolved.json";
	DIR *d = opendir(DIR_);
	if (!d) {
		print_message(
		    "# SKIP not part of the repository: examples of RFC 8428, looked for in "
		    "%s\n",
		    DIR_);
		skip();
	}
	struct buf file, pack, resolved;
	buf_init(&file, 1 << 20);
	buf_init(&pack, 1 << 20);
	buf_init(&resolved, 1 << 20);
	unsigned seen = 0;
	for (struct dirent *f; (f = readdir(d));) {
		size_t n = strlen(f->d_name);
		if (n < sizeof(END) || strcmp(f->d_name + n - (sizeof(END) - 1), END) != 0)
			continue;
		char name[300];
		snprintf(name, sizeof(name), "%.*s.json", (int)(n - (sizeof(END) - 1)), f->d_name);
		describe_file(DIR_, f->d_name, NOW_MS, &file, &resolved);
		/* what had no time was resolved at this moment */
		describe_file(DIR_, name, 1498780179000, &file, &pack);
		assert_string_equal(buf_str(&pack), buf_str(&resolved));
		seen++;
	}
	closedir(d);
	assert_true(seen >= 7);
	buf_done(&file);
	buf_done(&pack);
	buf_done(&resolved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors), cmocka_unit_test(place_and_time), cmocka_unit_test(units),
	    cmocka_unit_test(bounded), cmocka_unit_test(examples),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
