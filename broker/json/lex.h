/* lex.h - private to the room: the parser's state, and its scanners of single things. A scanner
 * goes from the first byte of a thing to the byte after it, or says NULL. The common case is
 * inline, the whole grammar is in lex.c. Why they may read on without asking for the end: parse.c.
 */
#ifndef JSON_LEX_H
#define JSON_LEX_H

#include "base/err.h"
#include "base/limits.h"
#include "json/json.h"
#include "json/scan.h"

enum { NAMES_GROUP = 8 }; /* scan_hash() reads this many at once */

struct parser {
	struct json_tape *t;
	const char *begin, *end; /* without white space at the end */
	const char *at, *why;
	int err;
	unsigned depth, chances;
	uint32_t n;
	uint16_t names[LIMIT_JSON_NAMES_OPEN + NAMES_GROUP]; /* hashes, of the open objects */
};

/* Notes the error; the end of the text is named as such. Returns NULL, so that a scanner can say
 * return lex_fail(...). */
const char *lex_fail(struct parser *ps, int err, const char *at, const char *why);

/* p: somewhere inside a string. Returns where its closing quote is. */
const char *lex_string_rest(struct parser *ps, const char *p, unsigned *flags);
/* p: after the sign. */
const char *lex_number_slow(struct parser *ps, const char *p, unsigned *flags);

/* p: after the opening quote. Returns where the closing one is. */
static inline const char *lex_string(struct parser *ps, const char *p, unsigned *flags)
{
	if (likely(ps->end - p > 16)) {
		p += scan_special(p);
		if (likely(*p == '"'))
			return p;
	}
	return lex_string_rest(ps, p, flags);
}

/* p: at the sign or the first digit. Short numbers without an exponent are seen in one look. */
static inline const char *lex_number(struct parser *ps, const char *p, unsigned *flags)
{
	if (*p == '-') {
		*flags |= JSON_NEGATIVE;
		p++;
	}
	if (unlikely(ps->end - p < 17))
		return lex_number_slow(ps, p, flags);
	unsigned others = scan_no_digits(p);
	unsigned n = (unsigned)__builtin_ctz(others), is_integer = JSON_INTEGER;
	if (n == 0 || (*p == '0' && n > 1))
		return lex_number_slow(ps, p, flags);
	if (p[n] == '.') {
		unsigned dot = n;
		others &= others - 1;
		n = others ? (unsigned)__builtin_ctz(others) : 16;
		if (n == dot + 1)
			return lex_number_slow(ps, p, flags);
		is_integer = 0;
	}
	if (n >= 16 || (p[n] | 0x20) == 'e')
		return lex_number_slow(ps, p, flags);
	*flags |= is_integer;
	return p + n;
}

static inline const char *lex_white(const char *p)
{
	if (likely((unsigned char)*p > ' '))
		return p;
	while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
		p++;
	return p;
}

static inline void lex_put(struct parser *ps, const char *from, const char *to, enum json_type type,
                           unsigned flags, uint16_t hash)
{
	uint32_t n = ps->n++;
	ps->t->tok[n] = (struct json_token){(uint32_t)(from - ps->begin),
	                                    (uint32_t)(to - from),
	                                    n + 1,
	                                    0,
	                                    (uint8_t)type,
	                                    (uint8_t)flags,
	                                    hash};
}

static inline const char *lex_word(struct parser *ps, const char *p, const char *text, unsigned len,
                                   enum json_type type)
{
	if ((size_t)(ps->end - p) < len || memcmp(p, text, len) != 0)
		return lex_fail(ps, ERR_MALFORMED, p, "no such word (true, false, null)");
	lex_put(ps, p, p + len, type, 0, 0);
	return p + len;
}

/* A value that is no container; there is room for its token. */
static inline const char *lex_scalar(struct parser *ps, const char *p)
{
	unsigned flags = 0;
	const char *to;
	switch (*p) {
	case '"':
		to = lex_string(ps, p + 1, &flags);
		if (unlikely(!to))
			return NULL;
		lex_put(ps, p + 1, to, JSON_STRING, flags, 0);
		return to + 1;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		to = lex_number(ps, p, &flags);
		if (unlikely(!to))
			return NULL;
		lex_put(ps, p, to, JSON_NUMBER, flags, 0);
		return to;
	case 't': return lex_word(ps, p, "true", 4, JSON_TRUE);
	case 'f': return lex_word(ps, p, "false", 5, JSON_FALSE);
	case 'n': return lex_word(ps, p, "null", 4, JSON_NULL);
	default: return lex_fail(ps, ERR_MALFORMED, p, "a value is missing here");
	}
}

#endif
