/* utf8.c - one scanner for the three questions: is it UTF-8, is it a string, is it free of
 * wildcards. Topics and property strings are nearly always short ASCII: words of eight bytes in
 * which no byte is special are passed over. */
#include "mqtt/utf8.h"

#include "base/err.h"

enum { NO_NUL = 1, NO_WILDCARDS = 2 };

#define EACH(byte) (0x0101010101010101ull * (uint8_t)(byte))

/* Nonzero when a byte of v is zero. */
static inline uint64_t has_zero(uint64_t v)
{
	return (v - EACH(0x01)) & ~v & EACH(0x80);
}

static inline bool follows(uint8_t c)
{
	return (c & 0xC0) == 0x80;
}

/* Bytes of the well-formed character of two to four bytes at p, or 0 (RFC 3629, section 4). */
static size_t character(const uint8_t *p, size_t n)
{
	uint8_t c = p[0];

	if (c < 0xC2)
		return 0;
	if (c < 0xE0)
		return n >= 2 && follows(p[1]) ? 2 : 0;
	if (c < 0xF0) {
		if (n < 3 || !follows(p[1]) || !follows(p[2]))
			return 0;
		if (c == 0xE0 && p[1] < 0xA0) /* overlong */
			return 0;
		if (c == 0xED && p[1] >= 0xA0) /* surrogates U+D800..DFFF [MQTT-1.5.4-1] */
			return 0;
		return 3;
	}
	if (c > 0xF4 || n < 4 || !follows(p[1]) || !follows(p[2]) || !follows(p[3]))
		return 0;
	if ((c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] >= 0x90)) /* overlong; > U+10FFFF */
		return 0;
	return 4;
}

/* 0, ERR_MALFORMED, or ERR_PROTOCOL for a wildcard in what is well-formed otherwise. */
static inline int scan(struct span s, unsigned refuse)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t i = 0;
	int err = 0;

	assert(s.p || s.n == 0);
	while (i < s.n) {
		uint64_t v, special;

		if (s.n - i >= 8) {
			memcpy(&v, p + i, 8);
			special = v & EACH(0x80);
			if (refuse & NO_NUL)
				special |= has_zero(v);
			if (refuse & NO_WILDCARDS)
				special |= has_zero(v ^ EACH('+')) | has_zero(v ^ EACH('#'));
			if (likely(!special)) {
				i += 8;
				continue;
			}
		}
		if (p[i] < 0x80) {
			if ((refuse & NO_NUL) && p[i] == 0) /* [MQTT-1.5.4-2] */
				return ERR_MALFORMED;
			if ((refuse & NO_WILDCARDS) && (p[i] == '+' || p[i] == '#'))
				err = ERR_PROTOCOL;
			i++;
			continue;
		}
		size_t len = character(p + i, s.n - i);
		if (len == 0)
			return ERR_MALFORMED;
		i += len;
	}
	return err;
}

bool mqtt_utf8_valid(struct span s)
{
	return scan(s, 0) == 0;
}

bool mqtt_string_valid(struct span s)
{
	return scan(s, NO_NUL) == 0;
}

int mqtt_topic_string_check(struct span s)
{
	return scan(s, NO_NUL | NO_WILDCARDS);
}

size_t mqtt_utf8_cut(struct span s, size_t n)
{
	if (n >= s.n)
		return s.n;
	while (n > 0 && follows((uint8_t)s.p[n]))
		n--;
	return n;
}
