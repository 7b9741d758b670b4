/* table.c - the sessions of one loop: slots, the stream of packets, keep-alive. */
#include "base/mem.h"
#include "session/private.h"
#include "session/share.h"

#include <errno.h>
#include <stdlib.h>

enum { ROW_BYTES_MAX = 1 << 20 }; /* a session's row: places, key, what is in flight */

/* Feeds that a reload brought: at the end of its turn, before any record of them is published. */
static void shown_grow(struct sessions *t)
{
	unsigned n = hub_feed_count(t->hub);
	if (t->n_shown == n)
		return;
	t->shown = xrealloc(t->shown, n * sizeof(*t->shown));
	for (unsigned i = t->n_shown; i < n; i++)
		t->shown[i] = hub_feed_at(t->hub, i)->last;
	t->n_shown = n;
}

int sessions_new(struct hub *h, struct ingest *in, struct sessions **ret)
{
	struct sessions *t = xcalloc(1, sizeof(*t));
	t->hub = h;
	t->ingest = in;
	map_init(&t->by_client);
	list_init(&t->room);
	list_init(&t->slowed);
	list_init(&t->dead);
	list_init(&t->wills);
	list_init(&t->asking);
	buf_init(&t->observation.topic, LIMIT_TOPIC_BYTES + 1);
	buf_init(&t->observation.payload, LIMIT_PACKET_BYTES_MAX);
	buf_init(&t->observation.properties, LIMIT_USER_PROPERTIES_BYTES);
	list_init(&t->batch_waiters);
	list_init(&t->changed);
	list_init(&t->flushing);
	list_init(&t->shares_changed);
	list_init(&t->shares_flushing);
	list_init(&t->all_shares);
	list_init(&t->shares_due);
	list_init(&t->free_flights);
	map_init(&t->shares);
	map_init(&t->share_numbers);
	buf_init(&t->row, ROW_BYTES_MAX);
	buf_init(&t->round_row, ROW_BYTES_MAX);
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		list_init(&t->wheel[i]);
	t->now_s = clock_mono_ns(hub_clock(h)) / 1000000000u;
	t->scratch = xmalloc(LIMIT_USER_PROPERTIES_BYTES);
	list_init(&t->scans);
	t->tree = sub_tree_new();
	t->herd = sub_tree_new();
	t->shared = sub_tree_new();
	if (!t->tree || !t->herd || !t->shared) {
		sessions_free(t);
		return -ENOMEM;
	}
	shown_grow(t);
	int err = durable_load(t);
	if (err) {
		sessions_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

static void session_free(struct session *s)
{
	struct sessions *t = s->table;
	t->slots[s->slot] = NULL;
	t->free_slots[t->n_free_slots++] = s->slot;
	free((char *)s->key.p);
	free(s->in_ids);
	free(s->packed);
	free(s->places);
	free(s->touched);
	out_free_all(s);
	free(s);
}

/* Nothing is written: what is to be kept was flushed, or the process dies. */
void sessions_free(struct sessions *t)
{
	if (!t)
		return;
	buf_done(&t->observation.topic);
	buf_done(&t->observation.payload);
	buf_done(&t->observation.properties);
	for (uint32_t i = 0; i < t->n_slots; i++) {
		struct session *s = t->slots[i];
		if (!s)
			continue;
		if (s->link)
			s->link->session = NULL;
		s->number = 0;
		lags_close(s);
		retained_close(s);
		pending_close(s);
		out_left(s);
		will_free(s->will);
		session_free(s);
	}
	list_for_each_safe (it, &t->wills)
		will_free(list_entry(it, struct will, node));
	herds_free(t);
	shares_free(t);
	sub_tree_free(t->tree);
	sub_tree_free(t->herd);
	sub_tree_free(t->shared);
	sub_matches_done(&t->matches);
	sub_matches_done(&t->shared_matches);
	map_done(&t->by_client);
	map_done(&t->shares);
	map_done(&t->share_numbers);
	buf_done(&t->row);
	buf_done(&t->round_row);
	free(t->shown);
	free(t->hits);
	free(t->slots);
	free(t->free_slots);
	free(t->scratch);
	free(t);
}

const struct sessions_stats *sessions_stats(const struct sessions *t)
{
	struct sessions_stats *s = &((struct sessions *)t)->stats;
	s->subscriptions = sub_tree_stats(t->tree).subscriptions + s->subscriptions_away;
	s->shares = t->shares.n;
	return s;
}

static uint64_t owed(const struct session *s)
{
	uint64_t n = 0;
	list_for_each (it, &s->lags) {
		const struct lag *l = list_entry(it, struct lag, node);
		n += l->cursor.feed->last + 1 - MIN_OF(lag_next(l), l->cursor.feed->last + 1);
	}
	for (unsigned i = 0; i < s->n_places; i++)
		for (unsigned k = 0; k < hub_feed_count(s->table->hub); k++) {
			const struct feed *f = hub_feed_at(s->table->hub, k);
			if (f->id == s->places[i].feed_id && s->places[i].next <= f->last)
				n += f->last + 1 - s->places[i].next;
		}
	return n;
}

uint64_t sessions_backlog(const struct sessions *t)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i])
			n += owed(t->slots[i]);
	return n + shares_backlog(t);
}

