/* entity.h - one written entity of SensorThings, and its row. Pure; what it is: entities.h. */
#ifndef REGISTER_ENTITY_H
#define REGISTER_ENTITY_H

#include "base/buf.h"
#include "register/entry.h"
#include "sta/model.h"

#define ENTITY_ROWS     "entity/"          /* their keys in STORE_STATE begin so */
#define ENTITY_LAST_ROW "entity-last"      /* u64: the highest number given */
#define ENTITY_FIRST    ((int64_t)1 << 31) /* above any number of the series */
#define ENTITY_LAST     ((int64_t)UINT32_MAX)

struct entity_links { /* 0: none */
	int64_t thing, sensor, property;
	int64_t feature; /* of a Datastream or MultiDatastream: what its Observations are about */
	/* Of a Datastream: the MultiDatastream that it is a member of, with its place by its
	 * number; such a one is not shown by itself. */
	int64_t multi;
	/* Of a Thing and a HistoricalLocation: Locations. Of a FeatureOfInterest, and of a Location
	 * as one: Datastreams that have Observations about it and are about another one. */
	int64_t place[LIMIT_ENTITY_PLACES];
	unsigned n_places;
	bool mixed; /* of a Datastream: not all of its Observations are about its feature */
};

struct entity {
	enum sta_type type;
	int64_t id;
	char *feed, *organisation;
	char *thing, *member; /* of a Thing and a Datastream; "": none */
	char *name; /* "": it has none, or it lies over a derived one that keeps its own */
	char *text; /* its own members, a JSON object; of a tombstone "{}" */
	char *unit; /* of a Datastream: UCUM; "": none */
	struct entity_links to;
	bool deleted;
	uint32_t
	    number; /* in the series: of the thing or datastream that is this one; 0: no data yet
	             */
	int64_t changed_ms;
	char by[THING_BY_BYTES];
	/* private */
	bool pending, changing; /* new and not committed; replaced by what is not committed */
};

/* The row's value, pure: for tests and the fuzzer. 0, ERR_STORE_FORMAT. *ret is the caller's. */
int entity_row_read(struct span value, struct entity *ret) MUSTCHECK;
void entity_row_write(const struct entity *x, struct buf *out);
/* Whether a row is about the thing of an erasure; then out has the tombstone that stays of it: its
 * number, feed and organisation, nothing else. */
struct erasure;
bool entity_row_erase(struct span value, const struct erasure *e, struct buf *out);
void entity_done(struct entity *x);

#endif
