/* route.c - a trie of templates. Literal children of all nodes share one hash table keyed by
 * (parent, level); the search goes literal, then {thing}, then '#', and the first template that
 * takes the whole topic is by that order the most specific. Nodes are indices: the table is one
 * block of nodes, one of slots, and one of text. */
#include "topic/route.h"

#include "base/limits.h"
#include "base/mem.h"
#include "topic/name.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct node {
	uint32_t thing;      /* the {thing} child, or NONE */
	uint32_t feed;       /* a template ends here, or NONE */
	uint32_t feed_hash;  /* a template ends with '#' below here, or NONE */
	bool literals;       /* has literal children */
	uint8_t thing_level; /* level of {thing} on the way to here; 255: none */
};

struct slot {
	uint32_t hash; /* upper half; the lower chose the place */
	uint32_t parent, child;
	uint32_t text, text_n; /* of the level, in table->text */
};

struct route_table {
	struct node *nodes;
	struct slot *slots; /* child == 0: free (the root is nobody's child) */
	char *text;
	uint32_t n_nodes, cap_nodes;
	uint32_t n_slots, cap_slots; /* cap: a power of two */
	uint32_t n_text, cap_text;
};

static const char THING[] = "{thing}";

/* ---- checking ---- */

static void PRINTF(3, 4) say(char *text, size_t size, const char *fmt, ...)
{
	va_list ap;

	if (size == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, size, fmt, ap);
	va_end(ap);
}

static int check_level(struct span template, struct span level, bool last, unsigned *things,
                       char *text, size_t size)
{
	if (level.n == 0)
		return 0;
	if (span_is(level, THING)) {
		if (++*things == 1)
			return 0;
		say(text, size, "\"%.*s\": {thing} stands twice", (int)template.n, template.p);
		return ERR_MALFORMED;
	}
	if (level.p[0] == '#' && level.n == 1 && last)
		return 0;
	if (memchr(level.p, '#', level.n)) {
		say(text, size, "\"%.*s\": '#' may only be the last level, alone", (int)template.n,
		    template.p);
		return ERR_MALFORMED;
	}
	if (memchr(level.p, '+', level.n)) {
		say(text, size, "\"%.*s\": '+' is not for feeds, write {thing}", (int)template.n,
		    template.p);
		return ERR_MALFORMED;
	}
	if (memchr(level.p, '{', level.n) || memchr(level.p, '}', level.n)) {
		say(text, size,
		    "\"%.*s\": {thing} must be a level of its own, other names are not known",
		    (int)template.n, template.p);
		return ERR_MALFORMED;
	}
	return 0;
}

int route_template_check(struct span template, char *text, size_t size)
{
	struct span level;
	unsigned things = 0, levels = 0;
	size_t at = 0;

	if (template.n == 0) {
		say(text, size, "a topic may not be empty");
		return ERR_MALFORMED;
	}
	if (template.n > LIMIT_TOPIC_BYTES) {
		say(text, size, "a topic of %zu bytes: more than %d", template.n,
		    LIMIT_TOPIC_BYTES);
		return ERR_TOO_LARGE;
	}
	if (template.p[0] == '$' || memchr(template.p, 0, template.n)) {
		say(text, size, "\"%.*s\": topics with '$' in front are the server's own",
		    (int)template.n, template.p);
		return ERR_MALFORMED;
	}
	while (topic_next_level(template, &at, &level)) {
		int err = check_level(template, level, at > template.n, &things, text, size);

		if (err)
			return err;
		levels++;
	}
	if (levels > LIMIT_TOPIC_LEVELS) {
		say(text, size, "\"%.*s\": %u levels, more than %d", (int)template.n, template.p,
		    levels, LIMIT_TOPIC_LEVELS);
		return ERR_TOO_LARGE;
	}
	return 0;
}

