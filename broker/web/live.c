/* live.c - one subscriber's way through the log, over WebSocket or server-sent events: a cursor, a
 * filter, the control events. A slow one is further back in the log; nothing is queued for it but
 * the piece that is on its way. Pages are page.c's.
 *
 *   catching up --CURSOR_HEAD--> live ("live" is said once)
 *   live, no filter --> stands in the feed's window of frames --FRAMES_BEHIND--> catching up */
#include "access/audit.h"
#include "base/mem.h"
#include "web/private.h"

#include <stdlib.h>

/* ---- life ---- */

static void on_cursor(struct cursor *c)
{
	struct live *l = c->owner;
	if (l->wsi)
		conn_wake(l->wsi);
}

static void on_frames(struct frames_member *m, bool out)
{
	struct live *l = container_of(m, struct live, member);
	l->cast_out = out;
	if (l->wsi)
		conn_wake(l->wsi);
}

static void open_cursor(struct live *l, const struct ask *a)
{
	struct hub *h = l->web->hub;
	if (a->from == FROM_AFTER)
		cursor_open_after(&l->cursor, h, l->feed, a->epoch, a->after);
	else if (a->from == FROM_SINCE)
		cursor_open_since(&l->cursor, h, l->feed, a->since_ms);
	else if (l->kind == LIVE_PAGE) /* the oldest there is; that older ones went is no gap */
		cursor_open_after(&l->cursor, h, l->feed, 0, l->feed->first - 1);
	else
		cursor_open_live(&l->cursor, h, l->feed);
	l->cursor.wake = on_cursor;
	l->cursor.owner = l;
}

void live_resume(struct live *l)
{
	assert(l->member.next > 0 && !l->member.frames && !l->cursor.feed);
	cursor_open_after(&l->cursor, l->web->hub, l->feed, l->feed->epoch, l->member.next - 1);
	l->cursor.wake = on_cursor;
	l->cursor.owner = l;
	l->flowing = l->cast_out = false;
}

static enum access_right right_of(const struct live *l)
{
	return l->kind == LIVE_PAGE ? ACCESS_READ : ACCESS_SUBSCRIBE;
}

struct live *live_open(struct web *w, struct feed *f, const struct ask *a, enum live_kind kind,
                       const struct identity *who)
{
	struct live *l = xcalloc(1, sizeof(*l));
	l->web = w;
	l->feed = f;
	l->kind = kind;
	l->who = *who;
	l->partial = access_is_partial(who, right_of(l), f);
	access_watch(w->access, who);
	if (f->conf->personal_data)
		audit_seldom(access_audit(w->access), "read", f->conf->name, "done", NULL,
		             who->name, span_str(who->organisation));
	l->slow = a->slow;
	l->filter = a->filter;
	l->limit = a->limit;
	l->topic = a->topic;
	l->member.wake = on_frames;
	list_init(&l->member.node);
	if (l->slow == SLOW_LATEST)
		l->latest = latest_new(LIMIT_WEB_LATEST_BYTES);
	open_cursor(l, a);
	l->told = l->cursor.next - 1;
	l->told_ms = l->said_ms = l->heard_ms = uv_now(w->loop);
	l->deadline_ms = l->said_ms + a->wait_s * 1000;
	list_append(&w->lives, &l->node);
	if (kind == LIVE_WS)
		w->stats.websockets++;
	else if (kind == LIVE_SSE)
		w->stats.streams++;
	return l;
}

void live_close(struct live *l)
{
	cursor_close(&l->cursor);
	frames_leave(&l->member);
	latest_free(l->latest);
	list_remove(&l->node);
	if (l->kind == LIVE_WS)
		l->web->stats.websockets--;
	else if (l->kind == LIVE_SSE)
		l->web->stats.streams--;
	free(l->link);
	buf_done(&l->notices);
	free(l);
}

void live_end(struct live *l, uint16_t close_code)
{
	if (l->ended)
		return;
	l->ended = true;
	l->close_code = close_code;
	if (close_code == 1013) /* "try again later": it asked for slow=close and was slow */
		l->web->stats.slow_closed++;
}

bool record_is_expired(const struct web *w, const struct record *r)
{
	return r->expiry_s && clock_wall_ms(hub_clock(w->hub)) / 1000 >= r->expiry_s;
}

bool live_shows(const struct live *l, const struct record *r)
{
	return filter_match(&l->filter, r) &&
	       (!l->partial || access_covers_record(&l->who, right_of(l), l->feed, r) == 0);
}

static bool may_stay(const struct live *l, int64_t now_ms)
{
	bool partial = access_is_partial(&l->who, right_of(l), l->feed);
	return !access_lost(&l->who, false, now_ms) && partial <= l->partial &&
	       access_check(&l->who, right_of(l), l->feed, (struct span){0}) == 0;
}

