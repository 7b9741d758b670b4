/* deliver.c - messages to subscribers. A live one gets each record when it is committed; one that
 * cannot take it now (window used up, socket full) falls behind: a cursor takes over and hands back
 * at the head. Nothing is queued for it. */
#include "base/mem.h"
#include "session/private.h"
#include "session/share.h"

#include <stdio.h>
#include <stdlib.h>

static bool can_take(struct session *s, unsigned qos)
{
	if (link_backlog(s->link) >= LIMIT_SEND_BUFFER_BYTES || out_behind(s))
		return false;
	return !qos || out_room(s);
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

/* m: what the caller knows of QoS, packet id and flags. 1, 0 or ERR_TOO_LARGE. */
static int send_publish(struct session *s, struct mqtt_publish_out *m, const struct hit *hit,
                        const struct record *r, const struct feed *f)
{
	uint8_t user[USER_BYTES];
	m->topic = r->topic;
	m->payload = r->payload;
	if (s->version == MQTT_V5) {
		m->stored = r->properties;
		m->subscription_ids = hit->ids;
		m->n_subscription_ids = hit->n_ids;
		if (r->expiry_s) {
			int64_t left = r->expiry_s - clock_wall_ms(hub_clock(s->table->hub)) / 1000;
			m->has_expiry = true;
			m->expiry_s = left > 0 ? (uint32_t)left : 0; /* [MQTT-3.3.2-6] */
		}
		if (hit->sequence || s->gap_feed)
			m->user = own_properties(s, hit, r, f, user);
	}
	bool known = false;
	if (s->alias_max_out) {
		m->topic_alias = aliases_out(&s->aliases, s->alias_max_out, r->topic, &known);
		if (known)
			m->topic = (struct span){0};
	}
	size_t size = mqtt_publish_size(s->version, m);
	if (!size || (s->max_packet_out &&
	              size > s->max_packet_out)) { /* [MQTT-3.1.2-24], [MQTT-3.1.2-25] */
		s->table->stats.dropped_large++;
		return ERR_TOO_LARGE;
	}
	struct wire w = link_wire(s->link, size);
	mqtt_encode_publish(&w, s->version, m);
	if (w.err)
		return 0;
	if (m->topic_alias && !known)
		aliases_sent(s->aliases, m->topic_alias, r->topic);
	s->table->stats.delivered++;
	s->table->stats.delivered_bytes += r->payload.n;
	link_sent(s->link, &w);
	return 1;
}

int deliver_now(struct session *s, const struct hit *hit, const struct record *r,
                const struct feed *f, bool retain)
{
	unsigned qos = MIN_OF((unsigned)hit->qos, record_qos(r)); /* [MQTT-3.8.4-8] */
	if (!can_take(s, qos))
		return 0;
	retain = retain || (hit->retain_as_published && (r->flags & RECORD_RETAIN));
	if (qos == 2 && s->number)
		return out_take_stored(s, f, r->sequence, retain, hit->flight);
	struct mqtt_publish_out m = {
	    .qos = (uint8_t)qos, .packet_id = qos ? out_next(s) : 0, .retain = retain};
	int sent = send_publish(s, &m, hit, r, f);
	if (sent == 1 && qos)
		out_take(s, qos, f, r->sequence, retain, hit->flight);
	return sent;
}

bool deliver_expired(const struct sessions *t, const struct record *r)
{
	return r->expiry_s && clock_wall_ms(hub_clock(t->hub)) / 1000 >= r->expiry_s;
}

bool deliver(struct session *s, const struct hit *hit, const struct record *r, const struct feed *f,
             bool retain)
{
	/* [MQTT-3.3.2-5]: expired is skipped, no gap */
	return deliver_expired(s->table, r) || deliver_now(s, hit, r, f, retain) != 0;
}

int deliver_entry(struct session *s, uint16_t id, const struct record *r, const struct feed *f)
{
	const struct out *o = &s->out[id];
	struct sessions *t = s->table;
	struct hit hit = {.session = s};
	if (o->flight) {
		hit = share_hit_of(s, o->flight);
	} else {
		deliver_match(t, r, s, false); /* for the subscription identifiers; it may have
		                                  unsubscribed since */
		if (t->n_hits)
			hit = t->hits[0];
	}
	struct mqtt_publish_out m = {
	    .qos = o->state == OUT_PUBACK ? 1 : 2,
	    .packet_id = id,
	    .retain = o->retain,
	    .dup = o->sent, /* [MQTT-3.3.1-1] */
	};
	return send_publish(s, &m, &hit, r, f);
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

static void match_begin(struct sessions *t, struct sub_tree *tree, const struct record *r)
{
	t->n_hits = 0;
	t->mark++;
	if (sub_tree_match(tree, r->topic, &t->matches))
		fatal("out of memory while matching subscriptions");
}

static bool is_own(const struct session *s, const struct sub *sub, const struct record *r)
{
	return sub->options.no_local && span_eq(s->client_id, r->publisher); /* [MQTT-3.8.3-3] */
}

void deliver_match(struct sessions *t, const struct record *r, const struct session *only,
                   bool replay)
{
	match_begin(t, t->tree, r);
	for (size_t i = 0; i < t->matches.n; i++) {
		const struct sub *sub = t->matches.p[i];
		struct session *s = container_of(sub->owner, struct session, subs);
		if ((only && s != only) || (replay && !(sub->options.flags & SUB_REPLAY)))
			continue;
		if (!is_own(s, sub, r))
			hit_add(t, s, sub);
	}
}

void deliver_match_herd(struct sessions *t, const struct record *r)
{
	match_begin(t, t->herd, r);
	for (size_t i = 0; i < t->matches.n; i++) {
		const struct sub *sub = t->matches.p[i];
		struct session *s = container_of(sub->owner, struct session, herd);
		if (!is_own(s, sub, r))
			hit_add(t, s, sub);
	}
}

void sessions_record(struct sessions *t, struct feed *f, const struct record *r)
{
	if (likely(f->index < t->n_shown))
		t->shown[f->index] = r->sequence;
	t->moved = true;
	if (sub_tree_stats(t->shared).subscriptions)
		share_record(t, f, r);
	if (sub_tree_stats(t->tree).subscriptions == 0)
		return;
	deliver_match(t, r, NULL, false);
	for (unsigned i = 0; i < t->n_hits; i++) {
		struct session *s = t->hits[i].session;
		if (s->state != SESSION_CONNECTED || (!list_empty(&s->lags) && lag_find(s, f)))
			continue;
		if (access_covers_record(&s->who, ACCESS_SUBSCRIBE, f, r))
			continue;
		if (deliver(s, &t->hits[i], r, f, false))
			continue;
		lag_after(s, f, 0, r->sequence - 1, 0);
	}
}

void deliver_own(struct sessions *t, const struct own_message *m)
{
	struct record r = {.topic = m->topic, .payload = m->payload, .flags = RECORD_RETAIN};
	deliver_match(t, &r, NULL, false);
	for (unsigned i = 0; i < t->n_hits; i++) {
		struct hit *h = &t->hits[i];
		h->sequence = false;
		if (h->session->state == SESSION_CONNECTED && m->wants(h->session, m->arg) &&
		    !deliver(h->session, h, &r, NULL, m->retain))
			t->stats.own_dropped++;
	}
}
