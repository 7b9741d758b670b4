/* refusals.c - see refusals.h. */
#include "ingest/refusals.h"

#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "register/ledger.h"

#include <stdio.h>
#include <stdlib.h>

enum { THING_BYTES = 128, KEY_BYTES = 4 * 68 + THING_BYTES };

const char *const refusal_names[REFUSAL_KINDS] = {[REFUSAL_UNFIT] = "unfit",
                                                  [REFUSAL_DENIED] = "denied",
                                                  [REFUSAL_UNROUTED] = "unrouted",
                                                  [REFUSAL_LIMIT] = "limit",
                                                  [REFUSAL_CONFLICT] = "conflict"};

struct source {
	struct list node; /* the last one first */
	struct refusal_source is;
	size_t key_n;
	char key[]; /* organisation, identity, feed, thing, each with a zero behind it */
};

struct refusals {
	struct map all;
	struct list order;
	unsigned n;
	uint64_t total[REFUSAL_KINDS];
};

struct refusals *refusals_new(void)
{
	struct refusals *t = xcalloc(1, sizeof(*t));
	map_init(&t->all);
	list_init(&t->order);
	return t;
}

static void drop(struct refusals *t, struct source *s)
{
	map_remove(&t->all, span_of(s->key, s->key_n));
	list_remove(&s->node);
	t->n--;
	free(s);
}

void refusals_free(struct refusals *t)
{
	if (!t)
		return;
	while (!list_empty(&t->order))
		drop(t, list_entry(t->order.next, struct source, node));
	map_done(&t->all);
	free(t);
}

static size_t add_part(char *key, size_t n, struct span s, size_t max)
{
	size_t m = MIN_OF(s.n, max);
	if (m)
		memcpy(key + n, s.p, m);
	key[n + m] = '\0';
	return n + m + 1;
}

/* A view of the part at *at of the key. */
static struct span next_part(const struct source *s, size_t *at)
{
	struct span part = span_str(s->key + *at);
	*at += part.n + 1;
	return part;
}

static struct source *source_new(struct refusals *t, struct span key, int64_t now_ms)
{
	if (t->n == LIMIT_REFUSED_SOURCES)
		drop(t, list_entry(t->order.prev, struct source, node));
	struct source *s = xcalloc(1, sizeof(*s) + key.n);
	size_t at = 0;
	memcpy(s->key, key.p, key.n);
	s->key_n = key.n;
	s->is.organisation = next_part(s, &at);
	s->is.identity = next_part(s, &at);
	s->is.feed = next_part(s, &at);
	s->is.thing = next_part(s, &at);
	s->is.first_ms = now_ms;
	map_set(&t->all, span_of(s->key, s->key_n), s);
	t->n++;
	return s;
}

void refusals_count(struct refusals *t, const struct identity *who, const struct feed *feed,
                    struct span thing, enum refusal_kind kind, const char *rule, const char *reason,
                    int64_t now_ms)
{
	char key[KEY_BYTES];
	if (!feed || feed->privacy || thing.n > THING_BYTES ||
	    (thing.n && memchr(thing.p, '\0', thing.n)))
		thing = (struct span){0};
	size_t n = add_part(key, 0, span_str(who->organisation), 64);
	n = add_part(key, n, who->name, 64);
	n = add_part(key, n, feed ? feed->name : (struct span){0}, 64);
	n = add_part(key, n, thing, THING_BYTES);
	struct source *s = map_get(&t->all, span_of(key, n));
	if (s)
		list_remove(&s->node);
	else
		s = source_new(t, span_of(key, n), now_ms);
	list_append(t->order.next, &s->node); /* in front of the first */
	s->is.count[kind]++;
	s->is.last_ms = now_ms;
	snprintf(s->is.rule, sizeof(s->is.rule), "%s", rule);
	snprintf(s->is.reason, sizeof(s->is.reason), "%s", reason);
	t->total[kind]++;
}

void refusals_erased(struct refusals *t, const struct erasure *e)
{
	list_for_each_safe (it, &t->order) {
		struct source *s = list_entry(it, struct source, node);
		if (!s->is.thing.n)
			s->is.reason[0] = '\0'; /* which may name it */
		else if (erasure_matches(e, s->is.organisation, s->is.thing))
			drop(t, s);
	}
}

const struct refusal_source *refusals_next(const struct refusals *t,
                                           const struct refusal_source *former)
{
	const struct list *at =
	    former ? container_of(former, struct source, is)->node.next : t->order.next;
	return at == &t->order ? NULL : &list_entry(at, struct source, node)->is;
}

unsigned refusals_sources(const struct refusals *t)
{
	return t->n;
}

const uint64_t *refusals_total(const struct refusals *t)
{
	return t->total;
}
