/* clock.c - see clock.h. */
#include "base/clock.h"

#include "base/compiler.h"

#include <time.h>

static int64_t system_wall(const struct clock *c UNUSED)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t system_mono(const struct clock *c UNUSED)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int64_t fake_wall(const struct clock *c)
{
	return c->fake_wall_ms;
}
static uint64_t fake_mono(const struct clock *c)
{
	return c->fake_mono_ns;
}

struct clock clock_system(void)
{
	return (struct clock){system_wall, system_mono, 0, 0};
}

struct clock clock_fake(int64_t wall_ms)
{
	return (struct clock){fake_wall, fake_mono, wall_ms, 1000000000u};
}

void clock_advance(struct clock *c, int64_t ms)
{
	assert(c->wall_ms == fake_wall);
	c->fake_wall_ms += ms;
	c->fake_mono_ns += (uint64_t)ms * 1000000u;
}
