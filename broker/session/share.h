/* share.h - shared subscriptions: $share/GROUP/FILTER (MQTT 5.0, 4.8.2; MQTT 3.1.1 clients may ask
 * for them as well). Each message goes to one member of the group.
 *
 * The group is the subscriber: it has a place in each feed that its filter touches, as a session
 * has, and knows which of its messages are not acknowledged. Members are asked in turn; who cannot
 * take a message now stands aside until it can. When all do, the group falls behind: a cursor reads
 * on for it, nothing is queued. While nobody is connected it is at rest: a number per feed, no work
 * per message. It lives as long as it has a member, also over a restart when one of them has a
 * session that does.
 *
 *   group   HERE  -the last member that is connected goes-> REST   (its places are noted)
 *           REST  -a member comes back->                    HERE   (behind, from its places)
 *           any   -its last member unsubscribes or ends->   gone
 *
 * A flight is one of its messages on the way to a member, QoS 1 or 2:
 *
 *   HELD    -PUBACK, PUBCOMP, a refusal->                   over [MQTT-4.8.2-6]
 *   HELD    -QoS 1: the connection is lost->                LOOSE
 *   LOOSE   -its holder comes back first->                  HELD, same packet id [MQTT-4.4.0-1]
 *   LOOSE   -another member has room->                      HELD by that one
 *   HELD    -QoS 2: the session ends->                      over [MQTT-4.8.2-5]
 *
 * Members of one organisation share a group; the same names in another are another group. */
#ifndef SESSION_SHARE_H
#define SESSION_SHARE_H

#include "session/private.h"

struct member {
	struct list node;         /* share->ready, ->full or ->away */
	struct list session_node; /* session->members */
	struct share *share;
	struct session *session;
	struct sub_options options;
	bool here, full, durable;
};

struct flight {
	struct list node; /* share->held or ->loose; sessions->free_flights */
	struct share *share;
	struct session *holder; /* whose out[id] this is; NULL: nobody's any more */
	uint64_t sequence;
	uint32_t feed; /* index */
	uint16_t id;
	uint32_t row;     /* share->rows when it was last of QoS 1: rows up to this may list it */
	bool loose, qos2; /* qos2: its row is the session's, and it never moves */
};

/* The group is behind in one feed. */
struct share_lag {
	struct list node; /* share->lags */
	struct share *share;
	struct cursor cursor;
	uint64_t qos0_from; /* messages of QoS 0 before it are not for those who were away */
};

struct taken { /* after a restart: given to a member with QoS 2 already */
	uint32_t feed_id;
	uint64_t sequence;
};

struct share {
	struct list node; /* sessions->all_shares */
	struct sessions *table;
	struct sub_owner sub; /* in sessions->shared, while HERE */
	uint64_t number;      /* names it in rows */
	struct span key;      /* organisation, '\0', group, '/', filter; empty: it has ended */
	struct span filter;   /* in key */
	struct list ready, full, away;
	unsigned n_ready, n_here, n_members, n_durable;
	struct list held, loose, lags;
	unsigned n_qos1;      /* flights that are in its row */
	struct cursor fetch;  /* reads loose ones */
	struct list due_node; /* sessions->shares_due */
	uint64_t settled;     /* sessions->mark: share_settle() has seen it */
	bool failed;          /* the disk would not give it */

	struct place *places; /* REST */
	unsigned n_places;
	int64_t rest_ms; /* since when, wall clock */
	uint64_t touched[2 * LIMIT_FEEDS / 64 + 1];
	const struct config *touched_config; /* worked out under this configuration */

	/* share_row.c */
	bool kept, changed; /* it has a row; the row is to be written */
	struct list flush_node;
	struct place *written; /* what the row says */
	unsigned n_written;
	uint32_t rows;      /* how many were written; from 1 */
	uint32_t n_since;   /* QoS 2 given out since */
	bool written_taken; /* all that were taken are in it */
	struct taken *taken;
	unsigned n_taken, cap_taken;
	bool taken_sorted;
};

