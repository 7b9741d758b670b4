/* origin.c - requests that a browser sends on behalf of another site's page.
 *
 * What a browser adds by itself (a password it remembers, a client certificate, a forwarded admin
 * socket, the place it stands at) must not let another site's page change anything. Who shows a
 * bearer token does so on purpose. */
#include "web/private.h"

#include <string.h>

enum { ORIGIN_BYTES = 300 };

static bool copy(struct lws *wsi, enum lws_token_indexes token, char *out)
{
	out[0] = '\0';
	return lws_hdr_total_length(wsi, token) > 0 &&
	       lws_hdr_copy(wsi, out, ORIGIN_BYTES, token) > 0;
}

/* A name that another site cannot make its own: the socket is reached by no other, and a page that
 * has its own name lead to this machine (DNS rebinding) still says that name. */
static bool is_local(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);
		if (strncasecmp(host, names[i], n) == 0 && (!host[n] || host[n] == ':'))
			return true;
	}
	return false;
}

/* "192.0.2.1:80", "[::1]", or a name without a dot: those are of the own network; who makes a name
 * lead elsewhere has it in the DNS. */
static bool is_near(const char *host)
{
	size_t n = strcspn(host, ":");
	return host[0] == '[' || strspn(host, "0123456789.") == n || !memchr(host, '.', n);
}

static bool is_public_name(const struct web *w, const char *host)
{
	const char *front = strstr(w->base_url, "://");
	size_t n = front ? strcspn(front + 3, "/") : 0;
	return n && strncasecmp(front + 3, host, n) == 0 && !host[n];
}

/* A listener on loopback is trusted, for only who is on this machine comes there. A browser on this
 * machine may be sent there by a page whose own name was made to lead here; it still says that
 * name. */
bool host_is_ours(struct lws *wsi)
{
	char host[ORIGIN_BYTES];
	if (is_by_any_name(wsi) || lws_hdr_total_length(wsi, WSI_TOKEN_HOST) <= 0)
		return true;
	return copy(wsi, WSI_TOKEN_HOST, host) &&
	       (is_near(host) || is_public_name(web_of(wsi), host));
}

static bool is_of_this_server(struct lws *wsi, const char *origin, const char *host)
{
	const char *front = strstr(origin, "://");
	return front && ((strcasecmp(front + 3, host) == 0 && host_is_ours(wsi)) ||
	                 strcasecmp(origin, web_of(wsi)->base_url) == 0);
}

bool origin_may_connect(struct lws *wsi)
{
	char host[ORIGIN_BYTES], origin[ORIGIN_BYTES];
	if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) <= 0)
		return true;
	if (!copy(wsi, WSI_TOKEN_ORIGIN, origin)) /* longer than any that is named */
		return false;
	(void)copy(wsi, WSI_TOKEN_HOST, host);
	if (is_of_this_server(wsi, origin, host))
		return true;
	for (char **list = hub_config(web_of(wsi)->hub)->allowed_origins; *list; list++)
		if (strcmp(*list, "*") == 0 || strcasecmp(*list, origin) == 0)
			return true;
	return false;
}

bool req_is_foreign(const struct req *r)
{
	char host[ORIGIN_BYTES], origin[ORIGIN_BYTES], shown[ORIGIN_BYTES];
	bool has_host = copy(r->wsi, WSI_TOKEN_HOST, host);
	bool has_origin = copy(r->wsi, WSI_TOKEN_ORIGIN, origin) ||
	                  lws_hdr_total_length(r->wsi, WSI_TOKEN_ORIGIN) > 0;
	if (r->kind == WEB_UNIX && has_host && !is_local(host))
		return true;
	/* A ticket is a WebSocket to be: who may open one, and nobody else, may have one. */
	if (r->method == METHOD_POST && strcmp(r->path, "/v1/tickets") == 0)
		return !origin_may_connect(r->wsi);
	if (r->method == METHOD_GET || r->method == METHOD_HEAD || r->method == METHOD_OPTIONS)
		return false;
	(void)copy(r->wsi, WSI_TOKEN_HTTP_AUTHORIZATION, shown);
	if (strncasecmp(shown, "Bearer ", 7) == 0 && r->kind == WEB_TCP)
		return false;
	return has_origin && !is_of_this_server(r->wsi, origin, host);
}
