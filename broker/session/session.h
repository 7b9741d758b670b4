/* session.h - MQTT behaviour: what each packet makes happen. Knows no sockets and no threads; bytes
 * come in through session_input() and go out through a struct link. One file per packet verb
 * (on_*.c).
 *
 * A session is its connection's, or outlives it: for its Session Expiry Interval (MQTT 3.1.1
 * without clean session: for max-session-expiry), and over a restart. States, and who moves it:
 *
 *   NEW --on_connect--> CONNECTED, or with rows to write: OPENING --opened--> CONNECTED
 *   OPENING, CONNECTED --session_close, session_gone--> AWAY (expiry > 0), else DEAD
 *   AWAY --on_connect of the same client id--> OPENING; --its time, a clean start--> DEAD
 *   DEAD --sessions_turn--> freed
 *
 * Loop thread only. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "feed/hub.h"
#include "ingest/ingest.h"
#include "session/link.h"

struct sessions;

/* Brings the sessions at rest back from the store; the hub is configured already. */
int sessions_new(struct hub *h, struct ingest *in, struct sessions **ret) MUSTCHECK;
void sessions_free(struct sessions *t);
/* From now on CONNECT is asked who it is; without it everybody is anonymous (tests). */
struct access;
void sessions_set_access(struct sessions *t, struct access *a);
/* What identities may do has changed, or tokens have expired: those connections are closed. */
void sessions_judge(struct sessions *t);
/* Says goodbye (0x8B) to everybody and takes no more CONNECT. */
void sessions_drain(struct sessions *t);

/* A client has connected; nothing was said yet. */
struct session *session_open(struct sessions *t, struct link *l);
/* Takes whole packets from the front of p; returns how many bytes. What is left is handed in again
 * with more behind it, or after resume(). After it, l->session may be NULL. */
size_t session_input(struct session *s, const uint8_t *p, size_t n);
void session_writable(struct session *s); /* the link's backlog went down */
void session_gone(struct session *s);     /* the connection is lost: the will is published */

/* Hooks of the hub and of time. */
void sessions_record(struct sessions *t, struct feed *f, const struct record *r);
void sessions_room(struct sessions *t);
/* The store stayed full: who waits for room is closed with 0x97 and sends again later. */
void sessions_gave_up(struct sessions *t);
/* Rows that nobody waits for, before hub_turn(). */
void sessions_flush(struct sessions *t);
bool sessions_idle(const struct sessions *t); /* all of them are handed over */
void sessions_turn(struct sessions *t);       /* at the end of a turn */
void sessions_second(struct sessions *t);     /* once a second: keep-alive, expiry, the flush */

/* What became of a thing's messages in f, "erased" or "corrected": who listens at $oudp/WHAT/FEED
 * is told, if it may see the thing. thing n == 0: it is not known which. event: a CloudEvent. */
void sessions_notice(struct sessions *t, const char *what, const struct feed *f, struct span thing,
                     struct span event);

/* $SYS, from memory. Once a second, when due: sessions_system() for each value, then the end. */
bool sessions_system_due(struct sessions *t);
void sessions_system(struct sessions *t, const char *topic, const char *value);
void sessions_system_end(struct sessions *t);

/* Each subscriber that is behind on a feed, or away and owed something there; false ends it. */
struct session_place {
	struct span client_id, identity, organisation;
	const struct feed *feed;
	uint64_t next; /* the record that it gets next */
	bool connected;
};
typedef bool (*session_place_fn)(void *arg, const struct session_place *p);
void sessions_each_place(const struct sessions *t, session_place_fn each, void *arg);

/* What is published to a path of SensorThings that no feed takes is an Observation to be created
 * (18-088, clause 14): who knows Datastreams makes a message of their feed of it. */
struct session_observation {
	struct buf topic, payload; /* of the message; empty before */
	struct buf properties;     /* user properties that go with it, encoded */
	int64_t received_ms;       /* the Observation named no time: it is this; 0: it did */
	bool again;                /* there is no room in the batch now: it is asked again */
	uint8_t verdict;           /* when it is refused, and why: static */
	const char *why;
	char text[200]; /* for why, where it is not static */
};
typedef bool (*session_observe_fn)(void *arg, const struct identity *who, struct span topic,
                                   struct span payload, struct session_observation *ret);
void sessions_set_observe(struct sessions *t, session_observe_fn observe, void *arg);

/* Subscriptions to SensorThings (questions.h): who they are, while there are any. The identity
 * lives until the loop goes on. */
typedef void (*session_question_fn)(void *arg, uint64_t session, struct span filter,
                                    const struct identity *who);
bool sessions_have_questions(const struct sessions *t);
void sessions_each_question(struct sessions *t, session_question_fn each, void *arg);
/* What such a filter asks, as it was read at SUBSCRIBE; any thread. */
struct sta_query;
bool session_question_read(struct span filter, struct sta_query *q) MUSTCHECK;
/* A message on that topic to that session, if it still wants it and can take it now; changed: not
 * when it is what was told last. */
void sessions_tell(struct sessions *t, uint64_t session, struct span filter, struct span payload,
                   bool changed);

struct sessions_stats {
	uint64_t connected, connects, refused, delivered, dropped_large, closed_protocol,
	    keepalive_timeouts;
	uint64_t published, published_bytes; /* PUBLISH packets that came, their payloads */
	uint64_t delivered_bytes;            /* payloads of those delivered */
	uint64_t connected_most;             /* at one time */
	uint64_t own_dropped;                /* $SYS and verdicts that somebody could not take */
	uint64_t away, durable;              /* without a connection; with rows in the store */
	uint64_t resumed, expired;
	uint64_t subscriptions, subscriptions_away; /* all; those of sessions that are away */
	uint64_t shared_subscriptions;              /* not in the above */
	uint64_t shares;                            /* their groups */
};
const struct sessions_stats *sessions_stats(const struct sessions *t);
/* Records that sessions have not had yet, over all feeds their subscriptions touch: an upper bound,
 * for not all of them match. Walks all sessions. */
uint64_t sessions_backlog(const struct sessions *t);

#endif
