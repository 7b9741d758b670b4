/* chunk_decode.c - unpacks; chunk.h has the layout. The bytes come from a disk: every length is
 * checked as if a peer had sent it, and whatever passes the checksum ends. */
#include "series/chunk.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/limits.h"
#include "series/decimal.h"

#include <math.h>

struct in {
	const uint8_t *p;
	size_t n;
};

static bool take_varint(struct in *in, uint64_t *ret)
{
	size_t n = varint_read(in->p, in->n, ret);
	in->p += n;
	in->n -= n;
	return n > 0;
}

static bool take_figure(struct in *in, const struct chunk_head *h, double *ret)
{
	uint64_t v;
	if (h->bits & CHUNK_EXACT) {
		if (!take_varint(in, &v))
			return false;
		*ret = decimal_number(unzigzag(v), h->decimals);
		return true;
	}
	if (in->n < 8)
		return false;
	memcpy(ret, in->p, 8);
	in->p += 8;
	in->n -= 8;
	return isfinite(*ret);
}

static bool take_figures(struct in *in, struct chunk_head *h)
{
	struct figures *f = &h->figures;
	return take_varint(in, &f->count) && f->count <= h->n && take_figure(in, h, &f->min) &&
	       take_figure(in, h, &f->max) && take_figure(in, h, &f->sum) &&
	       take_figure(in, h, &f->first) && take_figure(in, h, &f->last);
}

int chunk_read_head(struct span bytes, struct chunk_head *ret)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	struct chunk_head h = {0};
	uint32_t crc;
	uint16_t n;
	uint64_t first, span;
	if (bytes.n < 12)
		return ERR_STORE_DAMAGED;
	memcpy(&crc, p + 4, 4);
	if (crc != crc32c(crc32c(0, p, 4), p + 8, bytes.n - 8))
		return ERR_STORE_DAMAGED;
	if (p[0] > CHUNK_VERSION)
		return ERR_STORE_FORMAT;
	memcpy(&n, p + 8, 2);
	h.n = n;
	h.bits = p[1];
	h.kind = p[2];
	h.decimals = p[3];
	if (p[0] < 1 || n == 0 || n > CHUNK_POINTS_MAX ||
	    h.bits > (p[0] == 1 ? CHUNK_BITS_1 : CHUNK_BITS) || h.kind > POINT_KINDS ||
	    h.decimals > DECIMALS_MAX)
		return ERR_STORE_DAMAGED;
	struct in in = {p + 10, bytes.n - 10};
	if (!take_varint(&in, &first) || !take_varint(&in, &span))
		return ERR_STORE_DAMAGED;
	h.first_ms = unzigzag(first);
	h.last_ms = (int64_t)((uint64_t)h.first_ms + span);
	if (h.last_ms < h.first_ms || (h.kind != POINT_TEXT && !take_figures(&in, &h)))
		return ERR_STORE_DAMAGED;
	h.groups = (size_t)(in.p - p);
	*ret = h;
	return 0;
}

struct decoder {
	const struct chunk_head *h;
	struct column times, kinds, flags, values, stored;
	bool want_stored;
	unsigned n_texts;
	uint32_t dictionary[CHUNK_POINTS_MAX];
	int64_t last_ms;
};

static int take_texts(struct decoder *d, struct in *in, struct points *ret)
{
	uint64_t n, len;
	if (!take_varint(in, &n) || n > CHUNK_POINTS_MAX - d->n_texts)
		return ERR_STORE_DAMAGED;
	for (uint64_t i = 0; i < n; i++) {
		if (!take_varint(in, &len) || len > in->n || len > LIMIT_SERIES_TEXT_BYTES)
			return ERR_STORE_DAMAGED;
		int err = points_text(ret, span_of((const char *)in->p, len),
		                      &d->dictionary[d->n_texts++]);
		if (err)
			return err;
		in->p += len;
		in->n -= len;
	}
	return 0;
}

static bool take_exceptions(struct in *in, struct point *p, unsigned n)
{
	uint64_t count;
	if (!take_varint(in, &count) || count > n || count * 9 > in->n)
		return false;
	for (uint64_t i = 0; i < count; i++, in->p += 9, in->n -= 9) {
		if (in->p[0] >= n || p[in->p[0]].kind != POINT_NUMBER)
			return false;
		memcpy(&p[in->p[0]].number, in->p + 1, 8);
		if (!isfinite(p[in->p[0]].number))
			return false;
	}
	return true;
}

static bool take_column(struct in *in, struct column *c, int64_t *v, unsigned n)
{
	int64_t used = column_read(c, in->p, in->n, v, n);
	if (used < 0 || (size_t)used > in->n)
		return false;
	in->p += used;
	in->n -= (size_t)used;
	return true;
}

/* When each of p[0..n) was stored. */
static bool take_stored(struct decoder *d, struct in *in, struct point *p, unsigned n)
{
	int64_t s[COLUMN_BLOCK];
	uint64_t size;
	if (!take_varint(in, &size) || size > in->n)
		return false;
	struct in own = {in->p, size};
	in->p += size;
	in->n -= size;
	if (!d->want_stored)
		return true;
	if (size && (!take_column(&own, &d->stored, s, n) || own.n))
		return false;
	for (unsigned i = 0; i < n; i++) {
		int64_t v = size ? s[i] : d->stored.last;
		if (d->h->bits & CHUNK_LAG)
			v = (int64_t)((uint64_t)v - (uint64_t)chunk_lag(p[i].time_ms, 0));
		if (v < 0 || v > UINT32_MAX)
			return false;
		p[i].stored_s = (uint32_t)v;
	}
	return true;
}

