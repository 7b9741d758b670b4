/* eval.c - conditions and values of expressions about one entity; see value.h.
 *
 * A path may lead over a relation to many and then has many values; the condition around it holds
 * when it does for one of them. So evaluation hands values on to a function (each_value) instead of
 * returning one. */
#include "base/err.h"
#include "sta/value.h"

struct subject {
	enum sta_type type;
	int64_t id;
	const json_t *entity;
	const struct subject *outer; /* of an any(): where that stands; NULL: the entity itself */
};

/* Not false: enough, stop. */
typedef bool taker(struct sta_eval *e, void *arg, const struct sta_value *v);

static bool each_value(struct sta_eval *e, uint16_t node, const struct subject *of, taker *take,
                       void *arg);

static bool truth_of(struct sta_eval *e, uint16_t node, const struct subject *of);

static bool is_condition(enum sta_op op)
{
	return op == STA_OR || op == STA_AND || op == STA_NOT || (op >= STA_EQ && op <= STA_LE) ||
	       op == STA_IN;
}

/* ---- paths ---- */

static struct sta_value property(const struct sta_eval *e, const struct sta_node *n, unsigned at,
                                 const struct subject *of)
{
	const struct span *name = &e->q->name[n->name];
	const json_t *j = of->entity;
	if (at == n->n_names || span_is(name[at], "id") || span_is(name[at], "@iot.id"))
		return (struct sta_value){.kind = STA_V_NUMBER, .number = (double)of->id};
	for (; at < n->n_names && j; at++)
		j = sta_value_below(j, name[at]);
	return sta_value_of(j);
}

struct walk {
	struct sta_eval *e;
	const struct sta_node *n;
	unsigned at;
	enum sta_type type;
	taker *take;
	void *arg;
};

static bool follow(struct sta_eval *e, const struct sta_node *n, unsigned at,
                   const struct subject *of, taker *take, void *arg);

static int on_entity(void *arg, int64_t id, json_t *entity, struct span token UNUSED)
{
	const struct walk *w = arg;
	struct subject next = {w->type, id, entity, NULL};
	if (++w->e->looked_up > LIMIT_STA_LOOKED_UP) {
		w->e->err = ERR_TOO_LARGE;
		return 1;
	}
	return follow(w->e, w->n, w->at, &next, w->take, w->arg);
}

struct any {
	const struct subject *outer;
	bool found;
};

/* Whether the condition of an any() holds for an entity of its set. */
static bool any_of(struct sta_eval *e, const struct sta_node *n, const struct subject *of,
                   void *arg)
{
	struct any *a = arg;
	struct subject inner = {of->type, of->id, of->entity, a->outer};
	a->found = a->found || !n->n_kids || truth_of(e, n->kid[0], &inner);
	return a->found || e->err;
}

/* The values at the end of the path, from its name number at on. */
static bool follow(struct sta_eval *e, const struct sta_node *n, unsigned at,
                   const struct subject *of, taker *take, void *arg)
{
	if (e->err)
		return true;
	if (at >= n->n_relations && n->op == STA_ANY)
		return any_of(e, n, of, arg);
	if (at >= n->n_relations) {
		struct sta_value v = property(e, n, at, of);
		return take(e, arg, &v);
	}
	const struct sta_relation *r = sta_find_relation(of->type, e->q->name[n->name + at]);
	struct walk w = {e, n, at + 1, r->to, take, arg};
	if (r->many) {
		struct sta_list l = {.type = r->to,
		                     .relation = r,
		                     .id = of->id,
		                     .from_ms = INT64_MIN,
		                     .to_ms = INT64_MAX};
		int rc = e->source->walk(e->source->arg, &l, on_entity, &w);
		if (rc < 0)
			e->err = rc;
		return rc != 0;
	}
	int64_t id;
	json_t *entity = NULL;
	int rc = e->source->one(e->source->arg, r, of->id, &id);
	if (!rc)
		rc = e->source->get(e->source->arg, r->to, id, &entity);
	if (rc == ERR_NOT_FOUND) {
		struct sta_value v = {.kind = STA_V_NULL};
		return take(e, arg, &v);
	}
	if (rc) {
		e->err = rc;
		return true;
	}
	bool stop = on_entity(&w, id, entity, (struct span){0});
	json_decref(entity);
	return stop;
}

/* ---- comparing ---- */

static bool compare_times(enum sta_op op, const struct sta_value *a, const struct sta_value *b)
{
	switch (op) {
	case STA_EQ: return a->ms == b->ms && a->end_ms == b->end_ms;
	case STA_NE: return a->ms != b->ms || a->end_ms != b->end_ms;
	case STA_LT: return sta_time_before(a, b);
	case STA_GT: return sta_time_before(b, a);
	case STA_LE: return a->end_ms <= b->end_ms && a->ms <= b->ms;
	default: return a->ms >= b->ms && a->end_ms >= b->end_ms;
	}
}

