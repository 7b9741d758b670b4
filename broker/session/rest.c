/* rest.c - a session without its connection: what is kept of it, and how it goes on. At rest it
 * costs its row, its filters packed one after the other, and a number per feed that they touch: no
 * queue, and nothing in the subscription tree. Writing it down is durable.c's. */
#include "base/mem.h"
#include "session/private.h"
#include "session/share.h"
#include "topic/route.h"

#include <stdio.h>
#include <stdlib.h>

enum { FEED_WORDS = 2 * LIMIT_FEEDS / 64 + 1, LOST_BYTES = 128 };

/* ---- subscriptions, packed: u32 flags, u32 identifier, u8 QoS, u8 retain handling, u8 bits, u16
 * bytes, filter ---- */

void packed_add(struct buf *b, struct span filter, const struct sub_options *o)
{
	uint8_t bits = (uint8_t)((o->no_local ? 1 : 0) | (o->retain_as_published ? 2 : 0));
	uint8_t head[13];
	uint16_t n = (uint16_t)filter.n;
	memcpy(head, &o->flags, 4);
	memcpy(head + 4, &o->identifier, 4);
	head[8] = o->qos;
	head[9] = o->retain_handling;
	head[10] = bits;
	memcpy(head + 11, &n, 2);
	buf_add(b, head, sizeof(head));
	buf_add_span(b, filter);
}

bool packed_next(const uint8_t *p, size_t n, size_t *at, struct span *ret_filter,
                 struct sub_options *ret)
{
	uint16_t len;
	if (n - *at < 13)
		return false;
	p += *at;
	memcpy(&len, p + 11, 2);
	if (n - *at - 13 < len)
		return false;
	*ret = (struct sub_options){.qos = p[8],
	                            .retain_handling = p[9],
	                            .no_local = p[10] & 1,
	                            .retain_as_published = p[10] & 2};
	memcpy(&ret->flags, p, 4);
	memcpy(&ret->identifier, p + 4, 4);
	*ret_filter = span_of((const char *)p + 13, len);
	*at += 13u + len;
	return true;
}

static void session_pack(struct session *s)
{
	struct buf b;
	char filter[LIMIT_TOPIC_BYTES];
	buf_init(&b, (size_t)LIMIT_SUBSCRIPTIONS * (LIMIT_TOPIC_BYTES + SUB_COST));
	for (const struct sub *sub = s->subs.first; sub; sub = sub->owner_next) {
		size_t n = sub_filter(sub, filter, sizeof(filter));
		assert(n <= sizeof(filter));
		packed_add(&b, span_of(filter, n), &sub->options);
	}
	if (b.err)
		fatal("out of memory for a session at rest");
	free(s->packed);
	s->packed = NULL;
	s->packed_n = b.len;
	if (b.len) {
		s->packed = xmalloc(b.len);
		memcpy(s->packed, b.p, b.len);
	}
	buf_done(&b);
}

/* ---- which feeds it is owed something of ---- */

bool feed_touches(const struct feed *f, struct span filter)
{
	for (char **tp = f->conf->topics; tp && *tp; tp++) {
		char own[LIMIT_TOPIC_BYTES];
		struct span template = span_str(*tp);
		if (template.n > sizeof(own))
			continue;
		size_t n = route_template_filter(template, own);
		if (topic_filters_intersect(span_of(own, n), filter))
			return true;
	}
	return false;
}

void session_touch(struct session *s, struct span filter)
{
	const struct hub *h = s->table->hub;
	if (!s->touched)
		s->touched = xcalloc(FEED_WORDS, sizeof(*s->touched));
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (!(s->touched[i / 64] >> (i % 64) & 1) &&
		    feed_touches(hub_feed_at(h, i), filter))
			s->touched[i / 64] |= 1ull << (i % 64);
}

/* A reload may have brought feeds, or changed their topics. */
static void touch_again(struct session *s)
{
	char filter[LIMIT_TOPIC_BYTES];
	if (s->touched_config == hub_config(s->table->hub))
		return;
	s->touched_config = hub_config(s->table->hub);
	for (const struct sub *sub = s->subs.first; sub; sub = sub->owner_next)
		if (sub->options.qos)
			session_touch(s, span_of(filter, sub_filter(sub, filter, sizeof(filter))));
}

static struct place place_in(struct session *s, const struct feed *f)
{
	struct place p = {.feed_id = f->id, .epoch = f->epoch, .next = shown_last(s->table, f) + 1};
	const struct lag *l = lag_find(s, f);
	if (l) {
		p.next = lag_next(l);
		p.live_from = l->live_from;
		p.behind = true;
	} else if (s->gap_feed == f && !s->gap_shared) { /* not told yet */
		p.next = MIN_OF(p.next, s->gap_from);
		p.behind = true;
	}
	return p;
}

unsigned session_places(struct session *s, struct place **ret)
{
	const struct hub *h = s->table->hub;
	unsigned n = 0, max = 0;
	*ret = NULL;
	if (s->state != SESSION_CONNECTED) {
		if (s->n_places) {
			*ret = xmalloc(s->n_places * sizeof(**ret));
			memcpy(*ret, s->places, s->n_places * sizeof(**ret));
		}
		return s->n_places;
	}
	touch_again(s);
	if (!s->touched)
		return 0;
	for (unsigned i = 0; i < FEED_WORDS; i++)
		max += (unsigned)__builtin_popcountll(s->touched[i]);
	*ret = xmalloc((max + 1) * sizeof(**ret));
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (s->touched[i / 64] >> (i % 64) & 1)
			(*ret)[n++] = place_in(s, hub_feed_at(h, i));
	return n;
}

/* ---- leaving ---- */

