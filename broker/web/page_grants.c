/* page_grants.c - who may do what: to the administrator all grants, to others their own and those
 * of feeds that they administer; with buttons to suspend, resume and revoke where who looks may. */
#include "web/pages.h"

#include "access/book.h"
#include "base/err.h"
#include "web/form.h"

#include <stdio.h>

enum { GRANTS_SHOWN = 500, WHY_BYTES = 4096, DAY_MS = 86400 * 1000, STATE_BYTES = 16 };

static struct buf text_buf(void)
{
	struct buf b;
	buf_init(&b, 2048);
	return b;
}

static void cell(struct page *p, const char *label, const struct buf *text)
{
	html_open(&p->h, "td");
	html_attr(&p->h, "data-label", label);
	html_span(&p->h, span_of(text->p, text->len));
	html_close(&p->h, "td");
}

static void rights_cell(struct page *p, const struct grant *g)
{
	static const char *const words[][2] = {[ACCESS_PUBLISH] = {"aanleveren", "publish"},
	                                       [ACCESS_SUBSCRIBE] = {"abonneren", "subscribe"},
	                                       [ACCESS_READ] = {"lezen", "read"},
	                                       [ACCESS_ADMIN] = {"beheren", "administer"}};
	struct buf b = text_buf();
	for (unsigned i = 1; i < ARRAY_LEN(words); i++)
		if (g->rights & 1 << i)
			buf_addf(&b, "%s%s", b.len ? ", " : "", say(p, words[i][0], words[i][1]));
	cell(p, say(p, "Mag", "May"), &b);
	buf_done(&b);
}

static void what_cell(struct page *p, const struct grant *g)
{
	struct buf b = text_buf();
	buf_add_str(&b, g->feed);
	if (*g->thing)
		buf_addf(&b, "%s%s", say(p, ", van ", ", of "), g->thing);
	cell(p, say(p, "Gegevens", "Data"), &b);
	buf_done(&b);
}

static void limit(struct page *p, struct buf *b, uint64_t n, const char *dutch, const char *english)
{
	if (!n)
		return;
	buf_add_str(b, b->len ? ", " : "");
	words_count(b, p->lang, n);
	buf_add_str(b, say(p, dutch, english));
}

static void limits_cell(struct page *p, const struct grant *g)
{
	struct buf b = text_buf();
	limit(p, &b, g->rate, " per seconde", " a second");
	limit(p, &b, g->size_bytes, " bytes per bericht", " bytes a message");
	if (g->quota) {
		uint64_t used = g->used_day == p->now_ms / DAY_MS ? g->used : 0;
		buf_add_str(&b, b.len ? ", " : "");
		words_count(&b, p->lang, used);
		buf_add_str(&b, say(p, " van ", " of "));
		words_count(&b, p->lang, g->quota);
		buf_add_str(&b, say(p, " vandaag", " today"));
	}
	if (!b.len)
		buf_add_str(&b, "–");
	cell(p, say(p, "Grenzen", "Limits"), &b);
	buf_done(&b);
}

static void until_cell(struct page *p, const struct grant *g)
{
	struct html *h = &p->h;
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Tot", "Until"));
	if (g->from_ms > p->now_ms) {
		html_text(h, say(p, "begint ", "begins "));
		page_time(p, g->from_ms);
		html_text(h, " ");
	}
	if (g->until_ms)
		page_time(p, g->until_ms);
	else
		html_text(h, "–");
	html_close(h, "td");
}

static void button(struct page *p, const struct grant *g, const char *state, const char *words)
{
	struct html *h = &p->h;
	html_open(h, "button");
	html_attr(h, "class", "quiet");
	html_attr(h, "name", "state");
	html_attr(h, "value", state);
	html_attrf(h, "aria-label", "%s: %llu", words, (unsigned long long)g->id);
	html_text(h, words);
	html_close(h, "button");
	html_text(h, " ");
}

static void state_cell(struct page *p, const struct grant *g)
{
	struct html *h = &p->h;
	bool active = g->state == GRANT_ACTIVE, ends = g->state == GRANT_REVOKED;
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Toestand", "State"));
	html_element(
	    h, "span", active && grant_in_force(g, p->now_ms) ? "badge open" : "badge warn",
	    ends     ? say(p, "ingetrokken", "revoked")
	    : active ? grant_in_force(g, p->now_ms) ? say(p, "geldt", "in force")
	                                            : say(p, "geldt nu niet", "not in force now")
	             : say(p, "opgeschort", "suspended"));
	if (!ends && grant_may_change(p->r, g)) {
		html_open(h, "form");
		html_attr(h, "method", "post");
		html_attr(h, "class", "acts");
		html_attr(h, "action", page_url(p, "/grants/%llu", (unsigned long long)g->id));
		if (active)
			button(p, g, "suspended", say(p, "Schort op", "Suspend"));
		else
			button(p, g, "active", say(p, "Hervat", "Resume"));
		html_open(h, "details");
		html_element(h, "summary", NULL, say(p, "Voorgoed", "For good"));
		button(p, g, "revoked", say(p, "Trek in", "Revoke"));
		html_close(h, "details");
		html_close(h, "form");
	}
	html_close(h, "td");
}

