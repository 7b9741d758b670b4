/* alias.h - topic aliases of one connection, both ways (MQTT 5.0, 3.3.2.3.4). They end with the
 * connection [MQTT-3.3.2-7]: whoever lets go of the link frees them. Nothing is made for a client
 * that uses none. */
#ifndef SESSION_ALIAS_H
#define SESSION_ALIAS_H

#include "base/compiler.h"
#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

struct aliases;

void aliases_free(struct aliases *a); /* accepts NULL */

/* What the client sent: with a topic, it is remembered (a copy); without one, *topic becomes the
 * one that was. ERR_TOO_LARGE: above LIMIT_TOPIC_ALIASES; ERR_NOT_FOUND: nothing was remembered.
 * The span is valid until the alias is set again. */
int aliases_in(struct aliases **a, uint16_t alias, struct span *topic) MUSTCHECK;

/* What goes to a client that takes aliases up to max: the alias of the topic, or 0 when it has none
 * and there are no more. *ret_known: the client knows it, the topic may be left out. A new one is
 * kept only by aliases_sent(), when its packet is on the way. */
uint16_t aliases_out(struct aliases **a, uint16_t max, struct span topic, bool *ret_known);
void aliases_sent(struct aliases *a, uint16_t alias, struct span topic);

#endif
