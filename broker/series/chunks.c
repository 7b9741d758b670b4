/* chunks.c - see chunks.h. */
#include "series/chunks.h"

#include "base/err.h"
#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>

enum {
	FULL_BYTES = CHUNK_BYTES - 96, /* a chunk of this size is not opened again for points
	                                  behind it */
	FEW = 24                       /* sorted by insertion */
};

/* ---- points in order ---- */

static bool in_order(const struct points *s)
{
	for (size_t i = 1; i < s->n; i++)
		if (s->p[i].time_ms < s->p[i - 1].time_ms)
			return false;
	return true;
}

static void merge_runs(const struct point *a, size_t n, size_t half, struct point *out)
{
	size_t i = 0, k = half;
	while (i < half || k < n) {
		bool left = k == n || (i < half && a[i].time_ms <= a[k].time_ms);
		*out++ = a[left ? i++ : k++];
	}
}

/* Stable, bottom up; scratch has room for n. */
static void merge_sort(struct point *p, struct point *scratch, size_t n)
{
	for (size_t width = 1; width < n; width *= 2) {
		for (size_t at = 0; at < n; at += 2 * width) {
			size_t size = MIN_OF(2 * width, n - at);
			merge_runs(p + at, size, MIN_OF(width, size), scratch + at);
		}
		memcpy(p, scratch, n * sizeof(*p));
	}
}

