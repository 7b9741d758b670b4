/* erase.h - takes everything of one thing out of the store, in steps beside the commits: its
 * records (a tombstone keeps each one's sequence), its rows in quarantine and in the index of
 * retained messages, its entry in the register with all versions, what was written about it over
 * SensorThings (of which an empty tombstone keeps the number). Any step may be the last before a
 * death: the next start goes on.
 *
 *   ledger -> each feed's log -> quarantine -> retained -> register -> entities
 *   -> series -> done
 *
 * One at a time; others wait. Loop thread; the steps run on the writer. */
#ifndef REGISTER_ERASE_H
#define REGISTER_ERASE_H

#include "register/ledger.h"
#include "register/register.h"

struct eraser;

struct series;
struct entities;
struct erased { /* what was found */
	uint64_t records, quarantined, retained, versions, observations;
};

struct eraser_hooks {
	void *arg;
	/* A record that is gone now, as it was; r is valid during the call. */
	void (*record)(void *arg, struct feed *f, const struct record *r);
	/* All of one thing of one feed is gone: n of its records. thing n == 0: it is known by its
	 * hash only (after a restore). */
	void (*feed)(void *arg, struct feed *f, const struct erasure *e, struct span thing,
	             uint64_t n);
	/* Everything is gone; what was found since the last start. */
	void (*done)(void *arg, const struct erasure *e, const struct erased *what);
};

/* path: of the ledger. */
void eraser_new(struct hub *h, struct things *t, const char *path, const struct eraser_hooks *hooks,
                struct eraser **ret);
void eraser_free(struct eraser *e); /* accepts NULL; no step may be running */
/* Whose time series go too; outlives the eraser. Before eraser_start(). */
void eraser_set_series(struct eraser *e, struct series *s);
/* The same for what was written over SensorThings; their rows go anyway. */
void eraser_set_entities(struct eraser *e, struct entities *of);
/* Reads the ledger and goes on with what is not done. 0 or an error. */
int eraser_start(struct eraser *e) MUSTCHECK;
/* Ends after the step that runs; after series_stop(). */
void eraser_stop(struct eraser *e);
void eraser_second(struct eraser *e); /* a full store is tried again */

/* Erases what is stored up to now. done(arg, what was found, err) when all is gone; err: the ledger
 * could not be written, or the store failed. ERR_AGAIN: too many wait; ERR_TOO_LARGE: the id is. */
typedef void (*erase_done_fn)(void *arg, const struct erased *what, int err);
int eraser_erase(struct eraser *e, struct span organisation, struct span thing, struct span reason,
                 erase_done_fn done, void *arg) MUSTCHECK;

#endif
