/* durable.c - what stands of sessions in the store, and when it is written. Knows nothing of
 * packets.
 *
 * Rows, all of a session's named by its number (u64 big endian), little endian inside:
 *
 *   SESSION       number                     head, key, places, QoS 1 messages in flight
 *   SUBSCRIPTION  number, row u32            one packed subscription
 *   PACKET_ID     number, 'i', id u16        QoS 2 of the client, between PUBLISH and PUBREL
 *   PACKET_ID     number, 'o', feed u32, sequence u64   QoS 2 to the client: id, enum out_row
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

#include <stdio.h>
#include <stdlib.h>

enum {
	ROW_VERSION = 1,
	ROW_CONNECTED = 1,
	HEAD_BYTES = 40,
	PLACE_BYTES = 25,
	OUT_BYTES = 23,
	SHOWN_BYTES = 16,
	FLUSH_ROWS = 1000, /* of one turn: half a millisecond */
	DONE_MAX = 4096,
	KEY_MAX = 32,
	ROW_BYTES_MAX = 1 << 20
};

static const char shown_key[] = "sessions-shown";

/* ---- keys and parts ---- */

static size_t put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	return bytes;
}

static uint64_t get_be(const char *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

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

static struct key key_out(uint64_t number, uint32_t feed_id, uint64_t sequence)
{
	struct key k = key_session(number);
	k.p[k.n++] = 'o';
	k.n += put_be(k.p + k.n, feed_id, 4);
	k.n += put_be(k.p + k.n, sequence, 8);
	return k;
}

static void add_u8(struct buf *b, unsigned v)
{
	uint8_t x = (uint8_t)v;
	buf_add(b, &x, 1);
}
static void add_u16(struct buf *b, unsigned v)
{
	uint16_t x = (uint16_t)v;
	buf_add(b, &x, 2);
}
static void add_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, 4);
}
static void add_u64(struct buf *b, uint64_t v)
{
	buf_add(b, &v, 8);
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
		add_u8(b, o->retain);
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
		if (!past(places, n, &s->done[i])) {
			s->done[kept++] = s->done[i];
			continue;
		}
		struct key k = key_out(s->number, s->done[i].feed_id, s->done[i].sequence);
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

static void remember_done(struct session *s, uint32_t feed_id, uint64_t sequence)
{
	if (s->n_done == s->cap_done) {
		s->cap_done = s->cap_done ? s->cap_done * 2 : 16;
		s->done = xrealloc(s->done, s->cap_done * sizeof(*s->done));
	}
	s->done[s->n_done++] = (struct done){feed_id, sequence};
}

void durable_out(struct session *s, uint16_t id, enum out_row state)
{
	struct hub *h = s->table->hub;
	const struct out *o = &s->out[id];
	uint32_t feed_id = hub_feed_at(h, o->feed)->id;
	struct key k = key_out(s->number, feed_id, o->sequence);
	uint8_t value[12];
	memcpy(value, &id, 2);
	value[2] = (uint8_t)state;
	value[3] = o->retain;
	memcpy(value + 4, &o->order, 8);
	hub_put(h, STORE_PACKET_ID, key_span(&k), span_of((const char *)value, sizeof(value)));
	if (state != OUT_ROW_DONE)
		return;
	remember_done(s, feed_id, o->sequence);
	durable_changed(s);
	if (s->n_done >= DONE_MAX && s->state == SESSION_CONNECTED &&
	    hub_has_state_room(h, (size_t)DONE_MAX * KEY_MAX))
		durable_session(s);
}

size_t durable_forget_bytes(const struct session *s)
{
	return (size_t)KEY_MAX *
	       (2 + s->sub_bytes / 64 + s->packed_n / 13 + s->qos2_open + s->n_out + s->n_done);
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
		k = key_out(s->number, hub_feed_at(h, e->feed)->id, e->sequence);
		hub_del(h, STORE_PACKET_ID, key_span(&k));
	}
	for (unsigned i = 0; i < s->n_done; i++) {
		k = key_out(s->number, s->done[i].feed_id, s->done[i].sequence);
		hub_del(h, STORE_PACKET_ID, key_span(&k));
	}
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
	if (t->round || !t->stats.durable || (!t->moved && list_empty(&t->changed)))
		return;
	t->round = true;
	t->moved = false;
	build_shown(t);
	list_splice(&t->flushing, &t->changed);
}

