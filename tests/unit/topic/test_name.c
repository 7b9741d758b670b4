/* test_name.c - legal names and filters, shared subscriptions, matching, intersection. */
#include "naive.h"
#include "topic/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_names(void **state)
{
	static const struct {
		const char *topic;
		int err;
	} cases[] = {
	    {"a", 0},
	    {"/", 0},
	    {"a//b", 0},
	    {"/finance", 0},
	    {"Accounts payable", 0},
	    {"$SYS/x", 0},
	    {"", ERR_MALFORMED},    /* [MQTT-4.7.3-1] */
	    {"a/+", ERR_MALFORMED}, /* [MQTT-3.3.2-2] */
	    {"a+b", ERR_MALFORMED},
	    {"#", ERR_MALFORMED},
	};
	char longest[LIMIT_TOPIC_BYTES + 1], levels[LIMIT_TOPIC_LEVELS + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(topic_name_check(span_str(cases[i].topic)), cases[i].err);
	assert_int_equal(topic_name_check(SPAN("a\0b")), ERR_MALFORMED); /* [MQTT-4.7.3-2] */
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(topic_name_check(span_of(longest, LIMIT_TOPIC_BYTES)), 0);
	assert_int_equal(topic_name_check(span_of(longest, LIMIT_TOPIC_BYTES + 1)), ERR_TOO_LARGE);
	memset(levels, '/', sizeof(levels));
	assert_int_equal(topic_name_check(span_of(levels, LIMIT_TOPIC_LEVELS - 1)), 0);
	assert_int_equal(topic_name_check(span_of(levels, LIMIT_TOPIC_LEVELS)), ERR_TOO_LARGE);
}

static void test_filters(void **state)
{
	static const struct {
		const char *text;
		int err;
		bool wildcards;
	} cases[] = {
	    {"a/b", 0, false},
	    {"#", 0, true},
	    {"+", 0, true},
	    {"/", 0, false},
	    {"+/tennis/#", 0, true},
	    {"sport/+/player1", 0, true},
	    {"/+", 0, true},
	    {"+/+/", 0, true},
	    {"", ERR_MALFORMED, false},              /* [MQTT-4.7.3-1] */
	    {"sport/tennis#", ERR_MALFORMED, false}, /* [MQTT-4.7.1-1] */
	    {"sport/#/ranking", ERR_MALFORMED, false},
	    {"#/", ERR_MALFORMED, false},
	    {"##", ERR_MALFORMED, false},
	    {"sport+", ERR_MALFORMED, false}, /* [MQTT-4.7.1-2] */
	    {"+a/b", ERR_MALFORMED, false},
	    {"++", ERR_MALFORMED, false},
	    {"a/+#", ERR_MALFORMED, false},
	};
	char levels[LIMIT_TOPIC_LEVELS + 1];
	struct topic_filter f = {.wildcards = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct topic_filter got;

		assert_int_equal(topic_filter_check(span_str(cases[i].text), true, &got),
		                 cases[i].err);
		if (cases[i].err)
			continue;
		assert_true(span_is(got.filter, cases[i].text));
		assert_int_equal(got.group.n, 0);
		assert_int_equal(got.wildcards, cases[i].wildcards);
	}
	assert_int_equal(topic_filter_check(SPAN("a\0b"), true, &f), ERR_MALFORMED);
	assert_true(f.wildcards); /* untouched */
	memset(levels, '/', sizeof(levels));
	assert_int_equal(topic_filter_check(span_of(levels, LIMIT_TOPIC_LEVELS - 1), true, &f), 0);
	assert_int_equal(topic_filter_check(span_of(levels, LIMIT_TOPIC_LEVELS), true, &f),
	                 ERR_TOO_LARGE);
}

static void test_shared(void **state)
{
	static const struct {
		const char *text, *group, *filter; /* group NULL: refused */
	} cases[] = {
	    {"$share/g/a/b", "g", "a/b"},
	    {"$share/consumer 1/#", "consumer 1", "#"},
	    {"$share/g//a", "g", "/a"},
	    {"$share/g/$SYS/#", "g", "$SYS/#"},
	    {"$shared/g/a", "", "$shared/g/a"},
	    {"$share", NULL, NULL},
	    {"$share/", NULL, NULL},
	    {"$share/g", NULL, NULL},    /* [MQTT-4.8.2-2] */
	    {"$share/g/", NULL, NULL},   /* [MQTT-4.7.3-1] */
	    {"$share//a", NULL, NULL},   /* [MQTT-4.8.2-1] */
	    {"$share/g+/a", NULL, NULL}, /* [MQTT-4.8.2-2] */
	    {"$share/#/a", NULL, NULL},
	    {"$share/g/a#", NULL, NULL},
	};
	struct topic_filter f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int err = topic_filter_check(span_str(cases[i].text), true, &f);

		if (!cases[i].group) {
			assert_int_equal(err, ERR_MALFORMED);
			continue;
		}
		assert_int_equal(err, 0);
		assert_true(span_is(f.group, cases[i].group));
		assert_true(span_is(f.filter, cases[i].filter));
	}
	/* 3.1.1 has no shared subscriptions: an ordinary filter */
	assert_int_equal(topic_filter_check(SPAN("$share/g/a"), false, &f), 0);
	assert_true(span_is(f.filter, "$share/g/a"));
	assert_int_equal(f.group.n, 0);
}