uint64_t shown_last(const struct sessions *t, const struct feed *f)
{
	return f->index < t->n_shown ? t->shown[f->index] : f->last;
}

static uint32_t take_slot(struct sessions *t)
{
	if (!t->n_free_slots) {
		uint32_t n = t->n_slots ? t->n_slots * 2 : 64;
		t->slots = xrealloc(t->slots, n * sizeof(struct session *));
		t->free_slots = xrealloc(t->free_slots, n * sizeof(*t->free_slots));
		for (uint32_t i = n; i-- > t->n_slots;) {
			t->slots[i] = NULL;
			t->free_slots[t->n_free_slots++] = i;
		}
		t->n_slots = n;
	}
	return t->free_slots[--t->n_free_slots];
}

struct session *session_make(struct sessions *t)
{
	struct session *s = xcalloc(1, sizeof(*s));
	s->table = t;
	s->slot = take_slot(t);
	s->born = s->generation = ++t->next_generation;
	s->version = MQTT_V311;
	s->who = access_anonymous(hub_config(t->hub), false);
	s->last_rx_s = t->now_s;
	list_init(&s->node);
	list_init(&s->wheel_node);
	list_init(&s->flush_node);
	list_init(&s->batch_node);
	list_init(&s->lags);
	list_init(&s->retained);
	list_init(&s->pending);
	list_init(&s->questions);
	list_init(&s->asking_node);
	list_init(&s->members);
	sub_owner_init(&s->subs);
	sub_owner_init(&s->herd);
	t->slots[s->slot] = s;
	return s;
}

struct session *session_open(struct sessions *t, struct link *l)
{
	struct session *s = session_make(t);
	s->link = l;
	s->who = access_anonymous(hub_config(t->hub), l->trusted);
	l->session = s;
	session_wheel(s, t->now_s + LIMIT_CONNECT_TIMEOUT_S);
	return s;
}

struct session *session_of_token(struct sessions *t, uint64_t token)
{
	struct session *s = t->slots[(uint32_t)token];
	return s && s->born <= token >> 32 && s->state != SESSION_DEAD ? s : NULL;
}

struct session *session_by_token(struct sessions *t, uint64_t token)
{
	struct session *s = session_of_token(t, token);
	return s && s->generation == token >> 32 && s->link ? s : NULL;
}

/* ---- packets ---- */

static void on_disconnect(struct session *s, const struct mqtt_disconnect_view *d)
{
	if (mqtt_props_has(&d->props, MQTT_PROP_SESSION_EXPIRY)) {
		uint32_t asked = d->props.session_expiry_s;
		if (asked && !s->expiry_s) { /* [MQTT-3.1.2-23], [MQTT-3.14.2-2] */
			session_close(s, MQTT_PROTOCOL_ERROR,
			              "a session that ends with its connection cannot be kept");
			return;
		}
		s->expiry_s = session_expiry(s->table, asked);
	}
	if (d->reason == MQTT_NORMAL_DISCONNECTION) /* [MQTT-3.14.4-3] */
		will_drop(s);
	session_end(s);
}

