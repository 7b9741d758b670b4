/* privacy.h - steps that take personal data out of a message before it is stored. Between the check
 * against the schema and the single copy; what a step removed is in no journal, quarantine or log.
 *
 * A step is one text of a feed's option privacy:
 *
 *   drop POINTER                       the member, or element, is not there
 *   round POINTER STEP                 a number becomes the nearest multiple (halves go up)
 *   coarsen-time [POINTER] SPAN        a time becomes the begin of its span, UTC
 *   blur [POINTER] METRES              a place becomes the middle of its square in the Dutch grid
 *   pseudonymise POINTER|{thing} KEYFILE [rotate SPAN]
 *                                      a text becomes 32 hexadecimal digits, HMAC-SHA-256 by a key
 *   suppress-below POINTER N           a number under N is not there
 *
 * POINTER is RFC 6901; the level "*" is every member or element. Without one coarsen-time takes the
 * time that the schema says, blur the member location or the whole. {thing} is the level of the
 * topic. What is not there needs no step; what is there and is not what a step takes (a text where
 * round wants a number) is refused, for it might be what was to be hidden.
 *
 * Loop thread only: a compiled step keeps the key of the present period. No allocation per message
 * once the scratch has grown to the largest. */
#ifndef PRIVACY_PRIVACY_H
#define PRIVACY_PRIVACY_H

#include "base/buf.h"
#include "base/compiler.h"
#include "schema/schema.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

struct privacy;

enum { PRIVACY_PSEUDONYM_BYTES = 32, PRIVACY_DIGEST_BYTES = 32 };

/* Reads the steps (NULL-terminated) and their key files. 0 with *ret NULL when there are none, or
 * ERR_CONFIG with what to do in why. */
int privacy_compile(char *const *steps, struct privacy **ret, char *why, size_t why_size) MUSTCHECK;
void privacy_free(struct privacy *p); /* accepts NULL */

struct privacy_edit;
struct privacy_scratch { /* reused; zeroed before privacy_scratch_init() */
	struct json_tape tape;
	struct buf out[2], text;
	struct privacy_edit *edit;
	unsigned n_edits, cap_edits;
	char thing[PRIVACY_PSEUDONYM_BYTES];
};
void privacy_scratch_init(struct privacy_scratch *s, size_t max_payload_bytes);
void privacy_scratch_done(struct privacy_scratch *s);

/* Applies all steps in their order to payload, which is JSON. time_pointer: where the schema's time
 * stands ("" when it has none). *ret is a view into the scratch or payload. 0, or ERR_INVALID with
 * the verdict's pointer, rule "privacy" and text (without a value) filled. */
int privacy_apply(struct privacy *p, struct privacy_scratch *s, struct span payload,
                  struct span time_pointer, int64_t now_ms, struct span *ret,
                  struct verdict *ret_verdict) MUSTCHECK;

bool privacy_renames_thing(const struct privacy *p);
/* The pseudonym of what stands at {thing}; a view into the scratch. */
struct span privacy_thing(struct privacy *p, struct privacy_scratch *s, struct span thing,
                          int64_t now_ms);
/* A time that is not in the payload, such as that of receipt: as coarsen-time makes it. */
int64_t privacy_time(const struct privacy *p, int64_t ms);

/* What is left in an extract after the steps: NULL, or what is finer than they promise; static. */
const char *privacy_too_fine(struct privacy *p, const struct extract *e);

/* A verdict on such a feed: no value of the message, and no name within what a step takes. */
void privacy_plain_verdict(const struct privacy *p, struct verdict *v);

/* The JSON Pointer of a token, at most size bytes with its end; "" when it does not fit. */
void privacy_pointer(const struct json_tape *t, uint32_t token, char *out, size_t size);

/* SHA-256. */
void privacy_digest(struct span bytes, uint8_t ret[PRIVACY_DIGEST_BYTES]);

/* Do the valid examples of a schema (valid/ beside its file) still fit after the steps? Those that
 * do not are said in why, a line each, which begins with prefix. */
void privacy_check_schema(struct privacy *p, const struct schema *sc, const char *prefix,
                          struct buf *why);

#endif
