/* load.c - sessions from the store, at start. The rows are durable.c's.
 *
 * Three scans in order of session numbers; subscriptions and packet ids walk beside the sessions,
 * so that it costs no lookups. A row that cannot be read is passed over and counted. */
#include "base/mem.h"
#include "session/private.h"
#include "session/row.h"
#include "session/share.h"

#include <stdlib.h>

enum { PLACE_BYTES = 25, SHOWN_BYTES = 16, KEY_OWN = 21, KEY_SHARED = 29 };

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

uint32_t feed_index(const struct hub *h, uint64_t id)
{
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (hub_feed_at(h, i)->id == id)
			return i;
	return UINT32_MAX;
}

/* A session that was connected is as far as all were known to be. */
void place_advance(struct place *p, struct span shown)
{
	struct row_reader r = {shown.p, shown.p + shown.n, false};
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
			place_advance(p, span_of(l->shown.p, l->shown.len));
	}
}

/* Of a shared subscription: the group's row knows whether it still is this session's. A group that
 * is not there any more had let go of it. */
static bool restore_shared(struct session *s, uint16_t id, uint32_t feed, uint64_t sequence,
                           uint64_t share)
{
	struct share *g = share_by_number(s->table, share);
	if (!g)
		return true;
	struct flight *fl = share_find_loose(g, feed, sequence);
	if (!fl)
		return false;
	fl->holder = s;
	fl->id = id;
	s->out[id].flight = fl;
	return true;
}

