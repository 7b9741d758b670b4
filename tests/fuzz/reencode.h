/* reencode.h - decodes any packet and encodes what was read. Used by the round-trip fuzzer and by
 * the packet vectors. */
#ifndef TEST_REENCODE_H
#define TEST_REENCODE_H

#include "mqtt/encode.h"
#include "mqtt/packet.h"

#include <stdlib.h>

enum side { FROM_CLIENT, FROM_SERVER };

struct any_view {
	enum mqtt_type type;
	union {
		struct mqtt_connect_view connect;
		struct mqtt_connack_view connack;
		struct mqtt_publish_view publish;
		struct mqtt_subscribe_view subscribe;
		struct mqtt_unsubscribe_view unsubscribe;
		struct mqtt_suback_view suback;
		struct mqtt_ack_view ack;
		struct mqtt_disconnect_view disconnect;
		struct mqtt_auth_view auth;
	};
};

static UNUSED int any_decode(enum mqtt_version version, enum side side, const struct frame *f,
                             struct any_view *v, enum mqtt_reason *ret)
{
	v->type = frame_type(f);
	switch (v->type) {
	case MQTT_CONNECT: return mqtt_decode_connect(f, &v->connect, ret);
	case MQTT_CONNACK: return mqtt_decode_connack(version, f, &v->connack, ret);
	case MQTT_PUBLISH:
		return side == FROM_CLIENT
		           ? mqtt_decode_publish(version, f, &v->publish, ret)
		           : mqtt_decode_publish_server(version, f, &v->publish, ret);
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP: return mqtt_decode_ack(version, f, &v->ack, ret);
	case MQTT_SUBSCRIBE: return mqtt_decode_subscribe(version, f, &v->subscribe, ret);
	case MQTT_SUBACK: return mqtt_decode_suback(version, f, &v->suback, ret);
	case MQTT_UNSUBSCRIBE: return mqtt_decode_unsubscribe(version, f, &v->unsubscribe, ret);
	case MQTT_UNSUBACK: return mqtt_decode_unsuback(version, f, &v->suback, ret);
	case MQTT_PINGREQ:
	case MQTT_PINGRESP: return mqtt_decode_ping(version, f, ret);
	case MQTT_DISCONNECT:
		return side == FROM_CLIENT
		           ? mqtt_decode_disconnect(version, f, &v->disconnect, ret)
		           : mqtt_decode_disconnect_server(version, f, &v->disconnect, ret);
	case MQTT_AUTH: return mqtt_decode_auth(version, f, &v->auth, ret);
	}
	*ret = MQTT_MALFORMED_PACKET; /* type 0 */
	return ERR_MALFORMED;
}

/* A PUBLISH goes the broker's way: through the stored properties. The two kinds of property that a
 * record does not keep are passed beside. */
static void publish_again(struct wire *w, enum mqtt_version version,
                          const struct mqtt_publish_view *v)
{
	uint8_t *stored = malloc(v->props.raw.n + 1);
	uint32_t *ids = calloc(v->props.n_subscription_ids + 1, sizeof(*ids));
	struct mqtt_publish_out out = {.topic = v->topic,
	                               .payload = v->payload,
	                               .packet_id = v->packet_id,
	                               .qos = v->qos,
	                               .dup = v->dup,
	                               .retain = v->retain,
	                               .topic_alias = v->props.topic_alias,
	                               .has_expiry =
	                                   mqtt_props_has(&v->props, MQTT_PROP_MESSAGE_EXPIRY),
	                               .expiry_s = v->props.message_expiry_s,
	                               .subscription_ids = ids};
	size_t at = 0, before = w->len, size;

	assert(stored && ids);
	out.stored = span_of((char *)stored, mqtt_props_for_record(&v->props, stored));
	while (mqtt_props_next_subscription_id(&v->props, &at, &ids[out.n_subscription_ids]))
		out.n_subscription_ids++;
	assert(out.n_subscription_ids == v->props.n_subscription_ids);
	size = mqtt_publish_size(version, &out);
	mqtt_encode_publish(w, version, &out);
	assert(w->err || w->len - before == size); /* the size said before is the size written */
	free(stored);
	free(ids);
}

static void subscribe_again(struct wire *w, enum mqtt_version version,
                            const struct mqtt_subscribe_view *v)
{
	struct mqtt_subscription *subs = calloc(v->n, sizeof(*subs));
	size_t at = 0, n = 0;

	assert(subs);
	while (n < v->n && mqtt_subscribe_next(v, &at, &subs[n]))
		n++;
	assert(n == v->n && at == v->filters.n);
	mqtt_encode_subscribe(w, version, v->packet_id, subs, n, &v->props);
	free(subs);
}

static void unsubscribe_again(struct wire *w, enum mqtt_version version,
                              const struct mqtt_unsubscribe_view *v)
{
	struct span *filters = calloc(v->n, sizeof(*filters));
	size_t at = 0, n = 0;

	assert(filters);
	while (n < v->n && mqtt_unsubscribe_next(v, &at, &filters[n]))
		n++;
	assert(n == v->n && at == v->filters.n);
	mqtt_encode_unsubscribe(w, version, v->packet_id, filters, n, &v->props);
	free(filters);
}

static UNUSED void any_encode(struct wire *w, enum mqtt_version version, const struct any_view *v)
{
	switch (v->type) {
	case MQTT_CONNECT: mqtt_encode_connect(w, &v->connect); break;
	case MQTT_CONNACK: {
		/* 3.1.1: codes above 5 are reserved and have no reason of their own */
		const struct mqtt_connack_view *c = &v->connack;

		mqtt_encode_connack(w, version, c->session_present, c->reason, &c->props);
		break;
	}
	case MQTT_PUBLISH: publish_again(w, version, &v->publish); break;
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP:
		mqtt_encode_ack(w, version, v->type, v->ack.packet_id, v->ack.reason,
		                &v->ack.props);
		break;
	case MQTT_SUBSCRIBE: subscribe_again(w, version, &v->subscribe); break;
	case MQTT_UNSUBSCRIBE: unsubscribe_again(w, version, &v->unsubscribe); break;
	case MQTT_SUBACK:
		mqtt_encode_suback(w, version, v->suback.packet_id, v->suback.codes,
		                   &v->suback.props);
		break;
	case MQTT_UNSUBACK:
		mqtt_encode_unsuback(w, version, v->suback.packet_id, v->suback.codes,
		                     &v->suback.props);
		break;
	case MQTT_PINGREQ: mqtt_encode_pingreq(w); break;
	case MQTT_PINGRESP: mqtt_encode_pingresp(w); break;
	case MQTT_DISCONNECT:
		mqtt_encode_disconnect(w, version, v->disconnect.reason, &v->disconnect.props);
		break;
	case MQTT_AUTH: mqtt_encode_auth(w, v->auth.reason, &v->auth.props); break;
	}
}

#endif
