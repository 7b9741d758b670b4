/* private.h - the inside of the series, for the files that share it:
 *
 *   engine.c   life, configuration, figures   names.c   things and datastreams in memory
 *   load.c     memory from the rows           apply.c   a record becomes observations
 *   follow.c   the thread: journal in, disk out, when
 *   flush.c    tails become chunks, rows are written
 *   expire.c   the end of keep-series         amend.c   corrections     erase.c  one thing
 *   quality.c  stuck, spike, skewed clocks; who is told    rebuild.c  again from the journal
 *   replaced.c, replaced_places.c  what is missing on disk is put back, for it
 *   view.c     one datastream as an answer sees it: tail and disk together
 *   hours.c    figures of hours, kept for the next answer
 *   near.c     things by where they are
 *   details.c  what came with observations beside time and result
 *   raw.c aggregate.c list.c ask.c            answers
 *
 * promise.c stands before it: corrections that are one with a commit of the journal. */
#ifndef SERIES_PRIVATE_H
#define SERIES_PRIVATE_H

#include "base/boxes.h"
#include "base/hash.h"
#include "base/limits.h"
#include "series/chunks.h"
#include "series/engine.h"
#include "series/hours.h"
#include "series/news.h"
#include "series/rebuild.h"

#include <pthread.h>
#include <stdatomic.h>

struct tail_text {
	uint16_t n;
	char p[];
};

/* An observation that is not on disk yet. */
struct tail_point {
	int64_t time_ms;
	union {
		double number;
		struct tail_text *text; /* POINT_TEXT */
	};
	uint32_t stored_s;
	uint16_t flags;
	uint8_t kind;
};

struct held { /* latest, future */
	int64_t time_ms, stored_ms;
	union {
		double number;
		struct tail_text *text; /* owned */
	};
	uint16_t flags;
	uint8_t kind;
	bool is_set;
};

struct amend {
	uint64_t id;
	int64_t from_ms, to_ms;
	int64_t rolled_ms; /* hours before it were made without this one; INT64_MIN: none were */
	double factor, offset;
	uint16_t flags;
	uint8_t what; /* enum series_amend */
};

/* What a schema says of a member: shared by all datastreams of it, kept for ever. */
struct meaning {
	char *schema, *property, *unit; /* "" when not known */
	char *member;                   /* as the schema names it, '*' for any name */
	bool has_plausible;
	double low, high;
	double spike;     /* 0: not stated */
	int64_t stuck_ms; /* 0: as its feed says */
};

struct stream {
	uint32_t thing, next;                /* the next datastream of its thing; 0: none */
	uint32_t tail_n, tail_cap, flushing; /* flushing: so many are in a transaction now */
	uint32_t implausible; /* the last 32 observations, a bit each, the newest lowest */
	struct tail_text *member;
	const struct meaning *meaning;
	struct tail_point *tail;
	uint64_t sequence;                      /* of its feed: newest applied */
	uint64_t disk_sequence, flush_sequence; /* its row's; the row's after the transaction */
	uint64_t count;
	int64_t first_ms, last_ms, since_ms, stored_ms;
	int64_t changed_ms; /* since when it has the value of latest, observed: POINT_STUCK */
	struct held latest, *future;
	struct amend *amends;
	uint16_t n_amends;
	bool on_disk; /* its row: it has its number for good */
	bool dirty;   /* its row is not what it should be */
	bool gone;    /* erased: the number stays empty */
	bool told;    /* that too many are implausible */
	bool mixed;   /* its tail may not be in the order of time */
	uint32_t version;
};

struct where { /* the newest place of a thing */
	int64_t time_ms;
	struct box box;
};

struct thing {
	uint32_t feed; /* id of its log in the store */
	uint32_t first_stream, n_streams;
	struct tail_text *organisation, *name;
	struct where place; /* when has_place, or registered */
	int64_t first_stored_ms, last_observed_ms, last_stored_ms;
	bool has_place;  /* it told one */
	bool registered; /* it told none, and the register has one */
	bool on_disk, dirty, gone;
};

/* place says where it is, by its own word or the register's. */
static inline bool thing_is_placed(const struct thing *t)
{
	return t->has_place || t->registered;
}

/* A detail on its way to disk. */
struct noted {
	int64_t time_ms;
	uint32_t stream, mark;
	struct tail_text *text; /* owned */
};

