/* tcp.c - see tcp.h. Traps minded: a connection outlives its pending write; uv_try_write says
 * EAGAIN while a write is queued; reading is stopped, not slowed, when the batch is full. */
#include "net/tcp.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	BACKLOG = 1024,     /* connections the kernel may hold while the loop is busy */
	LISTENERS_MAX = 16, /* blocks with protocol = mqtt */
};

struct conn {
	struct link link;
	struct tcp *tcp;
	uv_tcp_t handle;
	struct address *address;
	uv_write_t write;
	struct tls_stream *tls; /* NULL: plain */
	struct buf wire;        /* TLS: ciphertext on its way out */
	struct list shaking;    /* tcp->shaking: ciphertext in rx waits for the next turn */
	struct buf rx;          /* bytes not taken yet */
	struct buf writing;     /* handed to uv_write */
	struct list open;       /* tcp->open */
	struct list dirty;      /* tcp->dirty */
	struct list resume;     /* tcp->resume */
	bool paused, closing, ended, reading, bye_said;
	uint64_t close_at_ms;
};

struct listener {
	uv_tcp_t handle;
	struct tcp *tcp;
	SSL_CTX *tls; /* NULL: plain */
	bool trusted, known_only;
};

struct tcp {
	struct loop *loop;
	struct sessions *sessions;
	struct addresses *addresses;
	const struct hub *hub;
	unsigned connections_max;
	struct listener listeners[LISTENERS_MAX];
	unsigned n_listeners;
	struct list open, dirty, resume, shaking;
	struct tls_way *way; /* made with the first listener that has TLS, and: */
	char *plain;         /* LIMIT_READ_CHUNK_BYTES + TLS_RECORD_BYTES_MAX */
	unsigned shaken;     /* handshakes moved on in this turn */
	char *chunk;         /* LIMIT_READ_CHUNK_BYTES, of whoever is being read */
	bool stopped;
	uint64_t refused_logged_ms;
	struct tcp_stats stats;
};

int tcp_new(struct loop *l, const struct hub *h, struct sessions *sessions,
            struct addresses *addresses, unsigned connections_max, struct tcp **ret)
{
	struct tcp *t = xcalloc(1, sizeof(*t));
	t->loop = l;
	t->hub = h;
	t->sessions = sessions;
	t->addresses = addresses;
	t->connections_max = connections_max;
	list_init(&t->open);
	list_init(&t->dirty);
	list_init(&t->resume);
	list_init(&t->shaking);
	t->chunk = xmalloc(LIMIT_READ_CHUNK_BYTES);
	*ret = t;
	return 0;
}

void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	assert(list_empty(&t->open));
	for (unsigned i = 0; i < t->n_listeners; i++)
		SSL_CTX_free(t->listeners[i].tls);
	tls_way_free(t->way);
	free(t->plain);
	free(t->chunk);
	free(t);
}

const struct tcp_stats *tcp_stats(const struct tcp *t)
{
	return &t->stats;
}
bool tcp_busy(const struct tcp *t)
{
	return !list_empty(&t->shaking);
}
bool tcp_idle(const struct tcp *t)
{
	return list_empty(&t->open);
}

/* ---- the end of a connection ---- */

static void conn_free(uv_handle_t *h)
{
	struct conn *c = h->data;
	list_remove(&c->open);
	addresses_leave(c->tcp->addresses, c->address);
	c->tcp->stats.open--;
	c->tcp->stats.tls_open -= c->tls != NULL;
	tls_stream_free(c->tls);
	buf_done(&c->wire);
	buf_done(&c->rx);
	buf_done(&c->writing);
	buf_done(&c->link.out);
	free(c);
}

static void conn_end(struct conn *c)
{
	if (c->ended)
		return;
	c->ended = true;
	list_remove(&c->dirty);
	list_remove(&c->resume);
	list_remove(&c->shaking);
	if (c->link.session)
		session_gone(c->link.session);
	uv_close((uv_handle_t *)&c->handle, conn_free);
}

/* ---- writing ---- */

static void conn_flush(struct conn *c);

static void written(uv_write_t *w, int status)
{
	struct conn *c = w->data;
	c->link.in_flight = 0;
	buf_done(&c->writing);
	if (c->ended)
		return;
	if (status < 0) {
		conn_end(c);
		return;
	}
	conn_flush(c);
	if (!c->ended && c->link.session)
		session_writable(c->link.session);
}

static void queue_rest(struct conn *c, struct buf *out)
{
	c->writing = *out;
	buf_init(out, LIMIT_LINK_OUT_BYTES);
	c->link.in_flight = c->writing.len;
	c->write.data = c;
	uv_buf_t b = uv_buf_init(c->writing.p, (unsigned)c->writing.len);
	if (uv_write(&c->write, (uv_stream_t *)&c->handle, &b, 1, written))
		conn_end(c);
}

