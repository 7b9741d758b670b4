/* random.h - numbers that follow from `state`, which a test may set from a seed it tells
 * (xorshift64, Marsaglia 2003). */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdint.h>

static uint64_t state = 88172645463325252ull; /* never 0 */

static inline uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static inline uint64_t rnd_below(uint64_t n)
{
	return rnd() % n;
}

#endif
