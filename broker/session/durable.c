/* durable.c - what stands of sessions in the store, and when it is written. Knows nothing of
 * packets.
 *
 * Rows, all of a session's named by its number (u64 big endian), little endian inside:
 *
 *   SESSION       number                     head, key, places, QoS 1 messages in flight
 *   SESSION       number, 'w'                its will
 *   SUBSCRIPTION  number, row u32            one packed subscription
 *   PACKET_ID     number, 'i', id u16        QoS 2 of the client, between PUBLISH and PUBREL
 *   PACKET_ID     number, 'o', feed u32, sequence u64   QoS 2 to the client: id, enum out_row
 *                 ... and u64, the group's number, when it is of a shared subscription
 *   STATE         "sessions-shown"           how far connected sessions were at least, per feed
 *
 * A session row holds its places and what is in flight at one moment. A connected session that is
 * behind nowhere and has nothing in flight is where the feeds are, so that one row for all
 * ("sessions-shown") says it. Each second a round: that row is worked out; the rows of all sessions
 * that have changed are written, over as many commits as they need; then that row. So it never is
 * ahead of a session row that still counts.
 *
 * After a death a session goes on from there: messages of QoS 1 that were acknowledged since come
 * again. Those of QoS 2 do not: their own rows say which were sent, and stay (OUT_ROW_DONE) until
 * the session row is past them. */
#include "base/mem.h"
#include "session/private.h"
#include "session/row.h"
#include "session/share.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	HEAD_BYTES = 40,
	FLUSH_ROWS = 1000, /* of one turn: half a millisecond */
	DONE_MAX = 4096,
	KEY_MAX = 32
};

/* ---- keys and parts ---- */

struct key {
	uint8_t p[KEY_MAX];
	size_t n;
};

static struct span key_span(const struct key *k)
{
	return span_of((const char *)k->p, k->n);
}

static struct key key_session(uint64_t number)
{
	struct key k;
	k.n = put_be(k.p, number, 8);
	return k;
}

static struct key key_sub(uint64_t number, uint32_t row)
{
	struct key k = key_session(number);
	k.n += put_be(k.p + k.n, row, 4);
	return k;
}

static struct key key_in(uint64_t number, uint16_t id)
{
	struct key k = key_session(number);
	k.p[k.n++] = 'i';
	k.n += put_be(k.p + k.n, id, 2);
	return k;
}

static struct key key_out(uint64_t number, uint32_t feed_id, uint64_t sequence, uint64_t share)
{
	struct key k = key_session(number);
	k.p[k.n++] = 'o';
	k.n += put_be(k.p + k.n, feed_id, 4);
	k.n += put_be(k.p + k.n, sequence, 8);
	if (share)
		k.n += put_be(k.p + k.n, share, 8);
	return k;
}

static uint64_t share_number(const struct out *o)
{
	return o->flight ? o->flight->share->number : 0;
}

/* ---- a session's row ---- */

static unsigned count_puback(const struct session *s)
{
	unsigned n = 0;
	for (uint16_t id = s->out ? s->out[0].next : 0; id; id = s->out[id].next)
		n += s->out[id].state == OUT_PUBACK;
	return n;
}

static void add_out(struct buf *b, const struct session *s)
{
	for (uint16_t id = s->out ? s->out[0].next : 0; id; id = s->out[id].next) {
		const struct out *o = &s->out[id];
		if (o->state != OUT_PUBACK)
			continue;
		add_u16(b, id);
		add_u32(b, hub_feed_at(s->table->hub, o->feed)->id);
		add_u64(b, o->sequence);
		add_u64(b, o->order);
		add_u8(b, (unsigned)(o->retain | (o->flight ? OUT_SHARED : 0)));
		if (o->flight)
			add_u64(b, share_number(o));
	}
}

static void build_row(struct session *s, struct buf *b, const struct place *places, unsigned n)
{
	size_t org = s->key.n - s->client_id.n - 1;
	buf_clear(b);
	add_u8(b, ROW_VERSION);
	add_u8(b, s->state == SESSION_CONNECTED ? ROW_CONNECTED : 0);
	add_u8(b, s->version);
	add_u8(b, (unsigned)org);
	add_u32(b, s->expiry_s);
	add_u64(b, (uint64_t)s->ended_ms);
	add_u64(b, s->next_order);
	add_u32(b, s->next_row);
	add_u16(b, (unsigned)s->key.n);
	add_u16(b, 0);
	add_u32(b, n);
	add_u32(b, count_puback(s));
	assert(b->len == HEAD_BYTES);
	buf_add_span(b, s->key);
	for (unsigned i = 0; i < n; i++) {
		add_u32(b, places[i].feed_id);
		add_u32(b, places[i].epoch);
		add_u64(b, places[i].next);
		add_u64(b, places[i].live_from);
		add_u8(b, places[i].behind);
	}
	add_out(b, s);
	if (b->err)
		fatal("out of memory for a session's row");
}

