/* out.c - the outbound window: packet ids, what each waits for, and sending again after the session
 * came back. Does not decide who gets a message; deliver.c does. The states and who moves them:
 * struct out in private.h. */
#include "base/mem.h"
#include "feed/erased.h"
#include "session/private.h"
#include "session/share.h"

#include <stdlib.h>

enum { OUT_FIRST = 15, OUT_ROW_BYTES = 64 };

/* ---- ids ---- */

/* Frees join the chain in reverse, so that the lowest is taken first. */
static void grow(struct session *s, unsigned cap)
{
	unsigned from = s->cap_out;
	s->out = xrealloc(s->out, (cap + 1) * sizeof(*s->out));
	if (!from)
		s->out[0] = (struct out){0};
	for (unsigned i = cap; i > from; i--) {
		s->out[i] = (struct out){.next = s->out_free};
		s->out_free = (uint16_t)i;
	}
	s->cap_out = cap;
}

bool out_room(struct session *s)
{
	if (!s->quota) /* [MQTT-3.3.4-9] */
		return false;
	if (!s->out_free && s->cap_out < LIMIT_INFLIGHT_OUT)
		grow(s, MIN_OF(s->cap_out ? s->cap_out * 2 : (unsigned)OUT_FIRST,
		               (unsigned)LIMIT_INFLIGHT_OUT));
	return s->out_free != 0;
}

uint16_t out_next(struct session *s)
{
	assert(s->out_free);
	return s->out_free;
}

static void link_last(struct session *s, uint16_t id)
{
	struct out *head = &s->out[0], *o = &s->out[id];
	o->prev = head->prev;
	o->next = 0;
	s->out[head->prev].next = id;
	head->prev = id;
	s->n_out++;
}

uint16_t out_take(struct session *s, unsigned qos, const struct feed *f, uint64_t sequence,
                  bool retain, struct flight *flight)
{
	uint16_t id = out_next(s);
	struct out *o = &s->out[id];
	s->out_free = o->next;
	*o = (struct out){.sequence = sequence,
	                  .order = ++s->next_order,
	                  .feed = f->index,
	                  .state = qos == 1 ? OUT_PUBACK : OUT_PUBREC,
	                  .sent = true,
	                  .retain = retain,
	                  .counted = true,
	                  .flight = flight};
	link_last(s, id);
	s->quota--;
	if (flight)
		flight_held(flight, s, id, qos == 2);
	if (s->number && !s->changed)
		durable_changed(s);
	return id;
}

bool out_restore(struct session *s, uint16_t id, enum out_state state, uint32_t feed,
                 uint64_t sequence, uint64_t order, bool retain)
{
	if (id == 0 || id > LIMIT_INFLIGHT_OUT)
		return false;
	while (s->cap_out < id)
		grow(s, MIN_OF(s->cap_out ? s->cap_out * 2 : (unsigned)OUT_FIRST,
		               (unsigned)LIMIT_INFLIGHT_OUT));
	if (s->out[id].state != OUT_FREE)
		return false;
	uint16_t *at = &s->out_free; /* out of the chain */
	while (*at != id)
		at = &s->out[*at].next;
	*at = s->out[id].next;
	uint16_t before = s->out[0].prev;
	while (before && s->out[before].order > order)
		before = s->out[before].prev;
	uint16_t after = s->out[before].next;
	s->out[id] = (struct out){.sequence = sequence,
	                          .order = order,
	                          .feed = feed,
	                          .state = (uint8_t)state,
	                          .sent = true,
	                          .retain = retain,
	                          .prev = before,
	                          .next = after};
	s->out[before].next = id;
	s->out[after].prev = id;
	s->n_out++;
	s->next_order = MAX_OF(s->next_order, order);
	return true;
}

/* The next one after id that is to be sent; 0: none. */
static uint16_t next_unsent(const struct session *s, uint16_t id)
{
	do
		id = s->out[id].next;
	while (id && (!s->out[id].unsent || s->out[id].committing));
	return id;
}

static void to_send(struct session *s, uint16_t id)
{
	s->out[id].unsent = true;
	if (!s->unsent || s->out[id].order < s->out[s->unsent].order)
		s->unsent = id;
}

void out_drop(struct session *s, uint16_t id)
{
	struct out *o = &s->out[id];
	assert(o->state != OUT_FREE);
	if (s->unsent == id)
		s->unsent = next_unsent(s, id);
	s->out[o->prev].next = o->next;
	s->out[o->next].prev = o->prev;
	if (o->counted)
		s->quota++;
	if (o->flight)
		flight_over(o->flight);
	*o = (struct out){.next = s->out_free};
	s->out_free = id;
	s->n_out--;
	if (s->number && !s->changed)
		durable_changed(s);
}

bool out_has(const struct session *s, const struct feed *f, uint64_t sequence)
{
	for (uint16_t id = s->out ? s->out[0].next : 0; id; id = s->out[id].next)
		if (s->out[id].sequence == sequence && s->out[id].feed == f->index &&
		    !s->out[id].flight)
			return true;
	for (unsigned i = 0; i < s->n_done; i++)
		if (s->done[i].sequence == sequence && s->done[i].feed_id == f->id &&
		    !s->done[i].share)
			return true;
	return false;
}

