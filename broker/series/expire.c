/* expire.c - the end of keep-series: single observations are deleted for real, datastream after
 * datastream, once an hour. What numbers they held stays as figures of hours, in columns of their
 * own, for keep-rollups.
 *
 * The cut is at a full hour, so that each hour is either there in single observations or as
 * figures. Corrections and rejections are in the figures. An observation that comes when its hour
 * has its figures already is kept as any other until the next pass, and joins them then. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/search.h"
#include "series/private.h"

#include <stdlib.h>

enum { HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS, CHUNKS_TXN = 200 };

int64_t keep_from(const struct series *s, const struct source *src)
{
	return src->keep_ms ? clock_wall_ms(s->clock) - src->keep_ms : INT64_MIN;
}

int64_t keep_hours_from(const struct series *s, const struct source *src)
{
	if (!src->keep_ms || !src->keep_rollups_ms)
		return INT64_MIN;
	return clock_wall_ms(s->clock) - MAX_OF(src->keep_ms, src->keep_rollups_ms);
}

static int64_t floor_hour(int64_t t)
{
	int64_t r = t % HOUR_MS;
	return t - (r < 0 ? r + HOUR_MS : r);
}

/* Small steps would write the oldest chunk again every hour: a day's worth goes at once, or a tenth
 * of a short time. Answers end at keep-series whatever is still there. */
static int64_t slack_ms(const struct source *src)
{
	return MIN_OF((int64_t)DAY_MS, src->keep_ms / 10);
}

struct hours {
	struct points columns[COLUMNS];
	int64_t hour_ms;
	struct figures f;
};

static int close_hour(struct hours *h)
{
	const double values[COLUMNS] = {[COLUMN_COUNT] = (double)h->f.count,
	                                [COLUMN_MIN] = h->f.min,
	                                [COLUMN_MAX] = h->f.max,
	                                [COLUMN_SUM] = h->f.sum,
	                                [COLUMN_FIRST] = h->f.first,
	                                [COLUMN_LAST] = h->f.last};
	for (enum row_column c = COLUMN_COUNT; c < COLUMNS && h->f.count; c++) {
		struct point *p = points_add(&h->columns[c]);
		if (!p)
			return ERR_TOO_LARGE;
		*p = (struct point){
		    .time_ms = h->hour_ms, .number = values[c], .kind = POINT_NUMBER};
	}
	h->f = (struct figures){0};
	return 0;
}

static int add_to_hour(struct hours *h, const struct stream *st, const struct point *from)
{
	struct point p = *from;
	int err = 0;
	amends_apply(st->amends, amends_in_hour(st->amends, st->n_amends, floor_hour(p.time_ms)),
	             &p);
	if (p.kind == POINT_TEXT || (p.flags & POINT_REJECTED))
		return 0;
	if (h->f.count && floor_hour(p.time_ms) != h->hour_ms)
		err = close_hour(h);
	h->hour_ms = floor_hour(p.time_ms);
	struct figures *f = &h->f;
	f->min = f->count ? MIN_OF(f->min, p.number) : p.number;
	f->max = f->count ? MAX_OF(f->max, p.number) : p.number;
	f->first = f->count ? f->first : p.number;
	f->last = p.number;
	f->sum += p.number;
	f->count++;
	return err;
}

struct cut {
	struct series *s;
	struct side_txn *t;
	uint32_t id;
	int64_t cut_ms;
	struct hours hours;
	uint64_t deleted;
	int64_t now_ms;
	bool more;        /* there is more to cut than one transaction takes */
	int64_t done_ms;  /* all before it is gone */
	int64_t first_ms; /* of what is left in the chunks; INT64_MAX: nothing */
};

/* The chunk goes; what of it is not old enough comes back. */
static int cut_chunk(struct cut *x, const struct chunks_at *at)
{
	const struct stream *st = &x->s->streams[x->id];
	uint8_t mem[CHUNK_KEY_BYTES];
	struct points all, rest;
	struct chunks_merged m = {0};
	uint32_t stored_s = at->stored_s;
	points_init(&all, CHUNK_POINTS_MAX);
	points_init(&rest, CHUNK_POINTS_MAX);
	int err = at->whole ? chunk_decode_stored(at->chunk, &all) : 0;
	if (err == ERR_STORE_DAMAGED)
		err = 0; /* it is too old, whatever it was */
	for (size_t i = 0; i < all.n && !err; i++) {
		if (all.p[i].time_ms >= x->cut_ms) {
			err = points_copy(&rest, &all, &all.p[i]);
			continue;
		}
		x->deleted++;
		err = add_to_hour(&x->hours, st, &all.p[i]);
	}
	side_del(x->t, SIDE_CHUNK, key_chunk(mem, x->id, COLUMN_POINTS, at->first_ms, at->part));
	if (!err && rest.n)
		err = chunks_put(x->t, x->id, COLUMN_POINTS, &rest, CONFIG_KEEP, stored_s, &m);
	points_done(&all);
	points_done(&rest);
	return err;
}