/* What goes to the kernel; with TLS, made of what the session has said. */
static struct buf *to_wire(struct conn *c)
{
	struct buf *out = &c->link.out;
	if (!c->tls)
		return out;
	if (out->len && !out->err && tls_stream_is_up(c->tls) &&
	    tls_stream_write(c->tls, out, &c->wire))
		c->wire.err = c->wire.err ? c->wire.err : ERR_PROTOCOL;
	if (c->closing && !c->bye_said)
		tls_stream_bye(c->tls, &c->wire);
	c->bye_said = c->closing;
	if (!out->len && out->cap > LIMIT_LINK_KEEP_BYTES)
		buf_done(out);
	return &c->wire;
}

static void conn_flush(struct conn *c)
{
	if (c->ended || c->link.in_flight)
		return;
	struct buf *out = to_wire(c);
	if (c->link.out.err || out->err) {
		log_warn("A client's answers did not fit its buffer. peer=%s", c->link.peer);
		conn_end(c);
		return;
	}
	if (out->len) {
		uv_buf_t b = uv_buf_init(out->p, (unsigned)out->len);
		int n = uv_try_write((uv_stream_t *)&c->handle, &b, 1);
		if (n < 0 && n != UV_EAGAIN) {
			conn_end(c);
			return;
		}
		if (n > 0) {
			c->tcp->stats.bytes_out += (uint64_t)n;
			if ((size_t)n < out->len)
				buf_drop(out, (size_t)n);
			else
				buf_clear(out);
		}
		if (out->len) {
			queue_rest(c, out);
			return;
		}
	}
	if (out->cap > LIMIT_LINK_KEEP_BYTES)
		buf_done(out);
	if (c->closing)
		conn_end(c);
}

static void link_flush(struct link *l)
{
	struct conn *c = container_of(l, struct conn, link);
	if (list_empty(&c->dirty) && !c->ended)
		list_append(&c->tcp->dirty, &c->dirty);
}

static void link_pause(struct link *l)
{
	struct conn *c = container_of(l, struct conn, link);
	c->paused = true;
	if (c->reading)
		uv_read_stop((uv_stream_t *)&c->handle);
	c->reading = false;
}

static void link_resume(struct link *l)
{
	struct conn *c = container_of(l, struct conn, link);
	if (list_empty(&c->resume) && !c->ended)
		list_append(&c->tcp->resume, &c->resume);
}

static void link_close(struct link *l)
{
	struct conn *c = container_of(l, struct conn, link);
	c->closing = true;
	c->close_at_ms = uv_now(loop_uv(c->tcp->loop)) + LIMIT_LINK_CLOSE_WAIT_MS;
	if (c->reading)
		uv_read_stop((uv_stream_t *)&c->handle);
	c->reading = false;
	link_flush(l);
}

static const struct link_ops ops = {link_flush, link_pause, link_resume, link_close};

/* ---- reading ---- */

static void give_chunk(uv_handle_t *h, size_t suggested UNUSED, uv_buf_t *ret)
{
	struct conn *c = h->data;
	*ret = uv_buf_init(c->tcp->chunk, LIMIT_READ_CHUNK_BYTES);
}

static void feed_session(struct conn *c, const char *p, size_t n)
{
	if (link_input(&c->link, &c->rx, p, n))
		conn_end(c);
}

/* Ciphertext: at most LIMIT_TLS_HANDSHAKES_TURN handshakes move on in a turn; the others' bytes
 * wait in rx, which has nothing else to keep before the handshake is done. */
static void take_wire(struct conn *c, const char *p, size_t n)
{
	struct tcp *t = c->tcp;
	int end = 0;
	bool up = tls_stream_is_up(c->tls);
	if (!up && t->shaken >= LIMIT_TLS_HANDSHAKES_TURN) {
		buf_add(&c->rx, p, n);
		if (c->reading)
			uv_read_stop((uv_stream_t *)&c->handle);
		c->reading = false;
		list_append(&t->shaking, &c->shaking);
		return;
	}
	t->shaken += !up;
	size_t got = tls_stream_read(c->tls, p, n, t->plain, &c->wire, &end);
	if (got && c->link.session)
		feed_session(c, t->plain, got);
	if (c->ended)
		return;
	if (c->wire.len)
		link_flush(&c->link);
	if (!end)
		return;
	if (end == ERR_PROTOCOL) {
		t->stats.tls_failed++;
		log_debug("TLS failed. peer=%s during=%s", c->link.peer,
		          up ? "connection" : "handshake");
		conn_flush(c); /* its alert */
	}
	conn_end(c);
}

