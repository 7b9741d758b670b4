/* observe_write.h - observations, aggregates and datastreams as JSON, CSV, NDJSON and GeoJSON.
 * Pure.
 *
 * One datastream: its description once, then rows of time and value. Many: each row names its
 * datastream. CSV is RFC 4180 with a line of names; texts stand in quotes, numbers never do. Times
 * are those of the zone that was asked for. */
#ifndef WEB_OBSERVE_WRITE_H
#define WEB_OBSERVE_WRITE_H

#include "config/config.h"
#include "web/observe.h"

enum observe_format { AS_JSON, AS_CSV, AS_NDJSON, AS_GEOJSON, AS_FORMATS };
extern const char *const observe_types[AS_FORMATS]; /* "application/json" */

struct observe_writer {
	struct buf *b;
	const struct observe *o;
	struct grid *crs; /* NULL: degrees only */
	enum observe_format format;
	bool one;         /* all rows are of one datastream */
	int64_t now_ms;   /* freshness is judged by it */
	uint64_t rows;    /* written so far */
	struct buf head;  /* of a row: which datastream */
	struct buf place; /* GeoJSON: its geometry */
	uint64_t cadence_s;
	struct span details; /* of the observation that is written next, a JSON object; n 0: none */
};
/* What places are written in; NULL: degrees. RD is asked for only where there is a grid. */
static inline struct grid *observe_rd(const struct observe_writer *w)
{
	return w->o->crs == CRS_RD ? w->crs : NULL;
}

void observe_writer_init(struct observe_writer *w, struct buf *b, const struct observe *o,
                         enum observe_format format);
void observe_writer_done(struct observe_writer *w);

/* Of observations: begin, then for each datastream its rows, then end. s: the one datastream, NULL:
 * many. */
void observe_begin(struct observe_writer *w, const struct series_stream *s,
                   const struct config_feed *feed);
void observe_stream(struct observe_writer *w, const struct series_stream *s);
void observe_point(struct observe_writer *w, const struct points *all, const struct point *p);
void observe_value(struct observe_writer *w, const struct series_value *v); /* a latest */
void observe_bucket(struct observe_writer *w, const struct series_bucket *k);
/* next: the cursor of the next page, NULL: this was the last. */
void observe_end(struct observe_writer *w, const char *next);

/* Of datastreams: the same with one row for each. feed NULL: it is no longer configured. */
void observe_list_begin(struct observe_writer *w);
void observe_list_row(struct observe_writer *w, const struct series_stream *s,
                      const struct config_feed *feed);
/* The object of one datastream. */
void observe_stream_object(struct observe_writer *w, const struct series_stream *s,
                           const struct config_feed *feed);

/* Has anything come within the cadence? -1: no cadence is stated, or nothing came yet. */
int observe_fresh(uint64_t cadence_s, int64_t last_stored_ms, int64_t now_ms);
/* What the flags mean, "late future", separated by sep. */
void observe_write_flags(struct buf *b, unsigned flags, const char *sep);
void observe_write_number(struct buf *b, double v);
/* Its place as GeoJSON, in the system asked for; null where that has none. */
void observe_write_geometry(struct observe_writer *w, struct buf *b, const struct series_stream *s);
/* As a column: in quotes, RFC 4180. */
void observe_write_csv_text(struct buf *b, struct span s);
void observe_write_bare_time(struct observe_writer *w, int64_t ms);
/* Of GeoJSON, up to the first feature; observe_end() ends it. */
void observe_features_begin(struct observe_writer *w);
/* A time in quotes, in the zone asked for. */
void observe_write_time(struct observe_writer *w, struct buf *b, int64_t ms);

#endif
