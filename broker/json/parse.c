/* parse.c - the reader: one pass, its stack is the tape. See json.h.
 *
 * While a container is open its token's next holds the index of the container around it, size of
 * the outer ones is parked in their tokens, and hash holds where its names begin in ps->names.
 *
 * Bytes are read without asking for the end: a text whose last byte is a bracket cannot be overrun,
 * because a bracket ends every number and word and only strings (which ask) may hold one. Any other
 * text is refused or a single value: it is copied with a NUL behind it, which ends everything. */
#include "base/err.h"
#include "base/limits.h"
#include "json/json.h"
#include "json/name.h"
#include "json/scan.h"

#include <errno.h>
#include <stdlib.h>

enum {
	OBJECT_BIG = 0x80, /* flag of an open object: its names are checked when it closes */
	NAMES_GROUP = 8,   /* scan_hash() reads this many at once */
	TAPE_FIRST = 64,   /* tokens: most messages need no second allocation */
};

static const uint32_t NO_PARENT = UINT32_MAX;

struct parser {
	struct json_tape *t;
	const char *begin, *end; /* without white space at the end */
	const char *at, *why;
	int err;
	unsigned depth, chances;
	uint32_t n;
	uint16_t names[LIMIT_JSON_NAMES_OPEN + NAMES_GROUP]; /* hashes, of the open objects */
};

