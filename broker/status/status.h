/* status.h - what the daemon says of itself: numbers for Prometheus, /v1/status, /v1/feeds, health.
 *
 * Gathers from the rooms below (hub, ingest) by itself and from the rooms beside it (net, session,
 * web) through one callback of main.c. Sizes on disk are asked for on the pool, at most every
 * STATUS_REFRESH_MS, never in a request. Writes text; knows no HTTP. Loop thread only. */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include "access/tls.h"
#include "base/buf.h"
#include "feed/hub.h"
#include "ingest/ingest.h"

struct status;

struct series;

/* From the rooms that this one may not include. */
struct status_outside {
	/* certificates of clients, as struct access_certificates; client_ends_ms 0: none is known
	 */
	uint64_t client_certificates, client_certificates_ending;
	int64_t client_ends_ms;
	const char *client_identity;
	uint64_t tls_connections, tls_failed; /* MQTT: of those open; broken off */
	uint64_t mqtt_connections, http_connections, websocket_connections, stream_connections;
	uint64_t sessions, sessions_most, sessions_away, subscriptions; /* subscriptions: of all */
	uint64_t shared_subscriptions, shares; /* not in subscriptions; their groups */
	uint64_t backlog;                      /* records that sessions have not had yet, at most */
	uint64_t mqtt_bytes_in, mqtt_bytes_out;
	uint64_t mqtt_published, mqtt_published_bytes; /* PUBLISH packets from clients */
	uint64_t mqtt_delivered_bytes, mqtt_dropped;   /* dropped: too large for the subscriber */
	uint64_t mqtt_delivered;                       /* PUBLISH packets to subscribers */
	uint64_t web_delivered;                        /* CloudEvents to subscribers */
	uint64_t http_requests, http_4xx, http_5xx;
	uint64_t web_frame_bytes, slow_closed, refused_connections;
	uint64_t loop_turns;
	uint64_t logins_failed, logins_slowed, logins_busy, audit_lines, audit_dropped;
	uint64_t things_silent, alerts, alert_commands, alert_failures, alerts_left_out;
	bool draining;
};

struct status_options {
	struct hub *hub;
	struct ingest *ingest;
	struct series *series;     /* NULL: there are none */
	struct hub_runner runner;  /* its pool() */
	const struct tls_set *tls; /* NULL: there is none */
	void *arg;
	void (*outside)(void *arg, struct status_outside *ret); /* ret comes zeroed */
};

int status_new(const struct status_options *o, struct status **ret) MUSTCHECK;
void status_free(
    struct status *s); /* accepts NULL; a refresh that is still on the pool frees itself */
/* Once a second: rates, and now and then a refresh of the sizes. */
void status_tick(struct status *s);

void status_write_metrics(struct status *s, struct buf *b); /* text format 0.0.4 */
void status_write_json(struct status *s, struct buf *b);    /* the body of GET /v1/status */
void status_write_feed(struct status *s, const struct feed *f, struct buf *b); /* one feed, JSON */
/* Each value of $SYS, as text. */
void status_each_sys(struct status *s, void *arg,
                     void (*emit)(void *arg, const char *topic, const char *value));
/* Listening, and the store commits? *ret_why: a sentence when not. */
bool status_ready(struct status *s, const char **ret_why);

#endif
