/* linger.c - the end of a connection whose client is still sending. To close a socket with bytes in
 * it that were not read resets the connection, and the answer that is on its way is lost with it
 * (RFC 9112, 9.6). lws does not wait for the client where libuv is the loop; so the socket is held
 * here by one more descriptor, told that nothing more goes out, and read to its end. */
#include "base/mem.h"
#include "web/keep.h"
#include "web/private.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DROP_BYTES = 64 << 10 };

struct lingering {
	struct list node;
	struct web *web;
	uv_poll_t poll;
	int fd;
	size_t dropped;
	uint64_t until_ms;
};

static void closed(uv_handle_t *h)
{
	free(h->data);
}

static void end(struct lingering *l)
{
	list_remove(&l->node);
	l->web->n_lingering--;
	(void)uv_poll_stop(&l->poll);
	close(l->fd);
	uv_close((uv_handle_t *)&l->poll, closed);
}

static void on_bytes(uv_poll_t *h, int status, int events UNUSED)
{
	struct lingering *l = h->data;
	char mem[DROP_BYTES];
	ssize_t n = status ? 0 : recv(l->fd, mem, sizeof(mem), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	l->dropped += n > 0 ? (size_t)n : 0;
	if (n <= 0 || l->dropped > LIMIT_WEB_LINGER_BYTES)
		end(l);
}

int linger(struct lws *wsi)
{
	struct web *w = web_of(wsi);
	SSL *ssl = lws_get_ssl(wsi);
	int fd = w->draining || w->n_lingering >= LIMIT_WEB_LINGERING
	             ? -1
	             : fcntl(lws_get_socket_fd(wsi), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	struct lingering *l = xcalloc(1, sizeof(*l));
	l->web = w;
	l->fd = fd;
	l->until_ms = uv_now(w->loop) + LIMIT_WEB_LINGER_S * 1000;
	l->poll.data = l;
	if (uv_poll_init(w->loop, &l->poll, fd)) {
		close(fd);
		free(l);
		return -1;
	}
	list_init(&l->node);
	list_append(&w->lingering, &l->node);
	w->n_lingering++;
	if (ssl)
		(void)SSL_shutdown(ssl); /* so that the end is known to be one */
	(void)shutdown(fd, SHUT_WR);
	if (uv_poll_start(&l->poll, UV_READABLE, on_bytes))
		end(l);
	return -1;
}

void linger_tick(struct web *w, uint64_t now_ms)
{
	list_for_each_safe (it, &w->lingering) {
		struct lingering *l = list_entry(it, struct lingering, node);
		if (now_ms < l->until_ms) /* the oldest is first */
			return;
		end(l);
	}
}

void linger_end(struct web *w)
{
	while (!list_empty(&w->lingering))
		end(list_entry(w->lingering.next, struct lingering, node));
}
