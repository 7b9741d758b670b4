/* herd.c - one reading of a feed for all who came back to it: each record is read once and matched
 * once, through a tree that holds nobody else's subscriptions. Who cannot take a record now goes on
 * alone from there (lag.c); who comes when the scan is past its place waits for the next pass.
 *
 * Neighbours in the log are rarely for the same one, and a write for each of them costs more than
 * all the rest. So what is for those in the scan stays in their links' buffers until there is
 * enough of it, or it has waited long enough; then it is sent, and nothing is read meanwhile.
 *
 * A pass goes from the place of the one furthest back to the head, in pieces of LIMIT_SCAN_RECORDS:
 *
 *   herd_join --> (late: next pass) --> in it --head--> live
 *                                        |--cannot take it now, herd_leave--> alone */
#include "base/mem.h"
#include "session/private.h"

#include <stdlib.h>

enum { SCAN_BEHIND = 16 }; /* who is less behind reads alone: a scan would cost more */

struct scan {
	struct list node; /* sessions->scans */
	struct sessions *table;
	struct cursor cursor;
	struct list members; /* struct lag.scan_node */
	struct list held;    /* struct lag.held_node: what is to be sent to them */
	size_t held_bytes;
	uint64_t held_since_ns;
	bool sending;     /* what is held, before anything else is read */
	struct job again; /* the next piece, after the loop has looked at others */
	bool pumping, queued, orphan;
};

uint64_t herd_next(const struct lag *l)
{
	if (l->late)
		return l->cursor.next;
	return MAX_OF(l->cursor.next, l->scan->cursor.next);
}

static void herd_pump(struct scan *sc);

static void herd_wake(struct cursor *c)
{
	herd_pump(c->owner);
}

static void nothing(struct job *j UNUSED) {}

static void again(struct job *j)
{
	struct scan *sc = container_of(j, struct scan, again);
	sc->queued = false;
	if (sc->orphan)
		free(sc);
	else
		herd_pump(sc);
}

static void queue(struct scan *sc)
{
	if (sc->queued)
		return;
	sc->queued = true;
	sc->again = (struct job){.work = nothing, .done = again};
	hub_pool(sc->table->hub, &sc->again);
}

static void herd_free(struct scan *sc)
{
	cursor_close(&sc->cursor);
	list_remove(&sc->node);
	if (sc->queued)
		sc->orphan = true;
	else
		free(sc);
}

void herds_free(struct sessions *t)
{
	list_for_each_safe (it, &t->scans)
		herd_free(list_entry(it, struct scan, node));
}

static struct scan *herd_of(struct sessions *t, struct feed *f, uint64_t next)
{
	list_for_each (it, &t->scans) {
		struct scan *sc = list_entry(it, struct scan, node);
		if (sc->cursor.feed == f)
			return sc;
	}
	struct scan *sc = xcalloc(1, sizeof(*sc));
	sc->table = t;
	list_init(&sc->members);
	list_init(&sc->held);
	cursor_open_live(&sc->cursor, t->hub, f);
	sc->cursor.next = next;
	sc->cursor.wake = herd_wake;
	sc->cursor.owner = sc;
	list_append(&t->scans, &sc->node);
	return sc;
}

/* Its subscriptions stand in the herd's tree while it is in any scan. */
static bool enter_herd(struct session *s)
{
	char filter[LIMIT_TOPIC_BYTES];
	if (s->n_scans++)
		return true;
	for (const struct sub *sub = s->subs.first; sub; sub = sub->owner_next) {
		size_t n = sub_filter(sub, filter, sizeof(filter));
		if (sub_tree_add(s->table->herd, &s->herd, span_of(filter, n), &sub->options, NULL,
		                 NULL)) {
			sub_tree_remove_all(s->table->herd, &s->herd);
			s->n_scans = 0;
			return false;
		}
	}
	return true;
}

bool herd_join(struct lag *l)
{
	struct feed *f = l->cursor.feed;
	l->herd = false;
	if (f->ended || l->cursor.gap_pending || l->cursor.lookup || l->cursor.next < f->first ||
	    l->cursor.next + SCAN_BEHIND > f->last)
		return false;
	if (!enter_herd(l->session))
		return false;
	struct scan *sc = herd_of(l->session->table, f, l->cursor.next);
	l->scan = sc;
	l->late = l->cursor.next < sc->cursor.next;
	list_append(&sc->members, &l->scan_node);
	queue(sc);
	return true;
}

/* ---- sent together ---- */

static void hold(struct scan *sc, struct lag *l, size_t bytes)
{
	if (list_empty(&sc->held))
		sc->held_since_ns = clock_mono_ns(hub_clock(sc->table->hub));
	if (list_empty(&l->held_node))
		list_append(&sc->held, &l->held_node);
	sc->held_bytes += bytes;
}

static void send_held(struct lag *l)
{
	struct link *link = l->session->link;
	if (list_empty(&l->held_node))
		return;
	list_remove(&l->held_node);
	if (link)
		link->ops->flush(link);
}

