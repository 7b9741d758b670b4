/* live.c - subscribers: one cursor each, over WebSocket, server-sent events or as a page that may
 * wait. A slow one is further back in the log; nothing is queued for it but one piece on its way.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "web/private.h"

#include <stdio.h>
#include <stdlib.h>

enum { POSITION_EVERY = 1000, FRAME_HEAD_MAX = 10 };

static const char events_query[] = "after since limit wait thing bbox property slow";

/* ---- opening ---- */

static bool read_bbox(struct span s, double out[4])
{
	char text[128];
	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	char *p = text;
	for (int i = 0; i < 4; i++) {
		char *end;
		out[i] = strtod(p, &end);
		if (end == p || *end != (i < 3 ? ',' : '\0'))
			return false;
		p = end + 1;
	}
	return out[0] <= out[2] && out[1] <= out[3];
}

static void on_wake(struct cursor *c)
{
	struct live *l = c->owner;
	if (l->wsi)
		lws_callback_on_writable(l->wsi);
}

/* Where the subscriber wants to begin. NULL, or what is wrong with it. */
static const char *open_cursor(struct live *l, const struct query *q, struct span resume)
{
	struct web *w = l->web;
	struct span after, since;
	uint32_t epoch;
	uint64_t seq;
	int64_t ms;
	bool has_after = query_get(q, "after", &after), has_since = query_get(q, "since", &since);
	if (resume.n) {
		after = resume;
		has_after = true;
		has_since = false;
	}
	if (has_after && has_since)
		return "after and since exclude each other";
	if (has_after) {
		if (event_parse_position(after, &epoch, &seq))
			return "after is not a sequence, such as 17 or 1795523696:17";
		cursor_open_after(&l->cursor, w->hub, l->feed, epoch, seq);
	} else if (has_since) {
		if (rfc3339_parse(since, &ms))
			return "since is not a time, such as 2026-11-24T12:00:00Z";
		cursor_open_since(&l->cursor, w->hub, l->feed, ms);
	} else if (l->kind == LIVE_PAGE) {
		cursor_open_after(&l->cursor, w->hub, l->feed, 0, l->feed->first - 1);
	} else {
		cursor_open_live(&l->cursor, w->hub, l->feed);
	}
	l->asked_past = has_after || has_since;
	l->cursor.wake = on_wake;
	l->cursor.owner = l;
	return NULL;
}

/* What the next page must ask for too. A filter that does not fit is left out with a too long link:
 * none. */
static void keep_filters(struct live *l, const struct query *q)
{
	static const char *const names[] = {"limit", "thing", "property", "bbox"};
	struct buf b;
	struct span v;
	buf_init(&b, sizeof(l->filters) - 1);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (!query_get(q, names[i], &v))
			continue;
		buf_addf(&b, "&%s=", names[i]);
		for (size_t k = 0; k < v.n; k++) {
			unsigned char c = (unsigned char)v.p[k];
			bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			             (c >= '0' && c <= '9') || (c && strchr("-._~,", c));
			if (plain)
				buf_add_char(&b, (char)c);
			else
				buf_addf(&b, "%%%02X", c);
		}
	}
	if (!b.err && b.len)
		memcpy(l->filters, b.p, b.len);
	buf_done(&b);
}

struct live *live_open(struct web *w, struct feed *f, const struct query *q, char *why, size_t size)
{
	struct live *l = xcalloc(1, sizeof(*l));
	struct span v;
	const char *wrong = NULL;
	l->web = w;
	l->feed = f;
	l->kind = LIVE_PAGE;
	list_init(&l->node);
	list_init(&l->cursor.node);
	buf_init(&l->out, 64u << 20);
	if (query_get(q, "thing", &v)) {
		if (v.n == 0 || v.n > sizeof(l->thing))
			wrong = "thing is empty or longer than 256 bytes";
		else
			memcpy(l->thing, v.p, l->thing_n = v.n);
	}
	if (query_get(q, "property", &v)) {
		if (v.n == 0 || v.n > sizeof(l->property))
			wrong = "property is empty or longer than 128 bytes";
		else
			memcpy(l->property, v.p, l->property_n = v.n);
	}
	if (query_get(q, "bbox", &v)) {
		l->has_bbox = true;
		if (!read_bbox(v, l->bbox))
			wrong = "bbox is not minlon,minlat,maxlon,maxlat";
	}
	if (query_get(q, "slow", &v)) {
		l->slow_close = span_is(v, "close");
		if (!l->slow_close)
			wrong = "slow may be: close";
	}
	keep_filters(l, q);
	if (!wrong)
		return l;
	snprintf(why, size, "%s", wrong);
	buf_done(&l->out);
	free(l);
	return NULL;
}

