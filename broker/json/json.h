/* json.h - a strict RFC 8259 reader over bytes somebody else owns. Pure: no allocation per message,
 * no tree of nodes, no numbers converted until asked.
 *
 * A parse writes a tape: one token per value and per member name, in document order. A container's
 * token knows where it ends, so a subtree is skipped in one step. The tape is a scratch of the
 * caller, grown to what the largest message so far needed and reused for every message; tokens are
 * views into the source and die with it. A tape belongs to one thread at a time; reading a parsed
 * one changes nothing.
 *
 * What it refuses: anything after the value but white space, BOM, invalid UTF-8 (overlong forms,
 * surrogates, above U+10FFFF), lone \u surrogates, raw control characters, leading zeros, NaN,
 * comments, depth beyond LIMIT_JSON_DEPTH, more tokens than the tape may hold. \u0000 in strings is
 * accepted.
 *
 * A member name given twice is accepted, as RFC 8259 section 4 leaves it to the reader. The object
 * is flagged JSON_DUPLICATE, so that who needs one meaning can refuse it; json_member() and
 * json_equal() take the last one given, as JavaScript does. size counts all that are given.
 *
 * jansson has some of the same words: a file can include this or jansson.h, not both, and
 * json_equal() is inline here because the libraries' symbols may not meet. */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include "base/compiler.h"
#include "base/hash.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum json_type {
	JSON_NULL = 1,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

enum { /* token flags */
       JSON_ESCAPED =
	   1, /* a string with at least one backslash: json_unescape() before comparing */
       JSON_INTEGER = 2,  /* a number without fraction and exponent */
       JSON_NEGATIVE = 4, /* a number with '-' */
       JSON_NON_ASCII =
	   8, /* a string with a byte >= 0x80 or an escape: its length in code points differs */
       JSON_DUPLICATE = 16 /* an object that gives a name more than once */
};

/* One token. For strings pos/len are the bytes between the quotes; for numbers the digits; for
 * containers the whole text with brackets. size: members of an object or elements of an array. A
 * member is two tokens in a row: its name (a JSON_STRING) and its value. next: index of the token
 * after this value's subtree. */
struct json_token {
	uint32_t pos, len;
	uint32_t next;
	uint32_t size;
	uint8_t type;
	uint8_t flags;
	uint16_t hash; /* of a member name: json_name_hash() of its unescaped text; else 0 */
};

struct json_tape {
	const char *src; /* of the last parse; NULL after a failed one */
	struct json_token *tok;
	uint32_t n, cap, max;

	/* private: to find names given twice in big objects; a copy of a text that ends oddly */
	struct hash_key key;
	uint64_t *table;
	uint32_t table_words;
	char *scratch;
	size_t scratch_cap;
};

/* max_tokens bounds the memory: 20 bytes each, and up to 16 more each where objects are big. */
void json_tape_init(struct json_tape *t, uint32_t max_tokens);
void json_tape_done(struct json_tape *t); /* accepts a zeroed one */

/* Parses src; token 0 is the value. 0, ERR_MALFORMED, ERR_TOO_LARGE (depth, tokens, 4 GB) or
 * -ENOMEM. On failure *ret_at is the offset of the offending byte (or of the end) and *ret_why a
 * short static text, e.g. "a number starts with a zero". */
int json_parse(struct json_tape *t, struct span src, size_t *ret_at,
               const char **ret_why) MUSTCHECK;

static inline struct span json_text(const struct json_tape *t, uint32_t i)
{
	return (struct span){t->src + t->tok[i].pos, t->tok[i].len};
}

/* Of a name's unescaped text; the same in every tape and run of one machine. Not keyed: equal
 * hashes must be followed by a comparison. */
uint16_t json_name_hash(struct span text);
/* The value of member name (unescaped comparison) of the object at token i: the last one given. Its
 * index, or 0 for absent. */
uint32_t json_member(const struct json_tape *t, uint32_t i, struct span name);

/* The functions below that take raw text of a string or number expect what json_parse() accepted.
 */

/* Writes the string with its escapes resolved to out (at least len bytes; the result is never
 * longer). Returns the length. For a token without JSON_ESCAPED it is a copy. */
size_t json_unescape(struct span raw, char *out);
bool json_string_is(const struct json_tape *t, uint32_t i,
                    struct span text);   /* compares unescaped */
size_t json_codepoints(struct span raw); /* length as JSON Schema counts it */

/* The nearest double (correctly rounded, ties to even, whatever the locale); +-inf when it is
 * larger than any. */
double json_double(struct span number);
/* Exact when the number is an integer (1, 1.0 and 10e-1 are) that fits; else ERR_MALFORMED. */
int json_int64(struct span number, int64_t *ret) MUSTCHECK;
/* Mathematical comparison of two JSON numbers: <0, 0, >0. Exact, whatever their size; the work is
 * linear in their text. */
int json_number_cmp(struct span a, struct span b);
/* Deep equality as JSON Schema means it: numbers by value, objects without order. Allocates only
 * for objects of more than 32 members in different order. */
bool json_tape_equal(const struct json_tape *a, uint32_t i, const struct json_tape *b, uint32_t j);
static inline bool json_equal(const struct json_tape *a, uint32_t i, const struct json_tape *b,
                              uint32_t j)
{
	return json_tape_equal(a, i, b, j);
}

#endif
