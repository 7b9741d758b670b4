/* mqtt.c - MQTT over WebSocket at /mqtt: a struct link whose bytes travel in binary frames (MQTT
 * 5.0, 6). What comes is a stream, however it is cut [MQTT-6.0.0-2]; what goes is one packet a
 * message, for there are clients (Paho C 1.3) that leave a second one in a frame lying until more
 * comes. Many frames are one write.
 *
 * Reading stops by lws's flow control; what the session did not take is kept, at most one packet
 * and one chunk. Writing: at most LIMIT_WEB_WRITE_BYTES are with lws, the session sees them as in
 * flight. */
#include "base/mem.h"
#include "mqtt/frame.h"
#include "session/session.h"
#include "web/private.h"

#include <stdlib.h>

enum { OPCODE_BINARY = 2, FRAME_FINAL = 128 };
enum { CLOSE_NORMAL = 1000, CLOSE_GOING_AWAY = 1001, CLOSE_UNSUPPORTED = 1003 };

struct mqtt_ws {
	struct link link;
	struct web *web;
	struct lws *wsi;
	struct list node, resume;
	struct identity who; /* of its ticket */
	struct buf rx;       /* bytes not taken yet */
	size_t packet_left;  /* of the packet that was begun in a former frame */
	bool paused, closing, said_close, asked;
	uint64_t close_at_ms;
};

bool is_mqtt(struct lws *wsi)
{
	char path[8];
	return kind_of(wsi) == WEB_TCP &&
	       lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) > 0 &&
	       strcmp(path, "/mqtt") == 0;
}

/* ---- the link ---- */

static void ask(struct mqtt_ws *m)
{
	if (!m->asked)
		lws_callback_on_writable(m->wsi);
	m->asked = true;
}

static void link_flush(struct link *l)
{
	ask(container_of(l, struct mqtt_ws, link));
}

static void link_pause(struct link *l)
{
	struct mqtt_ws *m = container_of(l, struct mqtt_ws, link);
	if (!m->paused)
		lws_rx_flow_control(m->wsi, 0);
	m->paused = true;
}

static void link_resume(struct link *l)
{
	struct mqtt_ws *m = container_of(l, struct mqtt_ws, link);
	if (list_empty(&m->resume))
		list_append(&m->web->mqtt_resume, &m->resume);
}

static void link_close(struct link *l)
{
	struct mqtt_ws *m = container_of(l, struct mqtt_ws, link);
	m->closing = true;
	m->close_at_ms = uv_now(m->web->loop) + LIMIT_LINK_CLOSE_WAIT_MS;
	ask(m);
}

static const struct link_ops ops = {link_flush, link_pause, link_resume, link_close};

/* ---- reading ---- */

/* The peer's own close is waited for (RFC 6455, 7.1.1): to end TCP before it was read would reset
 * the connection, and a client that is just saying its goodbye would see an error. */
static int close_frame(struct mqtt_ws *m, unsigned code)
{
	if (m->said_close)
		return 0;
	m->said_close = true;
	unsigned char mem[LWS_PRE + 4], *p = mem + LWS_PRE;
	p[0] = 0x88;
	p[1] = 2;
	p[2] = (unsigned char)(code >> 8);
	p[3] = (unsigned char)code;
	if (lws_write(m->wsi, p, 4, LWS_WRITE_RAW) < 0) {
		log_debug("An MQTT client was gone before its close.");
		return -1;
	}
	buf_done(&m->rx);
	lws_rx_flow_control(m->wsi, 1); /* its close stands behind what was not read */
	return 0;
}

static int receive(struct mqtt_ws *m, const char *p, size_t n)
{
	if (!m->link.session || m->closing)
		return 0;
	if (!lws_frame_is_binary(m->wsi)) { /* [MQTT-6.0.0-1] */
		log_info("A client was closed. why=\"MQTT travels in binary frames\" peer=%s",
		         m->link.peer);
		session_gone(m->link.session);
		m->closing = true;
		m->close_at_ms = uv_now(m->web->loop) + LIMIT_LINK_CLOSE_WAIT_MS;
		return close_frame(m, CLOSE_UNSUPPORTED);
	}
	m->web->stats.mqtt_bytes_in += n;
	if (n == 0)
		return 0;
	if (!m->paused)
		return link_input(&m->link, &m->rx, p, n) ? -1 : 0;
	buf_add(&m->rx, p, n); /* lws had it before it was told to stop */
	return m->rx.err ? -1 : 0;
}

void mqtt_turn(struct web *w)
{
	struct list some;
	list_init(&some);
	list_splice(&some, &w->mqtt_resume);
	while (!list_empty(&some)) {
		struct mqtt_ws *m = list_entry(some.next, struct mqtt_ws, resume);
		list_remove(&m->resume);
		m->paused = false;
		if (link_input_kept(&m->link, &m->rx))
			lws_set_timeout(m->wsi, PENDING_TIMEOUT_USER_REASON_BASE,
			                LWS_TO_KILL_ASYNC);
		else if (!m->paused)
			lws_rx_flow_control(m->wsi, 1);
	}
}

/* ---- writing ---- */

