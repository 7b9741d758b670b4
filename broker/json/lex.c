/* lex.c - see lex.h. */
#include "json/lex.h"

__attribute__((cold)) const char *lex_fail(struct parser *ps, int err, const char *at,
                                           const char *why)
{
	assert(err < 0 && !ps->err);
	if (err == ERR_MALFORMED && at >= ps->end) {
		at = ps->end;
		why = "the text ends too early";
	}
	ps->err = err;
	ps->at = at;
	ps->why = why;
	return NULL;
}

const char *lex_string_rest(struct parser *ps, const char *p, unsigned *flags)
{
	for (;;) {
		for (unsigned i = 16; i == 16 && ps->end - p >= 16; p += i)
			i = scan_special(p);
		while (p < ps->end && !scan_is_special(*p))
			p++;
		if (p == ps->end)
			return lex_fail(ps, ERR_MALFORMED, p, NULL);
		if (*p == '"')
			return p;
		if (*p == '\\') {
			unsigned n = scan_escape(p, ps->end);
			if (!n)
				return lex_fail(ps, ERR_MALFORMED, p, "no such escape in a string");
			*flags |= JSON_ESCAPED | JSON_NON_ASCII;
			p += n;
		} else if ((unsigned char)*p < 0x20) {
			return lex_fail(ps, ERR_MALFORMED, p, "a control character in a string");
		} else {
			*flags |= JSON_NON_ASCII;
			do {
				unsigned n = scan_utf8(p, ps->end);
				if (!n)
					return lex_fail(ps, ERR_MALFORMED, p, "not UTF-8");
				p += n;
			} while (p < ps->end && (unsigned char)*p >= 0x80);
		}
	}
}

static const char *digits_end(const char *p, const char *end)
{
	while (p < end && scan_is_digit(*p))
		p++;
	return p;
}

static const char NO_DIGIT[] = "a digit is missing in a number";

/* The whole grammar, one byte at a time. */
const char *lex_number_slow(struct parser *ps, const char *p, unsigned *flags)
{
	const char *from = p;
	p = digits_end(p, ps->end);
	if (p == from)
		return lex_fail(ps, ERR_MALFORMED, p, NO_DIGIT);
	if (*from == '0' && p - from > 1)
		return lex_fail(ps, ERR_MALFORMED, from, "a number starts with a zero");
	*flags |= JSON_INTEGER;
	if (p < ps->end && *p == '.') {
		*flags &= ~(unsigned)JSON_INTEGER;
		from = p + 1;
		p = digits_end(from, ps->end);
		if (p == from)
			return lex_fail(ps, ERR_MALFORMED, p, NO_DIGIT);
	}
	if (p < ps->end && (*p | 0x20) == 'e') {
		*flags &= ~(unsigned)JSON_INTEGER;
		p++;
		if (p < ps->end && (*p == '+' || *p == '-'))
			p++;
		from = p;
		p = digits_end(from, ps->end);
		if (p == from)
			return lex_fail(ps, ERR_MALFORMED, p, NO_DIGIT);
	}
	return p;
}
