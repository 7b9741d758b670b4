/* test_route.c - templates, ties, precedence, and 1,000 random tables against "try every template,
 * keep the most specific". */
#include "base/limits.h"
#include "naive.h"
#include "topic/name.h"
#include "topic/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_templates(void **state)
{
	static const struct {
		const char *template;
		int err;
		const char *says;
	} cases[] = {
	    {"city/air/{thing}", 0, NULL},
	    {"city/{thing}/air", 0, NULL},
	    {"{thing}", 0, NULL},
	    {"{thing}/#", 0, NULL},
	    {"#", 0, NULL},
	    {"a/#", 0, NULL},
	    {"a/b", 0, NULL},
	    {"/a//b", 0, NULL},
	    {"", ERR_MALFORMED, "empty"},
	    {"a/+", ERR_MALFORMED, "'+'"},
	    {"a/b+c", ERR_MALFORMED, "'+'"},
	    {"a/#/b", ERR_MALFORMED, "'#'"},
	    {"a/b#", ERR_MALFORMED, "'#'"},
	    {"a/{thing}/{thing}", ERR_MALFORMED, "twice"},
	    {"a/{city}", ERR_MALFORMED, "{thing}"},
	    {"a/x{thing}", ERR_MALFORMED, "{thing}"},
	    {"a/{thing", ERR_MALFORMED, "{thing}"},
	    {"$SYS/x", ERR_MALFORMED, "'$'"},
	};
	char text[200], levels[LIMIT_TOPIC_LEVELS];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		text[0] = 0;
		assert_int_equal(
		    route_template_check(span_str(cases[i].template), text, sizeof(text)),
		    cases[i].err);
		if (cases[i].err)
			assert_non_null(strstr(text, cases[i].says));
		assert_int_equal(route_template_check(span_str(cases[i].template), NULL, 0),
		                 cases[i].err);
	}
	memset(levels, '/', sizeof(levels));
	assert_int_equal(route_template_check(span_of(levels, sizeof(levels)), text, sizeof(text)),
	                 ERR_TOO_LARGE);
	assert_non_null(strstr(text, "levels"));
}

