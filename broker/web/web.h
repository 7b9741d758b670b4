/* web.h - HTTP, WebSocket and server-sent events: the faces of design 3.3 and 3.4 on libwebsockets.
 *
 * One lws context stands on the daemon's own uv loop; each listener is a vhost of it. Three kinds
 * of listener run the same router: web (TCP), admin (TCP: metrics and health), and the Unix socket,
 * where who asks is the administrator. Loop thread only; nothing blocks; every buffer is bounded.
 *
 * Life:  web_new() -> (loop runs) -> web_drain() -> (loop runs until web_idle()) -> web_free().
 * web_free() itself runs the loop a few turns, because lws closes its handles in two steps; call it
 * while the loop still exists and before uv_loop_close(). Hub and ingest outlive it. */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "access/tls.h"
#include "base/buf.h"
#include "feed/hub.h"
#include "ingest/ingest.h"

#include <uv.h>

struct access;
struct identity;
struct series;
struct promises;
struct sessions;
struct addresses;
struct things;
struct entities;
struct eraser;
struct web;

/* What the web room asks of the rest of the daemon. main.c fills it in; NULL members answer 404. */
struct web_ops {
	void *arg;
	/* Reads the configuration again and takes it into force. 0: *text has one line per change;
	 * ERR_CONFIG (or another error): one line per reason, nothing changed. */
	int (*reload)(void *arg, struct buf *text);
	/* Ready to take messages? When not, *ret_why is a sentence (static or long-lived). */
	bool (*ready)(void *arg, const char **ret_why);
	void (*metrics)(void *arg, struct buf *b);                    /* Prometheus text */
	void (*status)(void *arg, struct buf *b);                     /* GET /v1/status */
	void (*feed)(void *arg, const struct feed *f, struct buf *b); /* GET /v1/feeds/{feed} */
};

enum web_kind { WEB_TCP = 1, WEB_ADMIN = 2, WEB_UNIX = 4 }; /* bits: routes name several */

struct web_listener {
	enum web_kind kind;
	const char *name;         /* for messages: "web" */
	const char *address;      /* numeric IP address; WEB_UNIX: the path of the socket */
	int port;                 /* WEB_UNIX: unused */
	struct tls *tls;          /* NULL: plain; outlives the web room */
	bool trusted, known_only; /* as link.h has it */
	bool any_name; /* trusted whatever name it is asked for by: insecure on purpose */
};

struct web_options {
	uv_loop_t *loop;
	struct hub *hub;
	struct ingest *ingest;
	struct access *access;       /* outlives web */
	struct sessions *sessions;   /* for MQTT at /mqtt; NULL: 404 there. Outlives web */
	struct things *things;       /* for /v1/things. Outlives web */
	struct entities *entities;   /* written ones of SensorThings. Outlives web */
	struct series *series;       /* NULL: the time series answer 404. Outlives web */
	struct promises *promises;   /* with series; outlives web */
	struct addresses *addresses; /* who is connected; outlives web */
	struct eraser *eraser;       /* the same */
	struct web_ops ops;
	const struct web_listener *listeners; /* copied */
	unsigned n_listeners;
	const char *base_url; /* for dataschema and links, no trailing slash; copied */
	bool test_echo;       /* serve /test/echo */
};

/* Opens all listeners or none: on failure why has a sentence that names the listener. A stale Unix
 * socket file is removed only when nobody listens on it. */
int web_new(const struct web_options *o, struct web **ret, struct buf *why) MUSTCHECK;
/* Stops accepting; WebSockets are closed with 1001, streams end, running requests finish. */
void web_drain(struct web *w);
bool web_idle(const struct web *w); /* nothing is connected any more */
void web_turn(struct web *w);       /* end of a turn: who was paused reads again; accepts NULL */
void web_free(struct web *w);       /* accepts NULL; cuts what is still connected */

/* A record was committed: what it changed is told over MQTT where somebody asked. Accepts NULL. */
void web_record(struct web *w, const struct feed *f, const struct record *r);
/* session_observe_fn of the sessions; arg: a struct web. */
struct session_observation;
bool web_observation(void *arg, const struct identity *who, struct span topic, struct span payload,
                     struct session_observation *ret);
/* The hub's room hook: publishes that were told ERR_AGAIN are tried again. */
void web_room(struct web *w);
/* What identities may do has changed, or tokens have expired: those subscribers are closed. */
void web_judge(struct web *w);
/* After hub_configure(), before the loop goes on: events name the new configuration from
 * now on. */
void web_reconfigured(struct web *w);

/* So many records of a thing are gone from f: subscribers are told. thing n == 0: it is not known
 * which. Returns the event that they were told, until the next call. */
struct span web_erased(struct web *w, struct feed *f, struct span organisation, struct span thing,
                       uint64_t records);

struct web_stats {
	uint64_t http_connections, websockets, streams; /* open now */
	uint64_t requests, responses_4xx, responses_5xx;
	uint64_t events_sent; /* CloudEvents given to subscribers, all ways */
	uint64_t bytes_sent;  /* of bodies, frames and events */
	uint64_t frame_bytes; /* held by the shared frame caches now */
	uint64_t slow_closed; /* 1013 */
	uint64_t refused_connections;
	uint64_t mqtt_connections; /* over WebSocket, open now */
	uint64_t mqtt_bytes_in, mqtt_bytes_out;
};
const struct web_stats *web_stats(const struct web *w);

#endif
