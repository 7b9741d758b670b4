/* zone_rule.h - the rule by which the clocks change every year, as POSIX writes it in TZ:
 * "CET-1CEST,M3.5.0,M10.5.0/3". Pure. With the extension of RFC 8536 3.3.1: hours -167..167. */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include "base/compiler.h"
#include "base/span.h"

struct zone_rule_day {
	char kind; /* 'M': day of week; 'J': 1..365 without leap days; 'D': 0..365 */
	int month, week, day;
	int32_t time_s; /* local, of that day */
};

struct zone_rule {
	int32_t standard, summer; /* seconds east of UTC */
	bool has_summer;
	struct zone_rule_day begin, end; /* of summer time */
};

int zone_rule_read(struct span s, struct zone_rule *ret) MUSTCHECK; /* 0 or ERR_MALFORMED */
/* The offset at t (s UTC). */
int32_t zone_rule_offset(const struct zone_rule *r, int64_t t);
/* The first change after t; INT64_MAX: never. */
int64_t zone_rule_change(const struct zone_rule *r, int64_t t);

#endif
