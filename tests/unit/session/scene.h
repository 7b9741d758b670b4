/* scene.h - what session scenarios say and hear: packets of a test's client over
 * tests/unit/broker.h. Included by one .c per test program. */
#ifndef TESTS_UNIT_SESSION_SCENE_H
#define TESTS_UNIT_SESSION_SCENE_H

#include "unit/broker.h"

#include "base/limits.h"

static const char scene_conf[] =
    "feed \"a\" { topics = { \"a/#\" } schemas = { \"any\" } duplicates = keep }\n"
    "feed \"b\" { topics = { \"b/#\" } schemas = { \"any\" } duplicates = keep }\n";

struct heard {
	enum mqtt_type type;
	unsigned reason; /* of an answer, of DISCONNECT, of CONNACK */
	unsigned qos, id, n_subids;
	uint32_t subids[8], expiry_s, session_expiry;
	bool dup, retain, session_present, has_session_expiry;
	char text[64];  /* payload, or reason string */
	char topic[64]; /* of a PUBLISH */
	char gap[64];   /* user property oudp-gap, the first */
};

static inline void note_props(const struct mqtt_props *p, struct heard *h)
{
	struct span v;
	size_t at = 0;
	uint32_t id;
	if (mqtt_props_find_user(p, "oudp-gap", &v))
		snprintf(h->gap, sizeof(h->gap), "%.*s", (int)v.n, v.p);
	while (h->n_subids < 8 && mqtt_props_next_subscription_id(p, &at, &id))
		h->subids[h->n_subids++] = id;
}

/* The next packet this client got and the test has not heard yet. */
struct ear {
	struct client *c;
	enum mqtt_version v;
	size_t at;
};

static inline bool hear(struct ear *e, struct heard *h)
{
	struct frame f;
	enum mqtt_reason reason = MQTT_SUCCESS;
	int err = 0;
	*h = (struct heard){0};
	if (!client_next(e->c, &e->at, &f))
		return false;
	h->type = frame_type(&f);
	switch (h->type) {
	case MQTT_CONNACK: {
		struct mqtt_connack_view v;
		err = mqtt_decode_connack(e->v, &f, &v, &reason);
		h->reason = (unsigned)v.reason;
		h->session_present = v.session_present;
		h->has_session_expiry = mqtt_props_has(&v.props, MQTT_PROP_SESSION_EXPIRY);
		h->session_expiry = v.props.session_expiry_s;
		note_props(&v.props, h);
		break;
	}
	case MQTT_PUBLISH: {
		struct mqtt_publish_view v;
		err = mqtt_decode_publish_server(e->v, &f, &v, &reason);
		h->qos = v.qos;
		h->id = v.packet_id;
		h->dup = v.dup;
		h->retain = v.retain;
		h->expiry_s = v.props.message_expiry_s;
		snprintf(h->text, sizeof(h->text), "%.*s", (int)v.payload.n, v.payload.p);
		snprintf(h->topic, sizeof(h->topic), "%.*s", (int)v.topic.n, v.topic.p);
		note_props(&v.props, h);
		break;
	}
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP: {
		struct mqtt_ack_view v;
		err = mqtt_decode_ack(e->v, &f, &v, &reason);
		h->id = v.packet_id;
		h->reason = (unsigned)v.reason;
		break;
	}
	case MQTT_SUBACK:
	case MQTT_UNSUBACK: {
		struct mqtt_suback_view v;
		err = h->type == MQTT_SUBACK ? mqtt_decode_suback(e->v, &f, &v, &reason)
		                             : mqtt_decode_unsuback(e->v, &f, &v, &reason);
		h->id = v.packet_id;
		h->reason = v.codes.n ? (uint8_t)v.codes.p[0] : 0;
		break;
	}
	case MQTT_DISCONNECT: {
		struct mqtt_disconnect_view v;
		err = mqtt_decode_disconnect_server(e->v, &f, &v, &reason);
		h->reason = (unsigned)v.reason;
		break;
	}
	default: break;
	}
	assert(!err);
	return true;
}

/* Forgets what was heard. */
static inline void ear_clear(struct ear *e)
{
	client_clear(e->c);
	e->at = 0;
}

struct wish {
	const char *id;
	enum mqtt_version v;
	bool clean;
	uint32_t expiry_s; /* MQTT 5 */
	unsigned receive_max;
	const char *will; /* payload; topic a/will, QoS 1 */
	uint32_t will_delay_s;
};

