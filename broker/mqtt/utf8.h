/* utf8.h - UTF-8 as MQTT wants it: well-formed by RFC 3629, no surrogates [MQTT-1.5.4-1], and in
 * strings no U+0000 [MQTT-1.5.4-2] (3.1.1: [MQTT-1.5.3-1], [MQTT-1.5.3-2]). Eight bytes at a time
 * while they are ASCII. */
#ifndef MQTT_UTF8_H
#define MQTT_UTF8_H

#include "base/span.h"

#include <stdbool.h>

bool mqtt_utf8_valid(struct span s);   /* a payload: U+0000 is allowed */
bool mqtt_string_valid(struct span s); /* a string: it is not */
/* A string without '+' and '#', the wildcards; says which of the two rules broke. Length 0 passes.
 * 0, ERR_MALFORMED (not a string) or ERR_PROTOCOL (a wildcard). */
int mqtt_topic_string_check(struct span s) MUSTCHECK;
/* The longest n' <= n bytes of s that do not cut a character in two. */
size_t mqtt_utf8_cut(struct span s, size_t n);

#endif
