/* addresses.h - how many connections each address has open, so that one cannot take the places of
 * all. Over MQTT, HTTP and WebSocket together. An IPv6 address is its first 64 bits: who has one
 * has all of those. Loopback and Unix sockets are not counted: that is where a proxy stands.
 *
 * Loop thread only. Memory: an entry for each address that is connected. */
#ifndef ACCESS_ADDRESSES_H
#define ACCESS_ADDRESSES_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct addresses;
struct address; /* one that is connected */

struct addresses *addresses_new(void);
void addresses_free(struct addresses *a); /* accepts NULL; nobody is connected any more */

/* 0, *ret is for addresses_leave(), or NULL when it is not counted. ERR_DENIED: it has max open
 * already (0: no bound). */
int addresses_enter(struct addresses *a, const struct sockaddr *peer, uint64_t max,
                    struct address **ret) MUSTCHECK;
void addresses_leave(struct addresses *a, struct address *one); /* accepts NULL */
/* Would addresses_enter() say ERR_DENIED? */
bool addresses_full(const struct addresses *a, const struct sockaddr *peer, uint64_t max);
/* The one of peer, while it is connected and counted; else NULL. */
const struct address *addresses_find(const struct addresses *a, const struct sockaddr *peer);

#endif
