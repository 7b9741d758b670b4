/* backoff.h - how long to wait after failures: doubling, with jitter, bounded by limits.h. */
#ifndef HOST_BACKOFF_H
#define HOST_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	int failures;
	uint64_t until_ns; /* monotonic; 0: now */
};

void backoff_init(struct backoff *b);
void backoff_ok(struct backoff *b);
void backoff_failed(struct backoff *b);
/* Waits at least so long, whatever came before: what a server asked for. */
void backoff_wait(struct backoff *b, int64_t ms);
bool backoff_due(const struct backoff *b);
int64_t backoff_left_ms(const struct backoff *b);

#endif
