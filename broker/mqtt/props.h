/* props.h - the property section of a MQTT 5 packet (2.2.2), decoded once into a fixed struct.
 *
 * Values that may come once are members, with a bit in `has`; a member whose bit is not set is
 * zero, and the accessors at the end give the protocol's default. User properties (in order) and
 * subscription identifiers, which may repeat, are read from `raw` by the two iterators. All spans
 * are views into the bytes that were decoded.
 *
 * The same struct is what encoders take (encode.h): set members and bits; put user properties,
 * encoded by wire_user_property(), into raw. Of raw only user properties and subscription
 * identifiers are ever written; n_user and n_subscription_ids say whether it holds any. */
#ifndef MQTT_PROPS_H
#define MQTT_PROPS_H

#include "base/compiler.h"
#include "base/span.h"
#include "mqtt/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mqtt_prop { /* MQTT 5.0, table 2-4: all below 64, so one bit of `has` each */
	         MQTT_PROP_PAYLOAD_FORMAT = 0x01,
	         MQTT_PROP_MESSAGE_EXPIRY = 0x02,
	         MQTT_PROP_CONTENT_TYPE = 0x03,
	         MQTT_PROP_RESPONSE_TOPIC = 0x08,
	         MQTT_PROP_CORRELATION_DATA = 0x09,
	         MQTT_PROP_SUBSCRIPTION_ID = 0x0B,
	         MQTT_PROP_SESSION_EXPIRY = 0x11,
	         MQTT_PROP_ASSIGNED_CLIENT_ID = 0x12,
	         MQTT_PROP_SERVER_KEEP_ALIVE = 0x13,
	         MQTT_PROP_AUTH_METHOD = 0x15,
	         MQTT_PROP_AUTH_DATA = 0x16,
	         MQTT_PROP_REQUEST_PROBLEM_INFO = 0x17,
	         MQTT_PROP_WILL_DELAY = 0x18,
	         MQTT_PROP_REQUEST_RESPONSE_INFO = 0x19,
	         MQTT_PROP_RESPONSE_INFO = 0x1A,
	         MQTT_PROP_SERVER_REFERENCE = 0x1C,
	         MQTT_PROP_REASON_STRING = 0x1F,
	         MQTT_PROP_RECEIVE_MAXIMUM = 0x21,
	         MQTT_PROP_TOPIC_ALIAS_MAXIMUM = 0x22,
	         MQTT_PROP_TOPIC_ALIAS = 0x23,
	         MQTT_PROP_MAXIMUM_QOS = 0x24,
	         MQTT_PROP_RETAIN_AVAILABLE = 0x25,
	         MQTT_PROP_USER_PROPERTY = 0x26,
	         MQTT_PROP_MAXIMUM_PACKET_SIZE = 0x27,
	         MQTT_PROP_WILDCARD_AVAILABLE = 0x28,
	         MQTT_PROP_SUBSCRIPTION_ID_AVAILABLE = 0x29,
	         MQTT_PROP_SHARED_AVAILABLE = 0x2A
};

#define MQTT_HAS(prop) (1ull << (prop))

struct mqtt_props {
	uint64_t has; /* MQTT_HAS(MQTT_PROP_...) */
	uint32_t message_expiry_s, session_expiry_s, will_delay_s, maximum_packet_size;
	uint32_t subscription_id; /* the first */
	uint32_t n_user, n_subscription_ids;
	uint16_t receive_maximum, topic_alias_maximum, topic_alias, server_keep_alive_s;
	uint8_t payload_format, request_problem_info, request_response_info, maximum_qos;
	uint8_t retain_available, wildcard_available, subscription_id_available, shared_available;
	struct span content_type, response_topic, correlation_data;
	struct span assigned_client_id, auth_method, auth_data, response_info, server_reference;
	struct span reason_string;
	struct span raw; /* the whole section without its length */
};

enum mqtt_props_of { /* whose property section it is: decides what is allowed in it */
	             MQTT_PROPS_CONNECT,
	             MQTT_PROPS_WILL,
	             MQTT_PROPS_CONNACK,
	             MQTT_PROPS_PUBLISH,        /* client to server */
	             MQTT_PROPS_PUBLISH_SERVER, /* server to client */
	             MQTT_PROPS_ACK,            /* PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK */
	             MQTT_PROPS_SUBSCRIBE,
	             MQTT_PROPS_UNSUBSCRIBE,
	             MQTT_PROPS_DISCONNECT,        /* client to server */
	             MQTT_PROPS_DISCONNECT_SERVER, /* server to client */
	             MQTT_PROPS_AUTH
};

/* Reads and checks a section without its length field (the stored properties of a record, say:
 * MQTT_PROPS_PUBLISH). raw must outlive ret. 0, ERR_MALFORMED, ERR_PROTOCOL or ERR_TOO_LARGE (over
 * LIMIT_USER_PROPERTIES_BYTES), with the reason to close with. */
int mqtt_props_decode(struct span raw, enum mqtt_props_of of, struct mqtt_props *ret,
                      enum mqtt_reason *ret_reason) MUSTCHECK;

static inline bool mqtt_props_has(const struct mqtt_props *p, enum mqtt_prop prop)
{
	return p->has >> prop & 1;
}

/* Iterators over raw: start with *at = 0, false at the end. raw must have been decoded, or built by
 * wire_user_property(). */
bool mqtt_props_next_user(const struct mqtt_props *p, size_t *at, struct span *ret_name,
                          struct span *ret_value);
bool mqtt_props_next_subscription_id(const struct mqtt_props *p, size_t *at, uint32_t *ret);
/* The first user property of that name; false when there is none. */
bool mqtt_props_find_user(const struct mqtt_props *p, const char *name, struct span *ret_value);

/* What a record keeps of a PUBLISH and passes on unaltered [MQTT-3.3.2-4], [MQTT-3.3.2-15],
 * [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-18], [MQTT-3.3.2-20]: payload format, content type,
 * response topic, correlation data and user properties in their order; without topic alias, message
 * expiry and subscription identifiers. Copies ranges of raw; out has room for raw.n bytes. Returns
 * the bytes written: the `stored` of a struct mqtt_publish_out. */
size_t mqtt_props_for_record(const struct mqtt_props *p, uint8_t *out);
/* raw without the user properties of that name, to out, which has room for raw.n bytes. */
size_t mqtt_props_without_user(const struct mqtt_props *p, const char *name, uint8_t *out);

/* Defaults of the protocol when the property did not come. */
static inline uint32_t mqtt_props_receive_maximum(const struct mqtt_props *p)
{
	return p->receive_maximum ? p->receive_maximum : 65535;
}
/* 0: no limit but the protocol's */
static inline uint32_t mqtt_props_maximum_packet_size(const struct mqtt_props *p)
{
	return p->maximum_packet_size;
}
static inline bool mqtt_props_request_problem_info(const struct mqtt_props *p)
{
	return !mqtt_props_has(p, MQTT_PROP_REQUEST_PROBLEM_INFO) || p->request_problem_info;
}
static inline uint8_t mqtt_props_maximum_qos(const struct mqtt_props *p)
{
	return mqtt_props_has(p, MQTT_PROP_MAXIMUM_QOS) ? p->maximum_qos : 2;
}

#endif
