/* sta_group.h - requests of one $batch that are all or nothing: their entities are one change,
 * their Observations are tried first, and all of it goes into the same commit.
 *
 *   each request in turn: entities join the change and are answered for the time being;
 *     Observations are read and looked up, and wait (ready)
 *   the end: nothing failed -> trials -> one commit -> Observations are answered, audit
 *            something failed -> nothing happens
 *
 * What one request made, a later one of the group can link to (sta_find.c). Loop thread only. */
#ifndef WEB_STA_GROUP_H
#define WEB_STA_GROUP_H

#include "web/sta_rows.h"

/* over(arg, status) is called once, perhaps from within sta_group_end(): 0, all has happened and
 * each request has its answer; else why nothing has: 507, 413: its Observations are too many, or
 * 424 when one of its requests says it. */
struct sta_group *sta_group_new(struct req *outer, void (*over)(void *arg, int status), void *arg);
struct entities_change *sta_group_change(struct sta_group *g); /* its own */
void sta_group_audit(struct sta_group *g, const char *action, enum sta_type t, int64_t id);
/* Observations are read; told is called so that the next request begins. */
void sta_group_ready(struct rows *s);
/* failed: one of its requests was refused. */
void sta_group_end(struct sta_group *g, bool failed);
/* It is let go: aborted, unless its commit is on its way. Accepts NULL. */
void sta_group_free(struct sta_group *g);

#endif
