/* replaced.c - see replaced.h. */
#include "series/replaced.h"

#include "base/err.h"
#include "base/search.h"

#include <errno.h>

int replayed_order(const void *a, const void *b)
{
	const struct replayed *x = a, *y = b;
	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	if (x->p.time_ms != y->p.time_ms)
		return x->p.time_ms < y->p.time_ms ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int view_of(struct replacing *x, struct side_view **ret)
{
	int err = x->txn || x->view ? 0 : side_view_open(x->side, &x->view);
	*ret = x->txn ? side_txn_view(x->txn) : x->view;
	return err;
}

/* What is on disk from t on, up to *ret_last: one piece, and those that begin where it ends. A
 * piece that cannot be read has nothing. ERR_NOT_FOUND: there is nothing more. */
static int read_pieces(struct replacing *x, uint32_t id, int64_t t, struct points *ret,
                       int64_t *ret_last)
{
	struct side_view *v;
	struct chunks_at at;
	int err = view_of(x, &v);
	err = err ? err : chunks_find(v, id, COLUMN_POINTS, t, &at);
	while (!err && (!at.whole || at.head.last_ms < t))
		err = chunks_next(v, &at);
	if (err)
		return err;
	*ret_last = at.head.last_ms;
	while (!err && at.first_ms <= *ret_last) {
		int bad = at.whole ? chunk_decode(at.chunk, ret) : ERR_STORE_DAMAGED;
		if (bad && bad != ERR_STORE_DAMAGED)
			return bad;
		if (!bad)
			*ret_last = MAX_OF(*ret_last, at.head.last_ms);
		err = chunks_next(v, &at);
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}

static bool same_value(const struct points *have, const struct point *p, const struct tail_point *q)
{
	if (p->kind != q->kind)
		return false;
	return q->kind == POINT_TEXT ? span_eq(point_text(have, p), text_span(q->text))
	                             : p->number == q->number;
}

static size_t lower(const struct points *have, int64_t t)
{
	return search_first(i, 0, have->n, have->p[i].time_ms < t);
}

enum { TAKEN = 0xff }; /* kind of one that answers for one of the journal already */

/* Is it there? Of a feed that keeps all of one time, each one on disk answers for one. */
static bool is_there(const struct replacing *x, struct points *have, const struct tail_point *q)
{
	bool any = false;
	for (size_t i = lower(have, q->time_ms); i < have->n && have->p[i].time_ms == q->time_ms;
	     i++) {
		struct point *p = &have->p[i];
		any = true;
		if (p->kind == TAKEN || !same_value(have, p, q))
			continue;
		if (x->how == CONFIG_KEEP)
			p->kind = TAKEN;
		return true;
	}
	if (x->how == CONFIG_KEEP)
		return false;
	/* Another value: which came first, or last, is known only where it was put back. */
	const struct restored_range *r = x->range;
	bool ours = r->is_set && q->time_ms >= r->first_ms && q->time_ms <= r->last_ms;
	return any && !(x->how == CONFIG_REPLACE && ours);
}

static int add_missing(struct points *add, const struct tail_point *q, uint32_t *stored_s)
{
	uint32_t text = 0;
	int err = q->kind == POINT_TEXT ? points_text(add, text_span(q->text), &text) : 0;
	struct point *p = err ? NULL : points_add(add);
	if (!p)
		return err ? err : -ENOMEM;
	*stored_s = MAX_OF(*stored_s, q->stored_s);
	*p = (struct point){.time_ms = q->time_ms, .flags = q->flags, .kind = q->kind};
	if (q->kind == POINT_TEXT)
		p->text = text;
	else
		p->number = q->number;
	return 0;
}

static int put_back(struct replacing *x, uint32_t id, struct points *add, uint32_t stored_s)
{
	struct chunks_merged m = {0};
	struct restored_range *r = x->range;
	int64_t first = add->p[0].time_ms, last = add->p[add->n - 1].time_ms;
	int err = 0;
	if (!x->txn) {
		side_view_close(x->view);
		x->view = NULL;
		err = side_begin(x->side, &x->txn);
	}
	if (err)
		return err;
	r->first_ms = r->is_set ? MIN_OF(r->first_ms, first) : first;
	r->last_ms = r->is_set ? MAX_OF(r->last_ms, last) : last;
	r->is_set = true;
	err = chunks_put(x->txn, id, COLUMN_POINTS, add, x->how, stored_s, &m);
	x->restored += m.more_points > 0 ? (uint64_t)m.more_points : 0;
	return err;
}

int replace_missing(struct replacing *x, uint32_t id, const struct replayed *a, size_t n)
{
	struct points have, add;
	uint32_t stored_s = 0;
	int err = 0;
	points_init(&have, SIZE_MAX);
	points_init(&add, SIZE_MAX);
	for (size_t i = 0; i < n && !err;) {
		int64_t last_ms = INT64_MAX;
		points_clear(&have);
		err = read_pieces(x, id, a[i].p.time_ms, &have, &last_ms);
		if (err == ERR_NOT_FOUND)
			err = 0; /* all that follows is missing */
		for (; i < n && a[i].p.time_ms <= last_ms && !err; i++)
			if (!is_there(x, &have, &a[i].p))
				err = add_missing(&add, &a[i].p, &stored_s);
	}
	if (!err && add.n)
		err = put_back(x, id, &add, stored_s);
	points_done(&have);
	points_done(&add);
	return err;
}

int replace_end(struct replacing *x, int err)
{
	side_view_close(x->view);
	x->view = NULL;
	if (x->txn && err)
		side_abort(x->txn);
	else if (x->txn)
		err = side_commit(x->txn);
	x->txn = NULL;
	return err;
}
