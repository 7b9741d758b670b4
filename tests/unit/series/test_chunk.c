/* test_chunk.c - columns and chunks give back what was put in, exactly, whatever it was. */
#include "series/chunk.h"
#include "unit/random.h"

#include "base/err.h"
#include "base/limits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- columns ---- */

static int64_t number_of(int how, int64_t before)
{
	switch (how) {
	case 0: return 7;
	case 1: return (int64_t)((uint64_t)before + 60000);
	case 2: return (int64_t)((uint64_t)before + 59000 + rnd() % 2001);
	case 3: return (int64_t)rnd();
	case 4: return (int64_t)((uint64_t)before + rnd() % 3 - 1);
	case 5: return rnd() % 50 ? before : (int64_t)(rnd() % 100000);
	case 6: return rnd() % 2 ? INT64_MAX : INT64_MIN;
	case 7: return (int64_t)((uint64_t)before + (rnd() << (rnd() % 64)));
	default: return (int64_t)(rnd() % 1000);
	}
}

static void test_column(void **unused)
{
	(void)unused;
	for (int round = 0; round < 40000; round++) {
		struct column out = {0}, in = {0};
		int64_t v[3][COLUMN_BLOCK], got[COLUMN_BLOCK], before = (int64_t)(rnd() % 1000);
		uint8_t bytes[3 * COLUMN_BYTES_MAX];
		size_t size = 0, at = 0;
		unsigned n[3];
		for (int b = 0; b < 3; b++) {
			int how = (int)(rnd() % 9);
			n[b] = 1 + (unsigned)(rnd() % COLUMN_BLOCK);
			for (unsigned i = 0; i < n[b]; i++)
				before = v[b][i] = number_of(how, before);
			size += column_write(&out, v[b], n[b], bytes + size);
			assert_true(size <= sizeof(bytes));
		}
		uint8_t *exact = malloc(size); /* a sanitizer sees a step outside */
		memcpy(exact, bytes, size);
		for (int b = 0; b < 3; b++) {
			int64_t used = column_read(&in, exact + at, size - at, got, n[b]);
			assert_true(used > 0);
			at += (size_t)used;
			assert_memory_equal(got, v[b], n[b] * sizeof(got[0]));
		}
		assert_int_equal(at, size);
		free(exact);
	}
}

/* ---- chunks ---- */

static double special(void)
{
	static const double values[] = {0.1,       21.5,
	                                0.1 + 0.2, 1e300,
	                                -0.0,      5e-324,
	                                1e15,      4503599627370497.5,
	                                1.0 / 3,   123456789.123456789,
	                                -273.15,   0,
	                                1e-9,      1e22,
	                                -1e-300,   9007199254740993.0};
	return values[rnd() % ARRAY_LEN(values)];
}

static double value(int how)
{
	switch (how) {
	case 0: return (double)(int64_t)(rnd() % 1000) / 10;
	case 1: return (double)(int64_t)(rnd() % 100000) / 1000 - 20;
	case 2: return special();
	case 3: return rnd() % 40 ? (double)(rnd() % 500) : special();
	case 4: return ldexp((double)(rnd() >> 11), (int)(rnd() % 200) - 100);
	default: return (double)(rnd() % 1000000);
	}
}

/* Live, with a delay now and then; loaded later; anything; not known, or known of some. */
static uint32_t stored(int64_t t, int how)
{
	static uint32_t now = 1795000000;
	now += rnd() % 50 == 0;
	switch (how) {
	case 0: return 0;
	case 1: return (uint32_t)(t / 1000 + (rnd() % 30 == 0 ? (int64_t)(rnd() % 900) : 0));
	case 2: return now;
	case 3: return (uint32_t)rnd();
	case 4: return rnd() % 2 ? UINT32_MAX : 1;
	default: return rnd() % 3 ? now : 0;
	}
}

static void add(struct points *s, int64_t t, int kinds, int how)
{
	struct point *p = points_add(s);
	char text[LIMIT_SERIES_TEXT_BYTES];
	assert_non_null(p);
	size_t at = (size_t)(p - s->p);
	p->time_ms = t;
	p->kind = kinds == 3 ? (uint8_t)(rnd() % 3) : (uint8_t)kinds;
	p->flags = rnd() % 20 == 0 && how % 2 ? (uint16_t)(rnd() & POINT_FLAGS) : 0;
	p->number = p->kind == POINT_NUMBER ? value(how) : p->kind == POINT_BOOL ? rnd() % 2 : 0;
	if (p->kind != POINT_TEXT)
		return;
	size_t n = how == 4 ? rnd() % sizeof(text) : 0;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)rnd();
	if (!n)
		n = (size_t)snprintf(text, sizeof(text), "state-%d",
		                     (int)(rnd() % (how == 3 ? 1000 : 5)));
	assert_int_equal(points_text(s, span_of(text, n), &s->p[at].text), 0);
}

static void same(const struct points *a, size_t i, const struct points *b, size_t k)
{
	const struct point *x = &a->p[i], *y = &b->p[k];
	assert_int_equal(x->time_ms, y->time_ms);
	assert_int_equal(x->kind, y->kind);
	assert_int_equal(x->flags, y->flags);
	assert_int_equal(x->stored_s, y->stored_s);
	if (x->kind == POINT_TEXT)
		assert_true(span_eq(point_text(a, x), point_text(b, y)));
	else
		assert_memory_equal(&x->number, &y->number, sizeof(double));
}

