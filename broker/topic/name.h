/* name.h - topic names and filters (MQTT 5.0, 4.7 and 4.8): are they legal, do they match.
 *
 * Strings are UTF-8 without U+0000 already (the mqtt room saw to that). Pure. */
#ifndef TOPIC_NAME_H
#define TOPIC_NAME_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

#include <stdbool.h>

/* A topic to publish to: not empty [MQTT-4.7.3-1], no U+0000 [MQTT-4.7.3-2], no wildcards
 * [MQTT-3.3.2-2]. 0, ERR_MALFORMED, or ERR_TOO_LARGE: over LIMIT_TOPIC_BYTES or LIMIT_TOPIC_LEVELS.
 */
int topic_name_check(struct span topic) MUSTCHECK;

struct topic_filter {
	struct span filter; /* without $share/{group}/ */
	struct span group;  /* empty: not shared */
	bool wildcards;     /* has '+' or '#' */
};

/* A filter to subscribe with: '+' alone in its level [MQTT-4.7.1-2], '#' alone in the last
 * [MQTT-4.7.1-1]. With allow_shared, $share/{group}/{filter} is taken apart: group at least one
 * character and without '/', '+', '#' [MQTT-4.8.2-1], [MQTT-4.8.2-2]; else it is a plain filter.
 * The spans are views into s. 0, ERR_MALFORMED or ERR_TOO_LARGE. */
int topic_filter_check(struct span s, bool allow_shared, struct topic_filter *ret) MUSTCHECK;

/* Whether a legal filter (without $share) takes a legal topic. '#' also takes the parent level; a
 * leading wildcard does not take a topic that begins with '$' [MQTT-4.7.2-1]. */
bool topic_matches(struct span filter, struct span topic);

/* Whether any topic exists that both filters take (the empty one counts: "+" and "/#" meet). */
bool topic_filters_intersect(struct span a, struct span b);

/* All levels at once, quickly: at most LIMIT_TOPIC_LEVELS of them to out. Returns how many, or 0
 * when there are more. */
unsigned topic_split(struct span s, struct span out[LIMIT_TOPIC_LEVELS]);

/* Level after level: start with *at = 0; false at the end. An empty string has one empty level. */
bool topic_next_level(struct span s, size_t *at, struct span *ret);

#endif
