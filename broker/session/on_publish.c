/* on_publish.c - PUBLISH from a client, its answer after the commit, PUBREL
 * (MQTT 5.0, 3.3-3.7, 4.3).
 *
 * QoS 2, receiver's side: PUBLISH(id) -> admitted -> commit -> PUBREC; the id is known until PUBREL
 * -> PUBCOMP. A PUBLISH with a known id is the same message again: answered, not admitted
 * [MQTT-4.3.3-10]. */
#include "base/mem.h"
#include "session/private.h"

#include <stdlib.h>

enum { ANSWER_BYTES = 512, ROW_BYTES = 64 };

/* At most LIMIT_RECEIVE_MAXIMUM of them, mostly few: looked through. */
static unsigned qos2_at(const struct session *s, uint16_t id)
{
	unsigned i = 0;
	while (i < s->qos2_open && s->in_ids[i] != id)
		i++;
	return i;
}

static bool qos2_is_known(const struct session *s, uint16_t id)
{
	return qos2_at(s, id) < s->qos2_open;
}

void qos2_know(struct session *s, uint16_t id)
{
	if (s->qos2_open == s->cap_in) {
		s->cap_in = s->cap_in ? s->cap_in * 2 : 16;
		s->in_ids = xrealloc(s->in_ids, s->cap_in * sizeof(*s->in_ids));
	}
	s->in_ids[s->qos2_open++] = id;
}

static void qos2_forget(struct session *s, uint16_t id)
{
	unsigned i = qos2_at(s, id);
	if (i < s->qos2_open)
		s->in_ids[i] = s->in_ids[--s->qos2_open];
}

static enum mqtt_reason reason_of(enum verdict_code v)
{
	switch (v) {
	case VERDICT_REFUSED: return MQTT_PAYLOAD_FORMAT_INVALID;
	case VERDICT_UNROUTED: return MQTT_TOPIC_NAME_INVALID;
	case VERDICT_DENIED: return MQTT_NOT_AUTHORIZED;
	case VERDICT_QUOTA: return MQTT_QUOTA_EXCEEDED;
	case VERDICT_TOO_LARGE: return MQTT_PACKET_TOO_LARGE;
	case VERDICT_STORED:
	case VERDICT_DUPLICATE:
	case VERDICT_CLEARED: break;
	}
	return MQTT_SUCCESS;
}

/* The verdict table (oudp-mqtt(7)). The store could not commit: no answer, for a client may not
 * send again what was answered with 0x80 or more [MQTT-4.4.0-2]; it will when it has connected
 * anew. */
static void answered(const struct answer *a, int err)
{
	struct session *s = session_by_token(a->owner, a->token);
	if (err && a->qos == 2) { /* it never happened, whatever connection is there by now */
		struct session *of = session_of_token(a->owner, a->token);
		if (of)
			qos2_forget(of, a->packet_id);
	}
	if (!s || (err && a->qos == 0))
		return;
	if (err) {
		session_close(s, MQTT_QUOTA_EXCEEDED,
		              "the store is full: send again after connecting anew");
		return;
	}
	if (a->qos == 0) {
		system_verdict(s, a);
		return;
	}
	if (a->qos == 1) {
		assert(s->unanswered > 0);
		s->unanswered--;
	}
	enum mqtt_reason reason = reason_of((enum verdict_code)a->verdict);
	enum mqtt_type type = a->qos == 2 ? MQTT_PUBREC : MQTT_PUBACK;
	if (a->qos == 2 && mqtt_reason_is_error(reason) && s->version == MQTT_V5)
		s->unanswered--; /* [MQTT-4.3.3-9]: no PUBREL will come, its id was never known */
	struct wire w;
	if (likely(reason == MQTT_SUCCESS && !a->reason)) {
		w = link_wire(s->link, 4);
		mqtt_encode_ack_ok(&w, type, a->packet_id);
	} else {
		w = link_wire(s->link, ANSWER_BYTES);
		mqtt_encode_ack_text(&w, s->version, type, a->packet_id, reason,
		                     s->problem_info && a->reason ? span_str(a->reason)
		                                                  : (struct span){0},
		                     s->max_packet_out);
	}
	link_sent(s->link, &w);
	system_verdict(s, a);
}

