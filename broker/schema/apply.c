/* apply.c - schemas applied in place: each sees the value itself. A branch that fails leaves no
 * trace in what was extracted or evaluated. Of anyOf the first branch that fits is read, unless
 * somebody asks what the others evaluate. */
#include "schema/walk.h"

struct trace { /* what a branch may change */
	char extract[offsetof(struct extract, results)];
	size_t text_len;
	uint32_t ranks[ROLE_VERSION + 1];
	int32_t axis_e7[AXIS_LONGITUDE + 1];
	bool has_axis[AXIS_LONGITUDE + 1];
	bool item_has_time;
	int64_t item_time_ms;
	uint32_t item_time_rank;
};

static void trace_save(const struct walk *w, struct trace *t)
{
	memcpy(t->extract, w->ret, sizeof(t->extract));
	t->text_len = w->s->text.len;
	memcpy(t->ranks, w->ranks, sizeof(t->ranks));
	memcpy(t->axis_e7, w->axis_e7, sizeof(t->axis_e7));
	memcpy(t->has_axis, w->has_axis, sizeof(t->has_axis));
	t->item_has_time = w->item_has_time;
	t->item_time_ms = w->item_time_ms;
	t->item_time_rank = w->item_time_rank;
}

static void trace_restore(struct walk *w, const struct trace *t)
{
	memcpy(w->ret, t->extract, sizeof(t->extract));
	w->s->text.len = t->text_len;
	memcpy(w->ranks, t->ranks, sizeof(t->ranks));
	memcpy(w->axis_e7, t->axis_e7, sizeof(t->axis_e7));
	memcpy(w->has_axis, t->has_axis, sizeof(t->has_axis));
	w->item_has_time = t->item_has_time;
	w->item_time_ms = t->item_time_ms;
	w->item_time_rank = t->item_time_rank;
}

bool walk_try(struct walk *w, const struct node *n, uint32_t i)
{
	struct report *report = w->report;
	uint64_t failures = w->failures;
	uint32_t mark = w->n_evaluated;
	struct trace trace;
	if (w->ret)
		trace_save(w, &trace);
	w->report = NULL;
	bool ok = walk_value(w, n, i);
	w->report = report;
	w->failures = failures;
	if (!ok) {
		w->n_evaluated = mark;
		if (w->ret)
			trace_restore(w, &trace);
	}
	return ok;
}

/* How far a branch is from fitting, told by a report that only counts. */
static struct report weigh(struct walk *w, const struct node *n, uint32_t i)
{
	struct report *outer = w->report, r = {.base_depth = w->depth};
	uint64_t failures = w->failures;
	w->report = &r;
	(void)walk_value(w, n, i);
	w->report = outer;
	w->failures = failures;
	return r;
}

static bool nearer(const struct report *a, const struct report *b)
{
	if (a->wrong_type != b->wrong_type)
		return b->wrong_type;
	if (a->discriminators != b->discriminators)
		return a->discriminators < b->discriminators;
	return a->count < b->count;
}

/* Every branch wants another const of the same value: that one has a value that none knows. */
struct unknown_kind {
	bool all;
	struct report first;
};

static void note_decided(struct unknown_kind *d, const struct report *r, bool first)
{
	if (first)
		d->first = *r;
	d->all = (first || d->all) && r->discriminators > 0 && !r->wrong_type &&
	         r->decided_at == d->first.decided_at;
}

static void tell_decided(struct walk *w, const struct node *n, uint32_t i, const struct report *r)
{
	if (r->decided_at) {
		w->st->path[w->depth++] = r->decided_step;
		(void)walk_stop(w, r->decided_at, RULE_ENUM, n, 0);
		w->depth--;
	} else {
		(void)walk_stop(w, i, RULE_ENUM, n, 0);
	}
}

/* No branch fits: tells what keeps the nearest from it, or which types would have been right. */
static bool tell_nearest(struct walk *w, const struct node *n, uint32_t i, const struct apply *a)
{
	uint32_t index = (uint32_t)(a - n->apply), best = 0;
	struct report nearest = {0};
	struct unknown_kind decided = {0};
	unsigned types = 0;
	if (!w->report->out) {
		(void)walk_stop(w, i, RULE_ANY_OF, n, index);
		return true;
	}
	for (uint32_t k = 0; k < a->n; k++) {
		struct report r = weigh(w, a->nodes[k], i);
		types |= r.types;
		note_decided(&decided, &r, k == 0);
		if (k == 0 || nearer(&r, &nearest)) {
			nearest = r;
			best = k;
		}
	}
	if (decided.all && a->n > 1) {
		tell_decided(w, n, i, &decided.first);
		return true;
	}
	if (nearest.wrong_type && types && nearest.count == 1) {
		struct node any = {.types = (uint8_t)types, .integer = !(types & 1)};
		any.types &= TYPES_ALL;
		(void)walk_stop(w, i, RULE_TYPE, &any, 0);
		return true;
	}
	uint64_t before = w->failures;
	if (!w->exhausted)
		(void)walk_value(w, a->nodes[best], i);
	if (w->failures == before)
		(void)walk_stop(w, i, RULE_ANY_OF, n, index);
	return true;
}

