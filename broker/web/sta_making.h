/* sta_making.h - POST of entities, between its files: sta_make.c makes them, sta_make_stream.c
 * Datastreams and MultiDatastreams, sta_name.c finds their names in the feed. */
#ifndef WEB_STA_MAKING_H
#define WEB_STA_MAKING_H

#include "web/sta_write.h"

struct making {
	struct req *r;
	struct sta_find find;
	struct sta_draft *draft;
	struct entities_change *change;
	enum sta_type parent; /* of the path */
	int64_t parent_id;    /* 0: none */
	struct feed *feed;
	const char *organisation;
	const char *places_of; /* the thing whose Locations are being made, or NULL */
};

/* The first link of a draft to a type; NULL: it has none. */
const struct sta_draft_link *sta_link_to(const struct sta_draft *d, enum sta_type t);
/* The i-th of them, from 0; NULL: there are not so many. */
const struct sta_draft_link *sta_link_at(const struct sta_draft *d, enum sta_type t, unsigned i);
/* Whether what is made is held to more than the standard asks (config.h). */
bool sta_is_strict(const struct feed *f);
/* The definition of an ObservedProperty, where its feed is strict. False: it was refused. */
bool sta_definition_is_good(struct req *r, const struct feed *f, const struct sta_draft *d);
/* The unit as messages have it, "" where they have none. False: it was refused. */
bool sta_take_unit(struct req *r, const struct feed *f, const struct sta_draft_part *p,
                   const char *pointer, char out[64]);
/* False: it was refused. */
bool sta_name_is_free(struct making *m, const struct sta_draft *d);
/* The level of the topic, and the right to publish there. */
bool sta_name_thing(struct making *m, const struct sta_draft *d, char *out, size_t size);
/* What a Datastream is to be named by: one that is made, or one of a MultiDatastream. */
struct sta_naming {
	const struct sta_draft_part *part;     /* its unit; NULL: none is said */
	const struct sta_draft_link *property; /* or NULL: that of the path */
	const char *wish, *name;               /* properties.member, or NULL: after its name */
	const char *unit_at, *member_at;       /* places in the body */
};
/* The member, and the unit of x. */
bool sta_name_stream(struct making *m, const struct sta_naming *n, const char *thing,
                     struct entity *x, char *member, size_t size);

/* ---- sta_make.c ---- */
/* Makes what is in a draft; thing and other: what it is in, 0: nothing. The number, -1: refused. */
int64_t sta_make_one(struct making *m, struct sta_draft *d, int64_t thing, int64_t other);
/* The number at the other end of a link, which is made when it is not there yet; 0: no such link;
 * -1: refused. */
int64_t sta_make_link(struct making *m, const struct sta_draft *d, enum sta_type t, int64_t thing);
/* x goes into the change; its number, or -1: refused. */
int64_t sta_make_add(struct making *m, const struct sta_draft *d, const struct entity *x);
/* x with what the draft says; the same. */
int64_t sta_make_row(struct making *m, const struct sta_draft *d, struct entity *x);
int64_t sta_make_missing(struct making *m, const struct sta_draft *d, const char *what);

/* ---- sta_make_stream.c: other is the Sensor or ObservedProperty that it is made in ---- */
int64_t sta_make_stream(struct making *m, struct sta_draft *d, int64_t thing, int64_t other);
int64_t sta_make_multi(struct making *m, struct sta_draft *d, int64_t thing, int64_t other);

#endif
