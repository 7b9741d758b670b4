/* quarantine.h - the bounded log of refused messages with their verdicts: one per feed, and one
 * ("unrouted", feed id 0) for messages that no feed takes. A row is committed before its refusal is
 * answered.
 *
 * Row ids come from one counter of the store, never used twice. Key: feed id u32 BE, row id u64 BE.
 */
#ifndef FEED_QUARANTINE_H
#define FEED_QUARANTINE_H

#include "feed/hub.h"

enum quarantine_protocol { QUARANTINE_MQTT5 = 1, QUARANTINE_MQTT311 = 2, QUARANTINE_HTTP = 3 };

struct quarantine_row {
	uint64_t id;
	uint32_t feed; /* id of the feed's log, 0 = unrouted */
	int64_t received_ms;
	uint8_t protocol, qos;
	bool retain, utf8;
	bool reduced; /* payload is not the message's, but quarantine_reduce()'s */
	uint32_t expiry_s;
	struct span topic, publisher, properties, reason, schema, pointer, rule, payload;
};

/* Where what was sent may not be kept: its size (u64) and SHA-256 instead. */
enum { QUARANTINE_REDUCED_BYTES = 8 + 32 };
struct span quarantine_reduce(struct span payload, char out[QUARANTINE_REDUCED_BYTES]);

/* Adds a row to the filling batch; gives it its id. feed NULL: unrouted. Returns the id. */
uint64_t quarantine_add(struct hub *h, struct feed *f, struct quarantine_row *row);
void quarantine_remove(struct hub *h, uint32_t feed_id, uint64_t id); /* in the filling batch */
int quarantine_read(struct span key, struct span value, struct quarantine_row *ret) MUSTCHECK;

/* Reads rows with id > after on the pool, at most max_rows and LIMIT_SCAN_BYTES; done() on the loop
 * gets them; views are valid during the call. more: there are further rows. The job frees itself.
 */
typedef void (*quarantine_rows_fn)(void *arg, const struct quarantine_row *rows, unsigned n,
                                   bool more, int err);
void quarantine_list(struct hub *h, uint32_t feed_id, uint64_t after, unsigned max_rows,
                     quarantine_rows_fn done, void *arg);

#endif
