/* replaced.c - see replaced.h. */
#include "series/replaced.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/search.h"

#include <errno.h>
#include <stdlib.h>

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
		int bad = at.whole ? chunk_decode_stored(at.chunk, ret) : ERR_STORE_DAMAGED;
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

/* Is it there? Of a feed that keeps one of each time. */
static bool is_there(const struct replacing *x, const struct points *have,
                     const struct tail_point *q)
{
	bool any = false;
	for (size_t i = lower(have, q->time_ms); i < have->n && have->p[i].time_ms == q->time_ms;
	     i++) {
		any = true;
		if (same_value(have, &have->p[i], q))
			return true;
	}
	/* Another value: which came first, or last, is known only where it was put back. */
	const struct restored_range *r = x->range;
	bool ours = r->is_set && q->time_ms >= r->first_ms && q->time_ms <= r->last_ms;
	return any && !(x->how == CONFIG_REPLACE && ours);
}

/* ---- a feed that keeps all of one time ---- */

enum {
	NONE = -1,
	GROUP_MAX = 1 << 16 /* of one time, written anew in order; what is missing of more goes
	                       behind them: a thread's memory and time are bounded so */
};

/* Those of one time: on disk, and in the window of the journal. Each one on disk answers for one of
 * the journal. */
struct mixing {
	const struct points *have;
	const struct point *disk;
	const struct replayed *q;
	size_t n_disk, n;
	bool *taken;      /* by disk: it answers for one */
	ptrdiff_t *match; /* by q: its place on disk, NONE: it is missing */
	size_t *before; /* by q: those of the disk up to here that answer for none come before it */
};

/* strictly: with the flags that it got, too; else it may have been judged by what the journal does
 * not hold any more. */
static bool is_it(const struct mixing *m, size_t at, const struct tail_point *q, bool strictly)
{
	const struct point *p = &m->disk[at];
	return same_value(m->have, p, q) && (!p->stored_s || p->stored_s == q->stored_s) &&
	       (!strictly || (p->flags & ~POINT_DUPLICATE) == q->flags);
}

static bool is_of_window(const struct mixing *m, size_t at)
{
	uint32_t stored_s = m->disk[at].stored_s;
	return !stored_s ||
	       (stored_s >= m->q[0].p.stored_s && stored_s <= m->q[m->n - 1].p.stored_s);
}

/* What is on disk stands there in the order of the journal, with holes: each is the next of the
 * journal that it can be. Where two are alike it does not matter which of them it is. Returns how
 * many were found. */
static size_t match_in_order(struct mixing *m, bool strictly)
{
	size_t next = 0, found = 0;
	for (size_t i = 0; i < m->n; i++)
		m->match[i] = NONE;
	for (size_t at = 0; at < m->n_disk; at++) {
		size_t i = is_of_window(m, at) ? next : m->n;
		while (i < m->n && !is_it(m, at, &m->q[i].p, strictly))
			i++;
		m->taken[at] = i < m->n;
		if (i == m->n)
			continue;
		m->match[i] = (ptrdiff_t)at;
		next = i + 1;
		found++;
	}
	return found;
}

/* So many on disk were stored before it, or in the same second. */
static size_t stored_before(const struct mixing *m, const struct tail_point *q)
{
	size_t k = 0;
	while (k < m->n_disk && m->disk[k].stored_s <= q->stored_s)
		k++;
	return k;
}

/* The window is a whole piece of the journal: what is on disk before the next one that matches came
 * before the missing one, what is behind the last one that matched came after the window. Where
 * none matches, when they were stored tells. */
static void place_all(struct mixing *m)
{
	ptrdiff_t next = NONE, last = NONE;
	for (size_t i = m->n; i-- > 0;) {
		next = m->match[i] == NONE ? next : m->match[i];
		m->before[i] = next == NONE ? SIZE_MAX : (size_t)next;
	}
	for (size_t i = 0; i < m->n; i++) {
		last = m->match[i] == NONE ? last : m->match[i];
		if (m->before[i] == SIZE_MAX)
			m->before[i] =
			    last == NONE ? stored_before(m, &m->q[i].p) : (size_t)last + 1;
	}
}

/* Those that stand in another order, as after a rebuild of a former version. */
static bool match_the_rest(struct mixing *m)
{
	bool all = true;
	size_t rest = 0; /* on disk, and of the window */
	for (size_t at = 0; at < m->n_disk; at++)
		rest += !m->taken[at] && is_of_window(m, at);
	for (size_t i = 0; i < m->n; i++) {
		size_t at = rest ? 0 : m->n_disk;
		while (m->match[i] == NONE && at < m->n_disk &&
		       (m->taken[at] || !is_it(m, at, &m->q[i].p, false)))
			at++;
		if (m->match[i] == NONE && at < m->n_disk) {
			m->match[i] = (ptrdiff_t)at;
			m->taken[at] = true;
			rest--;
		}
		all &= m->match[i] != NONE;
	}
	return all;
}

