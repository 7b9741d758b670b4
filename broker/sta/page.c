/* page.c - one page of a set: filter, order, $skip, $top, $count; see run.h.
 *
 * In the source's own order a page is a walk that stops when it is full. In any other order the
 * walk goes over the whole set (as far as LIMIT_STA_EXAMINED) and the best $skip + $top are kept.
 * The link to the next page says the last entity's place: its token of the walk, or its keys and
 * id. */
#include "base/err.h"
#include "sta/render.h"

/* ---- what the source can do by itself ---- */

static bool is_plain_path(const struct run *run, uint16_t node, const char *name)
{
	const struct sta_query *q = run->r->q;
	const struct sta_node *n = &q->node[node];
	return n->op == STA_PATH && n->n_names == 1 && span_is(q->name[n->name], name);
}

/* Whether the source walks in this order; *ret_descending. */
static bool is_natural(const struct run *run, const struct page *p, bool *ret_descending)
{
	const struct sta_options *o = p->o;
	*ret_descending = false;
	if (!o->n_order)
		return true;
	const struct sta_order *k = &o->order[0];
	enum sta_type from = p->list.relation ? p->list.relation->from : STA_TYPES;
	if (p->list.type == STA_OBSERVED_PROPERTY && from == STA_MULTI_DATASTREAM)
		return false; /* they come in the order of its results */
	if (o->n_order == 1 && p->list.type != STA_OBSERVATION && !k->descending)
		return is_plain_path(run, k->node, "id") || is_plain_path(run, k->node, "@iot.id");
	bool one_stream = p->list.type == STA_OBSERVATION && sta_is_stream(from);
	if (!one_stream || !is_plain_path(run, k->node, "phenomenonTime"))
		return false;
	*ret_descending = k->descending;
	for (unsigned i = 1; i < o->n_order; i++) /* ties have no order that could be told */
		if (!is_plain_path(run, o->order[i].node, "id") &&
		    !is_plain_path(run, o->order[i].node, "@iot.id"))
			return false;
	return true;
}

/* Datastream/id or MultiDatastream/id, of an Observation: that relation; NULL: neither. */
static const struct sta_relation *stream_of(const struct run *run, uint16_t node)
{
	const struct sta_query *q = run->r->q;
	const struct sta_node *n = &q->node[node];
	if (n->op != STA_PATH || n->n_relations != 1 || n->n_names > 2 ||
	    (n->n_names == 2 && !span_is(q->name[n->name + 1], "id") &&
	     !span_is(q->name[n->name + 1], "@iot.id")))
		return NULL;
	const struct sta_relation *r = sta_find_relation(STA_OBSERVATION, q->name[n->name]);
	return r && r->to != STA_FEATURE ? sta_find_relation(r->to, SPAN("Observations")) : NULL;
}

/* Narrows the walk by what the filter demands of phenomenonTime, storedTime and Datastream. */
static void page_narrow(const struct run *run, uint16_t node, struct sta_list *l)
{
	const struct sta_query *q = run->r->q;
	const struct sta_node *n = &q->node[node];
	if (n->op == STA_AND) {
		page_narrow(run, n->kid[0], l);
		page_narrow(run, n->kid[1], l);
		return;
	}
	if (n->op < STA_EQ || n->op > STA_LE || n->op == STA_NE)
		return;
	const struct sta_node *t = &q->node[n->kid[1]];
	const struct sta_relation *of =
	    n->op == STA_EQ && t->op == STA_NUMBER && !l->relation && l->type == STA_OBSERVATION
	        ? stream_of(run, n->kid[0])
	        : NULL;
	if (of) {
		l->relation = of;
		l->id = t->number >= 0 && t->number <= UINT32_MAX ? (int64_t)t->number : 0;
		return;
	}
	if (t->op != STA_TIME)
		return;
	if (is_plain_path(run, n->kid[0], "storedTime") && n->op != STA_LT && n->op != STA_LE)
		l->stored_since_ms = MAX_OF(l->stored_since_ms, t->ms);
	if (!is_plain_path(run, n->kid[0], "phenomenonTime"))
		return;
	if (n->op != STA_LT && n->op != STA_LE)
		l->from_ms = MAX_OF(l->from_ms, t->ms);
	if (n->op != STA_GT && n->op != STA_GE)
		l->to_ms = MIN_OF(l->to_ms, t->ms);
}

bool page_fits(struct run *run, const struct page *p, int64_t id, const json_t *entity)
{
	return p->o->filter == STA_NO_NODE ||
	       sta_eval_true(&run->eval, p->o->filter, p->list.type, id, entity);
}

int page_eval_error(struct run *run)
{
	if (run->eval.err == ERR_TOO_LARGE)
		return run_fail(run, ERR_TOO_LARGE,
		                "the condition looks at more than %d related entities; narrow it",
		                LIMIT_STA_LOOKED_UP);
	return run->eval.err;
}

size_t page_top(const struct sta_options *o)
{
	return (size_t)(o->has_top ? MIN_OF(o->top, (uint64_t)LIMIT_STA_PAGE)
	                           : LIMIT_STA_PAGE_DEFAULT);
}

/* ---- counting ---- */

struct counting {
	struct run *run;
	struct page *p;
};

static int count_one(void *arg, int64_t id, json_t *entity, struct span token UNUSED)
{
	struct counting *c = arg;
	if (++c->run->examined > LIMIT_STA_EXAMINED)
		return 1;
	c->p->count += page_fits(c->run, c->p, id, entity);
	return c->run->eval.err != 0;
}

