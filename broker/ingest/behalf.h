/* behalf.h - raw feeds, and messages that are mapped from their records on behalf of who sent them.
 *
 * On a feed that takes anything the broker writes down which identity sent a record
 * (feed/sender.h), in place of what the sender may have put there. Who maps the record names both
 * (oudp-origin, oudp-identity); its message is then admitted only when that identity, too, may
 * publish about the thing, on the feed that it goes to or on the raw one. What a mapper says can
 * only make its own rights less, so it is believed. */
#ifndef INGEST_BEHALF_H
#define INGEST_BEHALF_H

#include "access/book.h"

enum { BEHALF_BYTES = 5 + 13 + ACCESS_NAME_BYTES }; /* of the property */

/* The properties of a record of such a feed. mem: LIMIT_USER_PROPERTIES_BYTES. */
struct span behalf_mark(const struct identity *who, struct span properties, uint8_t *mem);

/* origin: "feed:EPOCH:SEQUENCE" or empty. access NULL: nobody has a name, and nobody may. */
bool behalf_may(const struct access *a, const struct hub *h, struct span name, struct span origin,
                const struct feed *to, struct span thing, const struct access_spot *spot);

#endif
