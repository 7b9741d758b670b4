/* lag.c - who is behind: a cursor per feed that reads until it meets the head, then the session is
 * live again. Nothing is queued for it. */
#include "base/mem.h"
#include "session/private.h"
#include "session/share.h"

#include <stdlib.h>

struct lag *lag_find(const struct session *s, const struct feed *f)
{
	list_for_each (it, &s->lags) {
		struct lag *l = list_entry(it, struct lag, node);
		if (l->cursor.feed == f)
			return l;
	}
	return NULL;
}

void lag_free(struct lag *l)
{
	struct session *s = l->session;
	if (l->scan)
		herd_leave(l, 0);
	cursor_close(&l->cursor);
	list_remove(&l->node);
	free(l);
	if (list_empty(&s->lags))
		s->skip_to = 0;
	if (s->number && !s->changed)
		durable_changed(s);
}

void lags_close(struct session *s)
{
	list_for_each_safe (it, &s->lags)
		lag_free(list_entry(it, struct lag, node));
}

uint64_t lag_next(const struct lag *l)
{
	const struct cursor *c = &l->cursor;
	if (c->lookup) /* not known yet where: rather too much than too little */
		return c->feed->first;
	if (l->scan)
		return herd_next(l);
	if (c->gap_pending)
		return c->gap_from;
	if (l->session->gap_feed == c->feed && !l->session->gap_shared) /* not told yet */
		return MIN_OF(l->session->gap_from, c->next);
	return c->next;
}

enum { TURN_RECORDS = 64 };
/* How a turn ended: it is freed; nothing was to do; it cannot go on now; its time was over. */
enum turn { TURN_GONE, TURN_IDLE, TURN_STOPPED, TURN_MORE };

static enum turn lag_pump(struct lag *l);

static void lag_wake(struct cursor *c)
{
	struct lag *l = c->owner;
	while (lag_pump(l) == TURN_MORE)
		;
}

static struct lag *lag_new(struct session *s, uint64_t live_from)
{
	struct lag *l = xcalloc(1, sizeof(*l));
	l->session = s;
	l->live_from = live_from;
	list_init(&l->node);
	list_init(&l->scan_node);
	list_init(&l->held_node);
	list_append(&s->lags, &l->node);
	if (s->number && !s->changed)
		durable_changed(s);
	return l;
}

static void lag_begin(struct lag *l)
{
	l->cursor.wake = lag_wake;
	l->cursor.owner = l;
}

struct lag *lag_after(struct session *s, struct feed *f, uint32_t epoch, uint64_t after,
                      uint64_t live_from)
{
	struct lag *l = lag_new(s, live_from);
	cursor_open_after(&l->cursor, s->table->hub, f, epoch, after);
	lag_begin(l);
	return l;
}

void lag_since(struct session *s, struct feed *f, int64_t since_ms, uint64_t live_from)
{
	struct lag *l = lag_new(s, live_from);
	cursor_open_since(&l->cursor, s->table->hub, f, since_ms);
	lag_begin(l);
}

bool lag_take(struct lag *l, const struct record *r, const struct hit *hit)
{
	struct session *s = l->session;
	if (access_covers_record(&s->who, ACCESS_SUBSCRIBE, l->cursor.feed, r))
		return true;
	if (r->sequence < l->qos0_from && (hit->qos == 0 || record_qos(r) == 0))
		return true; /* it was away, and QoS 0 is for who is there */
	if (r->sequence <= s->skip_to && out_has(s, l->cursor.feed, r->sequence))
		return true; /* QoS 2: it was sent before the restart */
	return deliver(s, hit, r, l->cursor.feed, false);
}

/* False: the session cannot take it now. */
static bool lag_record(struct lag *l, const struct record *r)
{
	struct sessions *t = l->session->table;
	deliver_match(t, r, l->session, r->sequence < l->live_from);
	return t->n_hits == 0 || lag_take(l, r, &t->hits[0]);
}

bool lag_gap(struct lag *l, uint64_t from, uint64_t to)
{
	struct session *s = l->session;
	if (s->version != MQTT_V5) { /* it cannot be told otherwise */
		session_close(s, MQTT_UNSPECIFIED_ERROR,
		              "the log no longer has what it was behind with");
		return false;
	}
	s->gap_feed = l->cursor.feed;
	s->gap_from = from;
	s->gap_to = to;
	s->gap_shared = false;
	return true;
}

/* At the head: true, it is live and l is freed. While a batch is being published its records are in
 * the log already but were not shown to the live ones yet: to go live now would deliver them twice.
 */
static bool lag_head(struct lag *l)
{
	struct feed *f = l->cursor.feed;
	if (shown_last(l->session->table, f) < f->last)
		return false; /* woken after they were shown */
	lag_free(l);
	return true;
}

static enum turn lag_run(struct lag *l)
{
	struct session *s = l->session;
	struct record r;
	for (unsigned n = 0; link_backlog(s->link) < LIMIT_SEND_BUFFER_BYTES; n++) {
		if (n == TURN_RECORDS)
			return TURN_MORE;
		switch (cursor_next(&l->cursor, &r)) {
		case CURSOR_RECORD:
			if (lag_record(l, &r))
				continue;
			l->cursor.next--; /* again when there is room */
			l->full = !out_room(s);
			return n ? TURN_STOPPED : TURN_IDLE;
		case CURSOR_GAP:
			if (lag_gap(l, l->cursor.gap_from, l->cursor.gap_to))
				continue;
			return TURN_GONE; /* the session is closed, and this with it */
		case CURSOR_HEAD: return lag_head(l) ? TURN_GONE : TURN_STOPPED;
		case CURSOR_ENDED: lag_free(l); return TURN_GONE;
		case CURSOR_WAIT: return n ? TURN_STOPPED : TURN_IDLE;
		case CURSOR_ERROR:
			session_close(s, MQTT_IMPLEMENTATION_SPECIFIC_ERROR,
			              "its backlog cannot be read");
			return TURN_GONE;
		}
	}
	return TURN_STOPPED;
}

static enum turn lag_pump(struct lag *l)
{
	struct session *s = l->session;
	if (l->pumping || l->scan || out_behind(s) || (l->full && !out_room(s)))
		return TURN_IDLE;
	l->full = false;
	if (l->herd && herd_join(l))
		return TURN_IDLE;
	l->pumping = true;
	if (s->number && !s->changed)
		durable_changed(s);
	enum turn turn = lag_run(l);
	if (turn != TURN_GONE)
		l->pumping = false;
	return turn;
}

/* A turn for each feed it is behind on; who took something goes to the end, so that a busy feed
 * does not keep the others back until their records have left memory. True: there is more. */
static bool lags_turn(struct session *s)
{
	unsigned n = 0;
	bool more = false;
	list_for_each (it, &s->lags)
		n++;
	struct list *next;
	for (struct list *it = s->lags.next; n > 0 && it != &s->lags; n--, it = next) {
		next = it->next;
		enum turn turn = lag_pump(list_entry(it, struct lag, node));
		if (s->state != SESSION_CONNECTED)
			return false;
		if (turn >= TURN_STOPPED) {
			list_remove(it);
			list_append(&s->lags, it);
		}
		more |= turn == TURN_MORE;
	}
	return more;
}

void deliver_pump(struct session *s)
{
	if (!out_pump(s) && (s->state != SESSION_CONNECTED || out_behind(s)))
		return;
	if (!retained_pump(s))
		return;
	while (lags_turn(s))
		;
	if (s->state == SESSION_CONNECTED && s->n_full)
		share_room(s);
}
