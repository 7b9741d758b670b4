/* private.h - the inside of web/. One struct req per HTTP request, one struct live per reader of
 * events (WebSocket, server-sent events, a page that may wait). lws calls web_callback(); handlers
 * answer by respond() or problem(), now or later.
 *
 *   web.c       life, listeners, time      http.c      requests in
 *   answer.c    what is answered           send.c      and how it goes out
 *   router.c    path -> handler            upgrade.c   who may become a WebSocket
 *   ask.c       what a reader asks for     page.c      GET .../events: a page, or a stream
 *   live.c      one subscriber's way       ws.c        WebSocket subscribers
 *   frames.c    frames shared by many      latest.c    slow=latest
 *   post.c      publishing                 quarantine.c rows, retry
 *   api.c       everything else            echo.c      --test-echo
 *   login.c     who asks                   book.c      organisations, identities, grants
 *   mqtt.c      MQTT at /mqtt              things.c    things and their register
 *   pages.h     pages for people          origin.c    requests of other sites' pages
 *   sta.c       SensorThings, on sta/      sta_source.c, sta_entity.c  its entities
 *   sta_written.c  written ones over them  sta_write.h    writing them
 *   dcat.c      the catalogue          asyncapi.c  the description of the streams
 *   observing.c the time series            observe*.c  what is asked of them, and written
 *   openapi.c   answers of operations, described
 *   charting.c  chart.svg                  zones.c     time zones by name
 *   administer.c  how a change ended
 *   freshness.c is a thing silent?         correcting.c  of observations
 *   where_was.c where one was              where.c     bbox= and radius=
 *   place.c     places as they are answered
 *   keep.h      connections from request to request: keep.c, behind.c, linger.c, stalled.c */
#ifndef WEB_PRIVATE_H
#define WEB_PRIVATE_H

#include "access/addresses.h"
#include "access/book.h"
#include "access/login.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "feed/cursor.h"
#include "feed/event.h"
#include "web/ask.h"
#include "web/frames.h"
#include "web/keep.h"
#include "web/latest.h"
#include "web/query.h"
#include "web/seen.h"
#include "web/web.h"

#include <libwebsockets.h>

enum { PATH_BYTES = 1024, PARAMS = 2, ERRORS_SHOWN = 32, LISTENERS = LIMIT_LISTENERS + 1 };
enum { EXTRA_HEADERS_BYTES = 1600 };
enum { SUBPROTOCOL_BYTES = 120 }; /* lws 4.1.6 fails on a longer header of subprotocols */
enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_OTHER
};

struct web {
	struct web_ops ops;
	uv_loop_t *loop;
	struct hub *hub;
	struct ingest *ingest;
	struct access *access;
	struct sessions *sessions; /* NULL: no MQTT here */
	struct addresses *addresses;
	struct things *things;
	struct entities *entities;
	struct series *series; /* NULL: none here */
	struct promises *promises;
	struct grid *crs; /* made when first asked for */
	bool crs_tried;
	struct map zones;    /* name -> struct zone, as they are asked for */
	unsigned observings; /* answers from the series that are being made */
	struct eraser *eraser;
	struct lws_context *context;
	char vhost_names[LISTENERS][64]; /* lws keeps the pointer: "kind:number:name" */
	bool trusted[LISTENERS], any_name[LISTENERS], known_only[LISTENERS], secure[LISTENERS];
	struct tls *opening; /* of the vhost that is being made */
	unsigned n_listeners;
	char socket_path[108]; /* of the Unix socket, to be removed at the end */
	struct lws_protocols protocols[5];
	/* What the next upgrade may choose from: lws takes the first offer that it knows, so that
	 * it must know those of this path only. */
	char echo_name[SUBPROTOCOL_BYTES + 1], events_name[20], mqtt_name[8];
	/* Who was let in by the upgrade that is being made. */
	struct lws *upgrading;
	bool upgrading_shown; /* by a ticket: MQTT need not ask again */
	struct identity upgrading_who;
	char base_url[256];
	struct event_context event;
	bool draining, test_echo;
	uint64_t drain_until_ms; /* WebSockets get so long to take their goodbye */
	uv_timer_t tick;
	bool tick_closed;
	struct list reqs, lives, room;  /* room: posts that wait for the batch */
	struct list mqtts, mqtt_resume; /* struct mqtt_ws; those that may read again */
	struct frames_set frames;
	struct buf scratch; /* what is written to a subscriber, LWS_PRE bytes before it */
	struct buf one;     /* an event on its way into a struct latest */
	struct seen seen;   /* what the pages know of things */
	struct list pages;  /* struct req.page_node: pages that wait for it */
	struct buf logo;
	const char *logo_type; /* NULL: there is none */
	char page_csp[1024];   /* Content-Security-Policy of pages */
	uint32_t asset_version[8];
	size_t body_bytes, answer_bytes; /* of all requests */
	struct sta_hints *sta_hints;
	struct map sta_writing;    /* Datastream and time of Observations on their way */
	struct sta_teller *teller; /* NULL: there is none */
	unsigned sta_jobs;         /* questions to SensorThings that are being answered */
	uint64_t connections;
	struct list resting;         /* struct conn of keep.h */
	struct list came, with_more; /* struct req.behind */
	struct list lingering;       /* of linger.c; the oldest first */
	unsigned n_lingering;        /* descriptors beside connections: of linger.c and stalled.c */
	struct web_stats stats;
};

