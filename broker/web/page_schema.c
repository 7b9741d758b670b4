/* page_schema.c - schemas in readable form, and a box to try a message: the verdict is the one that
 * a publisher gets. */
#include "web/pages.h"

#include "base/err.h"
#include "base/mem.h"
#include "web/form.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 256, DEPTH = 4 };

/* The string at token i of t, escapes resolved, as text of the page. False: it is none. */
static bool put_string(struct page *p, const struct json_tape *t, uint32_t i)
{
	struct buf text;
	if (!i || t->tok[i].type != JSON_STRING)
		return false;
	buf_init(&text, LIMIT_SCHEMA_BYTES);
	struct span raw = json_text(t, i);
	char *to = buf_room(&text, raw.n + 1);
	if (to)
		text.len += json_unescape(raw, to);
	html_span(&p->h, span_of(text.p, text.len));
	buf_done(&text);
	return true;
}

/* ---- all ---- */

/* Schemas speak English; for who reads Dutch the shared ones have a title here. */
static void title_of(struct page *p, const struct schema *s)
{
	struct json_tape t;
	size_t at;
	const char *why, *dutch = p->lang == DUTCH ? words_schema(span_str(schema_name(s))) : NULL;
	if (dutch) {
		html_text(&p->h, dutch);
		return;
	}
	json_tape_init(&t, LIMIT_JSON_TOKENS);
	uint32_t i =
	    json_parse(&t, schema_source(s), &at, &why) == 0 && t.tok[0].type == JSON_OBJECT
	        ? json_member(&t, 0, SPAN("title"))
	        : 0;
	if (!put_string(p, &t, i))
		html_text(&p->h, schema_name(s));
	json_tape_done(&t);
}

void get_schemas_page(struct req *r)
{
	struct page p;
	const struct catalog *c = hub_catalog(r->web->hub);
	if (!page_query(r, "lang"))
		return;
	page_begin(&p, r, "Schema's", "Schemas", NULL);
	html_element(
	    &p.h, "p", "lead",
	    say(&p,
	        "Een schema zegt hoe een bericht eruitziet: welke waarden erin staan, in "
	        "welke eenheid. Elk bericht wordt ermee vergeleken; wat niet past, wordt "
	        "geweigerd met de reden.",
	        "A schema says what a message looks like: which values it holds, in which "
	        "unit. Each message is compared with it; what does not fit is refused, with "
	        "the reason."));
	html_class(&p.h, "ul", "tiles");
	for (size_t i = 0; i < catalog_count(c); i++) {
		const struct schema *s = catalog_at(c, i);
		html_open(&p.h, "li");
		html_open(&p.h, "a");
		html_attr(&p.h, "href", page_url(&p, "/schemas/%s", schema_id(s)));
		html_open(&p.h, "b");
		title_of(&p, s);
		html_close(&p.h, "b");
		html_text(&p.h, " ");
		html_element(&p.h, "code", NULL, schema_id(s));
		html_close(&p.h, "a");
		html_close(&p.h, "li");
	}
	html_close(&p.h, "ul");
	page_end(&p);
}

/* ---- one ---- */

static const struct schema *find(struct req *r)
{
	char id[ID_BYTES];
	int n = snprintf(id, sizeof(id), "%.*s/%.*s", (int)r->param[0].n, r->param[0].p,
	                 (int)r->param[1].n, r->param[1].p);
	const struct schema *s =
	    n > 0 && (size_t)n < sizeof(id)
	        ? catalog_find(hub_catalog(r->web->hub), span_of(id, (size_t)n))
	        : NULL;
	if (!s)
		problem(r, 404, "there is no such schema");
	return s;
}

struct reader { /* of the schema's own text */
	struct page *p;
	struct json_tape t;
};

static void text_cell(struct reader *x, uint32_t i)
{
	html_open(&x->p->h, "td");
	html_attr(&x->p->h, "lang", "en");
	(void)put_string(x->p, &x->t, i);
	html_close(&x->p->h, "td");
}

static bool has(struct reader *x, uint32_t list, struct span name)
{
	if (!list || x->t.tok[list].type != JSON_ARRAY)
		return false;
	for (uint32_t i = list + 1; i < x->t.tok[list].next; i = x->t.tok[i].next)
		if (json_string_is(&x->t, i, name))
			return true;
	return false;
}

