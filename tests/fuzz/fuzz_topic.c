/* fuzz_topic - lines of text: the first is a topic, the others are filters and templates. Legality,
 * matching, the subscription tree and the route table must agree with the plain matcher. */
#include "../unit/topic/naive.h"
#include "base/limits.h"
#include "topic/name.h"
#include "topic/route.h"
#include "topic/tree.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { LINES = 24 };

struct line {
	char *text;
	bool legal; /* as a filter */
};

static unsigned cut_lines(const uint8_t *p, size_t n, struct line *lines)
{
	unsigned k = 0;

	while (k < LINES) {
		const uint8_t *end = n ? memchr(p, '\n', n) : NULL;
		size_t len = end ? (size_t)(end - p) : n;

		lines[k] = (struct line){malloc(len + 1), false};
		assert(lines[k].text);
		if (len)
			memcpy(lines[k].text, p, len);
		lines[k].text[len] = 0;
		k++;
		if (!end)
			break;
		p = end + 1;
		n -= len + 1;
	}
	return k;
}

/* Legality said in another way. */
static bool plain_legal(const char *s)
{
	size_t n = strlen(s);
	unsigned levels = 1;

	if (n == 0 || n > LIMIT_TOPIC_BYTES)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool starts = i == 0 || s[i - 1] == '/', ends = s[i + 1] == '/' || !s[i + 1];

		if (s[i] == '+' && !(starts && ends))
			return false;
		if (s[i] == '#' && !(starts && !s[i + 1]))
			return false;
		levels += s[i] == '/';
	}
	return levels <= LIMIT_TOPIC_LEVELS;
}

static void check_filter(struct line *line, const char *topic, bool topic_legal)
{
	struct span s = span_str(line->text);
	struct topic_filter f;

	line->legal = topic_filter_check(s, false, &f) == 0;
	assert(line->legal == plain_legal(line->text));
	if (topic_filter_check(s, true, &f) == 0 && f.group.n > 0) {
		assert(f.group.p == s.p + 7 && f.filter.p + f.filter.n == s.p + s.n);
		assert(f.group.n + f.filter.n + 8 == s.n && f.filter.n > 0);
	}
	if (!line->legal || !topic_legal)
		return;
	assert(topic_matches(s, span_str(topic)) == naive_matches(line->text, topic));
	/* a topic without wildcards is a filter too */
	assert(topic_filters_intersect(s, span_str(topic)) == naive_matches(line->text, topic));
}

static void check_tree(const struct line *lines, unsigned n, const char *topic)
{
	struct sub_tree *t = sub_tree_new();
	struct sub_owner o[LINES];
	struct sub_matches m = {0};
	struct sub_options options = {.qos = 1};
	size_t expected = 0;

	for (unsigned i = 1; i < n; i++) {
		char text[LIMIT_TOPIC_BYTES + 1];
		struct sub *s;

		sub_owner_init(&o[i]);
		if (!lines[i].legal)
			continue;
		if (sub_tree_add(t, &o[i], span_str(lines[i].text), &options, &s, NULL))
			abort();
		assert(sub_filter(s, text, sizeof(text)) == strlen(lines[i].text));
		assert(memcmp(text, lines[i].text, strlen(lines[i].text)) == 0);
		expected += naive_matches(lines[i].text, topic);
	}
	if (sub_tree_match(t, span_str(topic), &m))
		abort();
	assert(m.n == expected);
	for (size_t i = 0; i < m.n; i++) {
		unsigned owner = (unsigned)(m.p[i]->owner - o);

		assert(naive_matches(lines[owner].text, topic));
	}
	for (unsigned i = 1; i < n; i++)
		sub_tree_remove_all(t, &o[i]);
	assert(sub_tree_stats(t).nodes == 0);
	sub_matches_done(&m);
	sub_tree_free(t);
}

static void check_routes(const struct line *lines, unsigned n, const char *topic)
{
	struct route_table *t = route_new();
	char filter[LINES][LIMIT_TOPIC_BYTES + 1];
	bool any = false, added[LINES] = {false};
	struct span thing;
	uint32_t feed;

	for (unsigned i = 1; i < n; i++) {
		struct span s = span_str(lines[i].text);

		if (route_add(t, s, i, NULL, NULL, 0))
			continue;
		added[i] = true;
		filter[i][route_template_filter(s, filter[i])] = 0;
		assert(plain_legal(filter[i]));
	}
	if (route_find(t, span_str(topic), &feed, &thing) == 0) {
		assert(added[feed] && naive_matches(filter[feed], topic));
		assert((thing.n > 0) == (strstr(lines[feed].text, "{thing}") != NULL));
		assert(thing.n == 0 || (thing.p >= topic && memchr(thing.p, '/', thing.n) == NULL));
	} else { /* nothing takes it, unless as a thing without a name */
		for (unsigned i = 1; i < n; i++)
			any |= added[i] && !strstr(lines[i].text, "{thing}") &&
			       naive_matches(filter[i], topic);
		assert(!any);
	}
	route_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct line lines[LINES];
	unsigned k;
	bool legal;

	if (n && memchr(p, 0, n))
		return 0;
	k = cut_lines(p, n, lines);
	legal = topic_name_check(span_str(lines[0].text)) == 0;
	assert(legal == (plain_legal(lines[0].text) && !strpbrk(lines[0].text, "+#")));
	for (unsigned i = 1; i < k; i++)
		check_filter(&lines[i], lines[0].text, legal);
	if (legal) {
		check_tree(lines, k, lines[0].text);
		check_routes(lines, k, lines[0].text);
	}
	for (unsigned i = 0; i < k; i++)
		free(lines[i].text);
	return 0;
}
