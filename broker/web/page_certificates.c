/* page_certificates.c - the certificates of the listeners: which, for whom, and how many days are
 * left. From the status, as everybody else has it. */
#include "web/pages.h"

#include "json/json.h"

enum { STATUS_TOKENS = 1 << 16, SOON_DAYS = 30 };

static void listeners_cell(struct page *p, struct span tls)
{
	const struct config *c = hub_config(p->r->web->hub);
	struct html *h = &p->h;
	bool any = false;
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Voor", "For"));
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct config_listener *l = &c->listeners[i];
		if (!l->tls || !span_is(tls, l->tls))
			continue;
		html_textf(h, "%s%s (%s:%u)", any ? ", " : "", l->name, l->address,
		           (unsigned)l->port);
		any = true;
	}
	html_close(h, "td");
}

static void clients_cell(struct page *p, struct span tls)
{
	const struct config *c = hub_config(p->r->web->hub);
	struct html *h = &p->h;
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Van apparaten", "Of devices"));
	for (size_t i = 0; i < c->n_tls; i++) {
		const struct config_tls *t = &c->tls[i];
		if (!span_is(tls, t->name))
			continue;
		html_text(h, !t->client_ca ? say(p, "niet gevraagd", "not asked for")
		             : t->crl      ? say(p, "met een lijst van ingetrokken",
		                                 "with a list of "
		                                      "revocations")
		                           : say(p, "zonder lijst van ingetrokken",
		                                 "without a list of revocations"));
	}
	html_close(h, "td");
}

static void row(struct page *p, const struct json_tape *t, uint32_t one)
{
	struct html *h = &p->h;
	struct span name = json_text(t, json_member(t, one, SPAN("name")));
	struct span until = json_text(t, json_member(t, one, SPAN("notAfter")));
	int64_t days = -1;
	if (json_int64(json_text(t, json_member(t, one, SPAN("daysLeft"))), &days))
		return;
	html_open(h, "tr");
	html_open(h, "th");
	html_attr(h, "scope", "row");
	html_span(h, name);
	html_close(h, "th");
	listeners_cell(p, name);
	clients_cell(p, name);
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Tot en met", "Until"));
	html_span(h, span_of(until.p, MIN_OF(until.n, (size_t)10)));
	html_close(h, "td");
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Dagen over", "Days left"));
	html_open(h, "span");
	html_attr(h, "class", days < SOON_DAYS ? "badge warn" : "badge open");
	if (days < 0)
		html_text(h, say(p, "verlopen", "has expired"));
	else
		page_counts(p, "nog # dagen", "# days left", (uint64_t)days, 0);
	html_close(h, "span");
	html_close(h, "td");
	html_close(h, "tr");
}

static unsigned table(struct page *p, const struct json_tape *t, uint32_t list)
{
	unsigned n = 0;
	for (uint32_t i = list + 1; i < t->tok[list].next; i = t->tok[i].next, n++) {
		if (!n) {
			const char *const heads[] = {say(p, "Naam", "Name"), say(p, "Voor", "For"),
			                             say(p, "Van apparaten", "Of devices"),
			                             say(p, "Tot en met", "Until"),
			                             say(p, "Dagen over", "Days left")};
			page_heads(p, heads, ARRAY_LEN(heads));
			html_open(&p->h, "tbody");
		}
		row(p, t, i);
	}
	if (n) {
		html_close(&p->h, "tbody");
		html_close(&p->h, "table");
	}
	return n;
}

void get_certificates(struct req *r)
{
	struct web *w = r->web;
	struct page p;
	struct json_tape t;
	struct buf status;
	size_t at;
	const char *why;
	unsigned n = 0;
	if (!page_query(r, "lang"))
		return;
	page_begin(&p, r, "Certificaten", "Certificates", NULL);
	html_element(&p.h, "p", "lead",
	             say(&p,
	                 "Een vernieuwd bestand wordt na enkele seconden vanzelf gebruikt, en "
	                 "niemand wordt verbroken.",
	                 "A renewed file is taken by itself after some seconds, and nobody is "
	                 "disconnected."));
	buf_init(&status, LIMIT_WEB_PAGE_BYTES);
	json_tape_init(&t, STATUS_TOKENS);
	w->ops.status(w->ops.arg, &status);
	if (!status.err && json_parse(&t, span_of(status.p, status.len), &at, &why) == 0) {
		uint32_t list = json_member(&t, 0, SPAN("tls"));
		n = list && t.tok[list].type == JSON_ARRAY ? table(&p, &t, list) : 0;
	}
	if (!n)
		html_element(
		    &p.h, "p", "none",
		    say(&p,
		        "Er is geen: deze server is alleen op de machine zelf te bereiken, "
		        "of zonder versleuteling.",
		        "There is none: this server is reached on its own machine only, or "
		        "without encryption."));
	json_tape_done(&t);
	buf_done(&status);
	page_end(&p);
}
