/* deliver.c - messages to subscribers. A live one gets each record when it is committed; one that
 * cannot take it now (window used up, socket full) falls behind: a cursor takes over and hands back
 * at the head. Nothing is queued for it. */
#include "base/mem.h"
#include "session/private.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the outbound window ---- */

static void window_make(struct session *s)
{
	s->out_max = MIN_OF((unsigned)s->receive_max_out, (unsigned)LIMIT_INFLIGHT_OUT);
	s->free_ids = xmalloc(s->out_max * sizeof(*s->free_ids));
	s->out_state = xcalloc(s->out_max + 1, 1);
	for (unsigned i = 0; i < s->out_max; i++)
		s->free_ids[i] = (uint16_t)(s->out_max - i);
	s->n_free = s->out_max;
}

bool out_release(struct session *s, uint16_t id, enum out_state was, enum out_state becomes)
{
	if (id > s->out_max || !s->out_state || s->out_state[id] != was)
		return false;
	s->out_state[id] = (uint8_t)becomes;
	if (becomes == OUT_FREE)
		s->free_ids[s->n_free++] = id;
	return true;
}

static bool can_take(struct session *s, unsigned qos)
{
	if (link_backlog(s->link) >= LIMIT_SEND_BUFFER_BYTES)
		return false;
	if (qos && !s->free_ids)
		window_make(s);
	return !qos || s->n_free > 0;
}

/* ---- one message ---- */

enum { USER_BYTES = 512 };

/* The user properties of ours that this subscription asked for. */
static struct span own_properties(struct session *s, const struct hit *hit, const struct record *r,
                                  const struct feed *f, uint8_t out[USER_BYTES])
{
	struct wire w = wire_of(out, USER_BYTES);
	char text[160];
	if (hit->sequence) {
		int n = snprintf(text, sizeof(text), "%.*s:%u:%llu", (int)f->name.n, f->name.p,
		                 r->epoch, (unsigned long long)r->sequence);
		wire_user_property(&w, SPAN("sequence"), span_of(text, (size_t)n));
	}
	if (s->gap_feed) {
		int n = snprintf(text, sizeof(text), "%.*s:%llu-%llu", (int)s->gap_feed->name.n,
		                 s->gap_feed->name.p, (unsigned long long)s->gap_from,
		                 (unsigned long long)s->gap_to);
		wire_user_property(&w, SPAN("oudp-gap"), span_of(text, (size_t)n));
		s->gap_feed = NULL;
	}
	return span_of((const char *)out, w.err ? 0 : w.len);
}

/* True: taken (or skipped for good). False: not now. */
bool deliver(struct session *s, const struct hit *hit, const struct record *r, const struct feed *f,
             bool retain)
{
	uint8_t user[USER_BYTES];
	unsigned qos = MIN_OF((unsigned)hit->qos, record_qos(r)); /* [MQTT-3.8.4-8] */
	int64_t now_s = 0;
	if (r->expiry_s) {
		now_s = clock_wall_ms(hub_clock(s->table->hub)) / 1000;
		if (now_s >= r->expiry_s)
			return true; /* [MQTT-3.3.2-5]: expired is skipped, no gap */
	}
	if (!can_take(s, qos))
		return false;
	struct mqtt_publish_out m = {
	    .topic = r->topic,
	    .payload = r->payload,
	    .qos = (uint8_t)qos,
	    .retain = retain || (hit->retain_as_published && (r->flags & RECORD_RETAIN))};
	if (s->version == MQTT_V5) {
		m.stored = r->properties;
		m.subscription_ids = hit->ids;
		m.n_subscription_ids = hit->n_ids;
		if (r->expiry_s) {
			m.has_expiry = true;
			m.expiry_s = (uint32_t)(r->expiry_s - now_s); /* [MQTT-3.3.2-6] */
		}
		if (hit->sequence || s->gap_feed)
			m.user = own_properties(s, hit, r, f, user);
	}
	bool known = false;
	if (s->alias_max_out) {
		m.topic_alias = aliases_out(&s->aliases, s->alias_max_out, r->topic, &known);
		if (known)
			m.topic = (struct span){0};
	}
	m.packet_id = qos ? s->free_ids[s->n_free - 1] : 0;
	size_t size = mqtt_publish_size(s->version, &m);
	if (!size || (s->max_packet_out &&
	              size > s->max_packet_out)) { /* [MQTT-3.1.2-24], [MQTT-3.1.2-25] */
		s->table->stats.dropped_large++;
		return true;
	}
	struct wire w = link_wire(s->link, size);
	mqtt_encode_publish(&w, s->version, &m);
	if (w.err)
		return false;
	if (qos) {
		s->out_state[m.packet_id] = qos == 1 ? OUT_PUBACK : OUT_PUBREC;
		s->n_free--;
	}
	if (m.topic_alias && !known)
		aliases_sent(s->aliases, m.topic_alias, r->topic);
	s->table->stats.delivered++;
	s->table->stats.delivered_bytes += r->payload.n;
	link_sent(s->link, &w);
	return true;
}

