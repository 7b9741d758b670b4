/* Every payload of the simulated city fits its schema, whatever the time, and comes in its rhythm.
 */
#include "cli/city.c"

#include "base/limits.h"
#include "config/config.h"
#include "schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const int64_t begin_ms = 1795521600000; /* 2026-11-24T12:00:00Z, a Tuesday */

static struct schema *load(const char *id)
{
	char path[128], text[200000], why[512] = "", name[64];
	snprintf(path, sizeof(path), "schemas/%s/schema.json", id);
	FILE *f = fopen(path, "re");
	if (!f)
		fail_msg("no %s: run from the top of the source tree", path);
	size_t n = fread(text, 1, sizeof(text), f);
	fclose(f);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(id, "/"), id);
	static const char *const dirs[] = {"schemas", NULL};
	struct schema *sc = NULL;
	if (schema_compile(span_of(text, n), name, 1, dirs, &sc, why, sizeof(why)) < 0)
		fail_msg("%s: %s", id, why);
	return sc;
}

static void test_payloads_fit(void **state)
{
	(void)state;
	struct schema *sc[CITY_KINDS];
	unsigned seen[CITY_KINDS] = {0};
	for (unsigned k = 0; k < CITY_KINDS; k++)
		sc[k] = load(city_schema((enum city_kind)k));
	struct schema_scratch scratch;
	schema_scratch_init(&scratch, LIMIT_PACKET_BYTES);
	struct city c;
	city_init(&c, 300, 7, begin_ms);
	struct buf b;
	buf_init(&b, 4096);
	/* a fortnight and the seasons of a year, in steps that meet every hour */
	for (int64_t at = 0; at < 365ll * 86400000;
	     at += at < 14ll * 86400000 ? 7000001 : 293000017)
		for (uint32_t i = 0; i < c.n; i += 1 + (uint32_t)(at / 7000001 % 5)) {
			struct city_thing *t = &c.things[i];
			struct verdict v;
			struct extract x;
			buf_clear(&b);
			city_measure(t, begin_ms + at, &b);
			assert_int_equal(b.err, 0);
			if (schema_parse(&scratch, span_of(b.p, b.len), &v) < 0 ||
			    schema_check(sc[t->kind], &scratch, &x, &v) < 0)
				fail_msg("%s\n%s", v.text, buf_str(&b));
			assert_true(x.has_time && x.has_location && x.n_results > 0);
			assert_in_range(begin_ms + at - x.time_ms, 0, 60000);
			seen[t->kind]++;
		}
	for (unsigned k = 0; k < CITY_KINDS; k++) {
		assert_true(seen[k] > 100);
		schema_free(sc[k]);
	}
	buf_done(&b);
	city_done(&c);
	schema_scratch_done(&scratch);
}

static void test_rhythm(void **state)
{
	(void)state;
	struct city c;
	city_init(&c, 300, 7, begin_ms);
	double per_second = 0;
	for (uint32_t i = 0; i < c.n; i++) {
		const struct city_thing *t = &c.things[i];
		assert_in_range(t->every_ms, 10000, 70000);
		assert_in_range(t->next_ms - begin_ms, 0, CITY_FIRST_WITHIN_MS);
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(t->name, c.things[k].name);
		per_second += 1000.0 / t->every_ms;
	}
	assert_true(per_second > 10 && per_second < 20);
	/* a minute: no second without a message, none with many */
	unsigned in_second[60] = {0};
	for (int64_t now = begin_ms; now < begin_ms + 60000; now += 50)
		for (uint32_t i = 0; i < c.n; i++)
			if (c.things[i].next_ms <= now) {
				city_next(&c.things[i], now);
				assert_true(c.things[i].next_ms > now);
				in_second[(now - begin_ms) / 1000]++;
			}
	for (unsigned s = 1; s < 60; s++)
		assert_in_range(in_second[s], 3, 60);
	struct city_thing *t = &c.things[0];
	city_next(t, begin_ms + 3600000); /* after an hour's sleep one report, not hundreds */
	assert_true(t->next_ms == begin_ms + 3600000 + t->every_ms);
	city_done(&c);
	city_init(&c, 1, 7, begin_ms);
	assert_int_equal(c.n, 1);
	city_done(&c);
}

/* The built-in configuration, which the demo runs with, has a feed for each kind. */
static void test_feeds(void **state)
{
	(void)state;
	for (unsigned k = 0; k < CITY_KINDS; k++) {
		char lines[200];
		snprintf(lines, sizeof(lines),
		         "topics = { \"%s{thing}\" }\n        schemas = { \"%s\" }\n",
		         city_prefix((enum city_kind)k), city_schema((enum city_kind)k));
		if (!strstr(config_embedded(), lines))
			fail_msg("no feed with\n%s", lines);
	}
}

/* The same seed gives the same city; values differ between things and do not stand still. */
static void test_values(void **state)
{
	(void)state;
	struct city a, z;
	struct buf x, y;
	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	city_init(&a, 50, 7, begin_ms);
	city_init(&z, 50, 7, begin_ms);
	for (uint32_t i = 0; i < a.n; i++) {
		city_measure(&a.things[i], begin_ms, &x);
		city_measure(&z.things[i], begin_ms, &y);
	}
	assert_string_equal(buf_str(&x), buf_str(&y));
	buf_clear(&x);
	buf_clear(&y);
	city_measure(&a.things[0], begin_ms + 20000, &x);
	city_measure(&a.things[1], begin_ms + 20000, &y);
	assert_string_not_equal(buf_str(&x), buf_str(&y));
	int64_t hour = 3600000, night = begin_ms + 15 * hour; /* 03:00 */
	assert_true(city_rush(begin_ms + 20 * hour) > 2 * city_rush(night));
	city_done(&a);
	city_done(&z);
	buf_done(&x);
	buf_done(&y);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_payloads_fit), cmocka_unit_test(test_rhythm),
	    cmocka_unit_test(test_feeds), cmocka_unit_test(test_values)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
