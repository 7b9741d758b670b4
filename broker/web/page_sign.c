/* page_sign.c - signing in on the pages: a name and a password become a cookie that no script can
 * read and no other site can send (HttpOnly, SameSite=Strict); nothing of it stands in an address.
 * Who shows a header or a certificate needs none. The administrator comes over the Unix socket. */
#include "web/pages.h"

#include "access/book.h"
#include "access/secret.h"
#include "access/ticket.h"
#include "base/err.h"
#include "web/form.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { COOKIE_BYTES = 200, PEER_BYTES = 64 };

static int64_t now_of(const struct req *r)
{
	return clock_wall_ms(hub_clock(r->web->hub));
}

static bool is_signed_in(const struct req *r)
{
	char header[LIMIT_WEB_HEADER_BYTES];
	bool yes = r->wsi && r->who.principal && signin_shown(r->wsi, header, sizeof(header)).n > 0;
	secret_wipe(header, sizeof(header));
	return yes;
}

/* ---- the page ---- */

static void field(struct page *p, const char *name, const char *type, const char *complete,
                  const char *label)
{
	struct html *h = &p->h;
	html_open(h, "label");
	html_text(h, label);
	html_void(h, "input");
	html_attr(h, "name", name);
	html_attr(h, "type", type);
	html_attr(h, "autocomplete", complete);
	html_attr(h, "autocapitalize", "none");
	html_attr(h, "spellcheck", "false");
	html_flag(h, "required");
	html_close(h, "label");
}

/* A path of this server that can be led back to: in letters that need no encoding, and not signing
 * in itself. n == 0: another. */
static struct span own_path(struct span path)
{
	for (size_t i = 0; i < path.n; i++)
		if (!isalnum((unsigned char)path.p[i]) &&
		    (!path.p[i] || !strchr("/-._~:", path.p[i])))
			return (struct span){0};
	bool own = path.n > 1 && path.p[0] == '/' && path.p[1] != '/' &&
	           (path.n < 6 || memcmp(path.p, "/sign-", 6) != 0);
	return own ? path : (struct span){0};
}

static const char *sign_url(struct page *p, struct span back)
{
	return page_url(p, "/sign-in%s%.*s", back.n ? "?to=" : "", (int)back.n,
	                back.n ? back.p : "");
}

/* Where who signs in came from. */
static struct span came_from(const struct req *r)
{
	struct span to;
	return query_get(&r->query, "to", &to) ? own_path(to) : (struct span){0};
}

static void ask(struct page *p)
{
	struct html *h = &p->h;
	html_open(h, "form");
	html_attr(h, "class", "card sign");
	html_attr(h, "method", "post");
	html_attr(h, "action", sign_url(p, came_from(p->r)));
	field(p, "name", "text", "username", say(p, "Naam", "Name"));
	field(p, "password", "password", "current-password",
	      say(p, "Wachtwoord of sleutel", "Password or key"));
	html_element(h, "button", NULL, say(p, "Log in", "Sign in"));
	html_element(h, "p", "about",
	             say(p,
	                 "Uw browser krijgt een cookie dat na acht uur, of als u uitlogt, niet "
	                 "meer geldt. Er wordt niets anders mee gedaan.",
	                 "Your browser gets a cookie that is good for eight hours, or until you "
	                 "sign out. Nothing else is done with it."));
	html_close(h, "form");
	html_element(h, "h2", NULL,
	             say(p, "Beheert u deze server?", "Do you administer this server?"));
	html_element(h, "p", NULL,
	             say(p,
	                 "Beheer gaat niet over het netwerk, maar over een tunnel (ssh) naar de "
	                 "server zelf: oudp-pages(7) zegt hoe.",
	                 "Administration does not go over the network but over a tunnel (ssh) to "
	                 "the server itself: oudp-pages(7) says how."));
}

static void button(struct page *p, const char *path, const char *words)
{
	struct html *h = &p->h;
	html_open(h, "form");
	html_attr(h, "method", "post");
	html_attr(h, "action", page_url(p, "%s", path));
	html_element(h, "button", NULL, words);
	html_close(h, "form");
}

static void known(struct page *p)
{
	const struct principal *who = p->r->who.principal;
	struct html *h = &p->h;
	html_class(h, "dl", "facts");
	page_fact(p, say(p, "U bent", "You are"), who->name);
	page_fact(p, say(p, "Van", "Of"),
	          *who->organisation->title ? who->organisation->title : who->organisation->name);
	html_close(h, "dl");
	html_open(h, "p");
	html_link(h, page_url(p, "/grants"), say(p, "Wat u mag", "What you may do"));
	html_close(h, "p");
	html_open(h, "p");
	html_link(h, page_url(p, "/refusals"),
	          say(p, "Wat van u is geweigerd", "What was refused of yours"));
	html_close(h, "p");
	if (is_signed_in(p->r))
		button(p, "/sign-out", say(p, "Log uit", "Sign out"));
	else
		html_element(
		    h, "p", "about",
		    say(p, "Uw browser of certificaat zegt bij elk verzoek wie u bent.",
		        "Your browser or certificate says with each request who you are."));
}

