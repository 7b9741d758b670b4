/* replaced_places.c - see replaced.h. */
#include "series/replaced.h"

#include "base/err.h"

int replayed_place_order(const void *a, const void *b)
{
	const struct replayed_place *x = a, *y = b;
	if (x->p.thing != y->p.thing)
		return x->p.thing < y->p.thing ? -1 : 1;
	if (x->p.time_ms != y->p.time_ms)
		return x->p.time_ms < y->p.time_ms ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Whether the row before p's says the same: then the thing was there already, as far as the
 * journal begins only now. */
static int was_there(struct side_view *v, const struct place *p, bool *ret)
{
	uint8_t mem[12];
	struct span key, value;
	int64_t before_ms;
	struct box place;
	*ret = false;
	if (p->time_ms == INT64_MIN)
		return 0;
	int err =
	    side_seek_back(v, SIDE_PLACE, key_place(mem, p->thing, p->time_ms - 1), &key, &value);
	if (!err && key_place_read(key, p->thing, &before_ms) &&
	    row_place_read(key, value, &place) == 0)
		*ret = box_same(&place, &p->box);
	return err == ERR_NOT_FOUND ? 0 : err;
}

static int replace_one(struct replacing_places *x, struct side_txn *t, const struct place *p)
{
	struct side_view *v = side_txn_view(t);
	uint8_t mem[12];
	struct span value, key = key_place(mem, p->thing, p->time_ms);
	struct box place;
	bool there = false;
	struct buf b;
	int err = side_get(v, SIDE_PLACE, key, &value);
	if (!err && row_place_read(key, value, &place) == 0)
		return 0;
	if (err == ERR_NOT_FOUND && p->time_ms < x->keep_from_ms)
		return 0;
	if (err == ERR_NOT_FOUND)
		err = x->whole ? 0 : was_there(v, p, &there);
	if (err || there)
		return err;
	buf_init(&b, 64);
	row_place_write(key, &p->box, &b);
	side_put(t, SIDE_PLACE, key, span_of(b.p, b.len));
	err = b.err;
	buf_done(&b);
	x->restored++;
	return err;
}

int replace_places(struct replacing_places *x, const struct replayed_place *a, size_t n)
{
	struct side_txn *t;
	int err = side_begin(x->side, &t);
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++) {
		bool again = i + 1 < n && a[i + 1].p.thing == a[i].p.thing &&
		             a[i + 1].p.time_ms == a[i].p.time_ms;
		if (!again) /* of one time the last one holds */
			err = replace_one(x, t, &a[i].p);
	}
	if (!err)
		return side_commit(t);
	side_abort(t);
	return err;
}

enum { ROWS_MAX = 500 };

/* 1: there may be more behind *from_ms. */
static int find_damaged(struct side *side, uint32_t thing, int64_t *from_ms, int64_t *ret,
                        unsigned *ret_n)
{
	uint8_t mem[12];
	struct span key, value;
	struct side_view *v;
	struct box place;
	unsigned rows = 0;
	*ret_n = 0;
	int err = side_view_open(side, &v);
	if (err)
		return err;
	err = side_seek(v, SIDE_PLACE, key_place(mem, thing, *from_ms), &key, &value);
	for (; !err && rows < ROWS_MAX && key_place_read(key, thing, from_ms); rows++) {
		if (row_place_read(key, value, &place))
			ret[(*ret_n)++] = *from_ms;
		++*from_ms;
		err = side_next(v, SIDE_PLACE, &key, &value);
	}
	side_view_close(v);
	return err && err != ERR_NOT_FOUND ? err : rows == ROWS_MAX;
}

static int drop_damaged(struct side *side, uint32_t thing, const int64_t *times, unsigned n)
{
	struct side_txn *t;
	uint8_t mem[12];
	int err = side_begin(side, &t);
	if (err)
		return err;
	for (unsigned i = 0; i < n; i++)
		side_del(t, SIDE_PLACE, key_place(mem, thing, times[i]));
	return side_commit(t);
}

int replace_places_end(struct side *side, uint32_t thing, int64_t coverage_ms,
                       struct places_left *ret)
{
	int64_t times[ROWS_MAX], from_ms = INT64_MIN;
	int more = 1;
	*ret = (struct places_left){0};
	while (more == 1) {
		unsigned n, left = 0;
		more = find_damaged(side, thing, &from_ms, times, &n);
		while (more >= 0 && left < n && times[left] < coverage_ms)
			left++;
		ret->left += left;
		if (more >= 0 && n > left) {
			int err = drop_damaged(side, thing, times + left, n - left);
			more = err ? err : more;
			ret->dropped += n - left;
		}
	}
	return more;
}
