/* share_give.c - who of a group gets what: in turn, who has room. Live ones at each commit; what
 * waits (the group is behind, or a flight is loose) at the end of each turn in which a member found
 * room or the disk answered. */
#include "base/mem.h"
#include "session/share.h"

#include <stdlib.h>

/* ---- flights ---- */

struct flight *flight_new(struct share *g, uint32_t feed, uint64_t sequence)
{
	struct sessions *t = g->table;
	struct flight *fl;
	if (list_empty(&t->free_flights)) {
		fl = xmalloc(sizeof(*fl));
	} else {
		fl = list_entry(t->free_flights.next, struct flight, node);
		list_remove(&fl->node);
	}
	*fl = (struct flight){.share = g, .feed = feed, .sequence = sequence, .qos2 = true};
	list_init(&fl->node);
	return fl;
}

static void count(struct flight *fl, bool qos2)
{
	struct share *g = fl->share;
	if (fl->qos2 && !qos2) {
		g->n_qos1++;
	} else if (!fl->qos2 && qos2) {
		if (g->n_qos1-- >= LIMIT_SHARE_FLIGHT)
			share_due(g);
	}
	if (!qos2)
		fl->row = g->rows;
	fl->qos2 = qos2;
	share_changed(g);
}

/* What a death would make it give out again is bounded: so many are in sessions' rows alone. */
static void count_since(struct share *g)
{
	if (++g->n_since >= LIMIT_SHARE_FLIGHT && g->kept &&
	    hub_has_state_room(g->table->hub, share_row_bytes(g)))
		share_write(g, true);
}

void flight_held(struct flight *fl, struct session *s, uint16_t id, bool qos2)
{
	count(fl, qos2);
	fl->holder = s;
	fl->id = id;
	fl->loose = false;
	list_remove(&fl->node);
	list_append(&fl->share->held, &fl->node);
	if (qos2)
		count_since(fl->share);
}

void flight_loose(struct flight *fl)
{
	count(fl, false);
	fl->loose = true;
	list_remove(&fl->node);
	list_append(&fl->share->loose, &fl->node);
	share_due(fl->share);
}

void flight_over(struct flight *fl)
{
	struct share *g = fl->share;
	count(fl, true);
	list_remove(&fl->node);
	list_append(&g->table->free_flights, &fl->node);
	if (!g->n_members)
		share_due(g);
}

/* ---- one record for one of them ---- */

static struct hit share_hit(const struct member *m, struct flight *fl)
{
	const struct sub_options *o = &m->options;
	return (struct hit){.session = m->session,
	                    .qos = o->qos, /* [MQTT-4.8.2-3] */
	                    .retain_as_published = o->retain_as_published,
	                    .sequence = (o->flags & SUB_SEQUENCE) != 0,
	                    .n_ids = o->identifier ? 1 : 0,
	                    .ids = {o->identifier},
	                    .flight = fl};
}

struct hit share_hit_of(struct session *s, const struct flight *fl)
{
	list_for_each (it, &s->members) {
		const struct member *m = list_entry(it, struct member, session_node);
		if (m->share == fl->share)
			return share_hit(m, NULL);
	}
	return (struct hit){.session = s}; /* it has unsubscribed since */
}

static void stands_aside(struct member *m)
{
	list_remove(&m->node);
	list_append(&m->share->full, &m->node);
	m->share->n_ready--;
	m->full = true;
	m->session->n_full++;
}

/* fl: a loose one, which its holder loses; or a new one. Whether it is used shows in fl->holder. */
static enum share_given give(struct share *g, struct feed *f, const struct record *r,
                             struct flight *fl)
{
	enum share_given late = list_empty(&g->full) ? SHARE_NOBODY : SHARE_LATER;
	for (unsigned n = g->n_ready; n; n--) {
		struct member *m = list_entry(g->ready.next, struct member, node);
		struct session *s = m->session;
		list_remove(&m->node);
		list_append(&g->ready, &m->node); /* the next one's turn */
		if (access_covers_record(&s->who, ACCESS_SUBSCRIBE, f, r))
			continue;
		struct hit hit = share_hit(m, fl);
		int sent = deliver_now(s, &hit, r, f, false);
		if (sent == 1)
			return SHARE_GIVEN;
		if (sent == ERR_TOO_LARGE) /* another one may take larger packets */
			continue;
		stands_aside(m);
		late = SHARE_LATER;
	}
	return late;
}

enum share_given share_give(struct share *g, struct feed *f, const struct record *r)
{
	if (deliver_expired(g->table, r))
		return SHARE_NOBODY;
	if (g->n_qos1 >= LIMIT_SHARE_FLIGHT)
		return SHARE_LATER;
	struct flight *fl = flight_new(g, f->index, r->sequence);
	enum share_given given = give(g, f, r, fl);
	if (!fl->holder) { /* QoS 0, or not given */
		list_remove(&fl->node);
		list_append(&g->table->free_flights, &fl->node);
	}
	return given;
}

