/* system.h - what the server itself says over MQTT, from memory: $SYS (how it is) and
 * $oudp/verdicts (what became of refused messages), $oudp/erased (what is gone) and $oudp/corrected
 * (observations that now are others). QoS 0, never journalled; who cannot take it now misses it.
 * oudp-mqtt(7) names the topics. */
#ifndef SESSION_SYSTEM_H
#define SESSION_SYSTEM_H

#include "base/span.h"
#include "ingest/ingest.h"

struct session;
struct sessions;

/* A filter was granted; retained: its owner wants what there is at once. */
void system_subscribed(struct session *s, struct span filter, bool retained);
bool system_may_subscribe(const struct session *s, struct span filter);
void system_let_go(struct session *s); /* the session subscribes to nothing any more */

/* Tells those who listen of a verdict other than stored. */
void system_verdict(struct session *s, const struct answer *a);

/* The state that a bridge publishes about itself: acknowledged, and kept nowhere. */
bool system_is_bridge_state(struct span topic);

#endif
