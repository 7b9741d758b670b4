/* backoff.c - does not sleep; does say until when to wait. */
#include "host/backoff.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/limits.h"

#include <sys/random.h>

static uint64_t now_ns(void)
{
	struct clock c = clock_system();
	return clock_mono_ns(&c);
}

void backoff_init(struct backoff *b)
{
	*b = (struct backoff){0, 0};
}

void backoff_ok(struct backoff *b)
{
	*b = (struct backoff){0, 0};
}

void backoff_wait(struct backoff *b, int64_t ms)
{
	uint64_t until = now_ns() + (uint64_t)ms * 1000000;
	b->until_ns = MAX_OF(b->until_ns, until);
}

/* Half of the time is fixed, half is drawn: connectors that fell together do not return together.
 */
void backoff_failed(struct backoff *b)
{
	uint32_t draw = 0;
	int64_t ms = (int64_t)LIMIT_CONNECT_BACKOFF_MS << MIN_OF(b->failures, 10);
	ms = MIN_OF(ms, (int64_t)LIMIT_CONNECT_BACKOFF_MAX_MS);
	if (getrandom(&draw, sizeof(draw), GRND_NONBLOCK) < 0)
		draw = 0;
	b->failures++;
	backoff_wait(b, ms / 2 + (int64_t)(draw % (uint32_t)(ms / 2 + 1)));
}

int64_t backoff_left_ms(const struct backoff *b)
{
	uint64_t now = now_ns();
	return b->until_ns > now ? (int64_t)((b->until_ns - now) / 1000000) + 1 : 0;
}

bool backoff_due(const struct backoff *b)
{
	return backoff_left_ms(b) == 0;
}
