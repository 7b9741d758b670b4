/* What `oudp bench` counts with: the histogram and the templates. */
#include "cli/hist.c"
#include "cli/template.c"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void near(double got, double want)
{
	if (got < want * 0.99 || got > want * 1.04)
		fail_msg("%f is not within 4 %% above %f", got, want);
}

static void test_hist(void **state)
{
	(void)state;
	struct hist *h = xcalloc(1, sizeof(*h));
	assert_true(hist_ms(h, 0.99) == 0);
	for (uint64_t i = 1; i <= 1000; i++)
		hist_add(h, i * 1000000); /* 1 to 1000 ms, one each */
	near(hist_ms(h, 0.5), 500);
	near(hist_ms(h, 0.99), 990);
	assert_true(hist_ms(h, 1) == 1000);
	assert_true(h->n == 1000 && h->max_ns == 1000000000);
	hist_add(h, UINT64_MAX); /* the last bucket, not beyond */
	assert_true(h->bucket[HIST_BUCKETS - 1] == 1);
	free(h);
}

/* Buckets follow each other without hole or overlap, and are at most 1/32 wide. */
static void test_buckets(void **state)
{
	(void)state;
	for (uint64_t us = 0; us < 3000000; us += us < 5000 ? 1 : 977) {
		unsigned i = bucket_of(us);
		uint64_t from = i ? end_of(i - 1) : 0;
		assert_true(us >= from && us < end_of(i));
		assert_true(end_of(i) - from <= 1 + from / HIST_STEPS);
	}
}

static const char *written(const char *text, const struct template_values *v)
{
	static char out[1024];
	struct template t;
	assert_int_equal(template_parse(&t, text), 0);
	assert_true(template_size(&t) < sizeof(out));
	size_t n = template_write(&t, v, out);
	assert_true(n <= template_size(&t));
	out[n] = 0;
	return out;
}

static void test_template(void **state)
{
	(void)state;
	struct template_values v = {
	    .n = 7, .c = 3, .seq = UINT64_MAX, .ns = 0, .time_ms = 1795521600000};
	assert_string_equal(written("", &v), "");
	assert_string_equal(written("city/air/b-{n}", &v), "city/air/b-7");
	assert_string_equal(written("{c}{seq}{ns}", &v), "3184467440737095516150");
	assert_string_equal(written("{\"t\":\"{time}\",\"x\":{nosuch}}", &v),
	                    "{\"t\":\"2026-11-24T12:00:00.000Z\",\"x\":{nosuch}}");
	v.n = 0;
	v.seq = 0;
	assert_string_equal(written("{val}", &v), "0.0");
	v.seq = 998;
	assert_string_equal(written("{val}", &v), "99.8");
	v.seq = 1000;
	assert_string_equal(written("{val}", &v), "99.8");
	char many[4 * TEMPLATE_PARTS_MAX + 8] = "";
	for (int i = 0; i <= TEMPLATE_PARTS_MAX; i++)
		strcat(many, "{n}");
	struct template t;
	assert_int_equal(template_parse(&t, many), ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hist),
	                                   cmocka_unit_test(test_buckets),
	                                   cmocka_unit_test(test_template)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
