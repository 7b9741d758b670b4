/* name.h - private to the room: the 16-bit hash of a member name.
 *
 * It reads the first and the last 16 bytes and the length, so that it costs the same for every
 * name. That is enough to tell the members of one object apart; who picks names to collide is met
 * in parse.c with a keyed hash. */
#ifndef JSON_NAME_H
#define JSON_NAME_H

#include "base/compiler.h"
#include "base/span.h"
#include "json/json.h"

#include <stdint.h>
#include <string.h>

enum { NAME_ENDS = 16 }; /* bytes of each end that count */

static inline uint64_t name_load(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t name_mix(uint64_t a, uint64_t b, uint64_t len)
{
	uint64_t h = a * 0x9e3779b97f4a7c15u + b * 0xc2b2ae3d27d4eb4fu + len * 0xff51afd7ed558ccdu;
	return (uint16_t)(h >> 48);
}

/* ends: the first 16 bytes (zero padded) and, when len > 16, the last 16. */
static inline uint16_t name_hash_ends(const char *first, const char *last, uint64_t len)
{
	uint64_t a = name_load(first), b = name_load(first + 8);
	if (len > NAME_ENDS) {
		uint64_t c = name_load(last), d = name_load(last + 8);
		a ^= c << 17 | c >> 47;
		b ^= d << 29 | d >> 35;
	}
	return name_mix(a, b, len);
}

/* All ones in the first n of 16 bytes. */
static const char name_masks[32] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

/* readable: at least 16 bytes can be read at p, whatever len is. */
static inline uint16_t name_hash(const char *p, size_t len, bool readable)
{
	if (len > NAME_ENDS)
		return name_hash_ends(p, p + len - NAME_ENDS, len);
	if (likely(readable)) {
		const char *mask = name_masks + NAME_ENDS - len;
		return name_mix(name_load(p) & name_load(mask),
		                name_load(p + 8) & name_load(mask + 8), len);
	}
	char padded[NAME_ENDS] = {0};
	if (len)
		memcpy(padded, p, len);
	return name_hash_ends(padded, padded, len);
}

uint16_t name_hash_escaped(struct span raw); /* of the unescaped text */

/* Flag of an object that is being read: name_check_all() it when it closes. */
enum { OBJECT_BIG = 0x80 };

/* The name at token n has the hash of an earlier one of the same object: JSON_DUPLICATE when it is
 * the same name, OBJECT_BIG when chances are used up (one for each name looked at in vain), or 0.
 */
uint8_t name_met_again(const struct json_tape *t, uint32_t object, uint32_t n, unsigned *chances);

/* Is a name of the closed object given twice? By a keyed hash, linear whoever picks the names. 0 or
 * -ENOMEM. */
int name_check_all(struct json_tape *t, uint32_t object, bool *ret_twice) MUSTCHECK;

#endif