void live_judge(struct web *w)
{
	int64_t now_ms = clock_wall_ms(hub_clock(w->hub));
	list_for_each (it, &w->lives) {
		struct live *l = list_entry(it, struct live, node);
		if (l->ended || !l->wsi)
			continue;
		if (may_stay(l, now_ms)) {
			access_watch(w->access, &l->who);
			continue;
		}
		log_info("A subscriber was closed: it may not read this feed any more. name=%.*s "
		         "feed=%s",
		         (int)l->who.name.n, l->who.name.p, l->feed->conf->name);
		live_end(l, 1008);
		if (l->kind == LIVE_PAGE && !l->req->answering)
			problem(l->req, 404, "this feed may not be read any more");
		conn_wake(l->wsi);
	}
}

/* ---- one event in its form ---- */

/* White space between tokens is the only place for a line end in JSON; a line of server-sent events
 * may hold none, and a blank does as well. */
static void sse_end(struct buf *b, size_t start)
{
	for (char *at = b->p + start, *end = b->p + b->len; at < end && !b->err; at++) {
		size_t n = (size_t)(end - at);
		char *line = memchr(at, '\n', n);
		char *back = memchr(at, '\r', line ? (size_t)(line - at) : n);
		at = back ? back : line;
		if (!at)
			break;
		*at = ' ';
	}
	buf_add_str(b, "\n\n");
}

/* Everything before the JSON; returns where the event or its JSON starts, for form_end(). */
static size_t form_begin(const struct live *l, struct buf *b, const char *type, uint64_t position)
{
	if (l->kind == LIVE_WS)
		return frame_begin(b);
	buf_addf(b, "id: %u:%llu\n", l->feed->epoch, (unsigned long long)position);
	if (type)
		buf_addf(b, "event: %s\n", type);
	buf_add_str(b, "data: ");
	return b->len;
}

static void form_end(const struct live *l, struct buf *b, size_t start)
{
	if (l->kind == LIVE_WS)
		frame_end(b, start);
	else
		sse_end(b, start);
}

static void put_record(struct live *l, struct buf *b, const struct record *r)
{
	struct span frame;
	if (l->kind == LIVE_WS && frames_find(&l->web->frames, l->feed, r->sequence, &frame)) {
		buf_add_span(b, frame);
		return;
	}
	size_t start = form_begin(l, b, NULL, r->sequence);
	event_write(b, &l->web->event, l->feed, r);
	form_end(l, b, start);
}

static void told(struct live *l, uint64_t position)
{
	l->told = position;
	l->told_ms = uv_now(l->web->loop);
	l->position_due = false;
}

void live_put_live(struct live *l, struct buf *b)
{
	size_t start = form_begin(l, b, "nl.oudp.feed.live.v1", l->feed->last);
	event_write_live(b, &l->web->event, l->feed, clock_wall_ms(hub_clock(l->web->hub)));
	form_end(l, b, start);
	l->live_said = true;
	l->web->stats.events_sent++;
	told(l, l->feed->last);
}

void live_put_notices(struct live *l, struct buf *b)
{
	size_t at = 0;
	static const char *const types[] = {[NOTICE_ERASED] = "nl.oudp.thing.erased.v1",
	                                    [NOTICE_CORRECTED] = "nl.oudp.series.corrected.v1"};
	while (at < l->notices.len) {
		uint32_t n;
		const char *type = types[(uint8_t)l->notices.p[at++]];
		memcpy(&n, l->notices.p + at, sizeof(n));
		at += sizeof(n);
		/* the id is where the subscriber is: it resumes from there */
		size_t start = form_begin(l, b, type, l->told);
		buf_add(b, l->notices.p + at, n);
		form_end(l, b, start);
		l->web->stats.events_sent++;
		at += n;
	}
	buf_clear(&l->notices);
}

static void put_gap(struct live *l, struct buf *b)
{
	const struct cursor *c = &l->cursor;
	size_t start = form_begin(l, b, "nl.oudp.feed.gap.v1", c->next - 1);
	event_write_gap(b, &l->web->event, l->feed, c->gap_from, c->gap_to, c->gap_why,
	                clock_wall_ms(hub_clock(l->web->hub)));
	form_end(l, b, start);
	l->web->stats.events_sent++;
	told(l, c->next - 1);
}

static void put_position(struct live *l, struct buf *b)
{
	uint64_t position = l->cursor.next - 1;
	size_t start = form_begin(l, b, "nl.oudp.feed.position.v1", position);
	event_write_position(b, &l->web->event, l->feed, position,
	                     clock_wall_ms(hub_clock(l->web->hub)));
	form_end(l, b, start);
	l->web->stats.events_sent++;
	told(l, position);
}

/* ---- slow=latest: everything goes by way of the table ---- */

static void table_put(struct live *l, const struct record *r)
{
	struct buf *one = &l->web->one;
	buf_clear(one);
	put_record(l, one, r);
	if (!one->err)
		latest_put(l->latest, r->thing.n ? r->thing : r->topic, span_of(one->p, one->len));
}

/* A gap must not be overtaken: its key is like no other. */
static void table_put_gap(struct live *l)
{
	struct buf *one = &l->web->one;
	char key[1 + sizeof(uint64_t)] = "";
	memcpy(key + 1, &l->cursor.gap_from, sizeof(uint64_t));
	buf_clear(one);
	put_gap(l, one);
	latest_put(l->latest, span_of(key, sizeof(key)), span_of(one->p, one->len));
}