enum { /* in memory at most: a block more than the limit */
       PLACES_MAX = LIMIT_SERIES_PLACES + LIMIT_SERIES_BLOCK_BYTES / RECORD_HEAD_BYTES + 2
};
struct place { /* on its way to disk */
	uint32_t thing;
	struct box box;
	int64_t time_ms;
};

/* The hash beside the number: what is not meant is passed over without looking at the thing, which
 * is not in the cache. */
struct thing_slot {
	uint32_t id, hash; /* id 0: free */
};

struct source { /* a feed, as the series see it */
	uint32_t id;
	char *name;
	_Atomic bool follows; /* its records have results; else it is passed over */
	bool touched, waiting;
	bool configured; /* what follows is known */
	/* contract, by series_configure() */
	enum config_duplicates duplicates;
	int64_t max_future_ms, max_age_ms, keep_ms, keep_rollups_ms, cadence_ms, keep_messages_ms,
	    stuck_ms, skew_ms;
	/* `hand` lock */
	uint64_t target; /* committed */
	/* the thread's */
	uint64_t goal, applied, round, durable;
	_Atomic uint64_t told_applied, told_durable;
	/* `state` lock */
	uint64_t things, streams;
	int64_t first_stored_ms, last_observed_ms, last_stored_ms; /* 0: nothing yet */
	uint64_t deleted; /* observations that keep-series took, and when it last did */
	int64_t deleted_ms;
	struct { /* of the record before: "name/version", and how much of it is the name */
		char text[96];
		uint32_t version;
		uint16_t n, name_n;
	} schema;
};

struct question; /* ask.c */
struct rebuild;  /* rebuild.c */

struct series {
	struct hub *hub;
	struct store *store;
	struct side *side;
	const struct clock *clock;
	struct hub_runner runner;
	void (*fatal)(void *arg, int err);
	void *fatal_arg;
	bool (*registered)(void *arg, struct span organisation, struct span thing, struct box *ret);
	void *registered_arg;

	/* ---- `state` ---- */
	pthread_mutex_t state;
	struct thing *things;   /* by id; 0 is none */
	struct stream *streams; /* by id; 0 is none */
	uint32_t n_things, cap_things, n_streams, cap_streams;
	struct thing_slot *thing_slots; /* open addressing */
	size_t thing_mask;
	struct names_block *names; /* things' names, the newest block first */
	struct boxes boxes;        /* things that have a place, by number */
	struct hash_key key;
	struct map members;  /* struct tail_text *, by its text: names of members, organisations */
	struct map meanings; /* struct meaning_list *, by schema id */
	struct source **sources; /* by id; room for all there can be, so it never moves */
	_Atomic uint32_t n_sources;
	struct place *places;
	uint32_t n_places, places_flushing;
	struct noted *details; /* in the order in which they came */
	uint32_t n_details, cap_details, details_flushing;
	uint64_t tail_points, tail_bytes;
	uint64_t next_amend;
	uint64_t promised; /* the last promise that was kept: promise.h */
	struct series_stats stats;
	struct series_rebuild rebuilt; /* what is told of it */
	struct news *news;             /* LIMIT_QUALITY_NEWS of them */
	unsigned n_news;
	struct hours_cache *hours; /* has a lock of its own */

	/* ---- `hand` ---- */
	pthread_mutex_t hand;
	pthread_cond_t work;
	uint64_t committed; /* commit number up to which targets are known */
	bool stopping, started, rebuild_wanted;
	struct series_correction *corrections_first, *corrections_last;

	/* ---- the loop's ---- */
	struct feed const **touched;
	unsigned n_touched;
	uint64_t told_commit;
	struct list waiting; /* struct question.node */
	unsigned n_waiting;
	bool throttled;

	/* ---- the thread's ---- */
	pthread_t thread;
	_Atomic uint64_t applied_commit;
	_Atomic bool wake_posted;
	struct job wake;            /* to the loop: applied_commit moved */
	_Atomic bool expiry_wanted; /* something is kept less long from now on */
	_Atomic bool round_wanted;  /* the journal's retention waits for a checkpoint */
	_Atomic int failed;
	struct buf block;                 /* copied records */
	uint32_t new_things, new_streams; /* first id that is not on disk; 0: none */
	struct {
		bool running;
		uint32_t stream, thing; /* how far it is */
		uint64_t started_ns, records;
	} round;
	uint64_t round_ended_ns, applied_records, taken_commit, interval_ns, interval_next_ns;
	uint64_t retry_ns; /* the disk was full */
	struct {
		uint32_t stream;
		uint32_t thing; /* after the datastreams; 0: not yet, or not any more */
		uint64_t next_ns;
		bool running;
	} expiry;
	struct rebuild *rebuild; /* NULL: none is under way */
	struct rebuild *again;   /* what is applied now is read again, for it */
};