static int one_packet(struct session *s, const struct frame *f)
{
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	struct mqtt_disconnect_view d;
	enum mqtt_type type = frame_type(f);
	if ((s->state == SESSION_NEW) != (type == MQTT_CONNECT)) {
		/* [MQTT-3.1.0-1] the first packet is CONNECT, [MQTT-3.1.0-2] and no other is */
		session_close(s, MQTT_PROTOCOL_ERROR, "%s %s", mqtt_type_name(type),
		              type == MQTT_CONNECT ? "came twice" : "came before CONNECT");
		return 0;
	}
	switch (type) {
	case MQTT_CONNECT: return on_connect(s, f);
	case MQTT_PUBLISH: return on_publish(s, f);
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBCOMP: return on_ack(s, f);
	case MQTT_PUBREL: return on_pubrel(s, f);
	case MQTT_SUBSCRIBE: return on_subscribe(s, f);
	case MQTT_UNSUBSCRIBE: return on_unsubscribe(s, f);
	case MQTT_PINGREQ:
		if (mqtt_decode_ping(s->version, f, &reason)) {
			session_close(s, reason, "bad PINGREQ");
			return 0;
		}
		struct wire w = link_wire(s->link, 2);
		mqtt_encode_pingresp(&w); /* [MQTT-3.12.4-1] */
		link_sent(s->link, &w);
		return 0;
	case MQTT_DISCONNECT:
		if (mqtt_decode_disconnect(s->version, f, &d, &reason)) {
			session_close(s, reason, "bad DISCONNECT");
			return 0;
		}
		on_disconnect(s, &d);
		return 0;
	default:
		session_close(s,
		              type == MQTT_AUTH && s->version == MQTT_V5 ? MQTT_PROTOCOL_ERROR
		                                                         : MQTT_MALFORMED_PACKET,
		              "%s is not for a client to send here", mqtt_type_name(type));
		return 0;
	}
}

/* A packet that found no room comes again when there is. */
static void wait_for_room(struct session *s)
{
	if (s->proof == PROOF_WAITS) { /* not for room: identify.c goes on */
		s->link->ops->pause(s->link);
		return;
	}
	if (s->waiting_room)
		return;
	s->waiting_room = true;
	list_append(&s->table->room, &s->node);
	s->link->ops->pause(s->link);
}

/* Faster than its grant: it is not read until the next second. */
static void wait_for_rate(struct session *s)
{
	s->waiting_room = true;
	list_append(&s->table->slowed, &s->node);
	s->link->ops->pause(s->link);
}

/* Those on the list are read again. */
static void read_again(struct sessions *t, struct list *waiting)
{
	while (!list_empty(waiting)) {
		struct session *s = list_entry(waiting->next, struct session, node);
		list_remove(&s->node);
		s->waiting_room = false;
		s->last_rx_s = t->now_s; /* keep-alive did not run while we did not read */
		s->link->ops->resume(s->link);
	}
}

static size_t packets(struct sessions *t, struct link *l, const uint8_t *p, size_t n)
{
	struct session *s;
	uint32_t max = (uint32_t)hub_config(t->hub)->max_packet_bytes;
	size_t at = 0;
	/* After CONNECT the link may stand on the session that it came back to. */
	while ((s = l->session) && s->state != SESSION_OPENING && at < n) {
		if (link_backlog(l) > LIMIT_SEND_BUFFER_BYTES) { /* it does not read our answers */
			s->waiting_out = true;
			l->ops->pause(l);
			return at;
		}
		struct frame f;
		int err = frame_next(p + at, n - at, max, &f);
		if (err == ERR_MORE)
			break;
		if (err) {
			session_close(
			    s, err == ERR_TOO_LARGE ? MQTT_PACKET_TOO_LARGE : MQTT_MALFORMED_PACKET,
			    err == ERR_TOO_LARGE ? "a packet is larger than max-packet"
			                         : "bad packet length");
			return n;
		}
		int wait = one_packet(s, &f);
		if (wait == ERR_AGAIN)
			wait_for_room(s);
		else if (wait == ERR_SLOW)
			wait_for_rate(s);
		if (wait)
			return at;
		at += f.total;
	}
	return l->session ? at : n;
}

size_t session_input(struct session *s, const uint8_t *p, size_t n)
{
	struct link *l = s->link;
	s->last_rx_s = s->table->now_s;
	size_t at = packets(s->table, l, p, n);
	s = l->session;
	if (s && s->to_pump) {
		s->to_pump = false;
		if (s->state == SESSION_CONNECTED)
			deliver_pump(s);
	}
	return l->session ? at : n;
}

