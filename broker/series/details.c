/* details.c - what came with observations beside time and result (SensorThings: resultTime,
 * validTime, parameters, resultQuality), in a table of its own: who has none of it pays nothing.
 *
 * A row is keyed by the datastream, the time and a mark of the value as it came. So whatever a feed
 * says of duplicates, an observation that is shown has the details that came with its value, and
 * the order in which pieces reach the disk does not matter: rows may be there before their
 * observation, never after it. What is changed is another row behind the first; the newest counts,
 * the first is what is told as original. */
#include "base/err.h"
#include "base/mem.h"
#include "base/search.h"
#include "series/private.h"

#include <errno.h>
#include <stdlib.h>

enum { ROW_BYTES_MAX = LIMIT_SERIES_DETAIL_BYTES + 1024, ROWS_TXN = 5000 };

/* A detail belongs to the value that it came with: of two of one time each has its own. */
static uint32_t detail_mark(uint8_t kind, double number, struct span text)
{
	/* Fixed: the marks are on disk. */
	static const struct hash_key key = {0x6f7564702d646574, 0x61696c2d6d61726b};
	char mem[1 + sizeof(number)] = {(char)kind};
	if (kind == POINT_TEXT)
		return (uint32_t)hash64(&key, text.p, text.n);
	number = number == 0 ? 0 : number; /* -0 is 0 */
	memcpy(mem + 1, &number, sizeof(number));
	return (uint32_t)hash64(&key, mem, sizeof(mem));
}

static uint32_t mark_of(const struct points *all, const struct point *p)
{
	return p->kind == POINT_TEXT ? detail_mark(p->kind, 0, point_text(all, p))
	                             : detail_mark(p->kind, p->number, (struct span){0});
}

/* ---- in memory ---- */

void details_note(struct series *s, uint32_t stream, const struct tail_point *p, struct span text)
{
	if (s->n_details == s->cap_details) {
		s->cap_details = s->cap_details ? 2 * s->cap_details : 64;
		s->details = xrealloc(s->details, s->cap_details * sizeof(*s->details));
	}
	bool is_text = p->kind == POINT_TEXT;
	s->details[s->n_details++] =
	    (struct noted){.time_ms = p->time_ms,
	                   .stream = stream,
	                   .mark = detail_mark(p->kind, is_text ? 0 : p->number,
	                                       is_text ? text_span(p->text) : (struct span){0}),
	                   .text = text_new(text)};
}

bool details_full(const struct series *s)
{
	return s->n_details >= LIMIT_SERIES_DETAILS;
}

void details_free(struct series *s)
{
	for (uint32_t i = 0; i < s->n_details; i++)
		free(s->details[i].text);
	free(s->details);
}

void details_copy(struct series *s, uint32_t stream, int64_t from_ms, int64_t to_ms,
                  struct waiting_details *ret)
{
	*ret = (struct waiting_details){0};
	pthread_mutex_lock(&s->state);
	for (uint32_t i = 0; i < s->n_details; i++) {
		const struct noted *d = &s->details[i];
		if (d->stream != stream || d->time_ms < from_ms || d->time_ms >= to_ms)
			continue;
		if (!ret->p) /* what is left is the most that can follow */
			ret->p = xmalloc((s->n_details - i) * sizeof(*ret->p));
		ret->p[ret->n] = *d;
		ret->p[ret->n++].text = text_new(text_span(d->text));
	}
	pthread_mutex_unlock(&s->state);
}

void waiting_details_free(struct waiting_details *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->p[i].text);
	free(w->p);
	*w = (struct waiting_details){0};
}

/* ---- to disk ---- */

static void put_row(struct side_txn *t, const struct key_of_detail *k, const struct row_detail *r)
{
	uint8_t mem[DETAIL_KEY_BYTES];
	struct span key = key_detail(mem, k);
	struct buf b;
	buf_init(&b, ROW_BYTES_MAX);
	row_detail_write(key, r, &b);
	assert(!b.err);
	side_put(t, SIDE_DETAIL, key, span_of(b.p, b.len));
	buf_done(&b);
}

static bool is_whole(struct side_txn *t, const struct key_of_detail *k)
{
	uint8_t mem[DETAIL_KEY_BYTES];
	struct row_detail r;
	struct span value, key = key_detail(mem, k);
	return side_get(side_txn_view(t), SIDE_DETAIL, key, &value) == 0 &&
	       row_detail_read(key, value, &r) == 0;
}

