/* page_admin.c - for the administrator: how the broker is, and why messages were refused, counted
 * by sender and reason so that ten thousand rows are a few lines. */
#include "web/pages.h"

#include "base/err.h"
#include "base/mem.h"
#include "feed/quarantine.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 200, ROWS = 1000, STATUS_TOKENS = 1 << 16, SAMPLE_BYTES = 600 };

/* ---- how it is ---- */

static struct span member(const struct json_tape *t, uint32_t object, const char *name)
{
	uint32_t i = object || name ? json_member(t, object, span_str(name)) : 0;
	return i ? json_text(t, i) : SPAN("");
}

static uint64_t number(const struct json_tape *t, const char *object, const char *name)
{
	uint32_t o = json_member(t, 0, span_str(object));
	int64_t n = 0;
	if (!o || t->tok[o].type != JSON_OBJECT || json_int64(member(t, o, name), &n) || n < 0)
		return 0;
	return (uint64_t)n;
}

static void bytes_fact(struct page *p, const char *name, uint64_t used, uint64_t of)
{
	html_element(&p->h, "dt", NULL, name);
	html_open(&p->h, "dd");
	page_words(p, words_bytes, used);
	if (of) {
		html_text(&p->h, say(p, " van ", " of "));
		page_words(p, words_bytes, of);
	}
	html_close(&p->h, "dd");
}

static void count_fact(struct page *p, const char *name, uint64_t n)
{
	html_element(&p->h, "dt", NULL, name);
	html_open(&p->h, "dd");
	page_words(p, words_count, n);
	html_close(&p->h, "dd");
}

static void certificates(struct page *p, const struct json_tape *t)
{
	struct html *h = &p->h;
	uint32_t list = json_member(t, 0, SPAN("tls"));
	if (!list || t->tok[list].type != JSON_ARRAY || !t->tok[list].size)
		return;
	html_element(h, "dt", NULL, say(p, "Certificaten", "Certificates"));
	for (uint32_t i = list + 1; i < t->tok[list].next; i = t->tok[i].next) {
		int64_t days = -1;
		if (json_int64(member(t, i, "daysLeft"), &days))
			continue;
		html_open(h, "dd");
		html_span(h, member(t, i, "name"));
		html_text(h, ": ");
		if (days < 0)
			html_element(h, "span", "badge warn", say(p, "verlopen", "has expired"));
		else
			page_counts(p, "nog # dagen", "# days left", (uint64_t)days, 0);
		html_close(h, "dd");
	}
}

static void health(struct page *p)
{
	struct web *w = p->r->web;
	struct html *h = &p->h;
	struct json_tape t;
	struct buf status;
	size_t at;
	const char *why = "";
	buf_init(&status, LIMIT_WEB_PAGE_BYTES);
	w->ops.status(w->ops.arg, &status);
	json_tape_init(&t, STATUS_TOKENS);
	html_class(h, "section", "card");
	html_element(h, "h2", NULL, say(p, "Hoe het gaat", "How it is"));
	bool ready = w->ops.ready(w->ops.arg, &why);
	html_class(h, "dl", "facts");
	page_fact(p, say(p, "Neemt berichten aan", "Takes messages"),
	          ready ? say(p, "ja", "yes") : why);
	if (!status.err && json_parse(&t, span_of(status.p, status.len), &at, &why) == 0) {
		bytes_fact(p, say(p, "Journaal", "Journal"), number(&t, "store", "usedBytes"),
		           number(&t, "store", "mapBytes"));
		bytes_fact(p, say(p, "Vrij op de schijf", "Free on the disk"),
		           number(&t, "store", "diskFreeBytes"), 0);
		count_fact(p, say(p, "MQTT-verbindingen", "MQTT connections"),
		           number(&t, "connections", "mqtt"));
		count_fact(p, "WebSockets", number(&t, "connections", "websocket"));
		count_fact(p,
		           say(p, "Berichten die MQTT-sessies nog niet hebben (achterstand)",
		               "Messages that MQTT sessions do not have yet (lag)"),
		           number(&t, "sessions", "backlog"));
		count_fact(p, say(p, "Geweigerd sinds de start", "Refused since the start"),
		           number(&t, "counters", "quarantined"));
		certificates(p, &t);
	}
	html_close(h, "dl");
	html_close(h, "section");
	json_tape_done(&t);
	buf_done(&status);
}

static void lag(struct page *p)
{
	struct html *h = &p->h;
	unsigned n = 0;
	html_class(h, "section", "card");
	html_element(h, "h2", NULL,
	             say(p, "Wie kijkt mee, en hoe ver", "Who watches, and how far"));
	html_class(h, "ul", "plain");
	list_for_each (it, &p->r->web->lives) {
		const struct live *l = list_entry(it, struct live, node);
		if (l->kind == LIVE_PAGE || n++ == GROUPS)
			continue;
		uint64_t next = l->member.frames ? l->member.next : l->cursor.next;
		html_open(h, "li");
		html_span(h, l->feed->name);
		html_textf(h, " · %s · ", l->kind == LIVE_WS ? "WebSocket" : "server-sent events");
		if (next > l->feed->last)
			html_text(h, say(p, "bij", "up to date"));
		else
			page_counts(p, "# berichten achter", "# messages behind",
			            l->feed->last + 1 - next, 0);
		html_close(h, "li");
	}
	html_close(h, "ul");
	if (!n)
		html_element(h, "p", "none",
		             say(p, "Niemand, over WebSocket of server-sent events.",
		                 "Nobody, over WebSocket or server-sent events."));
	html_open(h, "p");
	html_link(h, page_url(p, "/admin/subscribers"),
	          say(p, "Wie achterloopt, ook over MQTT", "Who is behind, over MQTT too"));
	html_close(h, "p");
	html_close(h, "section");
}