/* ---- who takes a record ---- */

static void hit_add(struct sessions *t, struct session *s, const struct sub *sub)
{
	if (s->subs.mark != t->mark) {
		if (t->n_hits == t->cap_hits) {
			t->cap_hits = t->cap_hits ? t->cap_hits * 2 : 64;
			t->hits = xrealloc(t->hits, t->cap_hits * sizeof(*t->hits));
		}
		s->subs.mark = t->mark;
		s->hit = t->n_hits++;
		t->hits[s->hit] = (struct hit){.session = s};
	}
	struct hit *h = &t->hits[s->hit];
	h->qos = MAX_OF(
	    h->qos, sub->options.qos); /* overlapping: once, with the highest QoS [MQTT-3.3.4-2] */
	h->retain_as_published |= sub->options.retain_as_published;
	h->sequence |= (sub->options.flags & SUB_SEQUENCE) != 0;
	if (sub->options.identifier && h->n_ids < HIT_IDS)
		h->ids[h->n_ids++] = sub->options.identifier; /* [MQTT-3.3.4-3], [MQTT-3.3.4-4] */
}

/* Fills t->hits. only: NULL, or the one session asked about; replay: only its subscriptions to the
 * past. */
static void match(struct sessions *t, const struct record *r, const struct session *only,
                  bool replay)
{
	t->n_hits = 0;
	t->mark++;
	if (sub_tree_match(t->tree, r->topic, &t->matches))
		fatal("out of memory while matching subscriptions");
	for (size_t i = 0; i < t->matches.n; i++) {
		const struct sub *sub = t->matches.p[i];
		struct session *s = container_of(sub->owner, struct session, subs);
		if ((only && s != only) || (replay && !(sub->options.flags & SUB_REPLAY)))
			continue;
		if (sub->options.no_local &&
		    span_eq(s->client_id, r->publisher)) /* [MQTT-3.8.3-3] */
			continue;
		hit_add(t, s, sub);
	}
}

void sessions_record(struct sessions *t, struct feed *f, const struct record *r)
{
	if (sub_tree_stats(t->tree).subscriptions == 0)
		return;
	match(t, r, NULL, false);
	for (unsigned i = 0; i < t->n_hits; i++) {
		struct session *s = t->hits[i].session;
		if (s->state != SESSION_CONNECTED || (!list_empty(&s->lags) && lag_find(s, f)))
			continue;
		if (access_check(&s->who, ACCESS_SUBSCRIBE, f, r->thing))
			continue;
		if (deliver(s, &t->hits[i], r, f, false))
			continue;
		lag_after(s, f, 0, r->sequence - 1, 0);
	}
}

void deliver_own(struct sessions *t, const struct own_message *m)
{
	struct record r = {.topic = m->topic, .payload = m->payload, .flags = RECORD_RETAIN};
	match(t, &r, NULL, false);
	for (unsigned i = 0; i < t->n_hits; i++) {
		struct hit *h = &t->hits[i];
		h->sequence = false;
		if (h->session->state == SESSION_CONNECTED && m->wants(h->session, m->arg) &&
		    !deliver(h->session, h, &r, NULL, m->retain))
			t->stats.own_dropped++;
	}
}

/* ---- behind ---- */

struct lag *lag_find(const struct session *s, const struct feed *f)
{
	list_for_each (it, &s->lags) {
		struct lag *l = list_entry(it, struct lag, node);
		if (l->cursor.feed == f)
			return l;
	}
	return NULL;
}

static void lag_free(struct lag *l)
{
	cursor_close(&l->cursor);
	list_remove(&l->node);
	free(l);
}

void lags_close(struct session *s)
{
	list_for_each_safe (it, &s->lags)
		lag_free(list_entry(it, struct lag, node));
}

static void lag_pump(struct lag *l);

static void lag_wake(struct cursor *c)
{
	struct lag *l = c->owner;
	lag_pump(l);
}