static bool past(const struct place *places, unsigned n, const struct done *d)
{
	for (unsigned i = 0; i < n; i++)
		if (places[i].feed_id == d->feed_id && places[i].next <= d->sequence)
			return false;
	return true;
}

/* What is over and behind the places just written needs its row no more. */
static void drop_done(struct session *s, const struct place *places, unsigned n)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < s->n_done; i++) {
		struct done *d = &s->done[i];
		if (!(d->share ? share_past(s->table, d) : past(places, n, d))) {
			s->done[kept++] = s->done[i];
			continue;
		}
		struct key k =
		    key_out(s->number, s->done[i].feed_id, s->done[i].sequence, s->done[i].share);
		hub_del(s->table->hub, STORE_PACKET_ID, key_span(&k));
	}
	s->n_done = kept;
}

void durable_session(struct session *s)
{
	struct sessions *t = s->table;
	struct place *places;
	assert(s->number);
	unsigned n = session_places(s, &places);
	struct key k = key_session(s->number);
	build_row(s, &t->row, places, n);
	hub_put(t->hub, STORE_SESSION, key_span(&k), span_of(t->row.p, t->row.len));
	drop_done(s, places, n);
	free(places);
	s->changed = false;
	list_remove(&s->flush_node);
	if (s->n_done) /* of a group whose row is not past them yet */
		durable_changed(s);
	s->row_plain = s->state == SESSION_CONNECTED && !s->n_out && list_empty(&s->lags);
}

void durable_changed(struct session *s)
{
	if (!s->number || s->changed)
		return;
	s->changed = true;
	list_append(&s->table->changed, &s->flush_node);
}

/* ---- its other rows ---- */

void durable_subscription(struct session *s, struct span filter, const struct sub_options *o)
{
	struct buf *b = &s->table->row;
	struct key k = key_sub(s->number, o->flags >> SUB_ROW_SHIFT);
	buf_clear(b);
	packed_add(b, filter, o);
	hub_put(s->table->hub, STORE_SUBSCRIPTION, key_span(&k), span_of(b->p, b->len));
}

void durable_unsubscribed(struct session *s, uint32_t row)
{
	struct key k = key_sub(s->number, row);
	hub_del(s->table->hub, STORE_SUBSCRIPTION, key_span(&k));
}

void durable_in(struct session *s, uint16_t id, bool there)
{
	struct key k = key_in(s->number, id);
	if (there)
		hub_put(s->table->hub, STORE_PACKET_ID, key_span(&k), SPAN("\1"));
	else
		hub_del(s->table->hub, STORE_PACKET_ID, key_span(&k));
}

void durable_remember_done(struct session *s, const struct done *d)
{
	if (s->n_done == s->cap_done) {
		s->cap_done = s->cap_done ? s->cap_done * 2 : 16;
		s->done = xrealloc(s->done, s->cap_done * sizeof(*s->done));
	}
	s->done[s->n_done++] = *d;
}

void durable_out(struct session *s, uint16_t id, enum out_row state)
{
	struct hub *h = s->table->hub;
	const struct out *o = &s->out[id];
	uint32_t feed_id = hub_feed_at(h, o->feed)->id;
	struct key k = key_out(s->number, feed_id, o->sequence, share_number(o));
	uint8_t value[12];
	memcpy(value, &id, 2);
	value[2] = (uint8_t)state;
	value[3] = o->retain;
	memcpy(value + 4, &o->order, 8);
	hub_put(h, STORE_PACKET_ID, key_span(&k), span_of((const char *)value, sizeof(value)));
	if (state != OUT_ROW_DONE)
		return;
	struct done d = {feed_id, o->sequence, share_number(o), o->flight ? o->flight->row : 0};
	durable_remember_done(s, &d);
	durable_changed(s);
	if (s->n_done % DONE_MAX == 0 && s->state == SESSION_CONNECTED &&
	    hub_has_state_room(h, (size_t)DONE_MAX * KEY_MAX + share_settle(s, false))) {
		share_settle(s, true);
		durable_session(s);
	}
}

/* ---- its will: u32 delay, u32 expiry, u8 QoS, protocol, bits, organisation bytes, u16 client id
 * and topic, u32 properties and payload bytes, then those in this order; the name of its
 * identity, if it has one ---- */

static struct key key_will(uint64_t number)
{
	struct key k = key_session(number);
	k.p[k.n++] = 'w';
	return k;
}

