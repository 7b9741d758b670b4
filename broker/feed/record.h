/* record.h - the record: one accepted message as it is kept, in memory and on disk alike.
 *
 * One block of bytes, built once at admission, immutable after it was sealed. Little endian,
 * version byte, CRC-32C. Layout (offset: field):
 *
 *    0 u8  format version (RECORD_VERSION)      1 u8  flags (RECORD_*)      2 u16 number of results
 *    4 u32 CRC-32C of bytes 0..3 and 8..size
 *    8 u64 sequence (per feed, from 1, dense)  16 u64 commit (global)
 *   24 i64 storedTime, ms UTC (never goes back) 32 i64 phenomenonTime, ms UTC
 *   40 u32 feed epoch    44 u32 expiry deadline, s UTC, 0 = none
 *   48 i32 latitude, 1e-7 degree    52 i32 longitude; in version 2 of the south-west corner
 *   56 u16 topic bytes  58 u16 thing bytes  60 u16 publisher bytes  62 u16 organisation bytes
 *   64 u16 schema name bytes  66 u16 schema version  68 u32 properties bytes  72 u32 results bytes
 *   76 u32 payload bytes
 *   80 in version 2: i32 latitude, i32 longitude of the north-east corner
 *   then topic, thing, publisher, organisation, schema name, properties, results, payload: in this
 *   order
 *
 * A record whose place is not a point is version 2, any other is version 1.
 *
 * properties: MQTT 5 publish properties as on the wire, less topic alias, message expiry and
 * subscription id. results: each u8 type (enum extract_type), u8 flags (1: has time), u16 member
 * bytes, u32 text bytes, f64 number, [i64 time ms], member, text (of a string; of a number: its
 * unit, where no schema says it). */
#ifndef FEED_RECORD_H
#define FEED_RECORD_H

#include "base/box.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	RECORD_VERSION = 2,
	RECORD_VERSION_POINT = 1,
	RECORD_HEAD_BYTES = 80,
	RECORD_CORNER_BYTES = 8 /* more of it in version 2 */
};

enum { /* flags */
       RECORD_RETAIN = 1,
       RECORD_QOS_SHIFT = 1, /* bits 1-2: QoS of the publish */
       RECORD_JSON = 8,      /* the payload is JSON (was parsed, or a feed with a schema) */
       RECORD_LOCATION = 16,
       RECORD_TIME_RECEIVED =
	   32,                   /* phenomenonTime is the time of receipt: the payload named none */
       RECORD_TIME_FLAGGED = 64, /* bad-time = flag: outside the feed's window */
       RECORD_UTF8 = 128         /* MQTT 5 payload format indicator 1 */
};

/* A record read out: views into its bytes. */
struct record {
	struct span bytes; /* the whole block */
	uint64_t sequence, commit;
	int64_t stored_ms, phenomenon_ms;
	uint32_t epoch, expiry_s;
	struct box place; /* with RECORD_LOCATION */
	uint8_t flags;
	uint16_t schema_version, n_results;
	struct span topic, thing, publisher, organisation, schema, properties, results, payload;
};

static inline unsigned record_qos(const struct record *r)
{
	return (r->flags >> RECORD_QOS_SHIFT) & 3;
}

/* Reads and checks lengths; check_crc also the sum. 0, ERR_STORE_FORMAT (newer version) or
 * ERR_STORE_DAMAGED. */
int record_read(struct span bytes, bool check_crc, struct record *ret) MUSTCHECK;

/* One result of rec->results; start with *at = 0. Returns false at the end. */
struct record_result {
	uint8_t type; /* enum extract_type */
	bool has_time;
	double number;
	int64_t time_ms;
	struct span member, text;
};
bool record_next_result(const struct record *r, size_t *at, struct record_result *ret);

/* For the walk of a store: its sum is right; it is the one of this sequence. */
bool record_is_whole(struct span bytes);
bool record_is_in_place(struct span bytes, uint64_t sequence);

#endif
