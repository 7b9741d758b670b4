/* A page of events as lines. */
#include "cli/lines.c"
#include "cli/text.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check_page(const char *page, int want_err, const char *want, struct lines want_l)
{
	struct buf b;
	struct lines l = {0};
	buf_init(&b, 1000);
	assert_int_equal(lines_of_page(&b, span_str(page), &l), want_err);
	assert_string_equal(buf_str(&b), want);
	if (!want_err) {
		assert_int_equal(l.n, want_l.n);
		assert_int_equal(l.last.epoch, want_l.last.epoch);
		assert_int_equal(l.last.sequence, want_l.last.sequence);
		assert_int_equal(l.ended, want_l.ended);
	}
	buf_done(&b);
}

static void pages(void **state)
{
	(void)state;
	/* digits and order stay; a feed's name may have a dash */
	check_page(
	    "[{\"id\":\"air-quality:17:5\",\"sequence\":\"5\",\"data\":{\"b\":9.40,\r\n "
	    "\"a\":1e2}},"
	    "{\"sequence\":\"6\",\"id\":\"air-quality:17:6\"}]",
	    0,
	    "{\"id\":\"air-quality:17:5\",\"sequence\":\"5\",\"data\":{\"b\":9.40,   \"a\":1e2}}\n"
	    "{\"sequence\":\"6\",\"id\":\"air-quality:17:6\"}\n",
	    (struct lines){2, {17, 6}, false});
	/* a gap is a place, and no line */
	check_page("[{\"id\":\"a-b:17:9-gap\",\"data\":{\"sequence\":1}}]", 0, "",
	           (struct lines){0, {17, 9}, false});
	check_page("[]", 0, "", (struct lines){.ended = true});
	check_page("{}", ERR_MALFORMED, "", (struct lines){0});
	check_page("[1]", ERR_MALFORMED, "", (struct lines){0});
	check_page("[{}]", ERR_MALFORMED, "", (struct lines){0});
	check_page("[{\"id\":\"no position\"}]", ERR_MALFORMED, "", (struct lines){0});
	check_page("[", ERR_MALFORMED, "", (struct lines){0});
	check_page("", ERR_MALFORMED, "", (struct lines){0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pages)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
