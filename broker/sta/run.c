/* run.c - from a query to its answer; see run.h. */
#include "sta/run.h"

#include "base/err.h"
#include "sta/render.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char JSON_TYPE[] = "application/json";

int run_fail(struct run *run, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(run->error, 200, fmt, ap);
	va_end(ap);
	return err;
}

/* ---- along the path ---- */

static int keep_id(void *arg, int64_t id, json_t *entity UNUSED, struct span token UNUSED)
{
	int64_t *want = arg;
	if (id != want[0])
		return 0;
	want[1] = 1;
	return 1;
}

/* Whether the relation of entity id leads to other. */
static int is_related(struct run *run, const struct sta_relation *r, int64_t id, int64_t other)
{
	const struct sta_source *s = run->r->source;
	struct sta_list l = {
	    .type = r->to, .relation = r, .id = id, .from_ms = INT64_MIN, .to_ms = INT64_MAX};
	int64_t want[2] = {other, 0};
	const struct sta_relation *back;
	for (unsigned i = 0; (back = sta_relation_at(r->to, i)); i++) {
		int64_t from;
		if (back->to != r->from || back->many)
			continue;
		int err = s->one(s->arg, back, other, &from); /* cheaper than a walk */
		return err ? err : from == id ? 0 : ERR_NOT_FOUND;
	}
	int rc = s->walk(s->arg, &l, keep_id, want);
	return rc < 0 ? rc : want[1] ? 0 : ERR_NOT_FOUND;
}

/* Goes along all steps but a last one to many: *ret_id is the entity before it. */
static int follow(struct run *run, int64_t *ret_id)
{
	const struct sta_query *q = run->r->q;
	const struct sta_source *s = run->r->source;
	int64_t id = 0;
	for (unsigned i = 0; i < q->n_steps; i++) {
		const struct sta_step *step = &q->step[i];
		int err = 0;
		if (step->relation && !step->relation->many) {
			err = s->one(s->arg, step->relation, id, &id);
		} else if (step->has_id) {
			if (step->relation)
				err = is_related(run, step->relation, id, step->id);
			id = step->id;
		}
		if (err)
			return err;
		if (q->many && i + 2 == q->n_steps) { /* else its set would be empty, not missing */
			json_t *entity = NULL;
			err = s->get(s->arg, step->type, id, &entity);
			json_decref(entity);
			if (err)
				return err;
		}
	}
	*ret_id = id;
	return 0;
}

/* ---- a set ---- */

/* Percent-encoded text as it came. */
static void write_as_it_came(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%' || s.p[i] == '+')
			buf_add_char(b, s.p[i]);
		else
			write_encoded(b, span_of(s.p + i, 1));
}

/* The request's own options without $skip and $skiptoken, each with a & behind it. */
static void add_own_options(struct buf *b, struct span all)
{
	while (all.n) {
		const char *amp = memchr(all.p, '&', all.n);
		size_t n = amp ? (size_t)(amp - all.p) : all.n;
		struct span one = span_of(all.p, n);
		bool skip = (n >= 5 && memcmp(one.p, "$skip", 5) == 0) ||
		            (n >= 7 && strncasecmp(one.p, "%24skip", 7) == 0);
		if (n && !skip) {
			write_as_it_came(b, one);
			buf_add_char(b, '&');
		}
		all = amp ? span_of(amp + 1, all.n - n - 1) : (struct span){0};
	}
}

static void write_set(struct run *run, const struct page *p, const json_t *value, struct buf *out)
{
	const struct sta_request *r = run->r;
	buf_add_char(out, '{');
	if (p->counted)
		buf_addf(out, "\"@iot.count\":%llu,", (unsigned long long)p->count);
	if (p->more && p->next[0]) {
		buf_addf(out, "\"@iot.nextLink\":\"%s", r->root);
		write_as_it_came(out, r->path);
		buf_add_char(out, '?');
		add_own_options(out, r->options);
		buf_addf(out, "$skiptoken=%s\",", p->next);
	}
	buf_add_str(out, "\"value\":");
	write_json(out, value);
	buf_add_char(out, '}');
}

static int run_set(struct run *run, int64_t id, struct buf *out, const char **ret_type)
{
	const struct sta_query *q = run->r->q;
	const struct sta_step *last = &q->step[q->n_steps - 1];
	struct page p = {.list = {.type = last->type,
	                          .relation = last->relation,
	                          .id = id,
	                          .from_ms = INT64_MIN,
	                          .to_ms = INT64_MAX},
	                 .o = &q->options,
	                 .token = q->cursor,
	                 .refs = q->what == STA_WHAT_REF};
	if (q->format == STA_DATA_ARRAY && last->type != STA_OBSERVATION)
		return run_fail(run, ERR_MALFORMED, "$resultFormat=dataArray is for Observations");
	int err = page_run(run, &p);
	json_t *other = NULL;
	if (!err && q->format == STA_DATA_ARRAY)
		err = format_data_array(run, &p, &other);
	else if (!err && q->format == STA_GEOJSON)
		err = format_geojson(run, &p, &other);
	if (!err && q->format == STA_GEOJSON) {
		*ret_type = "application/geo+json";
		write_json(out, other);
	} else if (!err) {
		write_set(run, &p, other ? other : p.value, out);
	}
	json_decref(other);
	json_decref(p.value);
	json_decref(p.ids);
	return err;
}

/* ---- one entity ---- */

