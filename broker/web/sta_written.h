/* sta_written.h - the source of SensorThings with what was written (register/entities.h) over what
 * is derived from data (sta.h):
 *
 *   a derived Thing or Datastream that a written one describes is shown as that one, under its
 *     number; Observations keep theirs, which hold the number in the series
 *   a row over a derived entity gives it other members
 *   a tombstone hides an entity, and what is part of it: a Thing's Datastreams, their Observations
 *   a Location is the FeatureOfInterest of the same number too, as it is for derived ones
 *   a MultiDatastream hides the Datastreams that are its members, and their Observations; its own
 *     have the numbers that those of the member would have whose number in the series is lowest:
 *     numbers are given once and rise, so that it stays the same one */
#ifndef WEB_STA_WRITTEN_H
#define WEB_STA_WRITTEN_H

#include "register/entities.h"
#include "sta/source.h"
#include "web/permit.h"

struct sta_written { /* one for a request, used by one thread */
	struct entities *entities;
	struct permit *permit;
	const struct sta_things *things;
	struct sta_source inner;
	struct { /* the datastream that was asked about last */
		uint32_t stream;
		bool hidden;
	} last;
};

/* The source of a request; t has its series, permit and so on, and lives as long as w. */
struct sta_source sta_written_source(struct sta_written *w, struct sta_things *t,
                                     struct entities *e);
/* The Observation that an observation of the series is shown in, for who may see it; 0: in none. */
int64_t sta_shown_in(struct sta_written *w, uint32_t stream, int64_t ms);
struct sta_sides;
/* The datastreams of a MultiDatastream, written or not. */
int sta_sides_of(struct sta_written *w, int64_t multi, struct sta_sides *ret);

#endif