static enum config_duplicates duplicates_of(struct series *s, uint32_t stream)
{
	pthread_mutex_lock(&s->state);
	enum config_duplicates how =
	    s->sources[s->things[s->streams[stream].thing].feed]->duplicates;
	pthread_mutex_unlock(&s->state);
	return how;
}

void details_put(struct series *s, struct side_txn *t)
{
	for (uint32_t i = 0; i < s->details_flushing; i++) {
		const struct noted *d = &s->details[i];
		const struct key_of_detail k = {
		    .stream = d->stream, .time_ms = d->time_ms, .mark = d->mark};
		const struct row_detail r = {.kind = DETAIL_TEXT, .text = text_span(d->text)};
		if (duplicates_of(s, d->stream) == CONFIG_IGNORE && is_whole(t, &k))
			continue; /* the first counts */
		put_row(t, &k, &r);
	}
}

void details_take_over(struct series *s, bool done)
{
	uint32_t n = done ? s->details_flushing : 0;
	for (uint32_t i = 0; i < n; i++)
		free(s->details[i].text);
	s->n_details -= n;
	if (n)
		memmove(s->details, s->details + n, s->n_details * sizeof(*s->details));
	s->details_flushing = 0;
}

int details_write(struct series *s)
{
	struct side_txn *t;
	int err = flush_names(s); /* a number means one thing before anything has it */
	err = err ? err : side_begin(s->side, &t);
	if (err)
		return err;
	s->details_flushing = s->n_details; /* only this thread adds */
	details_put(s, t);
	err = side_commit(t);
	pthread_mutex_lock(&s->state);
	details_take_over(s, !err);
	pthread_mutex_unlock(&s->state);
	return err;
}

/* ---- away ---- */

/* One that moved on and is kept at its new time is still found by its number. */
static bool is_needed(struct span key, struct span value, int64_t before_ms)
{
	struct row_detail r;
	return row_detail_read(key, value, &r) == 0 && r.kind == DETAIL_MOVED &&
	       r.other_ms >= before_ms;
}

/* 1: there may be more, 0, or an error. *at: where to begin, and to go on. */
static int expire_some(struct series *s, struct key_of_detail *at, int64_t before_ms)
{
	struct side_txn *t;
	struct key_of_detail k;
	struct span key, value;
	uint32_t stream = at->stream;
	unsigned n = 0;
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	struct side_view *v = side_txn_view(t);
	while (n++ < ROWS_TXN) {
		uint8_t mem[DETAIL_KEY_BYTES];
		err = side_seek(v, SIDE_DETAIL, key_detail(mem, at), &key, &value);
		if (err || !key_detail_read(key, &k) || k.stream != stream ||
		    k.time_ms >= before_ms) {
			n = 0;
			break;
		}
		bool keep = is_needed(key, value, before_ms);
		*at = k;
		at->id++; /* numbers of corrections do not reach the end */
		if (!keep)
			side_del(t, SIDE_DETAIL, key_detail(mem, &k));
	}
	if (err && err != ERR_NOT_FOUND) {
		side_abort(t);
		return err;
	}
	err = side_commit(t);
	return err ? err : n > 0;
}

int details_expire(struct series *s, uint32_t stream, int64_t before_ms)
{
	struct key_of_detail at = {.stream = stream, .time_ms = INT64_MIN};
	struct side_view *v;
	struct span key, value;
	uint8_t mem[DETAIL_KEY_BYTES];
	struct key_of_detail first;
	int err = side_view_open(s->side, &v);
	if (err)
		return err;
	err = side_seek(v, SIDE_DETAIL, key_detail(mem, &at), &key, &value);
	bool any = !err && key_detail_read(key, &first) && first.stream == stream &&
	           first.time_ms < before_ms;
	side_view_close(v);
	int more = err == ERR_NOT_FOUND ? 0 : err ? err : any;
	while (more == 1)
		more = expire_some(s, &at, before_ms);
	return more;
}

/* ---- corrections ---- */

/* The observation of a time as it came: its mark. */
static int mark_at(struct series *s, uint32_t stream, int64_t time_ms, uint32_t *ret)
{
	struct series_ask a = {.what = SERIES_RAW,
	                       .id = stream,
	                       .from_ms = time_ms,
	                       .to_ms = time_ms + 1,
	                       .original = true,
	                       .rejected = true,
	                       .limit = 1};
	int err;
	do
		err = series_step(s, &a);
	while (!err && !a.points.n && a.more);
	if (!err && !a.points.n)
		err = ERR_NOT_FOUND;
	if (!err)
		*ret = mark_of(&a.points, &a.points.p[0]);
	series_ask_done(&a);
	return err;
}

struct standing { /* rows of one time */
	unsigned n;
	int64_t number_ms;
	uint64_t last; /* of their corrections */
};

