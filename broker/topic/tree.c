/* tree.c - adding, removing and matching subscriptions. The trie's nodes and its hash table of
 * literal children are tree_node.c's. */
#include "topic/tree.h"

#include "base/limits.h"
#include "topic/name.h"
#include "topic/tree_node.h"

#include <errno.h>
#include <stdlib.h>

struct sub_tree *sub_tree_new(void)
{
	struct sub_tree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->key = hash_key_random();
	if (child_table_init(&t->children)) {
		free(t);
		return NULL;
	}
	return t;
}

void sub_owner_init(struct sub_owner *o)
{
	*o = (struct sub_owner){0};
}

/* ---- lists of subscriptions in a node ---- */

static int list_push(struct sub_tree *t, struct sub_list *l, struct sub *s)
{
	if (l->n == 0 && l->cap == 0) { /* nearly all filters have one subscriber: no array */
		l->one = s;
	} else if (l->n == l->cap || l->cap == 0) {
		uint32_t cap = l->cap ? l->cap * 2 : 4;
		struct sub **many = realloc(l->cap ? l->many : NULL, cap * sizeof(*many));

		if (!many)
			return -ENOMEM;
		if (l->cap == 0)
			many[0] = l->one;
		t->bytes += (cap - l->cap) * sizeof(*many);
		l->many = many;
		l->cap = cap;
		l->many[l->n] = s;
	} else {
		l->many[l->n] = s;
	}
	s->slot = l->n++;
	return 0;
}

static struct sub **list_all(struct sub_list *l)
{
	return l->cap ? l->many : &l->one;
}

static void list_take(struct sub_tree *t, struct sub_list *l, uint32_t slot)
{
	struct sub **all = list_all(l), **less;

	assert(slot < l->n);
	all[slot] = all[--l->n];
	all[slot]->slot = slot;
	if (l->cap && l->n == 0) {
		t->bytes -= l->cap * sizeof(*all);
		free(l->many);
		l->cap = 0;
	} else if (l->cap > 4 && l->n <= l->cap / 4) { /* a popular filter that is no longer */
		less = realloc(l->many, l->cap / 2 * sizeof(*less));
		if (less) {
			t->bytes -= l->cap / 2 * sizeof(*less);
			l->many = less;
			l->cap /= 2;
		}
	}
}

static struct sub_list *list_of(struct sub_node *node, bool hash)
{
	return hash ? &node->hash : &node->exact;
}

/* ---- finding the node of a filter ---- */

/* Node for the filter's levels before a '#'; NULL when there is none, or no memory with create. */
static struct sub_node *node_of(const struct sub_tree *t, struct span filter, bool *ret_hash)
{
	const struct sub_node *node = &t->root;
	struct span level;
	size_t at = 0;

	*ret_hash = false;
	while (node && topic_next_level(filter, &at, &level)) {
		if (span_is(level, "#"))
			*ret_hash = true;
		else if (span_is(level, "+"))
			node = node->plus;
		else
			node = child_find(&t->children, node, level_hash(&t->key, level), level);
	}
	return (struct sub_node *)node;
}

static struct sub_node *node_make(struct sub_tree *t, struct span filter, bool *ret_hash)
{
	struct sub_node *node = &t->root, *child;
	struct span level;
	size_t at = 0;

	*ret_hash = false;
	while (topic_next_level(filter, &at, &level)) {
		if (span_is(level, "#")) {
			*ret_hash = true;
			break;
		}
		child = node_child(t, node, level);
		if (!child) {
			node_prune(t, node);
			return NULL;
		}
		node = child;
	}
	return node;
}

/* The owner's subscription in this list: looks through the shorter of the two it stands in. */
static struct sub *find_in(const struct sub_owner *o, struct sub_node *node, bool hash)
{
	struct sub_list *l = list_of(node, hash);
	struct sub **all = list_all(l);

	if (l->n <= o->n) {
		for (uint32_t i = 0; i < l->n; i++)
			if (all[i]->owner == o)
				return all[i];
		return NULL;
	}
	for (struct sub *s = o->first; s; s = s->owner_next)
		if (s->node == node && s->hash == hash)
			return s;
	return NULL;
}

struct sub *sub_tree_find(const struct sub_tree *t, const struct sub_owner *o, struct span filter)
{
	bool hash;
	struct sub_node *node = node_of(t, filter, &hash);

	return node ? find_in(o, node, hash) : NULL;
}

/* ---- adding and removing ---- */

static struct sub *sub_make(struct sub_tree *t, struct sub_owner *o, struct sub_node *node,
                            bool hash)
{
	struct sub *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->owner = o;
	s->node = node;
	s->hash = hash;
	if (list_push(t, list_of(node, hash), s)) {
		free(s);
		return NULL;
	}
	s->owner_next = o->first;
	if (o->first)
		o->first->owner_prev = s;
	o->first = s;
	o->n++;
	t->subscriptions++;
	t->bytes += sizeof(*s);
	return s;
}

