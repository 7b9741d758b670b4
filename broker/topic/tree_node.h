/* tree_node.h - for the subscription tree only: nodes, and the hash table of literal children. */
#ifndef TOPIC_TREE_NODE_H
#define TOPIC_TREE_NODE_H

#include "topic/tree.h"

struct sub_list { /* subscriptions that end in a node */
	union {
		struct sub *one;   /* cap == 0 */
		struct sub **many; /* cap > 0 */
	};
	uint32_t n, cap;
};

struct sub_node {                /* followed by the text of its level */
	struct sub_node *parent; /* NULL: the root */
	struct sub_node *plus;   /* the child for '+' */
	struct sub_list exact;   /* filters that end here */
	struct sub_list hash;    /* filters that end with '#' below here */
	uint32_t n_literals;     /* children in the table */
	uint32_t level_n;
};

struct child_slot {
	uint64_t hash;
	struct sub_node *node; /* NULL: free */
};

struct child_table { /* open addressing, at most 3/4 full, no tombstones */
	struct child_slot *slots;
	size_t n, cap; /* cap: a power of two */
};

struct sub_tree {
	struct hash_key key;
	struct child_table children;
	struct sub_node root;
	size_t subscriptions, nodes, bytes; /* bytes: nodes, subscriptions, arrays */
};

static inline struct span node_level(const struct sub_node *node)
{
	return span_of((const char *)(node + 1), node->level_n);
}

static inline uint64_t level_hash(const struct hash_key *key, struct span level)
{
	return hash64(key, level.p, level.n);
}

/* The hash of a child: the level's, which nobody outside knows, with the parent's address in it. */
static inline uint64_t child_hash(const struct sub_node *parent, uint64_t level)
{
	uint64_t h = (level ^ (uintptr_t)parent) * 0x9E3779B97F4A7C15ull;

	return h ^ h >> 32;
}

static inline struct sub_node *child_find(const struct child_table *t,
                                          const struct sub_node *parent, uint64_t level_hash,
                                          struct span level)
{
	uint64_t h = child_hash(parent, level_hash);
	size_t mask = t->cap - 1;

	for (size_t i = h & mask; t->slots[i].node; i = (i + 1) & mask) {
		const struct sub_node *node = t->slots[i].node;

		if (t->slots[i].hash == h && node->parent == parent &&
		    span_eq(node_level(node), level))
			return t->slots[i].node;
	}
	return NULL;
}

int child_table_init(struct child_table *t) MUSTCHECK;
void child_table_done(struct child_table *t);
size_t child_table_bytes(const struct child_table *t);

/* The child for a level ('+' or literal), made when there is none; NULL: no memory. */
struct sub_node *node_child(struct sub_tree *t, struct sub_node *parent, struct span level);
/* Frees the node and those above it that nothing needs any more. */
void node_prune(struct sub_tree *t, struct sub_node *node);
/* Frees all nodes and subscriptions; the owners are not looked at, they may be gone. */
void nodes_free(struct sub_tree *t);

#endif
