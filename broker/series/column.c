/* column.c - see column.h. A block: u8 form | (width or k) << 3, then varints, then bits. Bits are
 * packed from the low end of little endian words. */
#include "series/column.h"

#include "base/err.h"

#include <stdbool.h>
#include <string.h>

enum form { FORM_LINE, FORM_LINE_STEP, FORM_FLAT, FORM_DELTA, FORM_RICE, FORM_HALVES, FORM_WIDE };
enum {
	HALF_LEAST = 16,
	LEAST_BYTES = 3, /* of a plan: form, two short varints, no bits */
	WIDTH_SHIFT = 3,
	WIDTH_MAX_SMALL = 31,
	RICE_K_MAX = 24,
	RICE_ONES_MAX = 40
};
static const int64_t SECOND_MS = 1000;

static int64_t wrap_add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}
static int64_t wrap_sub(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}
static int64_t wrap_mul(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* ---- varints ---- */

size_t varint_write(uint64_t v, uint8_t *out)
{
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

static size_t varint_size(uint64_t v)
{
	size_t n = 1;
	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

size_t varint_read(const uint8_t *in, size_t size, uint64_t *ret)
{
	uint64_t v = 0;
	for (size_t n = 0; n < size && n < 10; n++) {
		v |= (uint64_t)(in[n] & 0x7f) << (7 * n);
		if (!(in[n] & 0x80)) {
			*ret = v;
			return n + 1;
		}
	}
	return 0;
}

/* ---- bits ---- */

struct bits_out {
	uint8_t *p;
	uint64_t word;
	unsigned used;
};

static void put_bits(struct bits_out *b, uint64_t v, unsigned width)
{
	if (width > 32) {
		put_bits(b, v & 0xffffffff, 32);
		v >>= 32;
		width -= 32;
	}
	b->word |= v << b->used; /* used < 32 */
	b->used += width;
	if (b->used >= 32) {
		uint32_t low = (uint32_t)b->word;
		memcpy(b->p, &low, sizeof(low));
		b->p += sizeof(low);
		b->word >>= 32;
		b->used -= 32;
	}
}

static uint8_t *flush_bits(struct bits_out *b)
{
	size_t n = (b->used + 7) / 8;
	memcpy(b->p, &b->word, n);
	return b->p + n;
}

static uint64_t load_word(const uint8_t *in, size_t size, size_t at)
{
	uint64_t w = 0;
	if (likely(at + 8 <= size))
		memcpy(&w, in + at, 8);
	else if (at < size)
		memcpy(&w, in + at, size - at);
	return w;
}

/* n numbers of width bits at in. */
static void unpack(const uint8_t *in, size_t size, unsigned width, unsigned n, int64_t *v)
{
	size_t bit = 0;
	if (width <= 56) {
		uint64_t mask = ((uint64_t)1 << width) - 1;
		for (unsigned i = 0; i < n; i++, bit += width)
			v[i] = (int64_t)(load_word(in, size, bit >> 3) >> (bit & 7) & mask);
		return;
	}
	for (unsigned i = 0; i < n; i++, bit += width) {
		uint64_t low = load_word(in, size, bit >> 3) >> (bit & 7) & 0xffffffff;
		size_t high_at = bit + 32;
		uint64_t high = load_word(in, size, high_at >> 3) >> (high_at & 7);
		v[i] = (int64_t)(low | (high & (((uint64_t)1 << (width - 32)) - 1)) << 32);
	}
}

static size_t packed_bytes(unsigned width, unsigned n)
{
	return ((size_t)width * n + 7) / 8;
}

static unsigned width_of(uint64_t v)
{
	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* ---- choosing ---- */

struct plan {
	enum form form;
	unsigned width; /* of RICE: k */
	int64_t step, low;
	size_t bytes;
};

static void plan_line(struct plan *best, const struct column *c, const int64_t *v, unsigned n,
                      int64_t step, enum form form)
{
	int64_t low = 0, high = 0;
	for (unsigned i = 1; i < n; i++) {
		int64_t r = wrap_sub(v[i], wrap_add(v[0], wrap_mul(step, i)));
		low = MIN_OF(low, r);
		high = MAX_OF(high, r);
	}
	unsigned width = width_of((uint64_t)high - (uint64_t)low);
	size_t bytes = 1 + varint_size(zigzag(wrap_sub(v[0], wrap_add(c->last, c->step)))) +
	               varint_size(zigzag(low)) + packed_bytes(width, n) +
	               (form == FORM_LINE_STEP ? varint_size(zigzag(step)) : 0) +
	               (width > WIDTH_MAX_SMALL);
	if (bytes < best->bytes)
		*best = (struct plan){form, width, step, low, bytes};
}

static unsigned rice_k(uint64_t sum, unsigned n)
{
	unsigned k = 0;
	while (k < RICE_K_MAX && ((uint64_t)n << (k + 1)) <= sum)
		k++;
	return k;
}

static void plan_deltas(struct plan *best, const struct column *c, const int64_t *v, unsigned n)
{
	uint64_t zz[COLUMN_BLOCK], sum = 0;
	int64_t low = INT64_MAX, high = INT64_MIN;
	bool small = true;
	for (unsigned i = 0; i < n; i++) {
		int64_t d = wrap_sub(v[i], i ? v[i - 1] : c->last);
		low = MIN_OF(low, d);
		high = MAX_OF(high, d);
		zz[i] = zigzag(d);
		small &= zz[i] < (1u << RICE_K_MAX);
		sum += small ? zz[i] : 0;
	}
	unsigned width = width_of((uint64_t)high - (uint64_t)low);
	size_t bytes =
	    1 + varint_size(zigzag(low)) + packed_bytes(width, n) + (width > WIDTH_MAX_SMALL);
	if (bytes < best->bytes)
		*best = (struct plan){FORM_DELTA, width, 0, low, bytes};
	if (!small)
		return;
	unsigned k = rice_k(sum, n);
	for (unsigned try = k ? k - 1 : 0; try <= k; try++) {
		size_t bits = 0;
		for (unsigned i = 0; i < n; i++) {
			uint64_t ones = zz[i] >> try;
			bits += ones < RICE_ONES_MAX ? ones + 1 +
			try : RICE_ONES_MAX
				+RICE_K_MAX;
		}
		bytes = 1 + (bits + 7) / 8;
		if (bytes < best->bytes)
			*best = (struct plan){FORM_RICE, try, 0, 0, bytes};
	}
}

static struct plan choose(const struct column *c, const int64_t *v, unsigned n)
{
	struct plan best = {.bytes = SIZE_MAX};
	plan_line(&best, c, v, n, 0, FORM_FLAT);
	if (c->step)
		plan_line(&best, c, v, n, c->step, FORM_LINE);
	if (best.bytes <= LEAST_BYTES) /* a device that keeps its rhythm, a value that stands */
		return best;
	if (n > 1) {
		int64_t mean = wrap_sub(v[n - 1], v[0]) / (int64_t)(n - 1);
		int64_t second =
		    (mean + (mean < 0 ? -SECOND_MS / 2 : SECOND_MS / 2)) / SECOND_MS * SECOND_MS;
		if (mean && mean < INT64_MAX / 2 && mean > INT64_MIN / 2) {
			if (mean != c->step)
				plan_line(&best, c, v, n, mean, FORM_LINE_STEP);
			if (second && second != mean && second != c->step)
				plan_line(&best, c, v, n, second, FORM_LINE_STEP);
		}
	}
	plan_deltas(&best, c, v, n);
	return best;
}

/* ---- writing ---- */

static uint8_t *write_first(const struct column *c, const struct plan *p, int64_t first,
                            uint8_t *out)
{
	enum form form = p->width > WIDTH_MAX_SMALL ? FORM_WIDE : p->form;
	if (form == FORM_WIDE) {
		*out++ = (uint8_t)(FORM_WIDE | p->form << WIDTH_SHIFT);
		*out++ = (uint8_t)p->width;
	} else {
		*out++ = (uint8_t)(form | p->width << WIDTH_SHIFT);
	}
	if (p->form <= FORM_FLAT)
		out += varint_write(zigzag(wrap_sub(first, wrap_add(c->last, c->step))), out);
	if (p->form == FORM_LINE_STEP)
		out += varint_write(zigzag(p->step), out);
	if (p->form != FORM_RICE)
		out += varint_write(zigzag(p->low), out);
	return out;
}

static uint8_t *write_plan(const struct column *c, const struct plan *p, const int64_t *v,
                           unsigned n, uint8_t *out)
{
	struct bits_out b = {.p = write_first(c, p, v[0], out)};
	for (unsigned i = 0; i < n; i++) {
		int64_t before = i ? v[i - 1] : c->last;
		if (p->form == FORM_DELTA) {
			put_bits(&b, (uint64_t)wrap_sub(wrap_sub(v[i], before), p->low), p->width);
		} else if (p->form == FORM_RICE) {
			uint64_t z = zigzag(wrap_sub(v[i], before)), ones = z >> p->width;
			if (ones >= RICE_ONES_MAX) {
				put_bits(&b, ((uint64_t)1 << RICE_ONES_MAX) - 1, RICE_ONES_MAX);
				put_bits(&b, z, RICE_K_MAX);
				continue;
			}
			put_bits(&b, ((uint64_t)1 << ones) - 1, (unsigned)ones + 1);
			put_bits(&b, z & (((uint64_t)1 << p->width) - 1), p->width);
		} else {
			int64_t line = wrap_add(v[0], wrap_mul(p->step, i));
			put_bits(&b, (uint64_t)wrap_sub(wrap_sub(v[i], line), p->low), p->width);
		}
	}
	return flush_bits(&b);
}

/* What the next range starts from. */
static void step_over(struct column *c, const struct plan *p, const int64_t *v, unsigned n)
{
	c->last = v[n - 1];
	if (p->form <= FORM_LINE_STEP)
		c->step = p->step;
}

/* Plans of a block: the whole, or FORM_HALVES and the plans of the first and of the second half. */
struct plans {
	struct plan p[2 * COLUMN_BLOCK / HALF_LEAST];
	unsigned n;
};

/* For v[0..n), whole or in halves, whichever is shorter. Returns the bytes. */
static size_t plan_range(struct column *c, const int64_t *v, unsigned n, struct plans *ret)
{
	struct column halves = *c;
	unsigned at = ret->n++;
	assert(at < ARRAY_LEN(ret->p));
	struct plan *p = &ret->p[at];
	*p = choose(c, v, n);
	step_over(c, p, v, n);
	size_t whole = p->bytes;
	if (n < 2 * HALF_LEAST || whole < HALF_LEAST)
		return whole;
	unsigned first = n / 2;
	size_t size = 1 + plan_range(&halves, v, first, ret);
	if (size < whole)
		size += plan_range(&halves, v + first, n - first, ret);
	if (size >= whole) {
		ret->n = at + 1;
		return whole;
	}
	p->form = FORM_HALVES;
	*c = halves;
	return size;
}

static uint8_t *write_range(struct column *c, const struct plan **p, const int64_t *v, unsigned n,
                            uint8_t *out)
{
	const struct plan *this = (*p)++;
	unsigned first = n / 2;
	if (this->form == FORM_HALVES) {
		*out++ = FORM_HALVES;
		out = write_range(c, p, v, first, out);
		return write_range(c, p, v + first, n - first, out);
	}
	out = write_plan(c, this, v, n, out);
	step_over(c, this, v, n);
	return out;
}

size_t column_write(struct column *c, const int64_t *v, unsigned n, uint8_t *out)
{
	assert(n >= 1 && n <= COLUMN_BLOCK);
	struct column after = *c;
	struct plans plans = {.n = 0};
	size_t bytes = plan_range(&after, v, n, &plans);
	const struct plan *p = plans.p;
	size_t written = (size_t)(write_range(c, &p, v, n, out) - out);
	assert(written == bytes && bytes <= COLUMN_BYTES_MAX && p == plans.p + plans.n);
	return written;
}

/* ---- reading ---- */

static int64_t read_rice(struct column *c, const uint8_t *in, size_t size, unsigned k, int64_t *v,
                         unsigned n)
{
	size_t bit = 0;
	int64_t last = c->last;
	if (k > RICE_K_MAX)
		return ERR_STORE_DAMAGED;
	for (unsigned i = 0; i < n; i++) {
		uint64_t w = load_word(in, size, bit >> 3) >> (bit & 7);
		unsigned ones = ~w ? (unsigned)__builtin_ctzll(~w) : 64;
		uint64_t z;
		if (ones < RICE_ONES_MAX) {
			bit += ones + 1;
			w = load_word(in, size, bit >> 3) >> (bit & 7);
			z = (uint64_t)ones << k | (w & (((uint64_t)1 << k) - 1));
			bit += k;
		} else {
			bit += RICE_ONES_MAX;
			w = load_word(in, size, bit >> 3) >> (bit & 7);
			z = w & (((uint64_t)1 << RICE_K_MAX) - 1);
			bit += RICE_K_MAX;
		}
		v[i] = last = wrap_add(last, unzigzag(z));
	}
	if ((bit + 7) / 8 > size)
		return ERR_STORE_DAMAGED;
	c->last = last;
	return (int64_t)((bit + 7) / 8);
}

static bool read_zigzag(const uint8_t *in, size_t size, size_t *at, int64_t *ret)
{
	uint64_t z;
	size_t n = varint_read(in + *at, size - *at, &z);
	*at += n;
	*ret = n ? unzigzag(z) : 0;
	return n > 0;
}

static int64_t read_packed(struct column *c, enum form form, unsigned width, const uint8_t *in,
                           size_t size, int64_t *v, unsigned n)
{
	size_t at = 0;
	int64_t first = 0, step = form == FORM_LINE ? c->step : 0, low;
	if (form <= FORM_FLAT) {
		if (!read_zigzag(in, size, &at, &first))
			return ERR_STORE_DAMAGED;
		first = wrap_add(first, wrap_add(c->last, c->step));
	}
	if (form == FORM_LINE_STEP && !read_zigzag(in, size, &at, &step))
		return ERR_STORE_DAMAGED;
	if (!read_zigzag(in, size, &at, &low) || width > 64 || packed_bytes(width, n) > size - at)
		return ERR_STORE_DAMAGED;
	unpack(in + at, size - at, width, n, v);
	if (form == FORM_DELTA) {
		int64_t last = c->last;
		for (unsigned i = 0; i < n; i++)
			v[i] = last = wrap_add(last, wrap_add(v[i], low));
	} else {
		int64_t line = wrap_add(first, low);
		for (unsigned i = 0; i < n; i++, line = wrap_add(line, step))
			v[i] = wrap_add(v[i], line);
		if (form != FORM_FLAT)
			c->step = step;
	}
	c->last = v[n - 1];
	return (int64_t)(at + packed_bytes(width, n));
}

int64_t column_read(struct column *c, const uint8_t *in, size_t size, int64_t *v, unsigned n)
{
	assert(n >= 1 && n <= COLUMN_BLOCK);
	if (size < 1)
		return ERR_STORE_DAMAGED;
	unsigned form = in[0] & 7, width = in[0] >> WIDTH_SHIFT, head = 1;
	if (form == FORM_HALVES) {
		if (n < 2 * HALF_LEAST || width)
			return ERR_STORE_DAMAGED;
		unsigned first = n / 2;
		int64_t a = column_read(c, in + 1, size - 1, v, first);
		if (a < 0)
			return a;
		int64_t b = column_read(c, in + 1 + a, size - 1 - (size_t)a, v + first, n - first);
		return b < 0 ? b : 1 + a + b;
	}
	if (form == FORM_WIDE) {
		if (size < 2)
			return ERR_STORE_DAMAGED;
		form = width;
		width = in[1];
		head = 2;
	}
	if (form > FORM_RICE)
		return ERR_STORE_DAMAGED;
	int64_t got = form == FORM_RICE ? read_rice(c, in + head, size - head, width, v, n)
	                                : read_packed(c, form, width, in + head, size - head, v, n);
	return got < 0 ? got : got + head;
}
