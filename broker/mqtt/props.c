/* props.c - reads property sections by a table with one row per property. Knows nothing of packets
 * other than which properties belong to which. */
#include "mqtt/props.h"

#include "base/limits.h"
#include "mqtt/reader.h"

#include <stddef.h>

enum { /* rules on the value */
       ANY,
       BOOL,    /* 0 or 1 */
       NONZERO, /* 0 is a protocol error */
       ALIAS,   /* 0 is a topic alias error */
       NO_WILD, /* a topic: no wildcards */
};

#define CONNECT    (1u << MQTT_PROPS_CONNECT)
#define WILL       (1u << MQTT_PROPS_WILL)
#define CONNACK    (1u << MQTT_PROPS_CONNACK)
#define PUBLISH    (1u << MQTT_PROPS_PUBLISH | 1u << MQTT_PROPS_PUBLISH_SERVER)
#define ACK        (1u << MQTT_PROPS_ACK)
#define SUBSCRIBE  (1u << MQTT_PROPS_SUBSCRIBE)
#define DISCONNECT (1u << MQTT_PROPS_DISCONNECT | 1u << MQTT_PROPS_DISCONNECT_SERVER)
#define AUTH       (1u << MQTT_PROPS_AUTH)
#define EVERY      ((1u << (MQTT_PROPS_AUTH + 1)) - 1)
#define AT(member) offsetof(struct mqtt_props, member)

/* MQTT 5.0, table 2-4 */
const struct prop_row prop_rows[PROP_IDS] = {
    [MQTT_PROP_PAYLOAD_FORMAT] = {PROP_U8, BOOL, PUBLISH | WILL, AT(payload_format)},
    [MQTT_PROP_MESSAGE_EXPIRY] = {PROP_U32, ANY, PUBLISH | WILL, AT(message_expiry_s)},
    [MQTT_PROP_CONTENT_TYPE] = {PROP_STRING, ANY, PUBLISH | WILL, AT(content_type)},
    /* [MQTT-3.3.2-14] no wildcards */
    [MQTT_PROP_RESPONSE_TOPIC] = {PROP_STRING, NO_WILD, PUBLISH | WILL, AT(response_topic)},
    [MQTT_PROP_CORRELATION_DATA] = {PROP_BINARY, ANY, PUBLISH | WILL, AT(correlation_data)},
    [MQTT_PROP_SUBSCRIPTION_ID] = {PROP_VARINT, NONZERO, PUBLISH | SUBSCRIBE, AT(subscription_id)},
    [MQTT_PROP_SESSION_EXPIRY] = {PROP_U32, ANY, CONNECT | CONNACK | DISCONNECT,
                                  AT(session_expiry_s)},
    [MQTT_PROP_ASSIGNED_CLIENT_ID] = {PROP_STRING, ANY, CONNACK, AT(assigned_client_id)},
    [MQTT_PROP_SERVER_KEEP_ALIVE] = {PROP_U16, ANY, CONNACK, AT(server_keep_alive_s)},
    [MQTT_PROP_AUTH_METHOD] = {PROP_STRING, ANY, CONNECT | CONNACK | AUTH, AT(auth_method)},
    [MQTT_PROP_AUTH_DATA] = {PROP_BINARY, ANY, CONNECT | CONNACK | AUTH, AT(auth_data)},
    [MQTT_PROP_REQUEST_PROBLEM_INFO] = {PROP_U8, BOOL, CONNECT, AT(request_problem_info)},
    [MQTT_PROP_WILL_DELAY] = {PROP_U32, ANY, WILL, AT(will_delay_s)},
    [MQTT_PROP_REQUEST_RESPONSE_INFO] = {PROP_U8, BOOL, CONNECT, AT(request_response_info)},
    [MQTT_PROP_RESPONSE_INFO] = {PROP_STRING, ANY, CONNACK, AT(response_info)},
    [MQTT_PROP_SERVER_REFERENCE] = {PROP_STRING, ANY, CONNACK | DISCONNECT, AT(server_reference)},
    [MQTT_PROP_REASON_STRING] = {PROP_STRING, ANY, CONNACK | ACK | DISCONNECT | AUTH,
                                 AT(reason_string)},
    [MQTT_PROP_RECEIVE_MAXIMUM] = {PROP_U16, NONZERO, CONNECT | CONNACK, AT(receive_maximum)},
    [MQTT_PROP_TOPIC_ALIAS_MAXIMUM] = {PROP_U16, ANY, CONNECT | CONNACK, AT(topic_alias_maximum)},
    [MQTT_PROP_TOPIC_ALIAS] = {PROP_U16, ALIAS, PUBLISH, AT(topic_alias)},
    [MQTT_PROP_MAXIMUM_QOS] = {PROP_U8, BOOL, CONNACK, AT(maximum_qos)},
    [MQTT_PROP_RETAIN_AVAILABLE] = {PROP_U8, BOOL, CONNACK, AT(retain_available)},
    [MQTT_PROP_USER_PROPERTY] = {PROP_PAIR, ANY, EVERY, 0},
    [MQTT_PROP_MAXIMUM_PACKET_SIZE] = {PROP_U32, NONZERO, CONNECT | CONNACK,
                                       AT(maximum_packet_size)},
    [MQTT_PROP_WILDCARD_AVAILABLE] = {PROP_U8, BOOL, CONNACK, AT(wildcard_available)},
    [MQTT_PROP_SUBSCRIPTION_ID_AVAILABLE] = {PROP_U8, BOOL, CONNACK, AT(subscription_id_available)},
    [MQTT_PROP_SHARED_AVAILABLE] = {PROP_U8, BOOL, CONNACK, AT(shared_available)},
};

