/* The query of a reader of events: pairs, filters, positions; what is wrong is all told at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "web/ask.h"

#include <stdio.h>
#include <stdlib.h>

/* "a=1&b=2" as lws would hand it out, pair by pair. */
static int fill(struct query *q, const char *text)
{
	query_init(q);
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, "&");
		int err = query_add(q, span_of(at, n));
		if (err)
			return err;
		at += n + (at[n] == '&');
	}
	return 0;
}

static void pairs(void **state UNUSED)
{
	struct query q;
	struct span v;
	assert_int_equal(fill(&q, "after=12&thing=a=b&wait"), 0);
	assert_int_equal(q.n, 3);
	assert_true(query_get(&q, "after", &v) && span_is(v, "12"));
	assert_true(query_get(&q, "thing", &v) && span_is(v, "a=b"));
	assert_true(query_get(&q, "wait", &v) && v.n == 0);
	assert_false(query_get(&q, "wai", &v));
	assert_int_equal(fill(&q, "a=1&b=2&a=3"), ERR_MALFORMED);
	assert_int_equal(fill(&q, "=1"), ERR_MALFORMED);
	query_init(&q);
	char name[16];
	for (int i = 0; i < QUERY_PAIRS; i++) {
		snprintf(name, sizeof(name), "n%d=", i);
		assert_int_equal(query_add(&q, span_str(name)), 0);
	}
	assert_int_equal(query_add(&q, SPAN("more=")), ERR_TOO_LARGE);
	char *large = calloc(1, QUERY_BYTES + 2);
	memset(large, 'x', QUERY_BYTES + 1);
	query_init(&q);
	assert_int_equal(query_add(&q, span_of(large, QUERY_BYTES)), 0);
	query_init(&q);
	assert_int_equal(query_add(&q, span_of(large, QUERY_BYTES + 1)), ERR_TOO_LARGE);
	free(large);
	assert_true(query_is_among(SPAN("b"), "a b c"));
	assert_false(query_is_among(SPAN("a b"), "a b c"));
	assert_false(query_is_among(SPAN(""), "a b c"));
}

static struct faults ask(const char *text, enum ask_way way, const char *resume, struct ask *ret)
{
	static struct feed f;
	struct query q;
	struct faults faults = {0};
	f.name = SPAN("air");
	assert_int_equal(fill(&q, text), 0);
	ask_read(&q, &f, way, span_str(resume), ret, &faults);
	return faults;
}

/* The server library cuts at ';' too: inside of brackets that is SensorThings' own. */
static void brackets(void **state UNUSED)
{
	static const char *const pieces[] = {"$expand=A($select=name", "$top=1", "$expand=B($top=2",
	                                     "$skip=1))", "$top=3"};
	struct query q;
	struct span v;
	query_init(&q);
	for (unsigned i = 0; i < ARRAY_LEN(pieces); i++)
		assert_int_equal(query_add(&q, span_str(pieces[i])), 0);
	assert_int_equal(q.n, 2);
	assert_true(query_get(&q, "$expand", &v) &&
	            span_is(v, "A($select=name;$top=1;$expand=B($top=2;$skip=1))"));
	assert_true(query_get(&q, "$top", &v) && span_is(v, "3"));
	assert_int_equal(fill(&q, "$filter=name eq '(&$top=3"), 0);
	assert_int_equal(q.n, 2); /* that bracket is text */
	assert_int_equal(fill(&q, "near=(&thing=b"), 0);
	assert_int_equal(q.n, 2);
	query_init(&q);
	assert_int_equal(query_add(&q, SPAN("$expand=A(")), 0);
	int err = 0;
	for (unsigned i = 0; i < QUERY_BYTES && !err; i++)
		err = query_add(&q, SPAN("$top=1"));
	assert_int_equal(err, ERR_TOO_LARGE);
}

static void where_to_begin(void **state UNUSED)
{
	struct ask a;
	assert_int_equal(ask("", ASK_PAGE, "", &a).n, 0);
	assert_true(a.from == FROM_DEFAULT && a.limit == 100 && a.wait_s == 0);
	assert_false(a.topic);
	assert_int_equal(ask("withTopic=true", ASK_PAGE, "", &a).n, 0);
	assert_true(a.topic);
	assert_int_equal(ask("withTopic=false", ASK_PAGE, "", &a).n, 0);
	assert_false(a.topic);
	assert_int_equal(ask("withTopic=1", ASK_PAGE, "", &a).n, 1);
	assert_int_equal(ask("withTopic=true", ASK_STREAM, "", &a).n, 1);
	assert_int_equal(ask("after=17", ASK_PAGE, "", &a).n, 0);
	assert_true(a.from == FROM_AFTER && a.epoch == 0 && a.after == 17);
	assert_int_equal(ask("after=3:17", ASK_STREAM, "", &a).n, 0);
	assert_true(a.epoch == 3 && a.after == 17);
	assert_int_equal(ask("after=air:3:17", ASK_STREAM, "", &a).n, 0);
	assert_true(a.epoch == 3 && a.after == 17);
	assert_int_equal(ask("after=noise:3:17", ASK_STREAM, "", &a).n, 1);
	assert_int_equal(ask("since=2026-11-24T12:00:00Z", ASK_STREAM, "", &a).n, 0);
	assert_true(a.from == FROM_SINCE && a.since_ms == 1795521600000);
	/* what a browser remembers goes before what the address says */
	assert_int_equal(ask("since=2026-11-24T12:00:00Z", ASK_STREAM, "9:40", &a).n, 0);
	assert_true(a.from == FROM_AFTER && a.epoch == 9 && a.after == 40);
	assert_int_equal(ask("after=5", ASK_STREAM, "9:40", &a).n, 0);
	assert_true(a.epoch == 9 && a.after == 40);
}

