/* encode.c - the packets a server writes. Sizes are computed first and the room is checked once;
 * what follows is straight lines. */
#include "mqtt/encode.h"

#include "mqtt/reader.h"
#include "mqtt/writer.h"

void wire_varint(struct wire *w, uint32_t v)
{
	if (v > MQTT_VARINT_MAX) {
		w->err = ERR_TOO_LARGE;
		return;
	}
	do {
		uint8_t c = v & 127;

		v >>= 7;
		wire_u8(w, v ? c | 128 : c);
	} while (v);
}

void wire_string(struct wire *w, struct span s)
{
	if (s.n > 65535) {
		w->err = ERR_TOO_LARGE;
		return;
	}
	wire_u16(w, (uint16_t)s.n);
	wire_bytes(w, s.p, s.n);
}

void wire_user_property(struct wire *w, struct span name, struct span value)
{
	wire_u8(w, MQTT_PROP_USER_PROPERTY);
	wire_string(w, name);
	wire_string(w, value);
}

bool wire_begin(struct wire *w, uint8_t head, size_t body)
{
	if (body > MQTT_VARINT_MAX) {
		w->err = ERR_TOO_LARGE;
		return false;
	}
	if (!wire_fits(w, 1 + wire_varint_size((uint32_t)body) + body))
		return false;
	wire_u8(w, head);
	wire_varint(w, (uint32_t)body);
	return true;
}

/* ---- properties ---- */

static size_t value_size(const struct prop_row *row, const struct mqtt_props *p)
{
	const char *at = (const char *)p + row->at;

	switch ((enum prop_type)row->type) {
	case PROP_U8: return 1;
	case PROP_U16: return 2;
	case PROP_U32: return 4;
	case PROP_VARINT: return wire_varint_size(*(const uint32_t *)at);
	case PROP_STRING:
	case PROP_BINARY: return 2 + ((const struct span *)at)->n;
	default: return 0;
	}
}

static void encode_value(struct wire *w, const struct prop_row *row, const struct mqtt_props *p)
{
	const char *at = (const char *)p + row->at;

	switch ((enum prop_type)row->type) {
	case PROP_U8: wire_u8(w, *(const uint8_t *)at); break;
	case PROP_U16: wire_u16(w, *(const uint16_t *)at); break;
	case PROP_U32: wire_u32(w, *(const uint32_t *)at); break;
	case PROP_VARINT: wire_varint(w, *(const uint32_t *)at); break;
	case PROP_STRING:
	case PROP_BINARY: wire_string(w, *(const struct span *)at); break;
	default: break;
	}
}

/* Bits of the properties that are written from members: all but those read from raw. */
static uint64_t from_members(const struct mqtt_props *p)
{
	uint64_t bits = p->has & ~MQTT_HAS(MQTT_PROP_USER_PROPERTY);

	if (p->n_subscription_ids > 0)
		bits &= ~MQTT_HAS(MQTT_PROP_SUBSCRIPTION_ID);
	assert(bits >> PROP_IDS == 0);
	return bits;
}

/* Bytes of the section without its length field; NULL has none. */
static size_t mqtt_props_size(const struct mqtt_props *p)
{
	struct span name, value;
	size_t n = 0, at = 0;
	uint32_t id;

	if (!p)
		return 0;
	for (uint64_t bits = from_members(p); bits; bits &= bits - 1)
		n += 1 + value_size(&prop_rows[__builtin_ctzll(bits)], p);
	while (mqtt_props_next_subscription_id(p, &at, &id))
		n += 1 + wire_varint_size(id);
	at = 0;
	while (mqtt_props_next_user(p, &at, &name, &value))
		n += wire_user_property_size(name, value);
	return n;
}

static void encode_section(struct wire *w, const struct mqtt_props *p)
{
	struct span name, value;
	size_t at = 0;
	uint32_t id;

	if (!p)
		return;
	for (uint64_t bits = from_members(p); bits; bits &= bits - 1) {
		unsigned prop = (unsigned)__builtin_ctzll(bits);

		wire_u8(w, (uint8_t)prop);
		encode_value(w, &prop_rows[prop], p);
	}
	while (mqtt_props_next_subscription_id(p, &at, &id)) {
		wire_u8(w, MQTT_PROP_SUBSCRIPTION_ID);
		wire_varint(w, id);
	}
	at = 0;
	while (mqtt_props_next_user(p, &at, &name, &value))
		wire_user_property(w, name, value);
}

/* Length field and section. */
static void mqtt_encode_props(struct wire *w, const struct mqtt_props *p)
{
	size_t n = mqtt_props_size(p);

	if (n > MQTT_VARINT_MAX) {
		w->err = ERR_TOO_LARGE;
		return;
	}
	wire_varint(w, (uint32_t)n);
	encode_section(w, p);
}

