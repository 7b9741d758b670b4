/* decode.c - the packets of a connected client, and those that both sides send. The tags are those
 * of MQTT 5.0; where 3.1.1 numbers a rule differently its own stands beside. */
#include "mqtt/packet.h"
#include "mqtt/reader.h"

enum { FLAG_RETAIN = 1, FLAG_QOS_SHIFT = 1, FLAG_DUP = 8 };

/* ---- PUBLISH, 3.3 ---- */

static int check_topic(const struct mqtt_publish_view *v, enum mqtt_version version,
                       enum mqtt_reason *ret_reason)
{
	int err = mqtt_topic_string_check(v->topic);

	if (unlikely(err == ERR_MALFORMED)) /* [MQTT-3.3.2-1], [MQTT-1.5.4-1], [MQTT-1.5.4-2] */
		return malformed(ret_reason);
	if (unlikely(err)) /* [MQTT-3.3.2-2] no wildcards */
		return refuse(MQTT_TOPIC_NAME_INVALID, ret_reason);
	if (likely(v->topic.n > 0))
		return 0;
	if (version == MQTT_V311) /* [MQTT-4.7.3-1] at least one character */
		return malformed(ret_reason);
	/* 3.3.2.1: an empty topic without an alias is a protocol error */
	if (!mqtt_props_has(&v->props, MQTT_PROP_TOPIC_ALIAS))
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	return 0;
}

static inline int decode_publish(enum mqtt_version version, const struct frame *f,
                                 enum mqtt_props_of of, struct mqtt_publish_view *ret,
                                 enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of(f->body, f->body_len);
	uint8_t flags = frame_flags(f);
	int err;

	assert(frame_type(f) == MQTT_PUBLISH);
	ret->qos = flags >> FLAG_QOS_SHIFT & 3;
	ret->dup = flags & FLAG_DUP;
	ret->retain = flags & FLAG_RETAIN;
	if (unlikely(ret->qos == 3)) /* [MQTT-3.3.1-4] */
		return malformed(ret_reason);
	if (unlikely(ret->dup && ret->qos == 0)) /* [MQTT-3.3.1-2] */
		return malformed(ret_reason);
	if (unlikely(version == MQTT_V5 && !f->minimal)) /* [MQTT-1.5.5-1] */
		return malformed(ret_reason);
	ret->topic = read_binary(&r);
	ret->packet_id = ret->qos ? read_u16(&r) : 0; /* [MQTT-2.2.1-2]; 3.1.1: [MQTT-2.3.1-5] */
	if (unlikely(r.bad))
		return malformed(ret_reason);
	if (unlikely(ret->qos && ret->packet_id == 0)) /* [MQTT-2.2.1-3]; 3.1.1: [MQTT-2.3.1-1] */
		return malformed(ret_reason);
	if (version == MQTT_V5) {
		err = read_props(&r, of, &ret->props, ret_reason);
		if (unlikely(err))
			return err;
	} else {
		no_props(&ret->props);
	}
	ret->payload = read_rest(&r);
	return check_topic(ret, version, ret_reason);
}

int mqtt_decode_publish(enum mqtt_version version, const struct frame *f,
                        struct mqtt_publish_view *ret, enum mqtt_reason *ret_reason)
{
	return decode_publish(version, f, MQTT_PROPS_PUBLISH, ret, ret_reason);
}

int mqtt_decode_publish_server(enum mqtt_version version, const struct frame *f,
                               struct mqtt_publish_view *ret, enum mqtt_reason *ret_reason)
{
	return decode_publish(version, f, MQTT_PROPS_PUBLISH_SERVER, ret, ret_reason);
}

/* ---- SUBSCRIBE, 3.8, and UNSUBSCRIBE, 3.10 ---- */

enum { /* subscription options, 3.8.3.1 */
       OPTION_QOS = 3,
       OPTION_NO_LOCAL = 4,
       OPTION_RETAIN_AS_PUBLISHED = 8,
       OPTION_RETAIN_HANDLING_SHIFT = 4,
       OPTION_RESERVED = 0xC0
};

static bool is_shared(struct span filter)
{
	return filter.n >= 7 && memcmp(filter.p, "$share/", 7) == 0;
}

static int check_options(enum mqtt_version version, struct span filter, uint8_t options,
                         enum mqtt_reason *ret_reason)
{
	if (version == MQTT_V311) /* 3.1.1: [MQTT-3-8.3-4] reserved bits, and QoS 3 */
		return options > 2 ? malformed(ret_reason) : 0;
	if (options & OPTION_RESERVED) /* [MQTT-3.8.3-5] */
		return malformed(ret_reason);
	/* 3.8.3.1: QoS 3 and retain handling 3 are protocol errors */
	if ((options & OPTION_QOS) == 3 || options >> OPTION_RETAIN_HANDLING_SHIFT == 3)
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	if ((options & OPTION_NO_LOCAL) && is_shared(filter)) /* [MQTT-3.8.3-4] */
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	return 0;
}

