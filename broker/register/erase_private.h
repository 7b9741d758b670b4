/* erase_private.h - the inside of erasing: erase.c (one after the other, on the loop), erase_step.c
 * (one step, on the writer), erase_next.c (what follows a step, on the loop). While a step runs its
 * struct erasing is the writer's; else it is the loop's. */
#ifndef REGISTER_ERASE_PRIVATE_H
#define REGISTER_ERASE_PRIVATE_H

#include "register/erase.h"

#include "base/limits.h"
#include "feed/erased.h"
#include "register/erase_series.h"
#include "json/json.h"

enum erase_phase {
	ERASE_LEDGER,
	ERASE_LOGS,
	ERASE_QUARANTINE,
	ERASE_RETAINED,
	ERASE_REGISTER,
	ERASE_SERIES,
	ERASE_DONE,
	ERASE_ENTITIES /* before the series; on disk these numbers stay */
};

struct erasing {
	struct job job;
	struct list node;
	struct eraser *of;
	struct erasure e;
	char *thing; /* NULL: known by its hash only */
	enum erase_phase phase;
	struct erased found;
	uint64_t found_in_feed;
	int err;
	unsigned steps;
	erase_done_fn done;
	void *arg;
	bool finished;
	/* where it is: ERASE_LOGS */
	uint32_t feed;
	uint64_t next, examined;
	bool feed_ends;
	/* the others: the key to go on after */
	char from[STORE_KEY_BYTES_MAX + 1];
	size_t from_n;
	bool phase_ends;
	/* what this step found */
	unsigned n;
	uint64_t sequence[LIMIT_ERASE_STEP];
	uint8_t tombstone[LIMIT_ERASE_STEP][RECORD_HEAD_BYTES];
	uint32_t key_feed[LIMIT_ERASE_STEP]; /* of a quarantine row */
	struct buf old;                      /* u32 bytes, record; or u32 bytes, key */
	struct erase_series series;
};

struct eraser {
	struct hub *hub;
	struct things *things;
	struct series *series;     /* NULL: there is none */
	struct entities *entities; /* the same */
	char *path;
	struct eraser_hooks hooks;
	struct list queue; /* struct erasing; the first one runs */
	unsigned n;
	bool running, stopping;
	struct json_tape tape; /* the writer's, for payloads in quarantine */
};

/* The next of what was found, from *at on, which is moved behind it. */
static inline struct span erase_found(const struct erasing *w, size_t *at)
{
	uint32_t n;
	memcpy(&n, w->old.p + *at, sizeof(n));
	struct span s = span_of(w->old.p + *at + sizeof(n), n);
	*at += sizeof(n) + n;
	return s;
}

/* ---- erase_step.c ---- */

enum { ERASE_STEP_BYTES = 4 << 20 }; /* read by one step */

/* Finds, and changes what it found in one transaction with the row that says how far it is; sets
 * w->err. */
void erase_step(struct job *j);
/* Sets where it was at the last start; nothing where it had not begun. 0 or an error. */
int erase_progress(struct erasing *w) MUSTCHECK;

/* ---- erase_next.c ---- */

/* What the step found is gone from the disk: it goes from memory. */
void erase_take(struct erasing *w);
/* To what comes after the step; w->finished: nothing. */
void erase_advance(struct erasing *w);
/* To the next log of the store, also of a feed that is not configured; then on. */
void erase_next_log(struct erasing *w);

#endif