static bool set_value(const struct chunk_head *h, struct point *p, int64_t v)
{
	switch (p->kind) {
	case POINT_NUMBER:
		if (h->bits & CHUNK_RAW)
			memcpy(&p->number, &v, 8);
		else
			p->number = decimal_number(v, h->decimals);
		return isfinite(p->number);
	case POINT_BOOL: p->number = (double)v; return v == 0 || v == 1;
	case POINT_TEXT:
		p->text = (uint32_t)v;
		return v >= 0 && v < CHUNK_POINTS_MAX && (h->bits & CHUNK_TEXTS);
	default: return false;
	}
}

/* What most chunks hold: plain decimal numbers without flags. */
static bool take_numbers(struct decoder *d, struct point *p, const int64_t *t, const int64_t *v,
                         unsigned n)
{
	double power = decimal_power(d->h->decimals);
	int64_t last = d->last_ms;
	bool good = true;
	for (unsigned i = 0; i < n; i++) {
		good &= t[i] >= last && t[i] <= d->h->last_ms;
		last = t[i];
		p[i] = (struct point){
		    .time_ms = t[i], .number = (double)v[i] / power, .kind = POINT_NUMBER};
	}
	d->last_ms = last;
	return good;
}

/* Any others. kinds, flags: NULL where the chunk has none. */
static bool take_points(struct decoder *d, struct point *p, unsigned n, const int64_t *t,
                        const int64_t *v, const int64_t *kinds, const int64_t *flags)
{
	for (unsigned i = 0; i < n; i++, p++) {
		*p = (struct point){.time_ms = t[i],
		                    .kind = kinds ? (uint8_t)kinds[i] : d->h->kind,
		                    .flags = flags ? (uint16_t)flags[i] : 0};
		if (t[i] < d->last_ms || t[i] > d->h->last_ms ||
		    (kinds && (kinds[i] < 0 || kinds[i] >= POINT_KINDS)) ||
		    (flags && (flags[i] & ~(int64_t)POINT_FLAGS)) || !set_value(d->h, p, v[i]))
			return false;
		d->last_ms = t[i];
	}
	return true;
}

static int take_group(struct decoder *d, struct in *in, unsigned left, struct points *ret,
                      unsigned *ret_n)
{
	int64_t t[COLUMN_BLOCK], k[COLUMN_BLOCK], f[COLUMN_BLOCK], v[COLUMN_BLOCK];
	const struct chunk_head *h = d->h;
	if (in->n < 1 || in->p[0] >= COLUMN_BLOCK || in->p[0] + 1u > left)
		return ERR_STORE_DAMAGED;
	unsigned n = in->p[0] + 1u;
	in->p++;
	in->n--;
	bool mixed = h->kind == POINT_KINDS, flags = h->bits & CHUNK_HAS_FLAGS;
	if (!take_column(in, &d->times, t, n) || (mixed && !take_column(in, &d->kinds, k, n)) ||
	    (flags && !take_column(in, &d->flags, f, n)) || !take_column(in, &d->values, v, n))
		return ERR_STORE_DAMAGED;
	size_t first = ret->n;
	struct point *all = points_add_many(ret, n);
	if (!all)
		return ERR_TOO_LARGE;
	bool plain = h->kind == POINT_NUMBER && !flags && !(h->bits & CHUNK_RAW);
	if (plain ? !take_numbers(d, all, t, v, n)
	          : !take_points(d, all, n, t, v, mixed ? k : NULL, flags ? f : NULL))
		return ERR_STORE_DAMAGED;
	if ((h->bits & CHUNK_EXCEPTIONS) && !take_exceptions(in, ret->p + first, n))
		return ERR_STORE_DAMAGED;
	if (h->bits & CHUNK_TEXTS) {
		int err = take_texts(d, in, ret);
		if (err)
			return err;
		for (struct point *p = ret->p + first; p < ret->p + ret->n; p++) {
			if (p->kind != POINT_TEXT)
				continue;
			if (p->text >= d->n_texts)
				return ERR_STORE_DAMAGED;
			p->text = d->dictionary[p->text];
		}
	}
	if ((h->bits & CHUNK_STORED) && !take_stored(d, in, ret->p + first, n))
		return ERR_STORE_DAMAGED;
	*ret_n = n;
	return 0;
}

static int decode(struct span bytes, bool stored, struct points *ret)
{
	struct chunk_head h;
	int err = chunk_read_head(bytes, &h);
	if (err)
		return err;
	struct decoder d;
	d.h = &h;
	d.times = d.kinds = d.flags = d.values = d.stored = (struct column){0};
	d.want_stored = stored;
	d.n_texts = 0;
	d.last_ms = h.first_ms;
	struct in in = {(const uint8_t *)bytes.p + h.groups, bytes.n - h.groups};
	size_t before = ret->n;
	for (unsigned left = h.n, n; left; left -= n) {
		err = take_group(&d, &in, left, ret, &n);
		if (err)
			goto out;
	}
	if (in.n || ret->p[before].time_ms != h.first_ms || d.last_ms != h.last_ms)
		err = ERR_STORE_DAMAGED;
out:
	if (err)
		ret->n = before;
	return err;
}

int chunk_decode(struct span bytes, struct points *ret)
{
	return decode(bytes, false, ret);
}

int chunk_decode_stored(struct span bytes, struct points *ret)
{
	return decode(bytes, true, ret);
}
