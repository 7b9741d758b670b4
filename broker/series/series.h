/* series.h - the time series: what became of the results of stored records, for years.
 *
 * A datastream is one observed property (member) of one thing in one feed of one organisation; it
 * has a number that never changes. The engine follows the journal on a thread of its own, each
 * record exactly once; what is not yet on disk is in memory and is answered from there, so an
 * answer covers everything that was acknowledged before the question.
 *
 * Asking. Fill a struct series_ask, call series_ask(); done() is called once on the loop, with one
 * step's answer. While a->more, call series_ask() again for the next step (nothing of the answer
 * outlives that call). A step is bounded: LIMIT_SERIES_STEP_POINTS points looked at,
 * LIMIT_SERIES_STEP_ROWS rows answered, one short read transaction. A step may answer nothing and
 * still have more. The first step waits until the commit that was current when it was asked is
 * applied, at most LIMIT_SERIES_WAIT_S: else ERR_AGAIN (a 503). series_ask_done() frees; it may be
 * called at any time, also while a step is under way: then done() is not called any more.
 *
 * The same without a loop: series_step(), from any thread, waits for nothing.
 *
 * Errors: ERR_NOT_FOUND (no such datastream, thing or feed; nothing where keep-series ends is no
 * error), ERR_STORE_DAMAGED (a damaged piece is passed over and counted in a->damaged; this comes
 * only when nothing can be read), ERR_INVALID (the question itself), ERR_AGAIN, ERR_STORE_IO.
 *
 * Times are ms since 1970 UTC, ranges are half open: from <= t < to. */
#ifndef SERIES_SERIES_H
#define SERIES_SERIES_H

#include "base/shape.h"
#include "feed/hub.h"
#include "series/points.h"

struct series;

#define SERIES_TIME_MIN         INT64_MIN
#define SERIES_TIME_MAX         INT64_MAX
/* Of stored_since_ms. */
#define SERIES_STORED_SINCE_MAX ((int64_t)UINT32_MAX * 1000 - 1)

/* ---- what is asked ---- */
enum series_what {
	SERIES_RAW,       /* observations of one datastream, by observed time */
	SERIES_AGGREGATE, /* figures of one datastream in buckets */
	SERIES_STREAMS,   /* datastreams by filter, by number; each with its latest */
	SERIES_THINGS,    /* things by filter, by number; each with its place and freshness */
	SERIES_PLACES     /* where one thing was, by observed time */
};

/* A place in the answer to go on from, in another request too. Zeroed: from the start. RAW: time_ms
 * of the last observation answered, and its place among those of that same time, from 1, in the
 * order in which they came (0: none of them was answered yet). That order is the same in both
 * directions, and what comes later comes behind: so a page that ends among them neither repeats nor
 * loses one, and newest first, what comes meanwhile is not told. STREAMS and THINGS: at is
 * the number of the last one looked at; that of any row goes on behind that row. PLACES: time_ms is
 * where to go on. */
struct series_cursor {
	int64_t time_ms;
	uint64_t at;
	bool begun;
};

/* Where a thing is that has told a place. */
struct series_spot {
	bool known;
	struct box place;
};

struct series_filter { /* all that is given must hold; n == 0: not given */
	struct span feed, organisation, thing, member;
	struct span property;         /* observedProperty as the schema says it */
	uint32_t thing_id, stream_id; /* 0: not given */
	struct shape shape;           /* that the thing's newest place meets */
	int64_t stored_since_ms;      /* 0: not given; something was stored since */
	/* A feed that the asker may not read is left out when this says so; NULL: all. Called on
	 * any thread, under a lock: look at a table, do no more. */
	bool (*may)(void *arg, struct span feed, struct span organisation, struct span thing,
	            const struct series_spot *spot);
	void *may_arg;
	void (*may_done)(void *arg); /* on the loop, when may is called no more; NULL */
};

/* ---- answers; spans live until the next step or series_ask_done() ---- */
struct series_value {
	int64_t time_ms, stored_ms; /* observed; stored: 0 when it is not known any more */
	double number;              /* POINT_NUMBER; POINT_BOOL: 0 or 1 */
	struct span text;           /* POINT_TEXT */
	uint16_t flags;             /* POINT_* of points.h */
	uint8_t kind;               /* enum point_kind */
};

