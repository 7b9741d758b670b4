/* on_subscribe.c - SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0, 3.8-3.11), and subscriptions that begin in
 * the past (user properties oudp-after, oudp-since, oudp-sequence: oudp-mqtt(7)). */
#include "base/mem.h"
#include "base/rfc3339.h"
#include "feed/event.h"
#include "session/private.h"
#include "topic/route.h"

#include <stdlib.h>

enum { CODES_MAX = LIMIT_SUBSCRIPTIONS };

/* ---- which feeds a filter touches ---- */

static bool feed_touches(const struct feed *f, struct span filter)
{
	for (char **tp = f->conf->topics; tp && *tp; tp++) {
		char own[LIMIT_TOPIC_BYTES];
		struct span template = span_str(*tp);
		if (template.n > sizeof(own))
			continue;
		size_t n = route_template_filter(template, own);
		if (topic_filters_intersect(span_of(own, n), filter))
			return true;
	}
	return false;
}

/* Allowed when the identity may subscribe to at least one feed that the filter touches, or it
 * touches none. */
static bool may_subscribe(const struct session *s, struct span filter)
{
	const struct hub *h = s->table->hub;
	bool touched = false;
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		struct feed *f = hub_feed_at(h, i);
		if (f->ended || !feed_touches(f, filter))
			continue;
		touched = true;
		if (access_check(&s->who, ACCESS_SUBSCRIBE, f, (struct span){0}) == 0)
			return true;
	}
	return !touched;
}

/* ---- the past ---- */

static bool may_replay(const struct session *s, const struct feed *f, struct span filter)
{
	return !f->ended && feed_touches(f, filter) && !lag_find(s, f);
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
		lag_after(s, f, epoch, after, f->last + 1);
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

static enum mqtt_reason subscribe_one(struct session *s, const struct mqtt_subscribe_view *v,
                                      const struct mqtt_subscription *one, struct want *ret)
{
	struct sessions *t = s->table;
	struct topic_filter tf;
	if (topic_filter_check(one->filter, true, &tf))
		return MQTT_TOPIC_FILTER_INVALID;
	if (tf.group.n)
		return MQTT_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
	if (!may_subscribe(s, tf.filter) || !system_may_subscribe(s, tf.filter))
		return MQTT_NOT_AUTHORIZED;
	if (s->subs.n >= LIMIT_SUBSCRIPTIONS && !sub_tree_find(t->tree, &s->subs, tf.filter))
		return MQTT_QUOTA_EXCEEDED;
	if (s->n_lookups >= LIMIT_RETAINED_LOOKUPS) /* it asks faster than it reads */
		return MQTT_QUOTA_EXCEEDED;
	struct span asks;
	struct sub_options o = {.identifier = v->props.subscription_id,
	                        .qos = one->qos,
	                        .retain_handling = one->retain_handling,
	                        .no_local = one->no_local,
	                        .retain_as_published = one->retain_as_published};
	bool past = v->v5 && asks_past(&v->props);
	if (past || (v->v5 && mqtt_props_find_user(&v->props, "oudp-sequence", &asks) &&
	             span_is(asks, "1")))
		o.flags |= SUB_SEQUENCE;
	if (past)
		o.flags |= SUB_REPLAY;
	bool is_new;
	if (sub_tree_add(t->tree, &s->subs, tf.filter, &o, &ret->sub,
	                 &is_new)) /* replaces [MQTT-3.8.4-3] */
		return MQTT_UNSPECIFIED_ERROR;
	ret->filter = tf.filter;
	ret->retained =
	    !past && (one->retain_handling == 0 || (one->retain_handling == 1 && is_new));
	return (enum mqtt_reason)one->qos;
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
	struct wire w = link_wire(s->link, n + 16);
	mqtt_encode_suback(&w, s->version, v.packet_id, span_of((const char *)codes, n), NULL);
	link_sent(s->link, &w); /* [MQTT-3.8.4-1] */
	for (unsigned i = 0; i < n; i++) {
		if (codes[i] > 2)
			continue;
		if (want[i].filter.p[0] == '$') {
			system_subscribed(s, want[i].filter, want[i].retained);
			continue;
		}
		if (want[i].sub->options.flags & SUB_REPLAY)
			start_replays(s, &v.props, want[i].filter);
		if (want[i].retained)
			retained_start(s, want[i].sub, want[i].filter);
	}
	free(want);
	deliver_pump(s);
	return 0;
}

int on_unsubscribe(struct session *s, const struct frame *f)
{
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
	uint8_t codes[CODES_MAX];
	struct span filter;
	size_t at = 0;
	unsigned n = 0;
	while (mqtt_unsubscribe_next(&v, &at, &filter)) {
		struct topic_filter tf;
		int err = topic_filter_check(filter, true, &tf);
		if (!err)
			err = sub_tree_remove(s->table->tree, &s->subs, filter);
		codes[n++] = err == 0               ? MQTT_SUCCESS
		             : err == ERR_NOT_FOUND ? MQTT_NO_SUBSCRIPTION_EXISTED
		                                    : MQTT_TOPIC_FILTER_INVALID;
	}
	struct wire w = link_wire(s->link, n + 16);
	mqtt_encode_unsuback(&w, s->version, v.packet_id, span_of((const char *)codes, n), NULL);
	link_sent(s->link, &w);
	return 0;
}