void live_close(struct live *l)
{
	cursor_close(&l->cursor);
	list_remove(&l->node);
	if (l->kind == LIVE_WS && l->web->stats.websockets)
		l->web->stats.websockets--;
	if (l->kind == LIVE_SSE && l->web->stats.streams)
		l->web->stats.streams--;
	buf_done(&l->out);
	free(l);
}

/* ---- filters ---- */

static bool has_property(const struct live *l, const struct record *r)
{
	struct record_result one;
	size_t at = 0;
	while (record_next_result(r, &at, &one))
		if (span_eq(one.member, span_of(l->property, l->property_n)))
			return true;
	return false;
}

bool live_wants(struct live *l, const struct record *r)
{
	if (r->expiry_s && clock_wall_ms(hub_clock(l->web->hub)) / 1000 >= r->expiry_s)
		return false;
	if (l->thing_n && !span_eq(r->thing, span_of(l->thing, l->thing_n)))
		return false;
	if (l->property_n && !has_property(l, r))
		return false;
	if (l->has_bbox) {
		double lon = r->lon_e7 / 1e7, lat = r->lat_e7 / 1e7;
		if (!(r->flags & RECORD_LOCATION) || lon < l->bbox[0] || lon > l->bbox[2] ||
		    lat < l->bbox[1] || lat > l->bbox[3])
			return false;
	}
	return true;
}

/* ---- one event in each form ---- */

/* A text frame of a server: not masked, in one piece (RFC 6455, 5.2). The head is written once its
 * length is known. */
static void frame_end(struct buf *b, size_t start)
{
	size_t n = b->len - start - FRAME_HEAD_MAX, head = n < 126 ? 2 : n < 65536 ? 4 : 10;
	uint8_t *p = (uint8_t *)b->p + start;
	if (b->err)
		return;
	if (head != FRAME_HEAD_MAX)
		memmove(p + head, p + FRAME_HEAD_MAX, n);
	p[0] = 0x81;
	if (head == 2) {
		p[1] = (uint8_t)n;
	} else {
		p[1] = head == 4 ? 126 : 127;
		for (size_t i = 0; i < head - 2; i++)
			p[2 + i] = (uint8_t)(n >> 8 * (head - 3 - i));
	}
	b->len = start + head + n;
}

/* Lines of a server-sent event may not hold line ends: the payload may. */
static void sse_lines(struct buf *b, size_t start)
{
	size_t n = b->len - start, extra = 0;
	for (size_t i = 0; i < n; i++)
		extra += b->p[start + i] == '\n' || b->p[start + i] == '\r';
	if (!extra)
		return;
	for (size_t i = start; i < b->len && !b->err;
	     i++) /* white space between tokens: a blank does as well */
		if (b->p[i] == '\n' || b->p[i] == '\r')
			b->p[i] = ' ';
}

static size_t event_begin(struct live *l, struct buf **ret)
{
	struct buf *b = l->kind == LIVE_WS ? &l->out : &l->req->out;
	*ret = b;
	size_t start = b->len;
	if (l->kind == LIVE_WS) {
		char *p = buf_room(b, FRAME_HEAD_MAX);
		if (p)
			b->len += FRAME_HEAD_MAX;
	} else if (l->kind == LIVE_PAGE) {
		buf_add_char(b, l->given ? ',' : '[');
	}
	return start;
}

