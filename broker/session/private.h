/* private.h - the inside of session/, shared by its files. */
#ifndef SESSION_PRIVATE_H
#define SESSION_PRIVATE_H

#include "access/login.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "feed/cursor.h"
#include "mqtt/encode.h"
#include "mqtt/frame.h"
#include "mqtt/packet.h"
#include "session/alias.h"
#include "session/questions.h"
#include "session/session.h"
#include "session/system.h"
#include "topic/name.h"
#include "topic/tree.h"

enum { WHEEL_SLOTS = 256, HIT_IDS = 16 };
/* sub_options.flags: two bits, and the number of the subscription's row in the store */
enum { SUB_SEQUENCE = 1, SUB_REPLAY = 2, SUB_ROW_SHIFT = 8, SUB_ROWS_MAX = 1 << 24 };
enum session_state {
	SESSION_NEW,       /* a connection that has not said CONNECT */
	SESSION_OPENING,   /* CONNECT waits for its commit; nothing is read */
	SESSION_CONNECTED, /* CONNACK was sent */
	SESSION_AWAY,      /* no connection; link is NULL, subscriptions are packed */
	SESSION_DEAD       /* freed at the end of the turn */
};
enum out_state { OUT_FREE, OUT_PUBACK, OUT_PUBREC, OUT_PUBCOMP }; /* what it waits for */

/* An outbound message of QoS > 0, by its packet id. out[0] is the head of the ring in order of
 * first sending; ids that are free are chained by next.
 *
 *   out_take --> PUBACK --on_ack--> free
 *   out_take (durable: out_take_stored, committing until out_committed)
 *            --> PUBREC --on_ack--> (durable: committing until out_committed) PUBCOMP --on_ack-->
 *            free
 *
 * unsent: out_pump() is to send it (PUBLISH, or PUBREL in PUBCOMP): after its commit, or again
 * after the session came back. */
struct out {
	uint64_t sequence, order;
	uint32_t feed; /* index */
	uint16_t next, prev;
	uint8_t state;
	bool committing, unsent, sent, retain, counted; /* counted: against the client's maximum */
	struct flight *flight;                          /* of a shared subscription; or NULL */
};

/* Where a session is in one feed: the next sequence it is owed. While it is connected and behind
 * nowhere, it is simply where the feed is. */
struct place {
	uint32_t feed_id, epoch;
	uint64_t next, live_from; /* live_from: see struct lag */
	bool behind;              /* a cursor stood here: how far the others are says nothing */
};

/* A will waits here until the connection ends without a DISCONNECT and its delay is over, or is
 * thrown away. That of a session with rows has one too, until the commit that publishes it. */
struct will {
	struct list node; /* on sessions->wills when it is to be published */
	struct identity who;
	char identity[ACCESS_NAME_BYTES]; /* of one from the store: who it is, to be looked up */
	uint64_t number;                  /* names its row; 0: it has none */
	uint64_t due_s;                   /* AWAY: when it is published, on the clock of now_s */
	uint32_t delay_s;
	char *client_id, *topic;
	uint8_t *payload, *properties;
	size_t client_id_n, topic_n, payload_n, properties_n;
	uint32_t expiry_s;
	uint8_t qos, protocol;
	bool retain, utf8;
};

/* A subscriber that is behind on one feed: it reads with a cursor until it meets the head, then it
 * is live again (the tree delivers). Before live_from only subscriptions that asked for the past
 * are served. */
struct lag {
	struct list node;
	struct session *session;
	struct cursor cursor;
	uint64_t live_from;
	uint64_t qos0_from; /* messages of QoS 0 before it are not for those who were away */
	bool pumping;
	bool herd;         /* it came back: it may read together with others (herd.c) */
	struct scan *scan; /* it does; its own cursor says where it began */
	struct list scan_node;
	struct list held_node; /* scan->held: there is something in its link's buffer */
	bool late;             /* the scan is past its beginning: with the next pass */
	bool full;             /* it was refused for want of a packet id: not before there is one */
};

struct retained_job;
struct scan;
struct share;
struct flight;

struct pending; /* a SUBSCRIBE that waits for its commit */

