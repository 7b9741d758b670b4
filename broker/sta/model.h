/* model.h - the entities of OGC SensorThings API 1.1 (18-088, clause 8.2): their sets, properties
 * and relations, as tables. Pure. SensorThings 2.0 (23-019) would be a second table over the same
 * source. */
#ifndef STA_MODEL_H
#define STA_MODEL_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>

enum sta_type {
	STA_THING,
	STA_LOCATION,
	STA_HISTORICAL_LOCATION,
	STA_DATASTREAM,
	STA_SENSOR,
	STA_OBSERVED_PROPERTY,
	STA_OBSERVATION,
	STA_FEATURE,
	STA_MULTI_DATASTREAM, /* the result of its Observations is a list */
	STA_TYPES
};

/* What Observations belong to. */
static inline bool sta_is_stream(enum sta_type t)
{
	return t == STA_DATASTREAM || t == STA_MULTI_DATASTREAM;
}

struct sta_relation {
	enum sta_type from, to;
	const char *name; /* as the path and $expand have it */
	bool many;
};

const char *sta_set_name(enum sta_type t);    /* "Things" */
const char *sta_entity_name(enum sta_type t); /* "Thing" */
/* By the name of its set; false: there is none. */
bool sta_find_set(struct span name, enum sta_type *ret);
/* NULL: no such relation of this type. */
const struct sta_relation *sta_find_relation(enum sta_type from, struct span name);
/* The i-th relation of a type; NULL past the last one. */
const struct sta_relation *sta_relation_at(enum sta_type from, unsigned i);
/* Whether entities of this type have a property of that name; id, @iot.id and @iot.selfLink, which
 * all have, are included. */
bool sta_has_property(enum sta_type t, struct span name);
/* One whose value is JSON of any shape, so that a path may go on below it: properties, parameters,
 * result, unitOfMeasurement, location, feature. */
bool sta_property_is_open(enum sta_type t, struct span name);

/* What a result may be, by the type of the observation (8.2.4, table 12). */
enum sta_result { STA_R_ANY, STA_R_NUMBER, STA_R_COUNT, STA_R_TRUTH, STA_R_TEXT };
enum sta_result sta_result_of(struct span type);
const char *sta_result_words(enum sta_result r); /* "a number" */

#endif
