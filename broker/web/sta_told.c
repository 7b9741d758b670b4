/* sta_told.c - answers to POST of Observations. */
#include "web/sta_multi.h"
#include "web/sta_rows.h"
#include "json/write.h"

#include <stdio.h>

static int64_t id_of(const struct rows *s, const struct row *w)
{
	return sta_sides_id(&(struct sta_sides){.of = s->find.one[w->stream].of}, w->o.ms);
}

static void link_of(const struct rows *s, const struct row *w, char *out, size_t size)
{
	const struct sta_found *x = &s->find.one[w->stream];
	int64_t id = id_of(s, w);
	if (id)
		sta_link(s->r, STA_OBSERVATION, id, out, size);
	else
		sta_link(s->r, x->type, x->id, out, size);
}

static void answer_refused(struct rows *s, const struct row *w)
{
	struct req *r = s->r;
	const char *schema = w->parts ? w->parts : "sensorthings/1.1",
	           *pointer = w->parts ? schema + strlen(schema) + 1 : w->o.pointer,
	           *rule = w->parts ? pointer + strlen(pointer) + 1 : w->code;
	struct buf *b = &r->out;
	buf_clear(b);
	buf_addf(b, "{\"status\":%d,\"title\":\"%s\",\"code\":\"%s\",\"detail\":", w->status,
	         status_title(w->status), w->code);
	json_write_string(b, span_str(w->reason));
	buf_add_str(b, ",\"errors\":[{\"detail\":");
	json_write_string(b, span_str(w->reason));
	json_write_name(b, "pointer");
	json_write_string(b, span_str(pointer));
	json_write_name(b, "rule");
	json_write_string(b, span_str(rule));
	json_write_name(b, "schema");
	json_write_string(b, span_str(schema));
	buf_add_str(b, "}]}");
	respond(r, w->status, "application/problem+json");
}

static void answer_one(struct rows *s)
{
	struct req *r = s->r;
	const struct row *w = &s->row[0];
	char link[300];
	if (w->status >= 300) {
		answer_refused(s, w);
		return;
	}
	link_of(s, w, link, sizeof(link));
	respond_header(r, "Location:", link);
	buf_addf(&r->out, "{\"@iot.id\":%lld,\"@iot.selfLink\":", (long long)id_of(s, w));
	json_write_string(&r->out, span_str(link));
	buf_addf(&r->out, ",\"sequence\":%llu}", (unsigned long long)w->sequence);
	respond(r, w->status, "application/json"); /* 201, or 200: it was there */
}

static void answer_many(struct rows *s)
{
	struct req *r = s->r;
	char link[300];
	bool all = true;
	buf_add_char(&r->out, '[');
	for (size_t i = 0; i < s->n; i++) {
		const struct row *w = &s->row[i];
		if (i)
			buf_add_char(&r->out, ',');
		if (w->status < 300) {
			link_of(s, w, link, sizeof(link));
			json_write_string(&r->out, span_str(link));
			continue;
		}
		all = all && w->status != 507;
		buf_clear(&s->text);
		buf_addf(&s->text, "error: %s: %s%s%s", w->code, w->o.pointer,
		         w->o.pointer[0] ? ": " : "", w->reason);
		json_write_string(&r->out, span_str(buf_str(&s->text)));
	}
	buf_add_char(&r->out, ']');
	respond(r, all ? 201 : 507, "application/json");
}

/* The first that is refused; NULL: none. */
static const struct row *first_refused(const struct rows *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->row[i].status >= 300)
			return &s->row[i];
	return NULL;
}

static void answer_inline(struct rows *s)
{
	size_t bad = 0;
	const struct row *first = first_refused(s);
	for (size_t i = 0; i < s->n; i++)
		bad += s->row[i].status >= 300;
	if (!first) {
		sta_answer_entity(s->r, 201, s->made_type, s->made);
		return;
	}
	char link[300];
	sta_link(s->r, s->made_type, s->made, link, sizeof(link));
	respond_header(s->r, "Location:", link);
	sta_refuse(s->r, first->status, first->code, "",
	           "%s(%lld) was made, but %zu of its %zu Observations were refused: %s",
	           sta_set_name(s->made_type), (long long)s->made, bad, s->n, first->reason);
}

/* Those that admission refused, it has counted. */
static void count_refused(const struct rows *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct row *w = &s->row[i];
		const struct sta_found *x = s->find.one ? &s->find.one[w->stream] : NULL;
		if (w->status < 400 || w->by_admission || !x)
			continue;
		sta_count_refusal(s->r, hub_feed(s->r->web->hub, span_str(x->feed)), x->of_thing,
		                  w->status, w->code, w->reason);
	}
}

void rows_answer(struct rows *s)
{
	count_refused(s);
	const struct row *bad = s->r->group ? first_refused(s) : NULL;
	if (bad)
		answer_refused(s, bad);
	else if (s->kind == ROWS_ONE)
		answer_one(s);
	else if (s->kind == ROWS_MANY)
		answer_many(s);
	else
		answer_inline(s);
}
