/* chunk_encode.c - packs; chunk.h has the layout. */
#include "series/chunk.h"

#include "base/crc32c.h"
#include "base/limits.h"
#include "series/decimal.h"

enum { GROUP_BYTES_MAX = 7 * COLUMN_BYTES_MAX + CHUNK_BYTES, DICTIONARY_LOOK = 256 };

struct encoder {
	struct column times, kinds, flags, values, stored;
	uint32_t dictionary[DICTIONARY_LOOK]; /* the latest ones: where they stand in texts */
	unsigned n_texts;
	int64_t min, max, sum, first, last; /* scaled, when exact */
	struct figures figures;
	unsigned n;
};

struct shape { /* what is the same for the whole chunk */
	const struct points *s;
	uint8_t bits, kind, decimals;
	bool mixed, numbers;
	int64_t scaled[CHUNK_POINTS_MAX]; /* of each point, or NOT_SCALED */
};

#define NOT_SCALED INT64_MIN /* scaled ones are far smaller */

/* ---- the shape ---- */

static int64_t scaled_of(const struct point *p, unsigned decimals)
{
	int64_t scaled;
	if (p->kind == POINT_TEXT || !decimal_scale(p->number, decimals, &scaled))
		return NOT_SCALED;
	return scaled;
}

/* The decimals that all numbers have, and what they are then. */
static void scale(struct shape *h, const struct point *p, size_t n)
{
	size_t raised = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t scaled = scaled_of(&p[i], h->decimals);
		for (unsigned d = h->decimals + 1u;
		     scaled == NOT_SCALED && p[i].kind == POINT_NUMBER && d <= DECIMALS_MAX; d++) {
			scaled = scaled_of(&p[i], d);
			if (scaled != NOT_SCALED) {
				h->decimals = (uint8_t)d;
				raised = i;
			}
		}
		h->scaled[i] = scaled;
	}
	for (size_t i = 0; i < raised; i++)
		h->scaled[i] = scaled_of(&p[i], h->decimals);
}

/* How far a column moves from one number to the next: about the bits that it takes. */
static unsigned move(int64_t from, int64_t to)
{
	return 64 - (unsigned)__builtin_clzll(zigzag(to - from) | 1);
}

/* Whether it is known when they were stored, and how to say it in fewer bits. */
static uint8_t stored_bits(const struct point *p, size_t n)
{
	size_t as_it_is = 0, lag = 0, known = p->stored_s != 0;
	int64_t before = chunk_lag(p->time_ms, p->stored_s);
	for (size_t i = 1; i < n; i++) {
		int64_t now = chunk_lag(p[i].time_ms, p[i].stored_s);
		as_it_is += move(p[i - 1].stored_s, p[i].stored_s);
		lag += move(before, now);
		known += p[i].stored_s != 0;
		before = now;
	}
	return (uint8_t)(known ? CHUNK_STORED | (lag < as_it_is ? CHUNK_LAG : 0) : 0);
}

static void shape_of(const struct points *s, size_t from, size_t n, struct shape *h)
{
	const struct point *p = s->p + from;
	size_t numbers = 0, others = 0;
	h->s = s;
	h->kind = p->kind;
	h->bits = h->decimals = 0;
	h->mixed = h->numbers = false;
	scale(h, p, n);
	for (size_t i = 0; i < n; i++) {
		h->mixed |= p[i].kind != h->kind;
		h->bits |= p[i].flags ? CHUNK_HAS_FLAGS : 0;
		h->bits |= p[i].kind == POINT_TEXT ? CHUNK_TEXTS : 0;
		h->numbers |= p[i].kind != POINT_TEXT;
		numbers += p[i].kind == POINT_NUMBER;
		others += p[i].kind == POINT_NUMBER && h->scaled[i] == NOT_SCALED;
	}
	if (others > numbers / 8) {
		h->bits |= CHUNK_RAW;
		h->decimals = 0;
	} else if (others) {
		h->bits |= CHUNK_EXCEPTIONS;
	} else {
		h->bits |= CHUNK_EXACT;
	}
	h->bits |= stored_bits(p, n);
	if (h->mixed)
		h->kind = POINT_KINDS;
}

/* ---- a group ---- */