struct session {
	struct sessions *table;
	struct link *link; /* NULL when AWAY or DEAD */
	uint32_t slot;
	uint32_t born, generation; /* of the session; of its connection: numbers from one counter */
	enum session_state state;
	enum mqtt_version version;
	struct span key;       /* organisation ("": a stranger's), '\0', client id */
	struct span client_id; /* in key */
	struct identity who;
	enum { PROOF_NONE, PROOF_WAITS, PROOF_DONE } proof; /* of who, while NEW: identify.c */
	int proof_err;
	uint32_t max_packet_out; /* 0: the protocol's */
	uint16_t receive_max_out, alias_max_out;
	struct aliases *aliases; /* of this connection; NULL: none used */
	bool problem_info, waiting_room, waiting_out;
	bool hears_system, hears_verdicts, system_fresh; /* system.c */
	struct list questions;                           /* struct question: questions.c */
	struct list asking_node;                         /* sessions->asking, while it has any */
	struct list node;                                /* sessions->room, ->slowed or ->dead */
	struct list wheel_node; /* keep-alive, or the end of a session at rest */
	uint32_t keep_alive_s;  /* 1.5 times the client's; 0: none */
	uint64_t last_rx_s;
	struct will *will;

	/* what outlives the connection (durable.c, rest.c) */
	uint64_t number;         /* names its rows in the store; 0: it has none */
	uint32_t expiry_s;       /* UINT32_MAX: never */
	uint64_t ends_s;         /* AWAY: when it ends, on the clock of now_s */
	int64_t ended_ms;        /* AWAY: when its connection ended, wall clock */
	bool changed, row_plain; /* its row is to be written; the one written names nothing owed */
	bool ending;            /* its rows are to go when there is room; nobody comes back to it */
	bool resumed, assigned; /* said in CONNACK */
	bool lost;              /* the log no longer has what it was owed: said in CONNACK */
	struct list flush_node; /* sessions->changed or ->flushing */
	uint8_t *packed;        /* AWAY: its subscriptions */
	size_t packed_n;
	unsigned n_packed;    /* subscriptions in it */
	struct place *places; /* AWAY: n_places */
	unsigned n_places;
	uint64_t *touched; /* bitmap of feeds that subscriptions of QoS > 0 touch, */
	const struct config *touched_config; /* worked out under this configuration */
	unsigned touched_n;                  /* words */
	uint32_t next_row;                   /* of its subscriptions */
	size_t sub_bytes;
	struct list pending; /* struct pending, oldest first */

	/* inbound */
	unsigned unanswered; /* QoS > 0 publishes that wait for their commit */
	uint16_t *in_ids;    /* QoS 2 ids between PUBLISH and PUBREL: qos2_open of them */
	unsigned qos2_open, cap_in;

	/* outbound (out.c) */
	struct out *out; /* cap_out + 1 of them; made with the first QoS > 0 */
	unsigned cap_out, n_out, quota;
	uint16_t out_free, unsent; /* first of the chain; first to be sent; 0: none */
	uint64_t next_order, resume_order;
	struct cursor *fetch; /* reads what is to be sent */
	bool waiting_batch;   /* a QoS 2 message found no room for its row */
	struct list batch_node;
	struct done {
		uint32_t feed_id;
		uint64_t sequence, share; /* share: number of the group; 0: none */
		uint32_t row;             /* of the group's: see struct flight */
	} * done; /* QoS 2 messages whose flow is over, their rows still there */
	unsigned n_done, cap_done;
	uint64_t skip_to; /* after a restart: QoS 2 messages up to here may have been sent */

	/* subscriptions */
	struct sub_owner subs;
	struct sub_owner herd; /* the same again in sessions->herd, while it is in a scan */
	unsigned n_scans;
	struct list lags;     /* struct lag.node: the one whose turn is next first */
	bool to_pump;         /* answers came: what is behind goes on after all of them were read */
	struct list retained; /* struct retained_job: lookups and what they found */
	unsigned n_lookups;   /* in it */
	unsigned hit;         /* index in sessions->hits while one record is matched */
	uint64_t gap_from, gap_to; /* to be told with the next message; 0: none */
	struct feed *gap_feed;
	bool gap_shared; /* it is a group's: says nothing of where this session is */

