/* sta_write.c - writing over SensorThings: which request is what, and how refusals look. */
#include "web/sta_group.h"

#include "access/audit.h"
#include "base/err.h"
#include "base/mem.h"
#include "ingest/refusals.h"
#include "schema/senml.h"
#include "sta/run.h"
#include "json/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char ROOT[] = "/sta/v1.1";

/* ---- refusals: as /v1 says them, with a code ---- */

static void write_fault(struct buf *b, const char *code, const char *pointer, const char *detail)
{
	const char *const parts[][2] = {{"detail", detail},
	                                {"pointer", pointer},
	                                {"rule", code},
	                                {"schema", "sensorthings/1.1"}};
	buf_add_char(b, '{');
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		json_write_name(b, parts[i][0]);
		json_write_string(b, span_str(parts[i][1]));
	}
	buf_add_char(b, '}');
}

static void begin_problem(struct req *r, int status, const char *code, const char *detail)
{
	struct buf *b = &r->out;
	buf_clear(b);
	buf_addf(b, "{\"status\":%d,\"title\":\"%s\",\"code\":\"%s\",\"detail\":", status,
	         status_title(status), code);
	json_write_string(b, span_str(detail));
	buf_add_str(b, ",\"errors\":[");
}

void sta_count_refusal(struct req *r, const struct feed *f, const char *thing, int status,
                       const char *code, const char *reason)
{
	enum refusal_kind kind = status == 403                    ? REFUSAL_DENIED
	                         : status == 409                  ? REFUSAL_CONFLICT
	                         : status == 413 || status == 429 ? REFUSAL_LIMIT
	                                                          : REFUSAL_UNFIT;
	if (status < 500)
		refusals_count(ingest_refusals(r->web->ingest), &r->who, f, span_str(thing), kind,
		               code, reason, clock_wall_ms(hub_clock(r->web->hub)));
}

void sta_refuse(struct req *r, int status, const char *code, const char *pointer, const char *fmt,
                ...)
{
	char detail[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	begin_problem(r, status, code, detail);
	sta_count_refusal(r, NULL, "", status, code, detail);
	write_fault(&r->out, code, pointer, detail);
	buf_add_str(&r->out, "]}");
	respond(r, status, "application/problem+json");
}

void sta_refuse_faults(struct req *r, const struct sta_faults *f)
{
	begin_problem(r, 400, f->one[0].code, f->one[0].detail);
	sta_count_refusal(r, NULL, "", 400, f->one[0].code, f->one[0].detail);
	for (unsigned i = 0; i < f->n; i++) {
		if (i)
			buf_add_char(&r->out, ',');
		write_fault(&r->out, f->one[i].code, f->one[i].pointer, f->one[i].detail);
	}
	buf_add_str(&r->out, "]}");
	respond(r, 400, "application/problem+json");
}

/* ---- what the verbs share ---- */

/* The path and what it ends in. False: answered. q is the caller's, large: not on the stack. */
static bool sta_read_path(struct req *r, struct sta_query *q)
{
	struct buf path;
	buf_init(&path, 4 * PATH_BYTES);
	write_encoded(&path, span_str(r->path + strlen(ROOT)));
	int err = sta_query_read(q, span_of(path.p, path.len), (struct span){0});
	buf_done(&path);
	if (err)
		sta_refuse(r, 404, "path", "", "%s", q->error);
	return !err;
}

void sta_link(const struct req *r, enum sta_type t, int64_t id, char *out, size_t size)
{
	snprintf(out, size, "%s%s/%s(%lld)", r->web->base_url, ROOT, sta_set_name(t),
	         (long long)id);
}

struct entities_change *sta_begin(struct req *r)
{
	return r->group ? sta_group_change(r->group)
	                : entities_begin(r->web->entities, r->who.name);
}

void sta_abort(struct req *r, struct entities_change *c)
{
	if (c && !r->group)
		entities_abort(c);
}

const struct entity *sta_entity_now(const struct req *r, enum sta_type t, int64_t id)
{
	const struct entities_change *c = r->group ? sta_group_change(r->group) : NULL;
	const struct entity *x = c ? entities_pending(c, t, id) : NULL;
	if (c && entities_goes(c, t, id))
		return NULL;
	return x ? x : entities_get(r->web->entities, t, id);
}

void sta_commit(struct req *r, struct entities_change *c, void (*done)(void *r, int err))
{
	if (r->group) { /* it commits when all are there */
		r->pending++;
		done(r, 0);
	} else if (entities_commit(c, done, r))
		sta_refuse(r, 503, "busy", "", "the store is busy: send it again");
	else
		r->pending++;
}

bool sta_committed(struct req *r, int err)
{
	r->pending--;
	if (!r->wsi) {
		req_release(r);
		return false;
	}
	if (err)
		sta_refuse(r, 507, "store-full", "", "%s", post_full);
	return !err;
}

void sta_audit(struct req *r, const char *action, enum sta_type t, int64_t id)
{
	char origin[64], object[80];
	if (!r->web->access)
		return;
	if (r->group) {
		sta_group_audit(r->group, action, t, id);
		return;
	}
	req_origin(r, origin);
	snprintf(object, sizeof(object), "%s(%lld)", sta_set_name(t), (long long)id);
	audit_line(access_audit(r->web->access), action, object, "done", origin, r->who.name,
	           span_str(r->who.organisation));
}

bool sta_allows(struct req *r, const struct feed *f, bool derived, const char *thing)
{
	if (!access_check(&r->who, derived ? ACCESS_ADMIN : ACCESS_PUBLISH, f, span_str(thing)))
		return true;
	req_audit(r, "use", f, "refused");
	sta_refuse(r, 403, "denied", "",
	           derived ? "what came to be from data is changed by who administers feed %.*s"
	                   : "writing here needs the right to publish to feed %.*s, for this thing",
	           (int)f->name.n, f->name.p);
	return false;
}

struct feed *sta_may_write(struct req *r, const struct sta_found *x, bool derived)
{
	struct feed *f = x->feed[0] ? hub_feed(r->web->hub, span_str(x->feed)) : NULL;
	if (!f) {
		sta_refuse(r, 409, "no-feed", "",
		           "%s(%lld) belongs to no feed that is configured: it cannot be changed",
		           sta_set_name(x->type), (long long)x->id);
		return NULL;
	}
	return sta_allows(r, f, derived, x->of_thing) ? f : NULL;
}

void sta_answer_entity(struct req *r, int status, enum sta_type t, int64_t id)
{
	char link[300];
	sta_link(r, t, id, link, sizeof(link));
	if (status == 201)
		respond_header(r, "Location:", link);
	buf_addf(&r->out, "{\"@iot.id\":%lld,\"@iot.selfLink\":", (long long)id);
	json_write_string(&r->out, span_str(link));
	const struct entity *x = sta_entity_now(r, t, id);
	if (x && !x->deleted && strlen(x->text) > 2) {
		buf_add_char(&r->out, ',');
		buf_add_str(&r->out, x->text + 1);
	} else {
		buf_add_char(&r->out, '}');
	}
	respond(r, status, "application/json");
}

bool sta_unit(const char *symbol, const char *uri, char out[64])
{
	static const char *const others[][2] = {
	    {"\xc2\xb0"
	     "C",
	     "Cel"},
	    {"degC", "Cel"},
	    {"degF", "[degF]"},
	    {"\xc2\xb0"
	     "F",
	     "[degF]"},
	    {"\xc2\xb0", "deg"},
	    {"\xc2\xb5g/m\xc2\xb3", "ug/m3"},
	    {"\xce\xbcg/m\xc2\xb3", "ug/m3"},
	    {"m\xc2\xb3", "m3"},
	    {"m\xc2\xb2", "m2"},
	};
	bool same = false;
	const char *code = symbol;
	out[0] = '\0';
	if (uri && strncmp(uri, "ucum:", 5) == 0)
		code = uri + 5;
	if (!code || !*code)
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(code, others[i][0]) == 0)
			code = others[i][1];
	const char *ucum = strlen(code) < 64 ? senml_unit(span_str(code), &same) : NULL;
	if (ucum)
		snprintf(out, 64, "%s", same ? code : ucum);
	return ucum != NULL;
}