bool out_behind(const struct session *s)
{
	return s->unsent && s->out[s->unsent].order <= s->resume_order;
}

/* ---- commits: a QoS 2 PUBLISH leaves after its row is on disk, and so does its PUBREL ---- */

/* token: the session; sequence: the order of the entry, for its id may be another's by now */
static void out_committed(const struct answer *a, int err)
{
	struct sessions *t = a->owner;
	struct session *s = session_of_token(t, a->token);
	if (!s || a->packet_id > s->cap_out)
		return;
	struct out *o = &s->out[a->packet_id];
	if (o->state == OUT_FREE || o->order != a->sequence || !o->committing)
		return;
	if (err) { /* nothing happened: once more, with the next commit */
		durable_out(s, a->packet_id,
		            o->state == OUT_PUBREC ? OUT_ROW_SENT : OUT_ROW_RELEASED);
		hub_answer(t->hub, a);
		return;
	}
	o->committing = false;
	to_send(s, a->packet_id);
	if (s->state == SESSION_CONNECTED)
		deliver_pump(s);
}

static void commit_first(struct session *s, uint16_t id, enum out_row row)
{
	struct answer a = {.done = out_committed,
	                   .owner = s->table,
	                   .token = session_token(s),
	                   .sequence = s->out[id].order,
	                   .packet_id = id};
	s->out[id].committing = true;
	durable_out(s, id, row);
	hub_answer(s->table->hub, &a);
}

/* False: none, and the session is pumped again when there is. */
static bool row_room(struct session *s)
{
	struct sessions *t = s->table;
	if (hub_has_room(t->hub, CONFIG_NORMAL, OUT_ROW_BYTES))
		return true;
	if (!s->waiting_batch) {
		s->waiting_batch = true;
		list_append(&t->batch_waiters, &s->batch_node);
	}
	return false;
}

bool out_take_stored(struct session *s, const struct feed *f, uint64_t sequence, bool retain,
                     struct flight *flight)
{
	if (!row_room(s))
		return false;
	uint16_t id = out_take(s, 2, f, sequence, retain, flight);
	s->out[id].sent = false;
	commit_first(s, id, OUT_ROW_SENT);
	return true;
}

/* ---- sending (again) ---- */

static void fetch_wake(struct cursor *c)
{
	deliver_pump(c->owner);
}

/* 1: *ret is the record; 0: it is being read; ERR_GAP: it is gone; ERR_NOT_FOUND: erased. */
static int fetch(struct session *s, struct feed *f, uint64_t sequence, struct record *ret)
{
	struct cursor *c = s->fetch;
	if (!c)
		c = s->fetch = xcalloc(1, sizeof(*c));
	if (c->feed != f || c->next != sequence) {
		cursor_close(c);
		cursor_open_live(c, s->table->hub, f);
		c->next = sequence;
		c->wake = fetch_wake;
		c->owner = s;
	}
	switch (cursor_next(c, ret)) {
	case CURSOR_RECORD: return record_is_erased(ret) ? ERR_NOT_FOUND : 1;
	case CURSOR_WAIT: return 0;
	default: cursor_close(c); return ERR_GAP;
	}
}

/* The record of an entry is gone: its flow cannot go on, and the client is told of the hole. */
static bool entry_lost(struct session *s, uint16_t id, struct feed *f)
{
	struct out *o = &s->out[id];
	uint64_t sequence = o->sequence;
	if (s->version == MQTT_V5 && !s->gap_feed) {
		s->gap_feed = f;
		s->gap_from = s->gap_to = sequence;
		s->gap_shared = o->flight != NULL;
	}
	if (s->number && o->state == OUT_PUBREC)
		durable_out(s, id, OUT_ROW_DONE);
	out_drop(s, id);
	if (s->version == MQTT_V5 || f->ended)
		return true;
	session_close(s, MQTT_UNSPECIFIED_ERROR, "the log no longer has what it was behind with");
	return false;
}

static bool send_pubrel(struct session *s, uint16_t id)
{
	struct wire w = link_wire(s->link, 16);
	mqtt_encode_ack_ok(&w, MQTT_PUBREL, id);
	link_sent(s->link, &w); /* [MQTT-4.3.3-4], [MQTT-4.4.0-1] */
	return !w.err;
}