struct req;
struct post;
typedef void (*handler_fn)(struct req *r);

struct req {
	struct list node, room_node;
	struct list behind; /* of web.came or with_more */
	struct web *web;
	struct lws *wsi; /* NULL: the client went away while an answer was being made */
	enum web_kind kind;
	struct identity who;
	char origin[64]; /* of a change: req_origin() */
	enum method method;
	char path[PATH_BYTES], type[128], accept[256], language[128], if_none_match[256];
	struct span param[PARAMS]; /* of the path */
	struct query query;
	struct buf body, out;
	size_t sent, counted; /* counted: in web.answer_bytes */
	int status;
	const char *content_type;
	bool html;                          /* the headers of a page */
	char etag[24], content_language[4]; /* "": none */
	const char *cache;                  /* Cache-Control; NULL: no-store */
	handler_fn again;                   /* a page that waits: call this again */
	uint64_t again_until_ms;
	struct list page_node;
	/* A request of a batch: it is not a connection's, this is told instead. NULL: it is. */
	void (*answered)(struct req *r);
	void *answered_arg;
	struct sta_group *group; /* with those that it is all or nothing with: sta_group.h */
	char prefer[64];         /* RFC 7240, of a request with a body */
	void *own;               /* of the handler, while it waits for others */
	void (*own_free)(void *own);
	/* more headers, each "Name:", 0, value, 0; one goes before a common header of its name */
	char extra[EXTRA_HEADERS_BYTES];
	size_t extra_len;
	bool answering, head_sent, stream, wants_body;
	bool chunked;       /* a stream that has an end which the client can tell from a break */
	bool broken;        /* a stream that cannot go on: the connection ends without its end */
	bool body_due;      /* a body was announced, wanted or not */
	bool body_done;     /* the whole body has come */
	bool last;          /* the client wants no other request on this connection, or has said
	                       something that leaves open where the next one begins */
	bool more;          /* bytes came behind it, or may have */
	bool stays;         /* the connection, after the answer; the answer says which */
	bool all_given;     /* to lws, which may not have sent it yet */
	bool proving;       /* who it is, is being verified: routed after that */
	bool administers;   /* a change that the audit is to hear the end of */
	const char *detail; /* while a problem is answered: its words */
	unsigned pending;   /* answers of others that are still to come */
	struct live *live;
	struct post *post;
	struct observing *observing;
};

enum live_kind { LIVE_WS, LIVE_SSE, LIVE_PAGE };

