/* record_build.c - writes records; reading is record.c's. */
#include "feed/record_build.h"

#include "base/crc32c.h"

#include <string.h>

enum { RESULT_HEAD_BYTES = 16 };

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}
static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}
static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little endian");

static size_t results_size(const struct extract *e)
{
	size_t n = 0;
	for (unsigned i = 0; e && i < e->n_results; i++) {
		const struct extract_result *r = &e->results[i];
		n += RESULT_HEAD_BYTES + (r->has_time ? 8 : 0) + r->member.n + r->text.n;
	}
	return n;
}

/* Whether its place is not a point. */
static bool has_corner(const struct record_parts *p)
{
	return p->extract && p->extract->has_location && !box_is_point(&p->extract->place);
}

size_t record_size(const struct record_parts *p)
{
	if (p->topic.n > UINT16_MAX || p->thing.n > UINT16_MAX || p->publisher.n > UINT16_MAX ||
	    p->organisation.n > UINT16_MAX || p->schema.n > UINT16_MAX)
		return 0;
	return RECORD_HEAD_BYTES + (has_corner(p) ? RECORD_CORNER_BYTES : 0) + p->topic.n +
	       p->thing.n + p->publisher.n + p->organisation.n + p->schema.n + p->properties.n +
	       results_size(p->extract) + p->payload.n;
}

static uint8_t *put_span(uint8_t *at, struct span s)
{
	if (s.n)
		memcpy(at, s.p, s.n);
	return at + s.n;
}

static uint8_t *put_results(uint8_t *at, const struct extract *e)
{
	for (unsigned i = 0; e && i < e->n_results; i++) {
		const struct extract_result *r = &e->results[i];
		assert(r->member.n <= UINT16_MAX);
		at[0] = (uint8_t)r->type;
		at[1] = r->has_time;
		put16(at + 2, (uint16_t)r->member.n);
		put32(at + 4, (uint32_t)r->text.n);
		memcpy(at + 8, &r->number, 8);
		at += RESULT_HEAD_BYTES;
		if (r->has_time) {
			put64(at, (uint64_t)r->time_ms);
			at += 8;
		}
		at = put_span(at, r->member);
		at = put_span(at, r->text);
	}
	return at;
}

void record_build(const struct record_parts *p, uint8_t *out)
{
	const struct extract *e = p->extract;
	bool corner = has_corner(p);
	memset(out, 0, RECORD_HEAD_BYTES);
	out[0] = corner ? RECORD_VERSION : RECORD_VERSION_POINT;
	out[1] = p->flags;
	put16(out + 2, e ? (uint16_t)e->n_results : 0);
	put64(out + 32, (uint64_t)p->phenomenon_ms);
	put32(out + 44, p->expiry_s);
	if (e && e->has_location) {
		out[1] |= RECORD_LOCATION;
		put32(out + 48, (uint32_t)e->place.south_e7);
		put32(out + 52, (uint32_t)e->place.west_e7);
	}
	put16(out + 56, (uint16_t)p->topic.n);
	put16(out + 58, (uint16_t)p->thing.n);
	put16(out + 60, (uint16_t)p->publisher.n);
	put16(out + 62, (uint16_t)p->organisation.n);
	put16(out + 64, (uint16_t)p->schema.n);
	put16(out + 66, p->schema_version);
	put32(out + 68, (uint32_t)p->properties.n);
	put32(out + 76, (uint32_t)p->payload.n);
	uint8_t *at = out + RECORD_HEAD_BYTES;
	if (corner) {
		put32(at, (uint32_t)e->place.north_e7);
		put32(at + 4, (uint32_t)e->place.east_e7);
		at += RECORD_CORNER_BYTES;
	}
	at = put_span(at, p->topic);
	at = put_span(at, p->thing);
	at = put_span(at, p->publisher);
	at = put_span(at, p->organisation);
	at = put_span(at, p->schema);
	at = put_span(at, p->properties);
	uint8_t *results = at;
	at = put_results(at, e);
	put32(out + 72, (uint32_t)(at - results));
	put_span(at, p->payload);
}

void record_set_place(uint8_t *bytes, uint64_t sequence, uint32_t epoch)
{
	put64(bytes + 8, sequence);
	put32(bytes + 40, epoch);
}

void record_seal(uint8_t *bytes, size_t n, uint64_t commit, int64_t stored_ms)
{
	assert(n >= RECORD_HEAD_BYTES);
	put64(bytes + 16, commit);
	put64(bytes + 24, (uint64_t)stored_ms);
	put32(bytes + 4, crc32c(crc32c(0, bytes, 4), bytes + 8, n - 8));
}

uint64_t record_sequence(const uint8_t *bytes)
{
	uint64_t v;
	memcpy(&v, bytes + 8, 8);
	return v;
}