static int look_at(struct side_view *v, uint32_t stream, int64_t time_ms, struct standing *s)
{
	uint8_t mem[DETAIL_KEY_BYTES];
	struct key_of_detail k = {.stream = stream, .time_ms = time_ms};
	struct row_detail r;
	struct span key, value;
	int err = side_seek(v, SIDE_DETAIL, key_detail(mem, &k), &key, &value);
	s->n = 0;
	s->number_ms = time_ms;
	for (; !err && key_detail_read(key, &k) && k.stream == stream && k.time_ms == time_ms;
	     err = side_next(v, SIDE_DETAIL, &key, &value)) {
		s->n++;
		s->last = MAX_OF(s->last, k.id);
		if (row_detail_read(key, value, &r) == 0 && r.kind == DETAIL_NUMBER)
			s->number_ms = r.other_ms;
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}

/* Its number leads to where it is now, from its first place and from this one. Rows of numbers are
 * about a time, whatever value stands there: mark 0. */
static void put_move(struct side_txn *t, const struct series_correction *c, struct key_of_detail k,
                     int64_t number_ms, struct row_detail r)
{
	int64_t here_ms = k.time_ms;
	k.mark = 0;
	r.kind = DETAIL_MOVED;
	r.other_ms = c->moved_ms;
	put_row(t, &k, &r);
	k.time_ms = number_ms;
	if (number_ms != here_ms)
		put_row(t, &k, &r);
	k.time_ms = c->moved_ms;
	r.kind = DETAIL_NUMBER;
	r.other_ms = number_ms;
	put_row(t, &k, &r);
}

int details_correct(struct series *s, struct side_txn *t, const struct series_correction *c,
                    uint64_t id)
{
	struct key_of_detail k = {.stream = c->stream_id, .time_ms = c->from_ms, .id = id};
	struct row_detail r = {
	    .kind = DETAIL_TEXT, .at_ms = clock_wall_ms(s->clock), .who = c->who};
	struct standing here = {0}, there = {0};
	struct side_view *v = side_txn_view(t);
	uint32_t there_mark; /* it must be there */
	if (!c->has_detail && c->what != SERIES_MOVE)
		return 0;
	int err = mark_at(s, k.stream, k.time_ms, &k.mark);
	if (!err && c->what == SERIES_MOVE && !c->trial)
		err = mark_at(s, k.stream, c->moved_ms, &there_mark);
	err = err ? err : look_at(v, k.stream, k.time_ms, &here);
	if (!err && here.n >= LIMIT_SERIES_DETAIL_CHANGES)
		err = ERR_TOO_LARGE;
	if (!err && c->what == SERIES_MOVE)
		err = look_at(v, k.stream, c->moved_ms, &there);
	if (!err && c->what == SERIES_MOVE)
		err = look_at(v, k.stream, here.number_ms, &there);
	if (err)
		return err;
	k.id = MAX_OF(id, MAX_OF(here.last, there.last) + 1); /* behind all that are there */
	if (c->what == SERIES_MOVE) {
		put_move(t, c, k, here.number_ms, r);
		return 0;
	}
	r.text = c->detail;
	put_row(t, &k, &r);
	return 0;
}

int series_moved(struct series *s, uint32_t stream_id, int64_t time_ms, int64_t *ret_ms)
{
	uint8_t mem[DETAIL_KEY_BYTES];
	struct key_of_detail k = {.stream = stream_id, .time_ms = time_ms};
	struct row_detail r;
	struct side_view *v;
	struct span key, value;
	uint64_t newest = 0;
	int err = side_view_open(s->side, &v);
	if (err)
		return err;
	err = side_seek(v, SIDE_DETAIL, key_detail(mem, &k), &key, &value);
	for (; !err && key_detail_read(key, &k) && k.stream == stream_id && k.time_ms == time_ms;
	     err = side_next(v, SIDE_DETAIL, &key, &value))
		if (row_detail_read(key, value, &r) == 0 && r.kind == DETAIL_MOVED &&
		    k.id >= newest) {
			newest = k.id;
			*ret_ms = r.other_ms;
		}
	side_view_close(v);
	return err && err != ERR_NOT_FOUND ? err : newest ? 0 : ERR_NOT_FOUND;
}

/* ---- in an answer ---- */

void details_clear(struct details *d)
{
	d->n = 0;
	d->of_n = 0;
	buf_clear(&d->texts);
}

void details_told(struct details *d, uint32_t of)
{
	if (d->of_n == d->of_cap) {
		d->of_cap = d->of_cap ? 2 * d->of_cap : 16;
		d->of = xrealloc(d->of, d->of_cap * sizeof(*d->of));
	}
	d->of[d->of_n++] = of;
}

const struct series_detail *series_detail(const struct series_ask *a, size_t i)
{
	const struct details *d = &a->private_->details;
	return i < d->of_n && d->of[i] ? &d->d[d->of[i] - 1].told : NULL;
}

struct finding {
	const struct points *all;
	size_t first, last;
	uint32_t *of;
	struct details *ret;
};

static size_t first_at(const struct finding *f, int64_t time_ms)
{
	return search_first(i, f->first, f->last + 1, f->all->p[i].time_ms < time_ms);
}

/* What is known of the i-th point; made when there is nothing yet. */
static struct found_detail *detail_of_point(struct finding *f, size_t i)
{
	struct details *d = f->ret;
	if (!f->of[i]) {
		if (d->n == d->cap) {
			d->cap = d->cap ? 2 * d->cap : 16;
			d->d = xrealloc(d->d, d->cap * sizeof(*d->d));
		}
		d->d[d->n++] = (struct found_detail){.told.number_ms = f->all->p[i].time_ms};
		f->of[i] = d->n;
	}
	return &d->d[f->of[i] - 1];
}

static int set_text(struct finding *f, struct found_detail *d, struct span text)
{
	d->has_text = true;
	d->at = f->ret->texts.len;
	d->told.text.n = text.n;
	buf_add_span(&f->ret->texts, text);
	return f->ret->texts.err;
}

/* All points of the time that it is about, with that value where it is about one. */
static int take_row(struct finding *f, const struct series_ask *a, const struct key_of_detail *k,
                    const struct row_detail *r)
{
	bool number = r->kind == DETAIL_NUMBER;
	int err = 0;
	if (r->kind == DETAIL_MOVED || (a->original && k->id && !number))
		return 0;
	for (size_t i = first_at(f, k->time_ms);
	     i <= f->last && f->all->p[i].time_ms == k->time_ms && !err; i++) {
		if (!number && mark_of(f->all, &f->all->p[i]) != k->mark)
			continue;
		struct found_detail *d = detail_of_point(f, i);
		if (number) {
			d->told.number_ms = r->other_ms;
			continue;
		}
		d->told.changed = k->id > 0;
		err = set_text(f, d, r->text);
	}
	return err;
}

static int take_rows(struct finding *f, struct side_view *v, struct series_ask *a)
{
	uint8_t mem[DETAIL_KEY_BYTES];
	struct key_of_detail k = {.stream = a->id, .time_ms = f->all->p[f->first].time_ms};
	int64_t last_ms = f->all->p[f->last].time_ms;
	struct row_detail r;
	struct span key, value;
	int err = side_seek(v, SIDE_DETAIL, key_detail(mem, &k), &key, &value);
	while (!err && key_detail_read(key, &k) && k.stream == a->id && k.time_ms <= last_ms) {
		if (row_detail_read(key, value, &r))
			a->damaged++;
		else
			err = take_row(f, a, &k, &r);
		err = err ? err : side_next(v, SIDE_DETAIL, &key, &value);
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}

/* The same of one in memory, which came as it is: what changed it counts. */
static int take_noted(struct finding *f, const struct noted *n, bool first_counts)
{
	int err = 0;
	for (size_t i = first_at(f, n->time_ms);
	     i <= f->last && f->all->p[i].time_ms == n->time_ms && !err; i++) {
		if (mark_of(f->all, &f->all->p[i]) != n->mark)
			continue;
		struct found_detail *d = detail_of_point(f, i);
		if (!d->told.changed && !(first_counts && d->has_text))
			err = set_text(f, d, text_span(n->text));
	}
	return err;
}

static int take_waiting(struct finding *f, const struct waiting_details *w,
                        enum config_duplicates how)
{
	int err = 0;
	for (size_t i = 0; i < w->n && !err; i++)
		err = take_noted(f, &w->p[i], how == CONFIG_IGNORE);
	return err;
}

int details_find(struct side_view *v, struct series_ask *a, enum config_duplicates how,
                 const struct waiting_details *w, const struct points *all, size_t first,
                 size_t last, uint32_t *of, struct details *ret)
{
	struct finding f = {all, first, last, of, ret};
	int err = take_rows(&f, v, a);
	err = err ? err : take_waiting(&f, w, how);
	for (uint32_t i = 0; i < ret->n; i++)
		if (ret->d[i].has_text)
			ret->d[i].told.text.p = ret->texts.p + ret->d[i].at;
	return err;
}