static void sse_head(struct live *l, struct buf *b, const char *type, uint64_t position)
{
	buf_addf(b, "id: %u:%llu\n", l->feed->epoch, (unsigned long long)position);
	if (type)
		buf_addf(b, "event: %s\n", type);
	buf_add_str(b, "data: ");
}

static void event_finish(struct live *l, struct buf *b, size_t start, size_t json)
{
	if (l->kind == LIVE_WS) {
		frame_end(b, start);
	} else if (l->kind == LIVE_SSE) {
		sse_lines(b, json);
		buf_add_str(b, "\n\n");
	}
	l->web->stats.events_sent++;
}

static void put_record(struct live *l, const struct record *r)
{
	struct buf *b;
	size_t start = event_begin(l, &b);
	if (l->kind == LIVE_SSE)
		sse_head(l, b, NULL, r->sequence);
	size_t json = b->len;
	event_write(b, &l->web->event, l->feed, r);
	event_finish(l, b, start, json);
	l->given++;
	l->told = r->sequence;
}

enum control { CONTROL_LIVE, CONTROL_GAP, CONTROL_POSITION };

static void put_control(struct live *l, enum control what)
{
	static const char *const types[] = {"nl.oudp.feed.live.v1", "nl.oudp.feed.gap.v1",
	                                    "nl.oudp.feed.position.v1"};
	struct buf *b;
	int64_t now = clock_wall_ms(hub_clock(l->web->hub));
	size_t start = event_begin(l, &b);
	uint64_t position = l->cursor.next - 1;
	if (l->kind == LIVE_SSE)
		sse_head(l, b, types[what], position);
	size_t json = b->len;
	if (what == CONTROL_LIVE)
		event_write_live(b, &l->web->event, l->feed, now);
	else if (what == CONTROL_GAP)
		event_write_gap(b, &l->web->event, l->feed, l->cursor.gap_from, l->cursor.gap_to,
		                l->cursor.gap_why, now);
	else
		event_write_position(b, &l->web->event, l->feed, position, now);
	event_finish(l, b, start, json);
	if (l->kind == LIVE_PAGE)
		l->given++;
	l->told = position;
}

/* ---- filling ---- */

static void page_end(struct live *l)
{
	struct req *r = l->req;
	char link[900];
	buf_add_str(&r->out, l->given ? "]" : "[]");
	snprintf(link, sizeof(link), "</v1/feeds/%.*s/events?after=%u:%llu%s>; rel=\"next\"",
	         (int)l->feed->name.n, l->feed->name.p, l->feed->epoch,
	         (unsigned long long)(l->cursor.next - 1), l->filters);
	respond_header(r, "Link:", link);
	cursor_close(&l->cursor);
	l->ended = true;
	respond(r, 200, "application/cloudevents-batch+json");
}

static bool enough(const struct live *l, const struct buf *b)
{
	return l->kind == LIVE_PAGE ? l->given >= l->limit || b->len > (4u << 20)
	                            : b->len >= LIVE_OUT_BYTES;
}

static void at_head(struct live *l)
{
	if (l->kind == LIVE_PAGE) {
		if (l->given || uv_now(l->web->loop) >= l->deadline_ms)
			page_end(l);
		return;
	}
	if (!l->live_said) {
		l->live_said = true;
		put_control(l, CONTROL_LIVE);
	} else if (l->cursor.next - 1 - l->told >= POSITION_EVERY) {
		put_control(l, CONTROL_POSITION);
	}
}

void live_fill(struct live *l)
{
	struct buf *b = l->kind == LIVE_WS ? &l->out : &l->req->out;
	struct record r;
	while (!l->ended && !enough(l, b)) {
		switch (cursor_next(&l->cursor, &r)) {
		case CURSOR_RECORD:
			if (live_wants(l, &r))
				put_record(l, &r);
			else if (l->kind != LIVE_PAGE && r.sequence - l->told >= POSITION_EVERY)
				put_control(l, CONTROL_POSITION);
			continue;
		case CURSOR_GAP: put_control(l, CONTROL_GAP); continue;
		case CURSOR_HEAD: at_head(l); return;
		case CURSOR_WAIT: return;
		case CURSOR_ENDED:
		case CURSOR_ERROR:
			if (l->kind == LIVE_PAGE)
				problem(l->req, 503, "the log cannot be read now");
			l->ended = true;
			return;
		}
	}
	if (l->kind == LIVE_PAGE && !l->ended)
		page_end(l);
}

