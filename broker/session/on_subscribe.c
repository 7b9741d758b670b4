/* on_subscribe.c - SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0, 3.8-3.11), and subscriptions that begin in
 * the past (user properties oudp-after, oudp-since, oudp-sequence: oudp-mqtt(7)). */
#include "access/audit.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "feed/event.h"
#include "session/private.h"
#include "session/share.h"
#include "topic/route.h"

#include <stdlib.h>

enum { CODES_MAX = LIMIT_SUBSCRIPTIONS };

/* ---- which feeds a filter touches ---- */

static void tell(const struct session *s, const struct feed *f, const char *result)
{
	if (s->table->access)
		audit_seldom(access_audit(s->table->access), "subscribe", f->conf->name, result,
		             s->link->peer, s->who.name, span_str(s->who.organisation));
}

/* Allowed when the identity may subscribe to at least one feed that the filter touches, or it
 * touches none. */
static bool may_subscribe(const struct session *s, struct span filter)
{
	const struct hub *h = s->table->hub;
	bool touched = false, allowed = false;
	const struct feed *refused = NULL;
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		struct feed *f = hub_feed_at(h, i);
		if (f->ended || !feed_touches(f, filter))
			continue;
		touched = true;
		if (access_check(&s->who, ACCESS_SUBSCRIBE, f, (struct span){0}) == 0) {
			if (f->conf->personal_data)
				tell(s, f, "done");
			allowed = true;
		} else {
			refused = f;
		}
	}
	if (touched && !allowed && s->who.principal)
		tell(s, refused, "refused");
	return allowed || !touched;
}

/* ---- the past ---- */

static bool may_replay(const struct session *s, const struct feed *f, struct span filter)
{
	return !f->ended && feed_touches(f, filter) && !lag_find(s, f) &&
	       access_check(&s->who, ACCESS_SUBSCRIBE, f, (struct span){0}) == 0;
}

/* "feed:N" or "feed:EPOCH:N" */
static void replay_after(struct session *s, struct span value, struct span filter)
{
	const char *colon = value.n ? memchr(value.p, ':', value.n) : NULL;
	uint32_t epoch;
	uint64_t after;
	if (!colon)
		return;
	size_t n = (size_t)(colon - value.p);
	struct feed *f = hub_feed(s->table->hub, span_of(value.p, n));
	if (!f || event_parse_position(span_of(colon + 1, value.n - n - 1), &epoch, &after))
		return;
	if (may_replay(s, f, filter))
		(void)lag_after(s, f, epoch, after, f->last + 1);
}

static void replay_since(struct session *s, struct span value, struct span filter)
{
	int64_t ms;
	struct hub *h = s->table->hub;
	if (rfc3339_parse(value, &ms))
		return;
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		struct feed *f = hub_feed_at(h, i);
		if (may_replay(s, f, filter))
			lag_since(s, f, ms, f->last + 1);
	}
}

static bool asks_past(const struct mqtt_props *p)
{
	struct span v;
	return mqtt_props_find_user(p, "oudp-after", &v) ||
	       mqtt_props_find_user(p, "oudp-since", &v);
}

static void start_replays(struct session *s, const struct mqtt_props *p, struct span filter)
{
	size_t at = 0;
	struct span name, value;
	while (mqtt_props_next_user(p, &at, &name, &value)) {
		if (span_is(name, "oudp-after"))
			replay_after(s, value, filter);
		else if (span_is(name, "oudp-since"))
			replay_since(s, value, filter);
	}
}

/* ---- SUBSCRIBE ---- */

struct want { /* between the decision and SUBACK's way out */
	struct sub *sub;
	struct span filter;
	bool retained;
};

/* The number of its row: of the one it replaces, or the next. False: there were too many. */
static bool row_number(struct session *s, const struct sub_options *former, uint32_t *ret)
{
	if (former) {
		*ret = former->flags >> SUB_ROW_SHIFT;
		return true;
	}
	if (!session_subscriptions(s))
		s->next_row = 0;
	*ret = s->next_row;
	return s->next_row < SUB_ROWS_MAX;
}

static uint32_t wanted_flags(const struct mqtt_subscribe_view *v)
{
	struct span asks;
	bool past = v->v5 && asks_past(&v->props);
	if (past)
		return SUB_SEQUENCE | SUB_REPLAY;
	bool sequence =
	    v->v5 && mqtt_props_find_user(&v->props, "oudp-sequence", &asks) && span_is(asks, "1");
	return sequence ? SUB_SEQUENCE : 0;
}