/* Connects; the CONNACK is in *ret when it has come (a commit may be needed). */
static inline void come(struct ear *e, struct client *c, struct broker *b, const struct wish *w)
{
	uint8_t mem[512];
	struct wire wire = wire_of(mem, sizeof(mem));
	struct mqtt_connect_view v = {.version = w->v ? w->v : MQTT_V5,
	                              .clean_start = w->clean,
	                              .client_id = span_str(w->id)};
	if (w->expiry_s) {
		v.props.has |= MQTT_HAS(MQTT_PROP_SESSION_EXPIRY);
		v.props.session_expiry_s = w->expiry_s;
	}
	if (w->receive_max) {
		v.props.has |= MQTT_HAS(MQTT_PROP_RECEIVE_MAXIMUM);
		v.props.receive_maximum = (uint16_t)w->receive_max;
	}
	if (w->will) {
		v.has_will = true;
		v.will_qos = 1;
		v.will_topic = SPAN("a/will");
		v.will_payload = span_str(w->will);
		if (w->will_delay_s) {
			v.will_props.has |= MQTT_HAS(MQTT_PROP_WILL_DELAY);
			v.will_props.will_delay_s = w->will_delay_s;
		}
	}
	client_open(c, b);
	*e = (struct ear){c, v.version, 0};
	mqtt_encode_connect(&wire, &v);
	client_send(c, &wire);
}

/* The same, and the turn that commits it; gives the CONNACK. */
static inline struct heard arrive(struct ear *e, struct client *c, struct broker *b,
                                  const struct wish *w)
{
	struct heard h;
	come(e, c, b, w);
	broker_turn(b);
	assert(hear(e, &h) && h.type == MQTT_CONNACK);
	return h;
}

static inline void say_disconnect(struct ear *e, unsigned reason, int64_t expiry_s)
{
	uint8_t mem[32];
	struct wire w = wire_of(mem, sizeof(mem));
	struct mqtt_props p = {0};
	if (expiry_s >= 0) {
		p.has = MQTT_HAS(MQTT_PROP_SESSION_EXPIRY);
		p.session_expiry_s = (uint32_t)expiry_s;
	}
	mqtt_encode_disconnect(&w, e->v, (enum mqtt_reason)reason, &p);
	client_send(e->c, &w);
}

static inline void say_subscribe(struct ear *e, const char *filter, unsigned qos, uint32_t subid)
{
	uint8_t mem[512];
	struct wire w = wire_of(mem, sizeof(mem));
	struct mqtt_subscription s = {.filter = span_str(filter), .qos = (uint8_t)qos};
	struct mqtt_props p = {0};
	uint8_t raw[8];
	if (subid) { /* as it stands in a property section */
		struct wire r = wire_of(raw, sizeof(raw));
		wire_u8(&r, MQTT_PROP_SUBSCRIPTION_ID);
		wire_varint(&r, subid);
		p.raw = span_of((const char *)raw, r.len);
		p.n_subscription_ids = 1;
		p.has = MQTT_HAS(MQTT_PROP_SUBSCRIPTION_ID);
		p.subscription_id = subid;
	}
	mqtt_encode_subscribe(&w, e->v, 1, &s, 1, &p);
	client_send(e->c, &w);
}

static inline void say_unsubscribe(struct ear *e, const char *filter)
{
	uint8_t mem[512];
	struct wire w = wire_of(mem, sizeof(mem));
	struct span s = span_str(filter);
	mqtt_encode_unsubscribe(&w, e->v, 2, &s, 1, NULL);
	client_send(e->c, &w);
}

static inline void say_ack(struct ear *e, enum mqtt_type type, unsigned id, unsigned reason)
{
	uint8_t mem[16];
	struct wire w = wire_of(mem, sizeof(mem));
	mqtt_encode_ack_text(&w, e->v, type, (uint16_t)id, (enum mqtt_reason)reason,
	                     (struct span){0}, 0);
	client_send(e->c, &w);
}

static inline void say_publish(struct ear *e, const char *topic, const char *payload, unsigned qos,
                               unsigned id, bool dup)
{
	client_publish_as(e->c, e->v, topic, payload, qos, (uint16_t)id, dup);
}

/* The next packet is of this type. */
static inline struct heard must(struct ear *e, enum mqtt_type type)
{
	struct heard h;
	if (!hear(e, &h) || h.type != type) {
		fprintf(stderr, "wanted %s, heard %s\n", mqtt_type_name(type),
		        h.type ? mqtt_type_name(h.type) : "nothing");
		abort();
	}
	return h;
}

static inline bool quiet(struct ear *e)
{
	struct heard h;
	if (!hear(e, &h))
		return true;
	fprintf(stderr, "wanted nothing, heard %s %s\n", mqtt_type_name(h.type), h.text);
	return false;
}

/* The client is lost without a word. */
static inline void lose(struct ear *e)
{
	client_done(e->c);
	broker_turn(e->c->broker);
}

static inline void seconds(struct broker *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		clock_advance(&b->clock, 1000);
		sessions_second(b->sessions);
		broker_turn(b);
	}
}

/* A publisher that says a/NAME = payload at QoS 1 or 2 and is answered, then leaves. */
static inline void somebody_publishes(struct broker *b, const char *topic, const char *payload,
                                      unsigned qos)
{
	struct client c;
	struct ear e;
	arrive(&e, &c, b, &(struct wish){.id = "somebody", .clean = true});
	say_publish(&e, topic, payload, qos, qos ? 1 : 0, false);
	broker_turn(b);
	if (qos) {
		struct heard h = must(&e, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC);
		assert(h.reason == 0);
	}
	lose(&e);
}

#endif
