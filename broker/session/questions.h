/* questions.h - subscriptions to SensorThings (OGC 18-088, clause 14): a filter that is a path
 * below "v1.1/", with $select, $expand and $filter behind a '?', such as
 * v1.1/Datastreams(5)/Observations. Who knows the entities tells of changes
 * (sessions_each_question, sessions_tell: session.h).
 *
 * QoS 0, never journalled, and no part of what a session is owed: who cannot take it now misses it.
 * A filter with a wildcard, or that a feed's topics touch, is none of these. */
#ifndef SESSION_QUESTIONS_H
#define SESSION_QUESTIONS_H

#include "base/compiler.h"
#include "base/span.h"
#include "mqtt/reason.h"

#include <stdbool.h>

struct session;

bool question_is(const struct session *s, struct span filter);
/* Before it is subscribed to: MQTT_SUCCESS, or why not. */
enum mqtt_reason question_check(const struct session *s, struct span filter);
void question_subscribed(struct session *s, struct span filter);
void question_unsubscribed(struct session *s, struct span filter);
/* Whether what is published there is an Observation to be created. */
bool question_takes(const struct session *s, struct span topic);
/* on_publish.c: an Observation, published to such a topic. 0: *ret_topic and *ret_payload are the
 * message that it is, until the next one; ERR_AGAIN: not now; else t->observation says why not. */
int question_publish(struct session *s, struct span *ret_topic, struct span *ret_payload) MUSTCHECK;
void questions_let_go(struct session *s); /* the session subscribes to nothing any more */

#endif
