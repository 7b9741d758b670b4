/* sta_write.h - writing over SensorThings, between its files:
 *
 *   sta_write.c   which request is what; refusals     sta_find.c    what a request is about
 *   sta_make.c    POST of entities, with deep insert  sta_change.c  PATCH, PUT and DELETE of them
 *   sta_change_multi.c   the same of MultiDatastreams and what is part of them
 *   sta_observation.c    an Observation as a body has it
 *   sta_post.c    an Observation as a message         sta_rows.h    POST of one and of many
 *   sta_amend.c   PATCH and DELETE of an Observation  sta_batch.h   $batch
 *   sta_feature.h what Observations are about
 *
 * A request first looks up, on the reader pool, what it names; then it is decided, written and
 * answered on the loop. Whose an entity is: oudp-http(7), SensorThings. */
#ifndef WEB_STA_WRITE_H
#define WEB_STA_WRITE_H

#include "register/entities.h"
#include "sta/detail.h"
#include "sta/draft.h"
#include "sta/query.h"
#include "web/post.h"
#include "web/sta.h"
#include "web/sta_written.h"

/* ---- sta_find.c ---- */
enum { STA_NAME_BYTES = 1100 }; /* of a thing or member, terminated */

/* One of the datastreams of a MultiDatastream. */
struct sta_side {
	uint32_t number;      /* in the series; 0: no data yet */
	enum sta_result want; /* what its results are */
	char member[STA_NAME_BYTES], unit[64];
};

/* An entity that a request names. */
struct sta_found {
	enum sta_type type;
	int64_t id;
	/* what was found */
	bool there;
	bool written;         /* its number was given by who wrote it */
	int64_t thing_number; /* of a stream: its thing in the series, its default feature */
	uint32_t number;      /* of a Thing or Datastream: in the series; 0: no data yet */
	int64_t of;           /* of a stream: as of struct sta_sides, for its Observations */
	int64_t thing;        /* of a stream: its Thing */
	int64_t feature; /* of a stream: FeatureOfInterest of its Observations; 0: none named */
	char feed[65], organisation[65];
	char of_thing[STA_NAME_BYTES], member[STA_NAME_BYTES];
	char unit[64], schema[200];
	char name[LIMIT_THING_ID_BYTES + 1]; /* of an ObservedProperty */
	struct sta_side *side;               /* of a MultiDatastream, n_sides; else NULL */
	unsigned n_sides;
	char definition[512]; /* of a written ObservedProperty; "": none, or a longer one */
	int64_t last_ms;      /* of a stream: its newest observation; INT64_MIN: none */
	bool settled;         /* what its Observations are about, by those of this request */
};

struct sta_value {    /* one result */
	bool given;   /* else it is null */
	uint8_t kind; /* enum point_kind */
	double number;
	struct span text;
};

/* A time of a Datastream or MultiDatastream: what stands there already, beside what is to be
 * written. */
struct sta_instant {
	unsigned stream; /* index of what is found */
	int64_t ms;
	struct sta_value *value; /* as many as results; NULL: nothing is compared */
	unsigned n_values;
	struct span detail; /* what comes with it beside (sta/detail.h) */
	bool follow;        /* ms is part of a number: it is looked for where it was moved to */
	int64_t feature; /* follow, found: what it is about, where that is not its Datastream's */
	bool beside;     /* follow, found: its result is in its detail */
	/* found */
	bool stands, same, rejected;
	char *now; /* follow: the Observation as it stands, JSON; the caller's to free */
};

struct sta_find { /* part of what a request owns; the request waits meanwhile */
	struct job job;
	struct series_ask wait;
	struct req *r;
	struct sta_things things;
	struct sta_written written;
	struct sta_source source;
	struct sta_found *one; /* n of them, the caller's until sta_find_done() */
	unsigned n;
	struct sta_instant *instant; /* the caller's, or NULL */
	size_t n_instants;
	int err; /* ERR_AGAIN, or of the store */
	/* A path that has to lead to the first one, malloc'ed; NULL: by its number alone. */
	struct sta_query *path;
	bool leads; /* found: it does */
	/* A FeatureOfInterest whose Observations are looked for, 0: none; where they stand, spans
	 * of all datastreams (sta_feature.h). */
	int64_t about;
	struct sta_span *spans;
	size_t n_spans;
	int spans_err; /* ERR_TOO_LARGE, or of the store */
	void (*done)(struct req *r);
};
/* What is to be written, for the comparison with what stands; what value and detail look into is
 * the caller's to free. */
struct sta_observation;
void *sta_instant_of(struct sta_instant *i, const struct sta_observation *o);
/* One more to be looked up; the same twice is one. Its index; pointers change. */
unsigned sta_find_add(struct sta_find *f, enum sta_type t, int64_t id);
/* NULL: it was not asked about. */
struct sta_found *sta_find_of(const struct sta_find *f, enum sta_type t, int64_t id);
/* done is called on the loop, not when the client has gone. With f->err it has answered. */
void sta_find_start(struct sta_find *f, struct req *r, void (*done)(struct req *r));
/* The same from within an answer of a commit, of which the series hears only behind it. */
void sta_find_later(struct sta_find *f, struct req *r, void (*done)(struct req *r));
/* Here and now, for what is in memory: Datastreams. Takes permit over. */
void sta_find_now(struct sta_find *f, const struct web *w, struct permit *permit);
void sta_find_done(struct sta_find *f);