/* 1: sent; 0: not now; ERR_CLOSED: the session was closed; ERR_AGAIN: look at the next one. */
static int send_one(struct session *s, uint16_t id)
{
	struct out *o = &s->out[id];
	struct record r;
	if (o->state == OUT_PUBCOMP)
		return send_pubrel(s, id) ? 1 : 0;
	if (!o->counted && !s->quota) /* [MQTT-3.3.4-9] */
		return 0;
	if (s->number && o->state == OUT_PUBREC && !row_room(s)) /* it may have to be dropped */
		return 0;
	struct feed *f = hub_feed_at(s->table->hub, o->feed);
	int got = fetch(s, f, o->sequence, &r);
	if (got == 0)
		return 0;
	if (got < 0 && got != ERR_NOT_FOUND)
		return entry_lost(s, id, f) ? ERR_AGAIN : ERR_CLOSED;
	if (got > 0)
		got = deliver_entry(s, id, &r, f);
	if (got == ERR_TOO_LARGE ||
	    got == ERR_NOT_FOUND) { /* [MQTT-3.1.2-25]: as if it had been sent */
		if (s->number && o->state == OUT_PUBREC)
			durable_out(s, id, OUT_ROW_DONE);
		out_drop(s, id);
		return ERR_AGAIN;
	}
	return got;
}

bool out_pump(struct session *s)
{
	while (s->unsent) {
		if (link_backlog(s->link) >= LIMIT_SEND_BUFFER_BYTES)
			return false;
		uint16_t id = s->unsent;
		int err = send_one(s, id);
		if (err == 0 || err == ERR_CLOSED)
			return false;
		if (err == ERR_AGAIN)
			continue;
		struct out *o = &s->out[id];
		o->unsent = false;
		o->sent = true;
		if (!o->counted && o->state != OUT_PUBCOMP) {
			o->counted = true;
			s->quota--;
		}
		s->unsent = next_unsent(s, id);
	}
	return true;
}

void out_left(struct session *s)
{
	if (s->fetch)
		cursor_close(s->fetch);
	free(s->fetch);
	s->fetch = NULL;
	s->unsent = 0;
	list_remove(&s->batch_node);
	s->waiting_batch = false;
}

/* [MQTT-4.4.0-1]: PUBLISH and PUBREL that were not answered go out again with their packet ids, in
 * the order in which they were first sent [MQTT-4.6.0-1]. */
void out_resume(struct session *s)
{
	s->resume_order = s->next_order;
	s->unsent = 0;
	for (uint16_t id = s->out ? s->out[0].next : 0; id; id = s->out[id].next) {
		s->out[id].unsent = true;
		s->out[id].counted = false;
	}
	if (s->out)
		s->unsent = next_unsent(s, 0);
}

void out_free_all(struct session *s)
{
	free(s->out);
	free(s->done);
	s->out = NULL;
	s->done = NULL;
	s->cap_out = s->n_out = s->n_done = s->cap_done = 0;
	s->out_free = s->unsent = 0;
}

/* ---- acknowledgements of what we sent ---- */

static struct out *entry(struct session *s, uint16_t id, enum out_state state)
{
	if (id == 0 || id > s->cap_out)
		return NULL;
	struct out *o = &s->out[id];
	return o->state == state && !o->committing ? o : NULL;
}

static void over(struct session *s, uint16_t id)
{
	if (s->number)
		durable_out(s, id, OUT_ROW_DONE);
	out_drop(s, id);
}

static void pubrec(struct session *s, const struct mqtt_ack_view *v)
{
	struct out *o = entry(s, v->packet_id, OUT_PUBREC);
	bool known = o != NULL;
	if (mqtt_reason_is_error(v->reason)) { /* [MQTT-4.4.0-2]: its flow is over */
		if (o && !o->unsent)
			over(s, v->packet_id);
		return;
	}
	if (o && !o->unsent) {
		o->state = OUT_PUBCOMP;
		if (s->number) { /* it may not be sent again, so PUBREL waits for that to be kept */
			commit_first(s, v->packet_id, OUT_ROW_RELEASED);
			return;
		}
	} else if (!known) {
		known = entry(s, v->packet_id, OUT_PUBCOMP) != NULL;
	}
	struct wire w = link_wire(s->link, 16);
	mqtt_encode_ack_text(&w, s->version, MQTT_PUBREL, v->packet_id,
	                     known ? MQTT_SUCCESS : MQTT_PACKET_IDENTIFIER_NOT_FOUND,
	                     (struct span){0}, s->max_packet_out);
	link_sent(s->link, &w); /* [MQTT-4.3.3-4] */
}

int on_ack(struct session *s, const struct frame *f)
{
	struct mqtt_ack_view v;
	struct out *o;
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	if (mqtt_decode_ack(s->version, f, &v, &reason)) {
		session_close(s, reason, "bad %s", mqtt_type_name(frame_type(f)));
		return 0;
	}
	if (s->number && frame_type(f) != MQTT_PUBACK &&
	    !hub_has_room(s->table->hub, CONFIG_NORMAL, OUT_ROW_BYTES))
		return ERR_AGAIN;
	switch (frame_type(f)) {
	case MQTT_PUBACK:
		o = entry(s, v.packet_id, OUT_PUBACK);
		if (o && !o->unsent)
			out_drop(s, v.packet_id);
		break;
	case MQTT_PUBCOMP:
		o = entry(s, v.packet_id, OUT_PUBCOMP);
		if (o && !o->unsent)
			over(s, v.packet_id);
		break;
	default: pubrec(s, &v); break;
	}
	s->to_pump = true;
	return 0;
}