/* false: nothing is missing. */
static bool look_for_missing(struct mixing *m)
{
	size_t strict = match_in_order(m, true);
	if (strict < m->n_disk && match_in_order(m, false) <= strict)
		(void)match_in_order(m, true);
	place_all(m);
	return !match_the_rest(m);
}

/* All of them in the order in which they came, at the end of ret. */
static int mix(const struct mixing *m, struct points *ret)
{
	size_t at = 0;
	int err = 0;
	for (size_t i = 0; i <= m->n && !err; i++) {
		size_t to = i < m->n ? m->before[i] : m->n_disk;
		for (; at < to && !err; at++)
			if (!m->taken[at])
				err = points_copy(ret, m->have, &m->disk[at]);
		if (err || i == m->n)
			break;
		err = m->match[i] == NONE ? tail_copy(ret, &m->q[i].p)
		                          : points_copy(ret, m->have, &m->disk[m->match[i]]);
	}
	return err;
}

static int add_behind(const struct mixing *m, struct points *add)
{
	int err = 0;
	for (size_t i = 0; i < m->n && !err; i++)
		if (m->match[i] == NONE)
			err = tail_copy(add, &m->q[i].p);
	return err;
}

/* q[0..n) are of one time: those that are missing there go to add when nothing is on disk of that
 * time, else all of that time to groups. */
static int take_time(const struct points *have, const struct replayed *q, size_t n,
                     struct points *add, struct points *groups)
{
	size_t first = lower(have, q->p.time_ms), end = first;
	int err = 0;
	while (end < have->n && have->p[end].time_ms == q->p.time_ms)
		end++;
	if (first == end) {
		for (size_t i = 0; i < n && !err; i++)
			err = tail_copy(add, &q[i].p);
		return err;
	}
	struct mixing m = {have, have->p + first, q, end - first, n, NULL, NULL, NULL};
	m.taken = xcalloc(m.n_disk, sizeof(*m.taken));
	m.match = xcalloc(n, sizeof(*m.match));
	m.before = xcalloc(n, sizeof(*m.before));
	if (look_for_missing(&m))
		err = m.n_disk + n <= GROUP_MAX ? mix(&m, groups) : add_behind(&m, add);
	free(m.taken);
	free(m.match);
	free(m.before);
	return err;
}

/* ---- putting back ---- */

static int begin_change(struct replacing *x)
{
	if (x->txn)
		return 0;
	side_view_close(x->view);
	x->view = NULL;
	return side_begin(x->side, &x->txn);
}

static int put_back(struct replacing *x, uint32_t id, struct points *add)
{
	struct chunks_merged m = {0};
	struct restored_range *r = x->range;
	int64_t first = add->p[0].time_ms, last = add->p[add->n - 1].time_ms;
	int err = begin_change(x);
	if (err)
		return err;
	r->first_ms = r->is_set ? MIN_OF(r->first_ms, first) : first;
	r->last_ms = r->is_set ? MAX_OF(r->last_ms, last) : last;
	r->is_set = true;
	err = chunks_put(x->txn, id, COLUMN_POINTS, add, x->how, 0, &m);
	x->restored += m.more_points > 0 ? (uint64_t)m.more_points : 0;
	return err;
}

static int put_groups(struct replacing *x, uint32_t id, const struct points *groups)
{
	int err = begin_change(x);
	for (size_t i = 0; i < groups->n && !err;) {
		struct chunks_merged m = {0};
		struct points one = *groups;
		one.p += i;
		one.n = 0;
		while (i < groups->n && groups->p[i].time_ms == one.p[0].time_ms) {
			one.n++;
			i++;
		}
		err = chunks_put_group(x->txn, id, COLUMN_POINTS, &one, &m);
		x->restored += m.more_points > 0 ? (uint64_t)m.more_points : 0;
	}
	return err;
}

int replace_missing(struct replacing *x, uint32_t id, const struct replayed *a, size_t n)
{
	struct points have, add, groups;
	int err = 0;
	points_init(&have, SIZE_MAX);
	points_init(&add, SIZE_MAX);
	points_init(&groups, SIZE_MAX);
	for (size_t i = 0; i < n && !err;) {
		int64_t last_ms = INT64_MAX;
		points_clear(&have);
		err = read_pieces(x, id, a[i].p.time_ms, &have, &last_ms);
		if (err == ERR_NOT_FOUND)
			err = 0; /* all that follows is missing */
		for (size_t k; i < n && a[i].p.time_ms <= last_ms && !err; i = k) {
			for (k = i + 1; k < n && a[k].p.time_ms == a[i].p.time_ms;)
				k++;
			if (x->how == CONFIG_KEEP)
				err = take_time(&have, &a[i], k - i, &add, &groups);
			for (size_t j = i; j < k && x->how != CONFIG_KEEP && !err; j++)
				if (!is_there(x, &have, &a[j].p))
					err = tail_copy(&add, &a[j].p);
		}
	}
	if (!err && add.n)
		err = put_back(x, id, &add);
	if (!err && groups.n)
		err = put_groups(x, id, &groups);
	points_done(&have);
	points_done(&add);
	points_done(&groups);
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
