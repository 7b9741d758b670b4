/* The ledger of what was erased: lines come back, a line that was cut short is passed over. */
#include "base/err.h"
#include "base/mem.h"
#include "register/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/oudp-ledger-XXXXXX";

static void a_line_comes_back(void **state UNUSED)
{
	struct erasure e, f;
	struct buf b;
	buf_init(&b, 4096);
	erasure_make(&e, 1795521600123, SPAN("org"), SPAN("thing 1"), SPAN("why\nso"));
	erasure_write(&e, &b);
	assert_null(strstr(buf_str(&b), "thing 1"));
	assert_int_equal(erasure_read(span_of(b.p, b.len - 1), &f), 0);
	assert_string_equal(f.reason, "why so");
	assert_string_equal(f.organisation, "org");
	assert_string_equal(f.id, e.id);
	assert_int_equal(f.until_ms, e.until_ms);
	assert_true(erasure_matches(&f, SPAN("org"), SPAN("thing 1")));
	assert_false(erasure_matches(&f, SPAN("org"), SPAN("thing 2")));
	assert_false(erasure_matches(&f, SPAN("org2"), SPAN("thing 1")));
	assert_false(erasure_matches(&f, SPAN("org"), SPAN("")));
	buf_done(&b);
}

static void a_restore_makes_it_a_new_one(void **state UNUSED)
{
	struct erasure e, f;
	struct buf b, again;
	buf_init(&b, 4096);
	buf_init(&again, 4096);
	erasure_make(&e, 5, SPAN("o"), SPAN("t"), SPAN(""));
	erasure_write(&e, &b);
	buf_addf(&again, "again 2026-11-30T00:00:00.000Z %.*s", (int)b.len - 1, b.p);
	assert_int_equal(erasure_read(span_of(again.p, again.len), &f), 0);
	assert_string_not_equal(f.id, e.id);
	assert_true(erasure_matches(&f, SPAN("o"), SPAN("t")));
	buf_done(&b);
	buf_done(&again);
}

static void two_lines_of_one_thing_differ(void **state UNUSED)
{
	struct erasure a, b;
	erasure_make(&a, 5, SPAN("o"), SPAN("t"), SPAN(""));
	erasure_make(&b, 5, SPAN("o"), SPAN("t"), SPAN(""));
	assert_memory_not_equal(a.hash, b.hash, sizeof(a.hash));
}

static int count(void *arg, const struct erasure *e UNUSED)
{
	++*(unsigned *)arg;
	return 0;
}

static void what_was_cut_short_is_passed_over(void **state UNUSED)
{
	struct erasure e;
	struct buf b;
	unsigned n = 0;
	buf_init(&b, 4096);
	assert_int_equal(ledger_each("/nowhere/at/all", count, &n), 0);
	erasure_make(&e, 5, SPAN("o"), SPAN("t"), SPAN("r"));
	erasure_write(&e, &b);
	assert_int_equal(ledger_append(path, span_of(b.p, b.len)), 0);
	assert_int_equal(ledger_append(path, span_of(b.p, b.len / 2)), 0); /* as by a death */
	assert_int_equal(ledger_each(path, count, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ledger_append(path, span_of(b.p, b.len)), 0);
	n = 0;
	assert_int_equal(ledger_each(path, count, &n), 0);
	assert_int_equal(n, 2);
	buf_done(&b);
}

static void rubbish_is_refused(void **state UNUSED)
{
	const char *const bad[] = {"", "x", "again", "2026-11-30T00:00:00.000Z 00 00 o r",
	                           "again 2026-11-30T00:00:00.000Z"};
	struct erasure e;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(erasure_read(span_str(bad[i]), &e), ERR_MALFORMED);
}

static int make(void **state UNUSED)
{
	int fd = mkstemp(path);
	return fd < 0 || close(fd);
}

static int clean(void **state UNUSED)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_line_comes_back),
	                                   cmocka_unit_test(a_restore_makes_it_a_new_one),
	                                   cmocka_unit_test(two_lines_of_one_thing_differ),
	                                   cmocka_unit_test(what_was_cut_short_is_passed_over),
	                                   cmocka_unit_test(rubbish_is_refused)};
	return cmocka_run_group_tests(tests, make, clean);
}