struct series_stream {
	uint32_t id, thing_id;
	struct span feed, organisation, thing, member;
	struct span property, unit; /* n == 0: no schema says it (SenML has a unit only) */
	struct span schema; /* that its newest observation fitted: "name/version", or n == 0 */
	uint64_t count;     /* observations kept, as points or in rollups */
	int64_t first_ms, last_ms; /* observed times of what is kept; count == 0: nothing yet */
	int64_t since_ms;          /* single observations can be had from here, rollups before it */
	int64_t stored_ms;         /* when the newest came, by the broker's clock */
	bool has_latest, has_future;
	bool rolled;  /* figures of hours may be there from before first_ms, also when count is 0 */
	bool amended; /* there are corrections: what is counted may be more than what is shown */
	struct series_value latest; /* the newest by observed time that is not in the future */
	struct series_value future; /* the newest that was dated ahead of its time */
	bool has_place, registered; /* as of its thing */
	struct box place;
	uint64_t cadence_s; /* of its feed; 0: not stated */
	uint64_t version;   /* another one whenever an answer about it may be: for an ETag */
};

struct series_thing {
	uint32_t id;
	struct span feed, organisation, thing;
	uint32_t streams;
	bool has_place;
	bool registered; /* the place is the register's: it told none itself */
	struct box place;
	int64_t place_ms;                         /* observed time of the place; 0: registered */
	int64_t first_stored_ms;                  /* when it was first heard of */
	int64_t last_observed_ms, last_stored_ms; /* freshness; future-dated ones do not count */
	uint64_t cadence_s;
};

struct series_bucket {
	int64_t from_ms, to_ms;
	uint64_t points; /* all observations, texts too; rejected ones are in nothing here */
	uint64_t count;  /* numbers and truth values; 0: the figures mean nothing */
	double min, max, sum, first, last; /* mean is sum / count */
	int64_t first_ms, last_ms;
	bool rollup; /* from rollups: an hour belongs where it begins */
};

struct series_place {
	int64_t time_ms;
	struct box place;
};

/* ---- one question ---- */
struct series_ask {
	/* the caller's */
	enum series_what what;
	uint32_t id;            /* RAW, AGGREGATE: the datastream; PLACES: the thing */
	int64_t from_ms, to_ms; /* RAW, AGGREGATE, PLACES */
	bool descending;        /* RAW */
	bool original;          /* RAW, AGGREGATE: before corrections, rejected ones too */
	bool rejected;          /* RAW: rejected ones too, flagged */
	bool details;           /* RAW: what came beside time and result, series_detail() */
	bool stored;            /* RAW: points say when they were stored */
	/* RAW: only what was stored in that second or later. What was written before format 4 has
	 * no second of its own: it is in when anything of its piece was stored since. 0: not asked.
	 */
	int64_t stored_since_ms;
	const int64_t *edges; /* AGGREGATE: n_edges - 1 buckets, rising; yours until the end */
	size_t n_edges;       /* at most LIMIT_SERIES_EDGES */
	struct series_filter filter; /* STREAMS, THINGS; its spans are yours until the end */
	struct series_cursor cursor; /* where to begin; after a step: where to go on */
	size_t limit;                /* rows of this step, 0: LIMIT_SERIES_STEP_ROWS */
	void (*done)(struct series_ask *a);
	void *arg;

	/* the answer of this step */
	int err;
	bool more;
	unsigned damaged;              /* pieces of the disk that could not be read, so far */
	struct points points;          /* RAW: point_text(&a->points, p) */
	struct series_bucket *buckets; /* AGGREGATE: those finished in this step; empty ones too */
	struct series_stream *streams;
	struct series_thing *things;
	struct series_place *places;
	size_t n; /* of any of these (points.n is the same for RAW) */

	struct series_asking *private_;
};

/* What came with one observation beside its time and result: the user property
 * SERIES_DETAIL_PROPERTY of its record (sta/detail.h), or what it was changed to. */
#define SERIES_DETAIL_PROPERTY "sensorthings"
struct series_detail {
	struct span text;  /* a JSON object; n 0: nothing, but a number of its own */
	int64_t number_ms; /* of the time that it first had: an observation that moved keeps it */
	bool changed;      /* the text is not what came */
};
/* Of the i-th of a->points; NULL: nothing came. Lives as the points do. */
const struct series_detail *series_detail(const struct series_ask *a, size_t i);
/* Where the observation is that stood at that time: ERR_NOT_FOUND when none was moved from there.
 * Any thread. */
