/* window.h - what times a feed takes: max-future and max-age, against the time of receipt; and when
 * a message expires. Pure. */
#ifndef INGEST_WINDOW_H
#define INGEST_WINDOW_H

#include "base/span.h"
#include "config/config.h"

bool window_holds(const struct config_feed *c, int64_t received_ms, int64_t time_ms);
/* Why it does not; of: the member of a reading whose own time it is, or n == 0. */
enum { WINDOW_TEXT_BYTES = 220 };
void window_text(const struct config_feed *c, int64_t received_ms, int64_t time_ms, struct span of,
                 char out[WINDOW_TEXT_BYTES]);
/* In s since 1970; 0: never. */
uint32_t window_deadline(int64_t received_ms, uint32_t expiry_s);

#endif