/* ---- share.c: groups and members ---- */

/* Before it: how many bytes a commit needs for it beside the subscription's row. */
size_t share_subscribe_bytes(const struct sessions *t);
/* *ret_new: it was not a member. The reason for SUBACK; above 2: refused, nothing has changed. */
enum mqtt_reason share_subscribe(struct session *s, const struct topic_filter *tf, struct span full,
                                 const struct sub_options *o, bool *ret_new);
struct member *share_member(const struct session *s, const struct topic_filter *tf);
void share_member_free(struct member *m); /* the group goes with its last one */
void share_here(struct session *s);       /* CONNACK was sent: its groups have it again */
void share_left(struct session *s);       /* its connection is gone */
void share_forget(struct session *s);     /* it has ended: what it held goes to others */
void share_undurable(struct session *s);  /* its rows go; what they said its groups' rows say */
/* How many bytes that takes; write: does it. */
size_t share_settle(struct session *s, bool write);
struct share *share_make(struct sessions *t, struct span key, uint64_t number);
struct member *share_join(struct share *g, struct session *s, const struct sub_options *o);
struct share *share_of(struct session *s, const struct topic_filter *tf); /* made if it is not */
struct share *share_by_number(const struct sessions *t, uint64_t number); /* or NULL */
void share_end_if_over(struct share *g); /* frees it; only at the end of the turn */
void shares_free(struct sessions *t);
uint64_t shares_backlog(const struct sessions *t);

/* ---- share_give.c: who gets what ---- */
enum share_given {
	SHARE_GIVEN,
	SHARE_LATER, /* somebody may take it, but not now */
	SHARE_NOBODY /* of those who are here, nobody may, or it has expired: it is passed over */
};
enum share_given share_give(struct share *g, struct feed *f, const struct record *r);
/* Messages are gone before anybody could take them. */
void share_gap(struct share *g, struct feed *f, uint64_t from, uint64_t to);
void share_room(struct session *s);   /* it may take messages again */
void share_due(struct share *g);      /* looked after at the end of the turn */
void shares_pump(struct sessions *t); /* the end of the turn */

struct flight *flight_new(struct share *g, uint32_t feed, uint64_t sequence);
void flight_held(struct flight *fl, struct session *s, uint16_t id, bool qos2);
void flight_loose(struct flight *fl);
void flight_over(struct flight *fl); /* its entry is the caller's to drop */
/* What a member gets of a record. */
struct hit share_hit_of(struct session *s, const struct flight *fl);

/* ---- share_lag.c: where it is ---- */
void share_record(struct sessions *t, struct feed *f, const struct record *r);
void share_lags_pump(struct share *g);                      /* what it is behind with */
unsigned share_places(struct share *g, struct place **ret); /* *ret is the caller's to free */
void share_rest(struct share *g);
void share_rise(struct share *g);

/* ---- share_row.c: what stands in the store ---- */
void share_write(struct share *g, bool flights); /* into the batch now */
void share_changed(struct share *g);             /* with the next flush */
void share_unwrite(struct share *g);
size_t share_row_bytes(const struct share *g);
bool shares_flush(struct sessions *t, unsigned *n); /* false: no room, or n is used up */
bool share_past(const struct sessions *t, const struct done *d);
bool share_is_taken(struct share *g, uint32_t feed_id, uint64_t sequence);
void share_take(struct share *g, uint32_t feed_id, uint64_t sequence);
/* Before sessions. shown: the row "sessions-shown", or empty. */
int shares_load(struct sessions *t, struct span shown, unsigned *damaged) MUSTCHECK;
void shares_loaded(struct sessions *t); /* after all rows */
/* At load: the loose flight of this message, held by nobody yet; or NULL. */
struct flight *share_find_loose(struct share *g, uint32_t feed, uint64_t sequence);

#endif
