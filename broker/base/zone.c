/* zone.c - see zone.h. */
#include "base/zone.h"

#include "base/civil.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "base/search.h"
#include "base/zone_rule.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEAD_BYTES = 44, TYPE_BYTES = 6, OFFSET_MAX_S = 26 * 3600 };

struct zone {
	bool utc;
	unsigned n;
	int64_t *at;     /* s UTC, rising */
	int32_t *offset; /* s, from at[i] on */
	int32_t before;  /* what held before at[0] */
	bool has_rule;   /* of the years after at[n - 1] */
	struct zone_rule rule;
};

/* ---- reading ---- */

struct head { /* RFC 8536 3.1 */
	uint32_t isut, isstd, leap, times, types, chars;
};

static uint32_t be32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static int64_t be64(const char *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* The head at s and how many bytes of data follow it, with times of so many bytes. */
static int read_head(struct span s, unsigned time_bytes, struct head *h, size_t *ret_data)
{
	if (s.n < HEAD_BYTES || memcmp(s.p, "TZif", 4) != 0)
		return ERR_MALFORMED;
	const char *p = s.p + 20;
	*h = (struct head){be32(p),      be32(p + 4),  be32(p + 8),
	                   be32(p + 12), be32(p + 16), be32(p + 20)};
	if (h->times > LIMIT_ZONE_BYTES || h->leap > LIMIT_ZONE_BYTES || h->types == 0 ||
	    h->types > 256 || h->chars > LIMIT_ZONE_BYTES || h->isut > 256 || h->isstd > 256)
		return ERR_MALFORMED;
	*ret_data = (size_t)h->times * (time_bytes + 1) + (size_t)h->types * TYPE_BYTES + h->chars +
	            (size_t)h->leap * (time_bytes + 4) + h->isstd + h->isut;
	return s.n - HEAD_BYTES < *ret_data ? ERR_MALFORMED : 0;
}

static int read_changes(struct zone *z, const struct head *h, const char *p, unsigned time_bytes)
{
	const char *which = p + (size_t)h->times * time_bytes, *types = which + h->times;
	z->at = xcalloc(h->times + 1, sizeof(*z->at));
	z->offset = xcalloc(h->times + 1, sizeof(*z->offset));
	for (unsigned i = 0; i < h->types; i++) {
		int32_t o = (int32_t)be32(types + i * TYPE_BYTES);
		if (o < -OFFSET_MAX_S || o > OFFSET_MAX_S)
			return ERR_MALFORMED;
	}
	z->before = (int32_t)be32(types);
	for (unsigned i = 0; i < h->times; i++) {
		const char *t = p + (size_t)i * time_bytes;
		unsigned type = (unsigned char)which[i];
		z->at[i] = time_bytes == 8 ? be64(t) : (int32_t)be32(t);
		if (type >= h->types || (i && z->at[i] <= z->at[i - 1]))
			return ERR_MALFORMED;
		z->offset[i] = (int32_t)be32(types + (size_t)type * TYPE_BYTES);
	}
	z->n = h->times;
	return 0;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; empty: the last offset stays. */
static int read_footer(struct zone *z, struct span s)
{
	const char *end = s.n > 1 && s.p[0] == '\n' ? memchr(s.p + 1, '\n', s.n - 1) : NULL;
	if (!end)
		return ERR_MALFORMED;
	struct span rule = span_of(s.p + 1, (size_t)(end - s.p - 1));
	z->has_rule = rule.n > 0;
	return z->has_rule ? zone_rule_read(rule, &z->rule) : 0;
}

static int read_file(struct span s, struct zone *z)
{
	struct head h;
	size_t data;
	unsigned time_bytes = 4;
	int err = read_head(s, 4, &h, &data);
	if (err)
		return err;
	if (s.p[4] >= '2') { /* the same again with long times, and the footer */
		s = span_of(s.p + HEAD_BYTES + data, s.n - HEAD_BYTES - data);
		time_bytes = 8;
		err = read_head(s, 8, &h, &data);
		if (err)
			return err;
	}
	err = read_changes(z, &h, s.p + HEAD_BYTES, time_bytes);
	if (!err && time_bytes == 8)
		err = read_footer(z, span_of(s.p + HEAD_BYTES + data, s.n - HEAD_BYTES - data));
	return err;
}

int zone_read(struct span tzif, struct zone **ret)
{
	if (tzif.n > LIMIT_ZONE_BYTES)
		return ERR_TOO_LARGE;
	struct zone *z = xcalloc(1, sizeof(*z));
	int err = read_file(tzif, z);
	if (err)
		zone_free(z);
	else
		*ret = z;
	return err;
}

/* Names are relative paths of letters; no part begins with a dot. */
static bool is_name(struct span s)
{
	if (s.n == 0 || s.n > ZONE_NAME_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && (i == 0 || (!(c >= '0' && c <= '9') && !strchr("/_+-", c))))
			return false;
		if (c == '\0' || (c == '/' && (i + 1 == s.n || s.p[i + 1] == '/')))
			return false;
	}
	return true;
}

int zone_load(const char *dir, struct span name, struct zone **ret)
{
	char path[4096];
	if (span_is(name, "UTC") || span_is(name, "Z")) {
		*ret = xcalloc(1, sizeof(**ret));
		(*ret)->utc = true;
		return 0;
	}
	int n = snprintf(path, sizeof(path), "%s/%.*s", dir, (int)name.n, name.p);
	if (!is_name(name) || n < 0 || (size_t)n >= sizeof(path))
		return ERR_MALFORMED;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_free char *bytes = fd < 0 ? NULL : xmalloc(LIMIT_ZONE_BYTES + 1);
	ssize_t got = fd < 0 ? -1 : read(fd, bytes, LIMIT_ZONE_BYTES + 1);
	if (got <= 0)
		return ERR_NOT_FOUND;
	return zone_read(span_of(bytes, (size_t)got), ret);
}

void zone_free(struct zone *z)
{
	if (!z)
		return;
	free(z->at);
	free(z->offset);
	free(z);
}

/* ---- asking ---- */

/* Of the listed changes: the last at or before t, or -1. */
static int64_t last_change(const struct zone *z, int64_t t)
{
	return (int64_t)search_first(i, 0, z->n, z->at[i] <= t) - 1;
}

static int32_t offset_s(const struct zone *z, int64_t t)
{
	int64_t i = last_change(z, t);
	if (i == (int64_t)z->n - 1 && z->has_rule)
		return zone_rule_offset(&z->rule, t);
	return i < 0 ? z->before : z->offset[i];
}

int64_t zone_offset(const struct zone *z, int64_t utc_ms)
{
	return z->utc ? 0 : (int64_t)offset_s(z, floor_div(utc_ms, 1000)) * 1000;
}

int64_t zone_change(const struct zone *z, int64_t utc_ms, int64_t until_ms)
{
	if (z->utc || utc_ms >= until_ms)
		return until_ms;
	int64_t t = floor_div(utc_ms, 1000), i = last_change(z, t) + 1, found = INT64_MAX;
	for (; i < (int64_t)z->n && found == INT64_MAX; i++) /* some change only the name */
		if (offset_s(z, z->at[i] - 1) != offset_s(z, z->at[i]))
			found = z->at[i];
		else if (z->at[i] > floor_div(until_ms, 1000))
			return until_ms;
	if (found == INT64_MAX && z->has_rule)
		found = zone_rule_change(&z->rule, z->n ? MAX_OF(t, z->at[z->n - 1]) : t);
	return found <= floor_div(until_ms - 1, 1000) ? found * 1000 : until_ms;
}

/* An offset is at most OFFSET_MAX_S, so what can be meant lies within that of local_ms; offsets
 * change less often than twice in that time, but for a few days of the past. */
int64_t zone_utc(const struct zone *z, int64_t local_ms)
{
	const int64_t far = (int64_t)OFFSET_MAX_S * 1000;
	int64_t from = local_ms - far, end = local_ms + far;
	while (from < end) {
		int64_t offset = zone_offset(z, from), to = zone_change(z, from, end);
		if (local_ms - offset < to) /* at from where the clock has jumped over it */
			return MAX_OF(local_ms - offset, from);
		from = to;
	}
	return local_ms - zone_offset(z, end);
}

unsigned zone_format(const struct zone *z, int64_t utc_ms, char out[ZONE_TIME_BYTES])
{
	char text[RFC3339_BYTES];
	int64_t offset = zone_offset(z, utc_ms), minutes = (offset < 0 ? -offset : offset) / 60000;
	rfc3339_format(utc_ms + (offset < 0 ? -minutes : minutes) * 60000, text);
	unsigned n = memcmp(text + 19, ".000", 4) == 0 ? 19 : 23;
	memcpy(out, text, n);
	if (minutes == 0) {
		out[n] = 'Z';
		return n + 1;
	}
	const char tail[6] = {offset < 0 ? '-' : '+',          (char)('0' + minutes / 600),
	                      (char)('0' + minutes / 60 % 10), ':',
	                      (char)('0' + minutes % 60 / 10), (char)('0' + minutes % 10)};
	memcpy(out + n, tail, 6);
	return n + 6;
}