/* Of a plain filter, or a shared one; NULL: it has none. */
static const struct sub_options *former_options(struct session *s, const struct topic_filter *tf)
{
	const struct member *m = tf->group.n ? share_member(s, tf) : NULL;
	const struct sub *sub =
	    tf->group.n ? NULL : sub_tree_find(s->table->tree, &s->subs, tf->filter);
	return m ? &m->options : sub ? &sub->options : NULL;
}

static bool has_room(const struct session *s, size_t cost)
{
	return session_subscriptions(s) < LIMIT_SUBSCRIPTIONS &&
	       s->table->sub_bytes + cost <= LIMIT_SUBSCRIPTION_BYTES;
}

/* Nothing retained and nothing of the past: the group has a place of its own. */
static enum mqtt_reason add_shared(struct session *s, const struct topic_filter *tf,
                                   struct span full, const struct sub_options *o, bool *ret_new)
{
	if (tf->filter.p[0] == '$') /* the server's own are told to each who asks */
		return MQTT_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
	if (o->flags & SUB_REPLAY)
		return MQTT_IMPLEMENTATION_SPECIFIC_ERROR;
	return share_subscribe(s, tf, full, o, ret_new);
}

static enum mqtt_reason add_plain(struct session *s, struct span filter,
                                  const struct sub_options *o, struct want *ret, bool *ret_new)
{
	if (s->n_lookups >= LIMIT_RETAINED_LOOKUPS) /* it asks faster than it reads */
		return MQTT_QUOTA_EXCEEDED;
	if (sub_tree_add(s->table->tree, &s->subs, filter, o, &ret->sub,
	                 ret_new)) /* replaces [MQTT-3.8.4-3] */
		return MQTT_UNSPECIFIED_ERROR;
	if (s->number) {
		durable_subscription(s, filter, o);
		if (o->qos)
			session_touch(s, filter);
	}
	ret->filter = filter;
	ret->retained = !(o->flags & SUB_REPLAY) &&
	                (o->retain_handling == 0 || (o->retain_handling == 1 && *ret_new));
	return (enum mqtt_reason)o->qos;
}

static enum mqtt_reason subscribe_one(struct session *s, const struct mqtt_subscribe_view *v,
                                      const struct mqtt_subscription *one, struct want *ret)
{
	struct sessions *t = s->table;
	struct topic_filter tf;
	uint32_t row;
	if (topic_filter_check(one->filter, true, &tf))
		return MQTT_TOPIC_FILTER_INVALID;
	if (!may_subscribe(s, tf.filter) || !system_may_subscribe(s, tf.filter))
		return MQTT_NOT_AUTHORIZED;
	enum mqtt_reason asks =
	    tf.group.n || !question_is(s, tf.filter) ? MQTT_SUCCESS : question_check(s, tf.filter);
	if (asks)
		return asks;
	const struct sub_options *former = former_options(s, &tf);
	size_t cost = one->filter.n + SUB_COST;
	if (!row_number(s, former, &row) || (!former && !has_room(s, cost)))
		return MQTT_QUOTA_EXCEEDED;
	struct sub_options o = {.identifier = v->props.subscription_id,
	                        .qos = one->qos,
	                        .retain_handling = one->retain_handling,
	                        .no_local = one->no_local,
	                        .retain_as_published = one->retain_as_published,
	                        .flags = wanted_flags(v) | row << SUB_ROW_SHIFT};
	bool is_new = false;
	enum mqtt_reason code = tf.group.n ? add_shared(s, &tf, one->filter, &o, &is_new)
	                                   : add_plain(s, tf.filter, &o, ret, &is_new);
	if (is_new && !mqtt_reason_is_error(code)) {
		s->next_row++;
		s->sub_bytes += cost;
		t->sub_bytes += cost;
	}
	return code;
}

/* ---- what waits for its commit: a subscription before SUBACK ---- */

struct pending {
	struct list node; /* session->pending */
	uint8_t *packet;  /* a copy, for what follows SUBACK */
	size_t n;
	uint64_t upto; /* the last commit when it came */
	unsigned codes_n;
	uint8_t codes[];
};

static void pending_free(struct pending *p)
{
	list_remove(&p->node);
	free(p->packet);
	free(p);
}

void pending_close(struct session *s)
{
	list_for_each_safe (it, &s->pending)
		pending_free(list_entry(it, struct pending, node));
}

