/* hub.h - the log and its readers: all feeds of one daemon, the batch that fills, the writer that
 * commits.
 *
 * Runs on one loop thread; nothing here is called from another. Threads are parameters (struct
 * hub_runner): the daemon gives a writer thread and a pool, tests run both inline under a fake
 * clock.
 *
 * The one write is commit(records + state changes): hub_record/hub_put/hub_del join the filling
 * batch, the batch is sealed at the end of a turn and handed to the writer; when it is on disk, the
 * answers that waited for it go out and cursors at the head are woken. States of a batch, and the
 * function that moves it:
 *
 *    filling --hub_turn()--> committing --committed()--> done (ring, answers, cursors)
 *                               |  ERR_STORE_FULL: stays, tried again every LIMIT_STORE_RETRY_MS
 *                               |  ... for LIMIT_STORE_FULL_WAIT_S: abandon(): nothing of it
 * happened, |      sequences are given back, answers are told ERR_STORE_FULL |  ERR_STORE_IO: the
 * process ends
 */
#ifndef FEED_HUB_H
#define FEED_HUB_H

#include "base/clock.h"
#include "base/list.h"
#include "config/config.h"
#include "feed/record.h"
#include "feed/versions.h"
#include "schema/catalog.h"
#include "store/store.h"

struct hub;
struct privacy;
struct batch;
struct cursor;

/* ---- what runs beside the loop ---- */
struct job { /* embed it; work() off the loop, then done() on the loop */
	void (*work)(struct job *j);
	void (*done)(struct job *j);
	void *private_[4]; /* the runner's own */
};
struct hub_runner {
	void *arg;
	/* Runs j on the small reader pool. */
	void (*pool)(void *arg, struct job *j);
	/* Runs j on the one writer thread, in order. */
	void (*writer)(void *arg, struct job *j);
	/* From any thread: runs j->done() alone on the loop. May be NULL where nobody needs it. */
	void (*post)(void *arg, struct job *j);
};

/* ---- a feed at work ---- */
struct feed {
	const struct config_feed *conf; /* of the configuration in force */
	struct span name;               /* conf->name */
	uint32_t id;                    /* of its log in the store */
	uint32_t index;                 /* dense, 0.. in struct hub */
	bool ended;                     /* no longer configured: takes and serves nothing */
	bool any_schema;                /* schemas = { "any" } */
	unsigned n_schemas;
	const struct schema *schemas[FEED_SCHEMAS_MAX];
	struct privacy *privacy;        /* NULL: what comes is kept */
	uint8_t slot[FEED_SCHEMAS_MAX]; /* of each among the versions */
	struct feed_version versions[FEED_VERSIONS_MAX];

	uint32_t epoch;
	uint64_t first; /* first sequence still in the log */
	uint64_t last;  /* last committed: readable by everybody */
	uint64_t next;  /* next to give out (last + 1 + what is in flight) */
	int64_t last_stored_ms;
	uint64_t held_after; /* retention leaves what comes after: it is not in the series yet */
	unsigned n_epochs;
	struct store_epoch epochs[STORE_EPOCHS_MAX];

	/* recent records in memory: sequences ring_first..last */
	uint64_t ring_first;
	uint32_t ring_mask;
	const uint8_t **ring;

	struct list waiting;  /* struct cursor.node: at the head, to be woken */
	struct list in_batch; /* on the hub's list of feeds that the commit touched */
	bool touched;

	struct {
		uint64_t stored, duplicates, quarantined, flagged, bytes, delivered;
		uint64_t quarantine_rows;
	} count;
};

/* ---- life ---- */
struct hub_options {
	struct store *store;
	const struct clock *clock;
	struct hub_runner runner;
};
int hub_open(const struct hub_options *o, struct hub **ret) MUSTCHECK;
/* For tests: the runner from now on. */
void hub_runner_set(struct hub *h, struct hub_runner runner);
void hub_close(struct hub *h); /* nothing may be in flight: see hub_idle() */

/* Takes a configuration and its schemas into force: opens logs of new feeds, ends those that are
 * gone, updates the rest. Everything is checked before anything changes; errors are appended to
 * why. The hub keeps both pointers until the next call; the caller frees the former ones after it.
 */
int hub_configure(struct hub *h, const struct config *c, const struct catalog *schemas,
                  struct buf *why) MUSTCHECK;

/* What hub_configure() would refuse, without a hub: for oudpd -n. */
int hub_check_config(const struct config *c, const struct catalog *schemas,
                     struct buf *why) MUSTCHECK;

const struct config *hub_config(const struct hub *h);
const struct catalog *hub_catalog(const struct hub *h);
struct store *hub_store(const struct hub *h);
const struct clock *hub_clock(const struct hub *h);
struct feed *hub_feed(const struct hub *h,
                      struct span name); /* NULL: no such feed, or it has ended */
unsigned hub_feed_count(const struct hub *h);
struct feed *hub_feed_at(const struct hub *h, unsigned index); /* may have ended */
/* The feed that takes this topic (most specific template) and what stands at {thing} (n == 0: no
 * such level). */
struct feed *hub_route(const struct hub *h, struct span topic, struct span *ret_thing);

/* ---- the filling batch ---- */
/* An answer that waits for the commit. Fill the fields of the caller and hand it to hub_answer():
 * done() is called on the loop in the order of hub_answer() calls, err 0 or ERR_STORE_FULL
 * (abandoned). */
