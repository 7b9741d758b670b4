/* promise.h - corrections of the series that are one with a commit of the journal: what else is in
 * that commit, records and entities, never stands without them.
 *
 *   made       a row joins the filling batch, with what it belongs to
 *   committed  the series get it when they have applied that commit, each in its turn
 *   kept       it is on the disk of the series, its number in the same transaction; the row goes
 *
 * Who is cut off in between makes up for it at the next start: rows that are there are kept then,
 * and one whose number the series have is passed over. So each happens once. Where the disk of the
 * series is full they wait, are tried again once a second, and no more are made.
 *
 * Rows (STORE_STATE): "promise/" number (u64 big endian); value: struct row_promise of rows.h.
 * Loop thread only. */
#ifndef SERIES_PROMISE_H
#define SERIES_PROMISE_H

#include "series/series.h"

struct promises;

/* Reads those that were not kept; both outlive it. After series_open(). */
int promises_new(struct hub *h, struct series *s, struct promises **ret) MUSTCHECK;
void promises_free(struct promises *p); /* accepts NULL; after the loop: nobody is told any more */

/* They wait for room on the disk of the series: make no more, say so (507). */
bool promises_held(const struct promises *p);
/* What one takes of a commit. */
size_t promise_bytes(const struct series_correction *c);
/* It joins the batch, which has room for it. c is copied, with its parts, which it has; its what,
 * stream_id, factor and flags are not looked at. done(arg, err) once: 0, it is kept;
 * ERR_STORE_FULL before the commit: nothing has happened, behind it: it will be. Or an error of
 * series_correct(), which a trial finds before. */
void promise_make(struct promises *p, const struct series_correction *c,
                  void (*done)(void *arg, int err), void *arg);

void promises_turn(struct promises *p); /* the end of a turn: the next one is kept */
void promises_second(struct promises *p);

#endif
