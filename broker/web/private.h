/* private.h - the inside of web/. One struct req per HTTP request, one struct live per subscriber
 * that stays (WebSocket, server-sent events, long poll). lws calls http_callback() and
 * ws_callback(); handlers answer by respond() or problem(), now or later. */
#ifndef WEB_PRIVATE_H
#define WEB_PRIVATE_H

#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "feed/cursor.h"
#include "feed/event.h"
#include "web/query.h"
#include "web/web.h"

#include <libwebsockets.h>

enum {
	PATH_BYTES = 1024,
	PARAMS = 2,
	ERRORS_SHOWN = 32,
	LIVE_OUT_BYTES = 48 << 10,
	LISTENERS = 16
};
enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OPTIONS, METHOD_OTHER };

struct web {
	struct web_ops ops;
	uv_loop_t *loop;
	struct hub *hub;
	struct ingest *ingest;
	struct lws_context *context;
	struct lws_vhost *vhosts[LISTENERS];
	char vhost_names[LISTENERS][64]; /* lws keeps the pointer: "kind:name" */
	unsigned n_listeners;
	char base_url[256];
	struct event_context event;
	bool draining, test_echo;
	uint64_t drain_until_ms; /* WebSockets get so long to take their goodbye */
	uv_timer_t tick;
	struct list reqs, lives, room; /* room: posts that wait for the batch */
	struct web_stats stats;
};

struct req;
typedef void (*handler_fn)(struct req *r);

struct req {
	struct list node, room_node;
	struct web *web;
	struct lws *wsi; /* NULL: the client went away while an answer was being made */
	enum web_kind kind;
	enum method method;
	char path[PATH_BYTES], type[128], accept[256];
	struct span param[PARAMS]; /* of the path */
	struct query query;
	handler_fn handler;
	struct buf body, out;
	size_t sent;
	int status;
	const char *content_type;
	char extra_name[16], extra_value[1000]; /* one more header */
	bool answering, head_sent, stream, wants_body;
	unsigned pending; /* answers of others that are still to come */
	struct live *live;
	struct post *post;
	void *work; /* the handler's own; freed with free() */
};

/* Who asks for events, and how. */
struct live {
	struct list node;
	struct web *web;
	struct lws *wsi; /* NULL once closed */
	struct req *req; /* server-sent events and pages; NULL for a WebSocket */
	struct cursor cursor;
	struct feed *feed;
	enum { LIVE_WS, LIVE_SSE, LIVE_PAGE } kind;
	char thing[256], property[128];
	size_t thing_n, property_n;
	bool has_bbox, live_said, asked_past, slow_close, ended;
	double bbox[4];
	char filters[600]; /* of the query, encoded, for the link to the next page */
	uint64_t examined,
	    told; /* last sequence looked at, and last position that the client can know */
	uint64_t limit, given; /* pages */
	uint64_t deadline_ms;  /* long poll */
	uint64_t said_ms;      /* last sign of life of a stream */
	struct buf out;
	size_t out_at; /* LWS_PRE bytes stand before the first */
};

struct pss { /* per lws session */
	struct req *req;
	struct live *live;
	struct buf echo; /* LWS_PRE bytes, then the message */
	bool echo_binary;
};

/* http.c */
int http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len);
void respond(struct req *r, int status, const char *content_type); /* body: r->out */
void respond_header(struct req *r, const char *name, const char *value);
void problem(struct req *r, int status, const char *fmt, ...) PRINTF(3, 4);
void req_release(struct req *r); /* frees it when neither lws nor an answer needs it */
void stream_begin(struct req *r, const char *content_type);
struct web *web_of(struct lws *wsi);
enum web_kind kind_of(struct lws *wsi);

/* echo.c: oudpd --test-echo */
bool echo_asked(struct lws *wsi);
int echo_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss, void *in,
                  size_t len);

/* router.c: finds the handler and the parameters; answers 404 and 405 itself. */
void route(struct req *r);
struct feed *param_feed(struct req *r);            /* the feed of param 0, or NULL after a 404 */
bool only_query(struct req *r, const char *names); /* space separated; false after a 400 */

/* handlers */
void get_events(struct req *r);
void post_events(struct req *r);
void list_quarantine(struct req *r);
void list_unrouted(struct req *r);
void retry_quarantine(struct req *r);
void retry_unrouted(struct req *r);
void trim_feed(struct req *r);
void post_done(struct req *r); /* the request goes away */

/* live.c */
int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                size_t len);
struct live *live_open(struct web *w, struct feed *f, const struct query *q, char *why,
                       size_t size);
void live_close(struct live *l);
void live_fill(struct live *l);
void live_tick(struct web *w); /* four times a second: deadlines of long polls, heartbeats */
bool live_wants(struct live *l, const struct record *r);

#endif
