/* source.h - where entities come from: the daemon's series, or a test's own list. The room asks in
 * steps that the source bounds; it never holds more of it than one page.
 *
 * An entity is a JSON object with its own properties as the standard names them, without @iot.*
 * members and links: those are the room's. Its id is a number that never changes. Sets are walked
 * by rising id, except Observations: by rising phenomenonTime within a Datastream (falling when
 * asked for), Datastream after Datastream.
 *
 * Errors: ERR_NOT_FOUND, ERR_AGAIN (not now), ERR_STORE_IO, ERR_STORE_DAMAGED. */
#ifndef STA_SOURCE_H
#define STA_SOURCE_H

#include "sta/model.h"

#include <stdint.h>

/* jansson's, said here because its names and those of json/json.h cannot be seen together. */
typedef struct json_t json_t;

/* What a walk is about. */
struct sta_list {
	enum sta_type type;
	/* Entities that this relation of entity id leads to; NULL: all of the set. */
	const struct sta_relation *relation;
	int64_t id;
	/* Go on behind this one, as a former walk's visit() was told it; it went through the hands
	 * of the asker: ERR_MALFORMED when it is none. n 0: from the start. */
	struct span token;
	bool descending; /* Observations of one Datastream */
	/* Observations: from_ms <= phenomenonTime <= to_ms; INT64_MIN and INT64_MAX: all. */
	int64_t from_ms, to_ms;
	int64_t stored_since_ms; /* Observations: the others need not be told; 0: all */
	size_t want;             /* so many will be enough, perhaps; 0: not known */
};

/* One entity of a walk. token is for sta_list.token; it and entity live until the return, unless
 * a reference is taken. Not 0: enough. */
typedef int sta_visit(void *arg, int64_t id, json_t *entity, struct span token);

struct sta_source {
	void *arg;
	/* A new reference, or an error. */
	int (*get)(void *arg, enum sta_type type, int64_t id, json_t **ret);
	/* The id of the entity at the other end of a relation to one. */
	int (*one)(void *arg, const struct sta_relation *r, int64_t id, int64_t *ret);
	/* 0: the end was met; 1: visit() had enough; or an error. */
	int (*walk)(void *arg, const struct sta_list *l, sta_visit *visit, void *visit_arg);
	/* How many there are, when that is known without a walk; false: it is not. */
	bool (*count)(void *arg, const struct sta_list *l, uint64_t *ret);
};

enum { STA_TOKEN_BYTES = 64 }; /* of one token at most */

#endif
