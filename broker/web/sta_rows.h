/* sta_rows.h - POST of Observations, between its files: sta_body.c reads bodies into rows,
 * sta_rows.c publishes them, sta_told.c answers. */
#ifndef WEB_STA_ROWS_H
#define WEB_STA_ROWS_H

#include "web/sta_write.h"
#include "json/json.h"

struct row {
	struct sta_observation o;
	unsigned stream;   /* index of what is found */
	int64_t feature;   /* FeatureOfInterest that it names; 0: none */
	int status;        /* 0: not decided yet */
	bool held, clash;  /* its key: by this one, by another one that is on its way */
	bool spent;        /* a trial has charged the grant */
	bool by_admission; /* it is what refused it */
	char code[24];
	char *reason;   /* malloc'ed, of a refusal */
	void *compared; /* malloc'ed: sta_instant looks into it */
	char *parts;    /* of a refusal by admission: schema, pointer, rule, each terminated */
	uint64_t sequence;
};

enum rows_kind { ROWS_ONE, ROWS_MANY, ROWS_INLINE };

struct rows {
	struct req *r;
	enum rows_kind kind;
	struct sta_find find;
	struct json_tape body;
	struct row *row;
	size_t n, at; /* at: to be published next */
	struct buf payload, properties, text;
	struct sta_draft *inline_feature; /* of the one */
	struct entities_change *change;
	enum sta_type made_type; /* INLINE: what it is an answer about */
	int64_t made;
	bool refind; /* numbers of the series are looked up */
};

/* A Datastream or MultiDatastream and the time of an Observation that is on its way, or an
 * Observation that a group changes, and 0. False: another one has it. */
bool sta_hold(struct web *w, enum sta_type t, int64_t id, int64_t ms) MUSTCHECK;
void sta_let_go(struct web *w, enum sta_type t, int64_t id, int64_t ms);

/* What its message takes of a commit at most. */
size_t sta_message_bytes(const struct sta_found *x, const struct sta_observation *o);

/* What a request owns from now on. */
struct rows *rows_new(struct req *r, enum rows_kind kind);
struct row *row_new(struct rows *s, unsigned stream);
void row_refuse(struct row *w, int status, const char *code, const char *fmt, ...) PRINTF(4, 5);
/* The stream that an Observation is of, in *ret: what names it in a body, a Datastream or a
 * MultiDatastream. NULL, or what is wrong. */
const char *rows_stream(const struct json_tape *t, uint32_t object, enum sta_type *ret_type,
                        int64_t *ret_id);
/* The number of {"@iot.id": 5}. */
bool rows_read_id(const struct json_tape *t, uint32_t at, int64_t *ret);
/* All rows are read: looks up, publishes, answers. */
void rows_begin(struct rows *s);
/* All rows have their status, and their Datastreams numbers. */
void rows_answer(struct rows *s);

#endif
