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
#include "json/lex.h"
#include "json/name.h"
#include "json/scan.h"

#include <errno.h>
#include <stdlib.h>

enum {
	TAPE_FIRST = 64, /* tokens: most messages need no second allocation */
};

static const uint32_t NO_PARENT = UINT32_MAX;

/* ---- memory ---- */

static const char OUT_OF_MEMORY[] = "out of memory";

static __attribute__((noinline)) bool tape_grow(struct parser *ps, const char *at)
{
	struct json_tape *t = ps->t;
	if (t->cap == t->max)
		return lex_fail(ps, ERR_TOO_LARGE, at, "too many values");
	uint32_t cap = t->cap ? t->cap : TAPE_FIRST / 2;
	cap = cap > t->max / 2 ? t->max : cap * 2;
	struct json_token *tok = realloc(t->tok, cap * sizeof(*tok));
	if (!tok)
		return lex_fail(ps, -ENOMEM, at, OUT_OF_MEMORY);
	t->tok = tok;
	t->cap = cap;
	return true;
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
		return lex_fail(ps, ERR_TOO_LARGE, p, "nested too deep");
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
	bool twice = false;
	if (!(closed->flags & JSON_DUPLICATE) && name_check_all(ps->t, index, &twice))
		return lex_fail(ps, -ENOMEM, p, OUT_OF_MEMORY);
	closed->flags |= twice ? JSON_DUPLICATE : 0;
	return true;
}

/* Is the name just put on the tape one of its object's already? */
static inline void name_note(struct parser *ps, struct level *l, uint16_t hash)
{
	struct json_token *object = &ps->t->tok[l->open];
	if (unlikely(object->flags))
		return; /* given twice or big: there is nothing to find out now */
	uint32_t count = l->names_end - l->names;
	if (unlikely(scan_hash(ps->names + l->names, count, hash)))
		object->flags |= name_met_again(ps->t, l->open, ps->n - 1, &ps->chances);
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
		return lex_fail(ps, ERR_MALFORMED, p, "a member name is missing here");
	while (unlikely(ps->t->cap - ps->n < 2)) /* the name and its value */
		if (!tape_grow(ps, p))
			return NULL;
	unsigned flags = 0;
	const char *to = lex_string(ps, ++p, &flags);
	if (unlikely(!to))
		return NULL;
	size_t len = (size_t)(to - p);
	uint16_t hash = unlikely(flags & JSON_ESCAPED)
	                    ? name_hash_escaped(span_of(p, len))
	                    : name_hash(p, len, ps->end - p >= NAME_ENDS);
	lex_put(ps, p, to, JSON_STRING, flags, hash);
	name_note(ps, l, hash);
	p = lex_white(to + 1);
	if (unlikely(*p != ':'))
		return lex_fail(ps, ERR_MALFORMED, p, "a colon is missing after a member name");
	return lex_white(p + 1);
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
			p = lex_white(p + 1);
			if (*p != (l.is_object ? '}' : ']'))
				goto item;
		} else {
			p = lex_scalar(ps, p);
			if (unlikely(!p) || ps->depth == 0)
				return p;
			p = lex_white(p);
		}
		/* after a value or in an empty container */
		while (*p != ',') {
			if (unlikely(*p != (l.is_object ? '}' : ']')))
				return lex_fail(ps, ERR_MALFORMED, p,
				                "a comma or the closing bracket is missing here");
			if (!level_close(ps, &l, ++p))
				return NULL;
			if (ps->depth == 0)
				return p;
			if (unlikely(p == ps->end)) /* nothing may be read here */
				return lex_fail(ps, ERR_MALFORMED, p, NULL);
			p = lex_white(p);
		}
		p = lex_white(p + 1);
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
		lex_fail(ps, ERR_TOO_LARGE, ps->begin, "larger than 4 GB");
		return;
	}
	if (!set_text(ps, src)) {
		lex_fail(ps, -ENOMEM, ps->begin, OUT_OF_MEMORY);
		return;
	}
	if (!ps->t->cap && !tape_grow(ps, ps->begin))
		return;
	const char *p = run(ps, lex_white(ps->begin));
	if (!p)
		return;
	while (p < ps->end && is_white(*p))
		p++;
	if (p < ps->end)
		lex_fail(ps, ERR_MALFORMED, p, "text after the value");
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
