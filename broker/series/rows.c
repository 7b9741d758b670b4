/* rows.c - see rows.h. The bytes come from a disk: every length is checked as if a peer had sent
 * it. */
#include "series/rows.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/limits.h"
#include "series/points.h"

#include <math.h>

enum {
	HAS_PLACE = 1,
	HAS_CORNER = 2, /* of the place: it is not a point */
	HAS_LATEST = 1,
	HAS_FUTURE = 2,
	HAS_CHANGED = 4,
	HAS_SHARE = 8,
	TOLD = 16,
	ROLLED = 1,
	HAS_DETAIL = 1
};

/* ---- bytes ---- */

static void put(struct buf *b, uint64_t v, unsigned bytes)
{
	uint8_t out[8];
	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> 8 * i);
	buf_add(b, out, bytes);
}

static void put_double(struct buf *b, double x)
{
	uint64_t v;
	memcpy(&v, &x, 8);
	put(b, v, 8);
}

static void put_text(struct buf *b, struct span s)
{
	assert(s.n <= UINT16_MAX);
	put(b, s.n, 2);
	buf_add_span(b, s);
}

struct in {
	struct span rest;
	bool bad;
};

static uint64_t take(struct in *in, unsigned bytes)
{
	uint64_t v = 0;
	if (in->rest.n < bytes) {
		in->bad = true;
		in->rest.n = 0;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)(uint8_t)in->rest.p[i] << 8 * i;
	in->rest.p += bytes;
	in->rest.n -= bytes;
	return v;
}

static double take_double(struct in *in)
{
	uint64_t v = take(in, 8);
	double x;
	memcpy(&x, &v, 8);
	in->bad |= !isfinite(x);
	return x;
}

static struct span take_text(struct in *in)
{
	size_t n = take(in, 2);
	if (n > in->rest.n) {
		in->bad = true;
		n = 0;
	}
	struct span s = {in->rest.p, n};
	in->rest.p += n;
	in->rest.n -= n;
	return s;
}

/* ---- head ---- */

static uint32_t sum(struct span key, const char *row, size_t n)
{
	uint32_t crc = crc32c(0, key.p, key.n);
	crc = crc32c(crc, row, 4);
	return crc32c(crc, row + ROW_HEAD_BYTES, n - ROW_HEAD_BYTES);
}

static size_t begin(struct buf *b, unsigned flags)
{
	size_t at = b->len;
	put(b, ROW_VERSION, 1);
	put(b, flags, 1);
	put(b, 0, 2);
	put(b, 0, 4);
	return at;
}

static void end(struct span key, struct buf *b, size_t at)
{
	if (b->err)
		return;
	uint32_t crc = sum(key, b->p + at, b->len - at);
	for (unsigned i = 0; i < 4; i++)
		b->p[at + 4 + i] = (char)(crc >> 8 * i);
}

static int open_row(struct span key, struct span value, struct in *ret, unsigned *ret_flags)
{
	struct in in = {.rest = value};
	uint64_t version = take(&in, 1), flags = take(&in, 1);
	take(&in, 2);
	uint32_t crc = (uint32_t)take(&in, 4);
	if (in.bad || crc != sum(key, value.p, value.n))
		return ERR_STORE_DAMAGED;
	if (version > ROW_VERSION)
		return ERR_STORE_FORMAT;
	*ret = in;
	*ret_flags = (unsigned)flags;
	return version == ROW_VERSION ? 0 : ERR_STORE_DAMAGED;
}

static int close_row(const struct in *in)
{
	return in->bad || in->rest.n ? ERR_STORE_DAMAGED : 0;
}

/* ---- places ---- */

static unsigned corner_flag(const struct box *b)
{
	return box_is_point(b) ? 0 : HAS_CORNER;
}

static void put_box(struct buf *b, const struct box *place)
{
	put(b, (uint32_t)place->west_e7, 4);
	put(b, (uint32_t)place->south_e7, 4);
	if (box_is_point(place))
		return;
	put(b, (uint32_t)place->east_e7, 4);
	put(b, (uint32_t)place->north_e7, 4);
}

static struct box take_box(struct in *in, bool corner)
{
	int32_t lon = (int32_t)take(in, 4), lat = (int32_t)take(in, 4);
	struct box b = box_of_point(lon, lat);
	if (corner) {
		b.east_e7 = (int32_t)take(in, 4);
		b.north_e7 = (int32_t)take(in, 4);
	}
	in->bad |= !box_is_sound(&b) || (corner && box_is_point(&b));
	return b;
}

