/* ticket.h - what a browser opens a WebSocket with, for it can set no header: a text that is good
 * once, for LIMIT_TICKET_S seconds, for who asked for it. It is offered as one more subprotocol, so
 * it stands in no address and no log; kept as its hash. Loop thread only. */
#ifndef ACCESS_TICKET_H
#define ACCESS_TICKET_H

#include "access/access.h"

enum { TICKET_BYTES = 56 }; /* "oudp-ticket." and 256 bits in base64url, terminated */

struct tickets;
struct tickets *tickets_new(void);
void tickets_free(struct tickets *t);
/* 0; ERR_AGAIN: this identity, or all together, have as many open as may be. */
int ticket_new(struct tickets *t, const struct identity *who, int64_t now_ms,
               char out[TICKET_BYTES]) MUSTCHECK;
bool ticket_looks_like(struct span text);
/* True: it was good until now, and *ret is who asked for it. */
bool ticket_take(struct tickets *t, struct span text, int64_t now_ms, struct identity *ret);

#endif