/* ---- a page, or a stream ---- */

static bool number(const struct query *q, const char *name, uint64_t low, uint64_t high,
                   uint64_t *ret)
{
	struct span v;
	uint64_t n;
	if (!query_get(q, name, &v))
		return true;
	if (span_to_u64(v, &n) || n < low || n > high)
		return false;
	*ret = n;
	return true;
}

static bool accepts(const char *accept, const char *type)
{
	return !*accept || strstr(accept, "*/*") || strstr(accept, "application/*") ||
	       strstr(accept, type);
}

void get_events(struct req *r)
{
	char why[200] = "", last[64] = "";
	uint64_t limit = 100, wait = 0;
	struct feed *f = param_feed(r);
	if (!f || !only_query(r, events_query))
		return;
	bool stream = strstr(r->accept, "text/event-stream") != NULL;
	if (!stream && !accepts(r->accept, "application/cloudevents-batch+json") &&
	    !strstr(r->accept, "application/json")) {
		problem(r, 406,
		        "this resource comes as application/cloudevents-batch+json or "
		        "text/event-stream");
		return;
	}
	if (!number(&r->query, "limit", 1, LIMIT_PAGE_RECORDS, &limit) ||
	    !number(&r->query, "wait", 0, LIMIT_LONG_POLL_S, &wait)) {
		problem(r, 400, "limit is 1 to %d, wait is 0 to %d seconds", LIMIT_PAGE_RECORDS,
		        LIMIT_LONG_POLL_S);
		return;
	}
	if (stream && lws_hdr_custom_copy(r->wsi, last, sizeof(last), "last-event-id:", 14) < 0)
		last[0] = '\0';
	struct live *l = live_open(r->web, f, &r->query, why, sizeof(why));
	const char *wrong = NULL;
	if (l) {
		l->kind = stream ? LIVE_SSE : LIVE_PAGE;
		wrong = open_cursor(l, &r->query, span_str(last));
	}
	if (!l || wrong) {
		problem(r, 400, "%s", l ? wrong : why);
		if (l) {
			l->kind = LIVE_PAGE;
			live_close(l);
		}
		return;
	}
	l->req = r;
	l->wsi = r->wsi;
	l->limit = limit;
	l->deadline_ms = uv_now(r->web->loop) + wait * 1000;
	l->said_ms = uv_now(r->web->loop);
	l->told = l->cursor.next - 1;
	r->live = l;
	list_append(&r->web->lives, &l->node);
	if (stream) {
		r->web->stats.streams++;
		stream_begin(r, "text/event-stream");
		return;
	}
	if (wait)
		lws_set_timeout(r->wsi, NO_PENDING_TIMEOUT, 0);
	live_fill(l);
}

/* ---- WebSocket ---- */

/* "/v1/feeds/NAME/events" */
static struct feed *feed_of_path(struct web *w, const char *path)
{
	static const char front[] = "/v1/feeds/", back[] = "/events";
	size_t n = strlen(path);
	if (n <= sizeof(front) + sizeof(back) - 2 || strncmp(path, front, sizeof(front) - 1) != 0 ||
	    strcmp(path + n - (sizeof(back) - 1), back) != 0)
		return NULL;
	return hub_feed(w->hub, span_of(path + sizeof(front) - 1,
	                                n - (sizeof(front) - 1) - (sizeof(back) - 1)));
}

