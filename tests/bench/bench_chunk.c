/* bench_chunk - the codec of chunks alone: bytes per point, millions of points a second.
 * Input: little endian records { u32 stream; u32 decimals; i64 ms; i64 value * 10^decimals }. Each
 * form of when they were stored: not known, loaded 100,000 points a second, live within a second.
 */
#include "base/clock.h"
#include "series/chunk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STREAMS = 4096 };

struct row {
	uint32_t stream, decimals;
	int64_t ms, value;
};

static double seconds(void)
{
	struct clock c = clock_system();
	return (double)clock_mono_ns(&c) / 1e9;
}

static const char *const forms[] = {"not known", "loaded", "live"};

static uint32_t stored(unsigned form, const struct point *p, size_t nth)
{
	if (form == 1)
		return (uint32_t)(1795521600 + nth / 100000);
	return form ? (uint32_t)((p->time_ms + (int64_t)(nth * 7919 % 1000)) / 1000) : 0;
}

static void measure(struct points *s, size_t points, uint8_t *mem, struct span *at, unsigned form)
{
	size_t bytes = 0, chunks = 0, n_mem = 0, nth = 0;
	for (int i = 0; i < STREAMS; i++)
		for (size_t k = 0; k < s[i].n; k++)
			s[i].p[k].stored_s = stored(form, &s[i].p[k], nth++);
	double start = seconds();
	for (int i = 0; i < STREAMS; i++)
		for (size_t from = 0, size; from < s[i].n; n_mem += size) {
			from += chunk_encode(&s[i], from, s[i].n - from, mem + n_mem, &size);
			at[chunks++] = span_of((char *)mem + n_mem, size);
			bytes += size;
		}
	double encode = seconds() - start, decode[2];
	struct points got;
	points_init(&got, SIZE_MAX);
	for (int with = 0; with < 2; with++) {
		size_t decoded = 0;
		start = seconds();
		for (size_t i = 0; i < chunks; i++) {
			points_clear(&got);
			if (with ? chunk_decode_stored(at[i], &got) : chunk_decode(at[i], &got))
				exit(1);
			decoded += got.n;
		}
		decode[with] = seconds() - start;
		if (decoded != points)
			exit(1);
	}
	points_done(&got);
	printf("stored %-9s  %zu points in %zu chunks, %.3f bytes a point; pack %.1f M/s, unpack "
	       "%.1f M/s, with when they were stored %.1f M/s\n",
	       forms[form], points, chunks, (double)bytes / (double)points,
	       (double)points / encode / 1e6, (double)points / decode[0] / 1e6,
	       (double)points / decode[1] / 1e6);
}

int main(void)
{
	static struct points s[STREAMS];
	struct row r;
	size_t points = 0;
	for (int i = 0; i < STREAMS; i++)
		points_init(&s[i], SIZE_MAX);
	while (fread(&r, sizeof(r), 1, stdin) == 1) {
		struct point *p = r.stream < STREAMS ? points_add(&s[r.stream]) : NULL;
		if (!p)
			return 1;
		p->time_ms = r.ms;
		p->number = (double)r.value / pow(10, r.decimals);
		points++;
	}
	uint8_t *mem = malloc((1 << 21) + points * 10);
	struct span *at = malloc((points / 8 + STREAMS) * sizeof(*at));
	for (unsigned form = 0; form < ARRAY_LEN(forms); form++)
		measure(s, points, mem, at, form);
	return 0;
}