size_t props_field_size(enum mqtt_version version, const struct mqtt_props *p)
{
	size_t n;

	if (version != MQTT_V5)
		return 0;
	n = mqtt_props_size(p);
	return n > MQTT_VARINT_MAX ? n : wire_varint_size((uint32_t)n) + n;
}

void props_field(struct wire *w, enum mqtt_version version, const struct mqtt_props *p)
{
	if (version == MQTT_V5)
		mqtt_encode_props(w, p);
}

/* ---- PUBLISH ---- */

/* Of the property section; 0 on 3.1.1. */
static size_t publish_props_size(enum mqtt_version version, const struct mqtt_publish_out *m)
{
	size_t n;

	if (version != MQTT_V5)
		return 0;
	n = m->stored.n + m->user.n;
	if (m->has_expiry)
		n += 5;
	if (m->topic_alias)
		n += 3;
	for (uint32_t i = 0; i < m->n_subscription_ids; i++)
		n += 1 + wire_varint_size(m->subscription_ids[i]);
	return n;
}

/* Of the body, or more than MQTT_VARINT_MAX when none can hold it. */
static size_t publish_body_size(enum mqtt_version version, const struct mqtt_publish_out *m,
                                size_t props)
{
	size_t n = 2 + m->topic.n + (m->qos ? 2 : 0) + props + m->payload.n;

	if (m->topic.n > 65535 || props > MQTT_VARINT_MAX)
		return SIZE_MAX;
	if (version == MQTT_V5)
		n += wire_varint_size((uint32_t)props);
	return n;
}

size_t mqtt_publish_size(enum mqtt_version version, const struct mqtt_publish_out *m)
{
	size_t body = publish_body_size(version, m, publish_props_size(version, m));

	return body > MQTT_VARINT_MAX ? 0 : 1 + wire_varint_size((uint32_t)body) + body;
}

static void publish_props(struct wire *w, const struct mqtt_publish_out *m, size_t n)
{
	wire_varint(w, (uint32_t)n);
	if (n == 0)
		return;
	if (m->topic_alias) {
		wire_u8(w, MQTT_PROP_TOPIC_ALIAS);
		wire_u16(w, m->topic_alias);
	}
	if (m->has_expiry) {
		wire_u8(w, MQTT_PROP_MESSAGE_EXPIRY);
		wire_u32(w, m->expiry_s);
	}
	for (uint32_t i = 0; i < m->n_subscription_ids; i++) { /* [MQTT-3.3.4-3], [MQTT-3.3.4-4] */
		wire_u8(w, MQTT_PROP_SUBSCRIPTION_ID);
		wire_varint(w, m->subscription_ids[i]);
	}
	wire_bytes(w, m->stored.p, m->stored.n);
	wire_bytes(w, m->user.p,
	           m->user.n); /* after the publisher's, whose order stays [MQTT-3.3.2-18] */
}

void mqtt_encode_publish(struct wire *w, enum mqtt_version version,
                         const struct mqtt_publish_out *m)
{
	size_t props = publish_props_size(version, m);
	size_t body = publish_body_size(version, m, props), start = w->len;

	assert(m->qos <= 2 && (m->qos == 0) == (m->packet_id == 0));
	assert(!(m->dup && m->qos == 0)); /* [MQTT-3.3.1-2] */
	if (!wire_begin(w, (uint8_t)(MQTT_PUBLISH << 4 | m->dup << 3 | m->qos << 1 | m->retain),
	                body))
		return;
	wire_string(w, m->topic);
	if (m->qos)
		wire_u16(w, m->packet_id);
	if (version == MQTT_V5)
		publish_props(w, m, props);
	wire_bytes(w, m->payload.p, m->payload.n);
	wire_end(w, start);
}

/* ---- acknowledgements ---- */

static uint8_t ack_head(enum mqtt_type type)
{
	assert(type >= MQTT_PUBACK && type <= MQTT_PUBCOMP);
	return (uint8_t)(type << 4 | (type == MQTT_PUBREL ? 2 : 0)); /* [MQTT-3.6.1-1] */
}

static size_t ack_text_size(size_t text)
{
	size_t props = 3 + text, body = 3 + wire_varint_size((uint32_t)props) + props;

	return 1 + wire_varint_size((uint32_t)body) + body;
}