static void one_wrong(const char *text, enum ask_way way, const char *parameter)
{
	struct ask a;
	struct faults f = ask(text, way, "", &a);
	if (f.n != 1 || strcmp(f.one[0].parameter, parameter) != 0)
		print_error("%s: %u faults, first of \"%s\": %s\n", text, f.n, f.one[0].parameter,
		            f.one[0].detail);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.one[0].parameter, parameter);
	assert_true(f.one[0].detail[0]);
}

static void wrong_values(void **state UNUSED)
{
	static const char *const page[][2] = {{"after=", "after"},
	                                      {"after=x", "after"},
	                                      {"after=-1", "after"},
	                                      {"after=1.5", "after"},
	                                      {"after=1:2:3:4", "after"},
	                                      {"after=99999999999999999999999", "after"},
	                                      {"after=18446744073709551615", "after"},
	                                      {"since=yesterday", "since"},
	                                      {"since=2020-13-01T00:00:00Z", "since"},
	                                      {"limit=0", "limit"},
	                                      {"limit=1001", "limit"},
	                                      {"limit=-5", "limit"},
	                                      {"limit=", "limit"},
	                                      {"wait=61", "wait"},
	                                      {"wait=x", "wait"},
	                                      {"thing=", "thing"},
	                                      {"property=", "property"},
	                                      {"bbox=", "bbox"},
	                                      {"bbox=1,2,3", "bbox"},
	                                      {"bbox=1,2,3,4,5", "bbox"},
	                                      {"bbox=1,2,3,4 ", "bbox"},
	                                      {"bbox=nan,2,3,4", "bbox"},
	                                      {"bbox=0x1,2,3,4", "bbox"},
	                                      {"bbox=1,9,3,4", "bbox"},
	                                      {"bbox=1,2,181,4", "bbox"},
	                                      {"bbox=1,-91,3,4", "bbox"},
	                                      {"slow=close", "slow"},
	                                      {"nosuch=1", "nosuch"},
	                                      {"after=1&since=2020-01-01T00:00:00Z", "after"}};
	for (unsigned i = 0; i < ARRAY_LEN(page); i++)
		one_wrong(page[i][0], ASK_PAGE, page[i][1]);
	one_wrong("slow=fast", ASK_STREAM, "slow");
	one_wrong("limit=3", ASK_STREAM, "limit");
	one_wrong("wait=3", ASK_STREAM, "wait");
	struct ask a;
	assert_int_equal(ask("after=x&limit=0&nosuch=1&bbox=1", ASK_PAGE, "", &a).n, 4);
	assert_int_equal(ask("", ASK_STREAM, "rubbish", &a).n, 1);
}

static void slowness(void **state UNUSED)
{
	struct ask a;
	assert_int_equal(ask("", ASK_STREAM, "", &a).n, 0);
	assert_int_equal(a.slow, SLOW_DISK);
	assert_int_equal(ask("slow=latest", ASK_STREAM, "", &a).n, 0);
	assert_int_equal(a.slow, SLOW_LATEST);
	assert_int_equal(ask("slow=close", ASK_STREAM, "", &a).n, 0);
	assert_int_equal(a.slow, SLOW_CLOSE);
}

static bool in_box(const char *bbox, double lon, double lat, unsigned flags)
{
	struct ask a;
	struct record r = {.place = box_of_point((int32_t)(lon * 1e7), (int32_t)(lat * 1e7)),
	                   .flags = (uint8_t)flags};
	assert_int_equal(ask(bbox, ASK_STREAM, "", &a).n, 0);
	return filter_match(&a.filter, &r);
}

static void places(void **state UNUSED)
{
	static const char city[] = "bbox=5.0,52.0,5.5,52.5", pacific[] = "bbox=170,-20,-170,20";
	assert_true(in_box(city, 5.25, 52.25, RECORD_LOCATION));
	assert_true(in_box(city, 5.0, 52.0, RECORD_LOCATION));
	assert_false(in_box(city, 4.99, 52.25, RECORD_LOCATION));
	assert_false(in_box(city, 5.25, 52.51, RECORD_LOCATION));
	assert_false(in_box(city, 5.25, 52.25, 0)); /* a record without a place is in none */
	assert_true(in_box(pacific, 179, 0, RECORD_LOCATION));
	assert_true(in_box(pacific, -175, 0, RECORD_LOCATION));
	assert_false(in_box(pacific, 0, 0, RECORD_LOCATION));
}

static void things_and_links(void **state UNUSED)
{
	struct ask a;
	struct query q;
	struct buf b;
	struct record r = {.thing = SPAN("pole-1")};
	assert_int_equal(ask("thing=pole-1", ASK_STREAM, "", &a).n, 0);
	assert_false(filter_any(&a.filter));
	assert_true(filter_match(&a.filter, &r));
	r.thing = SPAN("pole-10");
	assert_false(filter_match(&a.filter, &r));
	r.thing = SPAN("");
	assert_false(filter_match(&a.filter, &r));
	assert_int_equal(ask("", ASK_STREAM, "", &a).n, 0);
	assert_true(filter_any(&a.filter) && filter_match(&a.filter, &r));
	assert_int_equal(fill(&q, "after=3&thing=a b/\xc3\xa9&limit=5"), 0);
	buf_init(&b, 100);
	filter_write_query(&b, &q, "limit thing bbox");
	assert_string_equal(buf_str(&b), "&limit=5&thing=a%20b%2F%C3%A9");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pairs),
	    cmocka_unit_test(brackets),
	    cmocka_unit_test(where_to_begin),
	    cmocka_unit_test(wrong_values),
	    cmocka_unit_test(slowness),
	    cmocka_unit_test(places),
	    cmocka_unit_test(things_and_links),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
