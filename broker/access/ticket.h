/* ticket.h - what a browser shows instead of a password, kept as a hash, good for a while.
 *
 * ticket_rule: it can set no header when it opens a WebSocket, so it offers a ticket as one more
 * subprotocol: good once, for LIMIT_TICKET_S seconds. signin_rule: a person who has signed in on
 * the pages has one in a cookie, for LIMIT_SIGNIN_S seconds or until the sign-out. Neither stands
 * in an address or a log. All are gone after a restart. Loop thread only. */
#ifndef ACCESS_TICKET_H
#define ACCESS_TICKET_H

#include "access/access.h"

enum { TICKET_BYTES = 56 }; /* its beginning and 256 bits in base64url, terminated */

struct ticket_rule {
	const char *begin; /* all have the same length */
	int64_t seconds;
	unsigned all, each; /* open at one time, together and of one identity */
	bool once;
};
extern const struct ticket_rule ticket_rule, signin_rule;

struct tickets;
struct tickets *tickets_new(const struct ticket_rule *rule);
void tickets_free(struct tickets *t);
/* 0; ERR_AGAIN: this identity, or all together, have as many open as may be. */
int ticket_new(struct tickets *t, const struct identity *who, int64_t now_ms,
               char out[TICKET_BYTES]) MUSTCHECK;
bool ticket_looks_like(struct span text); /* of ticket_rule */
/* True: it is good now, and *ret is who asked for it; one that is good once is not any more. */
bool ticket_take(struct tickets *t, struct span text, int64_t now_ms, struct identity *ret);
void ticket_end(struct tickets *t, struct span text); /* accepts one that is none */

#endif
