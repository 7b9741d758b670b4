/* reason.c - the names of packet types, and the way to and from MQTT 3.1.1. */
#include "mqtt/reason.h"

#include "base/compiler.h"
#include "mqtt/frame.h"

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