static void test_matching(void **state)
{
	static const struct {
		const char *filter, *topic;
		bool match;
	} cases[] = {
	    /* 4.7.1.2, the examples of the standard */
	    {"sport/tennis/player1/#", "sport/tennis/player1", true},
	    {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
	    {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
	    {"sport/tennis/player1/#", "sport/tennis/player10", false},
	    {"sport/#", "sport", true},
	    {"#", "sport", true},
	    {"sport/tennis/+", "sport/tennis/player1", true},
	    {"sport/tennis/+", "sport/tennis/player1/ranking", false},
	    {"sport/+", "sport", false},
	    {"sport/+", "sport/", true},
	    {"+/+", "/finance", true},
	    {"/+", "/finance", true},
	    {"+", "/finance", false},
	    /* [MQTT-4.7.2-1] */
	    {"#", "$SYS/uptime", false},
	    {"+/monitor/Clients", "$SYS/monitor/Clients", false},
	    {"$SYS/#", "$SYS/uptime", true},
	    {"$SYS/#", "$SYS", true},
	    {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
	    {"a/#", "a/$b", true},
	    {"a/+", "a/$b", true},
	    /* [MQTT-4.7.3-4] no normalisation; levels may be empty */
	    {"a/b", "a/B", false},
	    {"a/b", "a//b", false},
	    {"a/+/b", "a//b", true},
	    {"/", "/", true},
	    {"/#", "/", true},
	    {"a/", "a", false},
	    {"a", "a/", false},
	    {"a/b", "a/bc", false},
	    {"a/bc", "a/b", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (topic_matches(span_str(cases[i].filter), span_str(cases[i].topic)) !=
		    cases[i].match)
			fail_msg("%s %s", cases[i].filter, cases[i].topic);
		assert_int_equal(naive_matches(cases[i].filter, cases[i].topic), cases[i].match);
	}
}

static void test_intersection(void **state)
{
	static const struct {
		const char *a, *b;
		bool meet;
	} cases[] = {
	    {"a/b", "a/b", true},
	    {"a/b", "a/c", false},
	    {"a/+", "+/b", true},
	    {"a/+", "b/+", false},
	    {"#", "a/b/c", true},
	    {"a/#", "a", true},
	    {"a/#", "+/b/c", true},
	    {"a/#", "b/#", false},
	    {"a/+", "a", false},
	    {"#", "$SYS/x", false},
	    {"+/x", "$SYS/x", false},
	    {"$SYS/#", "$SYS/+", true},
	    {"#", "#", true},
	    {"+", "+/+", false},
	    {"a/+/c", "a/#", true},
	    {"city/air/+", "city/#", true},
	    {"city/air/+", "city/noise/#", false},
	    {"a/b/#", "a/b", true},
	    {"a//b", "a/+/b", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span a = span_str(cases[i].a), b = span_str(cases[i].b);

		if (topic_filters_intersect(a, b) != cases[i].meet)
			fail_msg("%s %s", cases[i].a, cases[i].b);
		assert_int_equal(topic_filters_intersect(b, a), cases[i].meet);
	}
}

/* All filters and topics of up to three levels over a small alphabet: matching against the naive
 * matcher, and intersection against "some topic is taken by both" (topics of up to four levels with
 * a level the filters do not know). */
static size_t all_strings(const char *const *levels, unsigned n, unsigned max, char (*out)[16])
{
	size_t made = 0, from = 0;

	for (unsigned i = 0; i < n; i++)
		strcpy(out[made++], levels[i]);
	for (unsigned depth = 1; depth < max; depth++) {
		size_t to = made;

		for (; from < to; from++)
			for (unsigned i = 0; i < n; i++)
				snprintf(out[made++], 16, "%.10s/%.4s", out[from], levels[i]);
	}
	return made;
}

static void test_all_small(void **state)
{
	static const char *const filter_levels[] = {"a", "+", "#", "", "$"};
	static const char *const topic_levels_[] = {"a", "b", "", "$"};
	char(*filters)[16] = calloc(200, 16), (*topics)[16] = calloc(400, 16);
	size_t n_filters = all_strings(filter_levels, 5, 3, filters);
	size_t n_topics = all_strings(topic_levels_, 4, 4, topics);
	bool(*takes)[400] = calloc(200, sizeof(*takes));
	size_t legal = 0;

	(void)state;
	for (size_t i = 0; i < n_filters; i++) {
		struct topic_filter f;
		struct span filter = span_str(filters[i]);

		if (topic_filter_check(filter, true, &f))
			continue;
		memmove(filters[legal], filters[i], 16);
		for (size_t k = 0; k < n_topics; k++) {
			takes[legal][k] = naive_matches(filters[legal], topics[k]);
			assert_int_equal(
			    topic_matches(span_str(filters[legal]), span_str(topics[k])),
			    takes[legal][k]);
		}
		legal++;
	}
	assert_true(legal > 80);
	for (size_t i = 0; i < legal; i++)
		for (size_t j = 0; j < legal; j++) {
			bool meet = false;

			for (size_t k = 0; k < n_topics; k++)
				meet |= takes[i][k] && takes[j][k];
			if (topic_filters_intersect(span_str(filters[i]), span_str(filters[j])) !=
			    meet)
				fail_msg("%s %s", filters[i], filters[j]);
		}
	free(filters);
	free(topics);
	free(takes);
}

/* The quick ways against the plain one, at every length around the words they read; the bytes
 * around the string are special ones, which must not be seen. */
static void test_split(void **state)
{
	unsigned r = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char *s = malloc(64);
		size_t n = round % 40, at = 0;
		struct span view = span_of(s + 8, n), levels[LIMIT_TOPIC_LEVELS], level;
		unsigned k = 0, split, special;

		memset(s, '/', 64);
		for (size_t i = 0; i < n; i++) {
			r = r * 1103515245 + 12345;
			s[8 + i] = r >> 16 & 3 ? (char)('a' + (r >> 20) % 26) : '/';
		}
		split = topic_split(view, levels);
		while (topic_next_level(view, &at, &level)) {
			if (k < split) {
				assert_ptr_equal(levels[k].p, level.p);
				assert_int_equal(levels[k].n, level.n);
			}
			k++;
		}
		assert_int_equal(split, k > LIMIT_TOPIC_LEVELS ? 0 : k);
		if (n == 0 || split == 0) {
			free(s);
			continue;
		}
		assert_int_equal(topic_name_check(view), 0);
		special = r % (unsigned)n;
		s[8 + special] = "+#"[r >> 16 & 1];
		assert_int_equal(topic_name_check(view), ERR_MALFORMED);
		s[8 + special] = 0;
		assert_int_equal(topic_name_check(view), ERR_MALFORMED);
		s[8 + special] = (char)0xAF; /* '/' with the upper bit is not '/' */
		assert_int_equal(topic_name_check(view), 0);
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),        cmocka_unit_test(test_filters),
	    cmocka_unit_test(test_shared),       cmocka_unit_test(test_matching),
	    cmocka_unit_test(test_intersection), cmocka_unit_test(test_all_small),
	    cmocka_unit_test(test_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
