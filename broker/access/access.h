/* access.h - may this identity do that? Asked on every publish, subscribe and read, in the core and
 * not in the faces. Who comes over a trusted listener (on loopback, or insecure on purpose) may
 * publish and read everything but administer nothing; elsewhere anonymous may only read public
 * feeds, and the others do not exist for it. The administrator is who can open the Unix socket.
 * Grants replace access.c, not its callers. */
#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H

#include "base/span.h"
#include "feed/hub.h"

enum access_right { ACCESS_PUBLISH = 1, ACCESS_SUBSCRIBE, ACCESS_READ, ACCESS_ADMIN };

struct identity {         /* who acts; owned by the connection, immutable after authentication */
	struct span name; /* "anonymous"; static */
	char organisation[65]; /* a copy: a reload must not take it away */
	bool administrator;
	bool trusted; /* anonymous over a trusted listener */
};

struct identity access_anonymous(const struct config *c, bool trusted);
struct identity access_administrator(const struct config *c);

/* 0 or ERR_DENIED. feed NULL: about the broker as a whole, or a topic that no feed takes; thing n
 * == 0: about no thing in particular. */
int access_check(const struct identity *who, enum access_right right, const struct feed *feed,
                 struct span thing) MUSTCHECK;

#endif
