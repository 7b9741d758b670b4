/* web.c - the life of the web room: one lws context on the daemon's loop, a vhost per listener. */
#include "base/err.h"
#include "base/mem.h"
#include "web/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { GOODBYE_MS = 500 };

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = http_callback, .per_session_data_size = sizeof(struct pss)},
    {.name = "cloudevents.json",
     .callback = ws_callback,
     .per_session_data_size = sizeof(struct pss),
     .rx_buffer_size = 4096},
    {0}};

/* A WebSocket that was silent is pinged; one that does not answer is closed. */
static const lws_retry_bo_t idle = {.secs_since_valid_ping = 30, .secs_since_valid_hangup = 45};

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
	snprintf(name, sizeof(w->vhost_names[0]), "%u:%s", (unsigned)l->kind, l->name);
	info.vhost_name = name;
	info.protocols = protocols;
	info.retry_and_idle_policy = &idle;
	info.keepalive_timeout = 30;
	info.timeout_secs = 20;
	if (l->kind == WEB_UNIX) {
		int err = remove_stale(l->address, why);
		if (err)
			return err;
		info.options = LWS_SERVER_OPTION_UNIX_SOCK;
		info.port = 0;
	} else {
		info.port = l->port;
	}
	info.iface = l->address;
	struct lws_vhost *v = lws_create_vhost(w->context, &info);
	if (!v) {
		buf_addf(why, "listener \"%s\": cannot listen at %s port %d: is the port in use?\n",
		         l->name, l->address, l->port);
		return ERR_CONFIG;
	}
	if (l->kind == WEB_UNIX && chmod(l->address, 0600))
		log_warn("The mode of the admin socket could not be set. path=%s", l->address);
	w->vhosts[w->n_listeners++] = v;
	return 0;
}

static void on_tick(uv_timer_t *t)
{
	live_tick(t->data);
}

int web_new(const struct web_options *o, struct web **ret, struct buf *why)
{
	struct web *w = xcalloc(1, sizeof(*w));
	void *loops[] = {o->loop};
	struct lws_context_creation_info info = {0};
	w->ops = o->ops;
	w->loop = o->loop;
	w->hub = o->hub;
	w->ingest = o->ingest;
	w->test_echo = o->test_echo;
	list_init(&w->reqs);
	list_init(&w->lives);
	list_init(&w->room);
	snprintf(w->base_url, sizeof(w->base_url), "%s", o->base_url);
	web_reconfigured(w);
	uv_timer_init(w->loop, &w->tick);
	w->tick.data = w;
	uv_timer_start(&w->tick, on_tick, 250, 250);
	lws_set_log_level(LLL_ERR | LLL_WARN, lws_says);
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
	               LWS_SERVER_OPTION_VALIDATE_UTF8 |
	               LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN;
	info.foreign_loops = loops;
	info.user = w;
	info.pt_serv_buf_size = 16 << 10;
	info.max_http_header_data = 8192;
	w->context = lws_create_context(&info);
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
}

void web_drain(struct web *w)
{
	w->draining = true;
	if (w->stats.websockets)
		w->drain_until_ms = uv_now(w->loop) + GOODBYE_MS;
	list_for_each_safe (it, &w->lives) {
		struct live *l = list_entry(it, struct live, node);
		if (l->wsi && l->kind != LIVE_PAGE) {
			l->ended = true;
			lws_callback_on_writable(l->wsi);
		} else if (l->wsi) {
			l->deadline_ms = 0;
			lws_callback_on_writable(l->wsi);
		}
	}
}

bool web_idle(const struct web *w)
{
	return list_empty(&w->lives) && list_empty(&w->reqs) &&
	       uv_now(w->loop) >= w->drain_until_ms;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	uv_close((uv_handle_t *)&w->tick, NULL);
	if (w->context) {
		lws_context_destroy(w->context);
		for (int i = 0; i < 10; i++)
			uv_run(w->loop, UV_RUN_NOWAIT);
		lws_context_destroy(w->context);
	}
	while (!list_empty(&w->reqs)) {
		struct req *r = list_entry(w->reqs.next, struct req, node);
		r->wsi = NULL;
		r->pending = 0;
		req_release(r);
	}
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