/* False: too large for the client [MQTT-3.1.2-24], and the session is closed. */
static bool send_codes(struct session *s, enum mqtt_type type, uint16_t packet_id,
                       const uint8_t *codes, unsigned n)
{
	struct wire w = link_wire(s->link, n + 16);
	struct span c = span_of((const char *)codes, n);
	if (type == MQTT_SUBACK)
		mqtt_encode_suback(&w, s->version, packet_id, c, NULL); /* [MQTT-3.8.4-1] */
	else
		mqtt_encode_unsuback(&w, s->version, packet_id, c, NULL); /* [MQTT-3.10.4-4] */
	if (s->max_packet_out && w.len > s->max_packet_out) {
		session_close(s, MQTT_PACKET_TOO_LARGE, "%s is larger than its maximum packet size",
		              mqtt_type_name(type));
		return false;
	}
	link_sent(s->link, &w);
	return true;
}

/* SUBACK, then what the past and the retained messages have for each filter. */
static void subscribed(struct session *s, const struct mqtt_subscribe_view *v, const uint8_t *codes,
                       struct want *want, uint64_t upto)
{
	if (!send_codes(s, MQTT_SUBACK, v->packet_id, codes, v->n))
		return;
	for (unsigned i = 0; i < v->n; i++) {
		if (codes[i] > 2 || !want[i].sub)
			continue;
		if (want[i].filter.p[0] == '$') {
			system_subscribed(s, want[i].filter, want[i].retained);
			continue;
		}
		question_subscribed(s, want[i].filter);
		if (want[i].sub->options.flags & SUB_REPLAY)
			start_replays(s, &v->props, want[i].filter);
		if (want[i].retained)
			retained_start(s, want[i].sub, want[i].filter, upto);
	}
	deliver_pump(s);
}

/* From the copy: a filter may have been unsubscribed meanwhile, then nothing follows for it. */
static void subscribed_later(struct session *s, const struct frame *f, const struct pending *p)
{
	struct mqtt_subscribe_view v;
	struct mqtt_subscription one;
	struct topic_filter tf;
	enum mqtt_reason reason;
	size_t at = 0;
	int err = mqtt_decode_subscribe(s->version, f, &v, &reason);
	assert(!err); /* it was decoded before */
	const uint8_t *codes = p->codes, *retained = p->codes + p->codes_n;
	struct want *want = xcalloc(v.n, sizeof(*want));
	for (unsigned i = 0; mqtt_subscribe_next(&v, &at, &one); i++) {
		if (codes[i] > 2 || topic_filter_check(one.filter, true, &tf) || tf.group.n)
			continue;
		want[i].filter = tf.filter;
		want[i].sub = sub_tree_find(s->table->tree, &s->subs, tf.filter);
		want[i].retained = want[i].sub && retained[i];
	}
	subscribed(s, &v, codes, want, p->upto);
	free(want);
}

static void subscribe_committed(const struct answer *a, int err)
{
	struct session *s = session_by_token(a->owner, a->token);
	if (!s)
		return;
	if (err) {
		session_close(s, MQTT_QUOTA_EXCEEDED, "the store is full: subscribe again later");
		return;
	}
	struct pending *p = list_entry(s->pending.next, struct pending, node);
	assert(&p->node != &s->pending);
	struct frame f;
	int bad = frame_next(p->packet, p->n, (uint32_t)p->n, &f);
	assert(!bad);
	list_remove(&p->node); /* the session may be closed on the way */
	subscribed_later(s, &f, p);
	pending_free(p);
}

static void wait_for_commit(struct session *s, const struct frame *f, const uint8_t *codes,
                            const struct want *want, unsigned n)
{
	struct sessions *t = s->table;
	struct pending *p = xcalloc(1, sizeof(*p) + 2 * n);
	p->codes_n = n;
	p->upto = hub_last_commit(t->hub);
	memcpy(p->codes, codes, n);
	for (unsigned i = 0; i < n; i++)
		p->codes[n + i] = codes[i] <= 2 && want[i].retained;
	p->n = f->total;
	p->packet = xmalloc(p->n);
	memcpy(p->packet, f->body - (f->total - f->body_len), p->n);
	list_append(&s->pending, &p->node);
	durable_session(s); /* from here on it is owed what the new filters take */
	struct answer a = {.done = subscribe_committed, .owner = t, .token = session_token(s)};
	hub_answer(t->hub, &a);
}

/* ---- SUBSCRIBE ---- */

/* Rows of a packet's filters, and the session's. */
static bool rows_room(struct session *s, const struct frame *f, unsigned n, unsigned n_shared)
{
	return !s->number || hub_has_room(s->table->hub, CONFIG_NORMAL,
	                                  DURABLE_ROW_BYTES + f->total + (size_t)n * 64 +
	                                      n_shared * share_subscribe_bytes(s->table));
}

