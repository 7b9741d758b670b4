/* order.h - the things in the order of their keys: a list in pieces, so that one that comes or goes
 * moves some neighbours and not all behind it. The loop's. */
#ifndef REGISTER_ORDER_H
#define REGISTER_ORDER_H

#include "base/compiler.h"
#include "base/span.h"

struct thing;

struct order_piece {
	struct thing **at;
	unsigned n; /* at least 1 */
};

struct order { /* zeroed: empty */
	struct order_piece *pieces;
	unsigned n_pieces, cap, n; /* n: things */
};

int key_order(struct span a, struct span b);       /* as memcmp() */
void order_add(struct order *o, struct thing *x);  /* its key is not in it */
void order_drop(struct order *o, struct thing *x); /* it is in it */
struct thing *order_at(const struct order *o, unsigned i);
unsigned order_after(const struct order *o, struct span key); /* index of the first one > key */
void order_done(struct order *o);

#endif
