/* sta_group.h - requests of one $batch that are all or nothing: their entities are one change,
 * their Observations are tried first, and all of it goes into the same commit; corrections of
 * Observations as promises (series/promise.h).
 *
 *   each request in turn: entities join the change and are answered for the time being;
 *     Observations, and corrections of them, are read and looked up, and wait (ready)
 *   the end: nothing failed -> trials -> one commit -> Observations are answered, audit
 *            something failed -> nothing happens
 *
 * What one request made, a later one of the group can link to (sta_find.c). Loop thread only. */
#ifndef WEB_STA_GROUP_H
#define WEB_STA_GROUP_H

#include "web/sta_write.h"

/* What waits for the end of its group: what it takes of a commit at most, and how many records;
 * whether it would be kept (0, ERR_AGAIN: not now, ERR_INVALID: it answers); and doing it, in the
 * turn of the commit, which is answered when it is there. */
struct sta_waiting {
	size_t (*bytes)(struct req *r, unsigned *ret_n);
	int (*try)(struct req *r);
	void (*go)(struct req *r);
};

/* over(arg, status) is called once, perhaps from within sta_group_end(): 0, all has happened and
 * each request has its answer; else why nothing has: 507, 413: its Observations are too many, or
 * 424 when one of its requests says it. */
struct sta_group *sta_group_new(struct req *outer, void (*over)(void *arg, int status), void *arg);
struct entities_change *sta_group_change(struct sta_group *g); /* its own */
void sta_group_audit(struct sta_group *g, const char *action, enum sta_type t, int64_t id);
/* Observations are read and looked up; told is called so that the next request begins. */
void sta_group_ready(struct req *r, const struct sta_waiting *what);
unsigned sta_group_waiting(const struct sta_group *g); /* how many are ready */
/* failed: one of its requests was refused. */
void sta_group_end(struct sta_group *g, bool failed);
/* It is let go: aborted, unless its commit is on its way. Accepts NULL. */
void sta_group_free(struct sta_group *g);

#endif
