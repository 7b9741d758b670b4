/* sender.h - which identity sent a record of a raw feed. On a feed that takes anything the broker
 * writes it down, as user property oudp-identity of the record; elsewhere a property of that name
 * is the sender's own and says nothing. */
#ifndef FEED_SENDER_H
#define FEED_SENDER_H

#include "feed/hub.h"
#include "feed/record.h"

#define SENDER_PROPERTY "oudp-identity"

/* A view into the record; empty: nobody with a name, or not such a feed. */
struct span sender_of(const struct feed *f, const struct record *r);

#endif
