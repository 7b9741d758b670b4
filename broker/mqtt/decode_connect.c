/* decode_connect.c - CONNECT (3.1), the one packet that says which version it speaks. */
#include "mqtt/packet.h"
#include "mqtt/reader.h"

enum { /* connect flags, 3.1.2.3 */
       FLAG_RESERVED = 1,
       FLAG_CLEAN_START = 2,
       FLAG_WILL = 4,
       FLAG_WILL_QOS_SHIFT = 3,
       FLAG_WILL_RETAIN = 32,
       FLAG_PASSWORD = 64,
       FLAG_USER_NAME = 128
};

uint8_t mqtt_connect_version(const struct frame *f)
{
	struct reader r = reader_of(f->body, f->body_len);
	struct span name = read_binary(&r);
	uint8_t level = read_u8(&r);

	if (frame_type(f) != MQTT_CONNECT || r.bad)
		return 0;
	/* MQIsdp is the name of 3.1, which clients of that age send before they try 3.1.1 */
	return span_is(name, "MQTT") || span_is(name, "MQIsdp") ? level : 0;
}

static int read_protocol(struct reader *r, struct mqtt_connect_view *ret,
                         enum mqtt_reason *ret_reason)
{
	struct span name = read_string(r);
	uint8_t level = read_u8(r);

	if (r->bad)
		return malformed(ret_reason);
	/* [MQTT-3.1.2-1] the name; [MQTT-3.1.2-2] the level */
	if (!span_is(name, "MQTT") || (level != MQTT_V311 && level != MQTT_V5))
		return refuse(MQTT_UNSUPPORTED_PROTOCOL_VERSION, ret_reason);
	ret->version = level;
	return 0;
}

static int read_flags(struct reader *r, struct mqtt_connect_view *ret, enum mqtt_reason *ret_reason)
{
	uint8_t flags = read_u8(r);

	if (flags & FLAG_RESERVED) /* [MQTT-3.1.2-3] */
		return malformed(ret_reason);
	ret->clean_start = flags & FLAG_CLEAN_START;
	ret->has_will = flags & FLAG_WILL;
	ret->will_qos = flags >> FLAG_WILL_QOS_SHIFT & 3;
	ret->will_retain = flags & FLAG_WILL_RETAIN;
	ret->has_password = flags & FLAG_PASSWORD;
	ret->has_user_name = flags & FLAG_USER_NAME;
	if (ret->will_qos == 3) /* [MQTT-3.1.2-12]; 3.1.1: [MQTT-3.1.2-14] */
		return malformed(ret_reason);
	/* [MQTT-3.1.2-11], [MQTT-3.1.2-13]; 3.1.1: [MQTT-3.1.2-13], [MQTT-3.1.2-15] */
	if (!ret->has_will && (ret->will_qos != 0 || ret->will_retain))
		return malformed(ret_reason);
	/* 3.1.1 only: [MQTT-3.1.2-22] */
	if (ret->version == MQTT_V311 && ret->has_password && !ret->has_user_name)
		return malformed(ret_reason);
	return 0;
}

static int read_will(struct reader *r, struct mqtt_connect_view *ret, enum mqtt_reason *ret_reason)
{
	int err;

	if (ret->version == MQTT_V5) {
		err = read_props(r, MQTT_PROPS_WILL, &ret->will_props, ret_reason);
		if (err)
			return err;
	}
	ret->will_topic = read_string(r); /* [MQTT-3.1.3-11]; 3.1.1: [MQTT-3.1.3-10] */
	ret->will_payload = read_binary(r);
	if (r->bad)
		return malformed(ret_reason);
	/* it will be published: [MQTT-3.3.2-2] no wildcards, [MQTT-4.7.3-1] not empty */
	if (ret->will_topic.n == 0 || mqtt_topic_string_check(ret->will_topic) != 0)
		return refuse(MQTT_TOPIC_NAME_INVALID, ret_reason);
	return 0;
}

/* 3.1.3: client id, will, user name, password, in this order [MQTT-3.1.3-1]. */
static int read_payload(struct reader *r, struct mqtt_connect_view *ret,
                        enum mqtt_reason *ret_reason)
{
	int err;

	ret->client_id = read_string(r); /* [MQTT-3.1.3-3], [MQTT-3.1.3-4] */
	if (r->bad)
		return malformed(ret_reason);
	/* 3.1.1: an empty client id asks for a clean session [MQTT-3.1.3-7], [MQTT-3.1.3-8] */
	if (ret->version == MQTT_V311 && ret->client_id.n == 0 && !ret->clean_start)
		return refuse(MQTT_CLIENT_IDENTIFIER_NOT_VALID, ret_reason);
	if (ret->has_will) {
		err = read_will(r, ret, ret_reason);
		if (err)
			return err;
	}
	if (ret->has_user_name) /* [MQTT-3.1.2-17], [MQTT-3.1.3-12] */
		ret->user_name = read_string(r);
	if (ret->has_password) /* [MQTT-3.1.2-19] */
		ret->password = read_binary(r);
	/* [MQTT-3.1.2-16], [MQTT-3.1.2-18]: what the flags do not announce is not there */
	if (r->bad || reader_left(r) > 0)
		return malformed(ret_reason);
	return 0;
}

int mqtt_decode_connect(const struct frame *f, struct mqtt_connect_view *ret,
                        enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of(f->body, f->body_len);
	int err;

	assert(frame_type(f) == MQTT_CONNECT);
	*ret = (struct mqtt_connect_view){0};
	err = read_protocol(&r, ret, ret_reason);
	if (err)
		return err;
	err =
	    check_head(ret->version, f, 0, ret_reason); /* [MQTT-2.1.3-1]; 3.1.1: [MQTT-2.2.2-2] */
	if (err)
		return err;
	err = read_flags(&r, ret, ret_reason);
	if (err)
		return err;
	ret->keep_alive_s = read_u16(&r);
	if (ret->version == MQTT_V5) {
		err = read_props(&r, MQTT_PROPS_CONNECT, &ret->props, ret_reason);
		if (err)
			return err;
	}
	return read_payload(&r, ret, ret_reason);
}