/* ---- rows ---- */

void row_thing_write(struct span key, const struct row_thing *r, struct buf *out)
{
	size_t at = begin(out, (r->has_place ? HAS_PLACE : 0u) | corner_flag(&r->place));
	put(out, r->feed, 4);
	put_box(out, &r->place);
	put(out, (uint64_t)r->place_ms, 8);
	put(out, (uint64_t)r->first_stored_ms, 8);
	put(out, (uint64_t)r->last_observed_ms, 8);
	put(out, (uint64_t)r->last_stored_ms, 8);
	put_text(out, r->organisation);
	put_text(out, r->thing);
	end(key, out, at);
}

int row_thing_read(struct span key, struct span value, struct row_thing *ret)
{
	struct in in;
	unsigned flags;
	int err = open_row(key, value, &in, &flags);
	if (err)
		return err;
	struct row_thing r = {.has_place = flags & HAS_PLACE};
	r.feed = (uint32_t)take(&in, 4);
	r.place = take_box(&in, flags & HAS_CORNER);
	r.place_ms = (int64_t)take(&in, 8);
	r.first_stored_ms = (int64_t)take(&in, 8);
	r.last_observed_ms = (int64_t)take(&in, 8);
	r.last_stored_ms = (int64_t)take(&in, 8);
	r.organisation = take_text(&in);
	r.thing = take_text(&in);
	*ret = r;
	return close_row(&in);
}

static void put_value(struct buf *b, const struct row_value *v)
{
	put(b, (uint64_t)v->time_ms, 8);
	put(b, (uint64_t)v->stored_ms, 8);
	put_double(b, v->number);
	put(b, v->flags, 2);
	put(b, v->kind, 1);
	put_text(b, v->text);
}

static struct row_value take_value(struct in *in)
{
	struct row_value v = {0};
	v.time_ms = (int64_t)take(in, 8);
	v.stored_ms = (int64_t)take(in, 8);
	v.number = take_double(in);
	v.flags = (uint16_t)take(in, 2);
	v.kind = (uint8_t)take(in, 1);
	v.text = take_text(in);
	in->bad |= v.kind >= POINT_KINDS || v.text.n > LIMIT_SERIES_TEXT_BYTES;
	return v;
}

void row_stream_write(struct span key, const struct row_stream *r, struct buf *out)
{
	size_t at =
	    begin(out, (r->has_latest ? HAS_LATEST : 0u) | (r->has_future ? HAS_FUTURE : 0u) |
	                   (r->has_changed ? HAS_CHANGED : 0u) | (r->implausible ? HAS_SHARE : 0u) |
	                   (r->told ? TOLD : 0u));
	put(out, r->thing, 4);
	put(out, r->sequence, 8);
	put(out, r->count, 8);
	put(out, (uint64_t)r->first_ms, 8);
	put(out, (uint64_t)r->last_ms, 8);
	put(out, (uint64_t)r->since_ms, 8);
	put(out, (uint64_t)r->stored_ms, 8);
	if (r->has_latest)
		put_value(out, &r->latest);
	if (r->has_future)
		put_value(out, &r->future);
	if (r->has_changed)
		put(out, (uint64_t)r->changed_ms, 8);
	if (r->implausible)
		put(out, r->implausible, 4);
	put_text(out, r->member);
	put_text(out, r->property);
	put_text(out, r->unit);
	put_text(out, r->schema);
	end(key, out, at);
}

int row_stream_read(struct span key, struct span value, struct row_stream *ret)
{
	struct in in;
	unsigned flags;
	int err = open_row(key, value, &in, &flags);
	if (err)
		return err;
	struct row_stream r = {.has_latest = flags & HAS_LATEST,
	                       .has_future = flags & HAS_FUTURE,
	                       .has_changed = flags & HAS_CHANGED,
	                       .told = flags & TOLD};
	r.thing = (uint32_t)take(&in, 4);
	r.sequence = take(&in, 8);
	r.count = take(&in, 8);
	r.first_ms = (int64_t)take(&in, 8);
	r.last_ms = (int64_t)take(&in, 8);
	r.since_ms = (int64_t)take(&in, 8);
	r.stored_ms = (int64_t)take(&in, 8);
	if (r.has_latest)
		r.latest = take_value(&in);
	if (r.has_future)
		r.future = take_value(&in);
	if (r.has_changed)
		r.changed_ms = (int64_t)take(&in, 8);
	if (flags & HAS_SHARE)
		r.implausible = (uint32_t)take(&in, 4);
	r.member = take_text(&in);
	r.property = take_text(&in);
	r.unit = take_text(&in);
	r.schema = take_text(&in);
	*ret = r;
	return close_row(&in);
}

