/* form.h - reads the members of one JSON object; everything that is wrong is said, a line each:
 * "until: is no time; write ...". Inside the room only. Pure. */
#ifndef ACCESS_FORM_H
#define ACCESS_FORM_H

#include "base/buf.h"
#include "json/json.h"

enum { FORM_MEMBERS = 32 };

struct form {
	struct json_tape tape;
	struct buf *why;
	uint32_t asked[FORM_MEMBERS]; /* values that somebody knows */
	unsigned n_asked;
	bool wrong;
};

/* False, and why says it: text is no JSON object; form_done() tells it again, and comes always. */
bool form_open(struct form *f, struct span text, struct buf *why);
/* Members that nobody asked for are wrong too. False: something was wrong. */
bool form_done(struct form *f) MUSTCHECK;
void form_fault(struct form *f, const char *name, const char *fmt, ...) PRINTF(3, 4);

bool form_has(struct form *f, const char *name); /* given, and not null */
/* Each leaves *ret as it is when the member was not given; null is nothing: "" or 0. True: given.
 */
bool form_text(struct form *f, const char *name, char *ret, size_t size);
bool form_long_text(struct form *f, const char *name, char **ret, size_t max); /* replaces *ret */
bool form_name(struct form *f, const char *name, const char *set, char *ret, size_t size);
bool form_count(struct form *f, const char *name, uint64_t most, uint64_t *ret);
bool form_time(struct form *f, const char *name, int64_t *ret_ms); /* RFC 3339, or a date (UTC) */
bool form_word(struct form *f, const char *name, const char *const *words, unsigned *ret);
/* A list of words as bits: 1 << index. */
bool form_words(struct form *f, const char *name, const char *const *words, unsigned *ret);

#endif
