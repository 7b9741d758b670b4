/* reason.c - the names of reason codes and packet types, and the way to and from MQTT 3.1.1. */
#include "mqtt/reason.h"

#include "base/compiler.h"
#include "mqtt/frame.h"

static const char *const names[] = {
    [MQTT_SUCCESS] = "success",
    [MQTT_GRANTED_QOS_1] = "granted QoS 1",
    [MQTT_GRANTED_QOS_2] = "granted QoS 2",
    [MQTT_DISCONNECT_WITH_WILL] = "disconnect with will message",
    [MQTT_NO_MATCHING_SUBSCRIBERS] = "no matching subscribers",
    [MQTT_NO_SUBSCRIPTION_EXISTED] = "no subscription existed",
    [MQTT_CONTINUE_AUTHENTICATION] = "continue authentication",
    [MQTT_REAUTHENTICATE] = "re-authenticate",
    [MQTT_UNSPECIFIED_ERROR] = "unspecified error",
    [MQTT_MALFORMED_PACKET] = "malformed packet",
    [MQTT_PROTOCOL_ERROR] = "protocol error",
    [MQTT_IMPLEMENTATION_SPECIFIC_ERROR] = "implementation specific error",
    [MQTT_UNSUPPORTED_PROTOCOL_VERSION] = "unsupported protocol version",
    [MQTT_CLIENT_IDENTIFIER_NOT_VALID] = "client identifier not valid",
    [MQTT_BAD_USER_NAME_OR_PASSWORD] = "bad user name or password",
    [MQTT_NOT_AUTHORIZED] = "not authorized",
    [MQTT_SERVER_UNAVAILABLE] = "server unavailable",
    [MQTT_SERVER_BUSY] = "server busy",
    [MQTT_BANNED] = "banned",
    [MQTT_SERVER_SHUTTING_DOWN] = "server shutting down",
    [MQTT_BAD_AUTHENTICATION_METHOD] = "bad authentication method",
    [MQTT_KEEP_ALIVE_TIMEOUT] = "keep alive timeout",
    [MQTT_SESSION_TAKEN_OVER] = "session taken over",
    [MQTT_TOPIC_FILTER_INVALID] = "topic filter invalid",
    [MQTT_TOPIC_NAME_INVALID] = "topic name invalid",
    [MQTT_PACKET_IDENTIFIER_IN_USE] = "packet identifier in use",
    [MQTT_PACKET_IDENTIFIER_NOT_FOUND] = "packet identifier not found",
    [MQTT_RECEIVE_MAXIMUM_EXCEEDED] = "receive maximum exceeded",
    [MQTT_TOPIC_ALIAS_INVALID] = "topic alias invalid",
    [MQTT_PACKET_TOO_LARGE] = "packet too large",
    [MQTT_MESSAGE_RATE_TOO_HIGH] = "message rate too high",
    [MQTT_QUOTA_EXCEEDED] = "quota exceeded",
    [MQTT_ADMINISTRATIVE_ACTION] = "administrative action",
    [MQTT_PAYLOAD_FORMAT_INVALID] = "payload format invalid",
    [MQTT_RETAIN_NOT_SUPPORTED] = "retain not supported",
    [MQTT_QOS_NOT_SUPPORTED] = "QoS not supported",
    [MQTT_USE_ANOTHER_SERVER] = "use another server",
    [MQTT_SERVER_MOVED] = "server moved",
    [MQTT_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED] = "shared subscriptions not supported",
    [MQTT_CONNECTION_RATE_EXCEEDED] = "connection rate exceeded",
    [MQTT_MAXIMUM_CONNECT_TIME] = "maximum connect time",
    [MQTT_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED] = "subscription identifiers not supported",
    [MQTT_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED] = "wildcard subscriptions not supported",
};

const char *mqtt_reason_name(enum mqtt_reason reason)
{
	size_t i = (size_t)reason;

	return i < ARRAY_LEN(names) && names[i] ? names[i] : "unknown reason";
}

uint8_t mqtt_reason_to_v3(enum mqtt_reason reason)
{
	switch (reason) {
	case MQTT_SUCCESS: return MQTT_V3_ACCEPTED;
	case MQTT_UNSUPPORTED_PROTOCOL_VERSION: return MQTT_V3_UNACCEPTABLE_VERSION;
	case MQTT_CLIENT_IDENTIFIER_NOT_VALID: return MQTT_V3_IDENTIFIER_REJECTED;
	case MQTT_BAD_USER_NAME_OR_PASSWORD:
	case MQTT_BAD_AUTHENTICATION_METHOD: return MQTT_V3_BAD_USER_NAME_OR_PASSWORD;
	case MQTT_NOT_AUTHORIZED:
	case MQTT_BANNED: return MQTT_V3_NOT_AUTHORIZED;
	default: return MQTT_V3_SERVER_UNAVAILABLE;
	}
}

enum mqtt_reason mqtt_reason_from_v3(uint8_t code)
{
	switch (code) {
	case MQTT_V3_ACCEPTED: return MQTT_SUCCESS;
	case MQTT_V3_UNACCEPTABLE_VERSION: return MQTT_UNSUPPORTED_PROTOCOL_VERSION;
	case MQTT_V3_IDENTIFIER_REJECTED: return MQTT_CLIENT_IDENTIFIER_NOT_VALID;
	case MQTT_V3_SERVER_UNAVAILABLE: return MQTT_SERVER_UNAVAILABLE;
	case MQTT_V3_BAD_USER_NAME_OR_PASSWORD: return MQTT_BAD_USER_NAME_OR_PASSWORD;
	case MQTT_V3_NOT_AUTHORIZED: return MQTT_NOT_AUTHORIZED;
	default: return MQTT_UNSPECIFIED_ERROR;
	}
}

const char *mqtt_type_name(enum mqtt_type type)
{
	static const char *const types[16] = {"RESERVED",  "CONNECT",  "CONNACK",     "PUBLISH",
	                                      "PUBACK",    "PUBREC",   "PUBREL",      "PUBCOMP",
	                                      "SUBSCRIBE", "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
	                                      "PINGREQ",   "PINGRESP", "DISCONNECT",  "AUTH"};

	return types[(unsigned)type & 15];
}