	struct list members;        /* struct member.session_node: its shared subscriptions */
	unsigned n_members, n_full; /* n_full: groups that wait for it to have room */
};

/* All matching subscriptions of one session for one record, as one delivery. */
struct hit {
	struct session *session;
	uint32_t ids[HIT_IDS];
	unsigned n_ids;
	uint8_t qos;
	bool retain_as_published, sequence;
	struct flight *flight; /* of a shared subscription; or NULL */
};

struct sessions {
	struct hub *hub;
	struct access *access; /* NULL: everybody is anonymous */
	struct ingest *ingest;
	struct map by_client;
	struct session **slots;
	uint32_t n_slots, *free_slots, n_free_slots;
	uint32_t next_generation;
	struct sub_tree *tree;
	struct sub_tree *herd;   /* subscriptions of those who catch up together */
	struct list scans;       /* struct scan.node */
	struct sub_tree *shared; /* a subscription per group that has a member here */
	struct sub_matches shared_matches;
	struct map shares, share_numbers; /* by key; by number */
	struct list all_shares, shares_due, free_flights;
	uint64_t last_share;
	struct sub_matches matches;
	struct hit *hits;
	unsigned n_hits, cap_hits;
	uint64_t mark;
	uint64_t *shown; /* by feed index: the last sequence that live subscribers were shown */
	unsigned n_shown;
	struct list room, slowed, dead, wills, batch_waiters;
	struct list wheel[WHEEL_SLOTS];
	uint64_t now_s;
	bool draining;
	unsigned n_hear_system, n_hear_verdicts; /* sessions: system.c */
	struct list asking;                      /* sessions that have questions */
	session_observe_fn observe;
	void *observe_arg;
	struct session_observation observation; /* the one that is published now */
	unsigned n_questions;
	bool system_fresh, system_round;
	uint64_t system_next_s;
	uint8_t *scratch; /* LIMIT_USER_PROPERTIES_BYTES */
	uint64_t last_number;
	size_t sub_bytes;
	struct buf row;
	struct list changed, flushing, shares_changed, shares_flushing;
	bool round, moved; /* a round of the flush runs; records came since the last one */
	struct buf round_row;
	struct sessions_stats stats;
};

/* origin.c: who sent the record origin ("feed:EPOCH:SEQUENCE"). False: s may not read it, or it is
 * not in memory. The texts are views into the record. */
struct origin {
	struct span client, identity, organisation; /* identity: empty, nobody with a name */
	struct session *session;                    /* of the client; NULL: HTTP, or gone */
};
bool origin_find(const struct session *s, const char *origin, struct origin *ret);

/* table.c */
struct session *session_by_token(struct sessions *t, uint64_t token);
/* The same when its connection is another one by now, or none. */
struct session *session_of_token(struct sessions *t, uint64_t token);
static inline uint64_t session_token(const struct session *s)
{
	return (uint64_t)s->generation << 32 | s->slot;
}
struct session *session_make(struct sessions *t); /* without a link */
void session_wheel(struct session *s, uint64_t deadline_s);
/* Its subscriptions, shared ones too. */
static inline unsigned session_subscriptions(const struct session *s)
{
	return s->subs.n + s->n_members;
}
/* The last sequence of f that live subscribers were shown: while a batch is published f->last is
 * ahead. */
uint64_t shown_last(const struct sessions *t, const struct feed *f);

/* close.c: the one exit. MQTT 5 gets DISCONNECT with the reason; the will goes out unless it was
 * taken away. */
void session_close(struct session *s, enum mqtt_reason reason, const char *fmt, ...) PRINTF(3, 4);
void session_end(struct session *s);    /* without a word: the client said goodbye, or is gone */
void session_forget(struct session *s); /* it ends, with its rows; AWAY or without a connection */
void will_free(struct will *w);
void will_drop(struct session *s); /* with its row */
void will_now(struct session *s);  /* it is to be published */
void wills_publish(struct sessions *t);

