/* walk_array.c - the elements of an array, once. */
#include "schema/walk.h"

static bool walk_element(struct walk *w, const struct node *array, const struct node *n, uint32_t i,
                         uint32_t index)
{
	bool collect = w->collect;
	w->collect = false;
	w->st->path[w->depth++] = PATH_INDEX | index;
	bool ok = array->note && array->note->role == ROLE_ITEM ? walk_item(w, n, i)
	                                                        : walk_value(w, n, i);
	w->depth--;
	w->collect = collect;
	return ok || w->report;
}

/* contains looks without reading: results come from items. */
static bool fits_contains(struct walk *w, const struct node *n, uint32_t i, uint32_t index)
{
	struct extract *ret = w->ret;
	w->ret = NULL;
	w->st->path[w->depth++] = PATH_INDEX | index;
	bool ok = walk_try(w, n->array->contains, i);
	w->depth--;
	w->ret = ret;
	return ok;
}

static bool walk_elements(struct walk *w, const struct node *n, uint32_t i, uint32_t *ret_fit)
{
	const struct array_rule *r = n->array;
	uint32_t end = w->tok[i].next, index = 0, fit = 0;
	for (uint32_t at = i + 1; at < end; at = w->tok[at].next, index++) {
		const struct node *child = index < r->n_prefix ? r->prefix[index] : r->rest;
		bool evaluated = child != NULL;
		if (child && !walk_element(w, n, child, at, index))
			return false;
		if (r->contains && fits_contains(w, n, at, index)) {
			fit++;
			evaluated |= r->contains_evaluates;
		}
		if (evaluated && w->collect)
			walk_evaluated(w, at);
		if (w->exhausted)
			return false;
	}
	*ret_fit = fit;
	return true;
}

bool walk_array(struct walk *w, const struct node *n, uint32_t i)
{
	const struct array_rule *r = n->array;
	uint32_t size = w->tok[i].size, fit = 0, pair = 0;
	if (size < r->min && walk_stop(w, i, RULE_MIN_ITEMS, n, 0))
		return false;
	if (size > r->max && walk_stop(w, i, RULE_MAX_ITEMS, n, 0))
		return false;
	if ((r->prefix || r->rest || r->contains) && !walk_elements(w, n, i, &fit))
		return false;
	if (r->contains && fit < r->min_contains && walk_stop(w, i, RULE_MIN_CONTAINS, n, fit))
		return false;
	if (r->contains && fit > r->max_contains && walk_stop(w, i, RULE_MAX_CONTAINS, n, fit))
		return false;
	if (r->unique && size > 1 && !walk_unique(w, i, &pair))
		return !w->exhausted && !walk_stop(w, i, RULE_UNIQUE, n, pair);
	return true;
}
