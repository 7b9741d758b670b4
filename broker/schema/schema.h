/* schema.h - one shared schema, compiled: does a payload fit, and where are its thing, time, place,
 * results.
 *
 * Pure. A schema is compiled once at load from schema.json ($ref leads inside the schema
 * directories only) into nodes that are walked over a json_tape without allocating. The json room
 * reads schemas too: numbers stay exact and values stay where they are. Compiled schemas are
 * immutable and may be used from several threads, each with a scratch of its own.
 *
 * All of 2020-12 and draft-07 is supported, but a $ref over the network, and 2019-09 and older.
 * format is asserted for those in format.h and an annotation otherwise. Unknown keywords are
 * annotations; an unknown word in x-oudp is an error.
 *
 * Sources of the rules: JSON Schema 2020-12 and draft-07; x-oudp annotations: oudp-schema(7). */
#ifndef SCHEMA_SCHEMA_H
#define SCHEMA_SCHEMA_H

#include "base/box.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/span.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

struct schema; /* opaque, counted by its catalog */

enum extract_type { EXTRACT_NUMBER = 1, EXTRACT_STRING, EXTRACT_BOOL, EXTRACT_NULL };

/* One result (x-oudp role "result", or a member of an "item"). Views into payload, schema or
 * scratch. */
struct extract_result {
	struct span member; /* "pm25"; nested: "la/max" (JSON Pointer without the first slash) */
	enum extract_type type;
	bool has_time;    /* an item's own time */
	double number;    /* after scale and offset; 0/1 for EXTRACT_BOOL */
	struct span text; /* EXTRACT_STRING, unescaped; of an EXTRACT_NUMBER without a schema that
	                     says its unit: the unit, UCUM */
	int64_t time_ms;
};

enum {
	EXTRACT_RESULTS_MAX = 256
}; /* of one payload; more is refused: a record's extract is bounded */

struct extract {
	struct span thing; /* unescaped; n == 0: the payload names none */
	struct span version;
	uint32_t time_at; /* tape index of the time, for its pointer; 0: none */
	bool has_time, has_location;
	int64_t time_ms;
	struct box place; /* with has_location */
	unsigned n_results;
	struct extract_result results[EXTRACT_RESULTS_MAX];
};

/* Why not. text is complete: "air-quality-observed/1: /pm25: 1200 is more than maximum 1000", at
 * most LIMIT_VERDICT_BYTES; pointer, rule and schema are pieces of it, for columns. Strings are
 * terminated. */
struct verdict {
	char text[400];
	char schema[80];   /* "air-quality-observed/1" or "" when the bytes are not JSON */
	char pointer[160]; /* RFC 6901, "" for the whole; cut with "..." */
	char rule[32]; /* the keyword: "maximum", "required"; "json" for malformed, "time", "thing"
	                  for ours */
};

/* What a validation needs besides the schema: the tape and room for unescaped strings. Reused. */
struct schema_scratch {
	struct json_tape tape;
	struct buf text;
	size_t parsed_len;
	void *private_; /* the validator's own stacks */
};

void schema_scratch_init(struct schema_scratch *s, size_t max_payload_bytes);
void schema_scratch_done(struct schema_scratch *s);

/* Parses payload into s->tape. Once per message, however many schemas are then tried. 0, or
 * ERR_MALFORMED / ERR_TOO_LARGE with *ret_verdict filled ("payload: byte 17: a member name is given
 * twice"). */
int schema_parse(struct schema_scratch *s, struct span payload,
                 struct verdict *ret_verdict) MUSTCHECK;

/* Validates and extracts what schema_parse() left. 0 with *ret filled, or ERR_INVALID with
 * *ret_verdict filled with the most telling violation. ret's spans live until the next use of s or
 * the payload's end. ret may be NULL (validate only). */
int schema_check(const struct schema *sc, struct schema_scratch *s, struct extract *ret,
                 struct verdict *ret_verdict) MUSTCHECK;

/* The version that what schema_parse() left names in the member that sc's role version stands at (a
 * member of the payload itself), whether it fits or not. false: it names none. */
bool schema_own_version(const struct schema *sc, const struct schema_scratch *s, uint64_t *ret);

/* All violations, up to max, for people (HTTP 400, oudp validate). Returns how many. Slower: may
 * allocate. */
unsigned schema_errors(const struct schema *sc, struct schema_scratch *s, struct verdict *ret,
                       unsigned max);

const char *schema_name(const struct schema *sc);      /* "air-quality-observed" */
unsigned schema_version(const struct schema *sc);      /* 1 */
const char *schema_id(const struct schema *sc);        /* "air-quality-observed/1" */
struct span schema_source(const struct schema *sc);    /* the bytes of schema.json as read */
const char *schema_path(const struct schema *sc);      /* of the file; its id when there is none */
bool schema_has_role_version(const struct schema *sc); /* payloads may name their own version */

/* Changes when what the schema means changes: when it, or a file it refers to, says something else
 * to the validator or the broker. White space, the order of members, spelling, title, description,
 * examples, $comment, default, deprecated, readOnly and writeOnly do not count. */
enum { SCHEMA_DIGEST_BYTES = 32 };
void schema_digest(const struct schema *sc, uint8_t ret[SCHEMA_DIGEST_BYTES]);

/* What in the schema takes a slower way than looking at each member once, for whoever writes it:
 * appended as "12 branches of anyOf, oneOf, not or if that are tried; 1 pattern". false: nothing.
 */
bool schema_slow(const struct schema *sc, struct buf *why);

/* The results the schema can yield, for catalogues: member, observedProperty, unit. Index 0..n-1.
 */
struct schema_result_info {
	const char *member, *observed_property, *unit;
	bool scaled; /* the payload does not have this number at this member */
	bool has_plausible;
	double plausible_low, plausible_high;
	double spike, stuck_s; /* 0: not stated */
};
unsigned schema_result_count(const struct schema *sc);
struct schema_result_info schema_result_info(const struct schema *sc, unsigned i);

/* Compiles the bytes of a schema.json. dirs: where $ref may look, NULL-terminated, may be NULL. On
 * failure ERR_CONFIG and why (size bytes) says what and where: "/properties/pm25/maximum: must be a
 * number". */
int schema_compile(struct span source, const char *name, unsigned version, const char *const *dirs,
                   struct schema **ret, char *why, size_t why_size) MUSTCHECK;
void schema_free(struct schema *sc);

#endif