static int cut_chunks(struct cut *x)
{
	struct chunks_at at;
	struct side_view *v = side_txn_view(x->t);
	x->first_ms = INT64_MAX;
	x->done_ms = x->cut_ms;
	for (unsigned n = 0;; n++) {
		int err = chunks_find(v, x->id, COLUMN_POINTS, INT64_MIN, &at);
		if (err == ERR_NOT_FOUND)
			return 0;
		if (err)
			return err;
		x->first_ms = at.first_ms;
		if (at.first_ms >= x->cut_ms)
			return 0;
		/* Between two transactions an hour must not be half there. */
		if (n >= CHUNKS_TXN && floor_hour(at.first_ms) > x->hours.hour_ms) {
			x->more = true;
			x->done_ms = floor_hour(at.first_ms);
			return 0;
		}
		err = cut_chunk(x, &at);
		if (err)
			return err;
	}
}

/* ---- hours that had their figures before ---- */

/* A piece of a column, unpacked, in which the next hour may be too. */
struct former {
	struct points column[COLUMNS];
};

/* 1 and *ret, 0: there is none, or an error. */
static int former_figure(struct cut *x, struct points *piece, enum row_column c, int64_t hour_ms,
                         double *ret)
{
	struct chunks_at at;
	if (!piece->n || hour_ms < piece->p[0].time_ms ||
	    hour_ms > piece->p[piece->n - 1].time_ms) {
		points_clear(piece);
		int err = chunks_find(side_txn_view(x->t), x->id, c, hour_ms, &at);
		if (!err && at.whole && at.first_ms <= hour_ms)
			err = chunk_decode(at.chunk, piece);
		if (err && err != ERR_NOT_FOUND && err != ERR_STORE_DAMAGED)
			return err;
	}
	size_t low = search_first(i, 0, piece->n, piece->p[i].time_ms < hour_ms);
	if (low == piece->n || piece->p[low].time_ms != hour_ms)
		return 0;
	*ret = piece->p[low].number;
	return 1;
}

/* The i-th of the new hours gets what its figures said before. Which of the two was first, and
 * last, is not known any more: what was said stays. */
static int join_hour(struct cut *x, struct former *f, size_t i)
{
	double old[COLUMNS], *now[COLUMNS];
	for (enum row_column c = COLUMN_COUNT; c < COLUMNS; c++) {
		struct point *p = &x->hours.columns[c].p[i];
		int there = former_figure(x, &f->column[c], c, p->time_ms, &old[c]);
		if (there <= 0)
			return there;
		now[c] = &p->number;
	}
	*now[COLUMN_COUNT] += old[COLUMN_COUNT];
	*now[COLUMN_MIN] = MIN_OF(*now[COLUMN_MIN], old[COLUMN_MIN]);
	*now[COLUMN_MAX] = MAX_OF(*now[COLUMN_MAX], old[COLUMN_MAX]);
	*now[COLUMN_SUM] += old[COLUMN_SUM];
	*now[COLUMN_FIRST] = old[COLUMN_FIRST];
	*now[COLUMN_LAST] = old[COLUMN_LAST];
	return 0;
}

static int join_hours(struct cut *x)
{
	const struct points *hours = &x->hours.columns[COLUMN_COUNT];
	int64_t since_ms = x->s->streams[x->id].since_ms;
	struct former f;
	int err = 0;
	if (!hours->n || hours->p[0].time_ms >= since_ms)
		return 0;
	for (enum row_column c = COLUMN_POINTS; c < COLUMNS; c++)
		points_init(&f.column[c], CHUNK_POINTS_MAX);
	for (size_t i = 0; i < hours->n && hours->p[i].time_ms < since_ms && !err; i++)
		err = join_hour(x, &f, i);
	for (enum row_column c = COLUMN_POINTS; c < COLUMNS; c++)
		points_done(&f.column[c]);
	return err;
}

static int put_hours(struct cut *x)
{
	struct chunks_merged m = {0};
	int err = close_hour(&x->hours);
	err = err ? err : join_hours(x);
	for (enum row_column c = COLUMN_COUNT; c < COLUMNS && !err; c++)
		if (x->hours.columns[c].n)
			err =
			    chunks_put(x->t, x->id, c, &x->hours.columns[c], CONFIG_REPLACE, 0, &m);
	return err;
}

