/* decode_server.c - the answers of a server: CONNACK (3.2), SUBACK (3.9), UNSUBACK (3.11). */
#include "mqtt/packet.h"
#include "mqtt/reader.h"

int mqtt_decode_connack(enum mqtt_version version, const struct frame *f,
                        struct mqtt_connack_view *ret, enum mqtt_reason *ret_reason)
{
	static const uint8_t codes[] = {/* [MQTT-3.2.2-8] */
	                                0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
	                                0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
	                                0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
	struct reader r = reader_of(f->body, f->body_len);
	uint8_t flags = read_u8(&r);
	int err = check_head(version, f, 0, ret_reason);

	assert(frame_type(f) == MQTT_CONNACK);
	if (err)
		return err;
	ret->code = read_u8(&r);
	if (r.bad || (flags & ~1)) /* [MQTT-3.2.2-1] */
		return malformed(ret_reason);
	ret->session_present = flags & 1;
	if (version == MQTT_V5) {
		if (!code_in(codes, ret->code))
			return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
		ret->reason = ret->code;
		err = read_props(&r, MQTT_PROPS_CONNACK, &ret->props, ret_reason);
		if (err)
			return err;
	} else {
		ret->reason = mqtt_reason_from_v3(ret->code);
		no_props(&ret->props);
	}
	if (reader_left(&r) > 0)
		return malformed(ret_reason);
	/* [MQTT-3.2.2-6]; 3.1.1: [MQTT-3.2.2-4] */
	if (ret->session_present && ret->code != 0)
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	return 0;
}

static int decode_codes(enum mqtt_version version, const struct frame *f,
                        struct mqtt_suback_view *ret, enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of(f->body, f->body_len);
	int err = check_head(version, f, 0, ret_reason);

	if (err)
		return err;
	ret->packet_id = read_u16(&r);
	if (r.bad || ret->packet_id == 0)
		return malformed(ret_reason);
	if (version == MQTT_V5) {
		err = read_props(&r, MQTT_PROPS_ACK, &ret->props, ret_reason);
		if (err)
			return err;
	} else {
		no_props(&ret->props);
	}
	ret->codes = read_rest(&r);
	return 0;
}

int mqtt_decode_suback(enum mqtt_version version, const struct frame *f,
                       struct mqtt_suback_view *ret, enum mqtt_reason *ret_reason)
{
	static const uint8_t codes_v5[] = {/* [MQTT-3.9.3-2] */
	                                   0x00, 0x01, 0x02, 0x80, 0x83, 0x87,
	                                   0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};
	static const uint8_t codes_v3[] = {0x00, 0x01, 0x02, 0x80}; /* 3.1.1: [MQTT-3.9.3-2] */
	int err;

	assert(frame_type(f) == MQTT_SUBACK);
	err = decode_codes(version, f, ret, ret_reason);
	if (err)
		return err;
	if (ret->codes.n == 0)
		return malformed(ret_reason);
	for (size_t i = 0; i < ret->codes.n; i++) {
		uint8_t code = (uint8_t)ret->codes.p[i];

		if (version == MQTT_V5 ? !code_in(codes_v5, code) : !code_in(codes_v3, code))
			return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	}
	return 0;
}

int mqtt_decode_unsuback(enum mqtt_version version, const struct frame *f,
                         struct mqtt_suback_view *ret, enum mqtt_reason *ret_reason)
{
	static const uint8_t codes[] = {/* [MQTT-3.11.3-2] */
	                                0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};
	int err;

	assert(frame_type(f) == MQTT_UNSUBACK);
	err = decode_codes(version, f, ret, ret_reason);
	if (err)
		return err;
	if (version == MQTT_V311) /* no payload */
		return ret->codes.n > 0 ? malformed(ret_reason) : 0;
	if (ret->codes.n == 0)
		return malformed(ret_reason);
	for (size_t i = 0; i < ret->codes.n; i++)
		if (!code_in(codes, (uint8_t)ret->codes.p[i]))
			return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	return 0;
}
