/* Boxes found by where they are, against looking at each: any adding, moving and dropping, of
 * points and of boxes from a street to the whole earth, in a town, over the country and at the
 * edges. */
#include "base/boxes.h"

#include "base/mem.h"
#include "unit/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IDS = 3000, MAX = 4000 };
static const int64_t LON = 1800000000, LAT = 900000000;

static int32_t within(int64_t v, int64_t most)
{
	return (int32_t)(v < -most ? -most : v > most ? most : v);
}

/* spread: of the middles; size: 0 for points. */
static struct box any_box(int64_t spread, int64_t size)
{
	int64_t lon = 49000000 + (int64_t)rnd_below((uint64_t)spread) - spread / 2,
	        lat = 523000000 + (int64_t)rnd_below((uint64_t)spread) - spread / 2;
	int64_t w = size ? (int64_t)rnd_below((uint64_t)size) : 0,
	        h = size ? (int64_t)rnd_below((uint64_t)size) : 0;
	if (rnd_below(50) == 0)
		lon = rnd_below(2) ? LON : -LON;
	if (rnd_below(50) == 0)
		lat = rnd_below(2) ? LAT : -LAT;
	return (struct box){within(lon - w, LON), within(lat - h, LAT), within(lon + w, LON),
	                    within(lat + h, LAT)};
}

static int64_t any_size(void)
{
	return rnd_below(3) ? 0 : 1ll << rnd_below(32);
}

struct play {
	struct boxes b;
	struct box at[IDS];
	bool in[IDS];
	unsigned given_up;
};

static void check(struct play *p, const struct box *area)
{
	static uint32_t out[MAX];
	static bool found[IDS];
	size_t n;
	if (!boxes_near(&p->b, area, out, MAX, &n)) {
		p->given_up++;
		return;
	}
	memset(found, 0, sizeof(found));
	for (size_t i = 0; i < n; i++) {
		assert_true(out[i] < IDS && p->in[out[i]] && !found[out[i]]);
		found[out[i]] = true;
	}
	for (unsigned i = 0; i < IDS; i++)
		if (p->in[i] && box_touches(&p->at[i], area))
			assert_true(found[i]);
}

/* By a shape each is told once, also where it goes over 180 degrees. */
static void check_shape(struct play *p, const struct box *area)
{
	static uint32_t out[MAX];
	static bool found[IDS];
	bool over = rnd_below(2);
	struct shape s = {.kind = rnd_below(3) ? SHAPE_BBOX : SHAPE_RADIUS,
	                  .west_e7 = over ? area->east_e7 : area->west_e7,
	                  .south_e7 = area->south_e7,
	                  .east_e7 = over ? area->west_e7 : area->east_e7,
	                  .north_e7 = area->north_e7,
	                  .lon_e7 = area->west_e7,
	                  .lat_e7 = area->south_e7,
	                  .radius_m = ((double)area->north_e7 - area->south_e7) / 90};
	size_t n;
	if (!boxes_meeting(&p->b, &s, out, MAX, &n))
		return;
	memset(found, 0, sizeof(found));
	for (size_t i = 0; i < n; i++) {
		assert_true(out[i] < IDS && p->in[out[i]] && !found[out[i]]);
		found[out[i]] = true;
	}
	for (unsigned i = 0; i < IDS; i++)
		if (p->in[i] && shape_meets(&s, &p->at[i]))
			assert_true(found[i]);
}

static void change(struct play *p, unsigned i, int64_t spread)
{
	if (p->in[i])
		boxes_drop(&p->b, i, &p->at[i]);
	p->in[i] = rnd_below(4) > 0;
	if (!p->in[i])
		return;
	p->at[i] =
	    rnd_below(8) == 0 ? box_of_point(49000000, 523000000) : any_box(spread, any_size());
	boxes_add(&p->b, i, &p->at[i]);
}

static void as_looking_at_each(void **unused UNUSED)
{
	static const int64_t spreads[] = {1, 100000, 3000000, 30000000, 900000000};
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct play *p = xcalloc(1, sizeof(*p));
		int64_t spread = spreads[seed % ARRAY_LEN(spreads)];
		unsigned asked = 0;
		state = seed * 0x9E3779B97F4A7C15u;
		for (unsigned i = 0; i < 20000; i++) {
			change(p, (unsigned)rnd_below(IDS), spread);
			if (i % 40)
				continue;
			struct box area = any_box(spread, any_size());
			check(p, &area);
			check_shape(p, &area);
			asked++;
		}
		assert_true(p->given_up < asked / 2);
		boxes_done(&p->b);
		free(p);
	}
}

/* Things that move leave no cells behind for ever. */
static void cells_of_a_journey(void **unused UNUSED)
{
	struct boxes b = {0};
	struct box at = box_of_point(0, 0);
	boxes_add(&b, 7, &at);
	for (int32_t i = 1; i < 20000; i++) {
		boxes_drop(&b, 7, &at);
		at = box_of_point(i * 70000, i * 30000);
		boxes_add(&b, 7, &at);
	}
	assert_true(b.mask < 1024);
	boxes_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_looking_at_each),
	                                   cmocka_unit_test(cells_of_a_journey)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