void sessions_room(struct sessions *t)
{
	struct list again;
	list_init(&again);
	list_splice(&again, &t->room);
	read_again(t, &again);
	list_splice(&again, &t->batch_waiters);
	while (!list_empty(&again)) {
		struct session *s = list_entry(again.next, struct session, batch_node);
		list_remove(&s->batch_node);
		s->waiting_batch = false;
		if (s->state == SESSION_CONNECTED)
			deliver_pump(s);
	}
	wills_publish(t);
}

void sessions_gave_up(struct sessions *t)
{
	while (!list_empty(&t->room))
		session_close(list_entry(t->room.next, struct session, node), MQTT_QUOTA_EXCEEDED,
		              "the store is full: send again after connecting anew");
	/* What was in the batches is lost, rows of sessions too: all of them once more. */
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i] && t->slots[i]->state != SESSION_DEAD) {
			t->slots[i]->row_plain = false;
			durable_changed(t->slots[i]);
		}
	list_for_each (it, &t->all_shares)
		share_changed(list_entry(it, struct share, node));
}

void session_writable(struct session *s)
{
	if (s->waiting_out && link_backlog(s->link) < LIMIT_SEND_BUFFER_BYTES / 2) {
		s->waiting_out = false;
		s->last_rx_s = s->table->now_s;
		s->link->ops->resume(s->link);
	}
	if (s->state == SESSION_CONNECTED)
		deliver_pump(s);
}

void sessions_flush(struct sessions *t)
{
	shown_grow(t);
	shares_pump(t);
	durable_flush(t);
}

bool sessions_idle(const struct sessions *t)
{
	return !t->round && list_empty(&t->changed) && list_empty(&t->shares_changed);
}

void sessions_turn(struct sessions *t)
{
	while (!list_empty(&t->dead)) {
		struct session *s = list_entry(t->dead.next, struct session, node);
		list_remove(&s->node);
		session_free(s);
	}
}

/* ---- keep-alive: a wheel of seconds; a session is looked at when its slot comes round ---- */

void session_wheel(struct session *s, uint64_t deadline_s)
{
	uint64_t ahead = deadline_s > s->table->now_s ? deadline_s - s->table->now_s : 1;
	if (ahead >= WHEEL_SLOTS)
		ahead = WHEEL_SLOTS - 1;
	list_remove(&s->wheel_node);
	list_append(&s->table->wheel[(s->table->now_s + ahead) % WHEEL_SLOTS], &s->wheel_node);
}

static void wheel_check(struct session *s)
{
	uint64_t now = s->table->now_s;
	if (s->state == SESSION_AWAY) {
		session_rest_due(s);
		return;
	}
	if (s->state == SESSION_NEW) { /* however many bytes came: it could drip for ever */
		session_close(s, MQTT_UNSPECIFIED_ERROR, "no CONNECT within %d s",
		              LIMIT_CONNECT_TIMEOUT_S);
		return;
	}
	if (!s->keep_alive_s)
		return;
	uint64_t deadline = s->last_rx_s + s->keep_alive_s;
	if (s->waiting_room || s->waiting_out || now < deadline) {
		session_wheel(s, MAX_OF(deadline, now + 1));
		return;
	}
	s->table->stats.keepalive_timeouts++;
	session_close(s, MQTT_KEEP_ALIVE_TIMEOUT,
	              "nothing came for 1.5 times the keep-alive"); /* [MQTT-3.1.2-22] */
}

void sessions_second(struct sessions *t)
{
	uint64_t now = clock_mono_ns(hub_clock(t->hub)) / 1000000000u;
	while (t->now_s < now) {
		t->now_s++;
		struct list due;
		list_init(&due);
		list_splice(&due, &t->wheel[t->now_s % WHEEL_SLOTS]);
		while (!list_empty(&due)) {
			struct session *s = list_entry(due.next, struct session, wheel_node);
			list_remove(&s->wheel_node);
			wheel_check(s);
		}
	}
	read_again(t, &t->slowed);
	wills_publish(t);
	durable_second(t);
}

void sessions_drain(struct sessions *t)
{
	t->draining = true;
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i] && t->slots[i]->link)
			session_close(t->slots[i], MQTT_SERVER_SHUTTING_DOWN, "the server stops");
	durable_second(t); /* the rows of those who could not write theirs at once */
}
