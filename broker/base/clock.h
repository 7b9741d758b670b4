/* clock.h - time as a parameter. The daemon uses clock_system(); tests hand in a struct they move.
 *
 * wall: milliseconds since 1970-01-01 UTC, may jump. mono: nanoseconds, never goes back, no epoch.
 * The loop reads the clock once per turn and passes the values on. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t (*wall_ms)(const struct clock *c);
	uint64_t (*mono_ns)(const struct clock *c);
	int64_t fake_wall_ms; /* used by clock_fake only */
	uint64_t fake_mono_ns;
};

struct clock clock_system(void);
struct clock clock_fake(int64_t wall_ms);
void clock_advance(struct clock *c, int64_t ms); /* fake clocks only */

static inline int64_t clock_wall_ms(const struct clock *c)
{
	return c->wall_ms(c);
}
static inline uint64_t clock_mono_ns(const struct clock *c)
{
	return c->mono_ns(c);
}

#endif
