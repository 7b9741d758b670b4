/* bench_boxes - a million things found by where they are: bench_boxes [THINGS]
 *
 * Points over 40 km, thicker in the middle, and then the same with a tenth of them lines and
 * surfaces of 10 m to 5 km; what it takes to put them in, to move one, and to find those in a
 * square of 300 m, 1 km and 10 km, beside looking at each. */
#include "base/boxes.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252ull;
static int64_t rnd(int64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int64_t)(state % (uint64_t)n);
}

static double now_ms(void)
{
	struct clock c = clock_system();
	return (double)clock_mono_ns(&c) / 1e6;
}

static struct box point(int64_t spread)
{
	int64_t lon = rnd(spread) + rnd(spread), lat = rnd(spread) + rnd(spread);
	return box_of_point((int32_t)(46000000 + lon), (int32_t)(520000000 + lat));
}

/* One in `share` is a box; 0: none. */
static struct box place(int64_t spread, unsigned share)
{
	struct box b = point(spread);
	if (share && rnd(share) == 0) {
		int64_t most = 1000ll << rnd(10); /* many are small */
		b.east_e7 += (int32_t)rnd(most);
		b.north_e7 += (int32_t)rnd(most);
	}
	return b;
}

static void ask(const struct boxes *b, const struct box *at, uint32_t n, int32_t size)
{
	enum { TIMES = 200, MAX = 20000 };
	static uint32_t out[MAX];
	size_t found = 0, exact = 0, near = 0, each = 0;
	unsigned all = 0;
	double start = now_ms();
	for (unsigned i = 0; i < TIMES; i++) {
		struct box a = point(1500000);
		a.east_e7 += size;
		a.north_e7 += size;
		all += boxes_near(b, &a, out, MAX, &found);
		near += found;
		for (size_t k = 0; k < found; k++)
			exact += box_touches(&at[out[k]], &a);
	}
	double took = (now_ms() - start) / TIMES;
	struct box a = point(1500000);
	a.east_e7 += size;
	a.north_e7 += size;
	start = now_ms();
	for (uint32_t i = 0; i < n; i++)
		each += box_touches(&at[i], &a);
	printf("square of %6.1f km: %8.4f ms, %zu looked at, %zu in it, %u of %d not given up; "
	       "looking at each %.2f ms (%zu)\n",
	       size / 1e7 * 111, took, near / TIMES, exact / TIMES, all, TIMES, now_ms() - start,
	       each);
}

static void measure(uint32_t n, unsigned share)
{
	struct box *at = xcalloc(n, sizeof(*at));
	struct boxes b = {0};
	for (uint32_t i = 0; i < n; i++)
		at[i] = place(2000000, share);
	double start = now_ms();
	for (uint32_t i = 0; i < n; i++)
		boxes_add(&b, i, &at[i]);
	printf("%u %s put in: %.0f ms, %zu cells, %zu MB\n", n,
	       share ? "points and boxes" : "points", now_ms() - start, b.used,
	       ((b.mask + 1) * sizeof(*b.cells) + b.cap * sizeof(*b.links)) >> 20);
	start = now_ms();
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = (uint32_t)rnd(n);
		boxes_drop(&b, k, &at[k]);
		at[k] = place(2000000, share);
		boxes_add(&b, k, &at[k]);
	}
	printf("one moved: %.0f ns\n", (now_ms() - start) * 1e6 / n);
	ask(&b, at, n, 27000);
	ask(&b, at, n, 90000);
	ask(&b, at, n, 900000);
	boxes_done(&b);
	free(at);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	measure(n, 0);
	measure(n, 10);
	return 0;
}