void mqtt_encode_ack_text(struct wire *w, enum mqtt_version version, enum mqtt_type type,
                          uint16_t packet_id, enum mqtt_reason reason, struct span text,
                          uint32_t max_packet)
{
	struct mqtt_props p = {0};
	size_t n = MIN_OF(text.n, (size_t)65535);

	if (max_packet && ack_text_size(n) > max_packet) {
		n = MIN_OF(n, (size_t)max_packet);
		while (n > 0 && ack_text_size(n) > max_packet)
			n--;
	}
	n = mqtt_utf8_cut(text, n);
	if (n > 0 && version == MQTT_V5) {
		p.has = MQTT_HAS(MQTT_PROP_REASON_STRING);
		p.reason_string = span_of(text.p, n);
	}
	mqtt_encode_ack(w, version, type, packet_id, reason, &p);
}

void mqtt_encode_ack(struct wire *w, enum mqtt_version version, enum mqtt_type type,
                     uint16_t packet_id, enum mqtt_reason reason, const struct mqtt_props *props)
{
	size_t n = version == MQTT_V5 ? mqtt_props_size(props) : 0, start = w->len;

	if (version != MQTT_V5 || (n == 0 && reason == MQTT_SUCCESS)) {
		mqtt_encode_ack_ok(w, type, packet_id);
		return;
	}
	if (!wire_begin(w, ack_head(type), 3 + (n ? props_field_size(version, props) : 0)))
		return;
	wire_u16(w, packet_id);
	wire_u8(w, (uint8_t)reason);
	if (n)
		mqtt_encode_props(w, props);
	wire_end(w, start);
}

void mqtt_encode_connack(struct wire *w, enum mqtt_version version, bool session_present,
                         enum mqtt_reason reason, const struct mqtt_props *props)
{
	uint8_t code = version == MQTT_V5 ? (uint8_t)reason : mqtt_reason_to_v3(reason);
	size_t start = w->len;

	assert(!session_present || code == 0); /* [MQTT-3.2.2-6] */
	if (!wire_begin(w, MQTT_CONNACK << 4, 2 + props_field_size(version, props)))
		return;
	wire_u8(w, session_present);
	wire_u8(w, code);
	props_field(w, version, props);
	wire_end(w, start);
}

void mqtt_encode_suback(struct wire *w, enum mqtt_version version, uint16_t packet_id,
                        struct span codes, const struct mqtt_props *props)
{
	size_t start = w->len;

	if (!wire_begin(w, MQTT_SUBACK << 4, 2 + props_field_size(version, props) + codes.n))
		return;
	wire_u16(w, packet_id);
	props_field(w, version, props);
	for (size_t i = 0; i < codes.n; i++) {
		uint8_t code = (uint8_t)codes.p[i];

		wire_u8(w, version != MQTT_V5 && code >= 0x80 ? 0x80 : code);
	}
	wire_end(w, start);
}

void mqtt_encode_unsuback(struct wire *w, enum mqtt_version version, uint16_t packet_id,
                          struct span codes, const struct mqtt_props *props)
{
	size_t start = w->len;

	if (version != MQTT_V5)
		codes.n = 0;
	if (!wire_begin(w, MQTT_UNSUBACK << 4, 2 + props_field_size(version, props) + codes.n))
		return;
	wire_u16(w, packet_id);
	props_field(w, version, props);
	wire_bytes(w, codes.p, codes.n);
	wire_end(w, start);
}

/* ---- the end, and authentication ---- */

void mqtt_encode_disconnect(struct wire *w, enum mqtt_version version, enum mqtt_reason reason,
                            const struct mqtt_props *props)
{
	size_t n = version == MQTT_V5 ? mqtt_props_size(props) : 0, start = w->len;

	if (n == 0) { /* properties left out, and the reason too when it is 0x00 (3.14.2.1) */
		bool bare = version != MQTT_V5 || reason == MQTT_NORMAL_DISCONNECTION;

		if (!wire_begin(w, MQTT_DISCONNECT << 4, bare ? 0 : 1))
			return;
		if (!bare)
			wire_u8(w, (uint8_t)reason);
		return;
	}
	if (!wire_begin(w, MQTT_DISCONNECT << 4, 1 + props_field_size(version, props)))
		return;
	wire_u8(w, (uint8_t)reason);
	mqtt_encode_props(w, props);
	wire_end(w, start);
}

void mqtt_encode_auth(struct wire *w, enum mqtt_reason reason, const struct mqtt_props *props)
{
	size_t n = mqtt_props_size(props), start = w->len;
	bool bare = n == 0 && reason == MQTT_SUCCESS;

	if (!wire_begin(w, (uint8_t)(MQTT_AUTH << 4),
	                bare ? 0 : 1 + props_field_size(MQTT_V5, props)))
		return;
	if (bare)
		return;
	wire_u8(w, (uint8_t)reason);
	mqtt_encode_props(w, props);
	wire_end(w, start);
}
