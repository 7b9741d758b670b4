/* boxes.h - numbered boxes on the earth (a point is a box without size), found by where they are.
 *
 * A grid of cells in a hash table, of several widths: a box stands in the cell of its south-west
 * corner, in the grid whose cells are as large as it is, so that a question looks at few cells
 * whatever the boxes' sizes. Putting, moving and dropping one costs the same however many there are
 * and wherever they are. 8 bytes a number, and 32 at most for each cell that is not empty.
 *
 * Units: 1e-7 degree. No locks, no clock. */
#ifndef BASE_BOXES_H
#define BASE_BOXES_H

#include "base/shape.h"

#include <stddef.h>

enum { BOXES_GRIDS = 11 }; /* points; then boxes of up to 2^14, 2^16, ... 2^32 */

struct boxes_cell {
	uint64_t key;   /* grid, column, row; 0: free */
	uint32_t first; /* number + 1 of one in it; 0: it is empty now */
};
struct boxes_link { /* numbers + 1; 0: none */
	uint32_t next, prev;
};

struct boxes { /* zeroed: empty */
	struct boxes_cell *cells;
	size_t mask, used; /* used: cells with a key */
	struct boxes_link *links;
	size_t cap, counts[BOXES_GRIDS];
};

void boxes_done(struct boxes *b);
/* id is not in it. */
void boxes_add(struct boxes *b, uint32_t id, const struct box *where);
/* where: as it was added. */
void boxes_drop(struct boxes *b, uint32_t id, const struct box *where);
/* Puts the numbers of all that touch the area, and of some near it, into out, in no order. false:
 * they are more than max, or spread over more than max cells: look at all instead. */
bool boxes_near(const struct boxes *b, const struct box *area, uint32_t *out, size_t max,
                size_t *n) MUSTCHECK;
/* The same of all that meet the shape, each once. */
bool boxes_meeting(const struct boxes *b, const struct shape *s, uint32_t *out, size_t max,
                   size_t *n) MUSTCHECK;

#endif
