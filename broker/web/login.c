/* login.c - who asks over HTTP: the Authorization header (Basic, Bearer), else the cookie of who
 * signed in on the pages, else the client's certificate, else nobody. On the Unix socket it is the
 * administrator. Nothing is ever read from the query string. */
#include "access/audit.h"
#include "access/secret.h"
#include "access/ticket.h"
#include "base/err.h"
#include "base/mem.h"
#include "web/private.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADER_BYTES = LIMIT_WEB_HEADER_BYTES, PEER_BYTES = 64 };

const char login_challenge[] = "Basic realm=\"oudp\", charset=\"UTF-8\", Bearer realm=\"oudp\"";

/* "Basic" and "Bearer" are not case-sensitive (RFC 9110, 11.1). */
static const char *after(const char *header, const char *scheme)
{
	size_t n = strlen(scheme);
	if (strncasecmp(header, scheme, n) != 0 || header[n] != ' ')
		return NULL;
	return header + n + strspn(header + n, " ");
}

/* header is decoded in place. */
static bool read_header(char *header, struct login_request *q)
{
	const char *bearer = after(header, "Bearer"), *basic = after(header, "Basic");
	q->has_password = true;
	if (bearer) {
		q->bearer = true;
		q->password = span_str(bearer);
		return q->password.n > 0;
	}
	if (!basic)
		return false;
	memmove(header, basic, strlen(basic) + 1);
	int n = lws_b64_decode_string(header, header, HEADER_BYTES);
	char *colon = n > 0 ? memchr(header, ':', (size_t)n) : NULL;
	if (!colon)
		return false;
	q->name = span_of(header, (size_t)(colon - header));
	q->password = span_of(colon + 1, (size_t)(header + n - colon - 1));
	return true;
}

const char *signin_cookie(struct lws *wsi)
{
	return is_secure(wsi) ? "__Host-oudp" : "oudp";
}

struct span signin_shown(struct lws *wsi, char *header, size_t size)
{
	const char *name = signin_cookie(wsi);
	size_t n = strlen(name);
	if (lws_hdr_copy(wsi, header, (int)size, WSI_TOKEN_HTTP_COOKIE) <= 0)
		return (struct span){0};
	for (const char *at = header; *at; at += strspn(at, "; ")) {
		size_t length = strcspn(at, ";");
		if (length > n && strncmp(at, name, n) == 0 && at[n] == '=')
			return span_of(at + n + 1, length - n - 1);
		at += length;
	}
	return (struct span){0};
}

/* A cookie that is good no more is nothing shown: who was signed in sees what everybody sees. */
static bool by_cookie(struct lws *wsi, struct identity *ret)
{
	char header[HEADER_BYTES];
	struct web *w = web_of(wsi);
	struct span shown = signin_shown(wsi, header, sizeof(header));
	bool good = shown.n && ticket_take(access_signins(w->access), shown,
	                                   clock_wall_ms(hub_clock(w->hub)), ret);
	secret_wipe(header, sizeof(header));
	return good;
}

int web_login(struct lws *wsi, login_fn done, void *owner, struct identity *ret,
              unsigned *ret_wait_s)
{
	struct web *w = web_of(wsi);
	char header[HEADER_BYTES] = "", peer[PEER_BYTES] = "";
	if (kind_of(wsi) != WEB_TCP) { /* the admin listener has nothing to hide or to change */
		*ret = kind_of(wsi) == WEB_UNIX
		           ? access_administrator(hub_config(w->hub))
		           : access_anonymous(hub_config(w->hub), is_trusted(wsi));
		return 0;
	}
	lws_get_peer_simple(wsi, peer, sizeof(peer));
	struct login_request q = {.address = peer,
	                          .ssl = lws_get_ssl(wsi),
	                          .trusted = is_trusted(wsi) && host_is_ours(wsi),
	                          .known_only = is_known_only(wsi)};
	int n = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
	bool shown = n > 0, good = true;
	if (!shown && by_cookie(wsi, ret))
		return 0;
	if (shown)
		good =
		    lws_hdr_copy(wsi, header, sizeof(header), WSI_TOKEN_HTTP_AUTHORIZATION) > 0 &&
		    read_header(header, &q);
	int err = good ? access_login(w->access, &q, done, owner, 0, ret, ret_wait_s) : ERR_DENIED;
	secret_wipe(header, sizeof(header));
	return err;
}