static struct live *ws_open(struct lws *wsi, int *ret_status)
{
	struct web *w = web_of(wsi);
	struct query *q = xcalloc(1, sizeof(*q));
	char path[PATH_BYTES] = "", raw[QUERY_BYTES], why[200];
	struct live *l = NULL;
	size_t n = 0;
	if (lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) < 0)
		path[0] = '\0';
	struct feed *f = feed_of_path(w, path);
	*ret_status = f ? 400 : 404;
	for (int i = 0; f; i++) {
		int got = lws_hdr_copy_fragment(wsi, raw + n, (int)(sizeof(raw) - n - 1),
		                                WSI_TOKEN_HTTP_URI_ARGS, i);
		if (got < 0)
			break;
		n += (size_t)got;
		raw[n++] = '&';
	}
	if (f && query_parse(span_of(raw, n ? n - 1 : 0), q) == 0 &&
	    !query_unknown(q, events_query))
		l = live_open(w, f, q, why, sizeof(why));
	if (l) {
		l->kind = LIVE_WS;
		if (open_cursor(l, q, (struct span){0})) {
			l->kind = LIVE_PAGE; /* not counted yet */
			live_close(l);
			l = NULL;
		}
	}
	free(q);
	return l;
}

static int ws_write(struct live *l)
{
	struct web *w = l->web;
	if (l->ended) {
		/* Going away, written as it stands on the wire: lws closes at once when we say so.
		 */
		unsigned char bye[LWS_PRE + 4];
		memcpy(bye + LWS_PRE, "\x88\x02\x03\xe9", 4);
		if (lws_write(l->wsi, bye + LWS_PRE, 4, LWS_WRITE_RAW) < 0)
			log_debug("A subscriber was gone before its goodbye.");
		return -1;
	}
	buf_clear(&l->out);
	char *pre = buf_room(&l->out, LWS_PRE);
	if (!pre)
		return -1;
	l->out.len = LWS_PRE;
	live_fill(l);
	size_t n = l->out.len - LWS_PRE;
	if (l->out.err)
		return -1;
	if (n) {
		if (lws_write(l->wsi, (unsigned char *)l->out.p + LWS_PRE, n, LWS_WRITE_RAW) < 0)
			return -1;
		w->stats.bytes_sent += n;
	}
	if (n || l->ended)
		lws_callback_on_writable(l->wsi);
	else if (l->out.cap > 8192)
		buf_done(&l->out);
	return 0;
}

int ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in UNUSED,
                size_t len UNUSED)
{
	struct pss *pss = user;
	int status;
	switch (reason) {
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: {
		struct live *l = web_of(wsi)->draining ? NULL : ws_open(wsi, &status);
		if (!l) {
			lws_return_http_status(wsi, web_of(wsi)->draining ? 503 : (unsigned)status,
			                       NULL);
			return -1;
		}
		l->kind = LIVE_PAGE;
		live_close(l);
		return 0;
	}
	case LWS_CALLBACK_ESTABLISHED:
		pss->live = ws_open(wsi, &status);
		if (!pss->live)
			return -1;
		pss->live->wsi = wsi;
		pss->live->told = pss->live->cursor.next - 1;
		list_append(&pss->live->web->lives, &pss->live->node);
		pss->live->web->stats.websockets++;
		lws_callback_on_writable(wsi);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE: return pss->live ? ws_write(pss->live) : 0;
	case LWS_CALLBACK_RECEIVE:
		return 0; /* subscribers have nothing to say; what they send is not looked at */
	case LWS_CALLBACK_CLOSED:
		if (pss->live) {
			pss->live->wsi = NULL;
			live_close(pss->live);
			pss->live = NULL;
		}
		return 0;
	default: return 0;
	}
}

/* ---- time ---- */

void live_tick(struct web *w)
{
	uint64_t now = uv_now(w->loop);
	list_for_each_safe (it, &w->lives) {
		struct live *l = list_entry(it, struct live, node);
		if (!l->wsi || l->ended)
			continue;
		if (l->kind == LIVE_PAGE && now >= l->deadline_ms) {
			lws_callback_on_writable(l->wsi);
		} else if (l->kind == LIVE_SSE && now - l->said_ms > 15000) {
			l->said_ms = now;
			if (l->req->out.len == 0)
				buf_add_str(&l->req->out, ": still here\n\n");
			lws_callback_on_writable(l->wsi);
		}
	}
}
