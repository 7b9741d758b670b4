/* rfc3339.h - RFC 3339 date-time, both ways, UTC milliseconds since 1970. Pure.
 *
 * Reading: 'T' or 't' or one space is NOT accepted as separator other than T/t; 'Z'/'z' or an
 * offset is required; 0 to 9 fractional digits, cut to milliseconds; second 60 only where a leap
 * second can be (23:59:60 UTC), taken as 59.999; years 0001-9999; days checked against the month
 * (leap years too); offset at most 23:59. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include "base/compiler.h"
#include "base/span.h"

enum { RFC3339_BYTES = 24 }; /* 2026-11-24T12:34:56.789Z, no terminator */

int rfc3339_parse(struct span s, int64_t *ret_ms) MUSTCHECK; /* 0 or ERR_MALFORMED */
/* Writes exactly RFC3339_BYTES bytes with milliseconds and Z. ms is clamped to years 0000-9999. */
void rfc3339_format(int64_t ms, char out[RFC3339_BYTES]);

#endif
