/* share.c - groups and their members: who joins, who is here, when a group ends. */
#include "session/share.h"

#include "base/mem.h"

#include <stdlib.h>

/* ---- groups ---- */

static struct span number_key(const uint64_t *number)
{
	return span_of((const char *)number, sizeof(*number));
}

struct share *share_by_number(const struct sessions *t, uint64_t number)
{
	return map_get(&t->share_numbers, number_key(&number));
}

struct share *share_make(struct sessions *t, struct span key, uint64_t number)
{
	struct share *g = xcalloc(1, sizeof(*g));
	g->table = t;
	g->rows = 1;
	g->number = number ? number : ++t->last_share;
	t->last_share = MAX_OF(t->last_share, g->number);
	struct list *heads[] = {&g->ready, &g->full, &g->away,     &g->held,
	                        &g->loose, &g->lags, &g->due_node, &g->flush_node};
	for (unsigned i = 0; i < ARRAY_LEN(heads); i++)
		list_init(heads[i]);
	sub_owner_init(&g->sub);
	if (key.n) {
		g->key = span_of(xstrndup(key.p, key.n), key.n);
		size_t at = strlen(g->key.p) + 1;
		while (g->key.p[at] != '/')
			at++;
		g->filter = span_of(g->key.p + at + 1, key.n - at - 1);
		map_set(&t->shares, g->key, g);
	}
	map_set(&t->share_numbers, number_key(&g->number), g);
	list_append(&t->all_shares, &g->node);
	return g;
}

static void free_share(struct share *g)
{
	struct sessions *t = g->table;
	if (g->key.p && map_get(&t->shares, g->key) == g)
		map_remove(&t->shares, g->key);
	map_remove(&t->share_numbers, number_key(&g->number));
	list_remove(&g->node);
	list_remove(&g->due_node);
	list_remove(&g->flush_node);
	free((char *)g->key.p);
	free(g->places);
	free(g->written);
	free(g->taken);
	free(g);
}

/* The last member is gone. What is on its way to somebody still gets there, and keeps its number:
 * rows are named by it. */
static void dissolve(struct share *g)
{
	share_unwrite(g);
	if (map_get(&g->table->shares, g->key) == g)
		map_remove(&g->table->shares, g->key);
	list_for_each_safe (it, &g->loose) {
		struct flight *fl = list_entry(it, struct flight, node);
		if (fl->holder)
			flight_held(fl, fl->holder, fl->id,
			            fl->holder->out[fl->id].state != OUT_PUBACK);
		else
			flight_over(fl);
	}
	share_due(g);
}

void share_end_if_over(struct share *g)
{
	if (!g->n_members && list_empty(&g->held) && list_empty(&g->loose))
		free_share(g);
}

/* ---- members ---- */

enum { KEY_BYTES = LIMIT_TOPIC_BYTES + 66 };

/* Organisation, '\0', then what follows "$share/": the group has no '/'. */
static struct span make_key(const struct session *s, const struct topic_filter *tf,
                            char mem[KEY_BYTES])
{
	size_t org = strlen(s->key.p) + 1, n = tf->group.n + 1 + tf->filter.n;
	assert(org + n <= KEY_BYTES);
	memcpy(mem, s->key.p, org);
	memcpy(mem + org, tf->group.p, n); /* group and filter are views into one string */
	return span_of(mem, org + n);
}

struct share *share_of(struct session *s, const struct topic_filter *tf)
{
	char mem[KEY_BYTES];
	struct span key = make_key(s, tf, mem);
	struct share *g = map_get(&s->table->shares, key);
	return g ? g : share_make(s->table, key, 0);
}

struct member *share_member(const struct session *s, const struct topic_filter *tf)
{
	char mem[KEY_BYTES];
	const struct share *g = map_get(&s->table->shares, make_key(s, tf, mem));
	if (!g)
		return NULL;
	list_for_each (it, &s->members) {
		struct member *m = list_entry(it, struct member, session_node);
		if (m->share == g)
			return m;
	}
	return NULL;
}

