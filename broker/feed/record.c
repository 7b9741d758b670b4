/* record.c - reading records. Building them is in record_build.c.
 *
 * Bytes come from the store, so lengths are checked as if a peer had sent them; a value flipped on
 * disk is met by the checksum. Loads go through memcpy: LMDB aligns values to two bytes only. */
#include "feed/record.h"

#include "base/crc32c.h"
#include "base/err.h"

enum { RESULT_HEAD_BYTES = 16, RESULT_HAS_TIME = 1 };

static uint16_t le16(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;
	return (uint16_t)(b[0] | b[1] << 8);
}

static uint32_t le32(const char *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const char *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* Takes n bytes off the front of *rest. The sum of all lengths was checked. */
static struct span take(struct span *rest, size_t n)
{
	assert(n <= rest->n);
	struct span s = {rest->p, n};
	rest->p += n;
	rest->n -= n;
	return s;
}

static size_t parts_bytes(const char *p)
{
	return (size_t)le16(p + 56) + le16(p + 58) + le16(p + 60) + le16(p + 62) + le16(p + 64) +
	       le32(p + 68) + le32(p + 72) + le32(p + 76);
}

static struct box place_of(const char *p, uint8_t version)
{
	struct box b = box_of_point((int32_t)le32(p + 52), (int32_t)le32(p + 48));
	if (version == RECORD_VERSION) {
		b.north_e7 = (int32_t)le32(p + 80);
		b.east_e7 = (int32_t)le32(p + 84);
	}
	return b;
}

int record_read(struct span bytes, bool check_crc, struct record *ret)
{
	const char *p = bytes.p;
	if (bytes.n < RECORD_HEAD_BYTES)
		return ERR_STORE_DAMAGED;
	uint8_t version = (uint8_t)p[0];
	if (version > RECORD_VERSION)
		return ERR_STORE_FORMAT;
	size_t head = RECORD_HEAD_BYTES + (version == RECORD_VERSION ? RECORD_CORNER_BYTES : 0);
	if (version < RECORD_VERSION_POINT || bytes.n < head || parts_bytes(p) != bytes.n - head)
		return ERR_STORE_DAMAGED;
	if (check_crc && le32(p + 4) != crc32c(crc32c(0, p, 4), p + 8, bytes.n - 8))
		return ERR_STORE_DAMAGED;
	const struct box place = place_of(p, version);
	if ((p[1] & RECORD_LOCATION) && !box_is_sound(&place))
		return ERR_STORE_DAMAGED;
	struct span rest = {p + head, bytes.n - head};
	*ret = (struct record){.bytes = bytes,
	                       .flags = (uint8_t)p[1],
	                       .n_results = le16(p + 2),
	                       .sequence = le64(p + 8),
	                       .commit = le64(p + 16),
	                       .stored_ms = (int64_t)le64(p + 24),
	                       .phenomenon_ms = (int64_t)le64(p + 32),
	                       .epoch = le32(p + 40),
	                       .expiry_s = le32(p + 44),
	                       .place = place,
	                       .schema_version = le16(p + 66)};
	ret->topic = take(&rest, le16(p + 56));
	ret->thing = take(&rest, le16(p + 58));
	ret->publisher = take(&rest, le16(p + 60));
	ret->organisation = take(&rest, le16(p + 62));
	ret->schema = take(&rest, le16(p + 64));
	ret->properties = take(&rest, le32(p + 68));
	ret->results = take(&rest, le32(p + 72));
	ret->payload = take(&rest, le32(p + 76));
	assert(rest.n == 0);
	return 0;
}

bool record_next_result(const struct record *r, size_t *at, struct record_result *ret)
{
	assert(*at <= r->results.n);
	struct span rest = {r->results.p + *at, r->results.n - *at};
	if (rest.n < RESULT_HEAD_BYTES)
		return false;
	const char *p = rest.p;
	bool has_time = p[1] & RESULT_HAS_TIME;
	size_t member = le16(p + 2), text = le32(p + 4);
	size_t head = RESULT_HEAD_BYTES + (has_time ? sizeof(int64_t) : 0);
	if (head + member + text > rest.n)
		return false; /* only in a record whose checksum nobody looked at */
	uint64_t bits = le64(p + 8);
	ret->type = (uint8_t)p[0];
	ret->has_time = has_time;
	memcpy(&ret->number, &bits, sizeof(bits));
	ret->time_ms = has_time ? (int64_t)le64(p + 16) : 0;
	take(&rest, head);
	ret->member = take(&rest, member);
	ret->text = take(&rest, text);
	*at = r->results.n - rest.n;
	return true;
}

bool record_is_whole(struct span bytes)
{
	struct record r;
	return record_read(bytes, true, &r) == 0;
}

bool record_is_in_place(struct span bytes, uint64_t sequence)
{
	struct record r;
	return record_read(bytes, false, &r) == 0 && r.sequence == sequence;
}
