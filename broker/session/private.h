/* private.h - the inside of session/, shared by its files. */
#ifndef SESSION_PRIVATE_H
#define SESSION_PRIVATE_H

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
#include "session/session.h"
#include "session/system.h"
#include "topic/name.h"
#include "topic/tree.h"

enum { WHEEL_SLOTS = 256, HIT_IDS = 16 };
enum { SUB_SEQUENCE = 1, SUB_REPLAY = 2 }; /* sub_options.flags */
enum session_state { SESSION_NEW, SESSION_CONNECTED, SESSION_DEAD };
enum out_state { OUT_FREE, OUT_PUBACK, OUT_PUBREC, OUT_PUBCOMP };

/* A will waits here until the connection ends without a DISCONNECT, or is thrown away. */
struct will {
	struct list node; /* on sessions->wills when it is to be published */
	struct identity who;
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
	bool pumping;
};

struct retained_job;

struct session {
	struct sessions *table;
	struct link *link; /* NULL when DEAD */
	uint32_t slot, generation;
	enum session_state state;
	enum mqtt_version version;
	struct span client_id;
	struct identity who;
	uint32_t max_packet_out; /* 0: the protocol's */
	uint16_t receive_max_out, alias_max_out;
	struct aliases *aliases; /* of this connection; NULL: none used */
	bool problem_info, waiting_room, waiting_out;
	bool hears_system, hears_verdicts, system_fresh; /* system.c */
	struct list node;                                /* sessions->room or ->dead */
	struct list wheel_node;                          /* keep-alive */
	uint32_t keep_alive_s;                           /* 1.5 times the client's; 0: none */
	uint64_t last_rx_s;
	struct will *will;

	/* inbound */
	unsigned unanswered;  /* QoS > 0 publishes that wait for their commit */
	unsigned qos2_open;   /* ids between PUBLISH and PUBREL */
	uint64_t *qos2_known; /* bitmap of 65,536 ids, made at the first QoS 2 publish */

	/* outbound */
	uint16_t *free_ids;
	uint8_t *out_state;
	unsigned n_free, out_max;

	/* subscriptions */
	struct sub_owner subs;
	struct list lags;
	struct list retained;      /* struct retained_job: lookups and what they found */
	unsigned n_lookups;        /* in it */
	unsigned hit;              /* index in sessions->hits while one record is matched */
	uint64_t gap_from, gap_to; /* to be told with the next message; 0: none */
	struct feed *gap_feed;
};

/* All matching subscriptions of one session for one record, as one delivery. */
struct hit {
	struct session *session;
	uint32_t ids[HIT_IDS];
	unsigned n_ids;
	uint8_t qos;
	bool retain_as_published, sequence;
};

struct sessions {
	struct hub *hub;
	struct ingest *ingest;
	struct map by_client;
	struct session **slots;
	uint32_t n_slots, *free_slots, n_free_slots;
	uint32_t next_generation;
	struct sub_tree *tree;
	struct sub_matches matches;
	struct hit *hits;
	unsigned n_hits, cap_hits;
	uint64_t mark;
	struct list room, dead, wills;
	struct list wheel[WHEEL_SLOTS];
	uint64_t now_s;
	bool draining;
	unsigned n_hear_system, n_hear_verdicts; /* sessions: system.c */
	bool system_fresh, system_round;
	uint64_t system_next_s;
	uint8_t *scratch; /* LIMIT_USER_PROPERTIES_BYTES */
	struct sessions_stats stats;
};

/* table.c */
struct session *session_by_token(struct sessions *t, uint64_t token);
static inline uint64_t session_token(const struct session *s)
{
	return (uint64_t)s->generation << 32 | s->slot;
}
void session_wheel(struct session *s, uint64_t deadline_s);

/* close.c: the one exit. MQTT 5 gets DISCONNECT with the reason; the will goes out unless it was
 * taken away. */
void session_close(struct session *s, enum mqtt_reason reason, const char *fmt, ...) PRINTF(3, 4);
void session_end(struct session *s); /* without a word: the client said goodbye, or is gone */
void will_free(struct will *w);
void wills_publish(struct sessions *t);

/* on_*.c: 0, or ERR_AGAIN: no room in the batch, hand the packet in again. A bad packet closes the
 * session. */
int on_connect(struct session *s, const struct frame *f);
int on_publish(struct session *s, const struct frame *f);
int on_subscribe(struct session *s, const struct frame *f);
int on_unsubscribe(struct session *s, const struct frame *f);
int on_ack(struct session *s, const struct frame *f);
int on_pubrel(struct session *s, const struct frame *f);

/* deliver.c */
bool deliver(struct session *s, const struct hit *hit, const struct record *r, const struct feed *f,
             bool retain);
void deliver_pump(struct session *s); /* what is behind goes on */
/* A message of the server's own, from memory: QoS 0, to those who want it and can take it now. */
struct own_message {
	struct span topic, payload;
	bool retain;
	bool (*wants)(const struct session *s, const void *arg);
	const void *arg;
};
void deliver_own(struct sessions *t, const struct own_message *m);
void lag_after(struct session *s, struct feed *f, uint32_t epoch, uint64_t after,
               uint64_t live_from);
void lag_since(struct session *s, struct feed *f, int64_t since_ms, uint64_t live_from);
struct lag *lag_find(const struct session *s, const struct feed *f);
void lags_close(struct session *s);
bool out_release(struct session *s, uint16_t id, enum out_state was, enum out_state becomes);

/* retained.c */
void retained_start(struct session *s, const struct sub *sub, struct span filter);
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
	l->ops->flush(l);
}

#endif
