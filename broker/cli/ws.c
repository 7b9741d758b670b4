/* ws.c - libwebsockets as a client; one connection at a time, one callback. Knows no CloudEvent. */
#include "cli/ws.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MESSAGE_BYTES =
	    2 * LIMIT_PACKET_BYTES_MAX, /* the largest payload in base64, and its frame */
	PATH_BYTES = 8 << 10,
	PAUSE_FIRST_MS = 200,
	PAUSE_MAX_MS = 5000,
	GOODBYE_MS = 300,
	LOOK_MS = 100, /* how often a signal and the clock are looked at */
	CONNECT_TIMEOUT_S = 10
};

struct ws {
	struct cli *cli;
	const struct ws_user *user;
	const char *subprotocol;
	struct ws_address to;
	struct lws_context *context;
	struct lws *wsi;
	lws_sorted_usec_list_t look;
	struct buf message;
	bool once;  /* a connection has stood */
	bool down;  /* the connection ended; connect again at again_ms */
	bool told;  /* that it is down */
	bool ended; /* leave, with status */
	int status;
	unsigned close_code; /* the peer's, 0: none */
	char close_text[128];
	unsigned pause_ms;
	int64_t again_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 0 or ERR_MALFORMED */
static int ws_parse_url(const char *url, struct ws_address *ret)
{
	struct ws_address a = {0};
	static const struct {
		const char *scheme;
		bool tls;
	} known[] = {{"http://", false}, {"ws://", false}, {"https://", true}, {"wss://", true}};
	const char *p = NULL;
	for (size_t i = 0; i < ARRAY_LEN(known) && !p; i++)
		if (strncmp(url, known[i].scheme, strlen(known[i].scheme)) == 0) {
			p = url + strlen(known[i].scheme);
			a.tls = known[i].tls;
		}
	if (!p)
		return ERR_MALFORMED;
	bool bracket = *p == '[';
	p += bracket;
	size_t n = strcspn(p, bracket ? "]" : ":/");
	if (n == 0 || n >= sizeof(a.host) || (bracket && p[n] != ']'))
		return ERR_MALFORMED;
	memcpy(a.host, p, n);
	p += n + bracket;
	uint64_t port = a.tls ? 443 : 80;
	if (*p == ':') {
		size_t digits = strcspn(++p, "/");
		if (span_to_u64(span_of(p, digits), &port) < 0 || port < 1 || port > 65535)
			return ERR_MALFORMED;
		p += digits;
	}
	a.port = (int)port;
	if ((*p && *p != '/') || strlen(p) >= sizeof(a.prefix))
		return ERR_MALFORMED;
	if (strcmp(p, "/") != 0)
		strcpy(a.prefix, p);
	*ret = a;
	return 0;
}

static void end(struct ws *w, int status)
{
	w->ended = true;
	w->status = status;
}

/* The connection is gone, or did not come to stand. */
static void lost(struct ws *w, const char *why)
{
	w->wsi = NULL;
	if (w->ended)
		return;
	if (w->close_code == LWS_CLOSE_STATUS_POLICY_VIOLATION) { /* 1008: asking again is no use */
		end(w, cli_trouble(w->cli, "the broker ended it: %s",
		                   w->close_text[0] ? w->close_text : "not allowed"));
		return;
	}
	if (!w->once) {
		end(w, cli_trouble(w->cli, "no WebSocket at %s: %s", w->cli->url, why));
		return;
	}
	if (!w->told)
		cli_trouble(w->cli, "the connection is gone (%s); trying again",
		            w->close_text[0] ? w->close_text : why);
	w->told = w->down = true;
	w->again_ms = now_ms() + w->pause_ms;
	w->pause_ms = MIN_OF(w->pause_ms * 2, (unsigned)PAUSE_MAX_MS);
}

static int goodbye(struct lws *wsi)
{
	lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
	return -1;
}

static int on_receive(struct ws *w, struct lws *wsi, const void *in, size_t len)
{
	if (w->ended) /* what came before our goodbye */
		return 0;
	if (lws_is_first_fragment(wsi))
		buf_clear(&w->message);
	buf_add(&w->message, in, len);
	if (w->message.err) {
		end(w, cli_trouble(w->cli, "a message is larger than %d bytes", MESSAGE_BYTES));
		return -1;
	}
	if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
		return 0;
	w->pause_ms = PAUSE_FIRST_MS;
	if (!w->user->message(w->user->arg, span_of(w->message.p, w->message.len)))
		return 0;
	end(w, CLI_OK);
	return 0;
}

static void on_peer_close(struct ws *w, const unsigned char *in, size_t len)
{
	if (len < 2)
		return;
	w->close_code = (unsigned)in[0] << 8 | in[1];
	size_t n = MIN_OF(len - 2, sizeof(w->close_text) - 1);
	memcpy(w->close_text, in + 2, n);
	w->close_text[n] = 0;
	for (size_t i = 0; i < n; i++) /* it goes to a terminal */
		if ((unsigned char)w->close_text[i] < 0x20 || w->close_text[i] == 0x7f)
			w->close_text[i] = '.';
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
	(void)user;
	struct ws *w = wsi ? lws_context_user(lws_get_context(wsi)) : NULL;
	if (!w)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		if (w->told)
			cli_trouble(w->cli, "connected again");
		w->once = true;
		w->told = false;
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE: return on_receive(w, wsi, in, len);
	case LWS_CALLBACK_CLIENT_WRITEABLE: return w->ended ? goodbye(wsi) : 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: on_peer_close(w, in, len); return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: lost(w, in ? in : "no connection"); return 0;
	case LWS_CALLBACK_CLIENT_CLOSED: lost(w, "closed"); return 0;
	default: return 0;
	}
}

