/* source_websocket.c - listens to a WebSocket. Its server holds nothing for us: what comes while
 * our broker is away goes to the spool, and what was sent while we had no connection is a hole.
 *
 * libwebsockets' own loop is not used: its socket is polled beside the broker's, and it is asked to
 * look without waiting. */
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/address.h"
#include "host/backoff.h"
#include "host/push.h"
#include "host/target.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

struct listener {
	struct worker *w;
	struct push *push;
	struct address to;
	struct lws_context *context;
	struct lws *wsi;
	struct buf message;
	char why[200];
	bool up, ever, sent, busy; /* busy: the last look found something */
	struct backoff backoff;
	uint64_t away_ns;
};

static uint64_t now_ns(void)
{
	struct clock c = clock_system();
	return clock_mono_ns(&c);
}

static void lost(struct listener *l, const char *why)
{
	if (!l->why[0])
		snprintf(l->why, sizeof(l->why), "%s", why);
	if (l->up)
		l->away_ns = now_ns();
	l->wsi = NULL;
	l->up = false;
	worker_source_failed(l->w, "%s: %s", l->w->conf->urls[0], l->why);
	l->why[0] = '\0';
	backoff_failed(&l->backoff);
}

static void established(struct listener *l, struct lws *wsi)
{
	if (l->ever)
		worker_hole(l->w, 1,
		            "no connection for %llu s: what was sent meanwhile is not known",
		            (unsigned long long)((now_ns() - l->away_ns) / 1000000000));
	l->up = l->ever = true;
	l->sent = false;
	backoff_ok(&l->backoff);
	worker_source_ok(l->w);
	log_info("connected to source connector=%s", l->w->conf->name);
	if (l->w->conf->body)
		lws_callback_on_writable(wsi);
}

static int on_receive(struct listener *l, struct lws *wsi, const void *in, size_t len)
{
	l->busy = true;
	if (lws_is_first_fragment(wsi))
		buf_clear(&l->message);
	buf_add(&l->message, in, len);
	if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
		return 0;
	if (l->message.err) {
		TALLY_ADD(l->w->tally, undecodable, 1);
		log_warn("message is too large connector=%s limit=%d", l->w->conf->name,
		         LIMIT_CONNECT_RECORD_BYTES);
	} else if (l->push) {
		push_take(l->push, JV_OBJECT(jv_string("url"), jv_string(l->w->conf->urls[0])),
		          buf_str(&l->message), l->message.len);
	}
	buf_clear(&l->message);
	return 0;
}

/* What a server wants to hear first: the subscription. */
static int on_writable(struct listener *l, struct lws *wsi)
{
	const char *text = l->w->conf->body;
	if (!text || l->sent)
		return 0;
	size_t n = strlen(text);
	auto_free unsigned char *frame = xmalloc(LWS_PRE + n);
	memcpy(frame + LWS_PRE, text, n);
	l->sent = true;
	return lws_write(wsi, frame + LWS_PRE, n, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}

static bool add_header(struct lws *wsi, const char *line, unsigned char **p, unsigned char *end)
{
	char name[128];
	size_t n = strcspn(line, ":");
	if (line[n] != ':' || n + 2 > sizeof(name))
		return false;
	memcpy(name, line, n + 1); /* with the colon, as libwebsockets wants it */
	name[n + 1] = '\0';
	line += n + 1 + strspn(line + n + 1, " \t");
	return lws_add_http_header_by_name(wsi, (unsigned char *)name, (const unsigned char *)line,
	                                   (int)strlen(line), p, end) == 0;
}

static int on_handshake(struct listener *l, struct lws *wsi, unsigned char **p, size_t len)
{
	const struct connector_conf *k = l->w->conf;
	char line[LIMIT_CONNECT_HEADER_BYTES];
	unsigned char *end = *p + len;
	bool ok = true;
	for (size_t i = 0; i < k->n_headers; i++)
		ok = add_header(wsi, k->headers[i], p, end) && ok;
	FILE *f = k->header_file ? fopen(k->header_file, "re") : NULL;
	ok = ok && (f || !k->header_file);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		ok = (!*line || add_header(wsi, line, p, end)) && ok;
	}
	if (f)
		fclose(f);
	if (!ok)
		snprintf(l->why, sizeof(l->why), "a header cannot be read or sent");
	return ok ? 0 : -1;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
	struct listener *l = wsi ? lws_context_user(lws_get_context(wsi)) : NULL;
	(void)user;
	if (!l || !l->context)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: return on_handshake(l, wsi, in, len);
	case LWS_CALLBACK_CLIENT_ESTABLISHED: established(l, wsi); return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE: return on_receive(l, wsi, in, len);
	case LWS_CALLBACK_CLIENT_WRITEABLE: return on_writable(l, wsi);
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: lost(l, in ? in : "no connection"); return 0;
	case LWS_CALLBACK_CLIENT_CLOSED: lost(l, "closed"); return 0;
	default: return 0;
	}
}

