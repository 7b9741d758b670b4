/* compare_private.h - the inside of compare.h: compare.c goes through the structure,
 * compare_value.c judges one value's rules. from is a, to is b. */
#ifndef SCHEMA_COMPARE_PRIVATE_H
#define SCHEMA_COMPARE_PRIVATE_H

#include "schema/compare.h"
#include "schema/node.h"
#include "schema/text.h"

enum { COMPARE_PATH_BYTES = 64 << 10 };

struct compare {
	struct schema_change *out;
	unsigned max, n, n_breaking, breaking_before;
	unsigned closed; /* under so many unevaluated*: what is no longer described is refused */
	struct buf path; /* JSON Pointer of the value in a message */
	unsigned depth, visits;
	struct {
		const struct node *a, *b;
	} open[LIMIT_SCHEMA_NESTING];
};

void compare_add(struct compare *c, bool breaks, const char *rule, const char *fmt, ...)
    PRINTF(4, 5);

/* compare_value.c */
void compare_values(struct compare *c, const struct node *a, const struct node *b);
void compare_notes(struct compare *c, const struct node *a, const struct node *b);
/* A bound that is a count: now, and before. */
void compare_count(struct compare *c, const char *rule, uint32_t now, uint32_t before,
                   bool narrower);

#endif
