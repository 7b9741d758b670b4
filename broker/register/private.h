/* private.h - the inside of register/: register.c (entries) and seen.c (the table of things, what
 * they published). */
#ifndef REGISTER_PRIVATE_H
#define REGISTER_PRIVATE_H

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
	unsigned n_registered, n_silent;
	struct list silent; /* struct thing.silent */
	unsigned changing;  /* changes that are not committed yet */
	struct look_back *back;
	bool stopping;
};

/* organisation "/" id in out, or n == 0 when one of them is empty or too long. */
struct span things_key(char out[THING_KEY_BYTES], struct span organisation, struct span id);
/* The thing, made when it is not there. */
struct thing *things_make(struct things *t, struct span key);
/* Forgets it: no row, or none any more. */
void things_drop(struct things *t, struct thing *x);
/* After registered changed: on the list of those that may go, or not. */
void things_place(struct things *t, struct thing *x);

#endif
