/* words.h - what people read on the pages: Dutch or English, names of what is measured, units as
 * they are written, numbers and times as they are said. Pure (local times: of the process's zone).
 */
#ifndef WEB_WORDS_H
#define WEB_WORDS_H

#include "base/buf.h"
#include "base/span.h"

#include <stdint.h>

enum language { DUTCH, ENGLISH };

/* The best of both for an Accept-Language header [RFC 9110, 12.5.4]; Dutch when neither is asked
 * for. */
enum language language_of(const char *accept);
static inline const char *language_code(enum language l)
{
	return l == DUTCH ? "nl" : "en";
}

/* The name of a result member of the shared schemas: "pm25" is "fijnstof PM2,5". Of one that is not
 * known, the member itself. Appends. */
void words_member(struct buf *b, enum language l, struct span member);
bool words_is_member(struct span member); /* whether it has a name there */
/* The title of a shared schema in Dutch: "air-quality-observed" is "Luchtkwaliteit"; NULL: another,
 * whose own title has to do. */
const char *words_schema(struct span name);
/* UCUM as people write it: "ug/m3" is "µg/m³", "1" is nothing. Appends. */
void words_unit(struct buf *b, struct span ucum);
/* Whether a result is a share of one, which people read as a percentage. */
bool words_is_share(struct span member, struct span ucum);
/* 12.5 is "12,5" in Dutch; at most six digits that count. Appends. */
void words_number(struct buf *b, enum language l, double v);
/* "1.234.567" in Dutch, "1,234,567" in English. Appends. */
void words_count(struct buf *b, enum language l, uint64_t n);
/* "412 kB", "77,1 GB": powers of 1,000. Appends. */
void words_bytes(struct buf *b, enum language l, uint64_t n);
/* "12 seconden", "3 minuten", "5 uur", "2 dagen". Appends. */
void words_duration(struct buf *b, enum language l, uint64_t seconds);
/* "3 minuten geleden"; "over 2 minuten" for a time to come. Appends. */
void words_ago(struct buf *b, enum language l, int64_t then_ms, int64_t now_ms);
/* "30 nov 2026 12:34:56 CET", local time. Appends. */
void words_time(struct buf *b, enum language l, int64_t ms);

#endif
