/* record_build.h - makes a record at admission and seals it at commit. record.h has the layout. */
#ifndef FEED_RECORD_BUILD_H
#define FEED_RECORD_BUILD_H

#include "feed/record.h"
#include "schema/schema.h"

struct record_parts {
	struct span topic, thing, publisher, organisation, schema, properties, payload;
	const struct extract *extract; /* NULL: nothing was extracted */
	int64_t phenomenon_ms;
	uint32_t expiry_s; /* deadline, 0: none */
	uint16_t schema_version;
	uint8_t flags;
};

/* Exact size; 0 when a part is over its 16 bit length. */
size_t record_size(const struct record_parts *p);
/* Fills out (record_size() bytes). Sequence, epoch, commit, storedTime and checksum are left 0. */
void record_build(const struct record_parts *p, uint8_t *out);
void record_set_place(uint8_t *bytes, uint64_t sequence, uint32_t epoch);
/* The last word: after it nothing changes. */
void record_seal(uint8_t *bytes, size_t n, uint64_t commit, int64_t stored_ms);
uint64_t record_sequence(const uint8_t *bytes);

#endif
