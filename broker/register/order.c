/* order.c - see order.h. */
#include "register/order.h"

#include "base/mem.h"
#include "base/search.h"
#include "register/register.h"

#include <stdlib.h>

enum { PIECE = 2048 }; /* 16 KB to move at most; a register of 200,000 has some hundred pieces */

int key_order(struct span a, struct span b)
{
	int c = memcmp(a.p, b.p, MIN_OF(a.n, b.n));
	return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

/* The piece that holds the last one <= key, or the first piece. */
static unsigned piece_of(const struct order *o, struct span key)
{
	unsigned low =
	    (unsigned)search_first(i, 0, o->n_pieces, key_order(o->pieces[i].at[0]->key, key) <= 0);
	return low ? low - 1 : 0;
}

/* Within it: how many are <= key. */
static unsigned place_in(const struct order_piece *p, struct span key)
{
	return (unsigned)search_first(i, 0, p->n, key_order(p->at[i]->key, key) <= 0);
}

static void new_piece(struct order *o, unsigned i)
{
	if (o->n_pieces == o->cap) {
		o->cap = o->cap ? 2 * o->cap : 8;
		o->pieces = xrealloc(o->pieces, o->cap * sizeof(*o->pieces));
	}
	memmove(o->pieces + i + 1, o->pieces + i, (o->n_pieces++ - i) * sizeof(*o->pieces));
	o->pieces[i] = (struct order_piece){.at = xmalloc(PIECE * sizeof(struct thing *))};
}

static void end_piece(struct order *o, unsigned i)
{
	free(o->pieces[i].at);
	memmove(o->pieces + i, o->pieces + i + 1, (--o->n_pieces - i) * sizeof(*o->pieces));
}

static void split(struct order *o, unsigned i)
{
	new_piece(o, i + 1);
	struct order_piece *a = &o->pieces[i], *b = a + 1;
	b->n = a->n / 2;
	a->n -= b->n;
	memcpy(b->at, a->at + a->n, b->n * sizeof(*b->at));
}

void order_add(struct order *o, struct thing *x)
{
	unsigned i = piece_of(o, x->key);
	if (!o->n_pieces)
		new_piece(o, 0);
	if (o->pieces[i].n == PIECE) {
		split(o, i);
		i = piece_of(o, x->key);
	}
	struct order_piece *p = &o->pieces[i];
	unsigned k = place_in(p, x->key);
	memmove(p->at + k + 1, p->at + k, (p->n++ - k) * sizeof(*p->at));
	p->at[k] = x;
	o->n++;
}

void order_drop(struct order *o, struct thing *x)
{
	unsigned i = piece_of(o, x->key);
	struct order_piece *p = &o->pieces[i];
	unsigned k = place_in(p, x->key) - 1;
	assert(k < p->n && p->at[k] == x);
	memmove(p->at + k, p->at + k + 1, (--p->n - k) * sizeof(*p->at));
	o->n--;
	if (p->n == 0) {
		end_piece(o, i);
	} else if (i + 1 < o->n_pieces && p->n + p[1].n <= PIECE / 2) {
		memcpy(p->at + p->n, p[1].at, p[1].n * sizeof(*p->at));
		p->n += p[1].n;
		end_piece(o, i + 1);
	}
}

struct thing *order_at(const struct order *o, unsigned i)
{
	const struct order_piece *p = o->pieces;
	assert(i < o->n);
	while (i >= p->n)
		i -= p++->n;
	return p->at[i];
}

unsigned order_after(const struct order *o, struct span key)
{
	unsigned n = 0, i = piece_of(o, key);
	if (!o->n_pieces)
		return 0;
	for (unsigned k = 0; k < i; k++)
		n += o->pieces[k].n;
	return n + place_in(&o->pieces[i], key);
}

void order_done(struct order *o)
{
	for (unsigned i = 0; i < o->n_pieces; i++)
		free(o->pieces[i].at);
	free(o->pieces);
	*o = (struct order){0};
}