void row_amend_write(struct span key, const struct row_amend *r, struct buf *out)
{
	size_t at = begin(out, r->rolled_ms != INT64_MIN ? ROLLED : 0);
	put(out, r->what, 1);
	put(out, r->flags, 2);
	put(out, (uint64_t)r->from_ms, 8);
	put(out, (uint64_t)r->to_ms, 8);
	put(out, (uint64_t)r->at_ms, 8);
	if (r->rolled_ms != INT64_MIN)
		put(out, (uint64_t)r->rolled_ms, 8);
	put_double(out, r->factor);
	put_double(out, r->offset);
	put_text(out, r->who);
	put_text(out, r->reason);
	end(key, out, at);
}

int row_amend_read(struct span key, struct span value, struct row_amend *ret)
{
	struct in in;
	unsigned flags;
	int err = open_row(key, value, &in, &flags);
	if (err)
		return err;
	struct row_amend r = {0};
	r.what = (uint8_t)take(&in, 1);
	r.flags = (uint16_t)take(&in, 2);
	r.from_ms = (int64_t)take(&in, 8);
	r.to_ms = (int64_t)take(&in, 8);
	r.at_ms = (int64_t)take(&in, 8);
	r.rolled_ms = flags & ROLLED ? (int64_t)take(&in, 8) : INT64_MIN;
	in.bad |= (flags & ROLLED) && r.rolled_ms == INT64_MIN;
	r.factor = take_double(&in);
	r.offset = take_double(&in);
	r.who = take_text(&in);
	r.reason = take_text(&in);
	*ret = r;
	return close_row(&in);
}

void row_place_write(struct span key, const struct box *place, struct buf *out)
{
	size_t at = begin(out, corner_flag(place));
	put_box(out, place);
	end(key, out, at);
}

int row_place_read(struct span key, struct span value, struct box *ret)
{
	struct in in;
	unsigned flags;
	int err = open_row(key, value, &in, &flags);
	if (err)
		return err;
	struct box b = take_box(&in, flags & HAS_CORNER);
	err = close_row(&in);
	if (!err)
		*ret = b;
	return err;
}

void row_detail_write(struct span key, const struct row_detail *r, struct buf *out)
{
	size_t at = begin(out, 0);
	put(out, r->kind, 1);
	put(out, (uint64_t)r->other_ms, 8);
	put(out, (uint64_t)r->at_ms, 8);
	put_text(out, r->who);
	put_text(out, r->text);
	end(key, out, at);
}

int row_detail_read(struct span key, struct span value, struct row_detail *ret)
{
	struct in in;
	unsigned flags;
	int err = open_row(key, value, &in, &flags);
	if (err)
		return err;
	struct row_detail r = {0};
	r.kind = (uint8_t)take(&in, 1);
	r.other_ms = (int64_t)take(&in, 8);
	r.at_ms = (int64_t)take(&in, 8);
	r.who = take_text(&in);
	r.text = take_text(&in);
	*ret = r;
	return close_row(&in);
}

void row_promise_write(struct span key, const struct row_promise *r, struct buf *out)
{
	assert(r->n_parts <= ARRAY_LEN(r->part));
	size_t at = begin(out, r->has_detail ? HAS_DETAIL : 0);
	put(out, r->thing, 4);
	put(out, (uint64_t)r->from_ms, 8);
	put(out, (uint64_t)r->to_ms, 8);
	put(out, (uint64_t)r->moved_ms, 8);
	if (r->has_detail)
		put_text(out, r->detail);
	put_text(out, r->who);
	put_text(out, r->reason);
	put(out, r->n_parts, 1);
	for (unsigned i = 0; i < r->n_parts; i++) {
		put(out, r->part[i].stream, 4);
		put(out, r->part[i].what, 1);
		put(out, r->part[i].becomes, 1);
		put_double(out, r->part[i].offset);
	}
	end(key, out, at);
}