/* ---- names.c; `state` held, and only the thread adds ---- */
/* Room for so many at once; more may come. */
void names_reserve(struct series *s, uint64_t things, uint64_t streams);
uint32_t thing_hash(const struct series *s, uint32_t feed, struct span organisation,
                    struct span name);
/* What looking them up and applying a record to them needs is fetched into the cache, all at one
 * time: a look at each by itself would wait for memory five times over. */
enum { THINGS_PREFETCHED = 32 }; /* as many as a core fetches side by side, and some */
void things_prefetch(const struct series *s, const uint32_t *hashes, unsigned n);
/* hash: thing_hash() of the rest. */
struct thing *thing_find(struct series *s, uint32_t hash, uint32_t feed, struct span organisation,
                         struct span name, uint32_t *ret_id);
struct thing *thing_add(struct series *s, uint32_t hash, uint32_t feed, struct span organisation,
                        struct span name, uint32_t *ret_id);
uint32_t stream_find(struct series *s, const struct thing *t, struct span member); /* 0: none */
/* 0: there are too many. */
uint32_t stream_add(struct series *s, uint32_t thing_id, struct span member);
/* Ids from the rows: called in any order, all ids below n exist afterwards (empty ones are gone).
 */
struct thing *thing_at(struct series *s, uint32_t id);
struct stream *stream_at(struct series *s, uint32_t id);
void thing_index(struct series *s, uint32_t id, uint32_t hash);
void stream_index(struct series *s, uint32_t id);
struct tail_text *name_intern(struct series *s, struct span text);
struct tail_text *text_new(struct span text);
/* A thing's name: it is kept as long as the series are, also when the thing is gone. */
struct tail_text *name_keep(struct series *s, struct span text);
void names_free(struct series *s);
static inline struct span text_span(const struct tail_text *t)
{
	return span_of(t->p, t->n);
}
enum { SOURCES_MAX = LIMIT_FEEDS * 100 + 1 };
static inline struct source *source_of(const struct series *s, uint32_t feed)
{
	return feed < s->n_sources ? s->sources[feed] : NULL;
}

/* ---- meaning.c ---- */
struct meaning_list {
	unsigned n;
	struct meaning *items[]; /* owned by the list */
};
/* Takes over what the schemas of the catalogue say; `state` held. */
void meanings_take(struct series *s, const struct catalog *c);
const struct meaning *meaning_find(struct series *s, struct span schema, struct span member);
const struct meaning *meaning_of_unit(struct series *s, struct span unit); /* SenML */
const struct meaning *meaning_row(struct series *s, const struct row_stream *r);
extern const struct meaning meaning_none;
void meanings_free(struct series *s);

/* ---- load.c ---- */
int series_load(struct series *s, struct buf *why) MUSTCHECK;
struct source *source_get(struct series *s, uint32_t feed);

/* ---- apply.c; `state` held ---- */
/* hash: thing_hash() of the record's thing. */
void apply_record(struct series *s, struct source *from, const struct record *r, uint32_t hash);
/* Of a record with a place: *known and *newest go on. true: the thing was not there before, and
 * that is kept. */
bool place_take(const struct source *from, const struct record *r, bool *known,
                struct where *newest);
void held_clear(struct held *h);
/* p is (not) newer than what is held. */
void held_note(struct held *latest, struct held **future, enum config_duplicates how,
               const struct tail_point *p, int64_t stored_ms);

/* ---- quality.c; `state` held ---- */
/* The flags that follow from what came before: latest and future as they were before p, *changed_ms
 * as in struct stream. */
uint16_t quality_flags(const struct source *from, const struct meaning *m,
                       const struct held *latest, const struct held *future, int64_t *changed_ms,
                       const struct tail_point *p, int64_t stored_ms);
