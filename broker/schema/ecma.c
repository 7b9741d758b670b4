/* ecma.c - one pass over the pattern: checks the grammar of ECMA-262 22.2.1 and writes the PCRE2
 * form. Lenient where everybody is: \- and other punctuation may be escaped, a brace that is no
 * quantifier stands for itself. */
#include "schema/ecma.h"

#include "base/limits.h"

#include <stdio.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* ECMA-262 12.2 WhiteSpace and 12.3 LineTerminator, inside a class. */
#define SPACES                                                                                     \
	"\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"       \
	"\\x{205f}\\x{3000}\\x{feff}"

struct scan {
	struct span re;
	size_t i;
	struct buf *out; /* may be NULL */
	const char *why;
	unsigned depth;
	bool quantifiable; /* something is there for a quantifier to repeat */
};

static void put(struct scan *s, const char *text)
{
	if (s->out)
		buf_add_str(s->out, text);
}

static void put_code(struct scan *s, uint32_t c)
{
	if (s->out)
		buf_addf(s->out, "\\x{%x}", c);
}

static bool bad(struct scan *s, const char *why)
{
	if (!s->why)
		s->why = why;
	return false;
}

static char peek(const struct scan *s, size_t ahead)
{
	return s->i + ahead < s->re.n ? s->re.p[s->i + ahead] : '\0';
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* n hexadecimal digits at the scan's place. */
static bool hex_digits(struct scan *s, unsigned n, uint32_t *ret)
{
	uint32_t v = 0;
	for (unsigned k = 0; k < n; k++) {
		if (s->i >= s->re.n || hex(s->re.p[s->i]) < 0)
			return false;
		v = v << 4 | (uint32_t)hex(s->re.p[s->i++]);
	}
	*ret = v;
	return true;
}

/* After "\u": HHHH, a surrogate pair of two, or {H...}. */
static bool escape_u(struct scan *s)
{
	uint32_t c = 0, low = 0;
	if (peek(s, 0) == '{') {
		s->i++;
		size_t n = 0;
		for (; hex(peek(s, 0)) >= 0 && c <= 0x10ffff; n++)
			c = c << 4 | (uint32_t)hex(s->re.p[s->i++]);
		if (n == 0 || c > 0x10ffff || peek(s, 0) != '}')
			return bad(s, "\\u{...} is malformed");
		s->i++;
	} else if (!hex_digits(s, 4, &c)) {
		return bad(s, "\\u needs four hexadecimal digits");
	}
	if (c >= 0xd800 && c < 0xdc00 && peek(s, 0) == '\\' && peek(s, 1) == 'u') {
		s->i += 2;
		if (!hex_digits(s, 4, &low) || low < 0xdc00 || low > 0xdfff)
			return bad(s, "a surrogate stands alone");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (c >= 0xd800 && c <= 0xdfff)
		return bad(s, "a surrogate stands alone");
	put_code(s, c);
	return true;
}

/* General categories by the long names that PCRE2 does not know. */
static const struct {
	const char *name, *code;
} CATEGORIES[] = {
    {"Letter", "L"},
    {"Cased_Letter", "L&"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"Format", "Cf"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
};

static bool strip(struct span *s, const char *prefix)
{
	size_t n = strlen(prefix);
	if (s->n < n || memcmp(s->p, prefix, n) != 0)
		return false;
	*s = span_of(s->p + n, s->n - n);
	return true;
}

/* After "\p" or "\P": {Name}, {General_Category=...}, {Script=...}, {Script_Extensions=...}. */
static bool escape_property(struct scan *s, char which)
{
	size_t end = s->i + 1;
	while (end < s->re.n && (is_letter(s->re.p[end]) || is_digit(s->re.p[end]) ||
	                         s->re.p[end] == '_' || s->re.p[end] == '='))
		end++;
	if (peek(s, 0) != '{' || end >= s->re.n || s->re.p[end] != '}' || end == s->i + 1)
		return bad(s, "\\p needs {a property}");
	struct span name = span_of(s->re.p + s->i + 1, end - s->i - 1);
	s->i = end + 1;
	if (!s->out)
		return true;
	bool extensions = strip(&name, "Script_Extensions=") || strip(&name, "scx=");
	if (!extensions && !strip(&name, "Script=") && !strip(&name, "sc=") &&
	    !strip(&name, "General_Category="))
		(void)strip(&name, "gc=");
	buf_addf(s->out, "\\%c{%s", which, extensions ? "scx:" : "");
	for (size_t k = 0; k < ARRAY_LEN(CATEGORIES); k++) {
		if (span_is(name, CATEGORIES[k].name)) {
			name = span_str(CATEGORIES[k].code);
			break;
		}
	}
	buf_add_span(s->out, name);
	buf_add_char(s->out, '}');
	return true;
}

/* \1 ... and \k<name>: PCRE2 says whether there is such a group. */
static bool escape_back(struct scan *s, char c)
{
	if (c != 'k') {
		s->i--;
		put(s, "\\g{");
		while (is_digit(peek(s, 0))) {
			char digit[2] = {s->re.p[s->i++], '\0'};
			put(s, digit);
		}
		put(s, "}");
		return true;
	}
	if (peek(s, 0) != '<' || !is_letter(peek(s, 1)))
		return bad(s, "\\k needs <a name>");
	put(s, "\\k");
	while (s->i < s->re.n && s->re.p[s->i] != '>') {
		char letter[2] = {s->re.p[s->i++], '\0'};
		put(s, letter);
	}
	if (s->i++ >= s->re.n)
		return bad(s, "\\k needs <a name>");
	put(s, ">");
	return true;
}

/* A backslash and what follows; s->i is behind the backslash. */
static bool escape(struct scan *s, bool in_class)
{
	static const char CONTROLS[] = "t\tn\nv\vf\fr\r";
	if (s->i >= s->re.n)
		return bad(s, "ends with a backslash");
	char c = s->re.p[s->i++];
	uint32_t v = 0;
	switch (c) {
	case 'd': put(s, "\\d"); return true;
	case 'D': put(s, "\\D"); return true;
	case 'w': put(s, "\\w"); return true;
	case 'W': put(s, "\\W"); return true;
	case 's': put(s, in_class ? SPACES : "[" SPACES "]"); return true;
	case 'S': put(s, in_class ? "\\S" : "[^" SPACES "]"); return true;
	case 'b': put(s, in_class ? "\\x{8}" : "\\b"); return true;
	case 'u': return escape_u(s);
	case 'p':
	case 'P': return escape_property(s, c);
	case 'c':
		if (!is_letter(peek(s, 0)))
			return bad(s, "\\c needs a letter");
		put_code(s, (uint32_t)s->re.p[s->i++] & 31);
		return true;
	case 'x':
		if (!hex_digits(s, 2, &v))
			return bad(s, "\\x needs two hexadecimal digits");
		put_code(s, v);
		return true;
	case '0':
		if (is_digit(peek(s, 0)))
			return bad(s, "\\0 is followed by a digit");
		put_code(s, 0);
		return true;
	default: break;
	}
	if (c == 'B' && !in_class) {
		put(s, "\\B");
		s->quantifiable = false;
		return true;
	}
	const char *control = c ? strchr(CONTROLS, c) : NULL;
	if (control && is_letter(c)) {
		put_code(s, (uint32_t)control[1]);
		return true;
	}
	if ((is_digit(c) || c == 'k') && !in_class)
		return escape_back(s, c);
	if (is_letter(c) || is_digit(c) || (unsigned char)c < 33 || (unsigned char)c > 126)
		return bad(s, "a backslash before a letter that has no meaning in ECMA-262");
	char text[3] = {'\\', c, '\0'};
	put(s, text);
	return true;
}

/* A class; s->i is behind the bracket. */
static bool class_(struct scan *s)
{
	put(s, "[");
	if (peek(s, 0) == '^') {
		put(s, "^");
		s->i++;
	}
	while (s->i < s->re.n) {
		char c = s->re.p[s->i++];
		if (c == ']') {
			put(s, "]");
			return true;
		}
		if (c == '\\') {
			if (!escape(s, true))
				return false;
		} else if (c == '[') { /* no POSIX classes in ECMA-262 */
			put(s, "\\[");
		} else if (s->out) {
			buf_add_char(s->out, c);
		}
	}
	return bad(s, "a [ is not closed");
}

/* An opening parenthesis; s->i is behind it. */
static bool group(struct scan *s)
{
	put(s, "(");
	if (++s->depth > 200)
		return bad(s, "groups are nested too deep");
	s->quantifiable = false;
	if (peek(s, 0) != '?')
		return true;
	char kind = peek(s, 1), next = peek(s, 2);
	size_t n = 2;
	if (kind == '<' && is_letter(next)) {
		while (s->i + n < s->re.n && s->re.p[s->i + n] != '>')
			n++;
		n++;
	} else if (kind == '<' && (next == '=' || next == '!')) {
		n = 3;
	} else if (kind != ':' && kind != '=' && kind != '!') {
		return bad(s, "(? is followed by something that has no meaning in ECMA-262");
	}
	if (s->i + n > s->re.n)
		return bad(s, "a group's name is not closed");
	if (s->out)
		buf_add(s->out, s->re.p + s->i, n);
	s->i += n;
	return true;
}

/* {n}, {n,} or {n,m} at s->i - 1; 0 when it is none, else its length. */
static size_t braces(const struct scan *s, bool *ret_order)
{
	size_t i = s->i;
	uint64_t low = 0, high = UINT64_MAX;
	size_t digits = 0;
	for (; i < s->re.n && is_digit(s->re.p[i]); i++, digits++)
		low = MIN_OF(low * 10 + (uint64_t)(s->re.p[i] - '0'), (uint64_t)1 << 40);
	if (digits == 0 || i >= s->re.n)
		return 0;
	if (s->re.p[i] == ',') {
		i++;
		if (i < s->re.n && is_digit(s->re.p[i])) {
			high = 0;
			for (; i < s->re.n && is_digit(s->re.p[i]); i++)
				high = MIN_OF(high * 10 + (uint64_t)(s->re.p[i] - '0'),
				              (uint64_t)1 << 40);
		}
	}
	if (i >= s->re.n || s->re.p[i] != '}')
		return 0;
	*ret_order = low <= high;
	return i + 1 - (s->i - 1);
}

static bool quantifier(struct scan *s, size_t n)
{
	if (!s->quantifiable)
		return bad(s, "a quantifier has nothing to repeat");
	if (s->out)
		buf_add(s->out, s->re.p + s->i - 1, n);
	s->i += n - 1;
	if (peek(s, 0) == '?') {
		put(s, "?");
		s->i++;
	}
	s->quantifiable = false;
	return true;
}

static bool brace(struct scan *s)
{
	bool order = true;
	size_t n = braces(s, &order);
	if (n > 0)
		return order ? quantifier(s, n) : bad(s, "a quantifier's numbers are out of order");
	put(s, "\\{");
	s->quantifiable = true;
	return true;
}

static bool one(struct scan *s)
{
	char c = s->re.p[s->i++];
	char text[2] = {c, '\0'};
	switch (c) {
	case '\\': s->quantifiable = true; return escape(s, false);
	case '[': s->quantifiable = true; return class_(s);
	case '(': return group(s);
	case ')':
		if (s->depth == 0)
			return bad(s, "a ) has no (");
		s->depth--;
		s->quantifiable = true;
		break;
	case '*':
	case '+':
	case '?': return quantifier(s, 1);
	case '{': return brace(s);
	case '^':
	case '$':
	case '|': s->quantifiable = false; break;
	case '.':
		put(s, "[^\\n\\r\\x{2028}\\x{2029}]");
		s->quantifiable = true;
		return true;
	case ']':
	case '}':
		put(s, "\\");
		s->quantifiable = true;
		break;
	case '\0':
		put_code(s, 0);
		s->quantifiable = true;
		return true;
	default: s->quantifiable = true; break;
	}
	put(s, text);
	return true;
}

bool ecma_check(struct span re, struct buf *out, const char **ret_why)
{
	struct scan s = {.re = re, .out = out};
	bool ok = true;
	while (ok && s.i < re.n)
		ok = one(&s);
	if (ok && s.depth > 0)
		ok = bad(&s, "a ( is not closed");
	assert(ok == (s.why == NULL));
	if (!ok && ret_why)
		*ret_why = s.why;
	return ok;
}

pcre2_code *ecma_compile(struct span re, char *why, size_t why_size)
{
	assert(why && why_size > 0);
	const char *what = NULL;
	struct buf out;
	buf_init(&out, (size_t)LIMIT_PATTERN_BYTES * 32);
	pcre2_code *code = NULL;
	if (re.n > LIMIT_PATTERN_BYTES) {
		snprintf(why, why_size, "longer than %d bytes", LIMIT_PATTERN_BYTES);
	} else if (!ecma_check(re, &out, &what)) {
		snprintf(why, why_size, "%s", what);
	} else if (out.err) {
		snprintf(why, why_size, "too large");
	} else {
		int err = 0;
		size_t at = 0;
		uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF |
		                   PCRE2_ALLOW_EMPTY_CLASS | PCRE2_NEVER_BACKSLASH_C;
		code = pcre2_compile((PCRE2_SPTR)buf_str(&out), out.len, options, &err, &at, NULL);
		PCRE2_UCHAR text[160] = "";
		if (!code &&
		    pcre2_get_error_message(err, text, sizeof(text)) != PCRE2_ERROR_BADDATA)
			snprintf(why, why_size, "%s", (const char *)text);
	}
	buf_done(&out);
	return code;
}