/* Walks filters, each followed by a byte of options when with_options, to the end. */
static int check_filters(enum mqtt_version version, struct span filters, bool with_options,
                         uint32_t *ret_n, enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of_span(filters);
	uint32_t n = 0;

	while (reader_left(&r) > 0) {
		struct span filter = read_string(&r); /* [MQTT-3.8.3-1], [MQTT-3.10.3-1] */
		uint8_t options = with_options ? read_u8(&r) : 0;
		int err;

		if (r.bad || filter.n == 0) /* [MQTT-4.7.3-1] */
			return malformed(ret_reason);
		err = check_options(version, filter, options, ret_reason);
		if (err)
			return err;
		n++;
	}
	if (n == 0) /* [MQTT-3.8.3-2], [MQTT-3.10.3-2]; 3.1.1: [MQTT-3.8.3-3], [MQTT-3.10.3-2] */
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	*ret_n = n;
	return 0;
}

/* Fixed header, packet identifier and properties of both. */
static int read_request(enum mqtt_version version, const struct frame *f, enum mqtt_props_of of,
                        struct reader *r, uint16_t *ret_id, struct mqtt_props *ret_props,
                        enum mqtt_reason *ret_reason)
{
	/* flags 0010: [MQTT-3.8.1-1], [MQTT-3.10.1-1] */
	int err = check_head(version, f, 2, ret_reason);

	if (err)
		return err;
	*ret_id = read_u16(r);
	if (r->bad || *ret_id == 0) /* [MQTT-2.2.1-3]; 3.1.1: [MQTT-2.3.1-1] */
		return malformed(ret_reason);
	if (version == MQTT_V5)
		return read_props(r, of, ret_props, ret_reason);
	no_props(ret_props);
	return 0;
}

int mqtt_decode_subscribe(enum mqtt_version version, const struct frame *f,
                          struct mqtt_subscribe_view *ret, enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of(f->body, f->body_len);
	int err;

	assert(frame_type(f) == MQTT_SUBSCRIBE);
	err = read_request(version, f, MQTT_PROPS_SUBSCRIBE, &r, &ret->packet_id, &ret->props,
	                   ret_reason);
	if (err)
		return err;
	ret->v5 = version == MQTT_V5;
	ret->filters = read_rest(&r);
	return check_filters(version, ret->filters, true, &ret->n, ret_reason);
}

bool mqtt_subscribe_next(const struct mqtt_subscribe_view *v, size_t *at,
                         struct mqtt_subscription *ret)
{
	struct reader r = reader_of_span(v->filters);
	uint8_t options;

	assert(*at <= v->filters.n);
	if (*at == v->filters.n)
		return false;
	r.p += *at;
	ret->filter = read_binary(&r);
	options = read_u8(&r);
	assert(!r.bad);
	ret->qos = options & OPTION_QOS;
	ret->no_local = options & OPTION_NO_LOCAL;
	ret->retain_as_published = options & OPTION_RETAIN_AS_PUBLISHED;
	ret->retain_handling = options >> OPTION_RETAIN_HANDLING_SHIFT & 3;
	*at = v->filters.n - reader_left(&r);
	return true;
}

int mqtt_decode_unsubscribe(enum mqtt_version version, const struct frame *f,
                            struct mqtt_unsubscribe_view *ret, enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of(f->body, f->body_len);
	int err;

	assert(frame_type(f) == MQTT_UNSUBSCRIBE);
	err = read_request(version, f, MQTT_PROPS_UNSUBSCRIBE, &r, &ret->packet_id, &ret->props,
	                   ret_reason);
	if (err)
		return err;
	ret->filters = read_rest(&r);
	return check_filters(version, ret->filters, false, &ret->n, ret_reason);
}

bool mqtt_unsubscribe_next(const struct mqtt_unsubscribe_view *v, size_t *at, struct span *ret)
{
	struct reader r = reader_of_span(v->filters);

	assert(*at <= v->filters.n);
	if (*at == v->filters.n)
		return false;
	r.p += *at;
	*ret = read_binary(&r);
	assert(!r.bad);
	*at = v->filters.n - reader_left(&r);
	return true;
}

/* ---- PUBACK 3.4, PUBREC 3.5, PUBREL 3.6, PUBCOMP 3.7 ---- */

static bool ack_code_allowed(enum mqtt_type type, uint8_t code)
{
	/* [MQTT-3.4.2-1], [MQTT-3.5.2-1] */
	static const uint8_t first[] = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
	static const uint8_t second[] = {0x00, 0x92}; /* [MQTT-3.6.2-1], [MQTT-3.7.2-1] */

	return type == MQTT_PUBACK || type == MQTT_PUBREC ? code_in(first, code)
	                                                  : code_in(second, code);
}

/* Reason and properties at the end of a packet, both of which may be left out. */
static int read_reason(struct reader *r, enum mqtt_props_of of, enum mqtt_reason *ret_code,
                       struct mqtt_props *ret_props, enum mqtt_reason *ret_reason)
{
	int err;

