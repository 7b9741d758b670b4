/* latest.h - slow=latest: what waits for a subscriber that is behind, the newest record of each
 * thing only. Rendered frames in the order of their sequences; bounded in
 * bytes: when it is full the subscriber reads on later. */
#ifndef WEB_LATEST_H
#define WEB_LATEST_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>

struct latest;

struct latest *latest_new(size_t max_bytes);
void latest_free(struct latest *l); /* accepts NULL */
bool latest_full(const struct latest *l);
bool latest_empty(const struct latest *l);
/* The frame replaces the one that waits for this thing. Copies both. */
void latest_put(struct latest *l, struct span thing, struct span frame);
/* Moves frames to out, oldest first, until it holds max_bytes or none is left; at least one. */
unsigned latest_take(struct latest *l, struct buf *out, size_t max_bytes);

#endif