/* The topic is legal, or that of its alias. False: the session was closed. */
static bool find_topic(struct session *s, struct mqtt_publish_view *v)
{
	if (v->topic.n && topic_name_check(v->topic)) {
		session_close(s, MQTT_TOPIC_NAME_INVALID,
		              "a topic is longer or deeper than is allowed");
		return false;
	}
	if (likely(!mqtt_props_has(&v->props, MQTT_PROP_TOPIC_ALIAS)))
		return true;
	switch (aliases_in(&s->aliases, v->props.topic_alias, &v->topic)) {
	case 0: return true;
	case ERR_NOT_FOUND:
		session_close(s, MQTT_PROTOCOL_ERROR, "a topic alias was used before it was set");
		return false;
	default:
		session_close(s, MQTT_TOPIC_ALIAS_INVALID, "a topic alias is above %d",
		              LIMIT_TOPIC_ALIASES); /* [MQTT-3.3.2-9] */
		return false;
	}
}

/* False: the session was closed. A QoS 2 id counts until its PUBREL, a QoS 1 one until its answer.
 */
static bool may_come(struct session *s, const struct mqtt_publish_view *v)
{
	if (v->qos && s->unanswered + s->qos2_open >= LIMIT_RECEIVE_MAXIMUM) { /* [MQTT-3.3.4-7] */
		session_close(s, MQTT_RECEIVE_MAXIMUM_EXCEEDED, "more than %d messages in flight",
		              LIMIT_RECEIVE_MAXIMUM);
		return false;
	}
	return true;
}

/* Nothing to admit: the answer waits its turn behind those before it [MQTT-4.6.0-2],
 * [MQTT-4.6.0-3]. */
static int answer_only(struct session *s, uint16_t packet_id, uint8_t qos)
{
	struct sessions *t = s->table;
	struct answer a = {.done = answered,
	                   .owner = t,
	                   .token = session_token(s),
	                   .packet_id = packet_id,
	                   .qos = qos,
	                   .verdict = VERDICT_STORED};
	if (!hub_has_room(t->hub, CONFIG_NORMAL, 0))
		return ERR_AGAIN;
	hub_answer(t->hub, &a);
	return 0;
}

/* A message that became none: the answer says why. */
static int refuse_only(struct session *s, const struct mqtt_publish_view *v)
{
	struct sessions *t = s->table;
	const struct session_observation *o = &t->observation;
	bool no_id = v->qos == 2 && s->version != MQTT_V5;
	t->stats.published++;
	if (!v->qos)
		return 0;
	if (!hub_has_room(t->hub, CONFIG_NORMAL, ANSWER_BYTES))
		return ERR_AGAIN;
	struct answer a = {.done = answered,
	                   .owner = t,
	                   .token = session_token(s),
	                   .packet_id = v->packet_id,
	                   .qos = v->qos,
	                   .feed = UINT32_MAX,
	                   .verdict = o->verdict,
	                   .reason = hub_text(t->hub, span_str(o->why))};
	hub_answer(t->hub, &a);
	if (no_id) /* 3.1.1 cannot be told: its PUBREL comes */
		qos2_know(s, v->packet_id);
	else
		s->unanswered++;
	return 0;
}

static int note_id(struct session *s, const struct mqtt_publish_view *v)
{
	if (v->qos == 1)
		s->unanswered++;
	else if (v->qos == 2)
		qos2_know(s, v->packet_id);
	return 0;
}

/* Those that came, behind those that the broker makes of an Observation: of two of one name the
 * first counts. */
static struct span kept_properties(struct sessions *t, const struct mqtt_publish_view *v,
                                   bool observation)
{
	const struct buf *own = &t->observation.properties;
	size_t n = 0;
	if (unlikely(observation) && own->len) {
		n = own->len;
		memcpy(t->scratch, own->p, n);
	}
	if (v->props.raw.n && n + v->props.raw.n <= LIMIT_USER_PROPERTIES_BYTES)
		n += mqtt_props_for_record(&v->props, t->scratch + n);
	return span_of((const char *)t->scratch, n);
}