/* Newest values that are too old themselves are not told any more. */
static void forget_newest(struct cut *x)
{
	struct stream *st = &x->s->streams[x->id];
	pthread_mutex_lock(&x->s->state);
	if (st->latest.is_set && st->latest.time_ms < x->cut_ms)
		held_clear(&st->latest);
	if (st->future && st->future->is_set && st->future->time_ms < x->cut_ms)
		held_clear(st->future);
	pthread_mutex_unlock(&x->s->state);
}

static void cut_row(void *arg, struct row_stream *r)
{
	const struct cut *x = arg;
	r->count -= MIN_OF(r->count, x->deleted);
	r->since_ms = MAX_OF(r->since_ms, x->done_ms);
	if (x->first_ms != INT64_MAX && r->count)
		r->first_ms = MAX_OF(r->first_ms, x->first_ms);
	r->has_latest = r->has_latest && r->latest.time_ms >= x->cut_ms;
	r->has_changed = r->has_changed && r->has_latest;
	r->has_future = r->has_future && r->future.time_ms >= x->cut_ms;
}

static int put_row(struct cut *x)
{
	forget_newest(x);
	return stream_row_change(x->t, x->id, cut_row, x);
}

/* ---- how much went, of each feed: for who has to answer for it ---- */

static const char deleted_key[] = "deleted/"; /* and the feed's id: u64 how many, i64 when */
enum { DELETED_KEY_BYTES = 12, DELETED_BYTES = 16 };

static struct source *source_of_cut(const struct cut *x)
{
	return x->s->sources[x->s->things[x->s->streams[x->id].thing].feed];
}

static void put_deleted(struct cut *x)
{
	const struct source *src = source_of_cut(x);
	const uint64_t n = src->deleted + x->deleted;
	uint8_t key[DELETED_KEY_BYTES];
	char value[DELETED_BYTES];
	x->now_ms = clock_wall_ms(x->s->clock);
	memcpy(key, deleted_key, 8);
	key_id(key + 8, src->id);
	memcpy(value, &n, sizeof(n));
	memcpy(value + sizeof(n), &x->now_ms, sizeof(x->now_ms));
	if (x->deleted)
		side_put(x->t, SIDE_META, span_of((char *)key, sizeof(key)),
		         span_of(value, sizeof(value)));
}

static int load_deleted(struct source *src, struct span value)
{
	if (value.n != DELETED_BYTES)
		return ERR_STORE_DAMAGED;
	memcpy(&src->deleted, value.p, sizeof(src->deleted));
	memcpy(&src->deleted_ms, value.p + sizeof(src->deleted), sizeof(src->deleted_ms));
	return 0;
}

int expire_load(struct series *s, struct side_view *v)
{
	return meta_each_feed(s, v, span_str(deleted_key), load_deleted);
}

static void take_over(struct cut *x)
{
	struct series *s = x->s;
	struct stream *st = &s->streams[x->id];
	struct source *src = source_of_cut(x);
	pthread_mutex_lock(&s->state);
	src->deleted += x->deleted;
	src->deleted_ms = x->deleted ? x->now_ms : src->deleted_ms;
	st->count -= MIN_OF(st->count, x->deleted);
	st->since_ms = MAX_OF(st->since_ms, x->done_ms);
	int64_t first_ms = MIN_OF(x->first_ms, st->last_ms);
	for (uint32_t i = 0; i < st->tail_n; i++) /* one of them may be too old as well */
		first_ms = MIN_OF(first_ms, st->tail[i].time_ms);
	if (st->count)
		st->first_ms = MAX_OF(st->first_ms, first_ms);
	st->version++;
	s->stats.expired_points += x->deleted;
	pthread_mutex_unlock(&s->state);
}

/* 1: there is more of it, 0: done, or an error. */
static int expire_stream(struct series *s, uint32_t id, int64_t cut_ms)
{
	struct cut x = {.s = s, .id = id, .cut_ms = cut_ms};
	int err = side_begin(s->side, &x.t);
	if (err)
		return err;
	for (enum row_column c = COLUMN_POINTS; c < COLUMNS; c++)
		points_init(&x.hours.columns[c], SIZE_MAX);
	x.hours.hour_ms = INT64_MIN;
	err = cut_chunks(&x);
	err = err ? err : put_hours(&x);
	err = err ? err : put_row(&x);
	put_deleted(&x);
	if (err)
		side_abort(x.t);
	else
		err = side_commit(x.t);
	if (!err)
		take_over(&x);
	int64_t done_ms = x.done_ms;
	for (enum row_column c = COLUMN_POINTS; c < COLUMNS; c++)
		points_done(&x.hours.columns[c]);
	err = err ? err : details_expire(s, id, done_ms);
	return err ? err : x.more;
}

