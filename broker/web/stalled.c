/* stalled.c - who takes its answer slowly and has ended its side, or sends more. lws does not read
 * before the answer is out, so such a socket is ready to be read in every turn, and the loop would
 * not rest while it waits for room. lws cannot be told to look for room alone: held, it looks for
 * nothing. So it is held, and one more descriptor of the socket tells when there is room. */
#include "base/mem.h"
#include "web/keep.h"
#include "web/private.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct stalled {
	uv_poll_t poll;
	struct conn *conn;
	struct web *web;
	int fd;
};

static void closed(uv_handle_t *h)
{
	free(h->data);
}

static void on_room(uv_poll_t *h, int status UNUSED, int events UNUSED)
{
	struct stalled *s = h->data;
	(void)uv_poll_stop(h);
	conn_ask_lws(s->conn);
}

/* What stops it from being held: it was never ready to be read. */
static bool is_readable(struct lws *wsi)
{
	struct pollfd p = {.fd = lws_get_socket_fd(wsi), .events = POLLIN};
	return poll(&p, 1, 0) > 0 && p.revents;
}

void stalled_look(struct conn *c, bool more)
{
	struct web *w = web_of(c->wsi);
	if (c->stalled || !(more || is_readable(c->wsi)))
		return;
	int fd = w->n_lingering < LIMIT_WEB_LINGERING
	             ? fcntl(lws_get_socket_fd(c->wsi), F_DUPFD_CLOEXEC, 0)
	             : -1;
	if (fd < 0)
		return; /* it ends when it takes nothing for LIMIT_WEB_SEND_S */
	struct stalled *s = xcalloc(1, sizeof(*s));
	if (uv_poll_init(w->loop, &s->poll, fd)) {
		close(fd);
		free(s);
		return;
	}
	s->poll.data = s;
	s->fd = fd;
	s->conn = c;
	s->web = w;
	w->n_lingering++;
	c->stalled = s;
	stalled_wait(c);
}

void stalled_wait(struct conn *c)
{
	c->held = true;
	lws_rx_flow_control(c->wsi, 0);
	if (uv_poll_start(&c->stalled->poll, UV_WRITABLE, on_room))
		conn_ask_lws(c);
}

void stalled_end(struct conn *c)
{
	struct stalled *s = c->stalled;
	if (!s)
		return;
	c->stalled = NULL;
	s->web->n_lingering--;
	(void)uv_poll_stop(&s->poll);
	close(s->fd);
	uv_close((uv_handle_t *)&s->poll, closed);
}