/* on_subscribe.c */
void pending_close(struct session *s); /* what waits for its commit is answered to nobody */

/* rest.c: CONNECTED --session_leave--> AWAY --session_return--> CONNECTED */
void session_leave(struct session *s);
void session_return(struct session *s); /* CONNACK was sent */
/* Looks for what it is owed and the log no longer has: writes "feed:from-to" for at most max feeds
 * as user properties oudp-gap. Whether there is any. */
bool session_lost(struct session *s, struct wire *w, unsigned max);
void session_rest_due(struct session *s); /* its will, or its end */
void session_rest_wheel(struct session *s);
/* Where it is in each feed it is owed something of: *ret is the caller's to free. */
unsigned session_places(struct session *s, struct place **ret);
bool feed_touches(const struct feed *f, struct span filter);
void session_touch(struct session *s, struct span filter); /* a new subscription of QoS > 0 */
void place_advance(struct place *p, struct span shown); /* to what the row "sessions-shown" says */
uint32_t feed_index(const struct hub *h, uint64_t id);  /* UINT32_MAX: no such feed */
/* One packed subscription at *at; false at the end, or when it is damaged. */
bool packed_next(const uint8_t *p, size_t n, size_t *at, struct span *ret_filter,
                 struct sub_options *ret);
void packed_add(struct buf *b, struct span filter, const struct sub_options *o);

/* durable.c: what stands in the store, and when it is written; load.c: read again. */
#define ROW_SHOWN_KEY "sessions-shown" /* in STORE_STATE */
enum { ROW_VERSION = 1, ROW_CONNECTED = 1, OUT_RETAIN = 1, OUT_SHARED = 2, SUB_COST = 64 };
void durable_remember_done(struct session *s, const struct done *d);
enum { DURABLE_ROW_BYTES = 80 << 10 }; /* the most that a session's row takes */
int durable_load(struct sessions *t) MUSTCHECK;
void durable_session(struct session *s); /* its row, into the batch now */
void durable_changed(struct session *s); /* its row, with the next flush */
void durable_subscription(struct session *s, struct span filter, const struct sub_options *o);
void durable_unsubscribed(struct session *s, uint32_t row);
void durable_in(struct session *s, uint16_t id, bool there); /* QoS 2 id of the client */
enum out_row { OUT_ROW_SENT = 1, OUT_ROW_RELEASED, OUT_ROW_DONE };
void durable_out(struct session *s, uint16_t id, enum out_row state);
void durable_will(const struct session *s);
void durable_will_gone(struct sessions *t, uint64_t number);
void durable_forget(struct session *s); /* all its rows but the will's, which goes with it */
size_t durable_forget_bytes(struct session *s);
void durable_second(struct sessions *t);
void durable_flush(struct sessions *t);

/* identify.c: who CONNECT says it is. 0: s->who is set, go on; 1: it was refused; ERR_AGAIN: the
 * packet is to come again when its password was verified. */
int session_identify(struct session *s, const struct mqtt_connect_view *c);
void connect_refuse(struct session *s, enum mqtt_version version, enum mqtt_reason reason,
                    const char *why); /* on_connect.c */

/* on_*.c: 0, or ERR_AGAIN: no room in the batch, hand the packet in again. A bad packet closes the
 * session. */
int on_connect(struct session *s, const struct frame *f);
uint32_t session_expiry(const struct sessions *t, uint32_t asked_s); /* what is granted */
int on_publish(struct session *s, const struct frame *f);
int on_subscribe(struct session *s, const struct frame *f);
int on_unsubscribe(struct session *s, const struct frame *f);
int on_ack(struct session *s, const struct frame *f);
int on_pubrel(struct session *s, const struct frame *f);

/* in_ids: on_publish.c */
void qos2_know(struct session *s, uint16_t id);

/* out.c: the outbound window. */
bool out_room(struct session *s);     /* may a message of QoS > 0 be taken now? */
uint16_t out_next(struct session *s); /* the id it will get; after out_room() */
uint16_t out_take(struct session *s, unsigned qos, const struct feed *f, uint64_t sequence,
                  bool retain, struct flight *flight);
