/* bench_topic.c - a route among 1,000 feeds; a match in a tree of 20,000 distinct filters and of a
 * million; adding and removing; memory. One core; the best of several rounds, because the machine
 * is shared. */
#include "base/clock.h"
#include "topic/name.h"
#include "topic/route.h"
#include "topic/tree.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 7, TOPICS = 4096, PASSES = 50 };

static char topics[TOPICS][64];
static struct span views[TOPICS];

static uint64_t now(void)
{
	struct clock c = clock_system();

	return clock_mono_ns(&c);
}

/* Things of 50 kinds of sensor in 20 districts. */
static void make_topics(unsigned feeds)
{
	for (unsigned i = 0; i < TOPICS; i++) {
		unsigned feed = (i * 2654435761u >> 7) % feeds;

		snprintf(topics[i], sizeof(topics[i]), "city/kind-%u/district-%u/sensor-%u",
		         feed % 50, feed / 50, i);
		views[i] = span_str(topics[i]);
	}
}

static void bench_route(unsigned feeds, bool catch_all)
{
	struct route_table *t = route_new();
	double best = 1e9;
	uint64_t sum = 0;

	for (unsigned i = 0; i < feeds; i++) {
		char template[64];

		snprintf(template, sizeof(template), "city/kind-%u/district-%u/{thing}", i % 50,
		         i / 50);
		if (route_add(t, span_str(template), i, NULL, NULL, 0))
			abort();
	}
	if (catch_all && route_add(t, SPAN("#"), feeds, NULL, NULL, 0))
		abort();
	make_topics(feeds);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t from = now();

		for (unsigned pass = 0; pass < PASSES; pass++)
			for (unsigned i = 0; i < TOPICS; i++) {
				struct span thing;
				uint32_t feed;

				if (route_find(t, views[i], &feed, &thing))
					abort();
				sum += feed + thing.n;
			}
		best = MIN_OF(best, (double)(now() - from) / (PASSES * TOPICS));
	}
	printf("route, %u feeds%s: %.1f ns (%llu)\n", feeds, catch_all ? " and '#'" : "", best,
	       (unsigned long long)sum % 10);
	route_free(t);
}

static void bench_check(void)
{
	double best = 1e9;
	unsigned bad = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t from = now();

		for (unsigned pass = 0; pass < PASSES; pass++)
			for (unsigned i = 0; i < TOPICS; i++)
				bad += topic_name_check(views[i]) != 0;
		best = MIN_OF(best, (double)(now() - from) / (PASSES * TOPICS));
	}
	printf("topic_name_check, %zu bytes: %.1f ns (%u)\n", views[0].n, best, bad);
}

static void bench_matches(const struct sub_tree *t, const char *what)
{
	struct sub_matches m = {0};
	double best = 1e9;
	uint64_t found = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t from = now();

		found = 0;
		for (unsigned i = 0; i < TOPICS; i++) {
			if (sub_tree_match(t, views[i], &m))
				abort();
			found += m.n;
		}
		best = MIN_OF(best, (double)(now() - from) / TOPICS);
	}
	printf("match, %s: %.0f ns, %.2f subscriptions a topic\n", what, best,
	       (double)found / TOPICS);
	sub_matches_done(&m);
}

/* Subscribers as they come: owner i has the filter of one sensor, every tenth one of a district. */
static void bench_tree(unsigned n)
{
	struct sub_tree *t = sub_tree_new();
	struct sub_owner *o = calloc(n, sizeof(*o));
	struct sub_options options = {.qos = 1};
	struct sub_tree_stats stats;
	uint64_t from, worst = 0;
	char filter[64], what[64];

	if (!t || !o)
		abort();
	make_topics(1000);
	from = now();
	for (unsigned i = 0; i < n; i++) {
		uint64_t start = now();

		snprintf(filter, sizeof(filter), "city/kind-%u/district-%u/sensor-%u", i % 50,
		         i / 50 % 20, i);
		if (i % 1000 == 7)
			snprintf(filter, sizeof(filter), "city/+/district-%u/#", i / 1000 % 20);
		if (sub_tree_add(t, &o[i], span_str(filter), &options, NULL, NULL))
			abort();
		worst = MAX_OF(worst, now() - start);
	}
	stats = sub_tree_stats(t);
	printf("tree, %u subscribers: add %.0f ns (worst %.1f ms), %.0f bytes each\n", n,
	       (double)(now() - from) / n, (double)worst / 1e6, (double)stats.bytes / n);
	snprintf(what, sizeof(what), "%u subscribers", n);
	bench_matches(t, what);
	from = now();
	for (unsigned i = 0; i < n; i++)
		sub_tree_remove_all(t, &o[i]);
	printf("tree, %u subscribers: remove %.0f ns\n", n, (double)(now() - from) / n);
	sub_tree_free(t);
	free(o);
}

/* Many plain subscribers do not make the others' topics dearer. */
static void bench_unrelated(unsigned n)
{
	struct sub_tree *t = sub_tree_new();
	struct sub_owner o;
	struct sub_options options = {.qos = 1};
	char filter[64], what[64];

	sub_owner_init(&o);
	for (unsigned i = 0; i < n; i++) {
		snprintf(filter, sizeof(filter), "city/kind-%u/district-%u/other-%u", i % 50,
		         i / 50 % 20, i);
		if (sub_tree_add(t, &o, span_str(filter), &options, NULL, NULL))
			abort();
	}
	snprintf(what, sizeof(what), "%u filters that do not take it", n);
	bench_matches(t, what);
	sub_tree_free(t);
}

int main(void)
{
	bench_route(10, false);
	bench_route(1000, false);
	bench_route(1000, true);
	bench_check();
	bench_unrelated(1000);
	bench_unrelated(20000);
	bench_tree(20000);
	bench_tree(1000000);
	return 0;
}
