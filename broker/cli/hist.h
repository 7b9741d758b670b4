/* hist.h - a histogram of times: log-linear, 32 steps an octave (3 % wide), from 1 us up. Pure. */
#ifndef CLI_HIST_H
#define CLI_HIST_H

#include <stdint.h>

enum { HIST_STEPS = 32, HIST_BUCKETS = HIST_STEPS * 40 };

struct hist {
	uint64_t n, max_ns;
	uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t ns);
/* The time, in ms, that a share (0..1) of the values does not exceed; 0 when there are none. */
double hist_ms(const struct hist *h, double share);

#endif
