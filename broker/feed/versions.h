/* versions.h - which schema versions a feed's devices still send: messages by version, and of each
 * thing the version of its newest message. Loop thread only; no allocation per message.
 *
 * The things are in one table over all feeds, of a fixed size: the newest so many are known, a
 * thing that was not heard of for longest goes first and is no longer counted. Counters begin with
 * the process; hub_version_seen() tells what is in the logs from before. */
#ifndef FEED_VERSIONS_H
#define FEED_VERSIONS_H

#include "base/compiler.h"
#include "base/span.h"
#include "schema/schema.h"

#include <stdbool.h>
#include <stdint.h>

enum { FEED_SCHEMAS_MAX = 8, FEED_VERSIONS_MAX = 16 };

/* A version that the feed takes, or took since the start. */
struct feed_version {
	char id[80];      /* "air-quality-observed/1"; "": free */
	bool taken;       /* stands in the feed's list now */
	int64_t until_ms; /* no longer taken from then on; 0: never ends */
	uint64_t messages, refused;
	uint32_t things; /* whose newest message is of this version */
};

struct feed;
struct hub;
struct record;
struct versions;

struct versions *versions_new(void);
void versions_free(struct versions *v); /* accepts NULL */

/* The place of id among f's versions, made when it is new; a version of former times gives way when
 * there is no room. */
unsigned versions_slot(struct versions *v, struct feed *f, struct span id);
/* A record was stored: its thing sends its version now. */
void versions_seen(struct versions *v, struct hub *h, struct feed *f, const struct record *r);
/* The same of a record from before the start, newest first: counts when nothing newer of its thing
 * is known and there is room. */
void versions_seen_before(struct versions *v, struct feed *f, const struct record *r);
/* A message that did not fit this version. */
void versions_refused(struct feed *f, const char *id);

enum version_state { VERSION_TAKEN, VERSION_ENDING, VERSION_ENDED, VERSION_FORMER };
/* Ending: LIMIT_UNTIL_WARN_DAYS or less are left. */
enum version_state version_state(const struct feed_version *v, int64_t now_ms);
const char *version_state_text(enum version_state s); /* "taken", "ending", "ended", "former" */

#endif
