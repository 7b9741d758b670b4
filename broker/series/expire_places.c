/* expire_places.c - where things were before keep-series goes with their observations. The place
 * that held when keep-series begins stays, for it is that of the first observation there is. */
#include "base/err.h"
#include "base/log.h"
#include "series/private.h"

enum { ROWS_TXN = 500 };

/* The first row of the thing, when another followed it at or before cut_ms: then nothing is of it
 * any more. 0 with its time, ERR_NOT_FOUND, or an error. */
static int find_old(struct side_view *v, uint32_t thing, int64_t cut_ms, int64_t *ret_ms)
{
	uint8_t mem[12];
	struct span key, value;
	int64_t next_ms;
	int err = side_seek(v, SIDE_PLACE, key_place(mem, thing, INT64_MIN), &key, &value);
	if (err || !key_place_read(key, thing, ret_ms) || *ret_ms >= cut_ms)
		return err ? err : ERR_NOT_FOUND;
	err = side_next(v, SIDE_PLACE, &key, &value);
	if (err || !key_place_read(key, thing, &next_ms) || next_ms > cut_ms)
		return err ? err : ERR_NOT_FOUND;
	return 0;
}

/* 1: there may be more of it, 0, or an error. */
static int drop_old(struct series *s, uint32_t thing, int64_t cut_ms)
{
	struct side_txn *t;
	int64_t time_ms;
	uint8_t mem[12];
	unsigned n = 0;
	int err = side_begin(s->side, &t);
	if (err)
		return err;
	for (; n < ROWS_TXN && !(err = find_old(side_txn_view(t), thing, cut_ms, &time_ms)); n++)
		side_del(t, SIDE_PLACE, key_place(mem, thing, time_ms));
	if (err && err != ERR_NOT_FOUND) {
		side_abort(t);
		return err;
	}
	err = side_commit(t);
	return err ? err : n == ROWS_TXN;
}

/* From s->expiry.thing on, the next one with something to drop. ERR_NOT_FOUND: none of those looked
 * at. */
static int next_thing(struct series *s, int64_t *ret_cut_ms)
{
	struct side_view *v;
	int64_t time_ms;
	int err = side_view_open(s->side, &v);
	if (err)
		return err;
	err = ERR_NOT_FOUND;
	for (unsigned looks = 0; looks < LIMIT_SERIES_LOCK_LOOKS && s->expiry.thing < s->n_things;
	     looks++, s->expiry.thing++) {
		const struct thing *t = &s->things[s->expiry.thing];
		const struct source *src = t->gone ? NULL : s->sources[t->feed];
		if (!src || !src->keep_ms || !t->on_disk)
			continue;
		*ret_cut_ms = keep_from(s, src);
		err = find_old(v, s->expiry.thing, *ret_cut_ms, &time_ms);
		if (err != ERR_NOT_FOUND)
			break;
	}
	side_view_close(v);
	return err;
}

bool expire_places_step(struct series *s)
{
	int64_t cut_ms;
	int err = next_thing(s, &cut_ms);
	if (!err)
		err = drop_old(s, s->expiry.thing, cut_ms);
	if (err < 0 && err != ERR_NOT_FOUND) {
		log_warn("Old places could not be deleted; it is tried again in an hour. thing=%u "
		         "why=\"%s\"",
		         s->expiry.thing, err_text(err));
		s->expiry.thing++;
	}
	if (s->expiry.thing >= s->n_things)
		s->expiry.thing = 0;
	return s->expiry.thing > 0;
}
