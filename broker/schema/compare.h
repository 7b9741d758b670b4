/* compare.h - what a new version of a schema changes, judged by structure: would every message that
 * fitted still fit, and mean the same? Pure.
 *
 * A change breaks when a message that fitted may be refused, or is read otherwise: a member newly
 * required, a type, range or list made narrower, a member no longer allowed, another role, unit,
 * observedProperty, scale or time. It does not when only more fits: a new optional member, a wider
 * range. What cannot be judged from the structure (another pattern, a changed not) breaks: better
 * asked once too often. An optional member that is new does not break, although messages that
 * happened to carry it unchecked may be refused: the replay of stored messages shows those. */
#ifndef SCHEMA_COMPARE_H
#define SCHEMA_COMPARE_H

#include "schema/schema.h"

struct schema_change {
	char pointer[160]; /* of the value in a message, as in verdicts; "*": any item or member */
	char rule[32];     /* the keyword, or the word of x-oudp */
	char text[160];    /* "is required now" */
	bool breaks;
};

/* Fills at most max changes; returns how many there are. *ret_breaking of all of them break. */
unsigned schema_compare(const struct schema *from, const struct schema *to,
                        struct schema_change *ret, unsigned max, unsigned *ret_breaking);

#endif
