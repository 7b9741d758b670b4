/* observing.h - an answer from the time series while it is being made.
 *
 * Two questions to the engine, one within the other: which datastreams, and for each of them its
 * observations. A page is gathered, bounded by its limit, and sent whole with its length, its ETag
 * and the link to the next one. limit=all is sent as it comes: no more than
 * LIMIT_SERIES_ANSWER_BYTES wait for a slow client, then the engine is not asked meanwhile. */
#ifndef WEB_OBSERVING_H
#define WEB_OBSERVING_H

#include "web/observe_write.h"
#include "web/permit.h"
#include "web/private.h"

struct observing {
	struct req *r;
	struct observe o;
	struct observe_writer w;
	struct permit *permit;
	enum observe_way way;
	uint32_t id;        /* the one datastream; 0: by filter */
	struct span within; /* of the path: the thing, for links */
	struct series_ask streams, one;
	size_t at;  /* in streams.streams: whose observations come now */
	bool asked; /* streams, at least once: the document has begun */
	bool waits; /* the engine is not asked until the client has taken something */
	bool ended;
	int64_t pieces; /* of time, looked at for this datastream */
	int64_t *edges;
	struct series_cursor inner; /* where its observations begin, once */
	void (*finish)(struct observing *g, const char *next); /* NULL: as rows of a format */
	/* takes each datastream's aggregates; NULL: they are written as rows */
	void (*bucket)(struct observing *g, const struct series_bucket *k);
	void (*object)(struct observing *g); /* takes the one datastream; NULL: its rows follow */
	/* takes each datastream whole; false: not another one before observing_go_on(). NULL: their
	 * observations follow one another */
	bool (*begin)(struct observing *g);
	void *more;                        /* of the taker; freed with it */
	void (*drop)(struct observing *g); /* before that; NULL */
};

/* Reads the query and the headers; NULL after a problem was answered. */
struct observing *observing_new(struct req *r, enum observe_way way);
/* The same for the one datastream that the path names; 404 when it names none. */
void observing_begin_one(struct observing *g);
/* The outer question, by its filter and what the reader may see, as g->streams; the request waits.
 * The caller asks it. */
struct series_ask *observing_question(struct observing *g, enum series_what what,
                                      void (*done)(struct series_ask *a));
const struct series_stream *observing_stream(const struct observing *g);
bool observing_may(const struct observing *g, struct span feed, struct span thing,
                   const struct access_spot *spot);
/* What cannot be answered any more: a problem, or the end of the stream without its end. */
void observing_fail(struct observing *g, int err);

/* What was written goes out, as a page or as the end of a stream. cursor: of the next page, NULL.
 */
void observing_send(struct observing *g, const char *cursor);
/* The end: of the page when next says where another one begins, else of all. */
void observing_finish(struct observing *g, const struct observe_cursor *next);

void observing_go_on(struct observing *g);
/* together.c: all datastreams are answered as one; false after a problem was answered. */
bool together_begin(struct observing *g);
/* charting.c: fills g->edges with equal pieces; returns how many edges. */
size_t charting_edges(struct observing *g);

#endif
