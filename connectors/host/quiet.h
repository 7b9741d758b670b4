/* quiet.h - so many lines a minute of one kind; the rest is counted by who asks. */
#ifndef HOST_QUIET_H
#define HOST_QUIET_H

#include "base/clock.h"
#include "base/limits.h"

#include <stdbool.h>

struct quiet {
	int64_t minute;
	int lines;
};

static inline bool quiet_may(struct quiet *q)
{
	struct clock c = clock_system();
	int64_t minute = (int64_t)(clock_mono_ns(&c) / 60000000000ull);
	if (minute != q->minute)
		*q = (struct quiet){minute, 0};
	return q->lines++ < LIMIT_CONNECT_LOG_LINES;
}

#endif