/* ---- sta_instant.c: fills what is found; on the pool ---- */
void sta_find_instant(struct sta_find *f, struct sta_instant *i);

/* ---- sta_write.c ---- */
/* application/problem+json with a code for programs and the place in the body. */
void sta_refuse(struct req *r, int status, const char *code, const char *pointer, const char *fmt,
                ...) PRINTF(5, 6);
/* Of an Observation that is not admission's to refuse: counted for who sent it (refusals.h). */
void sta_count_refusal(struct req *r, const struct feed *f, const char *thing, int status,
                       const char *code, const char *reason);
void sta_refuse_faults(struct req *r, const struct sta_faults *f);
void sta_link(const struct req *r, enum sta_type t, int64_t id, char *out, size_t size);
/* The change that a request writes into: its own, or that of those it is all or nothing with
 * (sta_group.h). */
struct entities_change *sta_begin(struct req *r);
void sta_abort(struct req *r, struct entities_change *c); /* of its own; c may be NULL */
/* As it is for this request; NULL: nobody wrote it, or it goes. */
const struct entity *sta_entity_now(const struct req *r, enum sta_type t, int64_t id);
/* A change goes to the store, and done is told of it with r; no room: it was answered. */
void sta_commit(struct req *r, struct entities_change *c, void (*done)(void *r, int err));
/* The first thing that done asks. False: the client has gone, or it was answered why not. */
bool sta_committed(struct req *r, int err);
void sta_audit(struct req *r, const char *action, enum sta_type t, int64_t id);
/* Whether who asks may write about this thing of a feed; NULL: no, and it was answered. A derived
 * entity is changed by who administers its feed. */
struct feed *sta_may_write(struct req *r, const struct sta_found *x, bool derived);
bool sta_allows(struct req *r, const struct feed *f, bool derived, const char *thing);
void sta_answer_entity(struct req *r, int status, enum sta_type t, int64_t id);
bool sta_schema_has(const struct schema *sc, const char *member);
/* The UCUM code of a unit, in out; false: it is none. "" without a unit. */
bool sta_unit(const char *symbol, const char *uri, char out[64]);

/* Of the path of a set: the path to the entity before it, for sta_find, where that has to be gone;
 * NULL: its number says all. Takes it over. */
struct sta_query *sta_parent_path(struct sta_query *q);

/* ---- the verbs; they take the path over ---- */
void sta_make(struct req *r, struct sta_query *q);
void sta_post(struct req *r, struct sta_query *q); /* sta_body.c */
/* What the path ends in. */
void sta_change(struct req *r, struct sta_query *path);
void sta_rows(struct req *r);
/* Observations in the Datastreams that were made; false: there are none. Else it answers, and the
 * request's own things are freed. */
bool sta_rows_inline(struct req *r, const struct sta_draft *d);
void sta_amend(struct req *r, struct sta_query *path);
void sta_batch(struct req *r);

/* ---- one Observation: sta_observation.c ---- */
struct sta_observation {
	const struct json_tape *t; /* of the body */
	uint32_t time, result;     /* tokens; time 0: not given */
	uint32_t extra[4];         /* of sta_detail_names the first; 0: none */
	bool is_interval;          /* its time */
	bool multi;                /* of a MultiDatastream: its result is a list */
	bool beside;               /* its result is to be in its detail, whatever it is */
	int64_t ms;
	int64_t feature;  /* what it is about; 0: what its Datastream is */
	char pointer[24]; /* what is wrong with it: in its result, or "" */
};
/* Results, and the i-th; 0: null. */
unsigned sta_observation_values(const struct sta_observation *o);
uint32_t sta_observation_value(const struct sta_observation *o, unsigned i);
/* Whether its results are what the stream has. NULL, or what is wrong, in why. */
const char *sta_observation_fits(struct sta_observation *o, const struct sta_found *x,
                                 char why[200]);
/* NULL, or what is wrong with it; *ret_code is static. multi: of a MultiDatastream. */
const char *sta_observation_read(const struct json_tape *t, uint32_t token, bool multi,
                                 int64_t now_ms, struct sta_observation *ret,
                                 const char **ret_code);
/* The same of members that were found one by one. */
const char *sta_observation_check(struct sta_observation *o, const char **ret_code);
/* Appends what it has beside time and result (sta/detail.h); nothing, when it has nothing. */
void sta_observation_detail(const struct sta_observation *o, struct buf *out);
/* An object, or a list that is none of results of a MultiDatastream. */
bool sta_observation_is_structure(const struct sta_observation *o);
/* A value of the body as it stands there. */
void sta_write_value(const struct json_tape *t, uint32_t at, struct buf *b);

/* ---- as a message: sta_post.c ---- */
struct sta_message {
	struct buf *payload, *properties; /* the caller's, empty */
	const char *code;                 /* when there is none */
};
/* The message of the Datastream's feed, and the user property that goes with it; p gets its feed
 * and topic. NULL, or why there is none. */
const char *sta_message(struct post *p, const struct web *w, const struct sta_found *x,
                        const struct sta_observation *o, struct sta_message *ret);
/* For post_publish(), over HTTP. */
struct ingest_message sta_message_of(const struct post *p, const struct sta_observation *o,
                                     const struct sta_message *m);
#endif
