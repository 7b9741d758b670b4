/* ws.c - WebSocket subscribers: one CloudEvent per text frame, many frames per write. What a
 * subscriber sends is not looked at: it has nothing to say. */
#include "web/private.h"

/* Says why, as it stands on the wire: lws 4.1.6 closes at once when asked to, without a word. */
static int goodbye(struct live *l)
{
	const char *why = l->close_code == 1013   ? "too slow, as asked for"
	                  : l->close_code == 1008 ? "not allowed any more"
	                  : l->web->draining      ? "the server stops"
	                  : l->feed->ended        ? "the feed has ended"
	                                          : "come back later";
	unsigned char mem[LWS_PRE + 64], *p = mem + LWS_PRE;
	size_t n = strlen(why);
	assert(n + 4 <= sizeof(mem) - LWS_PRE);
	p[0] = 0x88;
	p[1] = (unsigned char)(2 + n);
	p[2] = (unsigned char)(l->close_code >> 8);
	p[3] = (unsigned char)l->close_code;
	memcpy(p + 4, why, n);
	if (lws_write(l->wsi, p, 4 + n, LWS_WRITE_RAW) < 0)
		log_debug("A subscriber was gone before its goodbye.");
	return -1;
}

static int send_bytes(struct live *l, const char *p, size_t n)
{
	/* LWS_WRITE_RAW writes nothing before p and takes all of n, keeping what the socket does
	 * not. */
	if (lws_write(l->wsi, (unsigned char *)(uintptr_t)p, n, LWS_WRITE_RAW) < 0)
		return -1;
	l->web->stats.bytes_sent += n;
	l->said_ms = uv_now(l->web->loop);
	return 0;
}

static int send_ping(struct live *l)
{
	unsigned char mem[LWS_PRE + 4];
	memcpy(mem + LWS_PRE, "oudp", 4); /* lws does not tell of a pong without a payload */
	l->ping_due = false;
	l->pinged_ms = uv_now(l->web->loop);
	lws_callback_on_writable(l->wsi);
	return lws_write(l->wsi, mem + LWS_PRE, 4, LWS_WRITE_PING) < 0 ? -1 : 0;
}

/* What it wants is not in memory any more: it is slow, and may have asked to be told so. */
static bool end_if_slow(struct live *l)
{
	if (l->slow != SLOW_CLOSE || !l->live_said)
		return false;
	live_end(l, 1013);
	return true;
}

static struct buf *scratch(struct web *w)
{
	struct buf *b = &w->scratch;
	buf_clear(b);
	if (buf_room(b, LWS_PRE))
		b->len = LWS_PRE;
	return b;
}

static int send_scratch(struct live *l, struct buf *b)
{
	int err = b->err;
	if (!err && b->len > LWS_PRE)
		err = send_bytes(l, b->p + LWS_PRE, b->len - LWS_PRE);
	if (b->cap > 4 * LIMIT_WEB_WRITE_BYTES) /* after a large event */
		buf_done(b);
	return err ? -1 : 0;
}

/* 0: sent; 1: nothing more now; -1: close; 2: it stands alone now, or has ended. */
static int from_window(struct live *l)
{
	struct span s;
	unsigned n = 0;
	switch (frames_take(&l->member, &s, &n)) {
	case FRAMES_SOME:
		l->web->stats.events_sent += n;
		if (send_bytes(l, s.p, s.n))
			return -1;
		return l->live_said && frames_wait(&l->member);
	case FRAMES_HEAD: {
		if (l->live_said)
			return 1;
		struct buf *b = scratch(l->web);
		live_put_live(l, b);
		return send_scratch(l, b) ? -1 : 1;
	}
	case FRAMES_WAIT: return end_if_slow(l) ? 2 : 1;
	case FRAMES_BEHIND:
		if (l->cast_out || !end_if_slow(l))
			live_resume(l);
		break;
	}
	return 2;
}

static int writeable(struct live *l)
{
	if (l->ended)
		return l->close_code ? goodbye(l) : -1;
	if (l->ping_due)
		return send_ping(l);
	if (l->notices.len && l->member.frames) {
		struct buf *b = scratch(l->web);
		live_put_notices(l, b);
		lws_callback_on_writable(l->wsi);
		return send_scratch(l, b);
	}
	if (l->member.frames) {
		int got = from_window(l);
		if (got < 2) {
			if (got == 0)
				lws_callback_on_writable(l->wsi);
			return got < 0 ? -1 : 0;
		}
	}
	if (!l->ended && !l->cursor.feed) /* another member found out that the window is gone */
		live_resume(l);
	struct buf *b = scratch(l->web);
	enum live_state state = l->ended ? LIVE_END : live_fill(l, b);
	bool some = b->len > LWS_PRE;
	if (send_scratch(l, b))
		return -1;
	if (state != LIVE_WAIT || (some && !l->live_said))
		lws_callback_on_writable(l->wsi);
	return 0;
}

int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss)
{
	struct live *l = pss ? pss->live : NULL;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED: {
		struct faults faults = {0};
		struct ask ask;
		int status;
		struct feed *f = upgrade_read(wsi, &ask, &status, &faults);
		if (!f) /* it changed since the upgrade was confirmed */
			return -1;
		pss->live = live_open(web_of(wsi), f, &ask, LIVE_WS, &web_of(wsi)->upgrading_who);
		pss->live->wsi = wsi;
		lws_callback_on_writable(wsi);
		return 0;
	}
	case LWS_CALLBACK_SERVER_WRITEABLE: return l ? writeable(l) : 0;
	case LWS_CALLBACK_RECEIVE_PONG:
	case LWS_CALLBACK_RECEIVE:
		if (l) {
			l->heard_ms = uv_now(l->web->loop);
			l->pinged_ms = 0;
		}
		return 0;
	case LWS_CALLBACK_CLOSED:
		if (l) {
			l->wsi = NULL;
			live_close(l);
			pss->live = NULL;
		}
		return 0;
	default: return 0;
	}
}
