/* seen.h - what the pages know of things: the newest record of each thing in each feed.
 *
 * The time series have a latest value of each datastream too, and would forget nothing. Pages do
 * not read it: a page shows the results of one message together, words and truth values among them,
 * with who sent it and what was acknowledged before the request, while the series come some turns
 * after the acknowledgement, may be switched off for a feed (keep-series) and answer in steps from
 * another thread. What only they know, things long silent, is asked of them: page_silent.c.
 *
 * Nothing is kept for it while nobody looks, and no publish pays for it: each feed has a cursor
 * that goes on to the head when a page asks, and starts over from the latest LIMIT_SEEN_RECORDS
 * when it would have to read more than that. So a thing that has been silent for longer than so
 * many records of its feed is not known here.
 *
 * Bounded by LIMIT_SEEN_THINGS and LIMIT_SEEN_BYTES over all feeds; a thing that finds no room is
 * counted. Loop thread only. */
#ifndef WEB_SEEN_H
#define WEB_SEEN_H

#include "base/boxes.h"
#include "base/hash.h"
#include "base/list.h"
#include "feed/cursor.h"

enum { SEEN_MEMBERS = 64 }; /* names of results of one feed that a filter offers */

struct seen_thing {
	struct feed *feed;
	struct span thing, organisation; /* its id, and of its publisher; views into the entry */
	int64_t stored_ms, phenomenon_ms;
	uint64_t sequence;
	bool has_location, time_received;
	struct box place; /* with has_location */
	uint16_t schema_version;
	struct span schema;
	struct record results; /* n_results and results only: for record_next_result() */
	size_t bytes;          /* of the entry */
};

struct seen_feed {
	struct cursor cursor;
	bool open, failed;
	uint32_t epoch;
	struct seen_thing **things; /* in the order in which they were first seen */
	unsigned n, cap;
	struct map by_thing;
	struct boxes boxes; /* of those that told a place, by index in things */
	uint64_t no_room;   /* things that found none */
	int64_t first_ms;   /* when the first record that was read was stored, and its sequence */
	uint64_t first;
	unsigned n_members;
	char *members[SEEN_MEMBERS];
	/* life signs: records stored, noted each SEEN_SAMPLE_MS */
	uint64_t samples[7];
	unsigned n_samples;
};

struct seen {
	struct hub *hub;
	struct seen_feed *feeds; /* by index of the feed */
	unsigned n_feeds, n_things;
	size_t bytes;
	uint64_t sampled_ms;
	void (*wake)(void *arg); /* a read of the disk has come: ask again */
	void *arg;
};

void seen_init(struct seen *s, struct hub *h, void (*wake)(void *arg), void *arg);
void seen_done(struct seen *s);

/* Goes on for at most *budget records (counted down). True: all is known up to the last committed
 * record, or cannot be (s->feeds[].failed). False: ask again, next turn when budget is used up,
 * else after wake(). */
bool seen_ready(struct seen *s, struct feed *f, unsigned *budget);

/* What is known now of one feed: never NULL. */
const struct seen_feed *seen_of(struct seen *s, const struct feed *f);
const struct seen_thing *seen_find(struct seen *s, const struct feed *f, struct span thing);

/* Hands over those of f that may meet the shape with a place that they told: all that do, and some
 * others. false: they are more than LIMIT_THINGS_NEAR, and none was handed over. */
bool seen_near(struct seen *s, const struct feed *f, const struct shape *area,
               void (*each)(void *arg, const struct seen_thing *t), void *arg) MUSTCHECK;

/* When the oldest record that is still in the log was stored; 0: not known. */
int64_t seen_first_ms(struct seen *s, const struct feed *f);

/* Records of f were erased: what is known of it is found anew. */
void seen_erased(struct seen *s, struct feed *f);

/* Call some times a second, with the loop's time. */
void seen_tick(struct seen *s, uint64_t now_ms);
/* Records stored in the last minute, or since the start when that is less long ago. */
uint64_t seen_per_minute(struct seen *s, const struct feed *f);

#endif
