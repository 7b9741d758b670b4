/* register.h - the things there are: those that stand in the register, and those that published
 * without standing there.
 *
 * An entry is a row in the journal (a version each, so that its history is kept) and is committed
 * before it is answered; all current ones are in memory, loaded at start. What a thing published
 * (feeds, first and last time, place) is in memory only and found again from the newest part of the
 * logs after a start, in steps on the reader pool.
 *
 * A thing is named by organisation and id; ids are unique within an organisation. Loop thread only,
 * but for things_entry() and things_entry_place().
 *
 * Rows (STORE_STATE): "thing/" organisation "/" id 0 version (u64 big endian); value JSON: code,
 * changed (ms), by, document (null: taken out). */
#ifndef REGISTER_REGISTER_H
#define REGISTER_REGISTER_H

#include "base/shape.h"
#include "feed/hub.h"
#include "register/entry.h"

struct thing {
	struct span key; /* organisation "/" id */
	struct span organisation, id;
	/* the register's */
	bool registered;
	struct entry entry; /* when registered */
	char code[THING_CODE_BYTES +
	          1];     /* of /t/{code}: short, random, stays; "": never registered */
	uint64_t version; /* of the newest row; 0: never registered */
	int64_t changed_ms;
	char by[THING_BY_BYTES];
	/* What it published, as far as it is known: on each feed for itself, for who may not read
	 * one of them may know nothing of that. At most LIMIT_THING_FEEDS. */
	struct thing_seen {
		uint16_t feed; /* index in the hub */
		bool has_location;
		struct box place; /* told last */
		int64_t place_ms; /* storedTimes */
		int64_t first_ms, last_ms;
	} * seen;
	unsigned n_seen;
	/* private */
	struct list silent; /* those that are not registered, the most silent first */
	uint64_t given;     /* the highest version given out, perhaps not committed yet */
	char next_code[THING_CODE_BYTES + 1];
	uint32_t number;   /* in the index of places; 0: it has no place */
	struct box around; /* all its places are in it: as it stands in the index */
};

struct things; /* all of them */

/* Loads the register. The hub is configured. 0 or the store's error. */
int things_new(struct hub *h, struct things **ret) MUSTCHECK;
/* The look through the logs ends at its next step. */
void things_stop(struct things *t);
void things_free(struct things *t); /* accepts NULL; no job may be in flight */

/* Starts to look through the logs for what published before the start; goes on by itself. */
void things_look_back(struct things *t);
/* A record was committed. No allocation when the thing is known. */
void things_record(struct things *t, const struct feed *f, const struct record *r);

/* NULL: not known. Pointers are valid until the loop goes on. */
const struct thing *things_find(const struct things *t, struct span organisation, struct span id);
/* Where it told a place last, on whatever feed; NULL: nowhere. */
const struct thing_seen *thing_told_place(const struct thing *x);
const struct thing *things_by_code(const struct things *t, struct span code);
unsigned things_count(const struct things *t);
/* In the order of their keys. */
const struct thing *things_at(const struct things *t, unsigned i);
unsigned things_after(const struct things *t, struct span key); /* index of the first one > key */
/* Those behind key that may have a place in the shape, the register's or one that they told: all
 * that have, and some others, in any order. At most LIMIT_THINGS_NEAR into out; false: they are
 * more, look at all. */
bool things_near(struct things *t, const struct shape *s, struct span key,
                 const struct thing *out[LIMIT_THINGS_NEAR], unsigned *ret_n) MUSTCHECK;
void things_sort(const struct thing **x, unsigned n); /* in the order of their keys */

/* The place that the register says of it; known false: none. From any thread. */
struct thing_place {
	bool known;
	struct box place;
};
struct thing_place thing_entry_place(const struct thing *x); /* loop */
struct thing_place things_entry_place(struct things *t, struct span organisation, struct span id);
/* The entry of a thing that is registered, as it was put (a JSON object), at the end of out; false:
 * it has none. From any thread: threads that answer questions name things by it. */
bool things_entry(struct things *t, struct span organisation, struct span id, struct buf *out,
                  struct thing_place *ret_place);

/* registration = required: may data of this thing be stored now? NULL, or why not (a sentence's
 * end; static). */
const char *things_refuse(const struct things *t, struct span organisation, struct span id,
                          int64_t now_ms);

/* Writes a version; e is taken over, NULL takes the entry out. by: who. done(arg, err) after the
 * commit, err 0 or ERR_STORE_FULL. ERR_AGAIN: no room in the batch now; ERR_TOO_LARGE: the register
 * is full; ERR_NOT_FOUND: nothing to take out. done is then not called. */
typedef void (*things_done_fn)(void *arg, int err);
int things_put(struct things *t, struct span organisation, struct span id, struct entry *e,
               struct span by, things_done_fn done, void *arg) MUSTCHECK;

/* Told when the register says another place of a thing than before, or none any more (NULL). On the
 * loop, not for what is loaded at the start. */
typedef void (*things_placed_fn)(void *arg, struct span organisation, struct span id,
                                 const struct box *place);
void things_tell_places(struct things *t, things_placed_fn placed, void *arg);

/* Its entry, code and what it published are not known any more; the rows are the eraser's. */
struct erasure;
void things_erased(struct things *t, const struct erasure *e);
/* What a row of the register is about; views into key. false: it is no such row. */
bool things_row_of(struct span key, struct span *ret_organisation, struct span *ret_thing);

/* All versions of one thing, oldest first, as a JSON array appended to out; read on the pool. done
 * on the loop. */
typedef void (*things_history_fn)(void *arg, const struct buf *json, int err);
void things_history(struct things *t, struct span organisation, struct span id,
                    things_history_fn done, void *arg);

#endif
