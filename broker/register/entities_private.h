/* entities_private.h - the inside of the table of written entities: entities.c (the table) and
 * entities_change.c (what is on its way to the disk). */
#ifndef REGISTER_ENTITIES_PRIVATE_H
#define REGISTER_ENTITIES_PRIVATE_H

#include "base/hash.h"
#include "register/entities.h"

#include <pthread.h>

enum {
	ENTITY_NAME_BYTES = 1024, /* of the keys of maps */
	ENTITY_ROW_BYTES = 16
};

struct list_of { /* by number */
	struct entity **p;
	unsigned n, cap, deleted;
};

struct entities {
	struct hub *hub;
	pthread_rwlock_t lock;
	struct list_of all[STA_TYPES];
	unsigned n;
	int64_t last_id;
	struct map names;   /* letter, organisation, 0, name */
	struct map topics;  /* feed, 0, organisation, 0, thing, 0, member */
	struct map numbers; /* letter, number in the series */
	struct map parts;   /* letter, number of a Thing -> struct list_of: what is part of it */
	struct map about;   /* letter, number of a Location or FeatureOfInterest -> struct list_of:
	                       Things that are there, Datastreams that are about it */
	uint64_t filled_at; /* what the series had when numbers were looked for last */
	unsigned unfilled;
	void (*told)(void *arg, const struct entity *x); /* NULL: nobody asks */
	void *told_arg;
};

/* Under the lock for writing: into the table with its names; one that never was out of it; a
 * tombstone. */
void entity_insert(struct entities *e, struct entity *x);
void entity_take_out(struct entities *e, struct entity *x);
/* Its links are others from now on. */
void entity_link(struct entities *e, struct entity *x, const struct entity_links *to);
void entity_bury(struct entities *e, struct entity *x);
/* The name stands for x from now on, or no more. */
void entity_hold_name(struct entities *e, struct entity *x, const char *name);
void entity_drop_name(struct entities *e, const struct entity *x, const char *name);
struct entity *entity_find(const struct entities *e, enum sta_type t, int64_t id); /* or NULL */
struct span entity_row_key(char out[ENTITY_ROW_BYTES], enum sta_type t, int64_t id);

#endif
