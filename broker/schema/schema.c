/* schema.c - the room's door: a scratch, a parse, a check. How a value is walked stands in walk.h.
 */
#include "schema/schema.h"

#include "base/err.h"
#include "base/mem.h"
#include "schema/build.h"
#include "schema/walk.h"

#include <stdlib.h>

enum { DUPLICATES_LOOKED_AT = 1000 }; /* members, to say where; the refusal does not depend on it */

_Static_assert(sizeof(((struct verdict *)0)->text) == LIMIT_VERDICT_BYTES, "a verdict's text");

void schema_scratch_init(struct schema_scratch *s, size_t max_payload_bytes)
{
	assert(s && max_payload_bytes < UINT32_MAX / 2);
	*s = (struct schema_scratch){0};
	json_tape_init(&s->tape,
	               (uint32_t)MIN_OF(max_payload_bytes / 2 + 2, (size_t)LIMIT_JSON_TOKENS));
	buf_init(&s->text, max_payload_bytes + LIMIT_EXTRACT_TEXT_BYTES + 64);
	struct stacks *st = xcalloc(1, sizeof(*st));
	st->match = pcre2_match_data_create(1, NULL);
	st->limits = pcre2_match_context_create(NULL);
	assert(st->match && st->limits); /* small, at start */
	pcre2_set_heap_limit(st->limits, LIMIT_PATTERN_HEAP_KB);
	s->private_ = st;
}

void schema_scratch_done(struct schema_scratch *s)
{
	struct stacks *st = s->private_;
	json_tape_done(&s->tape);
	buf_done(&s->text);
	if (!st)
		return;
	pcre2_match_data_free(st->match);
	pcre2_match_context_free(st->limits);
	free(st->evaluated);
	free(st->stamp);
	free(st->hashes);
	free(st->table);
	free(st);
	s->private_ = NULL;
}

static bool same_name(const struct json_tape *t, uint32_t a, uint32_t b, char *text)
{
	if (t->tok[a].hash != t->tok[b].hash)
		return false;
	size_t n = json_unescape(json_text(t, a), text);
	return json_string_is(t, b, span_of(text, n));
}

/* The byte where an object gives a name again; its own start when that is far in. */
static size_t find_again(struct schema_scratch *s, uint32_t object)
{
	const struct json_tape *t = &s->tape;
	uint32_t end = t->tok[object].next, count = 0;
	for (uint32_t b = object + 1; b < end && count < DUPLICATES_LOOKED_AT; count++) {
		for (uint32_t a = object + 1; a < b; a = t->tok[a + 1].next)
			if (same_name(t, a, b, s->text.p))
				return t->tok[b].pos - 1; /* at the quote */
		b = t->tok[b + 1].next;
	}
	return t->tok[object].pos;
}

int schema_parse(struct schema_scratch *s, struct span payload, struct verdict *ret_verdict)
{
	size_t at = 0;
	const char *what = "";
	int err = 0;
	assert(s && s->private_ && ret_verdict);
	s->parsed_len = payload.n;
	buf_clear(&s->text);
	size_t room = payload.n + LIMIT_EXTRACT_TEXT_BYTES;
	if (s->text.cap < room && !buf_room(&s->text, room)) {
		s->tape.src = NULL;
		verdict_json(ret_verdict, payload.n, "it is larger than a message may be");
		return ERR_TOO_LARGE;
	}
	err = json_parse(&s->tape, payload, &at, &what);
	if (err) {
		verdict_json(ret_verdict, at, what);
		return err == ERR_TOO_LARGE ? ERR_TOO_LARGE : ERR_MALFORMED;
	}
	uint8_t flags = 0;
	for (uint32_t i = 0; i < s->tape.n; i++)
		flags |= s->tape.tok[i].flags;
	if (likely(!(flags & JSON_DUPLICATE)))
		return 0;
	uint32_t i = 0;
	while (!(s->tape.tok[i].flags & JSON_DUPLICATE))
		i++;
	verdict_json(ret_verdict, find_again(s, i), "a member name is given twice");
	s->tape.src = NULL;
	return ERR_MALFORMED;
}

/* Sets for uniqueItems and unevaluated*: sized once for the largest message so far. */
static void make_room(struct stacks *st, uint32_t tokens)
{
	if (st->generation > UINT32_MAX / 2 && st->stamp) {
		memset(st->stamp, 0, st->tokens_cap * sizeof(*st->stamp));
		st->generation = 0;
	}
	if (tokens <= st->tokens_cap)
		return;
	uint32_t cap = MAX_OF(tokens, 256u);
	free(st->stamp);
	st->stamp = xcalloc(cap, sizeof(*st->stamp));
	st->generation = 0;
	st->hashes = xrealloc(st->hashes, cap * sizeof(*st->hashes));
	st->table = xrealloc(st->table, (size_t)cap * 5 * sizeof(*st->table));
	if (st->evaluated_cap < cap) {
		st->evaluated = xrealloc(st->evaluated, cap * sizeof(*st->evaluated));
		st->evaluated_cap = cap;
	}
	st->tokens_cap = cap;
}