static void shake_on(struct conn *c)
{
	struct buf kept = c->rx;
	buf_init(&c->rx, kept.max);
	take_wire(c, kept.p, kept.len);
	buf_done(&kept);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = s->data;
	if (c->ended || c->closing || n == 0)
		return;
	if (n < 0) {
		conn_end(c);
		return;
	}
	c->tcp->stats.bytes_in += (uint64_t)n;
	if (c->tls)
		take_wire(c, b->base, (size_t)n);
	else
		feed_session(c, b->base, (size_t)n);
}

static void conn_read(struct conn *c)
{
	if (c->reading || c->ended || c->closing)
		return;
	c->reading = true;
	if (uv_read_start((uv_stream_t *)&c->handle, give_chunk, on_read))
		conn_end(c);
}

static void conn_resume(struct conn *c)
{
	c->paused = false;
	if (link_input_kept(&c->link, &c->rx))
		conn_end(c);
	if (!c->paused && c->link.session)
		conn_read(c);
}

/* ---- accepting ---- */

static void peer_name(uv_tcp_t *h, char *out, size_t size)
{
	struct sockaddr_storage a;
	int n = sizeof(a), port = 0;
	char host[INET6_ADDRSTRLEN] = "?";
	if (uv_tcp_getpeername(h, (struct sockaddr *)&a, &n) == 0) {
		if (a.ss_family == AF_INET6) {
			uv_ip6_name((struct sockaddr_in6 *)&a, host, sizeof(host));
			port = ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
		} else {
			uv_ip4_name((struct sockaddr_in *)&a, host, sizeof(host));
			port = ntohs(((struct sockaddr_in *)&a)->sin_port);
		}
	}
	snprintf(out, size, "%s:%d", host, port);
}

static void refuse_closed(uv_handle_t *h)
{
	free(h);
}

static void refuse(struct tcp *t, uv_stream_t *listener)
{
	uv_tcp_t *h = xcalloc(1, sizeof(*h));
	uv_tcp_init(loop_uv(t->loop), h);
	uint64_t now = uv_now(loop_uv(t->loop));
	t->stats.refused++;
	if (uv_accept(listener, (uv_stream_t *)h) == 0 && now - t->refused_logged_ms > 10000) {
		t->refused_logged_ms = now;
		log_warn("More clients than max-connections allows: refused. open=%llu",
		         (unsigned long long)t->stats.open);
	}
	uv_close((uv_handle_t *)h, refuse_closed);
}

/* false: its address has as many as one may have. */
static bool has_place(struct tcp *t, struct conn *c)
{
	struct sockaddr_storage a;
	int n = sizeof(a);
	uint64_t now = uv_now(loop_uv(t->loop));
	if (uv_tcp_getpeername(&c->handle, (struct sockaddr *)&a, &n))
		return true; /* it is gone; reading will tell */
	if (addresses_enter(t->addresses, (struct sockaddr *)&a,
	                    hub_config(t->hub)->max_per_address, &c->address) == 0)
		return true;
	t->stats.refused++;
	if (now - t->refused_logged_ms > 10000) {
		t->refused_logged_ms = now;
		log_warn("More connections of one address than max-connections-per-address allows: "
		         "refused.");
	}
	return false;
}

static bool start_tls(struct conn *c, SSL_CTX *ctx)
{
	if (!ctx)
		return true;
	c->tls = tls_stream_new(c->tcp->way, ctx);
	if (!c->tls)
		return false;
	c->tcp->stats.tls_open++;
	c->link.ssl = tls_stream_ssl(c->tls);
	return true;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct listener *from = listener->data;
	struct tcp *t = from->tcp;
	if (status < 0) {
		log_warn("A connection could not be accepted. error=\"%s\"", uv_strerror(status));
		return;
	}
	if (t->stats.open >= t->connections_max) {
		refuse(t, listener);
		return;
	}
	struct conn *c = xcalloc(1, sizeof(*c));
	c->tcp = t;
	c->link.ops = &ops;
	buf_init(&c->link.out, LIMIT_LINK_OUT_BYTES);
	buf_init(&c->rx, LIMIT_PACKET_BYTES_MAX + LIMIT_READ_CHUNK_BYTES);
	list_init(&c->dirty);
	list_init(&c->resume);
	list_init(&c->open);
	list_init(&c->shaking);
	buf_init(&c->wire, LIMIT_LINK_OUT_BYTES);
	c->link.trusted = from->trusted;
	c->link.known_only = from->known_only;
	uv_tcp_init(loop_uv(t->loop), &c->handle);
	c->handle.data = c;
	list_append(&t->open, &c->open);
	t->stats.open++;
	t->stats.accepted++;
	if (uv_accept(listener, (uv_stream_t *)&c->handle) || !has_place(t, c) ||
	    !start_tls(c, from->tls)) {
		conn_end(c);
		return;
	}
	uv_tcp_nodelay(&c->handle, 1);
	peer_name(&c->handle, c->link.peer, sizeof(c->link.peer));
	session_open(t->sessions, &c->link);
	conn_read(c);
}

