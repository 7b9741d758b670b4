/* view.c - one datastream as a step of an answer sees it: what is in memory and what is on disk
 * make a whole, with nothing missing and nothing twice.
 *
 * The tail is copied first, then the view of the disk begins. Meanwhile a transaction may have
 * moved (part of) the tail to disk. The datastream's row in the view says up to which sequence the
 * chunks of the view are complete: that is either what memory said (all of the copy is missing on
 * disk), or what it said of the transaction under way (that part of the copy is there), or
 * something newer: then it is tried again. */
#include "base/err.h"
#include "series/private.h"

#include <errno.h>
#include <stdlib.h>

enum { TRIES = 100 };

struct copied {
	uint64_t disk_sequence, flush_sequence;
	size_t flushing; /* the first so many of the copy are in a transaction */
	bool in_flush, on_disk;
};

int tail_copy(struct points *to, const struct tail_point *p)
{
	uint32_t text = 0;
	int err = p->kind == POINT_TEXT ? points_text(to, text_span(p->text), &text) : 0;
	struct point *q = err ? NULL : points_add(to);
	if (!q)
		return err ? err : ERR_TOO_LARGE;
	*q = (struct point){
	    .time_ms = p->time_ms, .stored_s = p->stored_s, .flags = p->flags, .kind = p->kind};
	if (p->kind == POINT_TEXT)
		q->text = text;
	else
		q->number = p->number;
	return 0;
}

/* Arrivals come about in their order, so the last ones have about the newest times; a few more, for
 * those that do not. Any bound is right: it only says from when on the tail is whole. */
static int64_t newest_from(const struct stream *st, int64_t from_ms, int64_t to_ms, size_t newest)
{
	enum { MORE = 32 };
	int64_t bound = INT64_MAX;
	size_t left = newest + MORE;
	if (!newest || st->tail_n < 2 * left)
		return from_ms;
	for (uint32_t i = st->tail_n; i-- > 0 && left;) {
		int64_t t = st->tail[i].time_ms;
		if (t < from_ms || t >= to_ms)
			continue;
		bound = MIN_OF(bound, t);
		left--;
	}
	return left ? from_ms : bound;
}

/* Of the tail: nothing before it is of from_ms or later. */
static uint32_t tail_begin(const struct stream *st, int64_t from_ms)
{
	uint32_t i = st->mixed ? 0 : st->tail_n;
	while (i > 0 && st->tail[i - 1].time_ms >= from_ms)
		i--;
	return i;
}

static int copy_tail(const struct stream *st, int64_t from_ms, int64_t to_ms, struct points *to,
                     struct copied *c)
{
	*c = (struct copied){.disk_sequence = st->disk_sequence,
	                     .flush_sequence = st->flush_sequence,
	                     .in_flush = st->flushing > 0,
	                     .on_disk = st->on_disk};
	for (uint32_t i = tail_begin(st, from_ms); i < st->tail_n; i++) {
		const struct tail_point *p = &st->tail[i];
		if (i == st->flushing)
			c->flushing = to->n;
		if (p->time_ms < from_ms || p->time_ms >= to_ms)
			continue;
		int err = tail_copy(to, p);
		if (err)
			return err;
	}
	if (st->flushing >= st->tail_n)
		c->flushing = to->n;
	return 0;
}

static int copy_amends(const struct stream *st, struct sight *v)
{
	if (!st->n_amends)
		return 0;
	v->amends = malloc(st->n_amends * sizeof(*v->amends));
	if (!v->amends)
		return -ENOMEM;
	memcpy(v->amends, st->amends, st->n_amends * sizeof(*v->amends));
	v->n_amends = st->n_amends;
	return 0;
}

static int copy_memory(struct series *s, uint32_t id, int64_t from_ms, int64_t to_ms, size_t newest,
                       struct sight *v, struct copied *c)
{
	int err = ERR_NOT_FOUND;
	pthread_mutex_lock(&s->state);
	if (id && id < s->n_streams && !s->streams[id].gone) {
		const struct stream *st = &s->streams[id];
		const struct source *src = s->sources[s->things[st->thing].feed];
		v->duplicates = src->duplicates;
		v->keep_from_ms = keep_from(s, src);
		v->since_ms = st->since_ms;
		v->from_ms = newest_from(st, from_ms, to_ms, st->n_amends ? 0 : newest);
		err = copy_tail(st, v->from_ms, to_ms, &v->tail, c);
		err = err ? err : copy_amends(st, v);
	}
	pthread_mutex_unlock(&s->state);
	return err;
}

/* From when on there are single observations is the view's to say, too. */
static int row_sequence(struct side_view *view, uint32_t id, uint64_t *ret, int64_t *since_ms)
{
	uint8_t mem[4];
	struct span value, key = key_id(mem, id);
	struct row_stream r;
	int err = side_get(view, SIDE_STREAM, key, &value);
	if (err == ERR_NOT_FOUND) {
		*ret = 0;
		return 0;
	}
	err = err ? err : row_stream_read(key, value, &r);
	if (err)
		return err;
	*ret = r.sequence;
	*since_ms = r.since_ms;
	return 0;
}

/* 0, ERR_AGAIN: the disk went on meanwhile. */
static int try_open(struct series *s, uint32_t id, int64_t from_ms, int64_t to_ms, size_t newest,
                    struct sight *v)
{
	struct copied c;
	uint64_t at;
	int err = copy_memory(s, id, from_ms, to_ms, newest, v, &c);
	err = err ? err : side_view_open(s->side, &v->view);
	err = err ? err : row_sequence(v->view, id, &at, &v->since_ms);
	if (err)
		return err;
	if (at != c.disk_sequence) {
		if (!c.in_flush || at != c.flush_sequence)
			return ERR_AGAIN;
		points_drop(&v->tail, c.flushing);
	}
	err = points_sort(&v->tail);
	if (!err)
		points_unique(&v->tail, v->duplicates);
	return err;
}

int sight_open(struct series *s, uint32_t id, int64_t from_ms, int64_t to_ms, size_t newest,
               struct sight *ret)
{
	for (int i = 0; i < TRIES; i++) {
		*ret = (struct sight){0};
		points_init(&ret->tail, SIZE_MAX);
		int err = try_open(s, id, from_ms, to_ms, newest, ret);
		if (!err)
			return 0;
		sight_close(ret);
		if (err != ERR_AGAIN)
			return err;
	}
	return ERR_AGAIN;
}

void sight_close(struct sight *v)
{
	side_view_close(v->view);
	points_done(&v->tail);
	free(v->amends);
	*v = (struct sight){0};
}