static struct lag *lag_new(struct session *s, uint64_t live_from)
{
	struct lag *l = xcalloc(1, sizeof(*l));
	l->session = s;
	l->live_from = live_from;
	list_init(&l->node);
	list_append(&s->lags, &l->node);
	return l;
}

static void lag_begin(struct lag *l)
{
	l->cursor.wake = lag_wake;
	l->cursor.owner = l;
}

void lag_after(struct session *s, struct feed *f, uint32_t epoch, uint64_t after,
               uint64_t live_from)
{
	struct lag *l = lag_new(s, live_from);
	cursor_open_after(&l->cursor, s->table->hub, f, epoch, after);
	lag_begin(l);
}

void lag_since(struct session *s, struct feed *f, int64_t since_ms, uint64_t live_from)
{
	struct lag *l = lag_new(s, live_from);
	cursor_open_since(&l->cursor, s->table->hub, f, since_ms);
	lag_begin(l);
}

/* False: the session cannot take it now. */
static bool lag_record(struct lag *l, const struct record *r)
{
	struct session *s = l->session;
	struct sessions *t = s->table;
	match(t, r, s, r->sequence < l->live_from);
	return t->n_hits == 0 || deliver(s, &t->hits[0], r, l->cursor.feed, false);
}

static bool lag_gap(struct lag *l)
{
	struct session *s = l->session;
	if (s->version != MQTT_V5) { /* it cannot be told otherwise */
		session_close(s, MQTT_UNSPECIFIED_ERROR,
		              "the log no longer has what it was behind with");
		return false;
	}
	s->gap_feed = l->cursor.feed;
	s->gap_from = l->cursor.gap_from;
	s->gap_to = l->cursor.gap_to;
	return true;
}

static void lag_pump(struct lag *l)
{
	struct record r;
	if (l->pumping)
		return;
	l->pumping = true;
	while (link_backlog(l->session->link) < LIMIT_SEND_BUFFER_BYTES) {
		switch (cursor_next(&l->cursor, &r)) {
		case CURSOR_RECORD:
			if (lag_record(l, &r))
				continue;
			l->cursor.next--; /* again when there is room */
			l->pumping = false;
			return;
		case CURSOR_GAP:
			if (lag_gap(l))
				continue;
			return; /* the session is closed, and this with it */
		case CURSOR_HEAD:
		case CURSOR_ENDED: lag_free(l); return;
		case CURSOR_WAIT: l->pumping = false; return;
		case CURSOR_ERROR:
			session_close(l->session, MQTT_IMPLEMENTATION_SPECIFIC_ERROR,
			              "its backlog cannot be read");
			return;
		}
	}
	l->pumping = false;
}

void deliver_pump(struct session *s)
{
	if (!retained_pump(s))
		return;
	list_for_each_safe (it, &s->lags) {
		lag_pump(list_entry(it, struct lag, node));
		if (s->state == SESSION_DEAD)
			return;
	}
}

/* ---- acknowledgements of what we sent ---- */

int on_ack(struct session *s, const struct frame *f)
{
	struct mqtt_ack_view v;
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	if (mqtt_decode_ack(s->version, f, &v, &reason)) {
		session_close(s, reason, "bad %s", mqtt_type_name(frame_type(f)));
		return 0;
	}
	switch (frame_type(f)) {
	case MQTT_PUBACK: (void)out_release(s, v.packet_id, OUT_PUBACK, OUT_FREE); break;
	case MQTT_PUBCOMP: (void)out_release(s, v.packet_id, OUT_PUBCOMP, OUT_FREE); break;
	default: { /* PUBREC */
		bool refused = mqtt_reason_is_error(v.reason);
		bool known =
		    out_release(s, v.packet_id, OUT_PUBREC, refused ? OUT_FREE : OUT_PUBCOMP);
		if (refused)
			break;
		known = known || (v.packet_id <= s->out_max && s->out_state &&
		                  s->out_state[v.packet_id] == OUT_PUBCOMP);
		struct wire w = link_wire(s->link, 16);
		mqtt_encode_ack_text(&w, s->version, MQTT_PUBREL, v.packet_id,
		                     known ? MQTT_SUCCESS : MQTT_PACKET_IDENTIFIER_NOT_FOUND,
		                     (struct span){0}, s->max_packet_out);
		link_sent(s->link, &w); /* [MQTT-4.3.3-4] */
		break;
	}
	}
	if (!list_empty(&s->lags) || !list_empty(&s->retained))
		deliver_pump(s);
	return 0;
}