/* QoS 1 in flight. The ids of QoS 2 are in their own rows, which are newer: those win. */
static void read_out(struct session *s, struct row_reader *r, unsigned n)
{
	for (unsigned i = 0; i < n && !r->bad; i++) {
		uint16_t id = (uint16_t)take(r, 2);
		uint32_t feed = feed_index(s->table->hub, take(r, 4));
		uint64_t sequence = take(r, 8), order = take(r, 8);
		unsigned bits = (unsigned)take(r, 1);
		uint64_t share = bits & OUT_SHARED ? take(r, 8) : 0;
		if (r->bad || feed == UINT32_MAX)
			continue;
		if (!out_restore(s, id, OUT_PUBACK, feed, sequence, order, bits & OUT_RETAIN))
			continue;
		if (share && !restore_shared(s, id, feed, sequence, share))
			out_drop(s, id);
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

static void *take_copy(struct row_reader *r, size_t n)
{
	if ((size_t)(r->end - r->p) < n) {
		r->bad = true;
		n = 0;
	}
	char *p = xmalloc(n + 1);
	memcpy(p, r->p, n);
	r->p += n;
	return p;
}

static bool read_will(struct row_reader *r, struct will *w)
{
	w->delay_s = (uint32_t)take(r, 4);
	w->expiry_s = (uint32_t)take(r, 4);
	w->qos = (uint8_t)take(r, 1);
	w->protocol = (uint8_t)take(r, 1);
	unsigned bits = (unsigned)take(r, 1), org = (unsigned)take(r, 1);
	w->retain = bits & 1;
	w->utf8 = bits & 2;
	w->who.trusted = (bits & 4) != 0; /* as it was when its CONNECT came */
	w->client_id_n = take(r, 2);
	w->topic_n = take(r, 2);
	w->properties_n = take(r, 4);
	w->payload_n = take(r, 4);
	char *organisation = take_copy(r, org);
	if (org < sizeof(w->who.organisation) && !r->bad) {
		memcpy(w->who.organisation, organisation, org);
		w->who.organisation[org] = '\0';
	}
	free(organisation);
	w->client_id = take_copy(r, w->client_id_n);
	w->topic = take_copy(r, w->topic_n);
	w->properties = take_copy(r, w->properties_n);
	w->payload = take_copy(r, w->payload_n);
	size_t name = (size_t)(r->end - r->p);
	if (!r->bad && name && name < sizeof(w->identity)) {
		memcpy(w->identity, r->p, name);
		w->identity[name] = '\0';
	}
	return !r->bad;
}

/* The will of the session just read; of one that has ended: not published yet, so now. A session
 * that was connected lost its connection with the death of the broker: its delay begins here. */
static int take_will(struct loading *l, uint64_t number, struct span row)
{
	struct sessions *t = l->t;
	struct row_reader r = {row.p, row.p + row.n, false};
	struct will *w = xcalloc(1, sizeof(*w));
	list_init(&w->node);
	w->who = access_anonymous(hub_config(t->hub), false);
	w->number = number;
	struct session *s = l->n ? l->sessions[l->n - 1] : NULL;
	if (!read_will(&r, w)) {
		will_free(w);
		l->damaged++;
	} else if (s && s->number == number) {
		uint64_t gone_s =
		    s->changed ? 0 /* it was connected */
		               : (uint64_t)MAX_OF((l->now_ms - s->ended_ms) / 1000, (int64_t)0);
		w->due_s = t->now_s + (gone_s < w->delay_s ? w->delay_s - gone_s : 0);
		s->will = w;
		session_rest_wheel(s);
	} else {
		list_append(&t->wills, &w->node);
	}
	return 0;
}

static int take_session(void *arg, struct span key, struct span row)
{
	struct loading *l = arg;
	struct sessions *t = l->t;
	struct row_reader r = {row.p, row.p + row.n, false};
	if (key.n == 9 && key.p[8] == 'w')
		return take_will(l, get_be(key.p, 8), row);
	if (key.n != 8) {
		l->damaged++;
		return 0;
	}
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
	if (connected) /* from now on others' progress says nothing about it: before the next
	                  "sessions-shown" its row must say so */
		durable_changed(s);
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
	struct topic_filter shared;
	size_t at = 0;
	if (!s || !packed_next((const uint8_t *)row.p, row.n, &at, &filter, &o) ||
	    topic_filter_check(filter, true, &shared)) {
		l->damaged++;
		return 0;
	}
	if (shared.group.n) {
		share_join(share_of(s, &shared), s, &o);
	} else {
		if (s != l->of) {
			packed_end(l);
			l->of = s;
		}
		buf_add_span(&l->packed, row);
		s->n_packed++;
		l->t->stats.subscriptions_away++;
	}
	s->sub_bytes += filter.n + SUB_COST;
	l->t->sub_bytes += filter.n + SUB_COST;
	return l->packed.err;
}

/* Given to this session already: the group does not give it to another. */
static struct flight *flight_of(struct session *s, uint64_t share, uint32_t feed, uint64_t sequence)
{
	struct share *g = share_by_number(s->table, share);
	if (!g)
		g = share_make(s->table, (struct span){0}, share);
	struct flight *fl = share_find_loose(g, feed, sequence);
	if (!fl) {
		share_take(g, hub_feed_at(s->table->hub, feed)->id, sequence);
		return flight_new(g, feed, sequence);
	}
	flight_held(fl, s, 0, true); /* the group's row lists it, for it is older */
	return fl;
}

static void take_out(struct session *s, struct span key, struct span row)
{
	uint16_t id;
	uint64_t order, share = key.n == KEY_SHARED ? get_be(key.p + KEY_OWN, 8) : 0;
	uint32_t feed_id = (uint32_t)get_be(key.p + 9, 4);
	uint64_t sequence = get_be(key.p + 13, 8);
	uint32_t feed = feed_index(s->table->hub, feed_id);
	struct flight *fl = NULL;
	memcpy(&id, row.p, 2);
	memcpy(&order, row.p + 4, 8);
	if (!share)
		s->skip_to = MAX_OF(s->skip_to, sequence);
	else if (feed != UINT32_MAX)
		fl = flight_of(s, share, feed, sequence);
	if (row.p[2] == OUT_ROW_DONE || feed == UINT32_MAX) {
		struct done d = {feed_id, sequence, share, fl ? fl->row : 0};
		durable_remember_done(s, &d);
		if (fl)
			flight_over(fl);
		return;
	}
	enum out_state state = row.p[2] == OUT_ROW_SENT ? OUT_PUBREC : OUT_PUBCOMP;
	if (id <= s->cap_out && s->out[id].state != OUT_FREE)
		out_drop(s, id); /* of QoS 1, and acknowledged before its id was used again */
	bool there = out_restore(s, id, state, feed, sequence, order, row.p[3] != 0);
	if (!fl)
		return;
	if (there) {
		s->out[id].flight = fl;
		flight_held(fl, s, id, true);
	} else {
		flight_over(fl);
	}
}

static int take_packet_id(void *arg, struct span key, struct span row)
{
	struct loading *l = arg;
	struct session *s = session_of_row(l, key);
	if (s && key.n == 11 && key.p[8] == 'i') {
		if (s->qos2_open < LIMIT_RECEIVE_MAXIMUM)
			qos2_know(s, (uint16_t)get_be(key.p + 9, 2));
	} else if (s && (key.n == KEY_OWN || key.n == KEY_SHARED) && key.p[8] == 'o' &&
	           row.n == 12) {
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
	buf_init(&l.packed, (size_t)LIMIT_SUBSCRIPTIONS * (LIMIT_TOPIC_BYTES + SUB_COST));
	int err = store_get(store, STORE_STATE, SPAN(ROW_SHOWN_KEY), &l.shown);
	if (err == ERR_NOT_FOUND)
		err = 0;
	if (!err)
		err = shares_load(t, span_of(l.shown.p, l.shown.len), &l.damaged);
	if (!err)
		err = store_scan(store, STORE_SESSION, all, all, SIZE_MAX, take_session, &l);
	if (!err)
		err = store_scan(store, STORE_SUBSCRIPTION, all, all, SIZE_MAX, take_subscription,
		                 &l);
	packed_end(&l);
	l.at = 0;
	if (!err)
		err = store_scan(store, STORE_PACKET_ID, all, all, SIZE_MAX, take_packet_id, &l);
	shares_loaded(t);
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