void durable_will(const struct session *s)
{
	const struct will *w = s->will;
	struct buf *b = &s->table->row;
	struct key k = key_will(s->number);
	size_t org = strlen(w->who.organisation);
	struct span thing;
	const struct feed *f = hub_route(s->table->hub, span_of(w->topic, w->topic_n), &thing);
	if (f && f->privacy) { /* what came may not be on disk as it came: it is in memory only */
		durable_will_gone(s->table, s->number);
		return;
	}
	buf_clear(b);
	add_u32(b, w->delay_s);
	add_u32(b, w->expiry_s);
	add_u8(b, w->qos);
	add_u8(b, w->protocol);
	add_u8(b, (unsigned)(w->retain | w->utf8 << 1 | w->who.trusted << 2));
	add_u8(b, (unsigned)org);
	add_u16(b, (unsigned)w->client_id_n);
	add_u16(b, (unsigned)w->topic_n);
	add_u32(b, (uint32_t)w->properties_n);
	add_u32(b, (uint32_t)w->payload_n);
	buf_add(b, w->who.organisation, org);
	buf_add(b, w->client_id, w->client_id_n);
	buf_add(b, w->topic, w->topic_n);
	buf_add(b, w->properties, w->properties_n);
	buf_add(b, w->payload, w->payload_n);
	if (w->who.principal)
		buf_add_span(b, w->who.name);
	if (b->err)
		fatal("out of memory for a will");
	hub_put(s->table->hub, STORE_SESSION, key_span(&k), span_of(b->p, b->len));
}

void durable_will_gone(struct sessions *t, uint64_t number)
{
	struct key k = key_will(number);
	hub_del(t->hub, STORE_SESSION, key_span(&k));
}

size_t durable_forget_bytes(struct session *s)
{
	return share_settle(s, false) +
	       (size_t)KEY_MAX * (2 + s->sub_bytes / SUB_COST + s->packed_n / 13 + s->qos2_open +
	                          s->n_out + s->n_done);
}

void durable_forget(struct session *s)
{
	struct hub *h = s->table->hub;
	struct span filter;
	struct sub_options o;
	size_t at = 0;
	struct key k = key_session(s->number);
	hub_del(h, STORE_SESSION, key_span(&k));
	while (packed_next(s->packed, s->packed_n, &at, &filter, &o))
		durable_unsubscribed(s, o.flags >> SUB_ROW_SHIFT);
	for (unsigned i = 0; i < s->qos2_open; i++)
		durable_in(s, s->in_ids[i], false);
	for (uint16_t id = s->out ? s->out[0].next : 0; id; id = s->out[id].next) {
		const struct out *e = &s->out[id];
		if (e->state == OUT_PUBACK)
			continue;
		k = key_out(s->number, hub_feed_at(h, e->feed)->id, e->sequence, share_number(e));
		hub_del(h, STORE_PACKET_ID, key_span(&k));
	}
	for (unsigned i = 0; i < s->n_done; i++) {
		k = key_out(s->number, s->done[i].feed_id, s->done[i].sequence, s->done[i].share);
		hub_del(h, STORE_PACKET_ID, key_span(&k));
	}
	share_undurable(s);
	s->n_done = 0;
	s->number = 0;
	s->changed = false;
	list_remove(&s->flush_node);
}

/* ---- the flush ---- */

static void build_shown(struct sessions *t)
{
	struct buf *b = &t->round_row;
	buf_clear(b);
	add_u64(b, (uint64_t)clock_wall_ms(hub_clock(t->hub)));
	for (unsigned i = 0; i < hub_feed_count(t->hub); i++) {
		const struct feed *f = hub_feed_at(t->hub, i);
		add_u32(b, f->id);
		add_u32(b, f->epoch);
		add_u64(b, shown_last(t, f) + 1);
	}
}

void durable_second(struct sessions *t)
{
	if (t->round || !t->stats.durable ||
	    (!t->moved && list_empty(&t->changed) && list_empty(&t->shares_changed)))
		return;
	t->round = true;
	t->moved = false;
	build_shown(t);
	list_splice(&t->flushing, &t->changed);
	list_splice(&t->shares_flushing, &t->shares_changed);
}

void durable_flush(struct sessions *t)
{
	if (!t->round)
		return;
	unsigned left = FLUSH_ROWS;
	if (!shares_flush(t, &left))
		return;
	for (; left && !list_empty(&t->flushing); left--) {
		struct session *s = list_entry(t->flushing.next, struct session, flush_node);
		bool plain = s->state == SESSION_CONNECTED && !s->n_out && list_empty(&s->lags) &&
		             !s->n_done;
		if (plain && s->row_plain) {
			s->changed = false;
			list_remove(&s->flush_node);
			continue;
		}
		if (!hub_has_state_room(t->hub, DURABLE_ROW_BYTES))
			return;
		durable_session(s);
	}
	if (!list_empty(&t->flushing) || !hub_has_state_room(t->hub, t->round_row.len))
		return;
	hub_put(t->hub, STORE_STATE, SPAN(ROW_SHOWN_KEY),
	        span_of(t->round_row.p, t->round_row.len));
	t->round = false;
}