static struct walk walk_start(const struct schema *sc, struct schema_scratch *s)
{
	struct stacks *st = s->private_;
	assert(sc && st && s->tape.src && s->tape.n > 0);
	if (sc->sets)
		make_room(st, s->tape.n);
	s->text.len = 0;
	return (struct walk){
	    .sc = sc,
	    .tape = &s->tape,
	    .tok = s->tape.tok,
	    .s = s,
	    .st = st,
	    .steps = LIMIT_SCHEMA_STEPS + (int64_t)s->tape.n * LIMIT_SCHEMA_STEPS_PER_TOKEN,
	    .broken = RULE_LIMIT,
	};
}

static const char *broken_text(enum rule rule)
{
	switch (rule) {
	case RULE_THING: return "one message is about two things";
	case RULE_RESULT: return "a result is too large a number";
	case RULE_RESULTS: return "more results than one message may hold";
	default: return "takes too much work to check";
	}
}

static unsigned walk_report(const struct schema *sc, struct schema_scratch *s, struct verdict *out,
                            unsigned max)
{
	struct walk w = walk_start(sc, s);
	struct report r = {.out = out, .max = max};
	w.report = &r;
	(void)walk_value(&w, sc->root, 0);
	assert(r.n <= max);
	return r.n;
}

int schema_check(const struct schema *sc, struct schema_scratch *s, struct extract *ret,
                 struct verdict *ret_verdict)
{
	struct walk w = walk_start(sc, s);
	assert(ret_verdict);
	if (ret)
		memset(ret, 0, offsetof(struct extract, results));
	w.ret = ret;
	if (likely(walk_value(&w, sc->root, 0) && !w.exhausted)) {
		if (ret)
			walk_finish(&w);
		return 0;
	}
	enum rule broken = w.exhausted ? RULE_LIMIT : w.broken;
	if (ret)
		memset(ret, 0, offsetof(struct extract, results));
	if (walk_report(sc, s, ret_verdict, 1) == 0)
		verdict_plain(ret_verdict, sc, broken, broken_text(broken));
	return ERR_INVALID;
}

unsigned schema_errors(const struct schema *sc, struct schema_scratch *s, struct verdict *ret,
                       unsigned max)
{
	assert(ret && max > 0);
	unsigned n = walk_report(sc, s, ret, max);
	if (n > 0)
		return n;
	struct extract *e = xmalloc(sizeof(*e)); /* what only extraction can find wrong */
	int err = schema_check(sc, s, e, ret);
	free(e);
	return err ? 1 : 0;
}

const char *schema_name(const struct schema *sc)
{
	return sc->name;
}

unsigned schema_version(const struct schema *sc)
{
	return sc->version;
}

const char *schema_id(const struct schema *sc)
{
	return sc->id;
}

struct span schema_source(const struct schema *sc)
{
	assert(sc->n_documents > 0);
	return span_of(sc->documents[0]->source.p, sc->documents[0]->source.len);
}

static bool is_version(const struct node *n, unsigned depth)
{
	if (n->note && n->note->role == ROLE_VERSION)
		return true;
	for (unsigned i = 0; depth > 0 && i < n->n_apply; i++)
		if (n->apply[i].kind == APPLY_REF && is_version(n->apply[i].nodes[0], depth - 1))
			return true;
	return false;
}

bool schema_own_version(const struct schema *sc, const struct schema_scratch *s, uint64_t *ret)
{
	enum { REFS = 4 };
	const struct object_rule *r = sc->root->object;
	if (!sc->role_version || !r || !s->tape.src || s->tape.tok[0].type != JSON_OBJECT)
		return false;
	for (uint32_t k = 0; k <= r->mask; k++) {
		const struct member *m = &r->slots[k];
		if (!m->name.p || !m->node || !is_version(m->node, REFS))
			continue;
		uint32_t i = json_member(&s->tape, 0, m->name);
		bool named =
		    i && s->tape.tok[i].type >= JSON_NUMBER && s->tape.tok[i].type <= JSON_STRING;
		if (named && span_to_u64(json_text(&s->tape, i), ret) == 0)
			return true;
	}
	return false;
}

bool schema_slow(const struct schema *sc, struct buf *why)
{
	const struct slow *s = &sc->slow;
	const struct {
		unsigned n;
		const char *one, *many;
	} ways[] = {
	    {s->branches, "branch of anyOf, oneOf, not or if that is tried",
	     "branches of anyOf, oneOf, not or if that are tried"},
	    {s->patterns, "pattern", "patterns"},
	    {s->unique, "uniqueItems", "uniqueItems"},
	    {s->contains, "contains", "contains"},
	    {s->unevaluated, "unevaluatedProperties or -Items", "unevaluatedProperties or -Items"},
	    {s->dynamic, "$dynamicRef", "$dynamicRefs"},
	};
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		if (!ways[i].n)
			continue;
		buf_addf(why, "%s%u %s", any ? "; " : "", ways[i].n,
		         ways[i].n == 1 ? ways[i].one : ways[i].many);
		any = true;
	}
	return any;
}

const char *schema_path(const struct schema *sc)
{
	return sc->path ? sc->path : sc->id;
}

bool schema_has_role_version(const struct schema *sc)
{
	return sc->role_version;
}

unsigned schema_result_count(const struct schema *sc)
{
	return sc->n_results;
}

struct schema_result_info schema_result_info(const struct schema *sc, unsigned i)
{
	assert(i < sc->n_results);
	return sc->results[i];
}
