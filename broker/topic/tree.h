/* tree.h - the subscription tree: who takes a topic.
 *
 * Filters are kept as a trie of levels. Literal children of all nodes stand in one hash table
 * (keyed: a subscriber who picks filters cannot pick collisions), '+' is a pointer, '#' a second
 * list in its parent. A match visits the nodes whose prefix takes the topic and no others: its cost
 * does not depend on how many filters there are that do not match.
 *
 * Memory: a node per distinct filter prefix (64 bytes and the level's text, plus 16-32 bytes
 * in the hash table), 48 bytes per subscription. Owners bound their own number of subscriptions
 * (LIMIT_SUBSCRIPTIONS). Everything is malloc'ed and checked: a peer decides how much.
 *
 * An owner is embedded by who subscribes: a session, a shared group, a cursor. A subscription
 * belongs to the tree and stays at its address until it is removed. Filters are legal and without
 * $share. Loop thread only. */
#ifndef TOPIC_TREE_H
#define TOPIC_TREE_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sub_tree;
struct sub_node;
struct sub;

struct sub_owner {
	struct sub *first; /* its subscriptions, newest first */
	uint32_t n;
	uint64_t mark; /* for the caller: to see an owner once per match */
};

struct sub_options {
	uint32_t identifier; /* MQTT 5 subscription identifier; 0: none */
	uint8_t qos, retain_handling;
	bool no_local, retain_as_published;
	uint32_t flags; /* the caller's */
};

struct sub {
	struct sub_owner *owner;
	struct sub_options options; /* may be changed in place */
	/* the tree's: */
	struct sub *owner_next, *owner_prev;
	struct sub_node *node;
	uint32_t slot;
	bool hash; /* in the '#' list of the node */
};

struct sub_matches { /* of the caller, zeroed at first, reused; done frees */
	struct sub **p;
	size_t n, cap;
};

struct sub_tree *sub_tree_new(void); /* NULL: no memory, or no randomness */
/* Also frees what is still subscribed; owners are not looked at, they may be gone. NULL is fine. */
void sub_tree_free(struct sub_tree *t);

void sub_owner_init(struct sub_owner *o);

/* Subscribes or, when this owner has the filter already, replaces its options. 0 or -ENOMEM.
 * *ret_new says which, *ret_sub is the subscription; both may be NULL. */
int sub_tree_add(struct sub_tree *t, struct sub_owner *o, struct span filter,
                 const struct sub_options *options, struct sub **ret_sub, bool *ret_new) MUSTCHECK;
void sub_tree_remove_sub(struct sub_tree *t, struct sub *s);
void sub_tree_remove_all(struct sub_tree *t, struct sub_owner *o);
/* The owner's subscription with exactly this filter, or NULL. */
struct sub *sub_tree_find(const struct sub_tree *t, const struct sub_owner *o, struct span filter);

/* Every subscription that takes the topic, each once, in no order; an owner with overlapping
 * filters comes several times. Replaces what was in m. 0 or -ENOMEM (growing m is the only
 * allocation). */
int sub_tree_match(const struct sub_tree *t, struct span topic, struct sub_matches *m) MUSTCHECK;
void sub_matches_done(struct sub_matches *m);

/* The filter's text: writes at most size bytes, returns its length (which may be more). */
size_t sub_filter(const struct sub *s, char *out, size_t size);

struct sub_tree_stats {
	size_t subscriptions, nodes, bytes; /* bytes: an estimate of what the tree holds */
};
struct sub_tree_stats sub_tree_stats(const struct sub_tree *t);

#endif