static bool holds(enum sta_op op, struct sta_value a, struct sta_value b);

static bool is_among(struct sta_value a, const struct sta_value *b)
{
	for (size_t i = 0; b->kind == STA_V_JSON && i < json_array_size(b->json); i++)
		if (holds(STA_EQ, a, sta_value_of(json_array_get(b->json, i))))
			return true;
	return false;
}

static bool holds(enum sta_op op, struct sta_value a, struct sta_value b)
{
	if (op == STA_IN)
		return is_among(a, &b);
	if (a.kind == STA_V_TIME || b.kind == STA_V_TIME) {
		bool times = sta_value_as_time(&a) && sta_value_as_time(&b);
		return times ? compare_times(op, &a, &b) : op == STA_NE;
	}
	if (a.kind != b.kind || a.kind == STA_V_NULL || a.kind == STA_V_JSON) {
		bool same = a.kind == STA_V_NULL && b.kind == STA_V_NULL;
		return op == STA_EQ ? same : op == STA_NE ? !same : false;
	}
	int c = sta_value_compare(&a, &b);
	switch (op) {
	case STA_EQ: return c == 0;
	case STA_NE: return c != 0;
	case STA_GT: return c > 0;
	case STA_GE: return c >= 0;
	case STA_LT: return c < 0;
	default: return c <= 0;
	}
}

/* ---- operators over all values of their sides ---- */

struct pair {
	const struct sta_node *n;
	const struct subject *of;
	struct sta_value left;
	taker *take;
	void *arg;
};

static struct sta_value calculate(enum sta_op op, const struct sta_value *a,
                                  const struct sta_value *b)
{
	struct sta_value v = {.kind = STA_V_NULL};
	struct sta_value t = *a, u = *b;
	if (a->kind == STA_V_NUMBER && b->kind == STA_V_NUMBER) {
		double x = a->number, y = b->number;
		bool zero = (op == STA_DIV || op == STA_MOD) && y == 0;
		double r = op == STA_ADD   ? x + y
		           : op == STA_SUB ? x - y
		           : op == STA_MUL ? x * y
		           : zero          ? 0
		           : op == STA_DIV ? x / y
		                           : __builtin_fmod(x, y);
		if (!zero && r - r == 0)
			v = (struct sta_value){.kind = STA_V_NUMBER, .number = r};
	} else if (op == STA_MUL && (a->kind == STA_V_DURATION || b->kind == STA_V_DURATION)) {
		double by = (a->kind == STA_V_NUMBER ? a : b)->number;
		double ms = by * (double)(a->kind == STA_V_DURATION ? a : b)->ms;
		if ((a->kind == STA_V_NUMBER || b->kind == STA_V_NUMBER) && ms > -1e15 && ms < 1e15)
			v = (struct sta_value){.kind = STA_V_DURATION, .ms = (int64_t)ms};
	} else if (b->kind == STA_V_DURATION && sta_value_as_time(&t)) {
		int64_t by = op == STA_SUB ? -b->ms : b->ms;
		if ((op == STA_ADD || op == STA_SUB) && !__builtin_add_overflow(t.ms, by, &t.ms) &&
		    !__builtin_add_overflow(t.end_ms, by, &t.end_ms))
			v = t;
	} else if (a->kind == STA_V_DURATION && b->kind == STA_V_DURATION) {
		int64_t by = op == STA_SUB ? -b->ms : b->ms;
		if ((op == STA_ADD || op == STA_SUB) && !__builtin_add_overflow(a->ms, by, &v.ms))
			v.kind = STA_V_DURATION;
	} else if (op == STA_SUB && sta_value_as_time(&t) && sta_value_as_time(&u)) {
		if (!__builtin_sub_overflow(t.ms, u.ms, &v.ms))
			v.kind = STA_V_DURATION;
	}
	return v;
}

static bool on_right(struct sta_eval *e, void *arg, const struct sta_value *v)
{
	struct pair *p = arg;
	struct sta_value r;
	if (is_condition(p->n->op))
		r = (struct sta_value){.kind = STA_V_BOOL, .truth = holds(p->n->op, p->left, *v)};
	else
		r = calculate(p->n->op, &p->left, v);
	return p->take(e, p->arg, &r);
}

static bool on_left(struct sta_eval *e, void *arg, const struct sta_value *v)
{
	struct pair *p = arg;
	p->left = *v;
	return each_value(e, p->n->kid[1], p->of, on_right, p);
}

static bool on_minus(struct sta_eval *e, void *arg, const struct sta_value *v)
{
	struct pair *p = arg;
	struct sta_value r = *v;
	r.number = -r.number;
	if (r.kind == STA_V_DURATION)
		r.ms = -r.ms;
	else if (r.kind != STA_V_NUMBER)
		r = (struct sta_value){.kind = STA_V_NULL};
	return p->take(e, p->arg, &r);
}