static void bring_up(struct listener *l)
{
	char host[300];
	if (l->wsi || !backoff_due(&l->backoff))
		return;
	bool v6 = strchr(l->to.host, ':') != NULL;
	snprintf(host, sizeof(host), v6 ? "[%s]:%d" : "%s:%d", l->to.host, l->to.port);
	int failures = l->backoff.failures;
	struct lws_client_connect_info i = {
	    .context = l->context,
	    .address = l->to.host,
	    .port = l->to.port,
	    .ssl_connection = l->to.tls ? LCCSCF_USE_SSL : 0,
	    .path = *l->to.path ? l->to.path : "/",
	    .host = host,
	    .ietf_version_or_minus_one = -1,
	    .local_protocol_name = "source",
	    .pwsi = &l->wsi,
	};
	/* a failure at once has called CONNECTION_ERROR already, or it has not */
	if (!lws_client_connect_via_info(&i) && l->backoff.failures == failures)
		lost(l, "no connection");
}

static int serve(void *ctx, struct push *push, int ms)
{
	struct listener *l = ctx;
	l->push = push;
	bring_up(l);
	struct pollfd p = {.fd = l->wsi ? lws_get_socket_fd(l->wsi) : -1, .events = POLLIN};
	if (!l->up)
		ms = MIN_OF(ms, 20); /* the library's own steps: names, TLS, upgrade */
	target_pump(l->w->target, l->busy ? 0 : ms, &p, 1);
	do {
		l->busy = false;
		if (lws_service(l->context, -1) < 0)
			return -EIO;
	} while (l->busy && !push_full(push));
	return 0;
}

static void accept_all(void *ctx)
{
	(void)ctx; /* nobody waits for it */
}

static struct lws_context *context_new(struct listener *l)
{
	static const struct lws_protocols protocols[] = {
	    {.name = "source", .callback = callback, .rx_buffer_size = 64 << 10}, {0}};
	static const lws_retry_bo_t idle = {.secs_since_valid_ping = LIMIT_CONNECT_KEEPALIVE_S,
	                                    .secs_since_valid_hangup =
	                                        LIMIT_CONNECT_KEEPALIVE_S + LIMIT_CONNECT_STALL_S};
	const struct connector_conf *k = l->w->conf;
	struct lws_context_creation_info info = {
	    .port = CONTEXT_PORT_NO_LISTEN,
	    .protocols = protocols,
	    .options = l->to.tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
	    .client_ssl_ca_filepath = k->ca,
	    .client_ssl_cert_filepath = k->certificate,
	    .client_ssl_private_key_filepath = k->key,
	    .user = l,
	    .timeout_secs = LIMIT_CONNECT_OPEN_S,
	    .retry_and_idle_policy = &idle,
	    .pt_serv_buf_size = 64 << 10,
	};
	lws_set_log_level(0, NULL);
	if (strcmp(l->to.host, "127.0.0.1") == 0 || strcmp(l->to.host, "localhost") == 0 ||
	    strcmp(l->to.host, "::1") == 0)
		unsetenv("http_proxy"); /* the library would ask a proxy for this machine */
	return lws_create_context(&info);
}

int source_websocket(struct worker *w)
{
	static const struct push_source source = {serve, accept_all, NULL, false};
	struct listener l = {.w = w};
	int err = address_parse(w->conf->urls[0], 80, 443, &l.to);
	backoff_init(&l.backoff);
	buf_init(&l.message, LIMIT_CONNECT_RECORD_BYTES);
	if (err == 0) {
		l.context = context_new(&l);
		err = l.context ? push_run(w, &source, &l) : -ENOMEM;
	}
	if (err < 0 && err != ERR_CLOSED)
		worker_source_failed(w, "%s: %s", w->conf->urls[0], err_text(err));
	struct lws_context *context = l.context;
	bool up = l.up;
	l.context = NULL; /* callbacks of the destruction say nothing */
	if (context)
		lws_context_destroy(context);
	buf_done(&l.message);
	return w->once && err == 0 && !up ? -EIO : err;
}