/* An observation with its flags was taken; before: the flags of the one before it. */
void quality_news(struct series *s, uint32_t id, const struct tail_point *p,
                  const struct held *before);

/* ---- rebuild.c: the thread's ---- */
bool rebuild_step(struct series *s); /* false: nothing is to do */
void rebuild_free(struct series *s);
/* From apply.c, `state` held: an observation of the log; its text is the rebuild's. */
void rebuild_take(struct series *s, const struct source *from, uint32_t id, struct tail_point *p,
                  const struct meaning *m, int64_t stored_ms);
bool rebuild_keeps(const struct series *s, uint32_t id, int64_t time_ms); /* so late */
/* The same of a place; false: the thing is new, and its places come as they do live. */
bool rebuild_take_place(struct series *s, const struct source *from, uint32_t thing,
                        const struct record *r);

/* ---- follow.c: blocks of the journal ---- */
struct block {
	struct series *s;
	const struct source *from;
	uint64_t next, goal; /* sequences */
	uint64_t missing;    /* the journal lost them */
};
/* Copies records from b->next on, up to b->goal, into s->block, and moves b->next behind them. */
int block_read(struct block *b) MUSTCHECK;
/* Hands them over with their things' hashes, under the lock. Returns how many there were. */
uint64_t block_each(struct series *s, struct source *from,
                    void (*each)(struct series *, struct source *, const struct record *,
                                 uint32_t));

/* ---- flush.c: the thread's ---- */
/* Rows of what is new. 0 or an error. */
int flush_names(struct series *s) MUSTCHECK;
/* One transaction of a round. Returns 1: the round is over, 0, or an error. */
int flush_step(struct series *s) MUSTCHECK;
void flush_begin_round(struct series *s);
/* The row of a datastream as it stands on disk, changed. Also ERR_NOT_FOUND. */
int stream_row_change(struct side_txn *t, uint32_t id, void (*change)(void *, struct row_stream *),
                      void *arg) MUSTCHECK;

/* ---- expire.c: the thread's ---- */
bool expire_step(struct series *s);
int expire_load(struct series *s, struct side_view *v) MUSTCHECK; /* how much went so far */
/* Each feed's row of SIDE_META: its key is the prefix and the feed's id. 0 or an error. */
int meta_each_feed(struct series *s, struct side_view *v, struct span prefix,
                   int (*load)(struct source *src, struct span value)) MUSTCHECK;
bool expire_places_step(struct series *s); /* expire_places.c; false: all were looked at */
int64_t keep_from(const struct series *s, const struct source *src); /* INT64_MIN: for ever */
/* What was observed before is in nothing, not in figures of hours either. */
int64_t keep_hours_from(const struct series *s, const struct source *src);

/* ---- amend.c ---- */
void amends_work(struct series *s); /* the thread's */
/* How many of them are in the figures of that hour, or will be when they are made: the others come
 * to the figures when those are read. */
unsigned amends_in_hour(const struct amend *a, unsigned n, int64_t hour_ms);
/* What the corrections make of it. */
void amends_apply(const struct amend *a, unsigned n, struct point *p);
/* The same of the figures of an hour whose observations are gone: what was made after it. */
void amends_apply_hour(const struct amend *a, unsigned n, int64_t hour_ms, struct figures *f);
bool amends_touch(const struct amend *a, unsigned n, int64_t from_ms, int64_t to_ms);
int amend_add(struct stream *st, const struct amend *a) MUSTCHECK; /* `state` held */

/* ---- erase.c ---- */
int series_erase_thing(struct series *s, struct series_correction *c) MUSTCHECK; /* the thread's */
int erase_load(struct series *s, struct side_view *v) MUSTCHECK;

/* ---- details.c ---- */
/* p was taken with it; `state` held. */
void details_note(struct series *s, uint32_t stream, const struct tail_point *p, struct span text);
/* Those that are flushing, into the transaction; then they are gone from memory (done), or stay. */
void details_put(struct series *s, struct side_txn *t);
void details_take_over(struct series *s, bool done); /* `state` held */
bool details_full(const struct series *s);
/* Writes them ahead of their observations when there are many. 0 or an error. The thread's. */
int details_write(struct series *s) MUSTCHECK;
/* Those before that time go. The thread's. */
int details_expire(struct series *s, uint32_t stream, int64_t before_ms) MUSTCHECK;
/* Rows of a correction; t sees what was written. */
int promised_load(struct series *s, struct side_view *v) MUSTCHECK; /* amend.c */
int details_correct(struct series *s, struct side_txn *t, const struct series_correction *c,
                    uint64_t id) MUSTCHECK;