int on_publish(struct session *s, const struct frame *f)
{
	struct sessions *t = s->table;
	struct mqtt_publish_view v;
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	if (mqtt_decode_publish(s->version, f, &v, &reason)) {
		session_close(s, reason, "bad PUBLISH");
		return 0;
	}
	if (!find_topic(s, &v))
		return 0;
	if (v.qos == 2 && qos2_is_known(s, v.packet_id))
		return answer_only(s, v.packet_id, 2);
	if (!may_come(s, &v))
		return 0;
	if (unlikely(system_is_bridge_state(v.topic))) {
		int err = v.qos ? answer_only(s, v.packet_id, v.qos) : 0;
		return err ? err : note_id(s, &v);
	}
	struct span topic = v.topic, payload = v.payload;
	bool observation = question_takes(s, topic);
	int err = unlikely(observation) ? question_publish(s, &topic, &payload) : 0;
	if (err)
		return err == ERR_AGAIN ? err : refuse_only(s, &v);
	struct span props = kept_properties(t, &v, observation);
	uint8_t verdict = VERDICT_STORED;
	struct span origin = {0}, behalf = {0};
	if (v.props.n_user) {
		mqtt_props_find_user(&v.props, "oudp-origin", &origin);
		mqtt_props_find_user(&v.props, "oudp-identity", &behalf);
	}
	if (v.qos == 2 && s->number && !hub_has_room(t->hub, CONFIG_NORMAL, ROW_BYTES))
		return ERR_AGAIN;
	struct ingest_message m = {
	    .who = &s->who,
	    .ret_verdict = &verdict,
	    .publisher = s->client_id,
	    .topic = topic,
	    .payload = payload,
	    .received_ms = observation ? t->observation.received_ms : 0,
	    .properties = props,
	    .expiry_s = v.props.message_expiry_s,
	    .qos = v.qos,
	    .protocol = s->version == MQTT_V5 ? QUARANTINE_MQTT5 : QUARANTINE_MQTT311,
	    .retain = v.retain && !observation,
	    .utf8 = v.props.payload_format == 1,
	    .no_answer = v.qos == 0 && !t->n_hear_verdicts,
	    .tell_topic = t->n_hear_verdicts > 0,
	    .origin = origin,
	    .behalf = behalf,
	    .answer = {.done = answered,
	               .owner = t,
	               .token = session_token(s),
	               .packet_id = v.packet_id,
	               .qos = v.qos},
	};
	err = ingest_publish(t->ingest, &m);
	if (err)
		return err;
	if (unlikely(verdict == VERDICT_TOO_LARGE)) { /* PUBACK has no reason for it */
		session_close(s, MQTT_PACKET_TOO_LARGE,
		              "a message is larger than its grant allows");
		return 0;
	}
	t->stats.published++;
	t->stats.published_bytes += v.payload.n;
	bool refused = s->version == MQTT_V5 && mqtt_reason_is_error(reason_of(verdict));
	if (v.qos == 1 || (v.qos == 2 && refused)) {
		s->unanswered++;
	} else if (v.qos == 2) {
		qos2_know(s, v.packet_id);
		if (s->number) /* in the transaction of its record */
			durable_in(s, v.packet_id, true);
	}
	return 0;
}

static void send_pubcomp(struct session *s, uint16_t id, bool known)
{
	struct wire w = link_wire(s->link, 16);
	mqtt_encode_ack_text(&w, s->version, MQTT_PUBCOMP, id,
	                     known ? MQTT_SUCCESS : MQTT_PACKET_IDENTIFIER_NOT_FOUND,
	                     (struct span){0}, s->max_packet_out);
	link_sent(s->link, &w); /* [MQTT-4.3.3-11] */
}

/* The id is forgotten on disk: only now may the client use it for another message. */
static void released(const struct answer *a, int err)
{
	struct session *of = session_of_token(a->owner, a->token);
	struct session *s = session_by_token(a->owner, a->token);
	if (err) {
		if (s)
			session_close(s, MQTT_QUOTA_EXCEEDED,
			              "the store is full: send again after connecting anew");
		return;
	}
	if (of)
		qos2_forget(of, a->packet_id);
	if (s)
		send_pubcomp(s, a->packet_id, true);
}

int on_pubrel(struct session *s, const struct frame *f)
{
	struct sessions *t = s->table;
	struct mqtt_ack_view v;
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	if (mqtt_decode_ack(s->version, f, &v, &reason)) {
		session_close(s, reason, "bad PUBREL");
		return 0;
	}
	bool known = qos2_is_known(s, v.packet_id);
	if (!known || !s->number) {
		if (known)
			qos2_forget(s, v.packet_id);
		send_pubcomp(s, v.packet_id, known);
		return 0;
	}
	if (!hub_has_room(t->hub, CONFIG_NORMAL, ROW_BYTES))
		return ERR_AGAIN;
	durable_in(s, v.packet_id, false);
	struct answer a = {
	    .done = released, .owner = t, .token = session_token(s), .packet_id = v.packet_id};
	hub_answer(t->hub, &a);
	return 0;
}
