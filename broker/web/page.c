/* page.c - GET /v1/feeds/{feed}/events: a page that may wait (long poll), or the beginning of a
 * stream of server-sent events. */
#include "base/mem.h"
#include "web/private.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINK_BYTES = 900, LAST_EVENT_ID_BYTES = 128 };

static const char batch_type[] = "application/cloudevents-batch+json",
                  stream_type[] = "text/event-stream";

/* ---- a page ---- */

static void page_end(struct live *l)
{
	struct req *r = l->req;
	char link[LINK_BYTES + PATH_BYTES / 2];
	buf_add_str(&r->out, l->given ? "]" : "[]");
	snprintf(link, sizeof(link), "</v1/feeds/%.*s/events?after=%u:%llu%s>; rel=\"next\"",
	         (int)l->feed->name.n, l->feed->name.p, l->feed->epoch,
	         (unsigned long long)(l->cursor.next - 1), l->link ? l->link : "");
	respond_header(r, "Link:", link);
	cursor_close(&l->cursor);
	l->ended = true;
	respond(r, 200, batch_type);
}

static void put(struct live *l, const struct record *r)
{
	struct buf *b = &l->req->out;
	struct cursor *c = &l->cursor;
	buf_add_char(b, l->given++ ? ',' : '[');
	if (r && l->topic)
		event_write_with_topic(b, &l->web->event, l->feed, r);
	else if (r)
		event_write(b, &l->web->event, l->feed, r);
	else
		event_write_gap(b, &l->web->event, l->feed, c->gap_from, c->gap_to, c->gap_why,
		                clock_wall_ms(hub_clock(l->web->hub)));
	l->web->stats.events_sent++;
	req_count(l->req);
}

/* A page is as long as was asked for, or as there is room for: the next one goes on. */
static bool is_enough(const struct live *l)
{
	return l->given >= l->limit || l->req->out.len >= LIMIT_WEB_PAGE_BYTES ||
	       (l->given && l->web->answer_bytes > LIMIT_WEB_ANSWERS_BYTES);
}

void page_fill(struct live *l)
{
	struct record r;
	if (l->ended)
		return;
	for (unsigned i = 0; i < LIMIT_WEB_EXAMINE_RECORDS; i++) {
		if (is_enough(l)) {
			page_end(l);
			return;
		}
		switch (cursor_next(&l->cursor, &r)) {
		case CURSOR_RECORD:
			if (!record_is_expired(l->web, &r) && live_shows(l, &r))
				put(l, &r);
			continue;
		case CURSOR_GAP: put(l, NULL); continue;
		case CURSOR_HEAD:
			if (l->given || l->web->draining || uv_now(l->web->loop) >= l->deadline_ms)
				page_end(l);
			return;
		case CURSOR_WAIT: return;
		case CURSOR_ENDED:
			l->ended = true;
			problem(l->req, 404, "this feed is no longer configured");
			return;
		case CURSOR_ERROR:
			l->ended = true;
			problem(l->req, 503, "the log cannot be read now");
			return;
		}
	}
	conn_wake(l->wsi); /* goes on next turn */
}

/* ---- the request ---- */

/* Whether an Accept header allows type, "major/minor". q=0 is not looked at. */
static bool accepts(const char *accept, const char *type)
{
	char any[32];
	snprintf(any, sizeof(any), "%.*s*", (int)(strchr(type, '/') + 1 - type), type);
	return !*accept || strstr(accept, "*/*") || strstr(accept, any) || strstr(accept, type);
}

/* NULL after an error was answered. */
static struct live *begin(struct req *r, enum live_kind kind)
{
	struct feed *f = param_feed(r, kind == LIVE_PAGE ? ACCESS_READ : ACCESS_SUBSCRIBE);
	char last[LAST_EVENT_ID_BYTES] = "";
	struct faults faults = {0};
	struct ask ask;
	if (!f)
		return NULL;
	if (kind == LIVE_SSE) {
		int n = lws_hdr_custom_length(r->wsi, "last-event-id:", 14);
		if (n > 0 &&
		    lws_hdr_custom_copy(r->wsi, last, sizeof(last), "last-event-id:", 14) < 0)
			strcpy(last, "?"); /* too long to be one of ours */
	}
	ask_read(&r->query, f, kind == LIVE_PAGE ? ASK_PAGE : ASK_STREAM, span_str(last), &ask,
	         &faults);
	if (faults.n) {
		problem_faults(r, 400, &faults);
		return NULL;
	}
	struct live *l = live_open(r->web, f, &ask, kind, &r->who);
	l->req = r;
	l->wsi = r->wsi;
	r->live = l;
	if (ask.wait_s)
		req_wait(r);
	return l;
}

void get_events(struct req *r)
{
	if (strstr(r->accept, stream_type)) {
		if (begin(r, LIVE_SSE))
			stream_begin(r, stream_type);
		return;
	}
	if (!accepts(r->accept, batch_type) && !accepts(r->accept, "application/json")) {
		problem(r, 406, "this resource comes as %s or %s", batch_type, stream_type);
		return;
	}
	struct live *l = begin(r, LIVE_PAGE);
	if (!l)
		return;
	struct buf link;
	buf_init(&link, LINK_BYTES - 1);
	filter_write_query(&link, &r->query, "limit withTopic thing property bbox");
	if (link.err)
		problem(r, 400, "the filters are too long for the link to the next page");
	else if (link.len)
		l->link = xstrdup(buf_str(&link));
	buf_done(&link);
	if (!r->answering)
		page_fill(l);
}
