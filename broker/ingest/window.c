/* window.c - see window.h. */
#include "ingest/window.h"

#include "base/rfc3339.h"

#include <stdio.h>

bool window_holds(const struct config_feed *c, int64_t received_ms, int64_t time_ms)
{
	int64_t ahead = time_ms - received_ms;
	return ahead <= (int64_t)c->max_future_s * 1000 &&
	       (!c->max_age_s || -ahead <= (int64_t)c->max_age_s * 1000);
}

void window_text(const struct config_feed *c, int64_t received_ms, int64_t time_ms, struct span of,
                 char out[WINDOW_TEXT_BYTES])
{
	char when[RFC3339_BYTES];
	int64_t ahead = time_ms - received_ms;
	bool future = ahead > 0;
	rfc3339_format(time_ms, when);
	snprintf(out, WINDOW_TEXT_BYTES, "time %.*s%s%.*s is %lld s %s, more than %s %llu s",
	         RFC3339_BYTES, when, of.n ? " of a reading of " : "", (int)(of.n < 64 ? of.n : 64),
	         of.n ? of.p : "", (long long)((future ? ahead : -ahead) / 1000),
	         future ? "in the future" : "old", future ? "max-future" : "max-age",
	         (unsigned long long)(future ? c->max_future_s : c->max_age_s));
}

uint32_t window_deadline(int64_t received_ms, uint32_t expiry_s)
{
	int64_t at = received_ms / 1000 + expiry_s;
	if (!expiry_s)
		return 0;
	return at > UINT32_MAX ? UINT32_MAX : (uint32_t)at;
}
