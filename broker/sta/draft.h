/* draft.h - the body of a request that makes or changes an entity, read into a tree: its own
 * members, links to entities that are there, and entities that are to be made with it (deep
 * insert). Pure; SensorThings 1.1 (OGC 18-088), clauses 8.2 and 10. Observations are not read here.
 *
 * Members that the service works out (@iot.*, navigation links, phenomenonTime of a Datastream) are
 * passed over, so that what was got can be put; one that the model does not know is a fault. Of
 * members of the same name the last counts, as clients expect that send such.
 * A MultiDatastream has from one to LIMIT_STA_MULTI results: as many multiObservationDataTypes,
 * unitOfMeasurements and, where it names them, ObservedProperties (18-088, clause 12).
 *
 * Bounded: LIMIT_ENTITY_BYTES of an entity, LIMIT_ENTITY_DEPTH, LIMIT_ENTITY_CHANGE entities. */
#ifndef STA_DRAFT_H
#define STA_DRAFT_H

#include "base/limits.h"
#include "sta/model.h"

#include <stdint.h>

struct sta_fault {
	char code[32];     /* a word for programs: "missing", "type", "uri" */
	char pointer[160]; /* RFC 6901, in the body; "": the whole */
	char detail[200];
};
enum { STA_FAULTS = 16 };
struct sta_faults {
	unsigned n;
	struct sta_fault one[STA_FAULTS];
};

struct sta_draft;
struct sta_draft_link {
	const struct sta_relation *relation;
	int64_t id;             /* of an entity that is there; 0: it is made with this one */
	struct sta_draft *made; /* NULL: a link */
};

struct sta_draft {
	enum sta_type type;
	char *text; /* own members, a JSON object */
	char *name; /* "": it has none */
	/* Of properties, where they say whose it is; NULL: not said. They are not in text. */
	char *feed, *thing, *member;
	char *definition; /* of an ObservedProperty */
	bool definition_is_uri;
	/* Of a Datastream one, where it says its unit; of a MultiDatastream one for each result. */
	struct sta_draft_part {
		char *symbol, *unit_uri; /* NULL: it is null there */
		char *member;            /* of a MultiDatastream's properties.members, or NULL */
	} * part;
	unsigned n_parts;
	char *observations; /* of a Datastream or MultiDatastream: a JSON array, or NULL */
	char pointer[160];  /* in the body */
	struct sta_draft_link *link;
	unsigned n_links;
	int64_t id; /* for who makes it */
};

/* old n 0: the body is the whole entity; else it is merged into old (RFC 7396), whose required
 * members are there. partial: none is required (the row lies over a derived entity). 0 with *ret,
 * or ERR_INVALID with faults. */
int sta_draft_read(enum sta_type t, struct span body, struct span old, bool partial,
                   struct sta_draft **ret, struct sta_faults *faults) MUSTCHECK;
void sta_draft_free(struct sta_draft *d); /* accepts NULL */

#endif
