/* upgrade.c - who may become a WebSocket: decided before lws answers the upgrade, so that a refusal
 * is an answer like all others. lws itself would take an upgrade without a subprotocol, and drop
 * one with an unknown subprotocol without a word. */
#include "access/audit.h"
#include "access/ticket.h"
#include "base/err.h"
#include "web/private.h"

#include <stdio.h>

enum { REFUSAL_BYTES = 8 << 10, ORIGIN_BYTES = 300 };

static bool path_of(struct lws *wsi, char *path, size_t size)
{
	return lws_hdr_copy(wsi, path, (int)size, WSI_TOKEN_GET_URI) > 0;
}

bool is_echo(struct lws *wsi)
{
	char path[32];
	return web_of(wsi)->test_echo && kind_of(wsi) == WEB_TCP &&
	       path_of(wsi, path, sizeof(path)) && strcmp(path, "/test/echo") == 0;
}

/* "/v1/feeds/NAME/events" */
static struct feed *feed_of_path(struct web *w, const char *path)
{
	static const char front[] = "/v1/feeds/", back[] = "/events";
	size_t n = strlen(path), f = sizeof(front) - 1, b = sizeof(back) - 1;
	if (n <= f + b || strncmp(path, front, f) != 0 || strcmp(path + n - b, back) != 0)
		return NULL;
	return hub_feed(w->hub, span_of(path + f, n - f - b));
}

/* Whether who asks may subscribe; what it may not see does not exist. */
static bool is_granted(struct lws *wsi, struct feed *f, int *ret_status, struct faults *faults)
{
	struct web *w = web_of(wsi);
	const struct identity *who = &w->upgrading_who;
	char peer[64] = "";
	/* between the upgrade's confirmation and its end it is known who it was */
	if (w->upgrading == wsi && access_check(who, ACCESS_SUBSCRIBE, f, (struct span){0}) == 0)
		return true;
	if (w->upgrading == wsi && access_sees(who, f)) {
		*ret_status = 403;
		fault(faults, SPAN(""), "this feed may not be subscribed to without a grant");
	} else {
		fault(faults, SPAN(""), "there is no WebSocket at this path");
	}
	if (w->upgrading == wsi && who->principal) {
		lws_get_peer_simple(wsi, peer, sizeof(peer));
		audit_seldom(access_audit(w->access), "subscribe", f->conf->name, "refused", peer,
		             who->name, span_str(who->organisation));
	}
	return false;
}

struct feed *upgrade_read(struct lws *wsi, struct ask *ret, int *ret_status, struct faults *faults)
{
	struct web *w = web_of(wsi);
	char path[PATH_BYTES];
	struct query q;
	struct feed *f = kind_of(wsi) != WEB_ADMIN && path_of(wsi, path, sizeof(path))
	                     ? feed_of_path(w, path)
	                     : NULL;
	*ret_status = 404;
	if (!f) {
		fault(faults, SPAN(""), "there is no WebSocket at this path");
		return NULL;
	}
	if (w->draining) {
		*ret_status = 503;
		fault(faults, SPAN(""), "the server stops");
		return NULL;
	}
	if (!is_granted(wsi, f, ret_status, faults))
		return NULL;
	*ret_status = 400;
	int err = read_query(wsi, &q);
	if (err)
		fault(faults, SPAN(""),
		      "the query string is malformed, too long, or names a parameter "
		      "twice");
	else
		ask_read(&q, f, ASK_STREAM, (struct span){0}, ret, faults);
	return faults->n ? NULL : f;
}

/* Whether name is among the offered subprotocols; *ret_first, if not NULL, gets the first one. */
static bool is_offered(const char *offered, const char *name, char *ret_first, size_t size)
{
	bool found = false;
	for (const char *at = offered; *at;) {
		at += strspn(at, ", \t");
		size_t n = strcspn(at, ", \t");
		if (n && ret_first && !*ret_first)
			snprintf(ret_first, size, "%.*s", (int)n, at);
		found = found || (n == strlen(name) && strncmp(at, name, n) == 0);
		at += n;
	}
	return found;
}