static bool is_shared(struct span filter)
{
	struct topic_filter tf;
	return topic_filter_check(filter, true, &tf) == 0 && tf.group.n;
}

static unsigned count_shared(const struct mqtt_subscribe_view *v)
{
	struct mqtt_subscription one;
	size_t at = 0;
	unsigned n = 0;
	while (mqtt_subscribe_next(v, &at, &one))
		n += is_shared(one.filter);
	return n;
}

int on_subscribe(struct session *s, const struct frame *f)
{
	struct mqtt_subscribe_view v;
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	if (mqtt_decode_subscribe(s->version, f, &v, &reason)) {
		session_close(s, reason, "bad SUBSCRIBE");
		return 0;
	}
	if (v.n > CODES_MAX) {
		session_close(s, MQTT_QUOTA_EXCEEDED, "more than %d filters in one SUBSCRIBE",
		              CODES_MAX);
		return 0;
	}
	if (!rows_room(s, f, v.n, count_shared(&v)))
		return ERR_AGAIN;
	herd_leave_all(s);
	uint8_t codes[CODES_MAX];
	struct want *want = xcalloc(v.n, sizeof(*want));
	struct mqtt_subscription one;
	size_t at = 0;
	unsigned n = 0;
	while (mqtt_subscribe_next(&v, &at, &one)) {
		codes[n] = (uint8_t)subscribe_one(s, &v, &one, &want[n]);
		n++;
	}
	assert(n == v.n);
	if (s->number)
		wait_for_commit(s, f, codes, want, n);
	else
		subscribed(s, &v, codes, want, hub_last_commit(s->table->hub));
	free(want);
	return 0;
}

/* ---- UNSUBSCRIBE ---- */

static enum mqtt_reason unsubscribe_one(struct session *s, struct span filter)
{
	struct sessions *t = s->table;
	struct topic_filter tf;
	if (topic_filter_check(filter, true, &tf))
		return MQTT_TOPIC_FILTER_INVALID;
	struct member *m = tf.group.n ? share_member(s, &tf) : NULL;
	struct sub *sub = tf.group.n ? NULL : sub_tree_find(t->tree, &s->subs, filter);
	if (!sub && !m) /* [MQTT-3.10.4-1] */
		return MQTT_NO_SUBSCRIPTION_EXISTED;
	if (s->number)
		durable_unsubscribed(s, (sub ? sub->options : m->options).flags >> SUB_ROW_SHIFT);
	if (sub) {
		question_unsubscribed(s, filter);
		sub_tree_remove_sub(t->tree, sub);
	} else {
		share_member_free(m);
	}
	s->sub_bytes -= filter.n + SUB_COST;
	t->sub_bytes -= filter.n + SUB_COST;
	return MQTT_SUCCESS;
}

/* reason: the codes; sequence: how many */
static void unsubscribe_committed(const struct answer *a, int err)
{
	struct session *s = session_by_token(a->owner, a->token);
	if (!s)
		return;
	if (err)
		session_close(s, MQTT_QUOTA_EXCEEDED, "the store is full: unsubscribe again later");
	else
		(void)send_codes(s, MQTT_UNSUBACK, a->packet_id, (const uint8_t *)a->reason,
		                 (unsigned)a->sequence);
}

int on_unsubscribe(struct session *s, const struct frame *f)
{
	struct sessions *t = s->table;
	struct mqtt_unsubscribe_view v;
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	if (mqtt_decode_unsubscribe(s->version, f, &v, &reason)) {
		session_close(s, reason, "bad UNSUBSCRIBE");
		return 0;
	}
	if (v.n > CODES_MAX) {
		session_close(s, MQTT_QUOTA_EXCEEDED, "more than %d filters in one UNSUBSCRIBE",
		              CODES_MAX);
		return 0;
	}
	if (!rows_room(s, f, v.n, 0))
		return ERR_AGAIN;
	herd_leave_all(s);
	uint8_t codes[CODES_MAX];
	struct span filter;
	size_t at = 0;
	unsigned n = 0;
	while (mqtt_unsubscribe_next(&v, &at, &filter))
		codes[n++] = (uint8_t)unsubscribe_one(s, filter);
	if (!s->number) {
		(void)send_codes(s, MQTT_UNSUBACK, v.packet_id, codes, n);
		return 0;
	}
	struct answer a = {.done = unsubscribe_committed,
	                   .owner = t,
	                   .token = session_token(s),
	                   .sequence = n,
	                   .packet_id = v.packet_id,
	                   .reason = hub_text(t->hub, span_of((const char *)codes, n))};
	hub_answer(t->hub, &a);
	return 0;
}
