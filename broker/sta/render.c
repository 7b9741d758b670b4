/* render.c - one entity as JSON: what is selected, its links, and what is expanded; see run.h. */
#include "sta/render.h"
#include "base/err.h"

#include <stdio.h>

enum { URL_BYTES = 600 };

void render_self(const struct run *run, enum sta_type t, int64_t id, char *out, size_t size)
{
	snprintf(out, size, "%s/%s(%lld)", run->r->root, sta_set_name(t), (long long)id);
}

static json_t *text(const char *s)
{
	return json_string(s);
}

/* ---- links to the next page of what is expanded ---- */

/* The options between the brackets of $expand as those of a query: ; between them becomes &, texts
 * and brackets stay whole. $skip is spent. */
static void add_options(struct buf *b, struct span s)
{
	size_t begin = 0;
	int depth = 0;
	bool quoted = false;
	for (size_t i = 0; i <= s.n; i++) {
		char c = i < s.n ? s.p[i] : ';';
		if (c == '\'')
			quoted = !quoted;
		else if (!quoted && c == '(')
			depth++;
		else if (!quoted && c == ')')
			depth--;
		if (c != ';' || (i < s.n && (quoted || depth)))
			continue;
		struct span one = span_of(s.p + begin, i - begin);
		begin = i + 1;
		while (one.n && *one.p == ' ')
			one = span_of(one.p + 1, one.n - 1);
		if (!one.n || (one.n > 6 && memcmp(one.p, "$skip=", 6) == 0))
			continue;
		const char *eq = memchr(one.p, '=', one.n);
		size_t n = eq ? (size_t)(eq - one.p) + 1 : 0;
		buf_add(b, one.p, n);
		write_encoded(b, span_of(one.p + n, one.n - n));
		buf_add_char(b, '&');
	}
}

static json_t *next_link(const struct run *run, const struct sta_expand *e, enum sta_type of,
                         int64_t id, const char *token)
{
	struct buf b;
	buf_init(&b, 4 * (size_t)LIMIT_STA_QUERY_BYTES);
	buf_addf(&b, "%s/%s(%lld)/%s?", run->r->root, sta_set_name(of), (long long)id,
	         e->relation->name);
	add_options(&b, e->options.text);
	buf_addf(&b, "$skiptoken=%s", token);
	json_t *j = b.err ? json_null() : json_stringn(b.p, b.len);
	buf_done(&b);
	return j;
}

/* ---- expanding ---- */

static int expand_many(struct run *run, const struct sta_expand *e, enum sta_type of, int64_t id,
                       json_t *out)
{
	char name[80];
	struct page p = {.list = {.type = e->relation->to,
	                          .relation = e->relation,
	                          .id = id,
	                          .from_ms = INT64_MIN,
	                          .to_ms = INT64_MAX},
	                 .o = &e->options};
	int err = page_run(run, &p);
	if (err)
		return err;
	if (p.counted) {
		snprintf(name, sizeof(name), "%s@iot.count", e->relation->name);
		json_object_set_new(out, name, json_integer((json_int_t)p.count));
	}
	json_decref(p.ids);
	json_object_set_new(out, e->relation->name, p.value);
	if (p.more && p.next[0]) {
		snprintf(name, sizeof(name), "%s@iot.nextLink", e->relation->name);
		json_object_set_new(out, name, next_link(run, e, of, id, p.next));
	}
	return 0;
}

static int expand_one(struct run *run, const struct sta_expand *e, int64_t id, json_t *out)
{
	const struct sta_source *s = run->r->source;
	int64_t other;
	json_t *entity = NULL;
	int err = s->one(s->arg, e->relation, id, &other);
	if (!err)
		err = s->get(s->arg, e->relation->to, other, &entity);
	if (err == ERR_NOT_FOUND) {
		json_object_set_new(out, e->relation->name, json_null());
		return 0;
	}
	if (err)
		return err;
	json_t *j = render_entity(run, &e->options, other, entity, false);
	json_decref(entity);
	if (!j)
		return run->err;
	run->entities++;
	json_object_set_new(out, e->relation->name, j);
	return 0;
}

