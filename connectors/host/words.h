/* words.h - what mappings can ask the host, beyond what jq has: an object goes out, the answer
 * comes in (mapping.c; lib/oudp.jq and lib/lorawan.jq have functions for each).
 *
 *   {"utc": TEXT}     an RFC 3339 time with an offset as one of UTC, whole seconds; false: it is
 * none
 *   {"level": TEXT}   a level of a topic: lower case, what is no letter, digit, dot, hyphen or
 *                     underscore becomes a hyphen
 *   {"decode": {...}} members of a frame of a device: frames.h
 *
 * Times and names stand in every message, and jq needs some 10 us for each: its regular expressions
 * are compiled each time. */
#ifndef HOST_WORDS_H
#define HOST_WORDS_H

#include "host/frames.h"

/* Takes said over. Invalid when it is no question. */
jv words_answer(struct frames *f, jv said);

#endif