static int count_all(struct run *run, struct page *p)
{
	const struct sta_source *s = run->r->source;
	struct counting c = {run, p};
	p->counted = true;
	if (p->o->filter == STA_NO_NODE && s->count && s->count(s->arg, &p->list, &p->count))
		return 0;
	struct sta_list all = p->list;
	all.token = (struct span){0};
	int rc = s->walk(s->arg, &all, count_one, &c);
	if (run->eval.err)
		return page_eval_error(run);
	if (rc == 1)
		return run_fail(run, ERR_TOO_LARGE,
		                "counting looks at more than %d entities; narrow $filter or leave "
		                "$count out",
		                LIMIT_STA_EXAMINED);
	return rc;
}

/* ---- in the source's order ---- */

struct natural {
	struct run *run;
	struct page *p;
	uint64_t skip;
	size_t top;
	char token[STA_TOKEN_BYTES]; /* of the last one that is dealt with */
	size_t n_token;
};

static void passed(struct natural *w, struct span token)
{
	w->n_token = MIN_OF(token.n, sizeof(w->token));
	memcpy(w->token, token.p, w->n_token);
}

int page_take(struct run *run, struct page *p, int64_t id, json_t *entity)
{
	json_t *j = render_entity(run, p->o, id, entity, p->refs);
	if (!j)
		return run->err ? run->err : ERR_TOO_LARGE;
	run->entities++;
	json_array_append_new(p->value, j);
	json_array_append_new(p->ids, json_integer(id));
	return 0;
}

static int natural_one(void *arg, int64_t id, json_t *entity, struct span token)
{
	struct natural *w = arg;
	struct run *run = w->run;
	bool full = json_array_size(w->p->value) == w->top;
	if (++run->examined > LIMIT_STA_EXAMINED || run->entities >= LIMIT_STA_ENTITIES) {
		w->p->more = true;
		return 1;
	}
	if (!page_fits(run, w->p, id, entity) && !run->eval.err) {
		passed(w, token);
		return 0;
	}
	if (run->eval.err)
		return 1;
	if (!full && w->skip) {
		w->skip--;
		passed(w, token);
		return 0;
	}
	w->p->more = full;
	if (full)
		return 1;
	passed(w, token);
	run->err = page_take(run, w->p, id, entity);
	return run->err != 0;
}

void token_write(char kind, struct span bytes, char *out)
{
	static const char digits[] = "0123456789abcdef";
	*out++ = kind;
	for (size_t i = 0; i < bytes.n; i++) {
		*out++ = digits[(unsigned char)bytes.p[i] >> 4];
		*out++ = digits[bytes.p[i] & 15];
	}
	*out = '\0';
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int token_read(char kind, struct span token, char *out, size_t size, size_t *ret_n)
{
	if (token.n < 3 || token.n % 2 == 0 || token.n / 2 > size || token.p[0] != kind)
		return ERR_MALFORMED;
	for (size_t i = 0; i < token.n / 2; i++) {
		int high = digit(token.p[1 + 2 * i]), low = digit(token.p[2 + 2 * i]);
		if (high < 0 || low < 0)
			return ERR_MALFORMED;
		out[i] = (char)(high << 4 | low);
	}
	*ret_n = token.n / 2;
	return 0;
}

static int natural(struct run *run, struct page *p)
{
	const struct sta_source *s = run->r->source;
	struct natural w = {
	    .run = run, .p = p, .skip = p->token.n ? 0 : p->o->skip, .top = page_top(p->o)};
	struct sta_list l = p->list;
	if (p->o->filter == STA_NO_NODE && w.skip < LIMIT_STA_PAGE)
		l.want = w.top + (size_t)w.skip + 1;
	char token[STA_TOKEN_BYTES];
	if (p->token.n) {
		if (token_read('w', p->token, token, sizeof(token), &l.token.n))
			return run_fail(run, ERR_MALFORMED, "this $skiptoken is none of ours");
		l.token.p = token;
	}
	if (!w.top)
		return 0;
	int rc = s->walk(s->arg, &l, natural_one, &w);
	if (run->eval.err)
		return page_eval_error(run);
	if (rc == ERR_MALFORMED)
		return run_fail(run, rc, "this $skiptoken is none of ours");
	if (run->err || rc < 0)
		return run->err ? run->err : rc;
	if (p->more && !w.n_token && !p->token.n)
		p->more = false; /* nothing was looked at: a link would lead here again */
	if (p->more && !w.n_token) {
		memcpy(w.token, token, l.token.n);
		w.n_token = l.token.n;
	}
	if (p->more)
		token_write('w', span_of(w.token, w.n_token), p->next);
	return 0;
}

int page_run(struct run *run, struct page *p)
{
	p->value = json_array();
	p->ids = json_array();
	struct sta_list whole = p->list;
	if (p->o->filter != STA_NO_NODE && p->list.type == STA_OBSERVATION)
		page_narrow(run, p->o->filter, &p->list);
	int err = p->o->count && !p->o->distinct ? count_all(run, p) : 0;
	run->examined = 0;
	if (!err && p->o->distinct)
		err = distinct_page(run, p);
	else if (!err)
		err = is_natural(run, p, &p->list.descending) ? natural(run, p) : sort_page(run, p);
	if (err == ERR_NOT_FOUND && p->list.relation != whole.relation)
		err = 0; /* of a Datastream that is not there: none */
	p->list = whole;
	if (err) {
		json_decref(p->value);
		json_decref(p->ids);
		p->value = p->ids = NULL;
	}
	return err;
}
