/* web.c - the life of the web room: one lws context on the daemon's loop, a vhost per listener. */
#include "base/err.h"
#include "base/mem.h"
#include "privacy/grid.h"
#include "web/private.h"
#include "web/sta.h"
#include "web/sta_tell.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { GOODBYE_MS = 500, TICK_MS = 250, KEEPALIVE_S = 60, KEEPALIVE_PROBES = 3, VHOSTS_RUN = 10 };
/* lws keeps so much for each WebSocket; a subscriber says nothing but pongs */
enum { SUBSCRIBER_RX_BYTES = 512, MQTT_RX_BYTES = 4 << 10, ECHO_RX_BYTES = 16 << 10 };
enum { PROTOCOL_HTTP, PROTOCOL_EVENTS, PROTOCOL_MQTT, PROTOCOL_ECHO };

/* Pings are ours (live.c): lws counts what it hears only, and would end a subscriber that is slow
 * to read its way to the ping. */
static const lws_retry_bo_t never = {.secs_since_valid_ping = 0, .secs_since_valid_hangup = 0};

static void lws_says(int level, const char *line)
{
	size_t n = strlen(line);
	if (level & LLL_ERR)
		log_debug("libwebsockets: %.*s", (int)(n && line[n - 1] == '\n' ? n - 1 : n), line);
}

/* A socket file that nobody listens on is left from an unclean end. */
static int remove_stale(const char *path, struct buf *why)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(a.sun_path)) {
		buf_addf(why, "admin-socket: the path is longer than %zu bytes: %s\n",
		         sizeof(a.sun_path) - 1, path);
		return ERR_TOO_LARGE;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	if (fd >= 0)
		close(fd);
	if (alive) {
		buf_addf(why, "admin-socket: another oudpd listens at %s\n", path);
		return ERR_PROTOCOL;
	}
	unlink(path);
	return 0;
}

static int open_vhost(struct web *w, const struct web_listener *l, struct buf *why)
{
	struct lws_context_creation_info info = {0};
	char *name = w->vhost_names[w->n_listeners];
	snprintf(name, sizeof(w->vhost_names[0]), "%u:%u:%s", (unsigned)l->kind, w->n_listeners,
	         l->name);
	w->trusted[w->n_listeners] = l->trusted;
	w->any_name[w->n_listeners] = l->any_name;
	w->known_only[w->n_listeners] = l->known_only;
	w->secure[w->n_listeners] = l->tls != NULL;
	info.vhost_name = name;
	info.protocols = w->protocols;
	info.retry_and_idle_policy = &never;
	info.keepalive_timeout = LIMIT_WEB_IDLE_S; /* between requests */
	info.iface = l->address;
	if (l->kind == WEB_UNIX) {
		int err = remove_stale(l->address, why);
		if (err)
			return err;
		info.options = LWS_SERVER_OPTION_UNIX_SOCK;
	} else {
		info.port = l->port;
		info.ka_time = KEEPALIVE_S; /* a peer that vanished without a word is noticed */
		info.ka_probes = KEEPALIVE_PROBES;
		info.ka_interval = KEEPALIVE_S / KEEPALIVE_PROBES;
		if (strcmp(l->address, "0.0.0.0") == 0 || strcmp(l->address, "::") == 0)
			info.iface = NULL; /* all interfaces */
		if (!strchr(l->address, ':'))
			info.options = LWS_SERVER_OPTION_DISABLE_IPV6;
	}
	if (l->tls) { /* certificate and policy come in by the callback, from tls.h */
		info.options |=
		    LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
		info.alpn = "http/1.1";
	}
	w->opening = l->tls;
	if (!lws_create_vhost(w->context, &info)) {
		buf_addf(why, "listener \"%s\": cannot listen at %s port %d: is the port in use?\n",
		         l->name, l->address, l->port);
		return ERR_CONFIG;
	}
	if (l->kind == WEB_UNIX) {
		/* lws sets 0660; the folder is the administrator's alone meanwhile */
		if (chmod(l->address, 0600))
			log_warn("The mode of the admin socket could not be set. path=%s",
			         l->address);
		snprintf(w->socket_path, sizeof(w->socket_path), "%s", l->address);
	}
	w->n_listeners++;
	return 0;
}

