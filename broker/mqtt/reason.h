/* reason.h - the words MQTT answers with: MQTT 5 reason codes (MQTT 5.0, 2.4) and MQTT 3.1.1
 * CONNACK return codes (3.2.2.3), their names, and the translation between them.
 *
 * A reason code is never carried in an int error; base/err.h codes are never sent. */
#ifndef MQTT_REASON_H
#define MQTT_REASON_H

#include <stdbool.h>
#include <stdint.h>

enum mqtt_version { MQTT_V311 = 4, MQTT_V5 = 5 }; /* as the CONNECT says it */

enum mqtt_reason {
	MQTT_SUCCESS = 0x00,
	MQTT_NORMAL_DISCONNECTION = 0x00,
	MQTT_GRANTED_QOS_0 = 0x00,
	MQTT_GRANTED_QOS_1 = 0x01,
	MQTT_GRANTED_QOS_2 = 0x02,
	MQTT_DISCONNECT_WITH_WILL = 0x04,
	MQTT_NO_MATCHING_SUBSCRIBERS = 0x10,
	MQTT_NO_SUBSCRIPTION_EXISTED = 0x11,
	MQTT_CONTINUE_AUTHENTICATION = 0x18,
	MQTT_REAUTHENTICATE = 0x19,
	MQTT_UNSPECIFIED_ERROR = 0x80,
	MQTT_MALFORMED_PACKET = 0x81,
	MQTT_PROTOCOL_ERROR = 0x82,
	MQTT_IMPLEMENTATION_SPECIFIC_ERROR = 0x83,
	MQTT_UNSUPPORTED_PROTOCOL_VERSION = 0x84,
	MQTT_CLIENT_IDENTIFIER_NOT_VALID = 0x85,
	MQTT_BAD_USER_NAME_OR_PASSWORD = 0x86,
	MQTT_NOT_AUTHORIZED = 0x87,
	MQTT_SERVER_UNAVAILABLE = 0x88,
	MQTT_SERVER_BUSY = 0x89,
	MQTT_BANNED = 0x8A,
	MQTT_SERVER_SHUTTING_DOWN = 0x8B,
	MQTT_BAD_AUTHENTICATION_METHOD = 0x8C,
	MQTT_KEEP_ALIVE_TIMEOUT = 0x8D,
	MQTT_SESSION_TAKEN_OVER = 0x8E,
	MQTT_TOPIC_FILTER_INVALID = 0x8F,
	MQTT_TOPIC_NAME_INVALID = 0x90,
	MQTT_PACKET_IDENTIFIER_IN_USE = 0x91,
	MQTT_PACKET_IDENTIFIER_NOT_FOUND = 0x92,
	MQTT_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
	MQTT_TOPIC_ALIAS_INVALID = 0x94,
	MQTT_PACKET_TOO_LARGE = 0x95,
	MQTT_MESSAGE_RATE_TOO_HIGH = 0x96,
	MQTT_QUOTA_EXCEEDED = 0x97,
	MQTT_ADMINISTRATIVE_ACTION = 0x98,
	MQTT_PAYLOAD_FORMAT_INVALID = 0x99,
	MQTT_RETAIN_NOT_SUPPORTED = 0x9A,
	MQTT_QOS_NOT_SUPPORTED = 0x9B,
	MQTT_USE_ANOTHER_SERVER = 0x9C,
	MQTT_SERVER_MOVED = 0x9D,
	MQTT_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E,
	MQTT_CONNECTION_RATE_EXCEEDED = 0x9F,
	MQTT_MAXIMUM_CONNECT_TIME = 0xA0,
	MQTT_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1,
	MQTT_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2,
};

enum mqtt_connack_v3 { /* MQTT 3.1.1, table 3.1 */
	               MQTT_V3_ACCEPTED = 0,
	               MQTT_V3_UNACCEPTABLE_VERSION = 1,
	               MQTT_V3_IDENTIFIER_REJECTED = 2,
	               MQTT_V3_SERVER_UNAVAILABLE = 3,
	               MQTT_V3_BAD_USER_NAME_OR_PASSWORD = 4,
	               MQTT_V3_NOT_AUTHORIZED = 5
};

/* "payload format invalid"; "unknown reason" for a code that is none. Static storage. 0x00 reads
 * "success". */
const char *mqtt_reason_name(enum mqtt_reason reason);

static inline bool mqtt_reason_is_error(enum mqtt_reason reason)
{
	return reason >= 0x80;
}

/* The CONNACK return code for a refusal on MQTT 3.1.1. A reason without a counterpart becomes
 * "server unavailable": the client may try again. */
uint8_t mqtt_reason_to_v3(enum mqtt_reason reason);
/* The reason a 3.1.1 CONNACK return code stands for; 6 and above: MQTT_UNSPECIFIED_ERROR. */
enum mqtt_reason mqtt_reason_from_v3(uint8_t code);

#endif