static void count(struct encoder *e, const struct shape *h, const struct point *p, int64_t scaled)
{
	struct figures *f = &e->figures;
	if (p->kind == POINT_TEXT)
		return;
	assert(!(h->bits & CHUNK_EXACT) || scaled != NOT_SCALED);
	if (!f->count) {
		f->min = f->max = f->first = p->number;
		e->min = e->max = e->first = scaled;
	}
	f->min = MIN_OF(f->min, p->number);
	f->max = MAX_OF(f->max, p->number);
	f->sum += p->number;
	f->last = p->number;
	f->count++;
	e->min = MIN_OF(e->min, scaled);
	e->max = MAX_OF(e->max, scaled);
	e->sum += h->bits & CHUNK_EXACT ? scaled : 0;
	e->last = scaled;
}

/* The index of a text, which is made when it is new: *new_from is moved before it then. */
static unsigned text_index(struct encoder *e, const struct points *s, const struct point *p)
{
	struct span text = point_text(s, p);
	unsigned oldest = e->n_texts > DICTIONARY_LOOK ? e->n_texts - DICTIONARY_LOOK : 0;
	for (unsigned i = e->n_texts; i-- > oldest;) {
		struct point known = {.kind = POINT_TEXT,
		                      .text = e->dictionary[i % DICTIONARY_LOOK]};
		if (span_eq(point_text(s, &known), text))
			return i;
	}
	e->dictionary[e->n_texts % DICTIONARY_LOOK] = p->text;
	return e->n_texts++;
}

struct new_texts {
	unsigned n;
	size_t bytes;
	uint8_t p[CHUNK_BYTES];
};

/* The number that stands for p in the column of values; false: a new text does not fit. */
static bool value_of(struct encoder *e, const struct shape *h, const struct point *p,
                     int64_t scaled, struct new_texts *texts, int64_t *ret, bool *ret_exception)
{
	*ret_exception = false;
	if (p->kind == POINT_BOOL) {
		*ret = p->number != 0;
	} else if (p->kind == POINT_TEXT) {
		unsigned before = e->n_texts;
		*ret = text_index(e, h->s, p);
		if (e->n_texts == before)
			return true;
		struct span t = point_text(h->s, p);
		if (texts->bytes + t.n + 3 > sizeof(texts->p)) {
			e->n_texts = before;
			return false;
		}
		texts->bytes += varint_write(t.n, texts->p + texts->bytes);
		if (t.n)
			memcpy(texts->p + texts->bytes, t.p, t.n);
		texts->bytes += t.n;
		texts->n++;
	} else if (h->bits & CHUNK_RAW) {
		memcpy(ret, &p->number, sizeof(*ret));
	} else {
		*ret = scaled;
		*ret_exception = scaled == NOT_SCALED;
	}
	return true;
}

/* When they were stored. */
static uint8_t *stored_write(struct encoder *e, const struct shape *h, const struct point *p,
                             unsigned n, uint8_t *at)
{
	int64_t s[COLUMN_BLOCK];
	uint8_t column[COLUMN_BYTES_MAX];
	bool same = true;
	for (unsigned i = 0; i < n; i++) {
		s[i] = h->bits & CHUNK_LAG ? chunk_lag(p[i].time_ms, p[i].stored_s) : p[i].stored_s;
		same &= s[i] == e->stored.last;
	}
	size_t size = same ? 0 : column_write(&e->stored, s, n, column);
	at += varint_write(size, at);
	memcpy(at, column, size);
	return at + size;
}