struct member *share_join(struct share *g, struct session *s, const struct sub_options *o)
{
	struct member *m = xcalloc(1, sizeof(*m));
	m->share = g;
	m->session = s;
	m->options = *o;
	m->durable = s->number != 0;
	list_init(&m->node);
	list_init(&m->session_node);
	list_append(&g->away, &m->node);
	list_append(&s->members, &m->session_node);
	s->n_members++;
	g->n_members++;
	g->n_durable += m->durable;
	g->table->stats.shared_subscriptions++;
	return m;
}

static void comes(struct member *m)
{
	struct share *g = m->share;
	list_remove(&m->node);
	list_append(&g->ready, &m->node);
	g->n_ready++;
	m->here = true;
	if (g->n_here++ == 0)
		share_rise(g);
	share_due(g);
}

static void goes(struct member *m)
{
	struct share *g = m->share;
	if (!m->here)
		return;
	list_remove(&m->node);
	list_append(&g->away, &m->node);
	if (m->full)
		m->session->n_full--;
	else
		g->n_ready--;
	m->here = m->full = false;
	if (--g->n_here == 0)
		share_rest(g);
}

void share_member_free(struct member *m)
{
	struct share *g = m->share;
	goes(m);
	g->table->stats.shared_subscriptions--;
	g->n_members--;
	g->n_durable -= m->durable;
	m->session->n_members--;
	list_remove(&m->node);
	list_remove(&m->session_node);
	free(m);
	if (!g->n_members)
		dissolve(g);
	else if (!g->n_durable)
		share_unwrite(g);
}

/* ---- SUBSCRIBE ---- */

size_t share_subscribe_bytes(const struct sessions *t)
{
	return 2 * (size_t)KEY_BYTES + (size_t)hub_feed_count(t->hub) * 32;
}

enum mqtt_reason share_subscribe(struct session *s, const struct topic_filter *tf, struct span full,
                                 const struct sub_options *o, bool *ret_new)
{
	struct sessions *t = s->table;
	char mem[KEY_BYTES];
	struct member *m = share_member(s, tf);
	*ret_new = !m;
	if (m) {
		m->options = *o; /* [MQTT-3.8.4-3] */
	} else {
		if (t->shares.n >= LIMIT_SHARES && !map_get(&t->shares, make_key(s, tf, mem)))
			return MQTT_QUOTA_EXCEEDED;
		m = share_join(share_of(s, tf), s, o);
		comes(m);
	}
	if (s->number) {
		durable_subscription(s, full, o);
		if (!m->share->kept) /* before SUBACK; its flights were not for who has rows */
			share_write(m->share, false);
		share_changed(m->share);
	}
	return (enum mqtt_reason)o->qos;
}

/* ---- the session comes and goes ---- */

void share_here(struct session *s)
{
	for (uint16_t id = s->out && s->n_out ? s->out[0].next : 0; id; id = s->out[id].next) {
		struct flight *fl = s->out[id].flight;
		if (fl && fl->loose)
			flight_held(fl, s, id, s->out[id].state != OUT_PUBACK);
	}
	list_for_each (it, &s->members)
		comes(list_entry(it, struct member, session_node));
}

void share_left(struct session *s)
{
	for (uint16_t id = s->out && s->n_out ? s->out[0].next : 0; id; id = s->out[id].next) {
		struct flight *fl = s->out[id].flight;
		if (fl && !fl->loose && !fl->qos2 && fl->share->n_members)
			flight_loose(fl);
	}
	list_for_each (it, &s->members)
		goes(list_entry(it, struct member, session_node));
}

/* What it never began to send is nobody's yet, whatever its QoS. */
static void release(struct session *s, uint16_t id)
{
	struct out *o = &s->out[id];
	struct flight *fl = o->flight;
	struct share *g = fl->share;
	bool begun = fl->qos2 && o->sent;
	o->flight = NULL;
	fl->holder = NULL;
	if (begun || !g->n_members) {
		flight_over(fl);
	} else if (!fl->loose) {
		flight_loose(fl);
	} else {
		share_due(g);
	}
}

