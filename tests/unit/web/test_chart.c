/* A chart: holes are holes, both languages, nothing of a name becomes markup, steps of axes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/chart.h"

#include <math.h>
#include <string.h>

static const int64_t begin = 1795478400000, hour = 3600000; /* 2026-11-24T00:00:00Z */

static unsigned count(const char *s, const char *what)
{
	unsigned n = 0;
	for (; (s = strstr(s, what)); s += strlen(what))
		n++;
	return n;
}

static const char *draw(struct chart *c, struct buf *b)
{
	struct zone *utc;
	assert_int_equal(zone_load("", SPAN("UTC"), &utc), 0);
	c->zone = utc;
	c->zone_name = SPAN("UTC");
	c->from_ms = begin;
	c->to_ms = begin + 24 * hour;
	c->width = 800;
	c->height = 320;
	buf_clear(b);
	chart_write(b, c);
	zone_free(utc);
	return buf_str(b);
}

static void holes(void **state UNUSED)
{
	struct chart_point p[24];
	struct chart c = {.points = p,
	                  .cadence_s = 3600,
	                  .thing = SPAN("pole"),
	                  .property = {SPAN("x"), SPAN("x")}};
	struct buf b;
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < 24; i++)
		if (i < 6 || i == 10 || i > 14)
			p[c.n++] =
			    (struct chart_point){begin + i * hour, begin + (i + 1) * hour, i, i, i};
	const char *svg = draw(&c, &b);
	assert_int_equal(count(svg, "class=\"line\""), 2); /* 0-5 and 15-23 */
	assert_int_equal(count(svg, "<circle"), 1);        /* 10, alone */
	assert_non_null(strstr(svg, "Gaps: 2."));
	assert_non_null(strstr(svg, "Onderbrekingen: 2."));
	assert_non_null(strstr(svg, ">06:00</text>"));
	assert_null(strstr(svg, "nan"));
	assert_null(strstr(svg, "inf"));
	c.n = 0;
	svg = draw(&c, &b);
	assert_non_null(strstr(svg, "no observations in this period"));
	assert_int_equal(count(svg, "class=\"line\""), 0);
	buf_done(&b);
}

static void languages_and_names(void **state UNUSED)
{
	struct chart_point p = {begin, begin + hour, 12.5, 12, 13};
	struct chart c = {.points = &p,
	                  .n = 1,
	                  .thing = SPAN("<script>\"&\x01 \xef\xbf\xbf"),
	                  .property = {SPAN("pm25"), SPAN("pm25")},
	                  .unit = SPAN("ug/m3"),
	                  .dutch = true};
	struct buf b;
	buf_init(&b, 1 << 20);
	const char *svg = draw(&c, &b);
	assert_null(strstr(svg, "<script"));
	assert_non_null(strstr(svg, "&lt;script&gt;&quot;&amp;? ?: pm25"));
	assert_non_null(strstr(svg, "lang=\"nl\" aria-labelledby=\"title-nl desc-nl\""));
	assert_int_equal(count(svg, "<title "), 2);
	assert_int_equal(count(svg, "<desc "), 2);
	assert_non_null(strstr(svg, "prefers-color-scheme:dark"));
	assert_non_null(strstr(svg, ">12,4</text>"));
	c.dutch = false;
	assert_non_null(strstr(draw(&c, &b), ">12.4</text>"));
	buf_done(&b);
}

static void values_of_all_sizes(void **state UNUSED)
{
	static const double sizes[] = {0, 1e-9, 1, -5, 1e12, 1e300, -1e-300};
	struct buf b;
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		struct chart_point p[2] = {{begin, begin + hour, sizes[i], sizes[i], sizes[i]},
		                           {begin + hour, begin + 2 * hour, 0, 0, 0}};
		struct chart c = {
		    .points = p, .n = 2, .thing = SPAN("a"), .property = {SPAN("b"), SPAN("b")}};
		const char *svg = draw(&c, &b);
		assert_false(b.err);
		assert_null(strstr(svg, "nan"));
		assert_null(strstr(svg, "inf"));
	}
	buf_done(&b);
}

static void steps(void **state UNUSED)
{
	static const struct {
		double length, step;
		unsigned most, decimals;
	} rows[] = {
	    {10, 2, 5, 0}, {1, 0.2, 5, 1}, {100, 50, 3, 0}, {0.07, 0.02, 4, 2}, {7, 1, 7, 0}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned decimals;
		double step = chart_step(rows[i].length, rows[i].most, &decimals);
		assert_true(fabs(step - rows[i].step) < step * 1e-9);
		assert_int_equal(decimals, rows[i].decimals);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holes), cmocka_unit_test(languages_and_names),
	    cmocka_unit_test(values_of_all_sizes), cmocka_unit_test(steps)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