static void refusal_link(struct page *p, const char *name, const char *title, uint64_t rows)
{
	struct html *h = &p->h;
	if (!rows)
		return;
	html_open(h, "li");
	html_link(h, page_url(p, "/admin/quarantine/%s", name), title);
	html_text(h, " ");
	html_open(h, "span");
	html_attr(h, "class", "badge warn");
	page_words(p, words_count, rows);
	html_close(h, "span");
	html_close(h, "li");
}

static void places(struct page *p)
{
	static const char *const all[][3] = {
	    {"/grants", "Wie mag wat", "Who may do what"},
	    {"/refusals", "Wat is geweigerd", "What was refused"},
	    {"/admin/subscribers", "Wie loopt achter", "Who is behind"},
	    {"/admin/certificates", "Certificaten", "Certificates"}};
	html_class(&p->h, "ul", "tiles");
	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		html_open(&p->h, "li");
		html_link(&p->h, page_url(p, "%s", all[i][0]), say(p, all[i][1], all[i][2]));
		html_close(&p->h, "li");
	}
	html_close(&p->h, "ul");
}

void get_admin(struct req *r)
{
	struct page p;
	struct web *w = r->web;
	uint64_t all = hub_stats(w->hub)->unrouted_rows;
	if (!page_query(r, "lang"))
		return;
	page_begin(&p, r, "Beheer", "Administration", "");
	places(&p);
	html_class(&p.h, "div", "columns");
	html_attr(&p.h, "data-part", "admin");
	health(&p);
	html_open(&p.h, "div");
	html_class(&p.h, "section", "card");
	html_element(&p.h, "h2", NULL, say(&p, "Geweigerde berichten", "Refused messages"));
	html_class(&p.h, "ul", "plain");
	for (unsigned i = 0; i < hub_feed_count(w->hub); i++) {
		const struct feed *f = hub_feed_at(w->hub, i);
		all += f->ended ? 0 : f->count.quarantine_rows;
		if (!f->ended)
			refusal_link(&p, f->conf->name, page_feed_title(&p, f->conf),
			             f->count.quarantine_rows);
	}
	refusal_link(&p, "_unrouted",
	             say(&p, "Berichten waar geen feed voor is", "Messages that no feed takes"),
	             hub_stats(w->hub)->unrouted_rows);
	html_close(&p.h, "ul");
	if (!all)
		html_element(&p.h, "p", "none", say(&p, "Geen.", "None."));
	html_close(&p.h, "section");
	lag(&p);
	html_close(&p.h, "div");
	html_close(&p.h, "div");
	page_end(&p);
}

/* ---- why messages were refused ---- */

struct group { /* refusals of one sender on one topic for one reason */
	uint64_t n, first_id, last_id;
	int64_t last_ms;
	char *topic, *publisher, *schema, *pointer, *rule, *reason, *sample;
};

struct refusals {
	struct req *req;
	uint32_t feed_id;
	const char *title; /* of the feed; NULL: unrouted */
	char name[80];
	uint64_t after, rows, others; /* others: of rows that found no group */
	unsigned n;
	struct group group[GROUPS];
};

static void refusals_free(void *own)
{
	struct refusals *x = own;
	for (unsigned i = 0; i < x->n; i++) {
		struct group *g = &x->group[i];
		char *const texts[] = {g->topic, g->publisher, g->schema, g->pointer,
		                       g->rule,  g->reason,    g->sample};
		for (unsigned k = 0; k < ARRAY_LEN(texts); k++)
			free(texts[k]);
	}
	free(x);
}

static char *copy(struct span s)
{
	return xstrndup(s.n ? s.p : "", MIN_OF(s.n, (size_t)SAMPLE_BYTES));
}

static struct group *group_of(struct refusals *x, const struct quarantine_row *row)
{
	for (unsigned i = 0; i < x->n; i++) {
		struct group *g = &x->group[i];
		if (span_is(row->topic, g->topic) && span_is(row->publisher, g->publisher) &&
		    span_is(row->schema, g->schema) && span_is(row->pointer, g->pointer) &&
		    span_is(row->rule, g->rule))
			return g;
	}
	if (x->n == GROUPS)
		return NULL;
	struct group *g = &x->group[x->n++];
	*g = (struct group){.first_id = row->id,
	                    .topic = xstrndup(row->topic.p, row->topic.n),
	                    .publisher = xstrndup(row->publisher.p, row->publisher.n),
	                    .schema = xstrndup(row->schema.p, row->schema.n),
	                    .pointer = xstrndup(row->pointer.p, row->pointer.n),
	                    .rule = xstrndup(row->rule.p, row->rule.n)};
	return g;
}