struct answer {
	void (*done)(const struct answer *a, int err);
	void *owner;
	uint64_t token;    /* the owner's: slot and generation, request */
	uint64_t sequence; /* stored, or of the record this is a duplicate of */
	uint32_t feed;     /* index; UINT32_MAX: none */
	uint16_t packet_id;
	uint8_t qos;
	uint8_t verdict;    /* enum verdict_code */
	const char *reason; /* NULL or text that lives until done() has returned */
	const char *parts;  /* NULL, or of a refusal: schema, pointer, rule; each terminated */
	const char *topic;  /* NULL, or of a message that was not stored, when it was asked for: its
	                       topic and what it was mapped from, each terminated */
};

/* Whether a record of so many bytes with this priority may join now. When not, stop reading and ask
 * again after hub_on_room() called. */
bool hub_has_room(const struct hub *h, enum config_priority priority, size_t bytes);
/* The same of n records with so many bytes in all. */
bool hub_has_room_for(const struct hub *h, enum config_priority priority, unsigned n, size_t bytes);
/* The same for state changes alone, which no publisher waits for: also while intake is closed. Does
 * not ask for a call of the room hook. */
bool hub_has_state_room(const struct hub *h, size_t bytes);
/* Room for the bytes of a record in the batch; filled by the caller, then hub_record(). Never NULL
 * after hub_has_room(). Lives until the ring lets it go. */
uint8_t *hub_alloc(struct hub *h, size_t bytes);
/* Gives back the latest hub_alloc(), which must not have become a record. */
void hub_alloc_undo(struct hub *h, const uint8_t *bytes, size_t n);
/* The record at bytes joins the batch: gets the feed's next sequence and epoch now; storedTime,
 * commit number and checksum when the batch is sealed. Returns its sequence. */
uint64_t hub_record(struct hub *h, struct feed *f, uint8_t *bytes, size_t n);
/* State changes of the same commit; key and value are copied. */
void hub_put(struct hub *h, enum store_table table, struct span key, struct span value);
void hub_del(struct hub *h, enum store_table table, struct span key);
void hub_answer(struct hub *h, const struct answer *a);
/* A copy of text that lives as long as the batch's answers. */
const char *hub_text(struct hub *h, struct span text);

/* End of a turn of the loop: hands the batch over when the writer is free and it is time. Returns
 * how long the loop may sleep for this (ms; -1: until something happens). */
int hub_turn(struct hub *h);
bool hub_idle(const struct hub *h);        /* nothing filling, nothing committing */
bool hub_full(const struct hub *h);        /* the store could not commit: publishers wait */
void hub_throttle(struct hub *h, bool on); /* nothing new has room while it is on */
void hub_close_intake(struct hub *h);      /* from now on nothing new has room: for the end */

/* ---- hooks of the rooms above; set once ---- */
struct hub_hooks {
	void *arg;
	void (*room)(void *arg); /* a full batch was handed over: read on */
	void (*record)(void *arg, struct feed *f,
	               const struct record *r); /* committed, in order of commit */
	void (*abandoned)(void *arg, struct feed *f, const struct record *r); /* never happened */
	void (*commit)(void *arg, uint64_t commit);                           /* after the above */
	void (*fatal)(void *arg, int err); /* ERR_STORE_IO, ERR_STORE_DAMAGED */
	void (*gave_up)(void *arg); /* a full store was waited for long enough: whoever waits for
	                               room is told */
	void (*trimmed)(void *arg, struct feed *f, uint64_t first); /* older ones were deleted */
};
void hub_set_hooks(struct hub *h, const struct hub_hooks *hooks);

void hub_pool(struct hub *h, struct job *j);     /* runs j on the reader pool */
void hub_writer(struct hub *h, struct job *j);   /* runs j on the writer, between commits */
int64_t hub_last_stored_ms(const struct hub *h); /* of the latest commit */
uint64_t hub_last_commit(const struct hub *h);

/* Says in the log which schema versions end soon, or have ended. */
void versions_tell(struct hub *h);
/* A record of the log at start, newest first: its thing counts for its schema version. */
void hub_version_seen(struct hub *h, struct feed *f, const struct record *r);
/* A feed's i-th schema is no longer taken at this time. */
bool hub_version_ended(const struct feed *f, unsigned i, int64_t ms);

/* Deletes records before sequence `before` in small steps on the writer; done(arg, deleted or
 * error). */
void hub_trim(struct hub *h, struct feed *f, uint64_t before,
              void (*done)(void *arg, int64_t deleted), void *arg);
/* Whether retention would have taken more since this was asked last, but for held_after. */
bool hub_retention_held(struct hub *h);
/* Retention by age and size; call once a second. Works in steps beside the commits. */
void hub_retention(struct hub *h);

struct hub_stats {
	uint64_t unrouted_rows; /* in the quarantine of messages that no feed takes */
	uint64_t commits, commit_records, store_full, abandoned, disk_reads;
	uint64_t batch_bytes, ring_bytes;
	/* histograms, upper bounds in HUB_LATENCY_MS */
	uint64_t commit_ms[12];
	double commit_seconds;
};
extern const double
    hub_latency_ms[11]; /* 0.5 1 2 5 10 20 50 100 200 500 1000; the 12th bucket is the rest */
const struct hub_stats *hub_stats(const struct hub *h);

#endif
