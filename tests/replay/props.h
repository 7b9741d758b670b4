/* props.h - the properties of MQTT 5 as scenarios name them (table 2-4). */
#ifndef TESTS_REPLAY_PROPS_H
#define TESTS_REPLAY_PROPS_H

#include <stddef.h>
#include <stdint.h>

enum prop_kind { KIND_U8, KIND_U16, KIND_U32, KIND_VARINT, KIND_STRING, KIND_PAIR };

struct prop {
	const char *name;
	uint8_t id;
	enum prop_kind kind; /* a string and binary data look alike */
};

static const struct prop props[] = {{"format", 0x01, KIND_U8},
                                    {"expiry", 0x02, KIND_U32},
                                    {"content-type", 0x03, KIND_STRING},
                                    {"response-topic", 0x08, KIND_STRING},
                                    {"correlation", 0x09, KIND_STRING},
                                    {"subscription-id", 0x0B, KIND_VARINT},
                                    {"session-expiry", 0x11, KIND_U32},
                                    {"assigned-client-id", 0x12, KIND_STRING},
                                    {"server-keep-alive", 0x13, KIND_U16},
                                    {"auth-method", 0x15, KIND_STRING},
                                    {"auth-data", 0x16, KIND_STRING},
                                    {"request-problem-info", 0x17, KIND_U8},
                                    {"will-delay", 0x18, KIND_U32},
                                    {"request-response-info", 0x19, KIND_U8},
                                    {"response-info", 0x1A, KIND_STRING},
                                    {"server-reference", 0x1C, KIND_STRING},
                                    {"reason-string", 0x1F, KIND_STRING},
                                    {"receive-maximum", 0x21, KIND_U16},
                                    {"alias-maximum", 0x22, KIND_U16},
                                    {"alias", 0x23, KIND_U16},
                                    {"maximum-qos", 0x24, KIND_U8},
                                    {"retain-available", 0x25, KIND_U8},
                                    {"user", 0x26, KIND_PAIR},
                                    {"maximum-packet", 0x27, KIND_U32},
                                    {"wildcard-available", 0x28, KIND_U8},
                                    {"subscription-id-available", 0x29, KIND_U8},
                                    {"shared-available", 0x2A, KIND_U8}};

enum { PROPS = sizeof(props) / sizeof(props[0]) };

#endif