/* What a value must be, in few words: "0 – 1000", "één van: a, b". */
static void rule_cell(struct reader *x, uint32_t node)
{
	struct html *h = &x->p->h;
	struct json_tape *t = &x->t;
	const struct {
		const char *word, *sign;
	} bounds[] = {{"minimum", "≥ "}, {"exclusiveMinimum", "> "},
	              {"maximum", "≤ "}, {"exclusiveMaximum", "< "},
	              {"format", ""},    {"pattern", "~ "}};
	const char *between = "";
	html_open(h, "td");
	for (unsigned i = 0; i < ARRAY_LEN(bounds); i++) {
		uint32_t v = json_member(t, node, span_str(bounds[i].word));
		if (!v || t->tok[v].type < JSON_NUMBER || t->tok[v].type > JSON_STRING)
			continue;
		html_text(h, between);
		html_text(h, bounds[i].sign);
		html_span(h, json_text(t, v));
		between = ", ";
	}
	uint32_t words = json_member(t, node, SPAN("enum"));
	if (words && t->tok[words].type == JSON_ARRAY) {
		html_text(h, between);
		html_text(h, say(x->p, "één van: ", "one of: "));
		for (uint32_t i = words + 1; i < t->tok[words].next; i = t->tok[i].next) {
			if (i != words + 1)
				html_text(h, ", ");
			html_span(h, json_text(t, i));
		}
	}
	html_close(h, "td");
}

static void unit_cell(struct reader *x, uint32_t node)
{
	struct html *h = &x->p->h;
	uint32_t note = json_member(&x->t, node, SPAN("x-oudp"));
	uint32_t unit =
	    note && x->t.tok[note].type == JSON_OBJECT ? json_member(&x->t, note, SPAN("unit")) : 0;
	html_open(h, "td");
	if (unit && x->t.tok[unit].type == JSON_STRING) {
		struct buf b;
		buf_init(&b, 256);
		words_unit(&b, json_text(&x->t, unit));
		html_span(h, span_of(b.p, b.len));
		buf_done(&b);
	}
	html_close(h, "td");
}

static void members(struct reader *x, uint32_t node, const char *front, unsigned depth)
{
	struct json_tape *t = &x->t;
	struct html *h = &x->p->h;
	uint32_t properties = json_member(t, node, SPAN("properties")),
	         required = json_member(t, node, SPAN("required"));
	if (!properties || t->tok[properties].type != JSON_OBJECT)
		return;
	for (uint32_t i = properties + 1; i < t->tok[properties].next;) {
		struct span name = json_text(t, i);
		uint32_t v = i + 1;
		i = t->tok[v].next;
		if (t->tok[v].type != JSON_OBJECT)
			continue;
		html_open(h, "tr");
		html_open(h, "th");
		html_attr(h, "scope", "row");
		html_open(h, "code");
		html_text(h, front);
		html_span(h, name);
		html_close(h, "code");
		if (words_is_member(name)) {
			html_open(h, "small");
			page_member(x->p, name);
			html_close(h, "small");
		}
		if (has(x, required, name)) {
			html_text(h, " ");
			html_element(h, "span", "badge", say(x->p, "verplicht", "required"));
		}
		html_close(h, "th");
		unit_cell(x, v);
		rule_cell(x, v);
		text_cell(x, json_member(t, v, SPAN("description")));
		html_close(h, "tr");
		char deeper[128];
		int n = snprintf(deeper, sizeof(deeper), "%s%.*s/", front, (int)name.n, name.p);
		if (depth && n > 0 && (size_t)n < sizeof(deeper))
			members(x, v, deeper, depth - 1);
	}
}

static void member_table(struct reader *x)
{
	static const char *const heads[][2] = {{"Naam", "Name"},
	                                       {"Eenheid", "Unit"},
	                                       {"Moet zijn", "Must be"},
	                                       {"Wat het is", "What it is"}};
	struct html *h = &x->p->h;
	html_class(h, "div", "scroll");
	html_attr(h, "tabindex", "0");
	html_attr(h, "role", "region");
	html_attr(h, "aria-label", say(x->p, "Onderdelen van een bericht", "Members of a message"));
	html_class(h, "table", "schema");
	html_open(h, "thead");
	html_open(h, "tr");
	for (unsigned i = 0; i < ARRAY_LEN(heads); i++) {
		html_open(h, "th");
		html_attr(h, "scope", "col");
		html_text(h, say(x->p, heads[i][0], heads[i][1]));
		html_close(h, "th");
	}
	html_close(h, "tr");
	html_close(h, "thead");
	html_open(h, "tbody");
	members(x, 0, "", DEPTH);
	html_close(h, "tbody");
	html_close(h, "table");
	html_close(h, "div");
}

/* ---- trying ---- */