static void look(lws_sorted_usec_list_t *sul)
{
	struct ws *w = lws_container_of(sul, struct ws, look);
	lws_sul_schedule(w->context, 0, &w->look, look, (lws_usec_t)LOOK_MS * 1000);
}

static void connect_now(struct ws *w)
{
	struct buf path;
	buf_init(&path, PATH_BYTES);
	buf_add_str(&path, w->to.prefix);
	w->user->path(w->user->arg, &path);
	char host[300];
	snprintf(host, sizeof(host), strchr(w->to.host, ':') ? "[%s]:%d" : "%s:%d", w->to.host,
	         w->to.port);
	w->down = false;
	w->close_code = 0;
	w->close_text[0] = 0;
	struct lws_client_connect_info i = {
	    .context = w->context,
	    .address = w->to.host,
	    .port = w->to.port,
	    .ssl_connection = w->to.tls ? LCCSCF_USE_SSL : 0,
	    .path = buf_str(&path),
	    .host = host,
	    .protocol = w->subprotocol,
	    .local_protocol_name = w->subprotocol,
	    .ietf_version_or_minus_one = -1,
	    .pwsi = &w->wsi,
	};
	/* A failure at once has called CONNECTION_ERROR already, or it has not. */
	if (!lws_client_connect_via_info(&i) && !w->down && !w->ended)
		lost(w, "no connection");
	buf_done(&path);
}

static int loop(struct ws *w)
{
	look(&w->look);
	connect_now(w);
	while (!w->ended) {
		if (cli_stop()) {
			end(w, CLI_OK);
			break;
		}
		if (w->down && now_ms() >= w->again_ms)
			connect_now(w);
		if (!w->ended && lws_service(w->context, 0) < 0)
			end(w, cli_trouble(w->cli, "the WebSocket library gave up"));
	}
	/* a proper goodbye, when the peer takes it */
	int64_t until = now_ms() + GOODBYE_MS;
	if (w->wsi && w->once)
		lws_callback_on_writable(w->wsi);
	while (w->wsi && w->once && now_ms() < until)
		if (lws_service(w->context, 0) < 0)
			break;
	return w->status;
}

int ws_run(struct cli *c, const char *subprotocol, const struct ws_user *user)
{
	struct ws w = {
	    .cli = c, .user = user, .subprotocol = subprotocol, .pause_ms = PAUSE_FIRST_MS};
	if (ws_parse_url(c->url, &w.to) < 0)
		return cli_trouble(
		    c, "'%s' is no URL of a web listener; http://127.0.0.1:8080 is one", c->url);
	const struct lws_protocols protocols[] = {
	    {.name = subprotocol, .callback = callback, .rx_buffer_size = 64 << 10}, {0}};
	static const lws_retry_bo_t idle = {.secs_since_valid_ping = 40,
	                                    .secs_since_valid_hangup = 60};
	struct lws_context_creation_info info = {
	    .port = CONTEXT_PORT_NO_LISTEN,
	    .protocols = protocols,
	    .options = w.to.tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
	    .user = &w,
	    .timeout_secs = CONNECT_TIMEOUT_S,
	    .retry_and_idle_policy = &idle,
	    .pt_serv_buf_size = 64 << 10,
	};
	lws_set_log_level(0, NULL);
	unsetenv("http_proxy"); /* the library would send loopback there, too */
	buf_init(&w.message, MESSAGE_BYTES);
	w.context = lws_create_context(&info);
	int status = w.context ? loop(&w) : cli_trouble(c, "libwebsockets does not start");
	w.ended = true; /* callbacks of the destruction say nothing */
	if (w.context)
		lws_context_destroy(w.context);
	buf_done(&w.message);
	return status;
}