static void row(struct page *p, const struct grant *g)
{
	struct html *h = &p->h;
	html_open(h, "tr");
	html_attrf(h, "id", "g%llu", (unsigned long long)g->id);
	html_open(h, "th");
	html_attr(h, "scope", "row");
	html_text(h, g->identity ? g->identity->name : g->organisation->name);
	html_open(h, "small");
	html_textf(h, " %s",
	           g->identity ? g->organisation->name
	                       : say(p, "iedereen daarvan", "everybody of it"));
	html_close(h, "small");
	if (g->purpose && *g->purpose)
		html_element(h, "p", "about", g->purpose);
	html_close(h, "th");
	what_cell(p, g);
	rights_cell(p, g);
	limits_cell(p, g);
	until_cell(p, g);
	state_cell(p, g);
	html_close(h, "tr");
}

/* Revoked ones stay in the book; here they would only be in the way. */
static unsigned table(struct page *p)
{
	struct html *h = &p->h;
	const struct grant *g;
	unsigned n = 0;
	for (size_t at = 0; (g = access_next_grant(p->r->web->access, &at));) {
		if (g->state == GRANT_REVOKED || !grant_is_seen(p->r, g))
			continue;
		if (!n) {
			const char *const heads[] = {
			    say(p, "Wie", "Who"),   say(p, "Gegevens", "Data"),
			    say(p, "Mag", "May"),   say(p, "Grenzen", "Limits"),
			    say(p, "Tot", "Until"), say(p, "Toestand", "State")};
			page_heads(p, heads, ARRAY_LEN(heads));
			html_open(h, "tbody");
		}
		if (n++ < GRANTS_SHOWN)
			row(p, g);
	}
	if (n) {
		html_close(h, "tbody");
		html_close(h, "table");
	}
	return n;
}

void get_grants_page(struct req *r)
{
	struct page p;
	if (!page_query(r, "lang"))
		return;
	page_begin(&p, r, "Wie mag wat", "Who may do what", NULL);
	if (!r->who.administrator && !r->who.principal) {
		html_open(&p.h, "p");
		html_text(&p.h, say(&p, "Wat u mag, ziet u als u bent ingelogd. ",
		                    "You see what you may do when you have signed in. "));
		html_link(&p.h, page_url(&p, "/sign-in"), say(&p, "Log in", "Sign in"));
		html_close(&p.h, "p");
		page_end(&p);
		return;
	}
	unsigned n = table(&p);
	if (!n)
		html_element(&p.h, "p", "none",
		             say(&p, "Er is niets toegekend.", "Nothing is granted."));
	if (n > GRANTS_SHOWN)
		page_counts(&p, "De eerste # van #.", "The first # of #.", GRANTS_SHOWN, n);
	if (r->who.administrator) {
		html_element(&p.h, "h2", NULL, say(&p, "Toekennen", "Grant something"));
		page_code(&p, say(&p, "Een voorbeeld", "An example"),
		          "oudp grant add air-quality --identity vendor-gateway --rights publish");
	}
	page_end(&p);
}

/* ---- changing ---- */

static void changed(void *arg, int err, const char *id UNUSED, const char *key UNUSED)
{
	struct req *r = arg;
	struct page p;
	if (!req_came(r, err))
		return;
	if (err) {
		problem(r, 507, "%s", err_text(err));
		return;
	}
	page_init(&p, r);
	respond_header(r, "Location:", page_url(&p, "/grants"));
	respond(r, 303, NULL);
}

static void change(struct req *r, struct grant *g, const char *state)
{
	char json[64];
	struct buf why;
	buf_init(&why, WHY_BYTES);
	snprintf(json, sizeof(json), "{\"state\":\"%s\"}", state);
	req_origin(r, r->origin);
	r->pending++;
	req_wait(r);
	int err = grant_change(r->web->access, g->id, span_str(json),
	                       (struct access_done){changed, r, &r->who, r->origin}, &why);
	if (err) {
		r->pending--;
		problem(r, err == ERR_AGAIN ? 503 : 409, "%.300s", buf_str(&why));
	}
	buf_done(&why);
}

void post_grant_page(struct req *r)
{
	static const char *const states[] = {"active", "suspended", "revoked"};
	uint64_t id;
	struct buf state;
	const char *found = NULL;
	if (!page_query(r, "lang"))
		return;
	struct grant *g =
	    span_to_u64(r->param[0], &id) == 0 ? access_grant(r->web->access, id) : NULL;
	if (!g || !grant_is_seen(r, g)) {
		problem(r, 404, "there is no such grant");
		return;
	}
	if (!grant_may_change(r, g)) {
		problem(r, 403, "only the administrator changes this grant");
		return;
	}
	buf_init(&state, STATE_BYTES);
	if (form_value(span_of(r->body.p, r->body.len), "state", &state) == 0)
		for (unsigned i = 0; i < ARRAY_LEN(states); i++)
			if (strcmp(buf_str(&state), states[i]) == 0)
				found = states[i];
	buf_done(&state);
	if (found)
		change(r, g, found);
	else
		problem(r, 400, "state is active, suspended or revoked");
}
