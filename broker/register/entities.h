/* entities.h - entities of SensorThings that somebody wrote: Things, Locations, Datastreams,
 * MultiDatastreams, Sensors, ObservedProperties, FeaturesOfInterest and HistoricalLocations.
 *
 * Beside them stand those that are derived from data (web/sta.h), which have no row here until
 * somebody writes about one: that row lies over it. A number from ENTITY_FIRST on was given here, a
 * lower one by the series. Numbers are given once.
 *
 * An entity belongs to a feed and an organisation. A Thing is a thing of its feed (the level
 * {thing} of its topic), a Datastream one member of that thing's messages: when data of that name
 * comes, it is this Thing's and this Datastream's (entities_fill()). Names are unique for each type
 * within an organisation, where the feed has strict rules (config.h).
 *
 * A MultiDatastream has a Datastream for each of its results, made with it, in the order of their
 * numbers: they hold members of the thing's messages as any do, and are not shown by themselves.
 *
 * They are not entries of the register (register.h): an entry has an owner, a goal and a legal
 * ground, which SensorThings does not know. A feed with registration = required asks for both.
 *
 * What is deleted keeps the number that its data has in the series, so that the data is not shown
 * as a new Thing; one that never had data gives its topic free.
 *
 * Rows (STORE_STATE): "entity/" letter of the type, number (u64 big endian); value: a format byte,
 * then JSON. All are in memory. The loop thread writes; other threads read under the lock.
 *
 * Many rows change in one commit: entities_begin(), then add, replace and remove as often as
 * needed, then entities_commit(). What is being committed holds its name and is shown to nobody. */
#ifndef REGISTER_ENTITIES_H
#define REGISTER_ENTITIES_H

#include "feed/hub.h"
#include "register/entity.h"
#include "series/series.h"

struct entities;
struct entities_change;

int entities_new(struct hub *h, struct entities **ret) MUSTCHECK; /* loads; the store's error */
void entities_free(struct entities *e);                           /* accepts NULL */

/* ---- reading. On threads beside the loop: between lock and unlock, as everything they return. */
void entities_lock(struct entities *e);
void entities_unlock(struct entities *e);
/* Also a tombstone; NULL: nobody wrote it. */
const struct entity *entities_get(const struct entities *e, enum sta_type t, int64_t id);
/* The first of a type above that number that was written and not deleted; derived ones that have a
 * row are among them. NULL: none. */
const struct entity *entities_after(const struct entities *e, enum sta_type t, int64_t id);
/* The same of the Datastreams, MultiDatastreams or HistoricalLocations of one Thing. */
const struct entity *entities_part_after(const struct entities *e, enum sta_type t, int64_t thing,
                                         int64_t id);
/* The same of the members of a MultiDatastream. */
const struct entity *entities_member_after(const struct entities *e, const struct entity *multi,
                                           int64_t id);
/* The same of the Things that are at a Location, or the Datastreams that name a FeatureOfInterest
 * or Location as theirs. */
const struct entity *entities_about_after(const struct entities *e, enum sta_type t, int64_t place,
                                          int64_t id);
/* The written Thing or Datastream, perhaps deleted, that this number of the series is; NULL: the
 * series' one stands for itself. */
const struct entity *entities_of_number(const struct entities *e, enum sta_type t, uint32_t number);
bool entities_any(const struct entities *e); /* false: there are none, not even tombstones */
/* Whether any of a type is deleted. */
bool entities_any_deleted(const struct entities *e, enum sta_type t);
/* Finds the numbers of Things and Datastreams that had no data yet. Takes the lock itself. */
void entities_fill(struct entities *e, struct series *s);

/* ---- for the loop ---- */
/* Whether a name is taken; by those being committed too. */
bool entities_has_name(const struct entities *e, enum sta_type t, struct span organisation,
                       struct span name);
/* Who has the topic level of a feed, or the member of a thing; deleted ones that have data too. */
const struct entity *entities_of_thing(const struct entities *e, struct span feed,
                                       struct span organisation, struct span thing,
                                       struct span member);

/* A thing was erased; the rows are the eraser's. */
struct erasure;
void entities_erased(struct entities *e, const struct erasure *of);

/* told is called of each that was made or changed, after the commit, not of those that are gone.
 * NULL: nobody. */
void entities_on_change(struct entities *e, void (*told)(void *arg, const struct entity *x),
                        void *arg);

/* ---- changing ---- */
struct entities_change *entities_begin(struct entities *e, struct span by);
/* x is copied; x->id 0 gets a number, else it is a row over a derived one. The number, or
 * ERR_TOO_LARGE: there is no room for more, of this change or at all. Names and topics were asked
 * about before. */
int64_t entities_add(struct entities_change *c, const struct entity *x) MUSTCHECK;
/* name, text and links of x are taken for the entity of its type and id. ERR_AGAIN: it is being
 * changed by another. */
int entities_replace(struct entities_change *c, const struct entity *x) MUSTCHECK;
int entities_remove(struct entities_change *c, enum sta_type t, int64_t id) MUSTCHECK;
/* Where a Thing was (SensorThings 1.1, 8.2.3): its Locations now, as a HistoricalLocation; the
 * oldest of more than LIMIT_ENTITY_MOVES goes. id of thing is set. */
int entities_note_place(struct entities_change *c, const struct entity *thing) MUSTCHECK;
/* What was added or replaced in this change; NULL: nothing of that kind. */
const struct entity *entities_pending(const struct entities_change *c, enum sta_type t, int64_t id);
/* Those that were added, replaced or removed, one after the other; NULL: there are no more. */
const struct entity *entities_pending_at(const struct entities_change *c, unsigned i);
/* Whether this change removes it. */
bool entities_goes(const struct entities_change *c, enum sta_type t, int64_t id);
size_t entities_bytes(const struct entities_change *c); /* what its commit takes at most */
/* Nothing of it happens. */
void entities_abort(struct entities_change *c);
/* done(arg, err) after the commit, err 0 or ERR_STORE_FULL; c is gone then. ERR_AGAIN: no room in
 * the batch now: c is as it was. */
int entities_commit(struct entities_change *c, void (*done)(void *arg, int err),
                    void *arg) MUSTCHECK;

#endif
