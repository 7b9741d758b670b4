/* sta_tell.h - SensorThings over MQTT: what a record changed is told to who subscribed to it
 * (18-088, clause 14; session/questions.h). A record makes Observations; with them its Datastreams,
 * its Thing and, where it moved, Locations, HistoricalLocations and FeaturesOfInterest change. So
 * is what somebody wrote: an entity that was made or changed, on every path that leads to it.
 *
 * Where somebody listens, names and times of records are noted and a thread of the reader pool
 * makes of them what a GET of the entity would answer, a round at a time, for each subscriber what
 * it may read. Bounded (LIMIT_STA_NEWS_BYTES, LIMIT_STA_TOLD): what is too much is left out and
 * counted, for nobody is owed it; the feeds of the records are the way without holes. Loop thread
 * only. */
#ifndef WEB_STA_TELL_H
#define WEB_STA_TELL_H

#include "sta/model.h"
#include "web/private.h"

struct sta_teller;

struct sta_teller *sta_teller_new(struct web *w); /* NULL: there are no series or no sessions */
void sta_teller_free(struct sta_teller *t);       /* accepts NULL */
void sta_teller_record(struct sta_teller *t, const struct feed *f, const struct record *r);
/* An entity was written, or an Observation corrected; not: deleted. */
void sta_teller_changed(struct sta_teller *t, enum sta_type type, int64_t id);
void sta_teller_turn(struct sta_teller *t); /* the end of a turn: a round begins when it can */
bool sta_teller_idle(const struct sta_teller *t);

#endif
