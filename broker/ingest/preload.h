/* preload.h - what admission takes from the store: the duplicates of the last records at start, and
 * how retained messages are keyed. */
#ifndef INGEST_PRELOAD_H
#define INGEST_PRELOAD_H

#include "feed/hub.h"
#include "ingest/duplicates.h"

/* Also tells the hub of their schema versions. Fills d with at most max of the latest records of
 * all feeds, so that a message that is sent again after a restart is recognised. */
int ingest_preload(struct hub *h, struct duplicates *d, unsigned max) MUSTCHECK;

/* Key of STORE_RETAINED: the topic, or its first bytes and a checksum when it is longer than a key
 * may be. Value: feed id u32, sequence u64, little endian. */
enum { RETAINED_KEY_BYTES = 480 };
struct span retained_key(struct span topic, uint8_t out[RETAINED_KEY_BYTES]);

#endif