int login_status(int err, const char **ret_why)
{
	switch (err) {
	case ERR_SLOW: *ret_why = "too many failures: wait a minute"; return 429;
	case ERR_AGAIN: *ret_why = "too many log in at this moment: try again"; return 503;
	default:
		*ret_why =
		    "who are you? show a name and a password, a key or a token that is right";
		return 401;
	}
}

static void refuse(struct req *r, int err)
{
	const char *why;
	int status = login_status(err, &why);
	if (status == 401)
		respond_header(r, "WWW-Authenticate:", login_challenge);
	problem(r, status, "%s", why);
}

/* The listener wants an identity, and nothing was shown. */
static void ask_in(struct req *r)
{
	if (route_is_open(r))
		r->who = access_anonymous(hub_config(r->web->hub), false);
	else if (req_wants_page(r) && (r->method == METHOD_GET || r->method == METHOD_HEAD))
		sign_in_first(r);
	else
		refuse(r, ERR_NOT_FOUND);
}

static void proven(void *owner, uint64_t token UNUSED, int err, const struct identity *who)
{
	struct req *r = owner;
	r->proving = false;
	if (!req_came(r, err))
		return;
	if (r->answering) /* its body was too long */
		return;
	if (err) {
		refuse(r, err);
		return;
	}
	r->who = *who;
	if (!r->wants_body || r->body_done)
		route(r);
}

void req_login(struct req *r)
{
	unsigned wait_s;
	int err = web_login(r->wsi, proven, r, &r->who, &wait_s);
	if (err == 1) {
		r->proving = true;
		r->pending++;
		req_wait(r);
	} else if (err == ERR_NOT_FOUND) {
		ask_in(r);
	} else if (err) {
		refuse(r, err);
	}
}

void post_tickets(struct req *r)
{
	char ticket[TICKET_BYTES];
	if (!only_query(r, ""))
		return;
	if (!r->who.principal) { /* anonymous needs none, the administrator has the socket */
		refuse(r, ERR_DENIED);
		return;
	}
	if (ticket_new(access_tickets(r->web->access), &r->who,
	               clock_wall_ms(hub_clock(r->web->hub)), ticket)) {
		problem(r, 503,
		        "too many tickets are open: use those there are, or ask again later");
		return;
	}
	buf_addf(&r->out, "{\"ticket\":\"%s\",\"expiresIn\":%d}", ticket, LIMIT_TICKET_S);
	secret_wipe(ticket, sizeof(ticket));
	respond(r, 201, "application/json");
}

void req_origin(const struct req *r, char out[64])
{
	out[0] = '\0';
	if (r->kind == WEB_UNIX)
		strcpy(out, "socket");
	else if (r->wsi)
		lws_get_peer_simple(r->wsi, out, 64);
}

/* A thing is named by a hash of its id: the audit is never changed, and a thing may have to be
 * forgotten. */
void req_object(const struct req *r, char *out, size_t size)
{
	static const char *const before[] = {"/v1/things/", "/t/"};
	for (unsigned i = 0; i < ARRAY_LEN(before); i++) {
		size_t n = strlen(before[i]);
		if (strncmp(r->path, before[i], n) != 0 || !r->path[n])
			continue;
		size_t len = strcspn(r->path + n, "/");
		unsigned char hash[SHA256_DIGEST_LENGTH];
		char hex[2 * REQ_HASH_BYTES + 1];
		SHA256((const unsigned char *)r->path + n, len, hash);
		for (unsigned k = 0; k < REQ_HASH_BYTES; k++)
			sprintf(hex + 2 * k, "%02x", hash[k]);
		snprintf(out, size, "%ssha256:%s%.150s", before[i], hex, r->path + n + len);
		return;
	}
	snprintf(out, size, "%.200s", r->path);
}

void req_read(const struct req *r, const struct feed *f)
{
	if (f->conf->personal_data)
		req_audit(r, "read", f, "done");
}

void req_audit(const struct req *r, const char *action, const struct feed *f, const char *result)
{
	char origin[64], object[256];
	if (!r->web->access)
		return;
	req_origin(r, origin);
	req_object(r, object, sizeof(object));
	audit_seldom(access_audit(r->web->access), action, f ? f->conf->name : object, result,
	             origin, r->who.name, span_str(r->who.organisation));
}
