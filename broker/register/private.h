/* private.h - the inside of register/: register.c (entries), seen.c (the table of things, what they
 * published) and where.c (things by where they are). */
#ifndef REGISTER_PRIVATE_H
#define REGISTER_PRIVATE_H

#include "base/boxes.h"
#include "base/hash.h"
#include "base/list.h"
#include "register/order.h"
#include "register/register.h"

#include <pthread.h>

enum {
	ORGANISATION_BYTES = 64,
	THING_KEY_BYTES = ORGANISATION_BYTES + 1 + LIMIT_THING_ID_BYTES,
	ROW_KEY_BYTES = 6 + THING_KEY_BYTES + 1 + 8
};

struct look_back;

struct things {
	struct hub *hub;
	/* by_key and the entries in it are changed by the loop under this, and read under it by
	 * other threads. */
	pthread_mutex_t shown;
	struct map by_key, by_code;
	struct order order;
	unsigned n_silent;
	struct list silent; /* struct thing.silent */
	unsigned changing;  /* changes that are not committed yet */
	struct look_back *back;
	bool stopping;
	/* where.c: the index of places */
	struct boxes boxes;
	struct thing **numbered; /* by number; those in between that are free hold NULL */
	uint32_t n_numbered, cap_numbered, *free_numbers, n_free;
	things_placed_fn placed;
	void *placed_arg;
};

/* organisation "/" id in out, or n == 0 when one of them is empty or too long. */
struct span things_key(char out[THING_KEY_BYTES], struct span organisation, struct span id);
/* The thing, made when it is not there. */
struct thing *things_make(struct things *t, struct span key);
/* Forgets it: no row, or none any more. */
void things_drop(struct things *t, struct thing *x);
/* After registered changed: on the list of those that may go, or not. */
void things_place(struct things *t, struct thing *x);

/* ---- where.c ---- */
/* Its entry or what it published has another place: the index follows. */
void where_changed(struct things *t, struct thing *x);
void where_drop(struct things *t, struct thing *x); /* it goes */
void where_done(struct things *t);

#endif