/* What table 2-4 allows for the packet's type, but not in this direction. */
static bool wrong_direction(enum mqtt_props_of of, uint8_t id)
{
	switch (of) {
	case MQTT_PROPS_PUBLISH: return id == MQTT_PROP_SUBSCRIPTION_ID; /* [MQTT-3.3.4-6] */
	case MQTT_PROPS_DISCONNECT: return id == MQTT_PROP_SERVER_REFERENCE;
	/* [MQTT-3.14.2-2] */
	case MQTT_PROPS_DISCONNECT_SERVER: return id == MQTT_PROP_SESSION_EXPIRY;
	default: return false;
	}
}

static bool may_repeat(enum mqtt_props_of of, uint8_t id)
{
	return id == MQTT_PROP_USER_PROPERTY ||
	       (id == MQTT_PROP_SUBSCRIPTION_ID && of == MQTT_PROPS_PUBLISH_SERVER);
}

static int check_number(const struct prop_row *row, uint32_t v, enum mqtt_reason *ret_reason)
{
	if (row->rule == BOOL && v > 1)
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	if (row->rule == NONZERO && v == 0)
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	if (row->rule == ALIAS && v == 0) /* [MQTT-3.3.2-8] */
		return refuse(MQTT_TOPIC_ALIAS_INVALID, ret_reason);
	return 0;
}

static void count_pair(struct reader *r, struct mqtt_props *p)
{
	read_string(r); /* both strings are strings [MQTT-1.5.7-1] */
	read_string(r);
	p->n_user++;
}

static void store_varint(struct mqtt_props *p, uint32_t v)
{
	if (p->n_subscription_ids++ == 0)
		p->subscription_id = v;
}

/* The value of one property. */
static int read_value(struct reader *r, const struct prop_row *row, struct mqtt_props *p,
                      enum mqtt_reason *ret_reason)
{
	char *to = (char *)p + row->at;
	uint32_t v = 1;
	struct span s = {0};

	switch ((enum prop_type)row->type) {
	case PROP_U8: v = *(uint8_t *)to = read_u8(r); break;
	case PROP_U16: v = *(uint16_t *)to = read_u16(r); break;
	case PROP_U32: v = *(uint32_t *)to = read_u32(r); break;
	case PROP_VARINT: store_varint(p, v = read_varint(r)); break;
	case PROP_STRING: s = *(struct span *)to = read_string(r); break;
	case PROP_BINARY: *(struct span *)to = read_binary(r); break;
	case PROP_PAIR: count_pair(r, p); break;
	case PROP_NONE: assert(!"checked by the caller");
	}
	if (r->bad)
		return malformed(ret_reason);
	if (row->rule == NO_WILD && mqtt_topic_string_check(s) != 0)
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	return check_number(row, v, ret_reason);
}

/* Rules between properties. */
static int check_together(const struct mqtt_props *p, enum mqtt_reason *ret_reason)
{
	/* 3.1.2.11.10: data without a method is a protocol error; the same in CONNACK and AUTH */
	if (mqtt_props_has(p, MQTT_PROP_AUTH_DATA) && !mqtt_props_has(p, MQTT_PROP_AUTH_METHOD))
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	return 0;
}

int mqtt_props_decode(struct span raw, enum mqtt_props_of of, struct mqtt_props *ret,
                      enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of_span(raw);

	assert(of <= MQTT_PROPS_AUTH);
	no_props(ret);
	if (raw.n > LIMIT_USER_PROPERTIES_BYTES) {
		*ret_reason = MQTT_PACKET_TOO_LARGE;
		return ERR_TOO_LARGE;
	}
	while (reader_left(&r) > 0) {
		/* an identifier is a variable byte integer, but none has a second byte */
		uint8_t id = read_u8(&r);
		int err;

		/* 2.2.2.2: unknown, or not of this packet: malformed */
		if (id >= PROP_IDS || !(prop_rows[id].of >> of & 1))
			return malformed(ret_reason);
		if (wrong_direction(of, id))
			return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
		if (mqtt_props_has(ret, id) && !may_repeat(of, id))
			return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
		ret->has |= MQTT_HAS(id);
		err = read_value(&r, &prop_rows[id], ret, ret_reason);
		if (err)
			return err;
	}
	ret->raw = raw;
	return check_together(ret, ret_reason);
}

