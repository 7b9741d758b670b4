/* packet.h - control packets as words, both ways. It has an encoder and a decoder of its own, which
 * know nothing of the broker's: what they write may be wrong on purpose, what they read is shown as
 * it stands. */
#ifndef TESTS_REPLAY_PACKET_H
#define TESTS_REPLAY_PACKET_H

#include "base/buf.h"
#include "replay/words.h"

enum { FACTS_MAX = 400, WHY_BYTES = 600 };

/* What a packet says: q1, id=7, topic=a/1, user:name=value ... in the order of the wire. */
struct fact {
	char key[64];
	struct span value; /* a number as text; empty for a flag */
	bool number;
};

struct facts {
	char type[16];
	struct fact fact[FACTS_MAX];
	unsigned n;
	char text[16 << 10]; /* of the numbers */
	size_t used;
};

/* Values that a scenario names with '$': packet identifiers of the broker. */
struct variables {
	struct {
		char name[16];
		uint64_t value;
	} one[32];
	unsigned n;
};
bool variable_get(const struct variables *v, struct span name, uint64_t *ret);
bool variable_set(struct variables *v, struct span name, uint64_t value);

/* Appends the packet that words from `from` on say. version: 4 or 5; CONNECT sets it. */
bool packet_write(const struct words *w, unsigned from, const struct variables *v,
                  unsigned *version, struct buf *out, char why[WHY_BYTES]);

/* Reads the packet at p; false: it is no packet. *ret_n is its length, 0 when it is not whole. */
bool packet_read(const uint8_t *p, size_t n, unsigned version, struct facts *ret, size_t *ret_n);

/* Whether the packet says what words from `from` on say. Flags and, for acknowledgements, the
 * reason must be said; properties may be. "!name" must not be there; "only" allows no property that
 * is not named. */
bool packet_matches(const struct facts *f, const struct words *w, unsigned from,
                    struct variables *v, char why[WHY_BYTES]);

/* One line for people. */
void facts_show(const struct facts *f, struct buf *b);

#endif