int points_sort(struct points *s)
{
	if (in_order(s))
		return 0;
	if (s->n <= FEW) {
		for (size_t i = 1; i < s->n; i++) {
			struct point one = s->p[i];
			size_t k = i;
			for (; k > 0 && s->p[k - 1].time_ms > one.time_ms; k--)
				s->p[k] = s->p[k - 1];
			s->p[k] = one;
		}
		return 0;
	}
	struct point *scratch = malloc(s->n * sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	merge_sort(s->p, scratch, s->n);
	free(scratch);
	return 0;
}

size_t points_unique(struct points *s, enum config_duplicates how)
{
	size_t to = 0;
	for (size_t i = 0; i < s->n; i++) {
		bool again = to > 0 && s->p[to - 1].time_ms == s->p[i].time_ms;
		if (again && how == CONFIG_IGNORE)
			continue;
		if (again && how == CONFIG_REPLACE)
			to--;
		s->p[to] = s->p[i];
		if (again && how == CONFIG_KEEP)
			s->p[to].flags |= POINT_DUPLICATE;
		to++;
	}
	size_t went = s->n - to;
	s->n = to;
	return went;
}

int points_merge(struct points *ret, const struct points *a, const struct points *b)
{
	size_t i = 0, k = 0;
	int err = 0;
	while (!err && (i < a->n || k < b->n)) {
		bool left = k == b->n || (i < a->n && a->p[i].time_ms <= b->p[k].time_ms);
		err = left ? points_copy(ret, a, &a->p[i++]) : points_copy(ret, b, &b->p[k++]);
	}
	return err;
}

/* ---- walking ---- */

static int stand(struct chunks_at *at, struct span key, struct span value)
{
	if (!key_chunk_read(key, at->stream, at->column, &at->first_ms, &at->part))
		return ERR_NOT_FOUND;
	at->whole = value.n > CHUNK_ROW_HEAD_BYTES;
	if (!at->whole)
		return 0;
	memcpy(&at->stored_s, value.p, 4);
	at->chunk = span_of(value.p + CHUNK_ROW_HEAD_BYTES, value.n - CHUNK_ROW_HEAD_BYTES);
	at->whole = chunk_read_head(at->chunk, &at->head) == 0 && at->head.first_ms == at->first_ms;
	return 0;
}

int chunks_find_back(struct side_view *v, uint32_t stream, enum row_column c, int64_t t,
                     struct chunks_at *ret)
{
	uint8_t mem[CHUNK_KEY_BYTES];
	struct span key, value;
	*ret = (struct chunks_at){.stream = stream, .column = c};
	int err =
	    side_seek_back(v, SIDE_CHUNK, key_chunk(mem, stream, c, t, UINT16_MAX), &key, &value);
	return err ? err : stand(ret, key, value);
}

static int find_after(struct side_view *v, uint32_t stream, enum row_column c, int64_t t,
                      struct chunks_at *ret)
{
	uint8_t mem[CHUNK_KEY_BYTES];
	struct span key, value;
	*ret = (struct chunks_at){.stream = stream, .column = c};
	int err = side_seek(v, SIDE_CHUNK, key_chunk(mem, stream, c, t, 0), &key, &value);
	return err ? err : stand(ret, key, value);
}

int chunks_find(struct side_view *v, uint32_t stream, enum row_column c, int64_t t,
                struct chunks_at *ret)
{
	/* One that begins before t may hold it. One that cannot be read may, too. */
	int err = t == INT64_MIN ? ERR_NOT_FOUND : chunks_find_back(v, stream, c, t - 1, ret);
	if (!err && (!ret->whole || ret->head.last_ms >= t)) {
		/* Of several that begin at one time, the first: those before may reach t too. The
		 * part 0 may be gone (rebuild.c). */
		return ret->part > 0 ? find_after(v, stream, c, ret->first_ms, ret) : err;
	}
	if (err && err != ERR_NOT_FOUND)
		return err;
	return find_after(v, stream, c, t, ret);
}

int chunks_next(struct side_view *v, struct chunks_at *at)
{
	struct span key, value;
	int err = side_next(v, SIDE_CHUNK, &key, &value);
	return err ? err : stand(at, key, value);
}

int chunks_prev(struct side_view *v, struct chunks_at *at)
{
	struct span key, value;
	int err = side_prev(v, SIDE_CHUNK, &key, &value);
	return err ? err : stand(at, key, value);
}

/* ---- putting ---- */

struct putting {
	struct side_txn *t;
	uint32_t stream;
	enum row_column column;
	enum config_duplicates how;
	uint32_t stored_s; /* of those of which it is not known: at most this */
	struct chunks_merged *ret;
};

static uint32_t newest_of(const struct putting *p, const struct points *s, size_t from, size_t n)
{
	uint32_t newest = 0;
	bool known = true;
	for (size_t i = from; i < from + n; i++) {
		newest = MAX_OF(newest, s->p[i].stored_s);
		known &= s->p[i].stored_s != 0;
	}
	return known ? newest : MAX_OF(newest, p->stored_s);
}

/* Where many points have one time, the piece that was put after this one may begin with them, too:
 * those of its part and later become one later. */
static void make_room(struct putting *p, int64_t first_ms, uint16_t part)
{
	uint8_t value[CHUNK_ROW_HEAD_BYTES + CHUNK_BYTES], mem[CHUNK_KEY_BYTES];
	struct side_view *v = side_txn_view(p->t);
	uint16_t end = part;
	struct span row;
	while (end < UINT16_MAX &&
	       !side_get(v, SIDE_CHUNK, key_chunk(mem, p->stream, p->column, first_ms, end), &row))
		end++;
	for (; end > part; end--) {
		uint16_t from = (uint16_t)(end - 1);
		if (side_get(v, SIDE_CHUNK, key_chunk(mem, p->stream, p->column, first_ms, from),
		             &row) ||
		    row.n > sizeof(value))
			continue;
		memcpy(value, row.p, row.n);
		side_put(p->t, SIDE_CHUNK, key_chunk(mem, p->stream, p->column, first_ms, end),
		         span_of((char *)value, row.n));
	}
}

/* Writes s as chunks; the first has this part when it begins at first_ms. even: to be continued
 * nowhere, so two halves are better than a whole and a crumb. */
static void write_chunks(struct putting *p, struct points *s, int64_t first_ms, uint16_t part,
                         bool even)
{
	uint8_t value[CHUNK_ROW_HEAD_BYTES + CHUNK_BYTES], mem[CHUNK_KEY_BYTES];
	for (size_t from = 0, size; from < s->n;) {
		size_t n = chunk_encode(s, from, s->n - from, value + CHUNK_ROW_HEAD_BYTES, &size);
		size_t left = s->n - from - n;
		if (even && left > 0 && left < n / 2)
			n = chunk_encode(s, from, (n + left + 1) / 2, value + CHUNK_ROW_HEAD_BYTES,
			                 &size);
		int64_t t = s->p[from].time_ms;
		uint32_t newest = newest_of(p, s, from, n);
		memcpy(value, &newest, sizeof(newest));
		if (t != first_ms)
			part = 0;
		first_ms = t;
		make_room(p, t, part);
		side_put(p->t, SIDE_CHUNK, key_chunk(mem, p->stream, p->column, t, part),
		         span_of((char *)value, CHUNK_ROW_HEAD_BYTES + size));
		part++;
		from += n;
	}
}

/* The first n points of add, into the chunk at (NULL: none), which ends before end_ms. */
static int put_run(struct putting *p, const struct chunks_at *at, struct points *run, bool last)
{
	if (!at || !at->whole ||
	    (run->p[0].time_ms > at->head.last_ms && at->chunk.n >= FULL_BYTES)) {
		uint16_t part = 0;
		if (at && at->first_ms == run->p[0].time_ms)
			part = (uint16_t)(at->part + 1);
		if (at && !at->whole)
			p->ret->damaged++;
		points_unique(run, p->how);
		p->ret->more_points += (int64_t)run->n;
		write_chunks(p, run, run->p[0].time_ms, part, false);
		return 0;
	}
	struct points old, all;
	points_init(&old, CHUNK_POINTS_MAX);
	points_init(&all, SIZE_MAX);
	int64_t before = at->head.n, first_ms = at->first_ms;
	uint16_t part = at->part;
	p->stored_s = MAX_OF(p->stored_s, at->stored_s);
	int err = chunk_decode_stored(at->chunk, &old);
	if (err == ERR_STORE_DAMAGED) {
		struct chunks_at none = *at;
		none.whole = false;
		err = put_run(p, &none, run, last);
		goto out;
	}
	err = err ? err : points_merge(&all, &old, run);
	if (err)
		goto out;
	points_unique(&all, p->how);
	p->ret->more_points += (int64_t)all.n - before;
	uint8_t mem[CHUNK_KEY_BYTES];
	side_del(p->t, SIDE_CHUNK, key_chunk(mem, p->stream, p->column, first_ms, part));
	write_chunks(p, &all, first_ms, all.p[0].time_ms == first_ms ? part : 0, !last);
out:
	points_done(&old);
	points_done(&all);
	return err;
}

/* How many of add from i on come before end_ms. */
static size_t run_length(const struct points *add, size_t i, int64_t end_ms)
{
	size_t n = 0;
	while (i + n < add->n && add->p[i + n].time_ms < end_ms)
		n++;
	return n;
}

/* The chunk to which a point of time t belongs: *ret_at NULL for none. *ret_end: where the next one
 * begins, *ret_last: there is none. */
static int find_home(struct putting *p, int64_t t, struct chunks_at *at, bool *ret_home,
                     int64_t *ret_end, bool *ret_last)
{
	struct side_view *v = side_txn_view(p->t);
	struct chunks_at next;
	int err = chunks_find_back(v, p->stream, p->column, t, at);
	*ret_home = !err;
	*ret_last = false;
	if (err && err != ERR_NOT_FOUND)
		return err;
	if (!err) {
		next = *at;
		err = chunks_next(v, &next);
	} else {
		err = find_after(v, p->stream, p->column, t, &next);
		if (!err && next.whole && next.chunk.n < FULL_BYTES) { /* in front of it */
			*at = next;
			*ret_home = true;
			err = chunks_next(v, &next);
		}
	}
	*ret_last = err == ERR_NOT_FOUND;
	*ret_end = err ? INT64_MAX : next.first_ms;
	return *ret_last ? 0 : err;
}

int chunks_put(struct side_txn *t, uint32_t stream, enum row_column c, struct points *add,
               enum config_duplicates how, uint32_t stored_s, struct chunks_merged *ret)
{
	struct points run;
	points_init(&run, SIZE_MAX);
	int err = 0;
	for (size_t i = 0, n; i < add->n && !err; i += n) {
		struct putting p = {t, stream, c, how, stored_s, ret};
		struct chunks_at at;
		bool home, last;
		int64_t end_ms;
		n = 0;
		err = find_home(&p, add->p[i].time_ms, &at, &home, &end_ms, &last);
		if (err)
			break;
		n = last ? add->n - i : run_length(add, i, end_ms);
		assert(n > 0);
		points_clear(&run);
		for (size_t k = 0; k < n && !err; k++)
			err = points_copy(&run, add, &add->p[i + k]);
		if (!err)
			err = put_run(&p, home ? &at : NULL, &run, last);
	}
	points_done(&run);
	return err;
}

/* ---- one time, in another order ---- */

/* The piece behind this one, which may be gone. */
static int find_behind(const struct putting *p, struct chunks_at *at)
{
	uint8_t mem[CHUNK_KEY_BYTES];
	struct span key, value;
	int64_t first_ms = at->part == UINT16_MAX ? at->first_ms + 1 : at->first_ms;
	uint16_t part = (uint16_t)(at->part + 1);
	int err = side_seek(side_txn_view(p->t), SIDE_CHUNK,
	                    key_chunk(mem, p->stream, p->column, first_ms, part), &key, &value);
	return err ? err : stand(at, key, value);
}

/* The pieces that hold points of the time; they go. */
static int take_out(struct putting *p, int64_t time_ms, struct points *before, struct points *after,
                    uint16_t *ret_part)
{
	struct chunks_at at;
	struct points one;
	struct side_view *v = side_txn_view(p->t);
	uint8_t mem[CHUNK_KEY_BYTES];
	points_init(&one, CHUNK_POINTS_MAX);
	int err = chunks_find(v, p->stream, p->column, time_ms, &at);
	for (bool first = true; !err && at.first_ms <= time_ms;) {
		points_clear(&one);
		err = at.whole ? chunk_decode_stored(at.chunk, &one) : ERR_STORE_DAMAGED;
		for (size_t i = 0; i < one.n && !err; i++) {
			p->ret->more_points--;
			if (one.p[i].time_ms != time_ms)
				err = points_copy(one.p[i].time_ms < time_ms ? before : after, &one,
				                  &one.p[i]);
		}
		if (!err) {
			p->stored_s = MAX_OF(p->stored_s, at.stored_s);
			*ret_part = first ? at.part : *ret_part;
			first = false;
			side_del(p->t, SIDE_CHUNK,
			         key_chunk(mem, p->stream, p->column, at.first_ms, at.part));
		}
		if (!err || err == ERR_STORE_DAMAGED)
			err = find_behind(p, &at);
	}
	points_done(&one);
	return err == ERR_NOT_FOUND ? 0 : err;
}

static int append(struct points *to, const struct points *from)
{
	int err = 0;
	for (size_t i = 0; i < from->n && !err; i++)
		err = points_copy(to, from, &from->p[i]);
	return err;
}

int chunks_put_group(struct side_txn *t, uint32_t stream, enum row_column c,
                     const struct points *group, struct chunks_merged *ret)
{
	struct putting p = {t, stream, c, CONFIG_KEEP, 0, ret};
	struct points before, after;
	uint16_t part = 0;
	points_init(&before, SIZE_MAX);
	points_init(&after, SIZE_MAX);
	int err = take_out(&p, group->p[0].time_ms, &before, &after, &part);
	size_t first = before.n;
	err = err ? err : append(&before, group);
	err = err ? err : append(&before, &after);
	if (!err) {
		before.p[first].flags &= (uint16_t)~POINT_DUPLICATE; /* it may have been another */
		points_unique(&before, CONFIG_KEEP);
		ret->more_points += (int64_t)before.n;
		write_chunks(&p, &before, before.p[0].time_ms, part, false);
	}
	points_done(&before);
	points_done(&after);
	return err;
}
