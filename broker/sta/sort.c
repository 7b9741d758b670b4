/* sort.c - a page of a set in an order that the source does not walk in; see page.c. */
#include "base/err.h"
#include "base/mem.h"
#include "sta/render.h"

#include <stdlib.h>

struct key {
	struct sta_value v;
	char text[LIMIT_STA_KEY_BYTES];
};

struct item { /* allocated with as many keys as the order has */
	int64_t id;
	json_t *entity;
	const struct sta_options *o; /* for the comparison */
	struct key key[];
};

struct sorting {
	struct run *run;
	struct page *p;
	struct item **item;
	size_t n, keep;    /* the best keep are kept; there is room for twice as many */
	bool dropped;      /* there were more */
	struct item *from; /* the former page's last, or NULL */
};

static int compare(const struct item *x, const struct item *y)
{
	for (unsigned i = 0; i < x->o->n_order; i++) {
		int c = sta_value_compare(&x->key[i].v, &y->key[i].v);
		if (c)
			return x->o->order[i].descending ? -c : c;
	}
	return (x->id > y->id) - (x->id < y->id);
}

static int by_order(const void *a, const void *b)
{
	return compare(*(struct item *const *)a, *(struct item *const *)b);
}

static struct item *item_new(const struct sta_options *o, int64_t id, json_t *entity)
{
	struct item *it = xcalloc(1, sizeof(*it) + o->n_order * sizeof(it->key[0]));
	it->id = id;
	it->o = o;
	it->entity = entity ? json_incref(entity) : NULL;
	return it;
}

static void item_free(struct item *it)
{
	if (it)
		json_decref(it->entity);
	free(it);
}

static void set_key(struct key *k, struct sta_value v)
{
	if (v.kind == STA_V_STRING)
		(void)sta_value_as_time(&v); /* times are ordered as times */
	if (v.kind == STA_V_STRING || v.kind == STA_V_WKT) {
		v.text.n = MIN_OF(v.text.n, sizeof(k->text));
		memcpy(k->text, v.text.p, v.text.n);
		v.text.p = k->text;
	}
	k->v = v;
}

static void keep_best(struct sorting *s)
{
	qsort(s->item, s->n, sizeof(struct item *), by_order);
	for (; s->n > s->keep; s->dropped = true)
		item_free(s->item[--s->n]);
}

static int sorted_one(void *arg, int64_t id, json_t *entity, struct span token UNUSED)
{
	struct sorting *s = arg;
	struct run *run = s->run;
	const struct sta_options *o = s->p->o;
	if (++run->examined > LIMIT_STA_EXAMINED)
		return 1;
	if (!page_fits(run, s->p, id, entity))
		return run->eval.err != 0;
	struct item *it = item_new(o, id, entity);
	for (unsigned i = 0; i < o->n_order; i++)
		set_key(&it->key[i],
		        sta_eval_value(&run->eval, o->order[i].node, s->p->list.type, id, entity));
	if (run->eval.err || (s->from && compare(it, s->from) <= 0)) {
		item_free(it);
		return run->eval.err != 0;
	}
	if (s->n == 2 * s->keep)
		keep_best(s);
	s->item[s->n++] = it;
	return 0;
}

/* ---- the place of the last entity: id, then kind, two numbers and a text for each key ---- */

enum { FROM_BYTES = 8 + LIMIT_STA_ORDERS * (1 + 16 + 1 + LIMIT_STA_KEY_BYTES) };

static void write_from(const struct item *it, char *out)
{
	char bytes[FROM_BYTES], *p = bytes;
	p = mempcpy(p, &it->id, 8);
	for (unsigned i = 0; i < it->o->n_order; i++) {
		const struct sta_value *v = &it->key[i].v;
		int64_t first = v->kind == STA_V_BOOL ? v->truth : v->ms;
		bool text = v->kind == STA_V_STRING || v->kind == STA_V_WKT;
		*p++ = (char)v->kind;
		p = v->kind == STA_V_NUMBER ? mempcpy(p, &v->number, 8) : mempcpy(p, &first, 8);
		p = mempcpy(p, &v->end_ms, 8);
		*p++ = (char)(text ? v->text.n : 0);
		if (text)
			p = mempcpy(p, v->text.p, v->text.n);
	}
	token_write('s', span_of(bytes, (size_t)(p - bytes)), out);
}

static struct item *read_from(const struct sta_options *o, struct span token)
{
	char bytes[FROM_BYTES];
	size_t n, at = 8;
	if (token_read('s', token, bytes, sizeof(bytes), &n) || n < at)
		return NULL;
	struct item *it = item_new(o, 0, NULL);
	memcpy(&it->id, bytes, 8);
	for (unsigned i = 0; i < o->n_order; i++) {
		struct sta_value *v = &it->key[i].v;
		if (n - at < 18 || (unsigned char)bytes[at] > STA_V_JSON)
			goto wrong;
		v->kind = (enum sta_kind)bytes[at];
		memcpy(&v->number, bytes + at + 1, 8);
		memcpy(&v->ms, bytes + at + 1, 8);
		memcpy(&v->end_ms, bytes + at + 9, 8);
		v->truth = v->ms != 0;
		v->text = span_of(it->key[i].text, (unsigned char)bytes[at + 17]);
		at += 18;
		if (v->text.n > n - at || v->text.n > LIMIT_STA_KEY_BYTES)
			goto wrong;
		memcpy(it->key[i].text, bytes + at, v->text.n);
		at += v->text.n;
	}
	if (at == n)
		return it;
wrong:
	item_free(it);
	return NULL;
}

/* ---- the page ---- */

static int take_sorted(struct sorting *s, uint64_t skip)
{
	int err = 0;
	size_t last = 0;
	for (size_t i = (size_t)skip; !err && i < s->n; i++) {
		if (s->run->entities >= LIMIT_STA_ENTITIES) {
			s->dropped = true;
			break;
		}
		err = page_take(s->run, s->p, s->item[i]->id, s->item[i]->entity);
		last = i;
	}
	s->p->more = s->dropped && s->n > skip;
	if (s->p->more)
		write_from(s->item[last], s->p->next);
	return err;
}

int sort_page(struct run *run, struct page *p)
{
	const struct sta_source *source = run->r->source;
	uint64_t skip = p->token.n ? 0 : p->o->skip;
	struct sta_list l = p->list;
	struct sorting s = {.run = run, .p = p};
	int err = 0;
	if (skip > LIMIT_STA_SKIP)
		return run_fail(run, ERR_TOO_LARGE,
		                "a sorted set is skipped by at most %d; follow @iot.nextLink",
		                LIMIT_STA_SKIP);
	s.keep = (size_t)skip + page_top(p->o);
	if (s.keep == 0 || page_top(p->o) == 0)
		return 0;
	if (p->token.n) {
		s.from = read_from(p->o, p->token);
		if (!s.from)
			return run_fail(run, ERR_MALFORMED, "this $skiptoken is none of ours");
	}
	s.item = xcalloc(2 * s.keep, sizeof(struct item *));
	int rc = source->walk(source->arg, &l, sorted_one, &s);
	if (run->eval.err)
		err = page_eval_error(run);
	else if (rc == 1)
		err = run_fail(run, ERR_TOO_LARGE,
		               "sorting looks at more than %d entities; narrow $filter or leave "
		               "$orderby out",
		               LIMIT_STA_EXAMINED);
	else
		err = rc;
	keep_best(&s);
	if (!err)
		err = take_sorted(&s, skip);
	for (size_t i = 0; i < s.n; i++)
		item_free(s.item[i]);
	item_free(s.from);
	free(s.item);
	return err;
}
