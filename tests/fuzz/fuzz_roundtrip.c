/* fuzz_roundtrip - what was decoded and encoded decodes to the same, and encodes to the same bytes.
 * Input as fuzz_decode's. */
#include "reencode.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void same_props(const struct mqtt_props *a, const struct mqtt_props *b)
{
	struct mqtt_props x = *a, y = *b;
	struct span name_a, value_a, name_b, value_b, *spans_x = &x.content_type,
	                                              *spans_y = &y.content_type;
	size_t at_a = 0, at_b = 0;
	uint32_t id_a, id_b;

	while (mqtt_props_next_user(a, &at_a, &name_a, &value_a)) {
		assert(mqtt_props_next_user(b, &at_b, &name_b, &value_b));
		assert(span_eq(name_a, name_b) && span_eq(value_a, value_b));
	}
	at_a = at_b = 0;
	while (mqtt_props_next_subscription_id(a, &at_a, &id_a)) {
		assert(mqtt_props_next_subscription_id(b, &at_b, &id_b));
		assert(id_a == id_b);
	}
	/* the values that stand once: spans by content, then all numbers at once */
	for (; spans_x <= &x.reason_string; spans_x++, spans_y++) {
		assert(span_eq(*spans_x, *spans_y));
		*spans_x = *spans_y = (struct span){0};
	}
	assert(memcmp(&x, &y, offsetof(struct mqtt_props, shared_available) + 1) == 0);
}

static void same_connect(const struct mqtt_connect_view *a, const struct mqtt_connect_view *b)
{
	assert(a->version == b->version && a->clean_start == b->clean_start);
	assert(a->has_will == b->has_will && a->will_retain == b->will_retain);
	assert(a->will_qos == b->will_qos && a->keep_alive_s == b->keep_alive_s);
	assert(a->has_user_name == b->has_user_name && a->has_password == b->has_password);
	assert(span_eq(a->client_id, b->client_id) && span_eq(a->will_topic, b->will_topic));
	assert(span_eq(a->will_payload, b->will_payload) && span_eq(a->user_name, b->user_name));
	assert(span_eq(a->password, b->password));
	same_props(&a->props, &b->props);
	same_props(&a->will_props, &b->will_props);
}

static void same_publish(const struct mqtt_publish_view *a, const struct mqtt_publish_view *b)
{
	assert(a->qos == b->qos && a->dup == b->dup && a->retain == b->retain);
	assert(a->packet_id == b->packet_id);
	assert(span_eq(a->topic, b->topic) && span_eq(a->payload, b->payload));
	same_props(&a->props, &b->props);
}

static void same(enum mqtt_version version, const struct any_view *a, const struct any_view *b)
{
	assert(a->type == b->type);
	switch (a->type) {
	case MQTT_CONNECT: same_connect(&a->connect, &b->connect); break;
	case MQTT_PUBLISH: same_publish(&a->publish, &b->publish); break;
	case MQTT_CONNACK:
		assert(a->connack.session_present == b->connack.session_present);
		assert(version == MQTT_V311 || a->connack.code == b->connack.code);
		same_props(&a->connack.props, &b->connack.props);
		break;
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP:
		assert(a->ack.packet_id == b->ack.packet_id && a->ack.reason == b->ack.reason);
		same_props(&a->ack.props, &b->ack.props);
		break;
	case MQTT_SUBSCRIBE:
		assert(a->subscribe.packet_id == b->subscribe.packet_id);
		assert(span_eq(a->subscribe.filters, b->subscribe.filters));
		same_props(&a->subscribe.props, &b->subscribe.props);
		break;
	case MQTT_UNSUBSCRIBE:
		assert(a->unsubscribe.packet_id == b->unsubscribe.packet_id);
		assert(span_eq(a->unsubscribe.filters, b->unsubscribe.filters));
		same_props(&a->unsubscribe.props, &b->unsubscribe.props);
		break;
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		assert(a->suback.packet_id == b->suback.packet_id);
		assert(span_eq(a->suback.codes, b->suback.codes));
		same_props(&a->suback.props, &b->suback.props);
		break;
	case MQTT_DISCONNECT:
		assert(a->disconnect.reason == b->disconnect.reason);
		same_props(&a->disconnect.props, &b->disconnect.props);
		break;
	case MQTT_AUTH:
		assert(a->auth.reason == b->auth.reason);
		same_props(&a->auth.props, &b->auth.props);
		break;
	case MQTT_PINGREQ:
	case MQTT_PINGRESP: break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum mqtt_version version = n && p[0] & 1 ? MQTT_V5 : MQTT_V311;
	enum side side = n && p[0] & 2 ? FROM_SERVER : FROM_CLIENT;
	enum mqtt_reason reason;
	struct any_view first, second;
	struct wire once, twice;
	struct frame f;

	if (n < 2)
		return 0;
	f = (struct frame){
	    .head = p[1], .body = p + 2, .body_len = (uint32_t)(n - 2), .minimal = true};
	if (any_decode(version, side, &f, &first, &reason))
		return 0;
	/* an encoding adds at most a length field and what was left out */
	once = wire_of(malloc(n + 16), n + 16);
	twice = wire_of(malloc(n + 16), n + 16);
	assert(once.p && twice.p);
	any_encode(&once, version, &first);
	assert(once.err == 0);
	assert(frame_next(once.p, once.len, UINT32_MAX, &f) == 0 && f.total == once.len);
	assert(any_decode(version, side, &f, &second, &reason) == 0);
	same(version, &first, &second);
	any_encode(&twice, version, &second);
	assert(twice.err == 0 && twice.len == once.len);
	assert(memcmp(once.p, twice.p, once.len) == 0);
	free(once.p);
	free(twice.p);
	return 0;
}
