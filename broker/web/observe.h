/* observe.h - what is asked of the time series: the query of the resources below /v1/datastreams,
 * /v1/things and /v1/observations, checked. Pure: zones are looked up by the caller's function.
 *
 * Everything that is wrong is told at once, each with the parameter's name. */
#ifndef WEB_OBSERVE_H
#define WEB_OBSERVE_H

#include "base/period.h"
#include "privacy/grid.h"
#include "series/series.h"
#include "web/ask.h"
#include "web/crs.h"

enum observe_figure { /* bits of aggregate= */
	              FIGURE_MEAN = 1,
	              FIGURE_MIN = 2,
	              FIGURE_MAX = 4,
	              FIGURE_SUM = 8,
	              FIGURE_COUNT = 16,
	              FIGURE_FIRST = 32,
	              FIGURE_LAST = 64,
	              FIGURE_PRESENT = 128 /* of what the cadence promises, 0 to 1 */
};
enum { FIGURES = 8 };
extern const char *const observe_figures[FIGURES]; /* their words, by bit */

enum observe_way {                  /* which parameters there are */
	           OBSERVE_ONE = 1, /* observations of one datastream */
	           OBSERVE_MANY,    /* of many: filters; without a time the latest of each */
	           OBSERVE_STREAMS, /* a list of datastreams */
	           OBSERVE_CHART,   /* a drawing of one datastream */
	           OBSERVE_FRESH,   /* of one thing */
	           OBSERVE_PLACES   /* where it was */
};

/* A page's end, to go on from: in which datastream, and where in it. "12", "12:1795521600000:3". */
struct observe_cursor {
	struct series_cursor stream, inner;
};

struct observe {
	bool has_from, has_to;
	int64_t from_ms, to_ms;  /* SERIES_TIME_MIN, SERIES_TIME_MAX when not given */
	unsigned figures;        /* 0: single observations */
	struct period interval;  /* with figures */
	const struct zone *zone; /* never NULL */
	char zone_name[ZONE_NAME_BYTES + 1];
	bool descending, original, rejected, stored, latest;
	bool together; /* all datastreams as if they were one */
	int64_t stored_since_ms;
	uint64_t limit; /* rows; UINT64_MAX: all, as a stream */
	struct observe_cursor cursor;
	struct series_filter filter; /* its spans point into the query */
	enum crs crs;                /* crs=: of bbox and radius, and of the answer */
	bool crs_asked;
	struct span format;     /* format=, or n == 0 */
	unsigned width, height; /* of a chart, in pixels */
	bool dutch;             /* lang=nl */
	bool lang_asked;
};

struct observe_context {
	int64_t now_ms;
	/* The zone of that name, which outlives the struct observe; NULL: there is none. */
	const struct zone *(*zone)(void *arg, struct span name);
	void *arg;
	/* Degrees to and from RD; NULL: crs= is refused. */
	struct grid *crs;
};

/* faults->n says whether it is all right. q outlives ret. */
void observe_read(const struct query *q, enum observe_way way, const struct observe_context *c,
                  struct observe *ret, struct faults *faults);

/* The text of a cursor, as cursor= takes it. */
enum { OBSERVE_CURSOR_BYTES = 72 };
void observe_cursor_write(const struct observe_cursor *c, char out[OBSERVE_CURSOR_BYTES]);
/* 0 or ERR_MALFORMED. */
int observe_cursor_read(struct span s, struct observe_cursor *ret) MUSTCHECK;

/* A time: RFC 3339, or a date or a date and time without an offset, by the zone's clock. 0 or
 * ERR_MALFORMED. */
int observe_time(struct span s, const struct zone *z, int64_t *ret_ms) MUSTCHECK;

#endif