void durable_flush(struct sessions *t)
{
	if (!t->round)
		return;
	for (unsigned n = 0; n < FLUSH_ROWS && !list_empty(&t->flushing); n++) {
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
	hub_put(t->hub, STORE_STATE, span_str(shown_key),
	        span_of(t->round_row.p, t->round_row.len));
	t->round = false;
}

/* ---- at start ---- */

struct loading {
	struct sessions *t;
	struct buf shown;          /* the row "sessions-shown" */
	struct session **sessions; /* in order of number */
	unsigned n, cap, at;
	unsigned damaged;
	struct session *of; /* whose subscriptions are being collected */
	struct buf packed;
	int64_t now_ms;
};

struct row_reader {
	const char *p, *end;
	bool bad;
};

static uint64_t take(struct row_reader *r, unsigned bytes)
{
	uint64_t v = 0;
	if ((size_t)(r->end - r->p) < bytes) {
		r->bad = true;
		return 0;
	}
	memcpy(&v, r->p, bytes);
	r->p += bytes;
	return v;
}

static uint32_t feed_index(const struct hub *h, uint64_t id)
{
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (hub_feed_at(h, i)->id == id)
			return i;
	return UINT32_MAX;
}

/* A session that was connected is as far as all were known to be. */
static void advance(const struct loading *l, struct place *p)
{
	struct row_reader r = {l->shown.p, l->shown.p + l->shown.len, false};
	take(&r, 8);
	while (r.end - r.p >= SHOWN_BYTES) {
		uint32_t id = (uint32_t)take(&r, 4), epoch = (uint32_t)take(&r, 4);
		uint64_t next = take(&r, 8);
		if (id != p->feed_id)
			continue;
		if (epoch > p->epoch || (epoch == p->epoch && next > p->next)) {
			p->epoch = epoch;
			p->next = next;
		}
		return;
	}
}

static void read_places(struct loading *l, struct session *s, struct row_reader *r, unsigned n,
                        bool connected)
{
	if (n > 4 * LIMIT_FEEDS || (size_t)(r->end - r->p) < (size_t)n * PLACE_BYTES) {
		r->bad = true;
		return;
	}
	s->places = n ? xcalloc(n, sizeof(*s->places)) : NULL;
	for (s->n_places = 0; s->n_places < n; s->n_places++) {
		struct place *p = &s->places[s->n_places];
		p->feed_id = (uint32_t)take(r, 4);
		p->epoch = (uint32_t)take(r, 4);
		p->next = take(r, 8);
		p->live_from = take(r, 8);
		p->behind = take(r, 1) != 0;
		if (connected && !p->behind)
			advance(l, p);
	}
}

/* QoS 1 in flight. The ids of QoS 2 are in their own rows, which are newer: those win. */
static void read_out(struct session *s, struct row_reader *r, unsigned n)
{
	for (unsigned i = 0; i < n && !r->bad; i++) {
		uint16_t id = (uint16_t)take(r, 2);
		uint32_t feed = feed_index(s->table->hub, take(r, 4));
		uint64_t sequence = take(r, 8), order = take(r, 8);
		bool retain = take(r, 1) != 0;
		if (!r->bad && feed != UINT32_MAX)
			(void)out_restore(s, id, OUT_PUBACK, feed, sequence, order, retain);
	}
}

static void rest_until(struct loading *l, struct session *s, bool connected)
{
	int64_t gone_s = 0;
	if (connected)
		s->ended_ms =
		    l->shown.len >= 8 ? *(const int64_t *)(const void *)l->shown.p : l->now_ms;
	else
		gone_s = MAX_OF((l->now_ms - s->ended_ms) / 1000, (int64_t)0);
	if (s->expiry_s == UINT32_MAX)
		s->ends_s = UINT64_MAX;
	else
		s->ends_s =
		    l->t->now_s + (gone_s < s->expiry_s ? s->expiry_s - (uint64_t)gone_s : 0);
	session_wheel(s, s->ends_s);
}

static int take_session(void *arg, struct span key, struct span row)
{
	struct loading *l = arg;
	struct sessions *t = l->t;
	struct row_reader r = {row.p, row.p + row.n, false};
	if (key.n != 8)
		return 0;
	bool version = take(&r, 1) == ROW_VERSION, connected = take(&r, 1) & ROW_CONNECTED;
	unsigned protocol = (unsigned)take(&r, 1), org = (unsigned)take(&r, 1);
	uint32_t expiry = (uint32_t)take(&r, 4);
	int64_t ended = (int64_t)take(&r, 8);
	uint64_t order = take(&r, 8);
	uint32_t next_row = (uint32_t)take(&r, 4);
	unsigned key_n = (unsigned)take(&r, 2);
	take(&r, 2);
	unsigned n_places = (unsigned)take(&r, 4), n_out = (unsigned)take(&r, 4);
	uint64_t number = get_be(key.p, 8);
	t->last_number = MAX_OF(t->last_number, number);
	if (!version || r.bad || (size_t)(r.end - r.p) < key_n || org + 1 > key_n) {
		l->damaged++;
		return 0;
	}
	struct session *s = session_make(t);
	s->state = SESSION_AWAY;
	s->version = (enum mqtt_version)protocol;
	s->number = number;
	s->key = span_of(xstrndup(r.p, key_n), key_n);
	s->client_id = span_of(s->key.p + org + 1, key_n - org - 1);
	s->expiry_s = expiry;
	s->ended_ms = ended;
	s->next_row = next_row;
	r.p += key_n;
	read_places(l, s, &r, n_places, connected);
	read_out(s, &r, n_out);
	s->next_order = MAX_OF(s->next_order, order);
	if (r.bad)
		l->damaged++;
	map_set(&t->by_client, s->key, s);
	t->stats.away++;
	t->stats.durable++;
	rest_until(l, s, connected);
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->sessions = xrealloc(l->sessions, l->cap * sizeof(struct session *));
	}
	l->sessions[l->n++] = s;
	return 0;
}