struct live {
	struct list node;
	struct web *web;
	struct lws *wsi; /* NULL once closed */
	struct req *req; /* server-sent events and pages; NULL for a WebSocket */
	struct feed *feed;
	struct identity who;
	bool partial; /* it may see some things only: each record is asked about */
	enum live_kind kind;
	enum ask_slow slow;
	struct cursor cursor; /* its own; closed while it stands in a window of frames */
	struct frames_member member;
	struct filter filter;
	struct latest *latest;
	bool flowing; /* a record was given, or the head reached: no gap of the start is pending */
	bool live_said, cast_out, position_due;
	bool ended;          /* nothing more comes */
	uint16_t close_code; /* WebSocket: what to say when it ended */
	uint64_t told;       /* the last position that the client can know */
	uint64_t told_ms;
	uint64_t said_ms, heard_ms, pinged_ms; /* pinged_ms 0: no ping is unanswered */
	bool ping_due;
	uint64_t limit, given, deadline_ms; /* pages */
	bool topic;                         /* pages: events say theirs */
	char *link;                         /* pages: of the query, for the next page */
	struct buf notices; /* u8 enum notice, u32 bytes, JSON: events that no record stands for */
};

struct pss { /* per lws session */
	struct req *req;
	struct live *live;
	struct mqtt_ws *mqtt;
	bool echo;
	struct buf message; /* echo: LWS_PRE bytes, then the message */
	bool message_binary;
};

/* web.c */
struct web *web_of(struct lws *wsi);
enum web_kind kind_of(struct lws *wsi);
bool is_trusted(struct lws *wsi);
bool is_by_any_name(struct lws *wsi); /* its name in the Host header says nothing */
bool is_known_only(struct lws *wsi);
bool is_secure(struct lws *wsi); /* TLS */

/* http.c */
int http_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss, void *in,
                  size_t len);
void req_release(struct req *r); /* frees it when neither lws nor an answer needs it */
int read_query(struct lws *wsi, struct query *ret) MUSTCHECK;
/* The library ends the request line at an encoded line break too: what follows would be lost, or be
 * headers that a link has written. */
bool is_cut(struct lws *wsi);

/* answer.c */
void respond(struct req *r, int status, const char *content_type); /* body: r->out */
void respond_header(struct req *r, const char *name, const char *value);
/* A header that was given so; NULL: none. */
const char *req_extra(const struct req *r, const char *name);
/* The next of them from *at on, with its value; NULL: no more. */
const char *req_next_extra(const struct req *r, size_t *at, const char **ret_value);
/* An answer that is complete: with an ETag, and 304 without a body when the client has it. */
void respond_tagged(struct req *r, const char *content_type);
void stream_begin(struct req *r, const char *content_type);
void problem(struct req *r, int status, const char *fmt, ...) PRINTF(3, 4);
void problem_faults(struct req *r, int status, const struct faults *f);
void problem_write(struct buf *b, int status, const char *detail, const struct faults *f);
bool req_wants_page(const struct req *r); /* it was a browser, and not of the API */
void req_wait(struct req *r);             /* the answer comes later: no time-out meanwhile */
void req_count(struct req *r);            /* its answer has grown */
const char *status_title(int status);
struct common_header {            /* that every answer has */
	const char *name, *value; /* "Name:", "value" */
};
extern const struct common_header common_headers[];
extern const unsigned n_common_headers;

/* send.c: lws asks for more of the answer. -1: the connection ends. */
int send_on(struct req *r);

/* login.c: who asks. As access_login(); a header that cannot be read is ERR_DENIED. */
int web_login(struct lws *wsi, login_fn done, void *owner, struct identity *ret,
              unsigned *ret_wait_s) MUSTCHECK;
/* The cookie of who signed in on the pages: its name on this connection, and what was shown, in
 * header; n == 0: nothing. */
const char *signin_cookie(struct lws *wsi);
struct span signin_shown(struct lws *wsi, char *header, size_t size);
void post_tickets(struct req *r);
void req_origin(const struct req *r, char out[64]); /* for the audit */
enum { REQ_HASH_BYTES = 8 };
/* The path for the audit, a thing's id in it as sha256: and 16 digits. */
void req_object(const struct req *r, char *out, size_t size);
/* refused, and successful reads of personal data: once a minute each. f may be NULL. */
void req_audit(const struct req *r, const char *action, const struct feed *f, const char *result);
/* Something of f is in the answer: the audit hears of it when it is personal data. */
void req_read(const struct req *r, const struct feed *f);
void req_login(struct req *r); /* sets r->who, or r->proving, or has answered */
int login_status(int err, const char **ret_why);
extern const char login_challenge[]; /* WWW-Authenticate */