struct call {
	const struct sta_node *n;
	const struct subject *of;
	struct sta_value arg[3];
	unsigned have;
	taker *take;
	void *take_arg;
};

static bool on_argument(struct sta_eval *e, void *arg, const struct sta_value *v)
{
	struct call *c = arg;
	c->arg[c->have++] = *v;
	bool stop;
	if (c->have < c->n->n_kids) {
		stop = each_value(e, c->n->kid[c->have], c->of, on_argument, c);
	} else {
		struct sta_value r =
		    sta_call(e, (enum sta_function)c->n->function, c->arg, c->have);
		stop = c->take(e, c->take_arg, &r);
	}
	c->have--;
	return stop;
}

/* ---- the tree ---- */

static bool on_truth(struct sta_eval *e, void *arg, const struct sta_value *v)
{
	bool *found = arg;
	*found = *found || (v->kind == STA_V_BOOL && v->truth);
	return *found || e->err;
}

static bool truth_of(struct sta_eval *e, uint16_t node, const struct subject *of)
{
	const struct sta_node *n = &e->q->node[node];
	bool found = false;
	if (n->op == STA_OR)
		return truth_of(e, n->kid[0], of) || truth_of(e, n->kid[1], of);
	if (n->op == STA_AND)
		return truth_of(e, n->kid[0], of) && truth_of(e, n->kid[1], of);
	if (n->op == STA_NOT)
		return !truth_of(e, n->kid[0], of);
	(void)each_value(e, node, of, on_truth, &found);
	return found;
}

static const struct subject *outer_of(const struct sta_node *n, const struct subject *of)
{
	for (unsigned i = 0; i < n->outer && of->outer; i++)
		of = of->outer;
	return of;
}

static bool each_value(struct sta_eval *e, uint16_t node, const struct subject *of, taker *take,
                       void *arg)
{
	const struct sta_node *n = &e->q->node[node];
	struct sta_value v = {.kind = STA_V_NULL};
	if (e->err)
		return true;
	switch (n->op) {
	case STA_NULL: break;
	case STA_BOOL: v = (struct sta_value){.kind = STA_V_BOOL, .truth = n->truth}; break;
	case STA_NUMBER: v = (struct sta_value){.kind = STA_V_NUMBER, .number = n->number}; break;
	case STA_STRING: v = (struct sta_value){.kind = STA_V_STRING, .text = n->text}; break;
	case STA_TIME:
	case STA_INTERVAL:
		v = (struct sta_value){.kind = STA_V_TIME, .ms = n->ms, .end_ms = n->end_ms};
		break;
	case STA_DURATION: v = (struct sta_value){.kind = STA_V_DURATION, .ms = n->ms}; break;
	case STA_GEOMETRY: v = (struct sta_value){.kind = STA_V_WKT, .text = n->text}; break;
	case STA_PATH: return follow(e, n, 0, outer_of(n, of), take, arg);
	case STA_ANY: {
		struct any a = {of, false};
		(void)follow(e, n, 0, outer_of(n, of), NULL, &a);
		v = (struct sta_value){.kind = STA_V_BOOL, .truth = a.found};
		break;
	}
	case STA_OR:
	case STA_AND:
	case STA_NOT:
		v = (struct sta_value){.kind = STA_V_BOOL, .truth = truth_of(e, node, of)};
		break;
	case STA_MINUS: {
		struct pair p = {n, of, v, take, arg};
		return each_value(e, n->kid[0], of, on_minus, &p);
	}
	case STA_CALL: {
		struct call c = {.n = n, .of = of, .take = take, .take_arg = arg};
		if (n->n_kids)
			return each_value(e, n->kid[0], of, on_argument, &c);
		v = sta_call(e, (enum sta_function)n->function, c.arg, 0);
		break;
	}
	default: {
		struct pair p = {n, of, v, take, arg};
		return each_value(e, n->kid[0], of, on_left, &p);
	}
	}
	return take(e, arg, &v);
}

bool sta_eval_true(struct sta_eval *e, uint16_t node, enum sta_type type, int64_t id,
                   const json_t *entity)
{
	struct subject of = {type, id, entity, NULL};
	e->used = 0;
	return truth_of(e, node, &of);
}

/* Its text may lie in an entity that is let go on the way back: it moves. */
static bool on_first(struct sta_eval *e, void *arg, const struct sta_value *v)
{
	struct sta_value *ret = arg;
	*ret = *v;
	if (v->kind == STA_V_JSON)
		*ret = (struct sta_value){.kind = STA_V_NULL};
	else if (v->text.n)
		ret->text = sta_keep(e, v->text);
	return true;
}

struct sta_value sta_eval_value(struct sta_eval *e, uint16_t node, enum sta_type type, int64_t id,
                                const json_t *entity)
{
	struct subject of = {type, id, entity, NULL};
	struct sta_value v = {.kind = STA_V_NULL};
	e->used = 0;
	(void)each_value(e, node, &of, on_first, &v);
	return v;
}
