/* access.h - may this identity do that? Asked on every publish, subscribe and read, in the core and
 * not in the faces.
 *
 * Who shows no credentials is anonymous: over a trusted listener (on loopback, or insecure on
 * purpose) it may publish and read everything but administer nothing; elsewhere it may only read
 * public feeds. The administrator is who can open the Unix socket. Everybody else is an identity of
 * an organisation (book.h) and may do what is granted to it or to its organisation, read public
 * feeds, and read the internal feeds of its own organisation. What may not be seen does not exist.
 *
 * The questions cost no look at a string but for a thing: what an identity may do is worked out
 * when grants, feeds or time change (view.h). Loop thread only. */
#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H

#include "base/span.h"
#include "feed/hub.h"

enum access_right { ACCESS_PUBLISH = 1, ACCESS_SUBSCRIBE, ACCESS_READ, ACCESS_ADMIN };
enum { ACCESS_NAME_BYTES = 65 }; /* names of organisations and identities, terminated */

struct principal; /* an identity of the book: book.h */

struct identity {         /* who acts; owned by the connection, immutable after authentication */
	struct span name; /* "anonymous", or the principal's; lives as long as the process */
	char organisation[ACCESS_NAME_BYTES]; /* a copy: a reload must not take it away */
	bool administrator;
	bool trusted;                /* anonymous over a trusted listener */
	struct principal *principal; /* NULL: anonymous, the administrator */
	uint32_t generation, losses; /* of the principal when it logged in: see access_lost() */
	int64_t expires_ms;          /* its token does then; 0: never */
};

/* Who showed nothing where that is trusted with nothing: one of anybody. It has the broker's
 * organisation by name, and shares nothing with it: no session, no group, no verdict. */
bool access_is_stranger(const struct identity *who);
struct identity access_anonymous(const struct config *c, bool trusted);
struct identity access_administrator(const struct config *c);

/* 0 or ERR_DENIED. feed NULL: about the broker as a whole, or a topic that no feed takes; thing.p
 * NULL: about no thing in particular, so that a right to some of them is enough. */
int access_check(const struct identity *who, enum access_right right, const struct feed *feed,
                 struct span thing) MUSTCHECK;
/* Whether the feed exists for who: it has any right there. */
bool access_sees(const struct identity *who, const struct feed *feed);
/* Where a message or a thing is, as far as it told. Where it did not, it is where the register
 * says; where that says nothing and the loop asks, where the thing was last told to be. A thing
 * without a place is in no area; one that is not a point must lie in it whole. */
struct access_spot {
	struct span organisation; /* whose thing; n == 0: what the spot has is all there is */
	bool known;
	struct box place;
};

/* The same for one message, whose thing may be none: n == 0 then needs a right to all things. The
 * areas of grants are asked here, and not by access_check(). */
int access_covers(const struct identity *who, enum access_right right, const struct feed *feed,
                  struct span thing, const struct access_spot *spot) MUSTCHECK;
int access_covers_record(const struct identity *who, enum access_right right,
                         const struct feed *feed, const struct record *r) MUSTCHECK;
/* Whether access_covers() depends on the thing or its place: who may see all of a feed need not be
 * asked about each record. */
bool access_is_partial(const struct identity *who, enum access_right right,
                       const struct feed *feed);

/* Of a feed where access_is_partial(): what is granted, as a copy for threads that cannot ask. Made
 * and freed on the loop. */
struct access_parts;
struct access_parts *access_parts(const struct identity *who, enum access_right right,
                                  const struct feed *feed);
void access_parts_free(struct access_parts *p); /* accepts NULL */
/* As access_covers(); knows what the spot tells and the register. Any thread. */
bool access_parts_cover(const struct access_parts *p, struct span thing,
                        const struct access_spot *spot);

/* One message of so many bytes for this feed, which access_check() allows, is charged to a grant:
 * to its rate and quota, within its size. Asked before the message is read, with the thing that its
 * topic names (n == 0: none), access_room() says whether any grant that it may be of has room. 0;
 * ERR_TOO_LARGE, ERR_QUOTA, or ERR_SLOW: hand it in again when the next second begins. */
int access_room(const struct identity *who, const struct feed *feed, struct span thing,
                size_t bytes, int64_t now_ms) MUSTCHECK;
/* Charges the first grant that allows it, thing and place, and has room; when none of those has,
 * as access_room(), and nothing is charged. spot NULL: it is refused before it is known what it is
 * about, and costs the first that it may be of, so that a refusal is not free. */
int access_spend(const struct identity *who, const struct feed *feed, struct span thing,
                 const struct access_spot *spot, size_t bytes, int64_t now_ms) MUSTCHECK;

/* Why a connection of who must end now, as a sentence; NULL: it need not. Its token expired, its
 * identity ended or has other credentials, or (grants: true) it may do less than when it came. */
const char *access_lost(const struct identity *who, bool grants, int64_t now_ms);

#endif