static void on_tick(uv_timer_t *t)
{
	struct web *w = t->data;
	live_tick(w, uv_now(w->loop));
	seen_tick(&w->seen, uv_now(w->loop));
	pages_wake(w); /* one that has waited long enough takes what there is */
	mqtt_tick(w, uv_now(w->loop));
	behind_tick(w);
	linger_tick(w, uv_now(w->loop));
	web_room(w); /* also those who are slowed to the rate of their grant */
	w->stats.frame_bytes = w->frames.bytes;
}

static void on_tick_closed(uv_handle_t *t)
{
	((struct web *)t->data)->tick_closed = true;
}

static struct lws_context *make_context(struct web *w)
{
	void *loops[] = {w->loop};
	struct lws_context_creation_info info = {0};
	lws_set_log_level(LLL_ERR | LLL_WARN, lws_says);
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
	               LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8 |
	               LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN |
	               LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
	info.foreign_loops = loops;
	info.user = w;
	info.server_string = "oudpd";
	info.pt_serv_buf_size = 16 << 10;
	info.max_http_header_data = LIMIT_WEB_HEADER_BYTES;
	info.timeout_secs = LIMIT_WEB_HEADER_S;
	info.timeout_secs_ah_idle = LIMIT_WEB_HEADER_S;
	info.gid = (gid_t)-1;
	info.uid = (uid_t)-1;
	return lws_create_context(&info);
}

static int web_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t len);

static void name_protocols(struct web *w)
{
	const struct lws_protocols one = {.callback = web_callback,
	                                  .per_session_data_size = sizeof(struct pss),
	                                  .rx_buffer_size = SUBSCRIBER_RX_BYTES,
	                                  /* more than this lws would keep and send later */
	                                  .tx_packet_size = LIMIT_WEB_EVENT_BYTES};
	for (int i = PROTOCOL_HTTP; i <= PROTOCOL_ECHO; i++)
		w->protocols[i] = one;
	w->protocols[PROTOCOL_HTTP].name = "http";
	w->protocols[PROTOCOL_EVENTS].name = w->events_name;
	w->protocols[PROTOCOL_MQTT].name = w->mqtt_name;
	w->protocols[PROTOCOL_MQTT].rx_buffer_size = MQTT_RX_BYTES;
	if (w->test_echo) /* without a subprotocol it speaks the first */
		w->protocols[PROTOCOL_HTTP].rx_buffer_size = ECHO_RX_BYTES;
	w->protocols[PROTOCOL_ECHO].rx_buffer_size = ECHO_RX_BYTES;
	w->protocols[PROTOCOL_ECHO].name = w->echo_name; /* changes from upgrade to upgrade */
}

int web_new(const struct web_options *o, struct web **ret, struct buf *why)
{
	struct web *w = xcalloc(1, sizeof(*w));
	w->ops = o->ops;
	w->loop = o->loop;
	w->hub = o->hub;
	w->ingest = o->ingest;
	w->access = o->access;
	w->sessions = o->sessions;
	w->addresses = o->addresses;
	w->things = o->things;
	w->entities = o->entities;
	w->promises = o->promises;
	w->series = o->series;
	map_init(&w->zones);
	map_init(&w->sta_writing);
	w->sta_hints = sta_hints_new();
	w->eraser = o->eraser;
	w->test_echo = o->test_echo;
	list_init(&w->reqs);
	list_init(&w->lives);
	list_init(&w->room);
	list_init(&w->mqtts);
	list_init(&w->mqtt_resume);
	list_init(&w->pages);
	list_init(&w->resting);
	list_init(&w->came);
	list_init(&w->with_more);
	list_init(&w->lingering);
	frames_init(&w->frames, w->hub, &w->event);
	w->teller = sta_teller_new(w);
	seen_init(&w->seen, w->hub, pages_wake, w);
	buf_init(&w->logo, LIMIT_LOGO_BYTES + 1);
	assets_init(w);
	buf_init(&w->scratch, LIMIT_WEB_EVENT_BYTES);
	buf_init(&w->one, LIMIT_WEB_EVENT_BYTES);
	snprintf(w->base_url, sizeof(w->base_url), "%s", o->base_url);
	web_reconfigured(w);
	name_protocols(w);
	uv_timer_init(w->loop, &w->tick);
	w->tick.data = w;
	uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
	w->context = make_context(w);
	int err = w->context && o->n_listeners <= LISTENERS ? 0 : ERR_CONFIG;
	if (err)
		buf_add_str(
		    why,
		    "the HTTP server could not be made: is libwebsockets-evlib-uv installed?\n");
	for (unsigned i = 0; !err && i < o->n_listeners; i++)
		err = open_vhost(w, &o->listeners[i], why);
	if (err) {
		web_free(w);
		return err;
	}
	*ret = w;
	return 0;
}

