/* zone.h - named time zones: what the local clock says at a moment, and when it says so. Pure but
 * for zone_load(), which reads a file of the system's time zone database.
 *
 * Source: RFC 8536 (TZif, versions 1 to 4, with the rule of the footer for the years after the last
 * change that is listed). A struct zone does not change after it was made. Times are milliseconds
 * since 1970, UTC; local times are the same count of what a clock on the wall shows. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/buf.h"

enum { ZONE_NAME_BYTES = 64, ZONE_TIME_BYTES = 29 }; /* 2026-11-24T12:34:56.789+01:00 */

struct zone;

/* From the bytes of a TZif file. 0; ERR_MALFORMED, ERR_TOO_LARGE. */
int zone_read(struct span tzif, struct zone **ret) MUSTCHECK;
/* "Europe/Amsterdam" from dir ("/usr/share/zoneinfo"); "UTC" needs no file. 0; ERR_MALFORMED (no
 * such name can be), ERR_NOT_FOUND, or what zone_read() says. */
int zone_load(const char *dir, struct span name, struct zone **ret) MUSTCHECK;
void zone_free(struct zone *z); /* accepts NULL */

/* Milliseconds east of UTC. */
int64_t zone_offset(const struct zone *z, int64_t utc_ms);
static inline int64_t zone_local(const struct zone *z, int64_t utc_ms)
{
	return utc_ms + zone_offset(z, utc_ms);
}
/* When the clock first shows this. An hour that is passed over: the moment the clocks go forward.
 */
int64_t zone_utc(const struct zone *z, int64_t local_ms);
/* The first change of the offset after utc_ms and before until_ms; until_ms when there is none. */
int64_t zone_change(const struct zone *z, int64_t utc_ms, int64_t until_ms);

/* RFC 3339 with the local offset (Z where it is UTC); milliseconds only when there are any.
 * Returns how many bytes, without a terminator. Seconds of an offset are cut. */
unsigned zone_format(const struct zone *z, int64_t utc_ms, char out[ZONE_TIME_BYTES]);

#endif