/* Returns NULL, so that a scanner can say return fail(...). */
static __attribute__((noinline, cold)) const char *fail(struct parser *ps, int err, const char *at,
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

/* ---- memory ---- */

static const char OUT_OF_MEMORY[] = "out of memory";

static __attribute__((noinline)) bool tape_grow(struct parser *ps, const char *at)
{
	struct json_tape *t = ps->t;
	if (t->cap == t->max)
		return fail(ps, ERR_TOO_LARGE, at, "too many values");
	uint32_t cap = t->cap ? t->cap : TAPE_FIRST / 2;
	cap = cap > t->max / 2 ? t->max : cap * 2;
	struct json_token *tok = realloc(t->tok, cap * sizeof(*tok));
	if (!tok)
		return fail(ps, -ENOMEM, at, OUT_OF_MEMORY);
	t->tok = tok;
	t->cap = cap;
	return true;
}

/* ---- names given twice ---- */

static bool same_name(const struct json_tape *t, uint32_t a, uint32_t b)
{
	const struct json_token *x = &t->tok[a], *y = &t->tok[b];
	if (x->hash != y->hash)
		return false;
	struct span tx = {t->src + x->pos, x->len}, ty = {t->src + y->pos, y->len};
	if ((x->flags | y->flags) & JSON_ESCAPED)
		return scan_text_eq(tx, ty);
	return span_eq(tx, ty);
}

/* The name at token n has the hash of an earlier one of the same object: a duplicate, or chance.
 * Looks, but not without end. */
static __attribute__((noinline)) void name_met_again(struct parser *ps, uint32_t object, uint32_t n)
{
	const struct json_tape *t = ps->t;
	for (uint32_t k = object + 1; k < n; k = t->tok[k + 1].next) {
		if (same_name(t, k, n)) {
			t->tok[object].flags |= JSON_DUPLICATE;
			return;
		}
		if (++ps->chances > LIMIT_JSON_CHANCES) {
			t->tok[object].flags |= OBJECT_BIG;
			return;
		}
	}
}

/* Puts a name in the table; true when it is there already. */
static bool table_add(struct json_tape *t, uint32_t mask, uint32_t k, char *unescaped)
{
	const struct json_token *name = &t->tok[k];
	struct span text = {t->src + name->pos, name->len};
	if (name->flags & JSON_ESCAPED) {
		text.n = json_unescape(text, unescaped);
		text.p = unescaped;
	}
	uint64_t h = hash64(&t->key, text.p, text.n);
	uint32_t at = (uint32_t)h & mask;
	uint64_t entry = (h & ~(uint64_t)UINT32_MAX) | k; /* k > 0: never 0 */
	for (; t->table[at]; at = (at + 1) & mask)
		if ((t->table[at] ^ entry) >> 32 == 0 && same_name(t, (uint32_t)t->table[at], k))
			return true;
	t->table[at] = entry;
	return false;
}

/* All names of a closed object, by a keyed hash: linear, whoever picks the names. */
static __attribute__((noinline)) bool check_big(struct parser *ps, uint32_t object)
{
	struct json_tape *t = ps->t;
	struct json_token *o = &t->tok[object];
	uint32_t cap = 256, longest = 0;
	while (cap / 2 < o->size)
		cap *= 2;
	for (uint32_t k = object + 1; k < o->next; k = t->tok[k + 1].next)
		if (t->tok[k].flags & JSON_ESCAPED && t->tok[k].len > longest)
			longest = t->tok[k].len;
	uint32_t words = cap + longest / (uint32_t)sizeof(*t->table) + 1; /* and room to unescape */
	if (words > t->table_words) {
		free(t->table);
		t->table = malloc(words * sizeof(*t->table));
		t->table_words = t->table ? words : 0;
	}
	if (!t->table)
		return fail(ps, -ENOMEM, ps->begin + o->pos, OUT_OF_MEMORY);
	memset(t->table, 0, cap * sizeof(*t->table));
	for (uint32_t k = object + 1; k < o->next; k = t->tok[k + 1].next)
		if (table_add(t, cap - 1, k, (char *)(t->table + cap))) {
			o->flags |= JSON_DUPLICATE;
			break;
		}
	return true;
}

/* ---- scanners: from the first byte of a thing to the byte after it, or NULL ---- */

/* p: somewhere inside a string. Returns where its closing quote is. */
static __attribute__((noinline)) const char *string_rest(struct parser *ps, const char *p,
                                                         unsigned *flags)
{
	for (;;) {
		for (unsigned i = 16; i == 16 && ps->end - p >= 16; p += i)
			i = scan_special(p);
		while (p < ps->end && !scan_is_special(*p))
			p++;
		if (p == ps->end)
			return fail(ps, ERR_MALFORMED, p, NULL);
		if (*p == '"')
			return p;
		if (*p == '\\') {
			unsigned n = scan_escape(p, ps->end);
			if (!n)
				return fail(ps, ERR_MALFORMED, p, "no such escape in a string");
			*flags |= JSON_ESCAPED | JSON_NON_ASCII;
			p += n;
		} else if ((unsigned char)*p < 0x20) {
			return fail(ps, ERR_MALFORMED, p, "a control character in a string");
		} else {
			*flags |= JSON_NON_ASCII;
			do {
				unsigned n = scan_utf8(p, ps->end);
				if (!n)
					return fail(ps, ERR_MALFORMED, p, "not UTF-8");
				p += n;
			} while (p < ps->end && (unsigned char)*p >= 0x80);
		}
	}
}

/* p: after the opening quote. Returns where the closing one is. */
static inline const char *string_end(struct parser *ps, const char *p, unsigned *flags)
{
	if (likely(ps->end - p >= 16)) {
		p += scan_special(p);
		if (likely(*p == '"'))
			return p;
	}
	return string_rest(ps, p, flags);
}

static const char *digits_end(const char *p, const char *end)
{
	while (p < end && scan_is_digit(*p))
		p++;
	return p;
}

static const char NO_DIGIT[] = "a digit is missing in a number";

/* p: after the sign. The whole grammar, one byte at a time. */
static __attribute__((noinline)) const char *number_slow(struct parser *ps, const char *p,
                                                         unsigned *flags)
{
	const char *from = p;
	p = digits_end(p, ps->end);
	if (p == from)
		return fail(ps, ERR_MALFORMED, p, NO_DIGIT);
	if (*from == '0' && p - from > 1)
		return fail(ps, ERR_MALFORMED, from, "a number starts with a zero");
	*flags |= JSON_INTEGER;
	if (p < ps->end && *p == '.') {
		*flags &= ~(unsigned)JSON_INTEGER;
		from = p + 1;
		p = digits_end(from, ps->end);
		if (p == from)
			return fail(ps, ERR_MALFORMED, p, NO_DIGIT);
	}
	if (p < ps->end && (*p | 0x20) == 'e') {
		*flags &= ~(unsigned)JSON_INTEGER;
		p++;
		if (p < ps->end && (*p == '+' || *p == '-'))
			p++;
		from = p;
		p = digits_end(from, ps->end);
		if (p == from)
			return fail(ps, ERR_MALFORMED, p, NO_DIGIT);
	}
	return p;
}

/* p: at the sign or the first digit. Short numbers without an exponent are seen in one look. */
static inline const char *number_end(struct parser *ps, const char *p, unsigned *flags)
{
	if (*p == '-') {
		*flags |= JSON_NEGATIVE;
		p++;
	}
	if (unlikely(ps->end - p < 17))
		return number_slow(ps, p, flags);
	unsigned others = scan_no_digits(p);
	unsigned n = (unsigned)__builtin_ctz(others), is_integer = JSON_INTEGER;
	if (n == 0 || (*p == '0' && n > 1))
		return number_slow(ps, p, flags);
	if (p[n] == '.') {
		unsigned dot = n;
		others &= others - 1;
		n = others ? (unsigned)__builtin_ctz(others) : 16;
		if (n == dot + 1)
			return number_slow(ps, p, flags);
		is_integer = 0;
	}
	if (n >= 16 || (p[n] | 0x20) == 'e')
		return number_slow(ps, p, flags);
	*flags |= is_integer;
	return p + n;
}

static inline const char *skip_white(const char *p)
{
	if (likely((unsigned char)*p > ' '))
		return p;
	while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
		p++;
	return p;
}

static inline void token_put(struct parser *ps, const char *from, const char *to,
                             enum json_type type, unsigned flags, uint16_t hash)
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

static inline const char *word(struct parser *ps, const char *p, const char *text, unsigned len,
                               enum json_type type)
{
	if ((size_t)(ps->end - p) < len || memcmp(p, text, len) != 0)
		return fail(ps, ERR_MALFORMED, p, "no such word (true, false, null)");
	token_put(ps, p, p + len, type, 0, 0);
	return p + len;
}

/* A value that is no container; there is room for its token. */
static inline const char *scalar(struct parser *ps, const char *p)
{
	unsigned flags = 0;
	const char *to;
	switch (*p) {
	case '"':
		to = string_end(ps, p + 1, &flags);
		if (unlikely(!to))
			return NULL;
		token_put(ps, p + 1, to, JSON_STRING, flags, 0);
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
		to = number_end(ps, p, &flags);
		if (unlikely(!to))
			return NULL;
		token_put(ps, p, to, JSON_NUMBER, flags, 0);
		return to;
	case 't': return word(ps, p, "true", 4, JSON_TRUE);
	case 'f': return word(ps, p, "false", 5, JSON_FALSE);
	case 'n': return word(ps, p, "null", 4, JSON_NULL);
	default: return fail(ps, ERR_MALFORMED, p, "a value is missing here");
	}
}

/* ---- containers ---- */

/* What run() knows of the innermost open container. */
struct level {
	uint32_t open; /* its token, or NO_PARENT */
	uint32_t size;
	uint32_t names, names_end; /* its own part of ps->names */
	bool is_object;
};

static inline bool level_open(struct parser *ps, struct level *l, const char *p)
{
	if (unlikely(ps->depth == LIMIT_JSON_DEPTH))
		return fail(ps, ERR_TOO_LARGE, p, "nested too deep");
	struct json_token *tok = ps->t->tok;
	if (ps->depth++)
		tok[l->open].size = l->size;
	uint32_t n = ps->n++;
	l->is_object = *p == '{';
	tok[n] = (struct json_token){.pos = (uint32_t)(p - ps->begin),
	                             .next = l->open,
	                             .type = l->is_object ? JSON_OBJECT : JSON_ARRAY,
	                             .hash = (uint16_t)l->names_end};
	l->open = n;
	l->size = 0;
	l->names = l->names_end;
	return true;
}

/* p: after the bracket. */
static inline bool level_close(struct parser *ps, struct level *l, const char *p)
{
	struct json_token *tok = ps->t->tok, *closed = &tok[l->open];
	uint32_t index = l->open, outer = closed->next;
	assert(ps->depth > 0 && closed->type == (l->is_object ? JSON_OBJECT : JSON_ARRAY));
	closed->len = (uint32_t)(p - ps->begin) - closed->pos;
	closed->next = ps->n;
	closed->size = l->size;
	closed->hash = 0;
	l->names_end = l->names;
	l->open = outer;
	if (--ps->depth) {
		l->size = tok[outer].size;
		l->names = tok[outer].hash;
		l->is_object = tok[outer].type == JSON_OBJECT;
	}
	if (likely(!(closed->flags & OBJECT_BIG)))
		return true;
	closed->flags &= (uint8_t)~OBJECT_BIG;
	return closed->flags & JSON_DUPLICATE || check_big(ps, index);
}

/* Is the name just put on the tape one of its object's already? */
static inline void name_note(struct parser *ps, struct level *l, uint16_t hash)
{
	struct json_token *object = &ps->t->tok[l->open];
	if (unlikely(object->flags))
		return; /* given twice or big: there is nothing to find out now */
	uint32_t count = l->names_end - l->names;
	if (unlikely(scan_hash(ps->names + l->names, count, hash)))
		name_met_again(ps, l->open, ps->n - 1);
	if (unlikely(count == LIMIT_JSON_NAMES || l->names_end == LIMIT_JSON_NAMES_OPEN)) {
		object->flags |= OBJECT_BIG;
		return;
	}
	ps->names[l->names_end++] = hash;
}

/* p: where a member should start. Returns where its value should. */
static inline const char *member_name(struct parser *ps, struct level *l, const char *p)
{
	if (unlikely(*p != '"'))
		return fail(ps, ERR_MALFORMED, p, "a member name is missing here");
	while (unlikely(ps->t->cap - ps->n < 2)) /* the name and its value */
		if (!tape_grow(ps, p))
			return NULL;
	unsigned flags = 0;
	const char *to = string_end(ps, ++p, &flags);
	if (unlikely(!to))
		return NULL;
	size_t len = (size_t)(to - p);
	uint16_t hash = unlikely(flags & JSON_ESCAPED)
	                    ? name_hash_escaped(span_of(p, len))
	                    : name_hash(p, len, ps->end - p >= NAME_ENDS);
	token_put(ps, p, to, JSON_STRING, flags, hash);
	name_note(ps, l, hash);
	p = skip_white(to + 1);
	if (unlikely(*p != ':'))
		return fail(ps, ERR_MALFORMED, p, "a colon is missing after a member name");
	return skip_white(p + 1);
}

/* The whole value at p; returns the byte after it. */
static const char *run(struct parser *ps, const char *p)
{
	struct level l = {.open = NO_PARENT};
	for (;;) {
		/* p is where a value should start, and there is room for one token */
		if (*p == '{' || *p == '[') {
			if (!level_open(ps, &l, p))
				return NULL;
			p = skip_white(p + 1);
			if (*p != (l.is_object ? '}' : ']'))
				goto item;
		} else {
			p = scalar(ps, p);
			if (unlikely(!p) || ps->depth == 0)
				return p;
			p = skip_white(p);
		}
		/* after a value or in an empty container */
		while (*p != ',') {
			if (unlikely(*p != (l.is_object ? '}' : ']')))
				return fail(ps, ERR_MALFORMED, p,
				            "a comma or the closing bracket is missing here");
			if (!level_close(ps, &l, ++p))
				return NULL;
			if (ps->depth == 0)
				return p;
			if (unlikely(p == ps->end)) /* nothing may be read here */
				return fail(ps, ERR_MALFORMED, p, NULL);
			p = skip_white(p);
		}
		p = skip_white(p + 1);
	item:
		l.size++;
		if (l.is_object)
			p = member_name(ps, &l, p);
		else if (unlikely(ps->n == ps->t->cap) && !tape_grow(ps, p))
			return NULL;
		if (unlikely(!p))
			return NULL;
	}
}

/* ---- the face ---- */

void json_tape_init(struct json_tape *t, uint32_t max_tokens)
{
	assert(max_tokens > 0 && max_tokens < UINT32_MAX / 2);
	*t = (struct json_tape){.max = max_tokens, .key = hash_key_random()};
}

void json_tape_done(struct json_tape *t)
{
	free(t->tok);
	free(t->table);
	free(t->scratch);
	*t = (struct json_tape){.max = t->max, .key = t->key};
}

static bool is_white(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Sets begin and end so that reading up to the end stops by itself; see the top. False: no memory.
 */
static bool set_text(struct parser *ps, struct span src)
{
	struct json_tape *t = ps->t;
	size_t n = src.n;
	while (n > 0 && is_white(src.p[n - 1]))
		n--;
	ps->begin = src.p;
	bool closes = n > 0 && (src.p[n - 1] == '}' || src.p[n - 1] == ']');
	if (unlikely(!closes)) {
		if (t->scratch_cap <= n) {
			free(t->scratch);
			t->scratch = malloc(n + 1);
			t->scratch_cap = t->scratch ? n + 1 : 0;
		}
		if (!t->scratch)
			return false;
		if (n > 0)
			memcpy(t->scratch, src.p, n);
		t->scratch[n] = '\0';
		ps->begin = t->scratch;
	}
	ps->end = ps->begin + n;
	return true;
}

static void parse_all(struct parser *ps, struct span src)
{
	if (src.n > UINT32_MAX) {
		fail(ps, ERR_TOO_LARGE, ps->begin, "larger than 4 GB");
		return;
	}
	if (!set_text(ps, src)) {
		fail(ps, -ENOMEM, ps->begin, OUT_OF_MEMORY);
		return;
	}
	if (!ps->t->cap && !tape_grow(ps, ps->begin))
		return;
	const char *p = run(ps, skip_white(ps->begin));
	if (!p)
		return;
	while (p < ps->end && is_white(*p))
		p++;
	if (p < ps->end)
		fail(ps, ERR_MALFORMED, p, "text after the value");
}

int json_parse(struct json_tape *t, struct span src, size_t *ret_at, const char **ret_why)
{
	assert(t->max > 0 && ret_at && ret_why);
	struct parser ps;
	ps.t = t;
	ps.begin = ps.end = src.p;
	ps.err = 0;
	ps.depth = ps.chances = 0;
	ps.n = 0;
	t->src = src.p;
	t->n = 0;
	parse_all(&ps, src);
	if (unlikely(ps.err)) {
		t->src = NULL;
		*ret_at = (size_t)(ps.at - ps.begin);
		*ret_why = ps.why;
		return ps.err;
	}
	assert(ps.n > 0 && ps.n <= t->cap && t->tok[0].next == ps.n);
	t->n = ps.n;
	return 0;
}