void share_forget(struct session *s)
{
	for (uint16_t id = s->out && s->n_out ? s->out[0].next : 0; id; id = s->out[id].next)
		if (s->out[id].flight)
			release(s, id);
	list_for_each_safe (it, &s->members)
		share_member_free(list_entry(it, struct member, session_node));
}

/* A group whose row is to be written before the rows of s may go: they say of QoS 2 messages that
 * they were given out, and its row does not. */
static size_t settle_one(struct sessions *t, const struct done *d, bool write)
{
	struct share *g = share_by_number(t, d->share);
	if (!g || g->settled == t->mark || share_past(t, d))
		return 0;
	g->settled = t->mark;
	size_t bytes = share_row_bytes(g);
	if (write)
		share_write(g, true);
	return bytes;
}

size_t share_settle(struct session *s, bool write)
{
	struct sessions *t = s->table;
	size_t bytes = 0;
	t->mark++;
	for (unsigned i = 0; i < s->n_done; i++)
		if (s->done[i].share)
			bytes += settle_one(t, &s->done[i], write);
	for (uint16_t id = s->out && s->n_out ? s->out[0].next : 0; id; id = s->out[id].next) {
		const struct flight *fl = s->out[id].flight;
		bool begun = s->out[id].sent;
		if (!fl || (!fl->qos2 && (begun || s->out[id].state != OUT_PUBREC)))
			continue;
		struct done d = {hub_feed_at(t->hub, fl->feed)->id, fl->sequence, fl->share->number,
		                 begun ? fl->row : UINT32_MAX};
		bytes += settle_one(t, &d, write);
	}
	return bytes;
}

void share_undurable(struct session *s)
{
	for (uint16_t id = s->out && s->n_out ? s->out[0].next : 0; id; id = s->out[id].next) {
		struct flight *fl = s->out[id].flight;
		if (fl && fl->qos2 && !s->out[id].sent && fl->share->n_members)
			flight_loose(fl); /* it was never begun: it is nobody's yet */
	}
	share_settle(s, true);
	list_for_each (it, &s->members) {
		struct member *m = list_entry(it, struct member, session_node);
		durable_unsubscribed(s, m->options.flags >> SUB_ROW_SHIFT);
		m->share->n_durable -= m->durable;
		m->durable = false;
		if (!m->share->n_durable)
			share_unwrite(m->share);
	}
}

void shares_free(struct sessions *t)
{
	list_for_each_safe (it, &t->all_shares) {
		struct share *g = list_entry(it, struct share, node);
		list_for_each_safe (f, &g->held)
			free(list_entry(f, struct flight, node));
		list_for_each_safe (f, &g->loose)
			free(list_entry(f, struct flight, node));
		list_for_each_safe (l, &g->lags) {
			struct share_lag *lag = list_entry(l, struct share_lag, node);
			cursor_close(&lag->cursor);
			free(lag);
		}
		struct list *members[] = {&g->ready, &g->full, &g->away};
		for (unsigned i = 0; i < ARRAY_LEN(members); i++)
			list_for_each_safe (m, members[i])
				free(list_entry(m, struct member, node));
		cursor_close(&g->fetch);
		free_share(g);
	}
	list_for_each_safe (f, &t->free_flights)
		free(list_entry(f, struct flight, node));
}

uint64_t shares_backlog(const struct sessions *t)
{
	uint64_t n = 0;
	list_for_each (it, &t->all_shares) {
		struct share *g = list_entry(it, struct share, node);
		struct place *places;
		unsigned count = share_places(g, &places);
		for (unsigned i = 0; i < count; i++)
			for (unsigned k = 0; k < hub_feed_count(t->hub); k++) {
				const struct feed *f = hub_feed_at(t->hub, k);
				if (f->id == places[i].feed_id && places[i].next <= f->last)
					n += f->last + 1 - places[i].next;
			}
		free(places);
	}
	return n;
}