static void verdict(struct page *p, const struct schema *s, struct span payload)
{
	struct html *h = &p->h;
	struct schema_scratch scratch;
	struct verdict *v = xcalloc(ERRORS_SHOWN, sizeof(*v));
	schema_scratch_init(&scratch, hub_config(p->r->web->hub)->max_packet_bytes);
	unsigned n = 1;
	if (schema_parse(&scratch, payload, &v[0]) == 0)
		n = schema_errors(s, &scratch, v, ERRORS_SHOWN);
	html_open(h, "div");
	html_attr(h, "class", n ? "verdict bad" : "verdict good");
	html_attr(h, "id", "verdict");
	html_attr(h, "role", "status");
	html_element(h, "b", NULL,
	             n ? say(p, "Past niet.", "Does not fit.") : say(p, "Past.", "Fits."));
	if (n) {
		html_open(h, "ul");
		for (unsigned i = 0; i < n; i++) {
			html_open(h, "li");
			html_attr(h, "lang", "en"); /* as the publisher is told */
			html_text(h, v[i].text);
			html_close(h, "li");
		}
		html_close(h, "ul");
	}
	html_close(h, "div");
	schema_scratch_done(&scratch);
	free(v);
}

static void try_box(struct page *p, const struct schema *s, const struct buf *payload)
{
	struct html *h = &p->h;
	html_class(h, "section", "card");
	html_attr(h, "id", "try");
	html_element(h, "h2", NULL, say(p, "Probeer een bericht", "Try a message"));
	if (payload)
		verdict(p, s, span_of(payload->p, payload->len));
	html_open(h, "form");
	html_attr(h, "method", "post");
	html_attr(h, "action", page_url(p, "/schemas/%s", schema_id(s)));
	html_open(h, "label");
	html_attr(h, "for", "payload");
	html_text(h, say(p, "Een bericht in JSON; er wordt niets bewaard.",
	                 "A message in JSON; nothing is kept."));
	html_close(h, "label");
	html_open(h, "textarea");
	html_attr(h, "id", "payload");
	html_attr(h, "name", "payload");
	html_attr(h, "rows", "10");
	html_attr(h, "spellcheck", "false");
	html_text(h, "\n"); /* the first line end of a textarea does not count */
	if (payload)
		html_span(h, span_of(payload->p, payload->len));
	html_close(h, "textarea");
	html_element(h, "button", NULL, say(p, "Kijk na", "Check"));
	html_close(h, "form");
	html_close(h, "section");
}

static void write_page(struct req *r, const struct schema *s, const struct buf *payload)
{
	struct page p;
	struct reader x = {.p = &p};
	size_t at;
	const char *why;
	const char *dutch = words_schema(span_str(schema_name(s)));
	page_begin(&p, r, dutch ? dutch : schema_id(s), schema_id(s), NULL);
	if (dutch && p.lang == DUTCH) {
		html_class(&p.h, "p", "lead");
		html_element(&p.h, "code", NULL, schema_id(s));
		html_close(&p.h, "p");
	}
	json_tape_init(&x.t, LIMIT_JSON_TOKENS);
	bool good =
	    json_parse(&x.t, schema_source(s), &at, &why) == 0 && x.t.tok[0].type == JSON_OBJECT;
	html_class(&p.h, "p", p.lang == DUTCH ? "about" : "lead");
	html_attr(&p.h, "lang", "en");
	if (good)
		(void)put_string(&p, &x.t, json_member(&x.t, 0, SPAN("description")));
	html_close(&p.h, "p");
	try_box(&p, s, payload);
	html_element(&p.h, "h2", NULL, say(&p, "Onderdelen", "Members"));
	if (good)
		member_table(&x);
	html_open(&p.h, "p");
	html_open(&p.h, "a");
	html_attrf(&p.h, "href", "/v1/schemas/%s", schema_id(s));
	html_text(&p.h, say(&p, "Het hele schema (JSON Schema)", "The whole schema (JSON Schema)"));
	html_close(&p.h, "a");
	html_close(&p.h, "p");
	json_tape_done(&x.t);
	page_end(&p);
}

void get_schema_page(struct req *r)
{
	const struct schema *s = find(r);
	if (s && page_query(r, "lang"))
		write_page(r, s, NULL);
}

void post_schema_page(struct req *r)
{
	struct buf payload;
	const struct schema *s = find(r);
	if (!s || !page_query(r, "lang"))
		return;
	if (strncasecmp(r->type, "application/x-www-form-urlencoded", 33) != 0) {
		problem(r, 415, "send the form's payload as application/x-www-form-urlencoded");
		return;
	}
	buf_init(&payload, hub_config(r->web->hub)->max_packet_bytes);
	int err = form_value(span_of(r->body.p, r->body.len), "payload", &payload);
	if (err)
		problem(r, 400, "the form has no payload, or it is not encoded well");
	else
		write_page(r, s, &payload);
	buf_done(&payload);
}