void details_free(struct series *s);

enum { DETAILS_BYTES = 64 << 20 }; /* texts of one step: LIMIT_SERIES_STEP_ROWS of the largest */
struct found_detail {
	struct series_detail told;
	size_t at; /* of its text in texts, which moves while more are added */
	bool has_text;
};
struct details { /* of the points of a step, RAW */
	struct found_detail *d;
	struct buf texts;
	uint32_t n, cap;
	uint32_t *of; /* by point: which, from 1; 0: none */
	size_t of_n, of_cap;
};
struct waiting_details { /* a copy of those in memory, taken before the view of the disk */
	struct noted *p;
	size_t n;
};
void details_copy(struct series *s, uint32_t stream, int64_t from_ms, int64_t to_ms,
                  struct waiting_details *ret);
void waiting_details_free(struct waiting_details *w);
/* Of all[first .. last], sorted by time, as they came; damaged rows are counted in a. of: all->n.
 */
int details_find(struct side_view *v, struct series_ask *a, enum config_duplicates how,
                 const struct waiting_details *w, const struct points *all, size_t first,
                 size_t last, uint32_t *of, struct details *ret) MUSTCHECK;
void details_clear(struct details *d);
void details_told(struct details *d, uint32_t of); /* the next point of the answer has it */

/* ---- view.c ---- */
/* A copy of p at the end of to. 0, ERR_TOO_LARGE or -ENOMEM. */
int tail_copy(struct points *to, const struct tail_point *p) MUSTCHECK;

struct sight { /* one datastream, as one step sees it */
	struct side_view *view;
	struct points tail; /* sorted, in range, not on disk in this view */
	struct amend *amends;
	unsigned n_amends;
	enum config_duplicates duplicates;
	int64_t keep_from_ms, since_ms;
	int64_t from_ms; /* the tail is whole from here on: as asked, or later */
};
/* newest: 0, or so many of the newest are enough: a long tail is then not copied as a whole. */
int sight_open(struct series *s, uint32_t id, int64_t from_ms, int64_t to_ms, size_t newest,
               struct sight *ret) MUSTCHECK;
void sight_close(struct sight *v);

/* ---- answers: one step each; errors into a->err ---- */
struct series_asking {             /* between the steps of a question */
	struct question *question; /* NULL: series_step() */
	struct buf texts;          /* spans of the answer */
	struct details details;
	void *rows; /* of the answer */
	size_t rows_cap;
	uint64_t first_nth, last_nth; /* RAW: of the first and last row among those of their time */
	/* AGGREGATE */
	bool begun;
	size_t edge;
	int64_t at_ms; /* all before it is counted */
	struct series_bucket open;
};
/* Room for the limit of a step's rows of this size. */
void *asking_rows(struct series_ask *a, size_t size, size_t *ret_limit);

/* ---- near.c ---- */
struct near { /* numbers, rising */
	uint32_t *ids;
	size_t n;
};
/* Those behind `after` that may be in the filter's shape, things or datastreams: all that are, and
 * some others. false: they are too many; all are to be looked at, in steps. */
bool near_find(struct series *s, const struct series_filter *f, bool streams, uint64_t after,
               struct near *ret) MUSTCHECK;
void near_free(struct near *n);
/* The thing's place is another, or it is gone; before: where it was, NULL: nowhere. `state` held.
 */
void near_moved(struct series *s, uint32_t id, const struct box *before);
/* A thing is there that told no place: where does the register have it? `state` held. */
void near_look_up(struct series *s, uint32_t id);

int raw_step(struct series *s, struct series_ask *a) MUSTCHECK;
int aggregate_step(struct series *s, struct series_ask *a) MUSTCHECK;
int streams_step(struct series *s, struct series_ask *a) MUSTCHECK;
int things_step(struct series *s, struct series_ask *a) MUSTCHECK;
int places_step(struct series *s, struct series_ask *a) MUSTCHECK;
/* ask.c: the loop hears that more is applied. From the thread. */
void asks_wake(struct series *s);
void asks_end(struct series *s);
void asks_second(struct series *s);

#endif