/* The branches that a message's own member leaves, of at most 64. All when it cannot be told
 * quickly, and for a report, which tells of each. */
static uint64_t branches_left(const struct walk *w, uint32_t i, const struct apply *a)
{
	const struct decide *d = a->decide;
	const struct json_token *t = w->tok + i;
	uint64_t all = a->n >= 64 ? UINT64_MAX : ((uint64_t)1 << a->n) - 1;
	if (w->report || t->type != JSON_OBJECT)
		return all;
	for (uint32_t name = i + 1; name < t->next; name = w->tok[name + 1].next) {
		const struct json_token *m = &w->tok[name], *v = m + 1;
		if (m->hash != d->hash)
			continue;
		if ((m->flags | v->flags) & JSON_ESCAPED)
			return all;
		if (!span_eq(json_text(w->tape, name), d->member))
			continue;
		if (v->type != JSON_STRING)
			return d->always;
		struct span text = json_text(w->tape, name + 1);
		uint32_t at = json_name_hash(text) & d->mask;
		while (d->slots[at].text.p && !span_eq(d->slots[at].text, text))
			at = (at + 1) & d->mask;
		return d->always | d->slots[at].branches;
	}
	return d->always; /* each of the others requires it */
}

/* allOf: all of those that are left must hold. */
static bool walk_all(struct walk *w, uint32_t i, const struct apply *a)
{
	if (a->decide && !w->report) {
		for (uint64_t left = branches_left(w, i, a); left; left &= left - 1)
			if (!walk_value(w, a->nodes[__builtin_ctzll(left)], i))
				return false;
		return true;
	}
	for (uint32_t k = 0; k < a->n; k++)
		if (!walk_value(w, a->nodes[k], i) && !w->report)
			return false;
	return true;
}

static inline bool is_left(uint64_t left, const struct apply *a, uint32_t k)
{
	return !a->decide || left >> k & 1;
}

static bool walk_any(struct walk *w, const struct node *n, uint32_t i, const struct apply *a)
{
	bool any = false;
	uint64_t left = a->decide ? branches_left(w, i, a) : 0;
	for (uint32_t k = 0; k < a->n && !(any && !w->collect) && !w->exhausted; k++)
		any |= is_left(left, a, k) && walk_try(w, a->nodes[k], i);
	if (any || w->exhausted)
		return any && !w->exhausted;
	if (w->report)
		return tell_nearest(w, n, i, a);
	return !walk_stop(w, i, RULE_ANY_OF, n, 0);
}

static bool walk_one(struct walk *w, const struct node *n, uint32_t i, const struct apply *a)
{
	uint32_t fit = 0;
	uint64_t left = a->decide ? branches_left(w, i, a) : 0;
	for (uint32_t k = 0; k < a->n && (fit < 2 || w->report) && !w->exhausted; k++)
		fit += is_left(left, a, k) && walk_try(w, a->nodes[k], i);
	if (w->exhausted)
		return false;
	if (fit == 1)
		return true;
	if (fit == 0 && w->report)
		return tell_nearest(w, n, i, a);
	return !walk_stop(w, i, RULE_ONE_OF, n, fit);
}

static bool walk_not(struct walk *w, const struct node *n, uint32_t i, const struct apply *a)
{
	struct extract *ret = w->ret;
	bool collect = w->collect;
	w->ret = NULL;
	w->collect = false;
	bool fits = walk_try(w, a->nodes[0], i);
	w->ret = ret;
	w->collect = collect;
	if (w->exhausted)
		return false;
	return !fits || !walk_stop(w, i, RULE_NOT, n, 0);
}

static bool walk_if(struct walk *w, uint32_t i, const struct apply *a)
{
	bool fits = walk_try(w, a->nodes[0], i);
	const struct node *next = fits ? a->nodes[1] : a->nodes[2];
	if (w->exhausted)
		return false;
	return !next || walk_value(w, next, i) || w->report;
}

static const struct node *dynamic_target(const struct walk *w, const struct apply *a)
{
	for (unsigned k = 0; k < w->n_scope; k++)
		if (a->by_resource[w->st->scope[k]])
			return a->by_resource[w->st->scope[k]];
	return a->nodes[0];
}

static bool apply_one(struct walk *w, const struct node *n, uint32_t i, const struct apply *a)
{
	switch (a->kind) {
	case APPLY_REF:
	case APPLY_ALL: return walk_all(w, i, a);
	case APPLY_DYNAMIC: return walk_value(w, dynamic_target(w, a), i) || w->report;
	case APPLY_ANY: return walk_any(w, n, i, a);
	case APPLY_ONE: return walk_one(w, n, i, a);
	case APPLY_NOT: return walk_not(w, n, i, a);
	case APPLY_IF: return walk_if(w, i, a);
	}
	return false;
}

bool walk_apply(struct walk *w, const struct node *n, uint32_t i)
{
	for (unsigned k = 0; k < n->n_apply; k++)
		if (!apply_one(w, n, i, &n->apply[k]))
			return false;
	return !w->exhausted;
}
