/* audit.h - who changed what, who was refused, who read what is about people: records of the feed
 * oudp-audit, which the broker has by itself and only the administrator reads (BIO2 8.15: action,
 * object, result, origin, actor, time).
 *
 * Each record carries the SHA-256 of the one before it and of itself, so that none can be changed
 * or taken out without all later ones showing it; `oudp audit verify` goes along the chain. Lines
 * wait in memory, at most LIMIT_AUDIT_WAITING, for the commit of those before them: what is not on
 * disk is nobody's predecessor. When more come, they are counted, and the count is recorded.
 *
 * The answer to a change does not wait for its line; it is written within the next commits. Loop
 * thread only. */
#ifndef ACCESS_AUDIT_H
#define ACCESS_AUDIT_H

#include "access/access.h"

#define AUDIT_FEED "oudp-audit"

struct audit;

/* Adds the feed to what was read from the file; before hub_configure(). */
void audit_add_feed(struct config *c);

int audit_new(struct hub *h, struct audit **ret) MUSTCHECK; /* finds the end of the chain */
void audit_free(struct audit *a);                           /* accepts NULL */

/* action: "grant.change", static. Texts may come from a peer: they are written as JSON. origin: the
 * peer's address, or "socket". NULL: nothing to say. */
void audit_line(struct audit *a, const char *action, const char *object, const char *result,
                const char *origin, struct span actor, struct span organisation);
/* The same, at most once a minute for this action, actor and object. */
void audit_seldom(struct audit *a, const char *action, const char *object, const char *result,
                  const char *origin, struct span actor, struct span organisation);
/* What the broker did by itself. */
void audit_trimmed(struct audit *a, const struct feed *f, uint64_t first); /* seldom */
/* All of a thing is gone; id: the line of the ledger, organisation: whose it was. */
void audit_erased(struct audit *a, const char *id, const char *organisation, uint64_t records);
void audit_reload(struct audit *a, bool done);
/* Before hub_turn(): what waits joins the batch, when nothing of it is on its way. */
void audit_turn(struct audit *a);

struct audit_stats {
	uint64_t written, dropped;
};
const struct audit_stats *audit_stats(const struct audit *a);

#endif
