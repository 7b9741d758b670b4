/* event.h - the few members of a CloudEvent that `oudp tail` needs, found without reading the rest:
 * a payload may hold anything JSON allows, at any depth and size. Pure. */
#ifndef CLI_EVENT_H
#define CLI_EVENT_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>

/* Views into the event's text. Strings are without their quotes, escapes as they stand; data is the
 * whole value. n == 0: absent. */
struct event_view {
	struct span id, type, time, observed, subject, sequence, data;
};
int event_view(struct span text, struct event_view *ret) MUSTCHECK; /* 0 or ERR_MALFORMED */

/* The string member called name of a JSON object such as data; n == 0: absent. */
struct span event_member(struct span object, const char *name);

static inline bool event_is_control(const struct event_view *e)
{
	return e->sequence.n == 0;
}
/* Whether type is nl.oudp.feed.WORD.v1. */
bool event_is(const struct event_view *e, const char *word);

#endif
