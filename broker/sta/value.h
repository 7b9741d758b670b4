/* value.h - what an expression comes to, and what can be done with it. Pure, but for now(): the
 * time is a parameter. Texts are views of the query, the entity or the arena. */
#ifndef STA_VALUE_H
#define STA_VALUE_H

#include "sta/query.h"
#include "sta/source.h"

#include <jansson.h>

enum sta_kind {
	STA_V_NULL,
	STA_V_BOOL,
	STA_V_NUMBER,
	STA_V_STRING,
	STA_V_TIME, /* ms to end_ms, the same for an instant */
	STA_V_DURATION,
	STA_V_WKT,
	STA_V_JSON /* object or array */
};

struct sta_value {
	enum sta_kind kind;
	bool truth;
	double number;
	int64_t ms, end_ms;
	struct span text;
	const json_t *json;
};

/* Geometries, through GEOS; one for a request, on its thread. */
struct sta_geo;
struct sta_geo *sta_geo_new(void);
void sta_geo_free(struct sta_geo *g);
bool sta_geo_reads(struct sta_geo *g, struct span wkt); /* whether it is a geometry */
/* false: one of them is no geometry. pattern: of st_relate. ret: truth or number. */
bool sta_geo_call(struct sta_geo *g, enum sta_function f, const struct sta_value *a,
                  const struct sta_value *b, struct span pattern, struct sta_value *ret);

struct sta_eval {
	const struct sta_query *q;
	const struct sta_source *source;
	struct sta_geo *geo;
	int64_t now_ms;
	int err;         /* of the source, sticky: what was found then means nothing */
	char text[4096]; /* results of concat, toupper, ... of one evaluation */
	size_t used;
	unsigned looked_up; /* entities that the expressions asked for: bounded by the caller */
};

/* A JSON value as the language sees it; strings stay strings until a time is compared with them. */
struct sta_value sta_value_of(const json_t *j);
/* A member of an object, or what stands at a place of a list; NULL: none. Borrowed. */
json_t *sta_value_below(const json_t *j, struct span name);
/* RFC 3339, or two of them with a slash. */
bool sta_value_as_time(struct sta_value *v);
/* Whether a ends before b begins; an interval does not have its last moment. */
bool sta_time_before(const struct sta_value *a, const struct sta_value *b);
/* A total order for $orderby: null first, then by kind, then by value. */
int sta_value_compare(const struct sta_value *a, const struct sta_value *b);

/* Whether the entity meets the condition at node. A path over a relation to many holds when one of
 * them does. */
bool sta_eval_true(struct sta_eval *e, uint16_t node, enum sta_type type, int64_t id,
                   const json_t *entity);
/* The value of an expression; of several (a relation to many) the first. */
struct sta_value sta_eval_value(struct sta_eval *e, uint16_t node, enum sta_type type, int64_t id,
                                const json_t *entity);
/* A copy in e->text, cut where that is full. */
struct span sta_keep(struct sta_eval *e, struct span text);
/* function.c: one call with its arguments at hand. */
struct sta_value sta_call(struct sta_eval *e, enum sta_function f, const struct sta_value *arg,
                          unsigned n);

#endif
