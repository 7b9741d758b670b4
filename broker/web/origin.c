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

static bool is_of_this_server(const struct web *w, const char *origin, const char *host)
{
	const char *front = strstr(origin, "://");
	return front && (strcasecmp(front + 3, host) == 0 || strcasecmp(origin, w->base_url) == 0);
}

bool origin_may_connect(struct lws *wsi)
{
	char host[ORIGIN_BYTES], origin[ORIGIN_BYTES];
	if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) <= 0)
		return true;
	if (!copy(wsi, WSI_TOKEN_ORIGIN, origin)) /* longer than any that is named */
		return false;
	(void)copy(wsi, WSI_TOKEN_HOST, host);
	if (is_of_this_server(web_of(wsi), origin, host))
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
	return has_origin && !is_of_this_server(r->web, origin, host);
}
