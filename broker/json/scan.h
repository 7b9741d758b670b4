/* scan.h - private to the room: sixteen bytes at a time, UTF-8, and walking a string's escapes.
 *
 * x86-64 always has SSE2; elsewhere the portable functions do the same one byte at a time. Both are
 * compiled everywhere, so that the tests can hold one against the other. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* A byte that ends a run of plain text inside a string: '"', '\', a control character, or a part of
 * a UTF-8 sequence. */
static inline bool scan_is_special(char c)
{
	return (signed char)c < 0x20 || c == '"' || c == '\\';
}

static inline bool scan_is_digit(char c)
{
	return (unsigned char)(c - '0') <= 9;
}

/* The index of the first special byte among the 16 at p; 16 when there is none. */
static inline unsigned scan_special_portable(const char *p)
{
	unsigned i = 0;
	while (i < 16 && !scan_is_special(p[i]))
		i++;
	return i;
}

/* Bit i is set when byte i of the 16 at p is no digit; bit 16 is always set. */
static inline unsigned scan_no_digits_portable(const char *p)
{
	unsigned m = 1u << 16;
	for (unsigned i = 0; i < 16; i++)
		m |= (unsigned)!scan_is_digit(p[i]) << i;
	return m;
}

/* Is h among the n hashes at h_all? Reads whole groups of 8, so 7 more must be readable. */
static inline bool scan_hash_portable(const uint16_t *h_all, unsigned n, uint16_t h)
{
	for (unsigned i = 0; i < n; i++)
		if (h_all[i] == h)
			return true;
	return false;
}

#ifdef __SSE2__
static inline __m128i scan_load(const void *p)
{
	return _mm_loadu_si128(p);
}

static inline unsigned scan_special(const char *p)
{
	__m128i v = scan_load(p);
	__m128i m = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)); /* signed: 0x80-0xff are below too */
	m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
	m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
	return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(m) | 1u << 16);
}

static inline unsigned scan_no_digits(const char *p)
{
	/* '0'-'9' moved to the ten lowest signed values */
	__m128i v = _mm_add_epi8(scan_load(p), _mm_set1_epi8((char)(0x80 - '0')));
	__m128i m = _mm_cmpgt_epi8(v, _mm_set1_epi8(-128 + 9));
	return (unsigned)_mm_movemask_epi8(m) | 1u << 16;
}

static inline bool scan_hash(const uint16_t *h_all, unsigned n, uint16_t h)
{
	__m128i want = _mm_set1_epi16((short)h);
	for (unsigned i = 0; i < n; i += 8) {
		__m128i eq = _mm_cmpeq_epi16(scan_load(h_all + i), want);
		unsigned m = (unsigned)_mm_movemask_epi8(eq);
		if (n - i < 8)
			m &= (1u << 2 * (n - i)) - 1;
		if (m)
			return true;
	}
	return false;
}
#else
#define scan_special   scan_special_portable
#define scan_no_digits scan_no_digits_portable
#define scan_hash      scan_hash_portable
#endif

/* The length of the well-formed UTF-8 sequence at p (Unicode 15 table 3-7), 0 when there is none.
 * p < end, and the first byte is >= 0x80. */
static inline unsigned scan_utf8(const char *p, const char *end)
{
	const unsigned char *s = (const unsigned char *)p;
	size_t left = (size_t)(end - p);
	if (s[0] < 0xc2 || s[0] > 0xf4 || left < 2)
		return 0;
	if (s[0] < 0xe0)
		return (s[1] & 0xc0) == 0x80 ? 2 : 0;
	unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
	if (s[1] < low || s[1] > high || left < 3 || (s[2] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xf0)
		return 3;
	return left >= 4 && (s[3] & 0xc0) == 0x80 ? 4 : 0;
}

/* The length of the escape whose backslash is at p: 2, 6 or 12 (a surrogate pair), 0 when it is
 * none. */
unsigned scan_escape(const char *p, const char *end);

/* Walks the unescaped bytes of a string that json_parse() accepted. */
struct scan_text {
	const char *p, *end;
	char unit[4]; /* of the escape being given out */
	unsigned at, n;
};

static inline struct scan_text scan_text(struct span raw)
{
	return (struct scan_text){.p = raw.p, .end = raw.p + raw.n};
}
int scan_text_next(struct scan_text *t); /* 0-255, or -1 at the end */
bool scan_text_eq(struct span raw_a, struct span raw_b);

#endif