static int expand(struct run *run, const struct sta_options *o, int64_t id, json_t *out)
{
	const struct sta_query *q = run->r->q;
	for (uint16_t i = o->first_expand; i != STA_NO_NODE; i = q->expand[i].next) {
		const struct sta_expand *e = &q->expand[i];
		int err = e->relation->many ? expand_many(run, e, o->of, id, out)
		                            : expand_one(run, e, id, out);
		if (err)
			return err;
	}
	return 0;
}

/* ---- the entity's own ---- */

static void add_link(const struct run *run, enum sta_type t, int64_t id,
                     const struct sta_relation *r, json_t *out)
{
	char name[80], url[URL_BYTES];
	int n = snprintf(url, sizeof(url), "%s/%s(%lld)/%s", run->r->root, sta_set_name(t),
	                 (long long)id, r->name);
	snprintf(name, sizeof(name), "%s@iot.navigationLink", r->name);
	if (n > 0 && (size_t)n < sizeof(url))
		json_object_set_new(out, name, text(url));
}

static void add_self(const struct run *run, enum sta_type t, int64_t id, json_t *out)
{
	char url[URL_BYTES];
	render_self(run, t, id, url, sizeof(url));
	json_object_set_new(out, "@iot.selfLink", text(url));
}

/* An Observation is one of a Datastream or of a MultiDatastream: then its result is a list. */
static bool is_multi(const struct run *run, int64_t id, const json_t *entity)
{
	const struct sta_source *s = run->r->source;
	const struct sta_relation *r = sta_find_relation(STA_OBSERVATION, SPAN("MultiDatastream"));
	int64_t other;
	return json_is_array(json_object_get(entity, "result")) &&
	       s->one(s->arg, r, id, &other) == 0;
}

static void add_all(const struct run *run, enum sta_type t, int64_t id, json_t *entity, json_t *out)
{
	json_object_set_new(out, "@iot.id", json_integer(id));
	add_self(run, t, id, out);
	json_object_update(out, entity);
	const struct sta_relation *r;
	enum sta_type not = t != STA_OBSERVATION        ? STA_TYPES
	                    : is_multi(run, id, entity) ? STA_DATASTREAM
	                                                : STA_MULTI_DATASTREAM;
	for (unsigned i = 0; (r = sta_relation_at(t, i)); i++)
		if (r->to != not )
			add_link(run, t, id, r, out);
}

/* One of $select: a property, what is below it, or a link. */
static void add_selected(const struct run *run, const struct sta_select *s, enum sta_type t,
                         int64_t id, json_t *entity, json_t *out)
{
	const struct span *name = &run->r->q->name[s->name];
	const struct sta_relation *r = sta_find_relation(t, name[0]);
	if (r) {
		add_link(run, t, id, r, out);
		return;
	}
	if (span_is(name[0], "id") || span_is(name[0], "@iot.id")) {
		json_object_set_new(out, "@iot.id", json_integer(id));
		return;
	}
	if (span_is(name[0], "@iot.selfLink")) {
		add_self(run, t, id, out);
		return;
	}
	json_t *from = entity, *to = out;
	for (unsigned i = 0; i < s->n_names; i++) {
		json_t *below = json_object_getn(from, name[i].p, name[i].n);
		if (!below)
			return;
		if (i + 1 == s->n_names) {
			json_object_setn(to, name[i].p, name[i].n, below);
			return;
		}
		json_t *made = json_object_getn(to, name[i].p, name[i].n);
		if (!json_is_object(made)) {
			made = json_object();
			json_object_setn_new(to, name[i].p, name[i].n, made);
		}
		from = below;
		to = made;
	}
}

json_t *render_entity(struct run *run, const struct sta_options *o, int64_t id, json_t *entity,
                      bool ref)
{
	json_t *out = json_object();
	if (ref) {
		add_self(run, o->of, id, out);
		return out;
	}
	if (!o->n_select)
		add_all(run, o->of, id, entity, out);
	for (unsigned i = 0; i < o->n_select; i++)
		add_selected(run, &run->r->q->select[o->select + i], o->of, id, entity, out);
	run->err = expand(run, o, id, out);
	if (run->err) {
		json_decref(out);
		return NULL;
	}
	return out;
}