int row_promise_read(struct span key, struct span value, struct row_promise *ret)
{
	struct in in;
	unsigned flags;
	int err = open_row(key, value, &in, &flags);
	if (err)
		return err;
	struct row_promise r = {.thing = (uint32_t)take(&in, 4)};
	r.from_ms = (int64_t)take(&in, 8);
	r.to_ms = (int64_t)take(&in, 8);
	r.moved_ms = (int64_t)take(&in, 8);
	r.has_detail = flags & HAS_DETAIL;
	if (r.has_detail)
		r.detail = take_text(&in);
	r.who = take_text(&in);
	r.reason = take_text(&in);
	r.n_parts = (unsigned)take(&in, 1);
	if (r.n_parts > ARRAY_LEN(r.part))
		return ERR_STORE_DAMAGED;
	for (unsigned i = 0; i < r.n_parts; i++) {
		r.part[i].stream = (uint32_t)take(&in, 4);
		r.part[i].what = (uint8_t)take(&in, 1);
		r.part[i].becomes = (uint8_t)take(&in, 1);
		r.part[i].offset = take_double(&in);
	}
	*ret = r;
	return close_row(&in);
}

/* ---- keys ---- */

static uint8_t *put_be(uint8_t *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	return out + bytes;
}

static uint64_t get_be(const char *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

static uint64_t ordered(int64_t t)
{
	return (uint64_t)t ^ 1ull << 63;
}

struct span key_id(uint8_t *out, uint32_t id)
{
	put_be(out, id, 4);
	return span_of((char *)out, 4);
}

struct span key_chunk(uint8_t *out, uint32_t stream, enum row_column c, int64_t first_ms,
                      uint16_t part)
{
	uint8_t *p = put_be(out, stream, 4);
	*p++ = (uint8_t)c;
	p = put_be(p, ordered(first_ms), 8);
	put_be(p, part, 2);
	return span_of((char *)out, CHUNK_KEY_BYTES);
}

struct span key_place(uint8_t *out, uint32_t thing, int64_t time_ms)
{
	put_be(put_be(out, thing, 4), ordered(time_ms), 8);
	return span_of((char *)out, 12);
}

struct span key_amend(uint8_t *out, uint32_t stream, uint64_t id)
{
	put_be(put_be(out, stream, 4), id, 8);
	return span_of((char *)out, 12);
}

bool key_id_read(struct span key, uint32_t *ret)
{
	if (key.n != 4)
		return false;
	*ret = (uint32_t)get_be(key.p, 4);
	return *ret != 0;
}

bool key_chunk_read(struct span key, uint32_t stream, enum row_column c, int64_t *ret_first_ms,
                    uint16_t *ret_part)
{
	if (key.n != CHUNK_KEY_BYTES || get_be(key.p, 4) != stream || (uint8_t)key.p[4] != c)
		return false;
	*ret_first_ms = (int64_t)ordered((int64_t)get_be(key.p + 5, 8));
	*ret_part = (uint16_t)get_be(key.p + 13, 2);
	return true;
}

bool key_place_read(struct span key, uint32_t thing, int64_t *ret_time_ms)
{
	if (key.n != 12 || get_be(key.p, 4) != thing)
		return false;
	*ret_time_ms = (int64_t)ordered((int64_t)get_be(key.p + 4, 8));
	return true;
}

bool key_amend_read(struct span key, uint32_t *ret_stream, uint64_t *ret_id)
{
	if (key.n != 12)
		return false;
	*ret_stream = (uint32_t)get_be(key.p, 4);
	*ret_id = get_be(key.p + 4, 8);
	return true;
}

struct span key_detail(uint8_t *out, const struct key_of_detail *k)
{
	uint8_t *p = put_be(put_be(out, k->stream, 4), ordered(k->time_ms), 8);
	put_be(put_be(p, k->mark, 4), k->id, 8);
	return span_of((char *)out, DETAIL_KEY_BYTES);
}

bool key_detail_read(struct span key, struct key_of_detail *ret)
{
	if (key.n != DETAIL_KEY_BYTES)
		return false;
	*ret = (struct key_of_detail){.stream = (uint32_t)get_be(key.p, 4),
	                              .time_ms = (int64_t)ordered((int64_t)get_be(key.p + 4, 8)),
	                              .mark = (uint32_t)get_be(key.p + 12, 4),
	                              .id = get_be(key.p + 16, 8)};
	return true;
}
