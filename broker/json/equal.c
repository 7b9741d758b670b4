/* equal.c - deep equality. See json.h.
 *
 * Objects are mostly written in the same order, so names are first looked for where they should be.
 * What is left of a big object is sorted by name: no two texts take more than n log n. Each pair of
 * values is compared once, or nested objects would double the work at every level. */
#include "json/json.h"
#include "json/scan.h"

#include <stdlib.h>

enum { LOOKUP_MEMBERS = 32 }; /* up to here every member is looked up, n * n, without memory */

static bool text_eq(const struct json_tape *a, uint32_t i, const struct json_tape *b, uint32_t j)
{
	if ((a->tok[i].flags | b->tok[j].flags) & JSON_ESCAPED)
		return scan_text_eq(json_text(a, i), json_text(b, j));
	return span_eq(json_text(a, i), json_text(b, j));
}

static bool name_eq(const struct json_tape *a, uint32_t i, const struct json_tape *b, uint32_t j)
{
	return a->tok[i].hash == b->tok[j].hash && text_eq(a, i, b, j);
}

/* Members of an object, from the name at token from to the end. */
struct rest {
	const struct json_tape *t;
	uint32_t from, end;
};

static uint32_t after(const struct rest *r, uint32_t name)
{
	return r->t->tok[name + 1].next;
}

/* The member of r with the name at token i of t, the last one given; 0: none. */
static uint32_t find(const struct rest *r, const struct json_tape *t, uint32_t i)
{
	uint32_t found = 0;
	for (uint32_t k = r->from; k < r->end; k = after(r, k))
		if (name_eq(r->t, k, t, i))
			found = k;
	return found;
}

static bool small_equal(const struct rest *a, const struct rest *b)
{
	for (uint32_t k = b->from; k < b->end; k = after(b, k))
		if (!find(a, b->t, k))
			return false;
	for (uint32_t k = a->from; k < a->end; k = after(a, k)) {
		uint32_t m = find(b, a->t, k);
		if (!m)
			return false;
		if (find(a, a->t, k) == k && !json_equal(a->t, k + 1, b->t, m + 1))
			return false;
	}
	return true;
}

/* Any total order on names in which equal names stand together, first given first. */
static int by_name(const void *pa, const void *pb, void *rest)
{
	const struct json_tape *t = ((const struct rest *)rest)->t;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	struct scan_text x = scan_text(json_text(t, a)), y = scan_text(json_text(t, b));
	int cx, cy;
	if (t->tok[a].hash != t->tok[b].hash)
		return t->tok[a].hash < t->tok[b].hash ? -1 : 1;
	do {
		cx = scan_text_next(&x);
		cy = scan_text_next(&y);
	} while (cx == cy && cx >= 0);
	if (cx != cy)
		return cx < cy ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* The names of r in order, of those given twice the last; *ret_n of them. NULL: no memory. */
static uint32_t *sorted(struct rest *r, uint32_t *ret_n)
{
	uint32_t n = 0, kept = 0;
	for (uint32_t k = r->from; k < r->end; k = after(r, k))
		n++;
	uint32_t *all = malloc((n + 1) * sizeof(*all));
	if (!all)
		return NULL;
	n = 0;
	for (uint32_t k = r->from; k < r->end; k = after(r, k))
		all[n++] = k;
	qsort_r(all, n, sizeof(*all), by_name, r);
	for (uint32_t k = 0; k < n; k++)
		if (k + 1 == n || !name_eq(r->t, all[k], r->t, all[k + 1]))
			all[kept++] = all[k];
	*ret_n = kept;
	return all;
}

static bool big_equal(struct rest *a, struct rest *b)
{
	uint32_t na = 0, nb = 0;
	uint32_t *x = sorted(a, &na), *y = sorted(b, &nb);
	bool equal;
	if (x && y) {
		equal = na == nb;
		for (uint32_t k = 0; equal && k < na; k++)
			equal = name_eq(a->t, x[k], b->t, y[k]);
		for (uint32_t k = 0; equal && k < na; k++)
			equal = json_equal(a->t, x[k] + 1, b->t, y[k] + 1);
	} else {
		equal = small_equal(a, b); /* slow, but needs none */
	}
	free(x);
	free(y);
	return equal;
}

static bool object_equal(const struct json_tape *ta, uint32_t i, const struct json_tape *tb,
                         uint32_t j)
{
	const struct json_token *x = &ta->tok[i], *y = &tb->tok[j];
	struct rest a = {ta, i + 1, x->next}, b = {tb, j + 1, y->next};
	if (!((x->flags | y->flags) & JSON_DUPLICATE)) {
		if (x->size != y->size)
			return false;
		while (a.from < a.end && name_eq(ta, a.from, tb, b.from)) {
			if (!json_equal(ta, a.from + 1, tb, b.from + 1))
				return false;
			a.from = after(&a, a.from);
			b.from = after(&b, b.from);
		}
	}
	if (x->size <= LOOKUP_MEMBERS && y->size <= LOOKUP_MEMBERS)
		return small_equal(&a, &b);
	return a.from == a.end && b.from == b.end ? true : big_equal(&a, &b);
}

bool json_tape_equal(const struct json_tape *a, uint32_t i, const struct json_tape *b, uint32_t j)
{
	assert(i < a->n && j < b->n);
	const struct json_token *x = &a->tok[i], *y = &b->tok[j];
	if (x->type != y->type)
		return false;
	switch (x->type) {
	case JSON_NUMBER: return json_number_cmp(json_text(a, i), json_text(b, j)) == 0;
	case JSON_STRING: return text_eq(a, i, b, j);
	case JSON_ARRAY:
		if (x->size != y->size)
			return false;
		for (uint32_t k = i + 1, m = j + 1; k < x->next;
		     k = a->tok[k].next, m = b->tok[m].next)
			if (!json_equal(a, k, b, m))
				return false;
		return true;
	case JSON_OBJECT: return object_equal(a, i, b, j);
	default: return true;
	}
}