/* QoS 2 of a session with rows: sent after its commit. False: no room in the batch. */
bool out_take_stored(struct session *s, const struct feed *f, uint64_t sequence, bool retain,
                     struct flight *flight);
/* From the store at start: no order but the one given. False: the id is taken or out of bounds. */
bool out_restore(struct session *s, uint16_t id, enum out_state state, uint32_t feed,
                 uint64_t sequence, uint64_t order, bool retain);
void out_drop(struct session *s, uint16_t id); /* its flow is over */
bool out_pump(struct session *s);         /* sends what is to be sent; false: not all of it now */
void out_left(struct session *s);         /* the connection is gone */
void out_resume(struct session *s);       /* another one is there: all of it is to be sent again */
bool out_behind(const struct session *s); /* what was sent before it came back goes first */
bool out_has(const struct session *s, const struct feed *f, uint64_t sequence);
void out_free_all(struct session *s);

/* deliver.c */
/* True: taken, or skipped for good. False: not now. */
bool deliver(struct session *s, const struct hit *hit, const struct record *r, const struct feed *f,
             bool retain);
/* The same of a record that has not expired. 1: taken, 0: not now, ERR_TOO_LARGE: never. */
int deliver_now(struct session *s, const struct hit *hit, const struct record *r,
                const struct feed *f, bool retain);
bool deliver_expired(const struct sessions *t, const struct record *r);
/* A message of the server's own, from memory: QoS 0, to those who want it and can take it now. */
struct own_message {
	struct span topic, payload;
	bool retain;
	bool (*wants)(const struct session *s, const void *arg);
	const void *arg;
};
void deliver_own(struct sessions *t, const struct own_message *m);
/* PUBLISH of an entry that is to be sent. 1: sent, 0: not now, ERR_TOO_LARGE: never. */
int deliver_entry(struct session *s, uint16_t id, const struct record *r, const struct feed *f);
/* Fills t->hits. only: NULL, or the one session asked about; replay: only its subscriptions to the
 * past. */
void deliver_match(struct sessions *t, const struct record *r, const struct session *only,
                   bool replay);

/* The same among those who catch up together. */
void deliver_match_herd(struct sessions *t, const struct record *r);

/* herd.c: one reading of a feed for all who came back to it. */
bool herd_join(struct lag *l);                 /* false: it reads alone */
void herd_leave(struct lag *l, uint64_t next); /* on its own from there */
void herd_leave_all(struct session *s);        /* its subscriptions are about to change */
uint64_t herd_next(const struct lag *l);
void herds_free(struct sessions *t);

/* lag.c: who is behind */
/* One record for one who is behind. False: not now. */
bool lag_take(struct lag *l, const struct record *r, const struct hit *hit);
bool lag_gap(struct lag *l, uint64_t from, uint64_t to); /* false: the session is closed */
void lag_free(struct lag *l);                            /* it is live */
void deliver_pump(struct session *s);                    /* what is behind goes on */
struct lag *lag_after(struct session *s, struct feed *f, uint32_t epoch, uint64_t after,
                      uint64_t live_from);
void lag_since(struct session *s, struct feed *f, int64_t since_ms, uint64_t live_from);
struct lag *lag_find(const struct session *s, const struct feed *f);
void lags_close(struct session *s);
uint64_t lag_next(const struct lag *l); /* the sequence it is owed next */

/* retained.c */
/* upto: the last commit when SUBSCRIBE came; what was retained later is delivered live. */
void retained_start(struct session *s, const struct sub *sub, struct span filter, uint64_t upto);
bool retained_pump(struct session *s); /* false: cannot take more now */
void retained_close(struct session *s);

/* Room for n bytes at the end of the link's buffer as a wire; wire_sent() takes what was written.
 */
static inline struct wire link_wire(struct link *l, size_t n)
{
	char *p = buf_room(&l->out, n);
	return wire_of(p, p ? n : 0);
}
static inline void link_sent(struct link *l, const struct wire *w)
{
	if (w->err)
		return;
	l->out.len += w->len;
	if (!l->held)
		l->ops->flush(l);
}

#endif
