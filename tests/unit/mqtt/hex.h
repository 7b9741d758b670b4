/* hex.h - packets as people write them: "30 * 0003 'a/b' 31". Hex digits, 'text', '*' for the
 * remaining length of what follows, blanks between. */
#ifndef TEST_MQTT_HEX_H
#define TEST_MQTT_HEX_H

#include "base/compiler.h"
#include "mqtt/encode.h"

#include <ctype.h>
#include <stdlib.h>

static UNUSED size_t hex(const char *s, uint8_t *out, size_t cap)
{
	size_t n = 0, star = 0;

	while (*s) {
		assert(n + 4 < cap);
		if (*s == ' ') {
			s++;
		} else if (*s == '\'') {
			for (s++; *s != '\''; s++)
				out[n++] = (uint8_t)*s;
			s++;
		} else if (*s == '*') {
			star = n;
			s++;
		} else {
			char pair[3] = {s[0], s[1], 0};

			assert(isxdigit((unsigned char)s[0]) && isxdigit((unsigned char)s[1]));
			out[n++] = (uint8_t)strtoul(pair, NULL, 16);
			s += 2;
		}
	}
	if (star) {
		uint8_t len[4];
		struct wire w = wire_of(len, sizeof(len));

		wire_varint(&w, (uint32_t)(n - star));
		memmove(out + star + w.len, out + star, n - star);
		memcpy(out + star, len, w.len);
		n += w.len;
	}
	return n;
}

#endif
