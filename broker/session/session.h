/* session.h - MQTT behaviour: what each packet makes happen. Knows no sockets and no threads; bytes
 * come in through session_input() and go out through a struct link. One file per packet verb
 * (on_*.c).
 *
 * A session lives as long as its connection (Session Expiry Interval 0 is what CONNACK says). Its
 * states: NEW --CONNECT (on_connect)--> CONNECTED --session_close / session_gone--> DEAD, freed a
 * turn later Loop thread only. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "feed/hub.h"
#include "ingest/ingest.h"
#include "session/link.h"

struct sessions;

int sessions_new(struct hub *h, struct ingest *in, struct sessions **ret) MUSTCHECK;
void sessions_free(struct sessions *t);
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
void sessions_turn(struct sessions *t);   /* at the end of a turn */
void sessions_second(struct sessions *t); /* once a second: keep-alive */

/* $SYS, from memory. Once a second, when due: sessions_system() for each value, then the end. */
bool sessions_system_due(struct sessions *t);
void sessions_system(struct sessions *t, const char *topic, const char *value);
void sessions_system_end(struct sessions *t);

struct sessions_stats {
	uint64_t connected, connects, refused, delivered, dropped_large, closed_protocol,
	    keepalive_timeouts;
	uint64_t published, published_bytes; /* PUBLISH packets that came, their payloads */
	uint64_t delivered_bytes;            /* payloads of those delivered */
	uint64_t connected_most;             /* at one time */
	uint64_t own_dropped;                /* $SYS and verdicts that somebody could not take */
	uint64_t subscriptions;              /* as of the last sessions_second() */
};
const struct sessions_stats *sessions_stats(const struct sessions *t);

#endif