void web_reconfigured(struct web *w)
{
	const struct config *c = hub_config(w->hub);
	w->event = (struct event_context){span_str(c->oin), span_str(c->system),
	                                  span_str(c->domain), span_str(w->base_url)};
	logo_read(w);
	pages_policy(w);
}

void web_judge(struct web *w)
{
	live_judge(w);
}

void web_drain(struct web *w)
{
	w->draining = true;
	if (w->stats.websockets || w->stats.mqtt_connections)
		w->drain_until_ms = uv_now(w->loop) + GOODBYE_MS;
	conns_drain(w);
	list_for_each (it, &w->lives) {
		struct live *l = list_entry(it, struct live, node);
		if (l->kind != LIVE_PAGE)
			live_end(l, 1001);
		if (l->wsi) /* a page that waits ends with what it has */
			conn_wake(l->wsi);
	}
}

void web_turn(struct web *w)
{
	if (!w)
		return;
	mqtt_turn(w);
	behind_judge(w);
	sta_teller_turn(w->teller);
}

void web_record(struct web *w, const struct feed *f, const struct record *r)
{
	if (w)
		sta_teller_record(w->teller, f, r);
}

bool web_idle(const struct web *w)
{
	return list_empty(&w->lives) && list_empty(&w->reqs) && list_empty(&w->mqtts) &&
	       sta_teller_idle(w->teller) && uv_now(w->loop) >= w->drain_until_ms;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	uv_close((uv_handle_t *)&w->tick, on_tick_closed);
	linger_end(w);
	if (w->context)
		lws_context_destroy(w->context);
	/* lws on a loop that is not its own is destroyed twice: its handles close in between. */
	for (int i = 0; i < VHOSTS_RUN || !w->tick_closed; i++)
		uv_run(w->loop, UV_RUN_NOWAIT);
	if (w->context)
		lws_context_destroy(w->context);
	while (!list_empty(&w->reqs)) {
		struct req *r = list_entry(w->reqs.next, struct req, node);
		r->wsi = NULL;
		r->pending = 0;
		req_release(r);
	}
	assert(list_empty(&w->lives) && list_empty(&w->mqtts));
	sta_teller_free(w->teller);
	frames_done(&w->frames);
	seen_done(&w->seen);
	buf_done(&w->logo);
	if (w->socket_path[0])
		unlink(w->socket_path);
	buf_done(&w->scratch);
	buf_done(&w->one);
	grid_free(w->crs);
	map_done(&w->sta_writing);
	free(w->sta_hints);
	web_zones_free(w);
	free(w);
}

const struct web_stats *web_stats(const struct web *w)
{
	return &w->stats;
}

struct web *web_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

enum web_kind kind_of(struct lws *wsi)
{
	return (enum web_kind)atoi(lws_get_vhost_name(lws_get_vhost(wsi)));
}

static unsigned number_of(struct lws *wsi)
{
	const char *name = lws_get_vhost_name(lws_get_vhost(wsi)), *colon = strchr(name, ':');
	unsigned n = colon ? (unsigned)atoi(colon + 1) : 0;
	assert(n < LISTENERS);
	return n;
}

bool is_trusted(struct lws *wsi)
{
	return web_of(wsi)->trusted[number_of(wsi)];
}

bool is_by_any_name(struct lws *wsi)
{
	return !is_trusted(wsi) || web_of(wsi)->any_name[number_of(wsi)];
}

bool is_known_only(struct lws *wsi)
{
	return web_of(wsi)->known_only[number_of(wsi)];
}

bool is_secure(struct lws *wsi)
{
	return web_of(wsi)->secure[number_of(wsi)];
}

/* ---- what lws says: to whom it goes ---- */