int series_moved(struct series *s, uint32_t stream_id, int64_t time_ms, int64_t *ret_ms) MUSTCHECK;

/* Zero a, fill the caller's part, then: */
void series_ask(struct series *s, struct series_ask *a);
void series_ask_done(struct series_ask *a); /* accepts one that was never asked */
/* RAW: the cursor behind row i of the step's answer. */
struct series_cursor series_behind(const struct series_ask *a, size_t i);
/* One step here and now; returns a->err. */
int series_step(struct series *s, struct series_ask *a) MUSTCHECK;

/* Numbers from names. 0: there is none. Any thread; a lookup under a lock. */
uint32_t series_find_thing(struct series *s, struct span feed, struct span organisation,
                           struct span thing);
/* Where its newest place is, that it told. */
struct series_spot series_find_place(struct series *s, struct span feed, struct span organisation,
                                     struct span thing);
uint32_t series_find_stream(struct series *s, uint32_t thing_id, struct span member);
/* Another number whenever the two above find more. Any thread. */
uint64_t series_names_count(struct series *s);

/* What all of a feed has: for catalogues and freshness without walking its things. */
struct series_feed_figures {
	uint64_t things, streams;
	int64_t first_stored_ms, last_observed_ms, last_stored_ms; /* 0: nothing yet */
	uint64_t deleted;   /* observations that keep-series took so far, of all time */
	int64_t deleted_ms; /* when it last did; 0: never */
};
int series_feed_figures(struct series *s, struct span feed,
                        struct series_feed_figures *ret) MUSTCHECK; /* or ERR_NOT_FOUND */

/* ---- correcting: nothing is overwritten, the original stays askable ---- */
enum series_amend {
	SERIES_CORRECT,
	SERIES_FLAG,
	SERIES_REJECT,
	SERIES_ERASE,  /* the whole thing, for good: nothing else of the question counts */
	SERIES_DETAIL, /* what one observation has beside time and result */
	SERIES_MOVE    /* one observation stands at another time from now on: it is there already,
	                  this one is rejected, and its number goes along */
};

/* What becomes of one datastream, where each has its own. */
struct series_part {
	uint32_t stream_id;
	enum series_amend what;
	double offset;
	uint8_t becomes;
};

struct series_correction {
	enum series_amend what;
	uint32_t thing_id, stream_id; /* stream_id 0: all datastreams of the thing */
	/* n_parts 0: as above. Else all of these, of the thing, in one transaction and with one
	 * number, each once, as if it had come with its own what, stream_id and offset. The
	 * caller's until done. */
	const struct series_part *part;
	unsigned n_parts;
	int64_t from_ms, to_ms;
	double factor, offset; /* CORRECT: value * factor + offset */
	/* CORRECT: 1 + enum point_kind of what it is from now on, with offset as its number; a text
	 * is in the detail. 0: numbers stay numbers, the rest as it is. */
	uint8_t becomes;
	uint16_t flags; /* FLAG: bits to set */
	/* DETAIL, and CORRECT of one observation: from_ms is its time. ERR_NOT_FOUND: there is
	 * none. */
	bool has_detail;
	struct span detail;
	int64_t moved_ms;   /* MOVE: from from_ms to here */
	struct span reason; /* for people, at most LIMIT_SERIES_REASON_BYTES */
	struct span who;
	/* Only whether it could be written is answered; what is to stand at moved_ms need not be
	 * there yet. ahead: so many others of the same datastreams are to come before it. */
	bool trial;
	unsigned ahead;
	uint64_t promise; /* promise.h: its number, done once; 0: none was promised */
	/* the answer */
	int err;
	uint64_t id;     /* of the correction */
	uint64_t points; /* observations that it touches */
	uint32_t streams;
	void (*done)(struct series_correction *c); /* on the loop, when it is on disk */
	void *arg;
	struct job job; /* the engine's */
	void *private_;
};
/* c lives until done(). An erasure covers the series alone: records that the journal still holds
 * are erased by whoever asks, before; else their thing comes back with the next one. */
void series_correct(struct series *s, struct series_correction *c);
/* The last promise that was kept. Before any is, in this process. */
uint64_t series_promised(const struct series *s);

#endif