/* administer.c: a change is told to the audit when it has ended, as it has ended. */
void administer_begin(struct req *r);
void administer_begun(const struct req *r); /* of one that may outlast the process: at once too */
void administer_end(struct req *r, int status, const char *detail); /* respond() calls it */
/* One of r->pending has come. False: the client has gone, and r is no more. */
bool req_came(struct req *r, int err) MUSTCHECK;

/* upgrade.c */
int upgrade_confirm(struct lws *wsi, const char *to); /* LWS_CALLBACK_HTTP_CONFIRM_UPGRADE */
/* What an upgrade asks for; NULL after *ret_status, *faults or detail were set. */
struct feed *upgrade_read(struct lws *wsi, struct ask *ret, int *ret_status, struct faults *faults);
bool is_echo(struct lws *wsi);

/* router.c: finds the handler and the parameters; answers 404, 405 and 403 itself. */
void route(struct req *r);
/* Whether who has shown nothing may have this on a listener with anonymous = false too: what one
 * signs in with. Sets r->param. */
bool route_is_open(struct req *r);
/* The feed of param 0, or NULL after a 404 or 403. right 0: to see it is enough. */
struct feed *param_feed(struct req *r, enum access_right right);
bool only_query(struct req *r, const char *names); /* space separated; false after a 400 */
/* openapi.c: the member "responses" of an operation; the object of all schemas. */
void openapi_responses(struct buf *b, const char *method, const char *path, const char *types);
void openapi_schemas(struct buf *b);
const char *method_name(enum method m); /* "GET"; static */

/* handlers: page.c, post.c, quarantine.c, api.c */
void get_events(struct req *r);
void post_events(struct req *r);
void list_quarantine(struct req *r);
void list_unrouted(struct req *r);
void retry_quarantine(struct req *r);
void retry_unrouted(struct req *r);
void trim_feed(struct req *r);
void get_feeds(struct req *r);
void get_feed(struct req *r);
void get_status(struct req *r);
void get_security(struct req *r);
void get_subscribers(struct req *r);
void get_metrics(struct req *r);
void get_livez(struct req *r);
void get_readyz(struct req *r);
void get_schemas(struct req *r);
void get_schema(struct req *r);
void post_reload(struct req *r);
void get_organisations(struct req *r); /* book.c */
void post_organisations(struct req *r);
void patch_organisation(struct req *r);
void get_identities(struct req *r);
void post_identities(struct req *r);
void patch_identity(struct req *r);
void get_grants(struct req *r);
void get_capabilities(struct req *r); /* capabilities.c */
void get_refused(struct req *r);      /* refused.c */
void get_grant(struct req *r);
void post_grants(struct req *r);
void patch_grant(struct req *r);
void delete_grant(struct req *r);

struct grant;
bool grant_is_seen(const struct req *r, const struct grant *g); /* book.c */
bool grant_may_change(const struct req *r, const struct grant *g);

void get_privacy(struct req *r); /* privacy.c */

/* sta.c */
void get_sta(struct req *r);
void post_sta(struct req *r); /* sta_write.c */
void change_sta(struct req *r);

/* things.c */
struct thing;
bool thing_entry_is_seen(const struct req *r, const struct thing *x); /* of the register */
void get_things(struct req *r);
void get_thing(struct req *r);
void get_thing_versions(struct req *r);
void put_thing(struct req *r);
void patch_thing(struct req *r);
void delete_thing(struct req *r);
void erase_thing(struct req *r); /* erased.c */
/* origin.c: a browser asks on behalf of another site's page, with what it adds by itself */
bool req_is_foreign(const struct req *r);
/* Whether the page that asks may open a WebSocket: it is of this server, or allowed-origins names
 * its site (RFC 6455, 10.2). A program that sends no Origin may. */
bool origin_may_connect(struct lws *wsi);
/* Whether the request asks for this server by a name that is its own, while its headers are there.
 */
bool host_is_ours(struct lws *wsi);