/* The administrator gets in when subscribers fill the house. Who waits for nothing makes room. */
static bool is_full(struct lws *wsi)
{
	struct web *w = web_of(wsi);
	uint64_t most =
	    MIN_OF((uint64_t)LIMIT_WEB_CONNECTIONS, hub_config(w->hub)->max_connections);
	if (kind_of(wsi) != WEB_TCP)
		most += LIMIT_WEB_SPARE;
	if (w->connections < most || conns_make_room(w, NULL))
		return false;
	w->stats.refused_connections++;
	return true;
}

static bool peer_of(lws_sockfd_type fd, struct sockaddr_storage *ret)
{
	socklen_t n = sizeof(*ret);
	return getpeername(fd, (struct sockaddr *)ret, &n) == 0;
}

/* Of a connection that is not accepted yet. */
static bool is_full_address(struct lws *wsi, lws_sockfd_type fd)
{
	struct web *w = web_of(wsi);
	struct sockaddr_storage a;
	if (!peer_of(fd, &a) || !addresses_full(w->addresses, (struct sockaddr *)&a,
	                                        hub_config(w->hub)->max_per_address))
		return false;
	if (conns_make_room(w, addresses_find(w->addresses, (struct sockaddr *)&a)))
		return false;
	w->stats.refused_connections++;
	return true;
}

/* It is open: counted until its wsi goes. */
static void enter(struct lws *wsi)
{
	struct web *w = web_of(wsi);
	struct sockaddr_storage a;
	struct address *one = NULL;
	if (peer_of(lws_get_socket_fd(wsi), &a) &&
	    addresses_enter(w->addresses, (struct sockaddr *)&a, 0, &one))
		one = NULL;
	conn_open(wsi, one);
}

static void count_connections(struct web *w, int change)
{
	w->connections += (uint64_t)(int64_t)change;
	uint64_t others = w->stats.websockets + w->stats.mqtt_connections;
	w->stats.http_connections = w->connections - MIN_OF(w->connections, others);
}

/* lws 4.1.6 returns a close frame of one byte, and codes that cannot be, as they came. They are
 * errors [RFC 6455, 5.5.1 and 7.4.2]. */
static int on_peer_close(struct lws *wsi, const uint8_t *p, size_t n)
{
	unsigned char mem[LWS_PRE + 4];
	unsigned code = n >= 2 ? (unsigned)p[0] << 8 | p[1] : 0;
	if (n == 0 || (n >= 2 && code < 5000))
		return 0;
	memcpy(mem + LWS_PRE, "\x88\x02\x03\xea", 4); /* 1002 */
	if (lws_write(wsi, mem + LWS_PRE, 4, LWS_WRITE_RAW) < 0)
		log_debug("A peer was gone before its close was answered.");
	return -1;
}

static int web_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t len)
{
	struct pss *pss = user;
	switch (reason) {
	case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS: /* user is the SSL_CTX */
		return tls_serve(web_of(wsi)->opening, user) != 0;
	case LWS_CALLBACK_FILTER_NETWORK_CONNECTION: /* user is no session yet */
		return is_full(wsi) || is_full_address(wsi, (lws_sockfd_type)(intptr_t)in) ||
		       web_of(wsi)->draining;
	case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED: enter(wsi); return 0;
	case LWS_CALLBACK_WSI_CREATE: count_connections(web_of(wsi), 1); return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		conn_gone(wsi);
		count_connections(web_of(wsi), -1);
		return 0;
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return upgrade_confirm(wsi, in);
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return 0; /* upgrade_confirm() has looked */
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return on_peer_close(wsi, in, len);
	case LWS_CALLBACK_ESTABLISHED:
	case LWS_CALLBACK_SERVER_WRITEABLE:
	case LWS_CALLBACK_RECEIVE:
	case LWS_CALLBACK_RECEIVE_PONG:
	case LWS_CALLBACK_CLOSED: {
		bool begins = reason == LWS_CALLBACK_ESTABLISHED;
		bool echo = begins ? is_echo(wsi) : pss && pss->echo;
		bool mqtt = begins ? is_mqtt(wsi) : pss && pss->mqtt;
		int err = echo   ? echo_callback(wsi, reason, pss, in, len)
		          : mqtt ? mqtt_callback(wsi, reason, pss, in, len)
		                 : ws_callback(wsi, reason, pss);
		if (reason == LWS_CALLBACK_ESTABLISHED || reason == LWS_CALLBACK_CLOSED)
			count_connections(web_of(wsi), 0);
		return err;
	}
	default: return http_callback(wsi, reason, pss, in, len);
	}
}