/* ---- which request is what ---- */

static const char *below(const struct req *r)
{
	const char *p = r->path + strlen(ROOT);
	return *p == '/' ? p + 1 : p;
}

static bool is_possible(struct req *r)
{
	if (!r->web->series || !r->web->entities) {
		problem(r, 404, "there is no time series here");
		return false;
	}
	const char *why = "";
	if (!r->web->ops.ready(r->web->ops.arg, &why)) {
		problem(r, hub_full(r->web->hub) ? 507 : 503, "%s", why);
		return false;
	}
	return true;
}

void post_sta(struct req *r)
{
	if (!is_possible(r))
		return;
	if (strcmp(below(r), "$batch") == 0) {
		sta_batch(r);
		return;
	}
	if (strcmp(below(r), "CreateObservations") == 0) {
		sta_rows(r);
		return;
	}
	struct sta_query *q = xcalloc(1, sizeof(*q));
	if (!sta_read_path(r, q))
		;
	else if (q->what != STA_WHAT_SET)
		sta_refuse(r, 405, "method", "",
		           "POST goes to a set: Things, or Things(1)/Datastreams");
	else if (q->n_steps > 1 && !q->step[q->n_steps - 2].has_id)
		sta_refuse(r, 400, "path", "",
		           "name the entity before the set by its number: Things(1)/Datastreams");
	else if (sta_query_type(q) == STA_OBSERVATION)
		sta_post(r, q);
	else
		sta_make(r, q);
	if (!r->own) /* else it has it */
		free(q);
}

struct sta_query *sta_parent_path(struct sta_query *q)
{
	if (q->n_steps > 2) {
		q->n_steps--;
		q->what = STA_WHAT_ENTITY;
		q->many = false;
		return q;
	}
	free(q);
	return NULL;
}

void change_sta(struct req *r)
{
	if (!is_possible(r))
		return;
	if (r->query.n) {
		sta_refuse(r, 400, "options", "",
		           "a change has no options: nothing stands behind '?'");
		return;
	}
	struct sta_query *q = xcalloc(1, sizeof(*q));
	if (sta_read_path(r, q)) {
		const struct sta_step *last = q->n_steps ? &q->step[q->n_steps - 1] : NULL;
		if (q->what != STA_WHAT_ENTITY || !last || !last->has_id)
			sta_refuse(r, 405, "method", "",
			           "one entity is changed, by its number: Things(1)");
		else if (last->type == STA_OBSERVATION)
			sta_amend(r, q);
		else
			sta_change(r, q);
		if (r->own)
			return; /* it has it */
	}
	free(q);
}
