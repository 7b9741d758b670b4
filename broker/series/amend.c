/* amend.c - corrections. What was observed stays on disk as it came; a correction is a row that
 * says what to make of a span of time, applied whenever observations are read. So it costs the same
 * for a day and for a year, the original stays askable, and figures are right at once. */
#include "base/err.h"
#include "base/mem.h"
#include "series/private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static void become(const struct amend *a, struct point *p)
{
	p->kind = (uint8_t)(a->flags - 1);
	p->flags |= POINT_CORRECTED;
	if (p->kind == POINT_TEXT)
		p->text = POINT_NO_TEXT;
	else
		p->number = a->offset;
}

void amends_apply(const struct amend *a, unsigned n, struct point *p)
{
	for (unsigned i = 0; i < n; i++, a++) {
		if (p->time_ms < a->from_ms || p->time_ms >= a->to_ms)
			continue;
		switch ((enum series_amend)a->what) {
		case SERIES_CORRECT:
			if (a->flags && a->flags <= POINT_KINDS) {
				become(a, p);
				break;
			}
			if (p->kind != POINT_NUMBER)
				break;
			p->number = p->number * a->factor + a->offset;
			p->flags |= POINT_CORRECTED;
			break;
		case SERIES_FLAG: p->flags |= a->flags; break;
		case SERIES_REJECT: p->flags |= POINT_REJECTED; break;
		case SERIES_ERASE: /* these are never kept */
		case SERIES_DETAIL:
		case SERIES_MOVE: break;
		}
	}
}

unsigned amends_in_hour(const struct amend *a, unsigned n, int64_t hour_ms)
{
	unsigned in = 0; /* the first ones: rolled_ms rises */
	while (in < n && a[in].rolled_ms <= hour_ms)
		in++;
	return in;
}

void amends_apply_hour(const struct amend *a, unsigned n, int64_t hour_ms, struct figures *f)
{
	for (unsigned i = 0; i < n; i++, a++) {
		if (hour_ms < a->from_ms || hour_ms >= a->to_ms || hour_ms >= a->rolled_ms)
			continue;
		if (a->what == SERIES_REJECT)
			f->count = 0;
		if (a->what != SERIES_CORRECT)
			continue;
		double low = f->min * a->factor + a->offset, high = f->max * a->factor + a->offset;
		f->min = MIN_OF(low, high);
		f->max = MAX_OF(low, high);
		f->sum = f->sum * a->factor + (double)f->count * a->offset;
		f->first = f->first * a->factor + a->offset;
		f->last = f->last * a->factor + a->offset;
	}
}

bool amends_touch(const struct amend *a, unsigned n, int64_t from_ms, int64_t to_ms)
{
	for (unsigned i = 0; i < n; i++)
		if (a[i].from_ms < to_ms && a[i].to_ms > from_ms)
			return true;
	return false;
}

