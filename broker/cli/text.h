/* text.h - words and places for people: sizes, ages, lines cut to a terminal, the place in a
 * payload that a JSON Pointer names. Pure. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* "0 B", "812 B", "1.2 kB", "20 GB": powers of 1,000. */
void text_bytes(struct buf *b, uint64_t bytes);
/* "1,234,567". */
void text_count(struct buf *b, uint64_t n);
/* "just now", "12 s", "3 min", "5 h", "12 d". */
void text_age(struct buf *b, int64_t seconds);

/* Appends s as one line: control characters and bytes that are not UTF-8 become '.', so that a
 * payload cannot steer the terminal. At most columns characters (0: all), then cut with "...". */
void text_line(struct buf *b, struct span s, unsigned columns);
/* What a terminal shows weaker, stronger, or as something to look at. */
enum text_weight { TEXT_PLAIN, TEXT_FAINT, TEXT_BOLD, TEXT_GOOD, TEXT_BAD };
/* Appends s so, or as it is without colour. s must not come from others: see text_line(). */
void text_weighted(struct buf *b, bool colour, enum text_weight weight, struct span s);
/* How many characters s shows. */
unsigned text_columns(struct span s);

/* "feed:EPOCH:SEQUENCE" as event ids are, perhaps with "-word" after it. 0 or ERR_MALFORMED. */
struct text_position {
	uint64_t epoch, sequence;
};
int text_event_position(struct span id, struct text_position *ret) MUSTCHECK;

/* A time as people give it: RFC 3339, or "10m", "2h", "3d" ago. ms UTC. 0 or ERR_MALFORMED. */
int text_time(struct span s, int64_t now_ms, int64_t *ret_ms) MUSTCHECK;

/* RFC 3339 in UTC; the caller frees. */
char *text_rfc3339(int64_t ms);

/* Percent-encodes for a path segment or a query value (RFC 3986 unreserved stay). */
void text_percent(struct buf *b, struct span s);

#endif