/* The head against a naive walk. */
static void check_head(const struct points *s, size_t from, size_t n, const struct chunk_head *h)
{
	struct figures f = {0};
	assert_int_equal(h->n, n);
	assert_int_equal(h->first_ms, s->p[from].time_ms);
	assert_int_equal(h->last_ms, s->p[from + n - 1].time_ms);
	for (size_t i = from; i < from + n; i++) {
		double x = s->p[i].number;
		if (s->p[i].kind == POINT_TEXT)
			continue;
		if (!f.count++)
			f.min = f.max = f.first = x;
		f.min = fmin(f.min, x);
		f.max = fmax(f.max, x);
		f.sum += x;
		f.last = x;
	}
	assert_int_equal(h->figures.count, f.count);
	if (!f.count)
		return;
	assert_true(h->figures.min == f.min && h->figures.max == f.max);
	assert_true(h->figures.first == f.first && h->figures.last == f.last);
	assert_true(fabs(h->figures.sum - f.sum) <= 1e-6 * (1 + fabs(f.sum)) ||
	            !(h->bits & CHUNK_EXACT));
}

/* Without the seconds it is the same, and faster. */
static void check_plain(struct span bytes, const struct points *s, size_t at, size_t n)
{
	struct points got;
	points_init(&got, SIZE_MAX);
	assert_int_equal(chunk_decode(bytes, &got), 0);
	assert_int_equal(got.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(got.p[i].stored_s, 0);
		got.p[i].stored_s = s->p[at + i].stored_s;
		same(s, at + i, &got, i);
	}
	points_done(&got);
}

static void test_chunk(void **unused)
{
	(void)unused;
	for (int round = 0; round < 300; round++) {
		struct points s, got;
		size_t n = 1 + rnd() % (round % 10 ? 500 : 20000);
		int kinds = (int)(rnd() % 4), how = (int)(rnd() % 6), step = (int)(rnd() % 3),
		    when = (int)(rnd() % 6);
		int64_t t = (int64_t)(rnd() % 4000000000000u) - 1000000000000;
		points_init(&s, SIZE_MAX);
		points_init(&got, SIZE_MAX);
		for (size_t i = 0; i < n; i++) {
			t += step == 0 ? 60000 : step == 1 ? (int64_t)(rnd() % 60000) : 1;
			if (rnd() % 100 == 0 && step)
				t += 86400000;
			add(&s, t, kinds, how);
			s.p[i].stored_s = stored(t, rnd() % 400 ? when : (int)(rnd() % 6));
		}
		for (size_t at = 0; at < n;) {
			uint8_t mem[CHUNK_BYTES];
			struct chunk_head h;
			size_t size, before = got.n;
			size_t took = chunk_encode(&s, at, n - at, mem, &size);
			struct span bytes = {malloc(size), size};
			memcpy((char *)bytes.p, mem, size);
			assert_int_equal(chunk_read_head(bytes, &h), 0);
			check_head(&s, at, took, &h);
			assert_int_equal(chunk_decode_stored(bytes, &got), 0);
			check_plain(bytes, &s, at, took);
			assert_int_equal(got.n - before, took);
			for (size_t i = 0; i < took; i++)
				same(&s, at + i, &got, before + i);
			((char *)bytes.p)[rnd() % size] ^= (char)(1 << rnd() % 8);
			before = got.n;
			int err = chunk_decode(bytes, &got);
			assert_true(err == ERR_STORE_DAMAGED || err == ERR_STORE_FORMAT);
			assert_int_equal(got.n, before);
			free((char *)bytes.p);
			at += took;
		}
		points_done(&s);
		points_done(&got);
	}
}

/* Steady series are small: a guard against a form that is no longer chosen. */
static void test_size(void **unused)
{
	(void)unused;
	struct points s;
	uint8_t mem[CHUNK_BYTES];
	size_t size;
	points_init(&s, SIZE_MAX);
	for (int i = 0; i < 8000; i++) {
		struct point *p = points_add(&s);
		p->time_ms = 1795523696000 + i * 60000;
		p->number = 21.5;
	}
	assert_int_equal(chunk_encode(&s, 0, s.n, mem, &size), CHUNK_POINTS_MAX);
	assert_true(size < 700);
	for (int i = 0; i < 8000; i++) {
		s.p[i].time_ms += (int64_t)(rnd() % 2001); /* 11 bits of jitter and 3 of noise */
		s.p[i].number += (double)(int)(rnd() % 8) / 10;
	}
	size_t without = chunk_encode(&s, 0, s.n, mem, &size);
	assert_true(without > 2200);
	assert_true(size > CHUNK_BYTES - 64);
	/* When they were stored: next to nothing when all came at once, or each after the same
	 * time; a bit when that changes. */
	for (size_t i = 0; i < s.n; i++)
		s.p[i].stored_s = 1795600000 + (uint32_t)(i / 1000);
	assert_true(chunk_encode(&s, 0, s.n, mem, &size) > without - without / 50);
	for (size_t i = 0; i < s.n; i++)
		s.p[i].stored_s = (uint32_t)(s.p[i].time_ms / 1000 + 4);
	assert_true(chunk_encode(&s, 0, s.n, mem, &size) > without - without / 50);
	for (size_t i = 0; i < s.n; i++)
		s.p[i].stored_s += rnd() % 2;
	assert_true(chunk_encode(&s, 0, s.n, mem, &size) > without - without / 8);
	points_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_column),
	    cmocka_unit_test(test_chunk),
	    cmocka_unit_test(test_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
