/* sta_changing.h - PATCH, PUT and DELETE of entities, between its files: sta_change.c, and
 * sta_change_multi.c for MultiDatastreams. */
#ifndef WEB_STA_CHANGING_H
#define WEB_STA_CHANGING_H

#include "web/sta_write.h"

struct changing {
	struct req *r;
	struct sta_find find;
	struct sta_draft *draft; /* NULL: it is deleted */
	struct entities_change *change;
	enum sta_type type;
	int64_t id;
	int64_t seen_ms; /* the version that a PATCH was merged into */
	/* of a FeatureOfInterest that is deleted: its Observations go with it */
	struct series_correction rejection;
	size_t at; /* in find.spans */
};

/* ---- sta_change.c; false: it was refused ---- */
bool sta_went(struct changing *c, int err); /* of a change of an entity */
bool sta_remove_one(struct changing *c, enum sta_type t, int64_t id);
/* What is fixed is said as it is, or not at all. */
bool sta_stays(struct changing *c, const char *said, const char *is, const char *what);

/* ---- sta_change_multi.c ---- */
/* Units, ObservedProperties and Sensor of its results, as the draft has them; multi: as it is to
 * be. */
bool sta_change_members(struct changing *c, const struct entity *multi);
/* With all of its members. */
bool sta_remove_multi(struct changing *c, int64_t id);

#endif
