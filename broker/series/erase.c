/* erase.c - everything of one thing goes: observations, figures of hours,
 * corrections, places, its names. Its numbers are not given out again.
 *
 * First all that is in memory is written, so that a start does not read its
 * records again: the checkpoint is then behind them. */
#include "base/err.h"
#include "base/mem.h"
#include "series/private.h"

#include <stdlib.h>

enum { ROWS_TXN = 500 };
static const char next_key[] = "next";

/* Deletes rows of table whose keys begin so, some hundred in a transaction of
 * its own. 1: there may be more, 0, or an error. */
static int delete_some(struct series *s, enum side_table table, struct span prefix)
{
	struct side_txn *t;
	struct span key, value;
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	unsigned n = 0;
	while (n < ROWS_TXN && !(err = side_seek(side_txn_view(t), table, prefix, &key, &value)) &&
	       key.n >= prefix.n && memcmp(key.p, prefix.p, prefix.n) == 0) {
		char copy[SIDE_KEY_BYTES_MAX]; /* the row's page changes under it */
		assert(key.n <= sizeof(copy));
		memcpy(copy, key.p, key.n);
		side_del(t, table, span_of(copy, key.n));
		n++;
	}
	if (err && err != ERR_NOT_FOUND) {
		side_abort(t);
		return err;
	}
	err = side_commit(t);
	return err ? err : n == ROWS_TXN;
}

static int delete_all(struct series *s, enum side_table table, uint32_t id)
{
	uint8_t mem[4];
	int more;
	while ((more = delete_some(s, table, key_id(mem, id))) == 1)
		;
	return more;
}

/* So that numbers of what is gone are not given out again. */
static int keep_numbers(struct series *s)
{
	const uint32_t next[2] = {s->n_things, s->n_streams};
	struct side_txn *t;
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	side_put(t, SIDE_META, span_str(next_key), span_of((const char *)next, sizeof(next)));
	return side_commit(t);
}

int erase_load(struct series *s, struct side_view *v)
{
	struct span value;
	uint32_t next[2];
	int err = side_get(v, SIDE_META, span_str(next_key), &value);
	if (err == ERR_NOT_FOUND)
		return 0;
	if (err || value.n != sizeof(next))
		return err ? err : ERR_STORE_DAMAGED;
	memcpy(next, value.p, sizeof(next));
	if (next[0] > LIMIT_SERIES_STREAMS + 1u || next[1] > 2u * LIMIT_SERIES_STREAMS)
		return ERR_STORE_DAMAGED;
	if (next[0] > 1)
		thing_at(s, next[0] - 1);
	if (next[1] > 1)
		stream_at(s, next[1] - 1);
	return 0;
}

static void forget_stream(struct series *s, struct source *src, uint32_t id)
{
	struct stream *st = &s->streams[id];
	assert(st->tail_n == 0); /* it was written */
	free(st->tail);
	held_clear(&st->latest);
	if (st->future)
		held_clear(st->future);
	free(st->future);
	free(st->amends);
	*st = (struct stream){.gone = true};
	s->stats.streams--;
	src->streams--;
}

static void forget_thing(struct series *s, uint32_t thing_id)
{
	struct thing *x = &s->things[thing_id];
	struct source *src = s->sources[x->feed];
	pthread_mutex_lock(&s->state);
	for (uint32_t id = x->first_stream, next; id; id = next) {
		next = s->streams[id].next;
		forget_stream(s, src, id);
	}
	x->gone = true; /* its name stays: an answer under way may hold it */
	if (thing_is_placed(x))
		near_moved(s, thing_id, &x->place.box);
	x->first_stream = x->n_streams = 0;
	s->stats.things--;
	src->things--;
	pthread_mutex_unlock(&s->state);
}

int series_erase_thing(struct series *s, struct series_correction *c)
{
	if (c->thing_id == 0 || c->thing_id >= s->n_things || s->things[c->thing_id].gone)
		return ERR_NOT_FOUND;
	int err = series_flush(s);
	err = err ? err : keep_numbers(s);
	for (uint32_t id = s->things[c->thing_id].first_stream; id && !err;
	     id = s->streams[id].next) {
		c->points += s->streams[id].count;
		c->streams++;
		err = delete_all(s, SIDE_CHUNK, id);
		err = err ? err : delete_all(s, SIDE_AMEND, id);
		err = err ? err : delete_all(s, SIDE_DETAIL, id);
		err = err ? err : delete_all(s, SIDE_STREAM, id);
	}
	err = err ? err : delete_all(s, SIDE_PLACE, c->thing_id);
	err = err ? err : delete_all(s, SIDE_THING, c->thing_id);
	if (!err)
		forget_thing(s, c->thing_id);
	return err;
}