/* trouble: a sentence in both languages, or NULL. */
static void answer(struct req *r, int status, const char *dutch, const char *english)
{
	struct page p;
	page_begin(&p, r, "Inloggen", "Sign in", NULL);
	if (dutch) {
		html_class(&p.h, "p", "verdict bad");
		html_attr(&p.h, "role", "alert");
		html_text(&p.h, say(&p, dutch, english));
		html_close(&p.h, "p");
	}
	if (r->who.administrator) {
		html_open(&p.h, "p");
		html_text(&p.h, say(&p, "U bent de beheerder. ", "You are the administrator. "));
		html_link(&p.h, page_url(&p, "/admin"),
		          say(&p, "Naar beheer", "To administration"));
		html_close(&p.h, "p");
	} else if (r->who.principal) {
		known(&p);
	} else {
		ask(&p);
	}
	page_end_with(&p, status);
}

void get_sign(struct req *r)
{
	if (page_query(r, "lang to"))
		answer(r, 200, NULL, NULL);
}

/* ---- in and out ---- */

void sign_in_first(struct req *r)
{
	struct page p;
	page_init(&p, r);
	respond_header(r, "Location:", sign_url(&p, own_path(span_str(r->path))));
	respond(r, 303, NULL);
}

/* 303: the browser asks for the next page by GET. until_s 0: the cookie goes. */
static void go_on(struct req *r, struct span path, const char *value, int until_s)
{
	char cookie[COOKIE_BYTES];
	struct page p;
	bool secure = is_secure(r->wsi) || strncmp(r->web->base_url, "https://", 8) == 0;
	page_init(&p, r);
	snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s",
	         signin_cookie(r->wsi), value, until_s, secure ? "; Secure" : "");
	respond_header(r, "Set-Cookie:", cookie);
	respond_header(r, "Location:", page_url(&p, "%.*s", (int)path.n, path.p));
	secret_wipe(cookie, sizeof(cookie));
	respond(r, 303, NULL);
}

static void let_in(struct req *r, int err, const struct identity *who)
{
	char ticket[TICKET_BYTES];
	if (err == ERR_SLOW) {
		answer(r, 429, "Het ging te vaak mis. Wacht een minuut.",
		       "It went wrong too often. Wait a minute.");
	} else if (err == ERR_AGAIN) {
		answer(r, 503, "Er loggen nu te veel mensen in. Probeer het zo nog eens.",
		       "Too many people sign in right now. Try again in a moment.");
	} else if (err || !who->principal) {
		answer(r, 403, "Naam en wachtwoord horen niet bij elkaar.",
		       "Name and password do not belong together.");
	} else if (ticket_new(access_signins(r->web->access), who, now_of(r), ticket)) {
		answer(r, 503, "U bent op te veel plaatsen ingelogd. Log ergens uit.",
		       "You are signed in in too many places. Sign out somewhere.");
	} else {
		struct span to = came_from(r);
		go_on(r, to.n ? to : SPAN("/sign-in"), ticket, LIMIT_SIGNIN_S);
		secret_wipe(ticket, sizeof(ticket));
	}
}

static void proven(void *owner, uint64_t token UNUSED, int err, const struct identity *who)
{
	struct req *r = owner;
	if (req_came(r, err) && !r->answering)
		let_in(r, err, who);
}

static void try_in(struct req *r, struct span name, struct span password)
{
	char peer[PEER_BYTES] = "";
	struct identity who = {0};
	unsigned wait_s;
	lws_get_peer_simple(r->wsi, peer, sizeof(peer));
	struct login_request q = {
	    .address = peer, .name = name, .password = password, .has_password = true};
	int err = access_login(r->web->access, &q, proven, r, 0, &who, &wait_s);
	if (err == 1) {
		r->pending++;
		req_wait(r);
	} else {
		let_in(r, err, &who);
	}
}

void post_sign(struct req *r)
{
	struct buf name, password;
	if (!page_query(r, "lang to"))
		return;
	if (r->kind != WEB_TCP) {
		problem(r, 400, "who is on the admin socket is the administrator already");
		return;
	}
	buf_init(&name, ACCESS_NAME_BYTES);
	buf_init(&password, LIMIT_PASSWORD_BYTES + 1);
	struct span body = span_of(r->body.p, r->body.len);
	if (strncasecmp(r->type, "application/x-www-form-urlencoded", 33) != 0 ||
	    form_value(body, "name", &name) || form_value(body, "password", &password))
		answer(r, 400, "Vul naam en wachtwoord in.", "Fill in name and password.");
	else
		try_in(r, span_of(name.p, name.len), span_of(password.p, password.len));
	if (r->body.len)
		secret_wipe(r->body.p, r->body.len);
	if (password.len)
		secret_wipe(password.p, password.len);
	buf_done(&name);
	buf_done(&password);
}

void post_sign_out(struct req *r)
{
	char header[LIMIT_WEB_HEADER_BYTES];
	if (!page_query(r, "lang"))
		return;
	ticket_end(access_signins(r->web->access), signin_shown(r->wsi, header, sizeof(header)));
	secret_wipe(header, sizeof(header));
	go_on(r, SPAN("/sign-in"), "", 0);
}
