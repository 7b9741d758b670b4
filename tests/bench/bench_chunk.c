/* bench_chunk - the codec of chunks alone: bytes per point, millions of points a second.
 * Input: little endian records { u32 stream; u32 decimals; i64 ms; i64 value * 10^decimals }. */
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

int main(void)
{
	static struct points s[STREAMS];
	struct row r;
	size_t points = 0, bytes = 0, chunks = 0, cap = 1 << 20, n_mem = 0;
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
	uint8_t *mem = malloc(cap * 2 + points * 10);
	struct span *at = malloc((points / 8 + STREAMS) * sizeof(*at));
	double start = seconds();
	for (int i = 0; i < STREAMS; i++)
		for (size_t from = 0, size; from < s[i].n; n_mem += size) {
			from += chunk_encode(&s[i], from, s[i].n - from, mem + n_mem, &size);
			at[chunks++] = span_of((char *)mem + n_mem, size);
			bytes += size;
		}
	double encode = seconds() - start;
	struct points got;
	points_init(&got, SIZE_MAX);
	size_t decoded = 0;
	start = seconds();
	for (size_t i = 0; i < chunks; i++) {
		points_clear(&got);
		if (chunk_decode(at[i], &got))
			return 1;
		decoded += got.n;
	}
	double decode = seconds() - start;
	if (decoded != points)
		return 1;
	printf("%zu points in %zu chunks, %.3f bytes a point; pack %.1f M/s, unpack %.1f M/s\n",
	       points, chunks, (double)bytes / (double)points, (double)points / encode / 1e6,
	       (double)points / decode / 1e6);
	return 0;
}