static int refuse(struct lws *wsi, int status, const struct faults *faults)
{
	struct buf body, all;
	buf_init(&body, REFUSAL_BYTES);
	buf_init(&all, REFUSAL_BYTES);
	problem_write(&body, status, faults->one[0].detail, faults);
	if (buf_room(&all, LWS_PRE))
		all.len = LWS_PRE;
	buf_addf(&all, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status, status_title(status));
	for (unsigned i = 0; i < n_common_headers; i++)
		buf_addf(&all, "%s %s\r\n", common_headers[i].name, common_headers[i].value);
	if (status == 401)
		buf_addf(&all, "WWW-Authenticate: %s\r\n", login_challenge);
	if (status == 503 || status == 429)
		buf_add_str(&all, "Retry-After: 1\r\n");
	if (status == 426)
		buf_add_str(&all, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	buf_addf(&all, "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n",
	         body.len);
	buf_add(&all, body.p, body.len);
	web_of(wsi)->stats.responses_4xx += status < 500;
	web_of(wsi)->stats.responses_5xx += status >= 500;
	if (!all.err &&
	    lws_write(wsi, (unsigned char *)all.p + LWS_PRE, all.len - LWS_PRE, LWS_WRITE_HTTP) < 0)
		log_debug("A refused upgrade was gone before its answer.");
	buf_done(&body);
	buf_done(&all);
	return -1;
}

static struct span ticket_of(const char *offered)
{
	for (const char *at = offered; *at;) {
		at += strspn(at, ", \t");
		size_t n = strcspn(at, ", \t");
		if (ticket_looks_like(span_of(at, n)))
			return span_of(at, n);
		at += n;
	}
	return (struct span){0};
}

/* Its password is being verified meanwhile: it is known when the client comes again. */
static void verified(void *owner UNUSED, uint64_t token UNUSED, int err UNUSED,
                     const struct identity *who UNUSED)
{
}

/* Who asks for the upgrade, for upgrade_read(). lws wants to know at once, so a password that must
 * be verified first is asked for again. */
static bool identify(struct lws *wsi, const char *offered, int *ret_status, struct faults *faults)
{
	struct web *w = web_of(wsi);
	unsigned wait_s;
	const char *why;
	struct span ticket = ticket_of(offered);
	w->upgrading = NULL;
	w->upgrading_shown = ticket.n > 0;
	if (ticket.n && !ticket_take(access_tickets(w->access), ticket,
	                             clock_wall_ms(hub_clock(w->hub)), &w->upgrading_who)) {
		*ret_status = 401;
		fault(faults, SPAN("Sec-WebSocket-Protocol"),
		      "the ticket was used already, or is too old: ask for another one");
		return false;
	}
	int err = ticket.n ? 0 : web_login(wsi, verified, NULL, &w->upgrading_who, &wait_s);
	w->upgrading = err ? NULL : wsi;
	if (!err)
		return true;
	if (err == 1) {
		*ret_status = 503;
		fault(faults, SPAN("Authorization"),
		      "the password is being verified: come again in a second");
		return false;
	}
	*ret_status = login_status(err, &why);
	fault(faults, SPAN("Authorization"), "%s", why);
	return false;
}

/* /mqtt with the subprotocol mqtt, and no other: MQTT 3.1, whose name is mqttv3.1, is not spoken
 * [MQTT-6.0.0-3], [MQTT-6.0.0-4]. */
static int confirm_mqtt(struct lws *wsi, const char *offered)
{
	struct web *w = web_of(wsi);
	struct faults faults = {0};
	if (w->draining) {
		fault(&faults, SPAN(""), "the server stops");
		return refuse(wsi, 503, &faults);
	}
	if (!is_offered(offered, "mqtt", NULL, 0)) {
		fault(&faults, SPAN("Sec-WebSocket-Protocol"), "offer the subprotocol mqtt");
		return refuse(wsi, 400, &faults);
	}
	w->upgrading = NULL;
	if (ticket_of(offered).n) { /* else CONNECT says who it is */
		int status;
		if (!identify(wsi, offered, &status, &faults))
			return refuse(wsi, status, &faults);
	}
	strcpy(w->mqtt_name, "mqtt");
	return 0;
}

int upgrade_confirm(struct lws *wsi, const char *to)
{
	struct web *w = web_of(wsi);
	struct faults faults = {0};
	struct ask ask;
	int status = 400;
	char offered[SUBPROTOCOL_BYTES + 1] = "", version[8] = "";
	w->stats.requests++;
	conn_begin(wsi);
	if (is_cut(wsi)) {
		fault(&faults, SPAN(""), "the address has a line break in it");
		return refuse(wsi, 400, &faults);
	}
	if (!to || strcasecmp(to, "websocket") != 0) { /* h2c: RFC 9113 has done away with it */
		fault(&faults, SPAN("Upgrade"), "the only upgrade there is, is to websocket");
		return refuse(wsi, 400, &faults);
	}
	if (lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_VERSION) < 0 ||
	    strcmp(version, "13") != 0) { /* RFC 6455, 4.4 */
		fault(&faults, SPAN("Sec-WebSocket-Version"), "the version spoken is 13");
		return refuse(wsi, 426, &faults);
	}
	if (!origin_may_connect(wsi)) {
		fault(&faults, SPAN("Origin"),
		      "pages of this origin may not open a WebSocket here: see allowed-origins");
		return refuse(wsi, 403, &faults);
	}
	int n = lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL);
	if (n > SUBPROTOCOL_BYTES ||
	    (n > 0 && lws_hdr_copy(wsi, offered, sizeof(offered), WSI_TOKEN_PROTOCOL) < 0)) {
		fault(&faults, SPAN("Sec-WebSocket-Protocol"),
		      "the header of subprotocols is longer than %d bytes", SUBPROTOCOL_BYTES);
		return refuse(wsi, 400, &faults);
	}
	w->echo_name[0] = w->events_name[0] = w->mqtt_name[0] = '\0';
	if (is_echo(wsi)) { /* it speaks whatever was offered first */
		(void)is_offered(offered, "", w->echo_name, sizeof(w->echo_name));
		return 0;
	}
	if (w->sessions && is_mqtt(wsi))
		return confirm_mqtt(wsi, offered);
	if (!identify(wsi, offered, &status, &faults))
		return refuse(wsi, status, &faults);
	if (!upgrade_read(wsi, &ask, &status, &faults))
		return refuse(wsi, status, &faults);
	if (!is_offered(offered, "cloudevents.json", NULL, 0)) {
		fault(&faults, SPAN("Sec-WebSocket-Protocol"),
		      "offer the subprotocol cloudevents.json");
		return refuse(wsi, 400, &faults);
	}
	strcpy(w->events_name, "cloudevents.json");
	return 0;
}