static bool held_enough(const struct scan *sc)
{
	if (list_empty(&sc->held))
		return false;
	return sc->held_bytes >= LIMIT_SCAN_HELD_BYTES ||
	       clock_mono_ns(hub_clock(sc->table->hub)) - sc->held_since_ns >=
	           (uint64_t)LIMIT_SCAN_HELD_MS * 1000000u;
}

/* False: there is more of it. */
static bool send_some(struct scan *sc)
{
	for (unsigned n = 0; n < LIMIT_SCAN_WRITES && !list_empty(&sc->held); n++)
		send_held(list_entry(sc->held.next, struct lag, held_node));
	if (!list_empty(&sc->held))
		return false;
	sc->held_bytes = 0;
	sc->sending = false;
	return true;
}

void herd_leave(struct lag *l, uint64_t next)
{
	struct session *s = l->session;
	send_held(l);
	if (next)
		l->cursor.next = next;
	l->scan = NULL;
	l->late = false;
	list_remove(&l->scan_node);
	if (--s->n_scans == 0)
		sub_tree_remove_all(s->table->herd, &s->herd);
}

void herd_leave_all(struct session *s)
{
	list_for_each (it, &s->lags) {
		struct lag *l = list_entry(it, struct lag, node);
		if (l->scan)
			herd_leave(l, herd_next(l));
	}
}

static void herd_record(struct scan *sc, const struct record *r)
{
	struct sessions *t = sc->table;
	deliver_match_herd(t, r);
	for (unsigned i = 0; i < t->n_hits; i++) {
		struct lag *l = lag_find(t->hits[i].session, sc->cursor.feed);
		if (!l || l->scan != sc || l->late || r->sequence < l->cursor.next)
			continue;
		struct link *link = l->session->link;
		size_t before = link->out.len;
		link->held = true;
		bool taken = lag_take(l, r, &t->hits[i]);
		link->held = false;
		if (link->out.len > before)
			hold(sc, l, link->out.len - before);
		if (!taken)
			herd_leave(l, r->sequence);
	}
}

static void herd_gap(struct scan *sc, uint64_t from, uint64_t to)
{
	list_for_each_safe (it, &sc->members) {
		struct lag *l = list_entry(it, struct lag, scan_node);
		if (!l->late && l->cursor.next <= to)
			(void)lag_gap(l, MAX_OF(from, l->cursor.next), to);
	}
}

/* The next pass, for who came late. False: nobody. */
static bool next_pass(struct scan *sc)
{
	uint64_t from = UINT64_MAX;
	list_for_each (it, &sc->members) {
		struct lag *l = list_entry(it, struct lag, scan_node);
		l->late = false;
		from = MIN_OF(from, l->cursor.next);
	}
	if (from == UINT64_MAX)
		return false;
	list_remove(&sc->cursor.node);
	sc->cursor.next = from;
	return true;
}

/* Everybody in the pass is live from here, once all of the head was shown to those who are. */
static bool at_head(struct scan *sc)
{
	struct feed *f = sc->cursor.feed;
	if (shown_last(sc->table, f) < f->last)
		return false; /* woken after that */
	if (!list_empty(&sc->held)) {
		sc->sending = true;
		queue(sc);
		return false;
	}
	list_for_each_safe (it, &sc->members) {
		struct lag *l = list_entry(it, struct lag, scan_node);
		if (!l->late)
			lag_free(l);
	}
	return next_pass(sc);
}

/* The disk would not give it, or the feed has ended: each finds out alone. */
static void scatter(struct scan *sc)
{
	list_for_each_safe (it, &sc->members) {
		struct lag *l = list_entry(it, struct lag, scan_node);
		struct session *s = l->session;
		herd_leave(l, herd_next(l));
		deliver_pump(s);
	}
}

static void herd_run(struct scan *sc)
{
	struct record r;
	sc->sending |= held_enough(sc);
	if (sc->sending && !send_some(sc)) {
		queue(sc);
		return;
	}
	for (unsigned n = 0; n < LIMIT_SCAN_RECORDS; n++) {
		if (list_empty(&sc->members))
			return;
		switch (cursor_next(&sc->cursor, &r)) {
		case CURSOR_RECORD: herd_record(sc, &r); break;
		case CURSOR_GAP: herd_gap(sc, sc->cursor.gap_from, sc->cursor.gap_to); break;
		case CURSOR_WAIT: return;
		case CURSOR_HEAD:
			if (!at_head(sc))
				return;
			break;
		case CURSOR_ENDED:
		case CURSOR_ERROR: scatter(sc); return;
		}
	}
	queue(sc);
}

static void herd_pump(struct scan *sc)
{
	if (sc->pumping)
		return;
	sc->pumping = true;
	herd_run(sc);
	sc->pumping = false;
	if (list_empty(&sc->members) && !sc->queued)
		herd_free(sc);
}