static void add(struct refusals *x, const struct quarantine_row *row)
{
	struct group *g = group_of(x, row);
	x->rows++;
	if (!g) {
		x->others++;
		return;
	}
	g->n++;
	g->last_id = row->id;
	g->last_ms = row->received_ms;
	free(g->reason);
	free(g->sample);
	g->reason = copy(row->reason);
	g->sample = copy(row->payload);
}

static int latest_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	return x->last_ms < y->last_ms ? 1 : x->last_ms > y->last_ms ? -1 : 0;
}

static void group_row(struct page *p, const struct group *g)
{
	struct html *h = &p->h;
	html_open(h, "tr");
	html_open(h, "th");
	html_attr(h, "scope", "row");
	html_element(h, "code", NULL, g->topic);
	html_textf(h, " %s ", say(p, "van", "from"));
	html_text(h, g->publisher);
	html_close(h, "th");
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Waarom", "Why"));
	html_open(h, "span");
	html_attr(h, "lang", "en"); /* as the publisher is told */
	html_text(h, g->reason);
	html_close(h, "span");
	html_open(h, "details");
	html_element(h, "summary", NULL, say(p, "laatste bericht", "last message"));
	html_open(h, "pre");
	html_attr(h, "tabindex", "0");
	html_element(h, "code", NULL, g->sample);
	html_close(h, "pre");
	html_close(h, "details");
	html_close(h, "td");
	html_open(h, "td");
	html_attr(h, "class", "number");
	html_attr(h, "data-label", say(p, "Keren", "Times"));
	page_words(p, words_count, g->n);
	html_close(h, "td");
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Laatst", "Last"));
	page_time(p, g->last_ms);
	html_close(h, "td");
	html_close(h, "tr");
}

static void group_table(struct page *p, struct refusals *x)
{
	struct html *h = &p->h;
	const char *const heads[] = {say(p, "Wie", "Who"), say(p, "Waarom", "Why"),
	                             say(p, "Keren", "Times"), say(p, "Laatst", "Last")};
	page_heads(p, heads, ARRAY_LEN(heads));
	html_open(h, "tbody");
	qsort(x->group, x->n, sizeof(x->group[0]), latest_first);
	for (unsigned i = 0; i < x->n; i++)
		group_row(p, &x->group[i]);
	html_close(h, "tbody");
	html_close(h, "table");
}

static void write_refusals(struct refusals *x)
{
	struct page p;
	char command[160];
	page_begin(&p, x->req, "Geweigerd", "Refused", NULL);
	html_element(
	    &p.h, "p", "lead",
	    x->title ? x->title
	             : say(&p, "Berichten waar geen feed voor is", "Messages that no feed takes"));
	if (!x->n)
		html_element(&p.h, "p", "none",
		             say(&p, "Er is niets geweigerd.", "Nothing was refused."));
	else
		group_table(&p, x);
	if (x->others)
		page_counts(&p, "En nog # andere.", "And # others.", x->others, 0);
	html_element(&p.h, "h2", NULL, say(&p, "En nu", "What next"));
	html_element(
	    &p.h, "p", NULL,
	    say(&p,
	        "Er is niets weg: verhelp de oorzaak bij de afzender of in het schema, en "
	        "bied de berichten daarna opnieuw aan.",
	        "Nothing is lost: mend the cause at the sender or in the schema, then offer "
	        "the messages again."));
	snprintf(command, sizeof(command), "oudp quarantine retry %s",
	         x->title ? x->name : "--unrouted");
	page_code(&p, say(&p, "Opnieuw aanbieden", "Offer them again"), command);
	page_end(&p);
}

static void rows_came(void *arg, const struct quarantine_row *rows, unsigned n, bool more, int err)
{
	struct req *r = arg;
	struct refusals *x = r->own;
	if (!req_came(r, 0))
		return;
	if (err) {
		problem(r, 503, "the quarantine cannot be read: %s", err_text(err));
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		add(x, &rows[i]);
		x->after = rows[i].id;
	}
	if (!more || !n) {
		write_refusals(x);
		return;
	}
	r->pending++;
	quarantine_list(r->web->hub, x->feed_id, x->after, ROWS, rows_came, r);
}

void get_refusals(struct req *r)
{
	bool unrouted = span_is(r->param[0], "_unrouted");
	struct feed *f = unrouted ? NULL : param_feed(r, ACCESS_ADMIN);
	if ((!f && !unrouted) || !page_query(r, "lang"))
		return;
	struct refusals *x = xcalloc(1, sizeof(*x));
	x->req = r;
	x->feed_id = f ? f->id : 0;
	x->title = f ? f->conf->title : NULL;
	snprintf(x->name, sizeof(x->name), "%s", f ? f->conf->name : "");
	r->own = x;
	r->own_free = refusals_free;
	req_wait(r);
	r->pending++;
	quarantine_list(r->web->hub, x->feed_id, 0, ROWS, rows_came, r);
}
