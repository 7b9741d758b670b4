/* slow.h - guessing is slowed: failures are counted per address and name together, per address, and
 * per name, in a table of fixed size; each failure after the first few doubles a wait, in which
 * nothing is verified. A success forgets those of its address and name. Addresses on loopback count
 * only together with a name: a proxy's would stand for everybody behind it. Time is a parameter. */
#ifndef ACCESS_SLOW_H
#define ACCESS_SLOW_H

#include "base/hash.h"

struct slow;
struct slow *slow_new(struct hash_key key);
void slow_free(struct slow *s);
/* Seconds to wait before this address may try this name; 0: now. name n == 0: a key or a token. */
unsigned slow_wait(const struct slow *s, struct span address, struct span name, int64_t now_ms);
void slow_failed(struct slow *s, struct span address, struct span name, int64_t now_ms);
void slow_succeeded(struct slow *s, struct span address, struct span name);

#endif