/* Rows come in order of number, as sessions did: a walk beside. */
static struct session *session_of_row(struct loading *l, struct span key)
{
	if (key.n < 8)
		return NULL;
	uint64_t number = get_be(key.p, 8);
	while (l->at < l->n && l->sessions[l->at]->number < number)
		l->at++;
	return l->at < l->n && l->sessions[l->at]->number == number ? l->sessions[l->at] : NULL;
}

static void packed_end(struct loading *l)
{
	if (l->of && l->packed.len) {
		l->of->packed = xmalloc(l->packed.len);
		l->of->packed_n = l->packed.len;
		memcpy(l->of->packed, l->packed.p, l->packed.len);
	}
	buf_clear(&l->packed);
}

static int take_subscription(void *arg, struct span key, struct span row)
{
	struct loading *l = arg;
	struct session *s = session_of_row(l, key);
	struct span filter;
	struct sub_options o;
	struct topic_filter tf;
	size_t at = 0;
	if (!s || !packed_next((const uint8_t *)row.p, row.n, &at, &filter, &o) ||
	    topic_filter_check(filter, false, &tf)) {
		l->damaged++;
		return 0;
	}
	if (s != l->of) {
		packed_end(l);
		l->of = s;
	}
	buf_add_span(&l->packed, row);
	s->sub_bytes += filter.n + 64;
	l->t->sub_bytes += filter.n + 64;
	s->n_packed++;
	l->t->stats.subscriptions_away++;
	return l->packed.err;
}

static void take_out(struct session *s, struct span key, struct span row)
{
	uint16_t id;
	uint64_t order;
	uint32_t feed_id = (uint32_t)get_be(key.p + 9, 4);
	uint64_t sequence = get_be(key.p + 13, 8);
	uint32_t feed = feed_index(s->table->hub, feed_id);
	memcpy(&id, row.p, 2);
	memcpy(&order, row.p + 4, 8);
	s->skip_to = MAX_OF(s->skip_to, sequence);
	if (row.p[2] == OUT_ROW_DONE || feed == UINT32_MAX) {
		remember_done(s, feed_id, sequence);
		return;
	}
	enum out_state state = row.p[2] == OUT_ROW_SENT ? OUT_PUBREC : OUT_PUBCOMP;
	if (id <= s->cap_out && s->out[id].state != OUT_FREE)
		out_drop(s, id); /* of QoS 1, and acknowledged before its id was used again */
	(void)out_restore(s, id, state, feed, sequence, order, row.p[3] != 0);
}

static int take_packet_id(void *arg, struct span key, struct span row)
{
	struct loading *l = arg;
	struct session *s = session_of_row(l, key);
	if (s && key.n == 11 && key.p[8] == 'i') {
		if (s->qos2_open < LIMIT_RECEIVE_MAXIMUM)
			qos2_know(s, (uint16_t)get_be(key.p + 9, 2));
	} else if (s && key.n == 21 && key.p[8] == 'o' && row.n == 12) {
		take_out(s, key, row);
	} else {
		l->damaged++;
	}
	return 0;
}

int durable_load(struct sessions *t)
{
	struct store *store = hub_store(t->hub);
	struct loading l = {.t = t, .now_ms = clock_wall_ms(hub_clock(t->hub))};
	struct span all = {0};
	buf_init(&l.shown, (size_t)4 * LIMIT_FEEDS * SHOWN_BYTES);
	buf_init(&l.packed, (size_t)LIMIT_SUBSCRIPTIONS * (LIMIT_TOPIC_BYTES + 64));
	int err = store_get(store, STORE_STATE, span_str(shown_key), &l.shown);
	if (err == ERR_NOT_FOUND)
		err = 0;
	if (!err)
		err = store_scan(store, STORE_SESSION, all, all, SIZE_MAX, take_session, &l);
	if (!err)
		err = store_scan(store, STORE_SUBSCRIPTION, all, all, SIZE_MAX, take_subscription,
		                 &l);
	packed_end(&l);
	l.at = 0;
	if (!err)
		err = store_scan(store, STORE_PACKET_ID, all, all, SIZE_MAX, take_packet_id, &l);
	for (unsigned i = 0; i < l.n; i++)
		if (l.sessions[i]->n_done)
			durable_changed(l.sessions[i]);
	if (l.damaged)
		log_warn("Rows of sessions could not be read and are passed over. rows=%u",
		         l.damaged);
	free(l.sessions);
	buf_done(&l.packed);
	buf_done(&l.shown);
	return err;
}