/* pages: pages.h */
void get_home(struct req *r);
void get_feed_page(struct req *r);
void get_map(struct req *r);
void get_thing_page(struct req *r);
void get_thing_code(struct req *r);
void get_schemas_page(struct req *r);
void get_schema_page(struct req *r);
void post_schema_page(struct req *r);
void get_admin(struct req *r);
void get_refusals(struct req *r);
void get_certificates(struct req *r); /* page_certificates.c */
void get_lag(struct req *r);          /* subscribers.c */
void sign_in_first(struct req *r);    /* leads a browser to /sign-in, and back from there */
void get_sign(struct req *r);         /* page_sign.c */
void post_sign(struct req *r);
void post_sign_out(struct req *r);
void get_grants_page(struct req *r); /* page_grants.c */
void post_grant_page(struct req *r);
void get_refusals_page(struct req *r); /* page_refused.c */
void get_asset(struct req *r);
void get_theme(struct req *r);
void get_logo(struct req *r);
/* "email" of the first feed that may be seen and names one, for the contact of a document. */
void page_write_email(struct req *r, struct buf *b);
void get_catalog(struct req *r);
void get_asyncapi(struct req *r);
void page_problem(struct req *r, int status, const char *detail);
void pages_wake(void *web); /* pages that wait look again */
void pages_policy(struct web *w);
void assets_init(struct web *w);
void logo_read(struct web *w); /* of the configuration in force */

/* live.c */
struct live *live_open(struct web *w, struct feed *f, const struct ask *a, enum live_kind kind,
                       const struct identity *who);
bool live_shows(const struct live *l, const struct record *r); /* filter and rights */
void live_judge(struct web *w);                                /* who may no longer, is closed */
void live_close(struct live *l);
enum live_state { LIVE_MORE = 1, LIVE_WAIT, LIVE_END };
/* Adds events to b until it holds LIMIT_WEB_WRITE_BYTES. LIVE_MORE: call again next turn.
 * LIVE_WAIT: there is no more now, the subscriber will be made writeable. LIVE_END: l->ended is
 * set. */
enum live_state live_fill(struct live *l, struct buf *b);
void live_put_live(struct live *l, struct buf *b); /* the event "live" */
void live_put_notices(struct live *l, struct buf *b);
enum notice { NOTICE_ERASED, NOTICE_CORRECTED };
/* w->one goes to the live subscribers of f that see the thing. */
void lives_notice(struct web *w, const struct feed *f, struct span thing, enum notice kind);
void live_resume(struct live *l); /* a cursor of its own again, after a window of frames */
void live_end(struct live *l, uint16_t close_code);
void live_tick(struct web *w, uint64_t now); /* deadlines, heartbeats, pings */
bool record_is_expired(const struct web *w, const struct record *r);

/* page.c */
void page_fill(struct live *l);

/* ws.c */
int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss);

/* echo.c: oudpd --test-echo */
int echo_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss, void *in,
                  size_t len);

/* mqtt.c */
bool is_mqtt(struct lws *wsi); /* the path is /mqtt */
int mqtt_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss, void *in,
                  size_t len);
void mqtt_turn(struct web *w);               /* who waited reads again */
void mqtt_tick(struct web *w, uint64_t now); /* cuts peers that do not take their goodbye */

/* zones.c */
const struct zone *web_zone(void *web, struct span name); /* NULL: no such zone */
void web_zones_free(struct web *w);

/* observing.c: GET of observations and datastreams */
void get_datastreams(struct req *r);
void get_thing_datastreams(struct req *r);
void get_datastream(struct req *r);
void get_datastream_observations(struct req *r);
void get_observations(struct req *r);
void get_chart(struct req *r);       /* charting.c */
void post_correction(struct req *r); /* correcting.c */
void post_rebuild(struct req *r);    /* rebuilding.c */
void get_rebuild(struct req *r);
void get_thing_freshness(struct req *r); /* freshness.c */
void get_thing_places(struct req *r);    /* where_was.c */
/* More of a stream into r->out. */
enum live_state observing_fill(struct req *r);
void observing_free(struct observing *g); /* accepts NULL; the request goes away */

/* post.c, quarantine.c */
void post_done(struct req *r); /* the request goes away */

#endif
