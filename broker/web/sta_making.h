/* sta_making.h - POST of entities, between its files: sta_make.c makes them, sta_name.c finds their
 * names in the feed. */
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
/* False: it was refused. */
bool sta_name_is_free(struct making *m, const struct sta_draft *d);
/* The level of the topic, and the right to publish there. */
bool sta_name_thing(struct making *m, const struct sta_draft *d, char *out, size_t size);
/* The member, and the unit of x. */
bool sta_name_stream(struct making *m, const struct sta_draft *d, const char *thing,
                     struct entity *x, char *member, size_t size);

#endif
