/* distinct.c - $select=distinct:properties/type: each choice once, over all of a set, in the order
 * in which the walk meets them. It is an extension of other servers. One answer has them all, at
 * most LIMIT_STA_PAGE: a second page could not know what the first one had. */
#include "base/err.h"
#include "sta/render.h"

#include <stdlib.h>

struct distinct {
	struct run *run;
	struct page *p;
	json_t *seen; /* what was met, as text: names of an object */
};

static int distinct_one(void *arg, int64_t id, json_t *entity, struct span token UNUSED)
{
	struct distinct *d = arg;
	struct run *run = d->run;
	struct page *p = d->p;
	if (++run->examined > LIMIT_STA_EXAMINED)
		return 1;
	if (!page_fits(run, p, id, entity))
		return run->eval.err != 0;
	json_t *row = render_entity(run, p->o, id, entity, false);
	char *text = row ? json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (!text) {
		run->err = run->err ? run->err : ERR_AGAIN;
	} else if (json_object_get(d->seen, text)) {
		/* met before */
	} else if (json_array_size(p->value) == LIMIT_STA_PAGE) {
		run->err = run_fail(run, ERR_TOO_LARGE,
		                    "there are more than %d different ones: narrow $filter",
		                    LIMIT_STA_PAGE);
	} else {
		json_object_set_new(d->seen, text, json_true());
		json_array_append(p->value, row);
		json_array_append_new(p->ids, json_integer(id));
		run->entities++;
	}
	free(text);
	json_decref(row);
	return run->err != 0;
}

int distinct_page(struct run *run, struct page *p)
{
	const struct sta_source *s = run->r->source;
	const struct sta_options *o = p->o;
	struct distinct d = {run, p, json_object()};
	if (o->n_order || o->has_top || o->has_skip || p->token.n ||
	    run->r->q->format != STA_JSON) {
		json_decref(d.seen);
		return run_fail(run, ERR_MALFORMED,
		                "with distinct go $filter, $count and $expand alone");
	}
	int rc = s->walk(s->arg, &p->list, distinct_one, &d);
	json_decref(d.seen);
	if (run->eval.err)
		return page_eval_error(run);
	if (run->err)
		return run->err;
	if (rc == 1)
		return run_fail(run, ERR_TOO_LARGE,
		                "this looks at more than %d entities; narrow $filter",
		                LIMIT_STA_EXAMINED);
	p->counted = o->count;
	p->count = json_array_size(p->value);
	return rc;
}