size_t route_template_filter(struct span template, char *out)
{
	struct span level;
	size_t at = 0, n = 0;

	while (topic_next_level(template, &at, &level)) {
		if (n > 0 || at - level.n > 1) /* every level but the first */
			out[n++] = '/';
		if (span_is(level, THING))
			level = SPAN("+");
		if (level.n)
			memcpy(out + n, level.p, level.n);
		n += level.n;
	}
	assert(n <= template.n);
	return n;
}

/* ---- the table ---- */

static inline uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9E3779B97F4A7C15ull;
	return h ^ h >> 32;
}

/* Not keyed: what stands in the table is the operator's, so a publisher cannot make chains longer.
 * Short levels are read by loads that overlap. */
static inline uint64_t hash_level(uint32_t parent, const char *p, size_t n)
{
	uint64_t h = mix(parent + 1, n), a = 0, b = 0;
	uint32_t u, v;

	if (n > 8) {
		for (size_t i = 0; i + 8 < n; i += 8) {
			memcpy(&a, p + i, 8);
			h = mix(h, a);
		}
		memcpy(&b, p + n - 8, 8);
	} else if (n >= 4) {
		memcpy(&u, p, 4);
		memcpy(&v, p + n - 4, 4);
		b = (uint64_t)u << 32 | v;
	} else if (n > 0) {
		b = (uint64_t)(uint8_t)p[0] << 16 | (uint64_t)(uint8_t)p[n / 2] << 8 |
		    (uint8_t)p[n - 1];
	}
	return mix(h, b);
}

static inline uint32_t find_child(const struct route_table *t, uint32_t parent, const char *p,
                                  size_t n)
{
	uint64_t h = hash_level(parent, p, n);
	uint32_t mask = t->cap_slots - 1;

	for (uint32_t i = (uint32_t)h & mask;; i = (i + 1) & mask) {
		const struct slot *s = &t->slots[i];

		if (s->child == 0)
			return NONE;
		if (s->hash == (uint32_t)(h >> 32) && s->parent == parent && s->text_n == n &&
		    (n == 0 || memcmp(t->text + s->text, p, n) == 0))
			return s->child;
	}
}

static void put_slot(struct route_table *t, struct slot s)
{
	uint64_t h = hash_level(s.parent, t->text + s.text, s.text_n);
	uint32_t mask = t->cap_slots - 1, i = (uint32_t)h & mask;

	while (t->slots[i].child != 0)
		i = (i + 1) & mask;
	s.hash = (uint32_t)(h >> 32);
	t->slots[i] = s;
}

static void grow_slots(struct route_table *t)
{
	struct slot *old = t->slots;
	uint32_t n = t->cap_slots;

	t->cap_slots = n * 2;
	t->slots = xcalloc(t->cap_slots, sizeof(*t->slots));
	for (uint32_t i = 0; i < n; i++)
		if (old[i].child != 0)
			put_slot(t, old[i]);
	free(old);
}

static uint32_t new_node(struct route_table *t, uint8_t thing_level)
{
	if (t->n_nodes == t->cap_nodes) {
		t->cap_nodes = t->cap_nodes ? t->cap_nodes * 2 : 64;
		t->nodes = xrealloc(t->nodes, t->cap_nodes * sizeof(*t->nodes));
	}
	t->nodes[t->n_nodes] = (struct node){NONE, NONE, NONE, false, thing_level};
	return t->n_nodes++;
}

static uint32_t add_text(struct route_table *t, struct span s)
{
	if (t->n_text + s.n > t->cap_text) {
		t->cap_text = (uint32_t)MAX_OF(t->cap_text * 2, t->n_text + s.n);
		t->text = xrealloc(t->text, t->cap_text);
	}
	if (s.n)
		memcpy(t->text + t->n_text, s.p, s.n);
	t->n_text += (uint32_t)s.n;
	return t->n_text - (uint32_t)s.n;
}

static uint32_t literal_child(struct route_table *t, uint32_t parent, struct span level)
{
	uint32_t child = find_child(t, parent, level.p, level.n);

	if (child != NONE)
		return child;
	if ((t->n_slots + 1) * 2 > t->cap_slots) /* half empty: probes stay short */
		grow_slots(t);
	child = new_node(t, t->nodes[parent].thing_level);
	put_slot(t, (struct slot){.parent = parent,
	                          .child = child,
	                          .text = add_text(t, level),
	                          .text_n = (uint32_t)level.n});
	t->n_slots++;
	t->nodes[parent].literals = true;
	return child;
}