	*ret_code = reader_left(r) > 0 ? read_u8(r) : MQTT_SUCCESS;
	if (reader_left(r) == 0) {
		no_props(ret_props);
		return 0;
	}
	err = read_props(r, of, ret_props, ret_reason);
	if (err)
		return err;
	return reader_left(r) > 0 ? malformed(ret_reason) : 0;
}

int mqtt_decode_ack(enum mqtt_version version, const struct frame *f, struct mqtt_ack_view *ret,
                    enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of(f->body, f->body_len);
	enum mqtt_type type = frame_type(f);
	int err;

	assert(type >= MQTT_PUBACK && type <= MQTT_PUBCOMP);
	/* PUBREL has flags 0010 [MQTT-3.6.1-1] */
	err = check_head(version, f, type == MQTT_PUBREL ? 2 : 0, ret_reason);
	if (unlikely(err))
		return err;
	ret->packet_id = read_u16(&r);
	if (unlikely(r.bad || ret->packet_id == 0))
		return malformed(ret_reason);
	if (likely(reader_left(&r) == 0)) {
		ret->reason = MQTT_SUCCESS;
		no_props(&ret->props);
		return 0;
	}
	if (unlikely(version == MQTT_V311))
		return malformed(ret_reason);
	err = read_reason(&r, MQTT_PROPS_ACK, &ret->reason, &ret->props, ret_reason);
	if (unlikely(err))
		return err;
	if (unlikely(!ack_code_allowed(type, (uint8_t)ret->reason)))
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	return 0;
}

/* ---- PINGREQ 3.12, PINGRESP 3.13, DISCONNECT 3.14, AUTH 3.15 ---- */

int mqtt_decode_ping(enum mqtt_version version, const struct frame *f, enum mqtt_reason *ret_reason)
{
	assert(frame_type(f) == MQTT_PINGREQ || frame_type(f) == MQTT_PINGRESP);
	if (f->body_len > 0)
		return malformed(ret_reason);
	return check_head(version, f, 0, ret_reason);
}

static int decode_disconnect(enum mqtt_version version, const struct frame *f,
                             enum mqtt_props_of of, struct mqtt_disconnect_view *ret,
                             enum mqtt_reason *ret_reason)
{
	struct reader r = reader_of(f->body, f->body_len);
	/* [MQTT-3.14.1-1] */
	int err = check_head(version, f, 0, ret_reason);

	assert(frame_type(f) == MQTT_DISCONNECT);
	if (err)
		return err;
	if (version == MQTT_V311 && f->body_len > 0)
		return malformed(ret_reason);
	return read_reason(&r, of, &ret->reason, &ret->props, ret_reason);
}

int mqtt_decode_disconnect(enum mqtt_version version, const struct frame *f,
                           struct mqtt_disconnect_view *ret, enum mqtt_reason *ret_reason)
{
	/* [MQTT-3.14.2-1], those a client may send */
	static const uint8_t codes[] = {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90,
	                                0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99};
	int err = decode_disconnect(version, f, MQTT_PROPS_DISCONNECT, ret, ret_reason);

	if (err)
		return err;
	return code_in(codes, (uint8_t)ret->reason) ? 0 : refuse(MQTT_PROTOCOL_ERROR, ret_reason);
}

int mqtt_decode_disconnect_server(enum mqtt_version version, const struct frame *f,
                                  struct mqtt_disconnect_view *ret, enum mqtt_reason *ret_reason)
{
	/* [MQTT-3.14.2-1], those a server may send */
	static const uint8_t codes[] = {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E,
	                                0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
	                                0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
	int err = decode_disconnect(version, f, MQTT_PROPS_DISCONNECT_SERVER, ret, ret_reason);

	if (err)
		return err;
	return code_in(codes, (uint8_t)ret->reason) ? 0 : refuse(MQTT_PROTOCOL_ERROR, ret_reason);
}

int mqtt_decode_auth(enum mqtt_version version, const struct frame *f, struct mqtt_auth_view *ret,
                     enum mqtt_reason *ret_reason)
{
	static const uint8_t codes[] = {0x00, 0x18, 0x19}; /* [MQTT-3.15.2-1] */
	struct reader r = reader_of(f->body, f->body_len);
	int err;

	assert(frame_type(f) == MQTT_AUTH);
	if (version == MQTT_V311) /* the type is reserved there */
		return malformed(ret_reason);
	err = check_head(version, f, 0, ret_reason); /* [MQTT-3.15.1-1] */
	if (err)
		return err;
	if (f->body_len == 1) /* 3.15.2.1: reason and properties are left out together */
		return malformed(ret_reason);
	err = read_reason(&r, MQTT_PROPS_AUTH, &ret->reason, &ret->props, ret_reason);
	if (err)
		return err;
	if (!code_in(codes, (uint8_t)ret->reason))
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	/* 3.15.2.2.2: to omit the method is a protocol error, unless all is left out */
	if (f->body_len > 0 && !mqtt_props_has(&ret->props, MQTT_PROP_AUTH_METHOD))
		return refuse(MQTT_PROTOCOL_ERROR, ret_reason);
	return 0;
}
