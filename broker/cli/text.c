/* text.c - words and places for people. Pure; prints nothing. */
#include "cli/text.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <string.h>

void text_bytes(struct buf *b, uint64_t bytes)
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)bytes;
	size_t u = 0;
	while (v >= 999.5 && u + 1 < ARRAY_LEN(unit)) {
		v /= 1000;
		u++;
	}
	buf_addf(b, u > 0 && v < 9.95 ? "%.1f %s" : "%.0f %s", v, unit[u]);
}

void text_count(struct buf *b, uint64_t n)
{
	if (n >= 1000) {
		text_count(b, n / 1000);
		buf_addf(b, ",%03u", (unsigned)(n % 1000));
	} else {
		buf_add_u64(b, n);
	}
}

void text_age(struct buf *b, int64_t seconds)
{
	if (seconds <= 0)
		buf_add_str(b, "just now");
	else if (seconds < 120)
		buf_addf(b, "%lld s", (long long)seconds);
	else if (seconds < 7200)
		buf_addf(b, "%lld min", (long long)seconds / 60);
	else if (seconds < 172800)
		buf_addf(b, "%lld h", (long long)seconds / 3600);
	else
		buf_addf(b, "%lld d", (long long)seconds / 86400);
}

/* Bytes of the UTF-8 character at s, 0 when it is none (overlong and surrogates included). */
static size_t utf8_length(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	assert(s.n > 0);
	size_t n = p[0] < 0x80                   ? 1
	           : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
	           : (p[0] & 0xf0) == 0xe0       ? 3
	           : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
	                                         : 0;
	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	           (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
	return bad ? 0 : n;
}

/* C0, DEL and C1 (U+0080 to U+009F, which terminals obey too). */
static bool is_control(const unsigned char *p, size_t n)
{
	return (n == 1 && (p[0] < 0x20 || p[0] == 0x7f)) || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

unsigned text_columns(struct span s)
{
	unsigned columns = 0;
	while (s.n > 0) {
		size_t n = utf8_length(s);
		n = n ? n : 1;
		s = span_of(s.p + n, s.n - n);
		columns++;
	}
	return columns;
}

void text_line(struct buf *b, struct span s, unsigned columns)
{
	bool cut = columns > 3 && text_columns(s) > columns;
	unsigned left = cut ? columns - 3 : columns ? columns : (unsigned)-1;
	for (; s.n > 0 && left > 0; left--) {
		size_t n = utf8_length(s);
		if (n == 0 || is_control((const unsigned char *)s.p, n))
			buf_add_char(b, s.p[0] == '\n' || s.p[0] == '\t' ? ' ' : '.');
		else
			buf_add(b, s.p, n);
		n = n ? n : 1;
		s = span_of(s.p + n, s.n - n);
	}
	if (cut)
		buf_add_str(b, "...");
}

int text_event_position(struct span id, struct text_position *ret)
{
	/* a feed's name has no colon */
	struct span part[3];
	for (unsigned i = 0; i < 3; i++) {
		const char *colon = id.n ? memchr(id.p, ':', id.n) : NULL;
		if (!colon && i < 2)
			return ERR_MALFORMED;
		size_t n = colon ? (size_t)(colon - id.p) : id.n;
		part[i] = span_of(id.p, n);
		id = span_of(id.p + n, id.n - n);
		if (id.n > 0)
			id = span_of(id.p + 1, id.n - 1);
	}
	const char *dash = part[2].n ? memchr(part[2].p, '-', part[2].n) : NULL;
	if (dash)
		part[2].n = (size_t)(dash - part[2].p);
	struct text_position r;
	if (part[0].n == 0 || span_to_u64(part[1], &r.epoch) < 0 ||
	    span_to_u64(part[2], &r.sequence) < 0)
		return ERR_MALFORMED;
	*ret = r;
	return 0;
}

int text_time(struct span s, int64_t now_ms, int64_t *ret_ms)
{
	if (rfc3339_parse(s, ret_ms) == 0)
		return 0;
	uint64_t n;
	if (s.n < 2 || span_to_u64(span_of(s.p, s.n - 1), &n) < 0 || n > 1000000)
		return ERR_MALFORMED;
	static const char letters[] = "smhd";
	static const int64_t ms[] = {1000, 60000, 3600000, 86400000};
	const char *unit = memchr(letters, s.p[s.n - 1], sizeof(letters) - 1);
	if (!unit)
		return ERR_MALFORMED;
	*ret_ms = now_ms - (int64_t)n * ms[unit - letters];
	return 0;
}

char *text_rfc3339(int64_t ms)
{
	char t[RFC3339_BYTES];
	rfc3339_format(ms, t);
	return xstrndup(t, sizeof(t));
}

void text_percent(struct buf *b, struct span s)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	for (size_t i = 0; i < s.n; i++) {
		if (memchr(plain, s.p[i], sizeof(plain) - 1))
			buf_add_char(b, s.p[i]);
		else
			buf_addf(b, "%%%02X", (unsigned char)s.p[i]);
	}
}

void text_weighted(struct buf *b, bool colour, enum text_weight weight, struct span s)
{
	static const char *const begin[] = {"", "\033[2m", "\033[1m", "\033[32m", "\033[1;31m"};
	bool change = colour && weight != TEXT_PLAIN && s.n;
	if (change)
		buf_add_str(b, begin[weight]);
	buf_add_span(b, s);
	if (change)
		buf_add_str(b, "\033[0m");
}
