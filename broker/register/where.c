/* where.c - things by where they are: the place that the register has and those that they told, one
 * box around all of them, for who asks may see some of these only. What is found is looked at. */
#include "register/private.h"

#include "base/mem.h"

#include <stdlib.h>

/* A thing that leaves its box gets one that is larger by this on each side, 300 m, so that what
 * drives about costs a comparison for most of its messages. */
enum { LEEWAY_E7 = 30000 };

static bool places_of(const struct thing *x, struct box *ret)
{
	const struct thing_place entry = thing_entry_place(x);
	bool any = entry.known;
	*ret = entry.place;
	for (unsigned i = 0; i < x->n_seen; i++) {
		if (!x->seen[i].has_location)
			continue;
		*ret = any ? box_with(*ret, &x->seen[i].place) : x->seen[i].place;
		any = true;
	}
	return any;
}

static bool is_between(int64_t more)
{
	return more >= 0 && more <= 2 * LEEWAY_E7;
}

/* Whether outer holds b, and is not much larger. */
static bool fits(const struct box *outer, const struct box *b)
{
	return is_between((int64_t)b->west_e7 - outer->west_e7) &&
	       is_between((int64_t)b->south_e7 - outer->south_e7) &&
	       is_between((int64_t)outer->east_e7 - b->east_e7) &&
	       is_between((int64_t)outer->north_e7 - b->north_e7);
}

static struct box with_leeway(const struct box *b)
{
	return (struct box){MAX_OF(b->west_e7 - LEEWAY_E7, -1800000000),
	                    MAX_OF(b->south_e7 - LEEWAY_E7, -900000000),
	                    MIN_OF(b->east_e7 + LEEWAY_E7, 1800000000),
	                    MIN_OF(b->north_e7 + LEEWAY_E7, 900000000)};
}

/* Numbers begin at 1. */
static uint32_t new_number(struct things *t)
{
	if (t->n_free)
		return t->free_numbers[--t->n_free];
	if (t->n_numbered + 1 >= t->cap_numbered) {
		t->cap_numbered = MAX_OF(2 * t->cap_numbered, 1024u);
		t->numbered = xrealloc(t->numbered, t->cap_numbered * sizeof(struct thing *));
		t->free_numbers =
		    xrealloc(t->free_numbers, t->cap_numbered * sizeof(*t->free_numbers));
	}
	return ++t->n_numbered;
}

void where_drop(struct things *t, struct thing *x)
{
	if (!x->number)
		return;
	boxes_drop(&t->boxes, x->number, &x->around);
	t->numbered[x->number] = NULL;
	t->free_numbers[t->n_free++] = x->number;
	x->number = 0;
}

void where_changed(struct things *t, struct thing *x)
{
	struct box around;
	if (!places_of(x, &around)) {
		where_drop(t, x);
		return;
	}
	if (!x->number) {
		x->number = new_number(t);
		t->numbered[x->number] = x;
	} else if (fits(&x->around, &around)) {
		return;
	} else {
		boxes_drop(&t->boxes, x->number, &x->around);
		around = with_leeway(&around);
	}
	x->around = around;
	boxes_add(&t->boxes, x->number, &x->around);
}

void where_done(struct things *t)
{
	boxes_done(&t->boxes);
	free(t->numbered);
	free(t->free_numbers);
}

/* ---- asking ---- */

static int by_key(const void *a, const void *b)
{
	const struct thing *const *x = a, *const *y = b;
	return key_order((*x)->key, (*y)->key);
}

bool things_near(struct things *t, const struct shape *s, struct span key,
                 const struct thing *out[LIMIT_THINGS_NEAR], unsigned *ret_n)
{
	uint32_t found[LIMIT_THINGS_NEAR];
	size_t n_found;
	unsigned n = 0;
	if (!boxes_meeting(&t->boxes, s, found, LIMIT_THINGS_NEAR, &n_found))
		return false;
	for (size_t i = 0; i < n_found; i++) {
		const struct thing *x = t->numbered[found[i]];
		if (!key.n || key_order(x->key, key) > 0)
			out[n++] = x;
	}
	*ret_n = n;
	return true;
}

void things_sort(const struct thing **x, unsigned n)
{
	qsort(x, n, sizeof(struct thing *), by_key);
}