static int make_tls(struct tcp *t, struct listener *ln, struct tls *tls)
{
	if (!tls)
		return 0;
	if (!t->way) {
		t->way = tls_way_new();
		t->plain = xmalloc(LIMIT_READ_CHUNK_BYTES + TLS_RECORD_BYTES_MAX);
	}
	ln->tls = t->way ? tls_context_new(tls) : NULL;
	return ln->tls ? 0 : ERR_CONFIG;
}

int tcp_listen(struct tcp *t, const struct config_listener *l, struct tls *tls, struct buf *why)
{
	struct sockaddr_storage a;
	const char *host = strcmp(l->address, "localhost") == 0 ? "127.0.0.1" : l->address;
	if (t->n_listeners == LISTENERS_MAX) {
		buf_addf(why, "listener \"%s\": at most %d with protocol = mqtt\n", l->name,
		         LISTENERS_MAX);
		return ERR_TOO_LARGE;
	}
	if (uv_ip4_addr(host, (int)l->port, (struct sockaddr_in *)&a) &&
	    uv_ip6_addr(host, (int)l->port, (struct sockaddr_in6 *)&a)) {
		buf_addf(why, "listener \"%s\": address %s is no IP address\n", l->name,
		         l->address);
		return ERR_CONFIG;
	}
	struct listener *ln = &t->listeners[t->n_listeners];
	uv_tcp_t *h = &ln->handle;
	int err = uv_tcp_init(loop_uv(t->loop), h);
	if (err)
		return err;
	h->data = ln;
	ln->tcp = t;
	ln->trusted = l->loopback || l->insecure;
	ln->known_only = !l->anonymous;
	t->n_listeners++;
	if (make_tls(t, ln, tls)) {
		buf_addf(why, "listener \"%s\": OpenSSL cannot serve tls \"%s\"\n", l->name,
		         l->tls);
		return ERR_CONFIG;
	}
	err = uv_tcp_bind(h, (struct sockaddr *)&a, 0);
	err = err ? err : uv_listen((uv_stream_t *)h, BACKLOG, on_connection);
	if (err)
		buf_addf(why, "listener \"%s\": cannot listen at %s port %llu: %s\n", l->name,
		         l->address, (unsigned long long)l->port, uv_strerror(err));
	return err;
}

/* ---- turns and the end ---- */

/* As many as were waiting when the turn began, up to the limit. */
static void shake_some(struct tcp *t)
{
	t->shaken = 0;
	for (unsigned i = 0; i < LIMIT_TLS_HANDSHAKES_TURN && !list_empty(&t->shaking); i++) {
		struct conn *c = list_entry(t->shaking.next, struct conn, shaking);
		list_remove(&c->shaking);
		shake_on(c);
		if (!c->ended && list_empty(&c->shaking) && !c->paused)
			conn_read(c);
	}
}

void tcp_turn(struct tcp *t)
{
	shake_some(t);
	while (!list_empty(&t->resume)) {
		struct list some;
		list_init(&some);
		list_splice(&some, &t->resume);
		while (!list_empty(&some)) {
			struct conn *c = list_entry(some.next, struct conn, resume);
			list_remove(&c->resume);
			conn_resume(c);
		}
	}
	while (!list_empty(&t->dirty)) {
		struct conn *c = list_entry(t->dirty.next, struct conn, dirty);
		list_remove(&c->dirty);
		conn_flush(c);
		/* A subscriber that is behind goes on as soon as the kernel took its bytes. */
		if (!c->ended && c->link.session && !c->link.in_flight)
			session_writable(c->link.session);
	}
}

void tcp_second(struct tcp *t)
{
	uint64_t now = uv_now(loop_uv(t->loop));
	list_for_each_safe (it, &t->open) {
		struct conn *c = list_entry(it, struct conn, open);
		if (c->closing && !c->ended && now >= c->close_at_ms)
			conn_end(c);
	}
}

void tcp_stop_listening(struct tcp *t)
{
	if (t->stopped)
		return;
	t->stopped = true;
	for (unsigned i = 0; i < t->n_listeners; i++)
		uv_close((uv_handle_t *)&t->listeners[i].handle, NULL);
}

void tcp_close(struct tcp *t)
{
	tcp_stop_listening(t);
	list_for_each_safe (it, &t->open)
		conn_end(list_entry(it, struct conn, open));
}