static void test_as_filter(void **state)
{
	static const char *const cases[][2] = {
	    {"city/air/{thing}", "city/air/+"},
	    {"{thing}", "+"},
	    {"{thing}/#", "+/#"},
	    {"/a//b", "/a//b"},
	    {"#", "#"},
	    {"/", "/"},
	    {"//{thing}", "//+"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = route_template_filter(span_str(cases[i][0]), out);

		assert_true(span_is(span_of(out, n), cases[i][1]));
	}
}

static void add(struct route_table *t, const char *template, uint32_t feed)
{
	assert_int_equal(route_add(t, span_str(template), feed, NULL, NULL, 0), 0);
}

static void leads(const struct route_table *t, const char *topic, uint32_t feed, const char *thing)
{
	uint32_t got = 777;
	struct span got_thing = SPAN("x");
	int err = route_find(t, span_str(topic), &got, &got_thing);

	if (err || got != feed || !span_is(got_thing, thing))
		fail_msg("%s: %d feed %u thing %.*s", topic, err, got, (int)got_thing.n,
		         got_thing.p);
}

static void leads_nowhere(const struct route_table *t, const char *topic)
{
	uint32_t got = 777;
	struct span thing = SPAN("x");

	assert_int_equal(route_find(t, span_str(topic), &got, &thing), ERR_NOT_FOUND);
	assert_int_equal(got, 777); /* untouched */
	assert_true(span_is(thing, "x"));
}

static void test_precedence(void **state)
{
	struct route_table *t = route_new();

	(void)state;
	leads_nowhere(t, "a/b");
	add(t, "#", 9);
	add(t, "{thing}/b", 4);
	add(t, "a/{thing}", 3);
	add(t, "a/b/#", 2);
	leads(t, "a/b", 2, "");
	add(t, "a/b", 1);
	leads(t, "a/b", 1, "");   /* the end beats '#' */
	leads(t, "a/b/c", 2, ""); /* '#' takes what is below */
	leads(t, "a/c", 3, "c");  /* leftmost literal */
	leads(t, "c/b", 4, "c");  /* {thing} beats '#' */
	leads(t, "a/c/d", 9, ""); /* back from a and {thing} to the root */
	leads(t, "a/", 9, "");    /* an empty level is no thing */
	leads(t, "x", 9, "");
	leads_nowhere(t, "$SYS/x"); /* [MQTT-4.7.2-1] */
	leads_nowhere(t, "$x");
	route_free(t);
}

static void test_going_back(void **state)
{
	struct route_table *t = route_new();

	(void)state;
	add(t, "a/b/c/d", 1);
	add(t, "a/{thing}/c/e", 2);
	add(t, "{thing}/b/c/f", 3);
	add(t, "a/b/#", 4);
	leads(t, "a/b/c/d", 1, "");
	leads(t, "a/b/c/e", 4, ""); /* literal b, so its '#' before {thing} */
	leads(t, "a/x/c/e", 2, "x");
	leads(t, "x/b/c/f", 3, "x");
	leads(t, "a/b/c/f", 4, "");
	leads_nowhere(t, "a/x/c/f");
	leads(t, "a/b", 4, ""); /* '#' takes its parent */
	leads_nowhere(t, "a");
	route_free(t);
}

static void test_ties(void **state)
{
	struct route_table *t = route_new();
	uint32_t other = 0;
	char text[200];

	(void)state;
	add(t, "city/air/{thing}", 1);
	add(t, "city/air/{thing}", 1); /* the same feed: nothing */
	assert_int_equal(route_add(t, SPAN("city/air/{thing}"), 2, &other, text, sizeof(text)),
	                 ERR_CONFIG);
	assert_int_equal(other, 1);
	assert_non_null(strstr(text, "city/air/{thing}"));
	add(t, "city/air/#", 2); /* different templates never tie */
	add(t, "city/{thing}/air", 3);
	assert_int_equal(route_add(t, SPAN("city/air/#"), 1, &other, text, sizeof(text)),
	                 ERR_CONFIG);
	assert_int_equal(other, 2);
	leads(t, "city/air/x", 1, "x");
	leads(t, "city/air/air", 1, "air");
	leads(t, "city/x/air", 3, "x");
	leads(t, "city/air/x/y", 2, "");
	assert_int_equal(route_add(t, SPAN("a/+"), 1, &other, text, sizeof(text)), ERR_MALFORMED);
	leads_nowhere(t, "a/+");
	route_free(t);
	route_free(NULL);
}

static void test_deep(void **state)
{
	char topic[LIMIT_TOPIC_LEVELS * 2 + 2] = "", template[LIMIT_TOPIC_LEVELS * 2 + 16] = "";
	struct route_table *t = route_new();

	(void)state;
	/* {thing} at every level, all beside each other: the worst a table can do */
	for (unsigned at = 0; at < LIMIT_TOPIC_LEVELS; at++) {
		template[0] = 0;
		for (unsigned i = 0; i < LIMIT_TOPIC_LEVELS; i++)
			strcat(template, i == at ? (i ? "/{thing}" : "{thing}") : i ? "/a" : "a");
		add(t, template, at + 1);
	}
	for (unsigned i = 0; i < LIMIT_TOPIC_LEVELS; i++)
		strcat(topic, i ? "/a" : "a");
	leads(t, topic, LIMIT_TOPIC_LEVELS, "a"); /* the most literals on the left */
	topic[0] = 'b';
	leads(t, topic, 1, "b");
	topic[2] = 'b';
	leads_nowhere(t, topic);
	strcat(topic, "/a");
	leads_nowhere(t, topic); /* more levels than a topic may have */
	route_free(t);
}

/* ---- against trying everything ---- */

static uint64_t seed = 1;

static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

/* 0: literal or end, 1: {thing}, 2: '#'. Smaller is more specific. */
static int rank(const char **at)
{
	const char *level = *at;

	if (!level)
		return 0;
	*at = strchr(level, '/');
	*at = *at ? *at + 1 : NULL;
	return strncmp(level, "{thing}", 7) == 0 ? 1 : level[0] == '#' ? 2 : 0;
}

static bool more_specific(const char *a, const char *b)
{
	while (a || b) {
		int ra = rank(&a), rb = rank(&b);

		if (ra != rb)
			return ra < rb;
	}
	return false;
}

static void random_levels(char *out, const char *const *levels, unsigned n)
{
	unsigned depth = 1 + rnd(4);

	out[0] = 0;
	for (unsigned i = 0; i < depth; i++) {
		if (i)
			strcat(out, "/");
		strcat(out, levels[rnd(n)]);
	}
}

static void test_against_naive(void **state)
{
	static const char *const in_template[] = {"a", "b", "c", "{thing}", "#", ""};
	static const char *const in_topic[] = {"a", "b", "c", "d", "", "$x"};
	size_t found = 0;

	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		struct route_table *t = route_new();
		char templates[20][64], filters[20][64];
		uint32_t n = 0;

		for (unsigned i = 0; i < 20; i++) {
			random_levels(templates[n], in_template, 6);
			if (route_add(t, span_str(templates[n]), n, NULL, NULL, 0))
				continue;
			filters[n][route_template_filter(span_str(templates[n]), filters[n])] = 0;
			n++;
		}
		for (unsigned i = 0; i < 100; i++) {
			char topic[64];
			uint32_t best = UINT32_MAX;

			random_levels(topic, in_topic, 6);
			if (topic_name_check(span_str(topic)))
				continue;
			for (uint32_t k = 0; k < n; k++) {
				const char *var = strstr(templates[k], "{thing}");
				const char *rest = topic;

				if (!naive_matches(filters[k], topic))
					continue;
				/* an empty level is no thing */
				for (const char *c = templates[k]; var && c < var; c++)
					if (*c == '/')
						rest = strchr(rest, '/') + 1;
				if (var && (*rest == '/' || *rest == 0))
					continue;
				if (best == UINT32_MAX ||
				    more_specific(templates[k], templates[best]))
					best = k;
			}
			uint32_t feed = UINT32_MAX;
			struct span thing;
			int err = route_find(t, span_str(topic), &feed, &thing);
			if (feed != best || (err == 0) != (best != UINT32_MAX))
				fail_msg("%s: %s, not %s", topic, err ? "nowhere" : templates[feed],
				         best == UINT32_MAX ? "nowhere" : templates[best]);
			found += err == 0;
		}
		route_free(t);
	}
	assert_true(found > 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_templates),     cmocka_unit_test(test_as_filter),
	    cmocka_unit_test(test_precedence),    cmocka_unit_test(test_going_back),
	    cmocka_unit_test(test_ties),          cmocka_unit_test(test_deep),
	    cmocka_unit_test(test_against_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