int amend_add(struct stream *st, const struct amend *a)
{
	if (st->n_amends == LIMIT_SERIES_AMENDS)
		return ERR_TOO_LARGE;
	struct amend *all = realloc(st->amends, (st->n_amends + 1u) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	st->amends = all;
	all[st->n_amends++] = *a;
	return 0;
}

/* ---- making one ---- */

static int check_one(const struct series_correction *c)
{
	if (c->from_ms >= c->to_ms || c->reason.n > LIMIT_SERIES_REASON_BYTES ||
	    c->who.n > LIMIT_SERIES_REASON_BYTES)
		return ERR_INVALID;
	if (c->has_detail && (c->detail.n > LIMIT_SERIES_DETAIL_BYTES || !c->stream_id))
		return ERR_INVALID;
	if (c->what == SERIES_DETAIL && !c->has_detail)
		return ERR_INVALID;
	if (c->what == SERIES_MOVE && (!c->stream_id || c->moved_ms == c->from_ms))
		return ERR_INVALID;
	if (c->becomes > POINT_KINDS || (c->becomes && c->to_ms != c->from_ms + 1))
		return ERR_INVALID;
	if (c->what == SERIES_CORRECT && (!isfinite(c->factor) || !isfinite(c->offset)))
		return ERR_INVALID;
	return 0;
}

/* c as it is for its i-th part. */
static struct series_correction part_of(const struct series_correction *c, unsigned i)
{
	struct series_correction one = *c;
	if (c->n_parts) {
		one.what = c->part[i].what;
		one.stream_id = c->part[i].stream_id;
		one.offset = c->part[i].offset;
		one.becomes = c->part[i].becomes;
		one.n_parts = 0;
	}
	return one;
}

static unsigned parts_of(const struct series_correction *c)
{
	return c->n_parts ? c->n_parts : 1;
}

static int check(const struct series_correction *c)
{
	int err = 0;
	for (unsigned i = 0; i < parts_of(c) && !err; i++) {
		struct series_correction one = part_of(c, i);
		err = c->n_parts && !one.stream_id ? ERR_INVALID : check_one(&one);
	}
	return err;
}

/* How many observations lie in the span. */
static int count_points(struct series *s, uint32_t id, int64_t from_ms, int64_t to_ms,
                        uint64_t *ret)
{
	const int64_t edges[2] = {from_ms, to_ms};
	struct series_ask a = {.what = SERIES_AGGREGATE,
	                       .id = id,
	                       .edges = edges,
	                       .n_edges = ARRAY_LEN(edges),
	                       .original = true};
	int err;
	do {
		err = series_step(s, &a);
		if (!err && a.n)
			*ret += a.buckets[0].points;
	} while (!err && a.more);
	series_ask_done(&a);
	return err;
}

/* What is left of one that moves is rejected. */
static uint8_t what_of(const struct series_correction *c)
{
	return (uint8_t)(c->what == SERIES_MOVE ? SERIES_REJECT : c->what);
}

/* Of a correction they say what it becomes. */
static uint16_t flags_of(const struct series_correction *c)
{
	return c->what == SERIES_CORRECT ? c->becomes : c->flags;
}

static int write_one(struct series *s, struct side_txn *t, const struct series_correction *c,
                     uint32_t stream, uint64_t id)
{
	const struct row_amend r = {.what = what_of(c),
	                            .flags = flags_of(c),
	                            .from_ms = c->from_ms,
	                            .to_ms = c->to_ms,
	                            .at_ms = clock_wall_ms(s->clock),
	                            .rolled_ms = s->streams[stream].since_ms,
	                            .factor = c->factor,
	                            .offset = c->offset,
	                            .who = c->who,
	                            .reason = c->reason};
	uint8_t mem[12];
	struct buf b;
	struct span key = key_amend(mem, stream, id);
	buf_init(&b, 4096);
	row_amend_write(key, &r, &b);
	int err = b.err;
	if (!err)
		side_put(t, SIDE_AMEND, key, span_of(b.p, b.len));
	buf_done(&b);
	return err;
}

/* Calls each for every datastream that is meant; only the thread changes their list. */
static int each_stream(struct series *s, const struct series_correction *c, uint32_t *ids,
                       unsigned max, unsigned *ret_n)
{
	unsigned n = 0;
	if (c->thing_id == 0 || c->thing_id >= s->n_things || s->things[c->thing_id].gone)
		return ERR_NOT_FOUND;
	for (uint32_t id = s->things[c->thing_id].first_stream; id; id = s->streams[id].next) {
		if (c->stream_id && id != c->stream_id)
			continue;
		if (n == max)
			return ERR_TOO_LARGE;
		if (c->what != SERIES_DETAIL &&
		    s->streams[id].n_amends + c->ahead >= LIMIT_SERIES_AMENDS)
			return ERR_TOO_LARGE;
		ids[n++] = id;
	}
	*ret_n = n;
	return n ? 0 : ERR_NOT_FOUND;
}

enum { STREAMS_MAX = 4096 };

/* A datastream and what becomes of it. */
struct fate {
	uint32_t stream;
	struct series_correction c;
};

static int write_rows(struct series *s, struct side_txn *t, const struct fate *f, unsigned n,
                      uint64_t id)
{
	int err = 0;
	for (unsigned i = 0; i < n && !err; i++) {
		if (f[i].c.what != SERIES_DETAIL)
			err = write_one(s, t, &f[i].c, f[i].stream, id);
		err = err ? err : details_correct(s, t, &f[i].c, id);
	}
	return err;
}

/* ---- promises: in the same transaction, so that each is kept once ---- */

static const char promised_key[] = "promised";

int promised_load(struct series *s, struct side_view *v)
{
	struct span value;
	int err = side_get(v, SIDE_META, span_str(promised_key), &value);
	if (err == ERR_NOT_FOUND)
		return 0;
	if (err || value.n != sizeof(s->promised))
		return err ? err : ERR_STORE_DAMAGED;
	memcpy(&s->promised, value.p, sizeof(s->promised));
	return 0;
}

uint64_t series_promised(const struct series *s)
{
	return s->promised;
}

static void keep_promise(struct side_txn *t, uint64_t number)
{
	if (number)
		side_put(t, SIDE_META, span_str(promised_key),
		         span_of((const char *)&number, sizeof(number)));
}

/* Into memory, behind the commit; under the lock. */
static int take_one(struct series *s, const struct fate *f, uint64_t id)
{
	const struct amend a = {.id = id,
	                        .from_ms = f->c.from_ms,
	                        .to_ms = f->c.to_ms,
	                        .rolled_ms = s->streams[f->stream].since_ms,
	                        .factor = f->c.factor,
	                        .offset = f->c.offset,
	                        .flags = flags_of(&f->c),
	                        .what = what_of(&f->c)};
	return f->c.what == SERIES_DETAIL ? 0 : amend_add(&s->streams[f->stream], &a);
}

static int write_all(struct series *s, struct series_correction *c, const struct fate *f,
                     unsigned n)
{
	struct side_txn *t;
	uint64_t id = MAX_OF(s->next_amend, 1u);
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	err = write_rows(s, t, f, n, id);
	if (err || c->trial) {
		side_abort(t);
		return err;
	}
	keep_promise(t, c->promise);
	err = side_commit(t);
	if (err)
		return err;
	s->promised = MAX_OF(s->promised, c->promise);
	pthread_mutex_lock(&s->state);
	for (unsigned i = 0; i < n && !err; i++)
		err = take_one(s, &f[i], id);
	s->stats.amended++;
	pthread_mutex_unlock(&s->state);
	s->next_amend = id + 1;
	c->id = id;
	c->streams = n;
	return err;
}

/* What becomes of which datastreams; *ret is the caller's to free. */
static int find_fates(struct series *s, const struct series_correction *c, struct fate **ret,
                      unsigned *ret_n)
{
	uint32_t *ids = xmalloc(STREAMS_MAX * sizeof(*ids));
	struct fate *all = NULL;
	unsigned total = 0;
	int err = 0;
	for (unsigned i = 0; i < parts_of(c) && !err; i++) {
		struct series_correction one = part_of(c, i);
		unsigned n = 0;
		err = each_stream(s, &one, ids, STREAMS_MAX, &n);
		all = xrealloc(all, (total + n) * sizeof(*all) + 1);
		for (unsigned k = 0; k < n; k++)
			all[total++] = (struct fate){ids[k], one};
	}
	free(ids);
	*ret = all;
	*ret_n = total;
	return err;
}

static int amend(struct series *s, struct series_correction *c)
{
	struct fate *f = NULL;
	unsigned n = 0;
	if (c->promise && c->promise <= s->promised)
		return 0;
	int err = check(c);
	err = err ? err : find_fates(s, c, &f, &n);
	for (unsigned i = 0; i < n && !err; i++)
		err = count_points(s, f[i].stream, c->from_ms, c->to_ms, &c->points);
	err = err ? err : flush_names(s);
	err = err ? err : write_all(s, c, f, n);
	free(f);
	return err;
}

/* ---- the way of a correction: loop, thread, loop ---- */

static void told(struct job *j)
{
	struct series_correction *c = container_of(j, struct series_correction, job);
	if (c->done)
		c->done(c);
}

void series_correct(struct series *s, struct series_correction *c)
{
	c->private_ = NULL; /* the next in line */
	c->points = c->id = 0;
	c->streams = 0;
	c->job = (struct job){.done = told};
	pthread_mutex_lock(&s->hand);
	if (s->corrections_last)
		s->corrections_last->private_ = c;
	else
		s->corrections_first = c;
	s->corrections_last = c;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->hand);
}

void amends_work(struct series *s)
{
	for (;;) {
		pthread_mutex_lock(&s->hand);
		struct series_correction *c = s->corrections_first;
		if (c)
			s->corrections_first = c->private_;
		if (!s->corrections_first)
			s->corrections_last = NULL;
		pthread_mutex_unlock(&s->hand);
		if (!c)
			return;
		c->err = c->what == SERIES_ERASE ? series_erase_thing(s, c) : amend(s, c);
		if (s->runner.post)
			s->runner.post(s->runner.arg, &c->job);
		else
			told(&c->job);
	}
}