static void write_bare(struct buf *out, const json_t *v)
{
	if (json_is_string(v))
		buf_add(out, json_string_value(v), json_string_length(v));
	else
		write_json(out, v);
}

/* The last name; with places in a list as they were written: result[0]. */
static struct span name_in_answer(const struct span *name, unsigned n)
{
	const char *end = name[n - 1].p + name[n - 1].n;
	bool placed = n > 1 && name[n - 1].p[-1] == '[';
	while (n > 1 && name[n - 1].p[-1] == '[')
		n--;
	return span_of(name[n - 1].p, (size_t)(end + placed - name[n - 1].p));
}

static int run_property(struct run *run, int64_t id, json_t *entity, struct buf *out,
                        const char **ret_type)
{
	const struct sta_query *q = run->r->q;
	const struct span *name = &q->name[q->property];
	json_t *own = json_integer(id), *v = entity;
	for (unsigned i = 0; i < q->n_property; i++) {
		bool is_id = i == 0 && (span_is(name[0], "id") || span_is(name[0], "@iot.id"));
		v = is_id ? own : sta_value_below(v, name[i]);
	}
	if (v && q->what == STA_WHAT_VALUE) {
		*ret_type =
		    json_is_object(v) || json_is_array(v) ? JSON_TYPE : "text/plain; charset=utf-8";
		write_bare(out, v);
	} else if (v) {
		buf_add_char(out, '{');
		json_write_string(out, name_in_answer(name, q->n_property));
		buf_add_char(out, ':');
		write_json(out, v);
		buf_add_char(out, '}');
	}
	json_decref(own);
	return v || q->n_property == 1 ? 0 : ERR_NOT_FOUND;
}

static int run_one(struct run *run, int64_t id, struct buf *out, const char **ret_type)
{
	const struct sta_query *q = run->r->q;
	const struct sta_source *s = run->r->source;
	json_t *entity = NULL, *j;
	int err = s->get(s->arg, sta_query_type(q), id, &entity);
	if (err)
		return err;
	if (q->what == STA_WHAT_PROPERTY || q->what == STA_WHAT_VALUE) {
		err = run_property(run, id, entity, out, ret_type);
	} else {
		j = render_entity(run, &q->options, id, entity, q->what == STA_WHAT_REF);
		err = j ? 0 : run->err;
		write_json(out, j);
		json_decref(j);
	}
	json_decref(entity);
	return err;
}

/* A literal that is no geometry would meet nothing without a word. */
static int check_geometries(struct run *run)
{
	const struct sta_query *q = run->r->q;
	for (unsigned i = 0; i < q->n_node; i++) {
		struct span t = q->node[i].text;
		if (q->node[i].op == STA_GEOMETRY && !sta_geo_reads(run->eval.geo, t))
			return run_fail(run, ERR_MALFORMED, "geography'%.*s' is not WKT",
			                (int)MIN_OF(t.n, (size_t)80), t.p);
	}
	return 0;
}

static struct run *run_new(const struct sta_request *r, char error[200])
{
	struct run *run = calloc(1, sizeof(*run));
	if (!run)
		return NULL;
	*run = (struct run){.r = r, .error = error};
	run->eval.q = r->q;
	run->eval.source = r->source;
	run->eval.now_ms = r->now_ms;
	run->eval.geo = sta_geo_new();
	error[0] = '\0';
	return run;
}

static void run_free(struct run *run)
{
	sta_geo_free(run->eval.geo);
	free(run);
}

int sta_run(const struct sta_request *r, struct buf *out, const char **ret_type, char error[200])
{
	const struct sta_query *q = r->q;
	struct run *run = run_new(r, error);
	int64_t id = 0;
	if (!run)
		return ERR_AGAIN;
	*ret_type = JSON_TYPE;
	int err = check_geometries(run);
	if (!err)
		err = follow(run, &id);
	if (!err)
		err = q->many ? run_set(run, id, out, ret_type) : run_one(run, id, out, ret_type);
	if (!err && out->err)
		err =
		    run_fail(run, ERR_TOO_LARGE, "the answer is too large; ask for less with $top");
	run_free(run);
	return err;
}

int sta_run_entity(const struct sta_request *r, int64_t id, struct buf *out)
{
	char error[200];
	const char *type;
	struct run *run = run_new(r, error);
	json_t *entity = NULL;
	if (!run)
		return ERR_AGAIN;
	enum sta_type t = sta_query_type(r->q);
	uint16_t filter = r->q->options.filter;
	int err = filter == STA_NO_NODE ? 0 : r->source->get(r->source->arg, t, id, &entity);
	if (!err && entity && !sta_eval_true(&run->eval, filter, t, id, entity))
		err = ERR_NOT_FOUND;
	err = err ? err : run->eval.err;
	json_decref(entity);
	if (!err)
		err = run_one(run, id, out, &type);
	if (!err && out->err)
		err = ERR_TOO_LARGE;
	run_free(run);
	return err;
}

int sta_path_end(const struct sta_request *r, int64_t *ret_id)
{
	struct run run = {.r = r};
	return r->q->many ? ERR_NOT_FOUND : follow(&run, ret_id);
}

int sta_path_leads_to(const struct sta_request *r, int64_t id)
{
	struct run run = {.r = r};
	const struct sta_step *last = &r->q->step[r->q->n_steps - 1];
	int64_t at;
	int err = follow(&run, &at);
	if (err)
		return err;
	if (!r->q->many)
		return at == id ? 0 : ERR_NOT_FOUND;
	return last->relation ? is_related(&run, last->relation, at, id) : 0;
}