void session_leave(struct session *s)
{
	struct sessions *t = s->table;
	if (s->state == SESSION_CONNECTED) {
		free(s->places);
		s->n_places = session_places(s, &s->places);
		if (s->number) {
			session_pack(s);
			s->n_packed = s->subs.n;
			t->stats.subscriptions_away += s->n_packed;
		}
		sub_tree_remove_all(t->tree, &s->subs);
		s->ended_ms = clock_wall_ms(hub_clock(t->hub));
	}
	share_left(s);
	uint64_t skip_to = s->skip_to;
	s->state = SESSION_AWAY;
	lags_close(s);
	s->skip_to = skip_to;
	retained_close(s);
	pending_close(s);
	out_left(s);
	free(s->touched);
	s->touched = NULL;
	s->touched_config = NULL;
	s->gap_feed = NULL;
	s->unanswered = 0;
	s->ends_s = s->expiry_s == UINT32_MAX ? UINT64_MAX : t->now_s + s->expiry_s;
}

/* ---- coming back ---- */

static struct feed *feed_by_id(const struct hub *h, uint32_t id)
{
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (hub_feed_at(h, i)->id == id)
			return hub_feed_at(h, i);
	return NULL;
}

static bool lost_note(const struct feed *f, uint64_t from, uint64_t to, struct wire *w)
{
	char text[LOST_BYTES];
	int n = snprintf(text, sizeof(text), "%.*s:%llu-%llu", (int)f->name.n, f->name.p,
	                 (unsigned long long)from, (unsigned long long)to);
	wire_user_property(w, SPAN("oudp-gap"), span_of(text, (size_t)n));
	return true;
}

static bool place_lost(const struct place *p, struct hub *h, struct wire *w)
{
	struct feed *f = feed_by_id(h, p->feed_id);
	struct cursor c;
	bool lost = false;
	if (!f || f->ended)
		return false;
	cursor_open_after(&c, h, f, p->epoch, p->next - 1);
	if (c.gap_pending)
		lost = lost_note(f, c.gap_from, c.gap_to, w);
	else if (c.next < f->first)
		lost = lost_note(f, c.next, f->first - 1, w);
	cursor_close(&c);
	return lost;
}

bool session_lost(struct session *s, struct wire *w, unsigned max)
{
	struct hub *h = s->table->hub;
	unsigned n = 0;
	for (unsigned i = 0; i < s->n_places && n < max; i++)
		n += place_lost(&s->places[i], h, w);
	for (uint16_t id = s->out ? s->out[0].next : 0; id && n < max; id = s->out[id].next) {
		const struct out *o = &s->out[id];
		const struct feed *f = hub_feed_at(h, o->feed);
		if (o->state != OUT_PUBCOMP && !f->ended && o->sequence < f->first)
			n += lost_note(f, o->sequence, o->sequence, w);
	}
	return n > 0;
}

static void subscribe_again(struct session *s)
{
	struct span filter;
	struct sub_options o;
	size_t at = 0;
	while (packed_next(s->packed, s->packed_n, &at, &filter, &o)) {
		if (sub_tree_add(s->table->tree, &s->subs, filter, &o, NULL, NULL))
			fatal("out of memory for the subscriptions of a session that came back");
		if (filter.p[0] == '$')
			system_subscribed(s, filter, false);
		question_subscribed(s, filter);
		if (o.qos)
			session_touch(s, filter);
	}
	s->touched_config = hub_config(s->table->hub);
	free(s->packed);
	s->packed = NULL;
	s->packed_n = 0;
	s->table->stats.subscriptions_away -= s->n_packed;
	s->n_packed = 0;
}

/* It goes on in f after what it had: with a cursor, until it meets the head. */
static void behind_in(struct session *s, struct feed *f, const struct place *p)
{
	struct lag *l;
	if (p->epoch == f->epoch && p->next > f->last)
		return;
	l = lag_after(s, f, p->epoch, p->next - 1, p->live_from);
	l->qos0_from = p->live_from ? 0 : shown_last(s->table, f) + 1;
	l->herd = !p->live_from;
}

void session_return(struct session *s)
{
	struct hub *h = s->table->hub;
	struct place *places = s->places;
	unsigned n = s->n_places;
	uint64_t seen[FEED_WORDS] = {0};
	s->places = NULL;
	s->n_places = 0;
	subscribe_again(s);
	for (unsigned i = 0; i < n; i++) {
		struct feed *f = feed_by_id(h, places[i].feed_id);
		if (!f || f->ended)
			continue;
		seen[f->index / 64] |= 1ull << (f->index % 64);
		behind_in(s, f, &places[i]);
	}
	/* A feed that was configured meanwhile: nothing older than its absence can be owed. */
	for (unsigned i = 0; s->touched && i < hub_feed_count(h); i++) {
		struct feed *f = hub_feed_at(h, i);
		if (f->ended || !(s->touched[i / 64] & ~seen[i / 64] & 1ull << (i % 64)) ||
		    f->last_stored_ms < s->ended_ms || f->first > f->last)
			continue;
		lag_since(s, f, s->ended_ms, 0);
		lag_find(s, f)->qos0_from = shown_last(s->table, f) + 1;
	}
	free(places);
	if (list_empty(&s->lags))
		s->skip_to = 0;
	out_resume(s);
	share_here(s);
	deliver_pump(s);
}

void session_rest_wheel(struct session *s)
{
	session_wheel(s, s->will ? MIN_OF(s->will->due_s, s->ends_s) : s->ends_s);
}

void session_rest_due(struct session *s)
{
	uint64_t now = s->table->now_s;
	if (s->will && now >= s->will->due_s)
		will_now(s);
	if (now < s->ends_s) {
		session_rest_wheel(s);
		return;
	}
	s->table->stats.expired++;
	session_forget(s);
}