static uint32_t thing_child(struct route_table *t, uint32_t parent, unsigned level)
{
	uint32_t child = t->nodes[parent].thing;

	if (child == NONE) {
		child = new_node(t, (uint8_t)level);
		t->nodes[parent].thing = child;
	}
	return child;
}

struct route_table *route_new(void)
{
	struct route_table *t = xcalloc(1, sizeof(*t));

	t->cap_slots = 64;
	t->slots = xcalloc(t->cap_slots, sizeof(*t->slots));
	t->cap_text = 1024;
	t->text = xmalloc(t->cap_text);
	new_node(t, UINT8_MAX);
	return t;
}

void route_free(struct route_table *t)
{
	if (!t)
		return;
	free(t->nodes);
	free(t->slots);
	free(t->text);
	free(t);
}

int route_add(struct route_table *t, struct span template, uint32_t feed, uint32_t *ret_other,
              char *text, size_t size)
{
	struct span level;
	uint32_t at_node = 0, *end;
	unsigned n = 0;
	size_t at = 0;
	bool hash = false;
	int err = route_template_check(template, text, size);

	assert(feed != NONE);
	if (err)
		return err;
	for (; topic_next_level(template, &at, &level); n++) {
		if (span_is(level, "#"))
			hash = true;
		else if (span_is(level, THING))
			at_node = thing_child(t, at_node, n);
		else
			at_node = literal_child(t, at_node, level);
	}
	end = hash ? &t->nodes[at_node].feed_hash : &t->nodes[at_node].feed;
	if (*end != NONE && *end != feed) {
		say(text, size, "\"%.*s\" is already the topic of another feed", (int)template.n,
		    template.p);
		if (ret_other)
			*ret_other = *end;
		return ERR_CONFIG;
	}
	*end = feed;
	return 0;
}

/* ---- looking up ---- */

struct walk {
	const struct route_table *t;
	unsigned n;
	bool dollar; /* the topic begins with '$' */
	struct span level[LIMIT_TOPIC_LEVELS];
};

/* The feed of the most specific template below node that takes the levels from i on. */
static uint32_t walk(const struct walk *w, uint32_t at, unsigned i, uint8_t *ret_thing)
{
	const struct node *node = &w->t->nodes[at];
	uint32_t child, feed;

	if (i == w->n && node->feed != NONE) {
		*ret_thing = node->thing_level;
		return node->feed;
	}
	if (i < w->n) {
		child = NONE;
		if (node->literals)
			child = find_child(w->t, at, w->level[i].p, w->level[i].n);
		if (child != NONE) {
			feed = walk(w, child, i + 1, ret_thing);
			if (feed != NONE)
				return feed;
		}
		/* a thing without a name is none */
		if (node->thing != NONE && w->level[i].n > 0 && !(i == 0 && w->dollar)) {
			feed = walk(w, node->thing, i + 1, ret_thing);
			if (feed != NONE)
				return feed;
		}
	}
	if (at == 0 && w->dollar) /* [MQTT-4.7.2-1] */
		return NONE;
	*ret_thing = node->thing_level;
	return node->feed_hash;
}

int route_find(const struct route_table *t, struct span topic, uint32_t *ret_feed,
               struct span *ret_thing)
{
	struct walk w;
	uint32_t feed;
	uint8_t thing;

	w.t = t;
	w.dollar = topic.n && topic.p[0] == '$';
	w.n = topic_split(topic, w.level);
	if (w.n == 0)
		return ERR_NOT_FOUND;
	feed = walk(&w, 0, 0, &thing);
	if (feed == NONE)
		return ERR_NOT_FOUND;
	*ret_feed = feed;
	*ret_thing = thing == UINT8_MAX ? (struct span){0} : w.level[thing];
	return 0;
}
