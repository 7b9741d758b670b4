/* close.c - the one exit of a session, and its will. */
#include "base/mem.h"
#include "session/private.h"
#include "session/share.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { GOODBYE_BYTES = 512 };

void will_free(struct will *w)
{
	if (!w)
		return;
	free(w->client_id);
	free(w->topic);
	free(w->payload);
	free(w->properties);
	free(w);
}

void will_drop(struct session *s)
{
	if (s->will && s->will->number)
		durable_will_gone(s->table, s->will->number);
	will_free(s->will);
	s->will = NULL;
}

void will_now(struct session *s)
{
	if (!s->will)
		return;
	list_append(&s->table->wills, &s->will->node);
	s->will = NULL;
	wills_publish(s->table);
}

/* The identity of a will from the store; one that is no more may do nothing. */
static void find_who(const struct sessions *t, struct will *w)
{
	const struct principal *p =
	    t->access ? access_principal(t->access, span_str(w->identity)) : NULL;
	if (p)
		w->who = access_identity(p);
	w->identity[0] = '\0';
}

static bool will_publish(struct sessions *t, struct will *w)
{
	if (w->identity[0])
		find_who(t, w);
	if (system_is_bridge_state(span_of(w->topic, w->topic_n)))
		return true;
	struct ingest_message m = {
	    .who = &w->who,
	    .publisher = span_of(w->client_id, w->client_id_n),
	    .topic = span_of(w->topic, w->topic_n),
	    .payload = span_of((const char *)w->payload, w->payload_n),
	    .properties = span_of((const char *)w->properties, w->properties_n),
	    .expiry_s = w->expiry_s,
	    .qos = w->qos,
	    .protocol = w->protocol,
	    .retain = w->retain,
	    .utf8 = w->utf8,
	    .no_answer = true,
	};
	int err = ingest_publish(t->ingest, &m);
	return err != ERR_AGAIN && err != ERR_SLOW;
}

void wills_publish(struct sessions *t)
{
	while (!list_empty(&t->wills)) {
		struct will *w = list_entry(t->wills.next, struct will, node);
		if (!will_publish(t, w))
			return; /* no room: when there is */
		if (w->number)  /* in the same commit */
			durable_will_gone(t, w->number);
		list_remove(&w->node);
		will_free(w);
	}
}

void session_forget(struct session *s)
{
	struct sessions *t = s->table;
	if (s->number) {
		if (!hub_has_state_room(t->hub, durable_forget_bytes(s))) {
			s->ending = true;
			s->ends_s = t->now_s;
			session_wheel(s, t->now_s + 1);
			return;
		}
		durable_forget(s);
		t->stats.durable--;
	}
	share_forget(s);
	will_now(s); /* 3.1.2.5: when the session ends, if its delay is not over before */
	if (s->key.p && map_get(&t->by_client, s->key) == s)
		map_remove(&t->by_client, s->key);
	t->stats.subscriptions_away -= s->n_packed;
	t->stats.away--;
	t->sub_bytes -= s->sub_bytes;
	s->state = SESSION_DEAD;
	list_remove(&s->wheel_node);
	list_remove(&s->node);
	list_append(&t->dead, &s->node);
}

/* The connection is gone. A session that ends with it is freed at the end of the turn, for somebody
 * may be walking. */
static void let_go(struct session *s)
{
	struct sessions *t = s->table;
	if (s->state == SESSION_CONNECTED)
		t->stats.connected--;
	list_remove(&s->wheel_node);
	list_remove(&s->node);
	s->waiting_room = s->waiting_out = false;
	system_let_go(s);
	questions_let_go(s);
	aliases_free(s->aliases);
	s->aliases = NULL;
	s->link->session = NULL;
	s->link = NULL;
	session_leave(s);
	t->stats.away++;
	if (s->will && s->will->delay_s)
		s->will->due_s = t->now_s + s->will->delay_s;
	else
		will_now(s); /* [MQTT-3.1.2-8] */
	if (!s->expiry_s || !s->number || s->ending) {
		session_forget(s);
		return;
	}
	session_rest_wheel(s);
	if (hub_has_state_room(t->hub, DURABLE_ROW_BYTES))
		durable_session(s);
	else
		durable_changed(s);
}

void session_end(struct session *s)
{
	if (!s->link)
		return;
	struct link *l = s->link;
	let_go(s);
	l->ops->close(l);
}

void session_gone(struct session *s)
{
	if (s->link)
		let_go(s);
}

/* The reason string is left out when the packet would be too large for the client [MQTT-3.14.2-3].
 */
static void say_goodbye(struct session *s, enum mqtt_reason reason, const char *why)
{
	struct mqtt_props p = {0};
	if (s->problem_info) {
		p.has = MQTT_HAS(MQTT_PROP_REASON_STRING);
		p.reason_string = span_str(why);
	}
	struct wire w = link_wire(s->link, GOODBYE_BYTES);
	mqtt_encode_disconnect(&w, MQTT_V5, reason, &p);
	if (s->max_packet_out && w.len > s->max_packet_out) {
		w.len = 0;
		mqtt_encode_disconnect(&w, MQTT_V5, reason, NULL);
	}
	if (!s->max_packet_out || w.len <= s->max_packet_out)
		link_sent(s->link, &w);
}

void session_close(struct session *s, enum mqtt_reason reason, const char *fmt, ...)
{
	if (!s->link)
		return;
	char why[200], id[80];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_escape(id, sizeof(id), s->client_id.p, s->client_id.n);
	if (reason != MQTT_SERVER_SHUTTING_DOWN)
		log_info("A client was closed. why=\"%s\" reason=0x%02x client=\"%s\" peer=%s", why,
		         (unsigned)reason, id, s->link->peer);
	if (reason == MQTT_MALFORMED_PACKET || reason == MQTT_PROTOCOL_ERROR)
		s->table->stats.closed_protocol++;
	if (s->state == SESSION_CONNECTED && s->version == MQTT_V5)
		say_goodbye(s, reason, why);
	session_end(s);
}