static void table_take(struct live *l, struct buf *b)
{
	l->web->stats.events_sent += latest_take(l->latest, b, LIMIT_WEB_WRITE_BYTES);
}

/* ---- filling ---- */

static bool may_share(const struct live *l)
{
	return l->kind == LIVE_WS && !l->latest && filter_any(&l->filter) && !l->partial;
}

/* Without a filter, frames that others need too are rendered once. */
static bool share(struct live *l, bool head)
{
	if (!may_share(l) ||
	    !frames_join(&l->web->frames, &l->member, l->feed, l->cursor.next, head))
		return false;
	cursor_close(&l->cursor);
	return true;
}

static void take_record(struct live *l, struct buf *b, const struct record *r)
{
	l->flowing = true;
	if (l->told >= r->sequence) /* since= found its place only now */
		l->told = r->sequence - 1;
	if (!record_is_expired(l->web, r) && live_shows(l, r)) {
		if (l->latest) {
			table_put(l, r);
		} else {
			put_record(l, b, r);
			l->web->stats.events_sent++;
		}
		l->told = r->sequence;
		return;
	}
	if (l->latest)
		return;
	if (l->position_due || r->sequence - l->told >= LIMIT_WEB_POSITION_RECORDS)
		put_position(l, b);
}

static enum live_state take_head(struct live *l, struct buf *b)
{
	l->flowing = true;
	if (l->latest && !latest_empty(l->latest)) {
		table_take(l, b);
		return LIVE_MORE;
	}
	if (!l->live_said)
		live_put_live(l, b);
	else if (l->position_due || l->cursor.next - 1 - l->told >= LIMIT_WEB_POSITION_RECORDS)
		put_position(l, b);
	return share(l, true) ? LIVE_MORE : LIVE_WAIT;
}

static enum live_state take_wait(struct live *l, struct buf *b)
{
	if (l->slow == SLOW_CLOSE && l->live_said) {
		live_end(l, 1013);
		return LIVE_END;
	}
	if (l->latest && latest_full(l->latest))
		table_take(l, b);
	return LIVE_WAIT;
}

enum live_state live_fill(struct live *l, struct buf *b)
{
	struct record r;
	assert(!l->member.frames);
	if (l->ended)
		return LIVE_END;
	if (l->notices.len)
		live_put_notices(l, b);
	if (l->flowing && share(l, false))
		return LIVE_MORE;
	for (unsigned i = 0; i < LIMIT_WEB_EXAMINE_RECORDS && b->len < LIMIT_WEB_WRITE_BYTES; i++) {
		if (l->latest && latest_full(l->latest)) {
			table_take(l, b);
			return LIVE_MORE;
		}
		switch (cursor_next(&l->cursor, &r)) {
		case CURSOR_RECORD: take_record(l, b, &r); continue;
		case CURSOR_GAP:
			if (l->latest)
				table_put_gap(l);
			else
				put_gap(l, b);
			continue;
		case CURSOR_HEAD: return take_head(l, b);
		case CURSOR_WAIT: return take_wait(l, b);
		case CURSOR_ENDED:
		case CURSOR_ERROR: live_end(l, 1001); return LIVE_END;
		}
	}
	return LIVE_MORE;
}

/* ---- time ---- */

/* False: l is gone. */
static bool tick_ws(struct live *l, uint64_t now)
{
	uint64_t last = MAX_OF(l->said_ms, l->heard_ms);
	if (l->pinged_ms) {
		if (now - l->pinged_ms >= LIMIT_WEB_PONG_S * 1000) {
			log_debug("A WebSocket did not answer a ping and is closed.");
			/* at once, and so l is gone: lws would look at a later time-out only when
			 * something else happens on one of its sockets */
			lws_set_timeout(l->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
			return false;
		}
	} else if (now - last >= LIMIT_WEB_PING_S * 1000) {
		l->ping_due = true;
		conn_wake(l->wsi);
	}
	return true;
}

void live_tick(struct web *w, uint64_t now)
{
	frames_tick(&w->frames);
	list_for_each_safe (it, &w->lives) {
		struct live *l = list_entry(it, struct live, node);
		if (!l->wsi || l->ended)
			continue;
		if (l->kind == LIVE_PAGE) {
			if (now >= l->deadline_ms)
				conn_wake(l->wsi);
			continue;
		}
		if (l->kind == LIVE_WS) {
			if (!tick_ws(l, now))
				continue;
		} else if (now - l->said_ms >= LIMIT_WEB_HEARTBEAT_S * 1000 &&
		           l->req->out.len == 0) {
			l->said_ms = now;
			buf_add_str(&l->req->out, ": still here\n\n");
			conn_wake(l->wsi);
		}
		if (l->live_said && (l->partial || !filter_any(&l->filter)) && !l->position_due &&
		    now - l->told_ms >= LIMIT_WEB_POSITION_S * 1000 &&
		    l->cursor.next - 1 > l->told) {
			l->position_due = true;
			conn_wake(l->wsi);
		}
	}
}