static void add_frame(struct buf *b, unsigned first, const char *p, size_t n)
{
	unsigned bytes = n < 126 ? 0 : n < 65536 ? 2 : 8;
	buf_add_char(b, (char)first);
	buf_add_char(b, (char)(bytes == 0 ? n : bytes == 2 ? 126 : 127));
	while (bytes--)
		buf_add_char(b, (char)(n >> 8 * bytes));
	buf_add(b, p, n);
}

/* Takes frames from the front of out into b: a packet is a frame, and one that is too long for a
 * write is a message of several. Returns how many bytes of out are in b. */
static size_t add_frames(struct mqtt_ws *m, struct buf *b, const struct buf *out)
{
	size_t at = 0;
	while (at < out->len && at < LIMIT_WEB_WRITE_BYTES) {
		const char *p = out->p + at;
		bool begins = m->packet_left == 0;
		if (begins)
			m->packet_left = frame_size((const uint8_t *)p, out->len - at);
		assert(m->packet_left); /* sessions append whole packets */
		size_t n = MIN_OF(m->packet_left, (size_t)LIMIT_WEB_WRITE_BYTES);
		if (at && at + n > LIMIT_WEB_WRITE_BYTES) {
			m->packet_left = begins ? 0 : m->packet_left;
			break;
		}
		m->packet_left -= n;
		add_frame(b, (begins ? OPCODE_BINARY : 0) | (m->packet_left ? 0 : FRAME_FINAL), p,
		          n);
		at += n;
	}
	return at;
}

static int write_some(struct mqtt_ws *m)
{
	struct buf *out = &m->link.out, *b = &m->web->scratch;
	buf_clear(b);
	if (!buf_room(b, LWS_PRE))
		return -1;
	b->len = LWS_PRE;
	size_t n = add_frames(m, b, out);
	if (b->err ||
	    lws_write(m->wsi, (unsigned char *)b->p + LWS_PRE, b->len - LWS_PRE, LWS_WRITE_RAW) < 0)
		return -1;
	m->web->stats.mqtt_bytes_out += n;
	buf_drop(out, n);
	if (lws_partial_buffered(m->wsi)) {
		m->link.in_flight = n;
		ask(m);
	}
	return 0;
}

static int writeable(struct mqtt_ws *m)
{
	struct buf *out = &m->link.out;
	m->asked = false;
	m->link.in_flight = 0; /* lws asks again only when it has nothing left */
	if (out->err) {
		log_warn("A client's answers did not fit its buffer. peer=%s", m->link.peer);
		return -1;
	}
	if (out->len && write_some(m))
		return -1;
	if (out->len) {
		ask(m);
	} else {
		if (out->cap > LIMIT_LINK_KEEP_BYTES)
			buf_done(out);
		if (m->closing && !m->link.in_flight)
			return close_frame(m, m->web->draining ? CLOSE_GOING_AWAY : CLOSE_NORMAL);
	}
	if (m->link.session && !m->link.in_flight)
		session_writable(m->link.session);
	return 0;
}

/* ---- life ---- */

static struct mqtt_ws *opened(struct lws *wsi)
{
	struct web *w = web_of(wsi);
	struct mqtt_ws *m = xcalloc(1, sizeof(*m));
	m->web = w;
	m->wsi = wsi;
	m->link.ops = &ops;
	m->link.trusted = is_trusted(wsi);
	m->link.known_only = is_known_only(wsi);
	m->link.ssl = lws_get_ssl(wsi);
	if (w->upgrading == wsi && w->upgrading_shown) {
		m->who = w->upgrading_who;
		m->link.shown = &m->who;
	}
	buf_init(&m->link.out, LIMIT_LINK_OUT_BYTES);
	buf_init(&m->rx, LIMIT_PACKET_BYTES_MAX + LIMIT_READ_CHUNK_BYTES);
	list_init(&m->node);
	list_init(&m->resume);
	list_append(&w->mqtts, &m->node);
	w->stats.mqtt_connections++;
	lws_get_peer_simple(wsi, m->link.peer, sizeof(m->link.peer));
	session_open(w->sessions, &m->link);
	return m;
}

static void closed(struct mqtt_ws *m)
{
	if (m->link.session)
		session_gone(m->link.session);
	list_remove(&m->node);
	list_remove(&m->resume);
	m->web->stats.mqtt_connections--;
	buf_done(&m->rx);
	buf_done(&m->link.out);
	free(m);
}

void mqtt_tick(struct web *w, uint64_t now)
{
	list_for_each_safe (it, &w->mqtts) {
		struct mqtt_ws *m = list_entry(it, struct mqtt_ws, node);
		if (m->closing && now >= m->close_at_ms)
			lws_set_timeout(m->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
	}
}

int mqtt_callback(struct lws *wsi, enum lws_callback_reasons reason, struct pss *pss, void *in,
                  size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED: pss->mqtt = opened(wsi); return 0;
	case LWS_CALLBACK_RECEIVE: return receive(pss->mqtt, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE: return writeable(pss->mqtt);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: /* the answer to ours: that is all */
		return pss->mqtt->said_close ? -1 : 0;
	case LWS_CALLBACK_CLOSED:
		closed(pss->mqtt);
		pss->mqtt = NULL;
		return 0;
	default: return 0;
	}
}