int read_props_section(struct reader *r, enum mqtt_props_of of, struct mqtt_props *ret,
                       enum mqtt_reason *ret_reason)
{
	uint32_t len = read_varint(r); /* [MQTT-2.2.2-1] a zero is said too */
	struct span raw = read_bytes(r, len);

	if (unlikely(r->bad))
		return malformed(ret_reason);
	return mqtt_props_decode(raw, of, ret, ret_reason);
}

/* ---- walking a section that was decoded before ---- */

/* Passes over the value of a property and returns its start. */
static const uint8_t *skip_value(struct reader *r, uint8_t id)
{
	const uint8_t *start = r->p;

	assert(id < PROP_IDS);
	switch ((enum prop_type)prop_rows[id].type) {
	case PROP_U8: read_u8(r); break;
	case PROP_U16: read_u16(r); break;
	case PROP_U32: read_u32(r); break;
	case PROP_VARINT: read_varint(r); break;
	case PROP_PAIR: read_binary(r); /* fall through */
	case PROP_STRING:
	case PROP_BINARY: read_binary(r); break;
	case PROP_NONE: reader_fail(r); break;
	}
	assert(!r->bad); /* it was decoded, or built here */
	return start;
}

/* The next property with this id at or after *at; the reader stands on its value. */
static bool find_next(const struct mqtt_props *p, size_t *at, uint8_t id, struct reader *ret)
{
	struct reader r = reader_of_span(p->raw);

	assert(*at <= p->raw.n);
	r.p += *at;
	while (reader_left(&r) > 0) {
		uint8_t got = read_u8(&r);
		const uint8_t *value = skip_value(&r, got);

		*at = p->raw.n - reader_left(&r);
		if (got == id) {
			*ret = reader_of(value, (size_t)(r.p - value));
			return true;
		}
	}
	return false;
}

bool mqtt_props_next_user(const struct mqtt_props *p, size_t *at, struct span *ret_name,
                          struct span *ret_value)
{
	struct reader r;

	if (p->n_user == 0 || !find_next(p, at, MQTT_PROP_USER_PROPERTY, &r))
		return false;
	*ret_name = read_binary(&r);
	*ret_value = read_binary(&r);
	return true;
}

bool mqtt_props_next_subscription_id(const struct mqtt_props *p, size_t *at, uint32_t *ret)
{
	struct reader r;

	if (p->n_subscription_ids == 0 || !find_next(p, at, MQTT_PROP_SUBSCRIPTION_ID, &r))
		return false;
	*ret = read_varint(&r);
	return true;
}

bool mqtt_props_find_user(const struct mqtt_props *p, const char *name, struct span *ret_value)
{
	struct span got, value;
	size_t at = 0;

	while (mqtt_props_next_user(p, &at, &got, &value))
		if (span_is(got, name)) {
			*ret_value = value;
			return true;
		}
	return false;
}

size_t mqtt_props_for_record(const struct mqtt_props *p, uint8_t *out)
{
	static const uint64_t dropped =
	    MQTT_HAS(MQTT_PROP_TOPIC_ALIAS) | MQTT_HAS(MQTT_PROP_MESSAGE_EXPIRY) |
	    MQTT_HAS(MQTT_PROP_SUBSCRIPTION_ID) |
	    MQTT_HAS(MQTT_PROP_WILL_DELAY); /* the will's, not its message's */
	struct reader r = reader_of_span(p->raw);
	size_t n = 0;

	if (p->raw.n == 0)
		return 0;
	if (!(p->has & dropped)) {
		memcpy(out, p->raw.p, p->raw.n);
		return p->raw.n;
	}
	while (reader_left(&r) > 0) {
		const uint8_t *start = r.p;
		uint8_t id = read_u8(&r);

		skip_value(&r, id);
		if (dropped & MQTT_HAS(id))
			continue;
		memcpy(out + n, start, (size_t)(r.p - start));
		n += (size_t)(r.p - start);
	}
	assert(n <= p->raw.n);
	return n;
}

size_t mqtt_props_without_user(const struct mqtt_props *p, const char *name, uint8_t *out)
{
	struct reader r = reader_of_span(p->raw);
	size_t n = 0;

	while (reader_left(&r) > 0) {
		const uint8_t *start = r.p;
		uint8_t id = read_u8(&r);
		const uint8_t *value = skip_value(&r, id);
		struct reader pair = reader_of(value, (size_t)(r.p - value));

		if (id == MQTT_PROP_USER_PROPERTY && span_is(read_binary(&pair), name))
			continue;
		memcpy(out + n, start, (size_t)(r.p - start));
		n += (size_t)(r.p - start);
	}
	return n;
}
