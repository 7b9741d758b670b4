/* Things by where they are, against looking at each: entries and places that were told, which come,
 * move and go, of points and boxes, here and at the edges of the earth. */
#include "register/private.h"

#include "base/mem.h"
#include "unit/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { THINGS = 400, SEEN = 2 };

struct play {
	struct things t;
	struct thing x[THINGS];
	struct thing_seen seen[THINGS][SEEN];
	char key[THINGS][16];
};

static int32_t any(int32_t middle, int64_t spread, int64_t most)
{
	int64_t v = middle + (int64_t)rnd_below(2 * (uint64_t)spread) - spread;
	if (rnd_below(40) == 0)
		v = rnd_below(2) ? most : -most;
	return (int32_t)(v < -most ? -most : v > most ? most : v);
}

static struct box any_box(int64_t spread, bool point)
{
	int32_t w = any(49000000, spread, 1800000000), s = any(523000000, spread, 900000000),
	        e = point ? w : any(49000000, spread, 1800000000),
	        n = point ? s : any(523000000, spread, 900000000);
	return (struct box){MIN_OF(w, e), MIN_OF(s, n), MAX_OF(w, e), MAX_OF(s, n)};
}

static void change(struct play *p, unsigned i, int64_t spread)
{
	struct thing *x = &p->x[i];
	const struct box at = any_box(spread, true);
	switch (rnd_below(4)) {
	case 0:
		x->registered = rnd_below(3) > 0;
		x->entry.has_location = rnd_below(4) > 0;
		x->entry.lon_e7 = at.west_e7;
		x->entry.lat_e7 = at.south_e7;
		break;
	case 1: x->n_seen = (unsigned)rnd_below(SEEN + 1); break;
	default:
		p->seen[i][rnd_below(SEEN)] = (struct thing_seen){
		    .has_location = rnd_below(8) > 0, .place = any_box(spread, rnd_below(2))};
	}
	where_changed(&p->t, x);
}

static bool is_near(const struct thing *x, const struct shape *s)
{
	const struct thing_place entry = thing_entry_place(x);
	bool near = entry.known && shape_meets(s, &entry.place);
	for (unsigned i = 0; i < x->n_seen; i++)
		near = near || (x->seen[i].has_location && shape_meets(s, &x->seen[i].place));
	return near;
}

static void check(struct play *p, int64_t spread)
{
	const struct thing *out[LIMIT_THINGS_NEAR];
	const struct box at = any_box(spread, rnd_below(4) == 0);
	bool found[THINGS] = {false}, over = rnd_below(10) == 0;
	struct shape s = {.kind = rnd_below(2) ? SHAPE_BBOX : SHAPE_RADIUS,
	                  .west_e7 = over ? at.east_e7 : at.west_e7,
	                  .south_e7 = at.south_e7,
	                  .east_e7 = over ? at.west_e7 : at.east_e7,
	                  .north_e7 = at.north_e7,
	                  .lon_e7 = at.west_e7,
	                  .lat_e7 = at.south_e7,
	                  .radius_m = (double)rnd_below((uint64_t)spread) / 90};
	unsigned n, after = (unsigned)rnd_below(THINGS);
	struct span key = rnd_below(2) ? p->x[after].key : (struct span){0};
	if (rnd_below(20) == 0)
		s.kind = SHAPE_EVERYWHERE;
	assert_true(things_near(&p->t, &s, key, out, &n));
	things_sort(out, n);
	for (unsigned i = 0; i < n; i++) {
		assert_true(i == 0 || key_order(out[i - 1]->key, out[i]->key) < 0);
		found[out[i] - p->x] = true;
	}
	for (unsigned i = 0; i < THINGS; i++) {
		bool behind = !key.n || key_order(p->x[i].key, key) > 0;
		if (behind && is_near(&p->x[i], &s))
			assert_true(found[i]);
		assert_true(behind || !found[i]);
	}
}

static void as_looking_at_each(void **unused UNUSED)
{
	static const int64_t spreads[] = {2000, 300000, 5000000, 900000000};
	for (unsigned run = 0; run < ARRAY_LEN(spreads); run++) {
		struct play *p = xcalloc(1, sizeof(*p));
		for (unsigned i = 0; i < THINGS; i++) {
			int k = snprintf(p->key[i], sizeof(p->key[i]), "o/%u", i * 7919 % 1000);
			p->x[i].key = span_of(p->key[i], (size_t)k);
			p->x[i].seen = p->seen[i];
		}
		for (unsigned move = 0; move < 4000; move++) {
			unsigned i = (unsigned)rnd_below(THINGS);
			if (rnd_below(50) == 0) {
				where_drop(&p->t, &p->x[i]);
				p->x[i].registered = false;
				p->x[i].n_seen = 0;
			} else {
				change(p, i, spreads[run]);
			}
			if (move % 4 == 0)
				check(p, spreads[run]);
		}
		where_done(&p->t);
		free(p);
	}
}

/* What drives about is looked up at one place, and found where it is. */
static void a_journey(void **unused UNUSED)
{
	struct things t = {0};
	struct thing_seen seen = {.has_location = true};
	struct thing x = {.key = SPAN("o/bus"), .seen = &seen, .n_seen = 1};
	const struct thing *out[LIMIT_THINGS_NEAR];
	unsigned moved = 0, n;
	for (int32_t i = 0; i < 10000; i++) {
		const struct box before = x.around;
		seen.place = box_of_point(49000000 + 1000 * i, 523000000 - 500 * i);
		where_changed(&t, &x);
		moved += !box_same(&before, &x.around);
		struct shape s = {.kind = SHAPE_RADIUS,
		                  .lon_e7 = seen.place.west_e7,
		                  .lat_e7 = seen.place.south_e7,
		                  .radius_m = 1};
		assert_true(things_near(&t, &s, (struct span){0}, out, &n) && n == 1);
	}
	assert_true(moved < 400);
	where_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_looking_at_each),
	                                   cmocka_unit_test(a_journey)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
