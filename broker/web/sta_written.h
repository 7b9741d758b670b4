/* sta_written.h - the source of SensorThings with what was written (register/entities.h) over what
 * is derived from data (sta.h):
 *
 *   a derived Thing or Datastream that a written one describes is shown as that one, under its
 *     number; Observations keep theirs, which hold the number in the series
 *   a row over a derived entity gives it other members
 *   a tombstone hides an entity, and what is part of it: a Thing's Datastreams, their Observations
 *   a Location is the FeatureOfInterest of the same number too, as it is for derived ones */
#ifndef WEB_STA_WRITTEN_H
#define WEB_STA_WRITTEN_H

#include "register/entities.h"
#include "sta/source.h"
#include "web/permit.h"

struct sta_written { /* one for a request, used by one thread */
	struct entities *entities;
	struct permit *permit;
	struct sta_source inner;
	struct { /* the datastream that was asked about last */
		uint32_t stream;
		bool hidden;
	} last;
};

struct sta_source sta_written_source(struct sta_written *w);
/* For struct sta_things.written; arg: a struct sta_written. */
bool sta_written_stream(void *arg, uint32_t stream);

#endif
