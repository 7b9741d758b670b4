/* boxes.c - see boxes.h. */
#include "base/boxes.h"

#include "base/mem.h"
#include "base/numbers.h"

#include <stdlib.h>

enum { FINEST = 14, CELLS_FIRST = 256, KEY_BITS = 30 };

/* A grid's cells are 2^shift wide. */
static unsigned shift_of(unsigned grid)
{
	return grid ? FINEST + 2 * (grid - 1) : FINEST;
}

static unsigned grid_of(const struct box *x)
{
	uint64_t width = (uint64_t)((int64_t)x->east_e7 - x->west_e7),
	         height = (uint64_t)((int64_t)x->north_e7 - x->south_e7),
	         size = MAX_OF(width, height);
	unsigned grid = size > 0;
	assert(x->west_e7 <= x->east_e7 && x->south_e7 <= x->north_e7);
	while (size > 1ull << shift_of(grid))
		grid++;
	assert(grid < BOXES_GRIDS);
	return grid;
}

/* From 0 on. */
static uint64_t column(int64_t e7, unsigned grid)
{
	e7 = MAX_OF(e7, (int64_t)INT32_MIN);
	return (uint64_t)(e7 - INT32_MIN) >> shift_of(grid);
}

static uint64_t key_of(unsigned grid, uint64_t x, uint64_t y)
{
	return (uint64_t)(grid + 1) << 2 * KEY_BITS | x << KEY_BITS | y;
}

static uint64_t cell_of(const struct box *x)
{
	unsigned grid = grid_of(x);
	return key_of(grid, column(x->west_e7, grid), column(x->south_e7, grid));
}

/* ---- cells: neighbours are far from each other in the table ---- */

static size_t slot_of(const struct boxes *b, uint64_t key)
{
	size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> 20) & b->mask;
	while (b->cells[i].key && b->cells[i].key != key)
		i = (i + 1) & b->mask;
	return i;
}

/* Twice the cells that are not empty, at least; the empty ones go. */
static void cells_grow(struct boxes *b)
{
	size_t before = b->cells ? b->mask + 1 : 0, full = 0, n = CELLS_FIRST;
	struct boxes_cell *old = b->cells;
	for (size_t i = 0; i < before; i++)
		full += old[i].first != 0;
	while (n < 2 * (full + 1))
		n *= 2;
	b->cells = xcalloc(n, sizeof(*b->cells));
	b->mask = n - 1;
	b->used = full;
	for (size_t i = 0; i < before; i++)
		if (old[i].first)
			b->cells[slot_of(b, old[i].key)] = old[i];
	free(old);
}

/* ---- changing ---- */

void boxes_add(struct boxes *b, uint32_t id, const struct box *where)
{
	if (id >= b->cap) {
		b->cap = MAX_OF(b->cap + b->cap / 4, (size_t)id + CELLS_FIRST);
		b->links = xrealloc(b->links, b->cap * sizeof(*b->links));
	}
	if (!b->cells || b->used * 4 >= b->mask * 3)
		cells_grow(b);
	uint64_t key = cell_of(where);
	struct boxes_cell *c = &b->cells[slot_of(b, key)];
	b->used += !c->key;
	c->key = key;
	b->links[id] = (struct boxes_link){.next = c->first};
	if (c->first)
		b->links[c->first - 1].prev = id + 1;
	c->first = id + 1;
	b->counts[grid_of(where)]++;
}

void boxes_drop(struct boxes *b, uint32_t id, const struct box *where)
{
	struct boxes_cell *c = &b->cells[slot_of(b, cell_of(where))];
	const struct boxes_link *l = &b->links[id];
	assert(c->key && c->first && id < b->cap);
	if (l->next)
		b->links[l->next - 1].prev = l->prev;
	if (l->prev)
		b->links[l->prev - 1].next = l->next;
	else
		c->first = l->next;
	b->counts[grid_of(where)]--;
}

void boxes_done(struct boxes *b)
{
	free(b->cells);
	free(b->links);
	*b = (struct boxes){0};
}

/* ---- asking ---- */

struct looking {
	const struct boxes *b;
	uint32_t *out;
	size_t max, *n;
};

static bool take_cell(const struct looking *l, uint32_t first)
{
	for (; first; first = l->b->links[first - 1].next) {
		if (*l->n == l->max)
			return false;
		l->out[(*l->n)++] = first - 1;
	}
	return true;
}

struct range {
	uint64_t west, east, south, north; /* columns and rows */
};

static bool look_up(const struct looking *l, unsigned grid, const struct range *r)
{
	for (uint64_t x = r->west; x <= r->east; x++)
		for (uint64_t y = r->south; y <= r->north; y++)
			if (!take_cell(l, l->b->cells[slot_of(l->b, key_of(grid, x, y))].first))
				return false;
	return true;
}

static bool look_through(const struct looking *l, unsigned grid, const struct range *r)
{
	const uint64_t mask = (1ull << KEY_BITS) - 1;
	for (size_t i = 0; i <= l->b->mask; i++) {
		uint64_t key = l->b->cells[i].key, x = key >> KEY_BITS & mask, y = key & mask;
		if (key >> 2 * KEY_BITS == grid + 1 && x >= r->west && x <= r->east &&
		    y >= r->south && y <= r->north && !take_cell(l, l->b->cells[i].first))
			return false;
	}
	return true;
}

bool boxes_near(const struct boxes *b, const struct box *area, uint32_t *out, size_t max, size_t *n)
{
	const struct looking l = {b, out, max, n};
	bool all = true;
	*n = 0;
	for (unsigned grid = 0; grid < BOXES_GRIDS && all; grid++) {
		/* One that begins up to a cell's width before the area may reach into it. */
		int64_t reach = grid ? 1ll << shift_of(grid) : 0;
		struct range r = {column(area->west_e7 - reach, grid), column(area->east_e7, grid),
		                  column(area->south_e7 - reach, grid),
		                  column(area->north_e7, grid)};
		uint64_t cells = (r.east - r.west + 1) * (r.north - r.south + 1);
		if (!b->counts[grid])
			continue;
		if (cells <= max && cells <= b->mask)
			all = look_up(&l, grid, &r);
		else if (b->mask < max)
			all = look_through(&l, grid, &r);
		else
			all = false;
	}
	return all;
}

bool boxes_meeting(const struct boxes *b, const struct shape *s, uint32_t *out, size_t max,
                   size_t *n)
{
	struct box areas[SHAPE_BOXES];
	unsigned n_areas = shape_boxes(s, areas);
	bool all = true;
	*n = 0;
	for (unsigned i = 0; i < n_areas && all; i++) {
		size_t more;
		all = boxes_near(b, &areas[i], out + *n, max - *n, &more);
		*n += more;
	}
	if (all && n_areas > 1) /* a large box may be in both areas */
		*n = numbers_once(out, *n);
	return all;
}