/* Writes up to *n points; fewer when their texts are long. Returns the bytes. */
static size_t group_write(struct encoder *e, const struct shape *h, const struct point *p,
                          unsigned *n, uint8_t *out)
{
	const int64_t *scaled = h->scaled + e->n;
	int64_t t[COLUMN_BLOCK], k[COLUMN_BLOCK], f[COLUMN_BLOCK], v[COLUMN_BLOCK];
	uint8_t exceptions[COLUMN_BLOCK * 9];
	unsigned n_exceptions = 0, i = 0;
	struct new_texts texts;
	texts.n = 0;
	texts.bytes = 0;
	for (; i < *n; i++) {
		bool exception;
		if (!value_of(e, h, &p[i], scaled[i], &texts, &v[i], &exception))
			break;
		if (exception) {
			v[i] = i ? v[i - 1] : e->values.last;
			exceptions[n_exceptions * 9] = (uint8_t)i;
			memcpy(exceptions + n_exceptions++ * 9 + 1, &p[i].number, 8);
		}
		t[i] = p[i].time_ms;
		k[i] = p[i].kind;
		f[i] = p[i].flags;
		count(e, h, &p[i], scaled[i]);
	}
	*n = i;
	assert(i > 0);
	uint8_t *at = out;
	*at++ = (uint8_t)(i - 1);
	at += column_write(&e->times, t, i, at);
	if (h->mixed)
		at += column_write(&e->kinds, k, i, at);
	if (h->bits & CHUNK_HAS_FLAGS)
		at += column_write(&e->flags, f, i, at);
	at += column_write(&e->values, v, i, at);
	if (h->bits & CHUNK_EXCEPTIONS) {
		at += varint_write(n_exceptions, at);
		memcpy(at, exceptions, n_exceptions * 9);
		at += n_exceptions * 9;
	}
	if (h->bits & CHUNK_TEXTS) {
		at += varint_write(texts.n, at);
		memcpy(at, texts.p, texts.bytes);
		at += texts.bytes;
	}
	if (h->bits & CHUNK_STORED)
		at = stored_write(e, h, p, i, at);
	e->n += i;
	return (size_t)(at - out);
}

/* ---- the head ---- */

static uint8_t *put_figure(uint8_t *at, const struct shape *h, int64_t scaled, double number)
{
	if (h->bits & CHUNK_EXACT)
		return at + varint_write(zigzag(scaled), at);
	memcpy(at, &number, 8);
	return at + 8;
}

static size_t head_write(const struct encoder *e, const struct shape *h, const struct point *first,
                         uint8_t *out)
{
	const struct figures *f = &e->figures;
	uint16_t n = (uint16_t)e->n;
	int64_t span = (int64_t)((uint64_t)first[e->n - 1].time_ms - (uint64_t)first->time_ms);
	out[0] = CHUNK_VERSION;
	out[1] = h->bits;
	out[2] = h->kind;
	out[3] = h->decimals;
	memcpy(out + 8, &n, 2);
	uint8_t *at = out + 10;
	at += varint_write(zigzag(first->time_ms), at);
	at += varint_write((uint64_t)span, at);
	if (h->numbers) {
		at += varint_write(f->count, at);
		at = put_figure(at, h, e->min, f->min);
		at = put_figure(at, h, e->max, f->max);
		at = put_figure(at, h, e->sum, f->sum);
		at = put_figure(at, h, e->first, f->first);
		at = put_figure(at, h, e->last, f->last);
	}
	return (size_t)(at - out);
}

size_t chunk_encode(const struct points *s, size_t from, size_t n, uint8_t *out, size_t *ret_bytes)
{
	enum { HEAD_MAX = 96 };
	uint8_t body[CHUNK_BYTES], head[HEAD_MAX], group[GROUP_BYTES_MAX];
	size_t used = 0, taken = 0, head_bytes = 0;
	assert(n >= 1 && from + n <= s->n);
	n = MIN_OF(n, (size_t)CHUNK_POINTS_MAX);
	struct shape h;
	struct encoder e = {0};
	shape_of(s, from, n, &h);
	for (bool full = false; taken < n && !full;) {
		unsigned want = (unsigned)MIN_OF(n - taken, (size_t)COLUMN_BLOCK);
		for (;;) {
			struct encoder try = e;
			unsigned got = want;
			size_t size = group_write(&try, &h, s->p + from + taken, &got, group);
			size_t with_head = head_write(&try, &h, s->p + from, head);
			size_t room = CHUNK_BYTES - MIN_OF(used + with_head, (size_t)CHUNK_BYTES);
			if (size <= room) {
				memcpy(body + used, group, size);
				used += size;
				taken += got;
				head_bytes = with_head;
				e = try;
				break;
			}
			full = true; /* the last group is a short one */
			want = (unsigned)MIN_OF((size_t)got - 1, got * room / size);
			if (want == 0)
				break;
		}
	}
	assert(taken > 0);
	head_bytes = head_write(&e, &h, s->p + from, out);
	memcpy(out + head_bytes, body, used);
	*ret_bytes = head_bytes + used;
	assert(*ret_bytes <= CHUNK_BYTES);
	uint32_t crc = crc32c(crc32c(0, out, 4), out + 8, *ret_bytes - 8);
	memcpy(out + 4, &crc, 4);
	return taken;
}
