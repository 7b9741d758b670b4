/* hist.c - buckets by the highest bit and the five below it. */
#include "cli/hist.h"

#include "base/compiler.h"

static unsigned bucket_of(uint64_t us)
{
	if (us < HIST_STEPS)
		return (unsigned)us;
	unsigned octave = 63u - (unsigned)__builtin_clzll(us); /* >= 5 */
	unsigned i = (octave - 4) * HIST_STEPS + (unsigned)(us >> (octave - 5) & (HIST_STEPS - 1));
	return MIN_OF(i, (unsigned)HIST_BUCKETS - 1);
}

/* The first value that lies above bucket i. */
static uint64_t end_of(unsigned i)
{
	if (i < HIST_STEPS)
		return i + 1;
	unsigned octave = i / HIST_STEPS + 4;
	return (uint64_t)(HIST_STEPS + i % HIST_STEPS + 1) << (octave - 5);
}

void hist_add(struct hist *h, uint64_t ns)
{
	h->bucket[bucket_of(ns / 1000)]++;
	h->n++;
	h->max_ns = MAX_OF(h->max_ns, ns);
}

double hist_ms(const struct hist *h, double share)
{
	assert(share >= 0 && share <= 1);
	uint64_t want = (uint64_t)(share * (double)h->n), seen = 0;
	if (h->n == 0)
		return 0;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= want && seen > 0)
			return MIN_OF((double)end_of(i) / 1e3, (double)h->max_ns / 1e6);
	}
	return (double)h->max_ns / 1e6;
}
