/* tree_node.c - the nodes of the subscription tree and the table they are found in. Knows nothing
 * of owners and options. */
#include "topic/tree_node.h"

#include <errno.h>
#include <stdlib.h>

enum { CHILDREN_MIN = 64 };

int child_table_init(struct child_table *t)
{
	t->slots = calloc(CHILDREN_MIN, sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	t->cap = CHILDREN_MIN;
	t->n = 0;
	return 0;
}

void child_table_done(struct child_table *t)
{
	free(t->slots);
	*t = (struct child_table){0};
}

size_t child_table_bytes(const struct child_table *t)
{
	return t->cap * sizeof(*t->slots);
}

static void put(struct child_slot *slots, size_t cap, struct child_slot s)
{
	size_t i = s.hash & (cap - 1);

	while (slots[i].node)
		i = (i + 1) & (cap - 1);
	slots[i] = s;
}

static int resize(struct child_table *t, size_t cap)
{
	struct child_slot *slots = calloc(cap, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	assert(t->n < cap);
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].node)
			put(slots, cap, t->slots[i]);
	free(t->slots);
	t->slots = slots;
	t->cap = cap;
	return 0;
}

static int insert(struct child_table *t, uint64_t hash, struct sub_node *node)
{
	if ((t->n + 1) * 4 > t->cap * 3 && resize(t, t->cap * 2))
		return -ENOMEM;
	put(t->slots, t->cap, (struct child_slot){hash, node});
	t->n++;
	return 0;
}

/* Takes the node's slot out and moves those back that stand behind it only because of it. */
static void take_out(struct child_table *t, uint64_t hash, const struct sub_node *node)
{
	size_t mask = t->cap - 1, hole = hash & mask;

	while (t->slots[hole].node != node) {
		assert(t->slots[hole].node);
		hole = (hole + 1) & mask;
	}
	for (size_t i = (hole + 1) & mask; t->slots[i].node; i = (i + 1) & mask) {
		size_t home = t->slots[i].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = (struct child_slot){0};
	t->n--;
	/* a table that is nearly empty gives its memory back; without memory it stays */
	if (t->cap > CHILDREN_MIN && t->n < t->cap / 8 && resize(t, t->cap / 2))
		return;
}

static bool is_plus(struct span level)
{
	return level.n == 1 && level.p[0] == '+';
}

struct sub_node *node_child(struct sub_tree *t, struct sub_node *parent, struct span level)
{
	struct sub_node *node;
	uint64_t hash = 0;

	if (is_plus(level)) {
		if (parent->plus)
			return parent->plus;
	} else {
		hash = level_hash(&t->key, level);
		node = child_find(&t->children, parent, hash, level);
		if (node)
			return node;
	}
	node = calloc(1, sizeof(*node) + level.n);
	if (!node)
		return NULL;
	node->parent = parent;
	node->level_n = (uint32_t)level.n;
	if (level.n)
		memcpy(node + 1, level.p, level.n);
	if (is_plus(level)) {
		parent->plus = node;
	} else if (insert(&t->children, child_hash(parent, hash), node)) {
		free(node);
		return NULL;
	} else {
		parent->n_literals++;
	}
	t->nodes++;
	t->bytes += sizeof(*node) + level.n;
	return node;
}

static bool needed(const struct sub_node *node)
{
	return !node->parent || node->plus || node->n_literals || node->exact.n || node->hash.n;
}

void node_prune(struct sub_tree *t, struct sub_node *node)
{
	while (!needed(node)) {
		struct sub_node *parent = node->parent;
		struct span level = node_level(node);

		if (parent->plus == node) {
			parent->plus = NULL;
		} else {
			take_out(&t->children, child_hash(parent, level_hash(&t->key, level)),
			         node);
			parent->n_literals--;
		}
		t->nodes--;
		t->bytes -= sizeof(*node) + level.n;
		free(node);
		node = parent;
	}
}

static void list_free(struct sub_list *l)
{
	if (l->cap == 0) {
		if (l->n)
			free(l->one);
		return;
	}
	for (uint32_t i = 0; i < l->n; i++)
		free(l->many[i]);
	free(l->many);
}

/* The node's subscriptions and its chain of '+' children; literals are found in the table. */
static void free_chain(struct sub_node *node, bool self)
{
	while (node) {
		struct sub_node *plus = node->plus;

		list_free(&node->exact);
		list_free(&node->hash);
		if (self)
			free(node);
		self = true;
		node = plus;
	}
}

void nodes_free(struct sub_tree *t)
{
	free_chain(&t->root, false);
	for (size_t i = 0; i < t->children.cap; i++)
		if (t->children.slots[i].node)
			free_chain(t->children.slots[i].node, true);
}