int sub_tree_add(struct sub_tree *t, struct sub_owner *o, struct span filter,
                 const struct sub_options *options, struct sub **ret_sub, bool *ret_new)
{
	struct sub_node *node;
	struct sub *s;
	bool hash, made = false;

	assert(filter.n > 0);
	node = node_make(t, filter, &hash);
	if (!node)
		return -ENOMEM;
	s = find_in(o, node, hash);
	if (!s) {
		s = sub_make(t, o, node, hash);
		if (!s) {
			node_prune(t, node);
			return -ENOMEM;
		}
		made = true;
	}
	s->options = *options;
	if (ret_sub)
		*ret_sub = s;
	if (ret_new)
		*ret_new = made;
	return 0;
}

void sub_tree_remove_sub(struct sub_tree *t, struct sub *s)
{
	struct sub_owner *o = s->owner;

	assert(o->n > 0 && t->subscriptions > 0);
	list_take(t, list_of(s->node, s->hash), s->slot);
	if (s->owner_prev)
		s->owner_prev->owner_next = s->owner_next;
	else
		o->first = s->owner_next;
	if (s->owner_next)
		s->owner_next->owner_prev = s->owner_prev;
	o->n--;
	node_prune(t, s->node);
	t->subscriptions--;
	t->bytes -= sizeof(*s);
	free(s);
}

void sub_tree_remove_all(struct sub_tree *t, struct sub_owner *o)
{
	while (o->first)
		sub_tree_remove_sub(t, o->first);
	assert(o->n == 0);
}

size_t sub_filter(const struct sub *s, char *out, size_t size)
{
	const struct sub_node *up[LIMIT_TOPIC_LEVELS + 1];
	unsigned n = 0;
	size_t len = 0;

	for (const struct sub_node *node = s->node; node->parent; node = node->parent)
		up[n++] = node;
	for (unsigned i = n; i-- > 0;) {
		struct span level = node_level(up[i]);

		if (i + 1 < n && len++ < size)
			out[len - 1] = '/';
		for (size_t j = 0; j < level.n; j++)
			if (len++ < size)
				out[len - 1] = level.p[j];
	}
	if (!s->hash)
		return len;
	if (n > 0 && len++ < size)
		out[len - 1] = '/';
	if (len++ < size)
		out[len - 1] = '#';
	return len;
}

struct sub_tree_stats sub_tree_stats(const struct sub_tree *t)
{
	return (struct sub_tree_stats){t->subscriptions, t->nodes,
	                               t->bytes + sizeof(*t) + child_table_bytes(&t->children)};
}

/* ---- matching ---- */

struct walk {
	const struct sub_tree *t;
	struct sub_matches *m;
	unsigned n;
	uint32_t hashed; /* bit i: hash[i] is known */
	struct span level[LIMIT_TOPIC_LEVELS];
	uint64_t hash[LIMIT_TOPIC_LEVELS];
};

static int matches_room(struct sub_matches *m, size_t n)
{
	size_t cap = m->cap ? m->cap : 64;
	struct sub **p;

	while (cap < m->n + n)
		cap *= 2;
	p = realloc(m->p, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	m->p = p;
	m->cap = cap;
	return 0;
}

static int take_list(struct walk *w, const struct sub_list *l)
{
	if (l->n == 0)
		return 0;
	if (unlikely(w->m->cap - w->m->n < l->n) && matches_room(w->m, l->n))
		return -ENOMEM;
	memcpy(w->m->p + w->m->n, l->cap ? l->many : &l->one, l->n * sizeof(*w->m->p));
	w->m->n += l->n;
	return 0;
}

/* The hash of a level is needed when some node reached there has literal children, and once only.
 */
static inline uint64_t hash_at(struct walk *w, unsigned i)
{
	if (!(w->hashed >> i & 1)) {
		w->hash[i] = level_hash(&w->t->key, w->level[i]);
		w->hashed |= 1u << i;
	}
	return w->hash[i];
}

/* Everything below node that takes the levels from i on. */
static int walk(struct walk *w, const struct sub_node *node, unsigned i)
{
	const struct sub_node *child;
	/* [MQTT-4.7.2-1] a leading wildcard does not take '$' */
	bool wild = i > 0 || w->level[0].n == 0 || w->level[0].p[0] != '$';
	int err = 0;

	if (wild)
		err = take_list(w, &node->hash);
	if (i == w->n)
		return err ? err : take_list(w, &node->exact);
	if (!err && node->n_literals) {
		child = child_find(&w->t->children, node, hash_at(w, i), w->level[i]);
		if (child)
			err = walk(w, child, i + 1);
	}
	if (!err && wild && node->plus)
		err = walk(w, node->plus, i + 1);
	return err;
}

int sub_tree_match(const struct sub_tree *t, struct span topic, struct sub_matches *m)
{
	struct walk w;

	_Static_assert(LIMIT_TOPIC_LEVELS <= 32, "walk.hashed has a bit per level");
	m->n = 0;
	w.t = t;
	w.m = m;
	w.hashed = 0;
	w.n = topic_split(topic, w.level);
	assert(w.n > 0); /* a legal topic */
	return walk(&w, &t->root, 0);
}

void sub_matches_done(struct sub_matches *m)
{
	free(m->p);
	*m = (struct sub_matches){0};
}

void sub_tree_free(struct sub_tree *t)
{
	if (!t)
		return;
	nodes_free(t);
	child_table_done(&t->children);
	free(t);
}