static void drop_holder(struct session *s, uint16_t id)
{
	if (!s)
		return;
	s->out[id].flight = NULL;
	out_drop(s, id);
}

static enum share_given give_loose(struct share *g, struct feed *f, const struct record *r,
                                   struct flight *fl)
{
	struct session *former = fl->holder;
	uint16_t id = fl->id;
	enum share_given given = deliver_expired(g->table, r) ? SHARE_NOBODY : give(g, f, r, fl);
	if (given == SHARE_LATER)
		return SHARE_LATER;
	drop_holder(former, id);
	if (fl->loose) { /* to a member of QoS 0, or to nobody */
		fl->holder = NULL;
		flight_over(fl);
	}
	return given;
}

/* Messages are gone before anybody could take them: MQTT 5 members are told with their next one. */
void share_gap(struct share *g, struct feed *f, uint64_t from, uint64_t to)
{
	struct list *here[] = {&g->ready, &g->full};
	log_warn("A shared subscription lost messages that the log no longer has. share=\"%.*s\" "
	         "feed=%.*s from=%llu to=%llu",
	         (int)(g->key.n - strlen(g->key.p) - 1), g->key.p + strlen(g->key.p) + 1,
	         (int)f->name.n, f->name.p, (unsigned long long)from, (unsigned long long)to);
	for (unsigned i = 0; i < ARRAY_LEN(here); i++)
		list_for_each (it, here[i]) {
			struct session *s = list_entry(it, struct member, node)->session;
			if (s->version != MQTT_V5 || s->gap_feed)
				continue;
			s->gap_feed = f;
			s->gap_from = from;
			s->gap_to = to;
			s->gap_shared = true;
		}
}

/* ---- loose ones ---- */

static void fetch_wake(struct cursor *c)
{
	share_due(c->owner);
}

/* 1: *ret is the record; 0: it is being read; ERR_GAP: it is gone. */
static int fetch(struct share *g, const struct flight *fl, struct record *ret)
{
	struct cursor *c = &g->fetch;
	struct feed *f = hub_feed_at(g->table->hub, fl->feed);
	if (c->feed != f || c->next != fl->sequence) {
		cursor_close(c);
		cursor_open_live(c, g->table->hub, f);
		c->next = fl->sequence;
		c->wake = fetch_wake;
		c->owner = g;
	}
	switch (cursor_next(c, ret)) {
	case CURSOR_RECORD: return 1;
	case CURSOR_WAIT: return 0;
	default: cursor_close(c); return ERR_GAP;
	}
}

static void loose_pump(struct share *g)
{
	struct record r;
	while (g->n_ready && !list_empty(&g->loose)) {
		struct flight *fl = list_entry(g->loose.next, struct flight, node);
		struct feed *f = hub_feed_at(g->table->hub, fl->feed);
		int got = fetch(g, fl, &r);
		if (got == 0)
			return;
		if (got < 0) {
			if (!f->ended)
				share_gap(g, f, fl->sequence, fl->sequence);
			drop_holder(fl->holder, fl->id);
			fl->holder = NULL;
			flight_over(fl);
			continue;
		}
		if (give_loose(g, f, &r, fl) == SHARE_LATER) {
			cursor_close(&g->fetch); /* it stands behind this one */
			return;
		}
	}
}

/* ---- the end of the turn ---- */

void share_due(struct share *g)
{
	list_remove(&g->due_node);
	list_append(&g->table->shares_due, &g->due_node);
}

void share_room(struct session *s)
{
	if (link_backlog(s->link) >= LIMIT_SEND_BUFFER_BYTES)
		return;
	list_for_each (it, &s->members) {
		struct member *m = list_entry(it, struct member, session_node);
		if (!m->full)
			continue;
		list_remove(&m->node);
		list_append(&m->share->ready, &m->node);
		m->share->n_ready++;
		m->full = false;
		s->n_full--;
		share_due(m->share);
	}
}

/* The disk would not give it: its members are closed, and try again when they come back. */
static void fail(struct share *g)
{
	g->failed = false;
	struct list *here[] = {&g->ready, &g->full};
	for (unsigned i = 0; i < ARRAY_LEN(here); i++)
		while (!list_empty(here[i])) {
			struct member *m = list_entry(here[i]->next, struct member, node);
			session_close(m->session, MQTT_IMPLEMENTATION_SPECIFIC_ERROR,
			              "the backlog of its shared subscription cannot be read");
		}
}

static void pump(struct share *g)
{
	if (!g->n_here)
		return;
	loose_pump(g);
	share_lags_pump(g);
	if (g->failed)
		fail(g);
}

void shares_pump(struct sessions *t)
{
	while (!list_empty(&t->shares_due)) {
		struct share *g = list_entry(t->shares_due.next, struct share, due_node);
		list_remove(&g->due_node);
		if (g->n_members)
			pump(g);
		else
			share_end_if_over(g);
	}
}
