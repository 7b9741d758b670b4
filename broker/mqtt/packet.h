/* packet.h - what the body of each control packet says, as a view into the receive buffer.
 *
 * Decoders check everything that can be decided from the packet alone and nothing that needs a
 * session: topic filters are well-formed strings here, their wildcards are the topic room's; that a
 * topic alias is within the offered maximum, that an identifier is in use, or that a client id is
 * too long for us, is the session's.
 *
 * Each returns 0, or ERR_MALFORMED / ERR_PROTOCOL / ERR_TOO_LARGE with the MQTT 5 reason to close
 * with in *ret_reason (MQTT_MALFORMED_PACKET, MQTT_PROTOCOL_ERROR,
 * MQTT_UNSUPPORTED_PROTOCOL_VERSION, MQTT_TOPIC_NAME_INVALID, MQTT_TOPIC_ALIAS_INVALID, ...); it is
 * set for 3.1.1 too, where it serves the log and CONNACK only. On success *ret_reason is untouched;
 * on failure the view's content is not specified (it may be half filled: no copy is made for it).
 *
 * Views are valid until the receive buffer is read into again. Nothing is copied or allocated.
 * frame_type(f) must be the right one: asserted. On 3.1.1 all props are empty. */
#ifndef MQTT_PACKET_H
#define MQTT_PACKET_H

#include "base/compiler.h"
#include "base/span.h"
#include "mqtt/frame.h"
#include "mqtt/props.h"
#include "mqtt/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- from clients ---- */

struct mqtt_connect_view {
	enum mqtt_version version;
	bool clean_start; /* 3.1.1: clean session */
	bool has_will, will_retain, has_user_name, has_password;
	uint8_t will_qos;
	uint16_t keep_alive_s;
	struct span client_id; /* may be empty */
	struct span will_topic, will_payload, user_name, password;
	struct mqtt_props props, will_props;
};

/* A refused CONNECT may be answered before it is closed: by CONNACK in the form of the version it
 * asked for, see mqtt_connect_version(). MQTT_CLIENT_IDENTIFIER_NOT_VALID: 3.1.1 without client id
 * and without clean session [MQTT-3.1.3-8]. */
int mqtt_decode_connect(const struct frame *f, struct mqtt_connect_view *ret,
                        enum mqtt_reason *ret_reason) MUSTCHECK;
/* The protocol level a CONNECT names, without checking the rest; 0 when there is none to be read or
 * the protocol name is unknown. 3 (MQTT 3.1) may come out: answer in 3.1.1 form. */
uint8_t mqtt_connect_version(const struct frame *f);

struct mqtt_publish_view {
	uint8_t qos;
	bool dup, retain;
	uint16_t packet_id; /* 0 with QoS 0 */
	struct span topic;  /* empty: take it from props.topic_alias */
	struct span payload;
	struct mqtt_props props;
};

int mqtt_decode_publish(enum mqtt_version version, const struct frame *f,
                        struct mqtt_publish_view *ret, enum mqtt_reason *ret_reason) MUSTCHECK;

struct mqtt_subscription {  /* one filter of a SUBSCRIBE with its options */
	struct span filter; /* a well-formed string, not empty */
	uint8_t qos, retain_handling;
	bool no_local, retain_as_published;
};

struct mqtt_subscribe_view {
	uint16_t packet_id;
	uint32_t n;          /* filters, at least 1 */
	struct span filters; /* for mqtt_subscribe_next() */
	bool v5;
	struct mqtt_props props;
};

int mqtt_decode_subscribe(enum mqtt_version version, const struct frame *f,
                          struct mqtt_subscribe_view *ret, enum mqtt_reason *ret_reason) MUSTCHECK;
/* Start with *at = 0; false at the end. */
bool mqtt_subscribe_next(const struct mqtt_subscribe_view *v, size_t *at,
                         struct mqtt_subscription *ret);

struct mqtt_unsubscribe_view {
	uint16_t packet_id;
	uint32_t n;
	struct span filters;
	struct mqtt_props props;
};

int mqtt_decode_unsubscribe(enum mqtt_version version, const struct frame *f,
                            struct mqtt_unsubscribe_view *ret,
                            enum mqtt_reason *ret_reason) MUSTCHECK;
bool mqtt_unsubscribe_next(const struct mqtt_unsubscribe_view *v, size_t *at, struct span *ret);

struct mqtt_ack_view { /* PUBACK PUBREC PUBREL PUBCOMP, both directions */
	uint16_t packet_id;
	enum mqtt_reason reason; /* MQTT_SUCCESS when left out */
	struct mqtt_props props;
};

int mqtt_decode_ack(enum mqtt_version version, const struct frame *f, struct mqtt_ack_view *ret,
                    enum mqtt_reason *ret_reason) MUSTCHECK;

/* PINGREQ and PINGRESP: flags and length are zero. */
int mqtt_decode_ping(enum mqtt_version version, const struct frame *f,
                     enum mqtt_reason *ret_reason) MUSTCHECK;

struct mqtt_disconnect_view {
	enum mqtt_reason reason; /* MQTT_NORMAL_DISCONNECTION when left out */
	struct mqtt_props props;
};

int mqtt_decode_disconnect(enum mqtt_version version, const struct frame *f,
                           struct mqtt_disconnect_view *ret,
                           enum mqtt_reason *ret_reason) MUSTCHECK;

struct mqtt_auth_view { /* both directions; MQTT 5 only */
	enum mqtt_reason reason;
	struct mqtt_props props;
};

int mqtt_decode_auth(enum mqtt_version version, const struct frame *f, struct mqtt_auth_view *ret,
                     enum mqtt_reason *ret_reason) MUSTCHECK;

/* ---- from servers: for the command line, tests and fuzzers ---- */

struct mqtt_connack_view {
	bool session_present;
	uint8_t code;            /* as on the wire */
	enum mqtt_reason reason; /* the same as a reason, on 3.1.1 by mqtt_reason_from_v3() */
	struct mqtt_props props;
};

int mqtt_decode_connack(enum mqtt_version version, const struct frame *f,
                        struct mqtt_connack_view *ret, enum mqtt_reason *ret_reason) MUSTCHECK;

int mqtt_decode_publish_server(enum mqtt_version version, const struct frame *f,
                               struct mqtt_publish_view *ret,
                               enum mqtt_reason *ret_reason) MUSTCHECK;

struct mqtt_suback_view { /* SUBACK and UNSUBACK */
	uint16_t packet_id;
	struct span codes; /* one byte per filter; empty for UNSUBACK of 3.1.1 */
	struct mqtt_props props;
};

int mqtt_decode_suback(enum mqtt_version version, const struct frame *f,
                       struct mqtt_suback_view *ret, enum mqtt_reason *ret_reason) MUSTCHECK;
int mqtt_decode_unsuback(enum mqtt_version version, const struct frame *f,
                         struct mqtt_suback_view *ret, enum mqtt_reason *ret_reason) MUSTCHECK;

int mqtt_decode_disconnect_server(enum mqtt_version version, const struct frame *f,
                                  struct mqtt_disconnect_view *ret,
                                  enum mqtt_reason *ret_reason) MUSTCHECK;

#endif