/* Chunks of one column that end before old_ms. */
static int drop_column(struct series *s, uint32_t id, enum row_column c, int64_t old_ms)
{
	struct side_txn *t;
	struct chunks_at at;
	uint8_t mem[CHUNK_KEY_BYTES];
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	struct side_view *v = side_txn_view(t);
	while (!(err = chunks_find(v, id, c, INT64_MIN, &at)) && at.first_ms < old_ms &&
	       (!at.whole || at.head.last_ms < old_ms))
		side_del(t, SIDE_CHUNK, key_chunk(mem, id, c, at.first_ms, at.part));
	if (err && err != ERR_NOT_FOUND) {
		side_abort(t);
		return err;
	}
	return side_commit(t);
}

static bool has_old_rollups(struct series *s, uint32_t id, int64_t old_ms)
{
	struct side_view *v = NULL;
	struct chunks_at at;
	bool old = side_view_open(s->side, &v) == 0 &&
	           chunks_find(v, id, COLUMN_COUNT, INT64_MIN, &at) == 0 && at.first_ms < old_ms &&
	           (!at.whole || at.head.last_ms < old_ms);
	side_view_close(v);
	return old;
}

/* Single observations before it go, those among them whose hours have their figures. */
static int64_t cut_of(const struct series *s, const struct source *src, const struct stream *st)
{
	int64_t from = src->keep_ms ? floor_hour(keep_from(s, src)) : INT64_MIN;
	return MAX_OF(from, st->since_ms);
}

/* cut_ms: as cut_of() says. Most datastreams end at it. */
static bool is_old(const struct series *s, const struct source *src, const struct stream *st,
                   int64_t cut_ms)
{
	if (!st->count || st->first_ms >= cut_ms)
		return false;
	return st->first_ms < st->since_ms ||
	       (src->keep_ms && st->first_ms < keep_from(s, src) - slack_ms(src));
}

/* The next datastream with something too old. */
static bool find_old(struct series *s, int64_t *ret_cut_ms, int64_t *ret_old_ms)
{
	for (unsigned looks = 0; looks < LIMIT_SERIES_LOCK_LOOKS; looks++) {
		if (s->expiry.stream >= s->n_streams) {
			s->expiry.running = false;
			return false;
		}
		const struct stream *st = &s->streams[s->expiry.stream];
		const struct source *src = st->gone ? NULL : s->sources[s->things[st->thing].feed];
		if (src && st->on_disk) {
			*ret_cut_ms = cut_of(s, src, st);
			*ret_old_ms = keep_hours_from(s, src);
			if (is_old(s, src, st, *ret_cut_ms) ||
			    (st->since_ms != INT64_MIN && *ret_old_ms > INT64_MIN))
				return true;
		}
		s->expiry.stream++;
	}
	return false;
}

static bool next_stream(struct series *s, int64_t *ret_cut_ms, int64_t *ret_old_ms)
{
	pthread_mutex_lock(&s->state);
	bool found = find_old(s, ret_cut_ms, ret_old_ms);
	pthread_mutex_unlock(&s->state);
	return found;
}

bool expire_step(struct series *s)
{
	uint64_t now = clock_mono_ns(s->clock);
	int64_t cut_ms, old_ms;
	if (atomic_exchange(&s->expiry_wanted, false)) {
		atomic_store(&s->round_wanted, true); /* what is in memory only is meant, too */
		s->expiry.next_ns = now;
		s->expiry.running = false; /* from the start */
		s->expiry.thing = 0;
		return true;
	}
	if (!s->expiry.running && !s->expiry.thing) {
		if (now < s->expiry.next_ns)
			return false;
		s->expiry.next_ns = now + (uint64_t)LIMIT_SERIES_EXPIRE_S * 1000000000u;
		s->expiry.running = true;
		s->expiry.stream = 1;
	}
	if (s->expiry.thing)
		return expire_places_step(s);
	if (!next_stream(s, &cut_ms, &old_ms)) {
		if (!s->expiry.running) /* all were looked at */
			s->expiry.thing = 1;
		return true;
	}
	uint32_t id = s->expiry.stream;
	const struct stream *st = &s->streams[id];
	int err = 0;
	if (st->count && st->first_ms < cut_ms)
		err = expire_stream(s, id, cut_ms);
	for (enum row_column c = COLUMN_COUNT; c < COLUMNS && err == 0 && old_ms > INT64_MIN; c++)
		if (c > COLUMN_COUNT || has_old_rollups(s, id, old_ms))
			err = drop_column(s, id, c, old_ms);
		else
			break;
	if (err < 0)
		log_warn("Old observations could not be deleted; it is tried again in an hour. "
		         "datastream=%u why=\"%s\"",
		         id, err_text(err));
	if (err <= 0)
		s->expiry.stream++;
	return true;
}
