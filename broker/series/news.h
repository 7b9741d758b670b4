/* news.h - what the series notice about a sensor while they follow the journal, for whoever tells
 * people: too many values out of range, and a level that has jumped. */
#ifndef SERIES_NEWS_H
#define SERIES_NEWS_H

#include <stddef.h>
#include <stdint.h>

struct series;

enum news_kind {
	NEWS_IMPLAUSIBLE, /* LIMIT_QUALITY_SHARE of the last 32 are out of the plausible range */
	NEWS_PLAUSIBLE,   /* that is over */
	NEWS_JUMP         /* two in a row are far from what was before, and near each other */
};

struct news {
	uint32_t stream;
	enum news_kind kind;
	unsigned share;    /* of the last 32 */
	double to, spike;  /* JUMP: the new level; the schema's threshold */
	int64_t time_ms;   /* observed */
	int64_t stored_ms; /* by the broker's clock */
};

/* Takes what waits, at most max; what is over LIMIT_QUALITY_NEWS is left out and counted in
 * series_stats.news_left_out. Any thread. */
size_t series_news(struct series *s, struct news *ret, size_t max);

#endif
