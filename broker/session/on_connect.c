/* on_connect.c - CONNECT and CONNACK (MQTT 5.0, 3.1 and 3.2; 3.1.1 the same numbers). */
#include "base/mem.h"
#include "session/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { CONNACK_BYTES = 2048, LOST_TOLD = 8, LOST_BYTES = 1024 };

static bool too_large(const struct session *s, const struct wire *w) /* [MQTT-3.1.2-24] */
{
	return s->max_packet_out && w->len > s->max_packet_out;
}

void connect_refuse(struct session *s, enum mqtt_version version, enum mqtt_reason reason,
                    const char *why)
{
	struct mqtt_props p = {0};
	if (version == MQTT_V5 && *why) {
		p.has = MQTT_HAS(MQTT_PROP_REASON_STRING);
		p.reason_string = span_str(why);
	}
	struct wire w = link_wire(s->link, CONNACK_BYTES);
	mqtt_encode_connack(&w, version, false, reason, &p);
	if (too_large(s, &w)) { /* [MQTT-3.2.2-19] */
		w.len = 0;
		mqtt_encode_connack(&w, version, false, reason, NULL);
	}
	if (!too_large(s, &w))
		link_sent(s->link, &w);
	s->table->stats.refused++;
	session_close(s, reason, "CONNECT refused: %s", why);
}

/* A CONNECT that could not be read: answered only in a form the client can know (3.1.4). */
static void refuse_bad(struct session *s, const struct frame *f, enum mqtt_reason reason)
{
	uint8_t level = mqtt_connect_version(f);
	/* [MQTT-3.1.2-2]; 0x84 is 3.1.1 of a bridge that tries whether a bridge of its kind is
	 * here: told in its own form, it goes on without */
	if (reason == MQTT_UNSUPPORTED_PROTOCOL_VERSION)
		connect_refuse(s, level > MQTT_V5 && level != 0x84 ? MQTT_V5 : MQTT_V311, reason,
		               "this server speaks MQTT 3.1.1 and 5.0");
	else if (level == MQTT_V5)
		connect_refuse(s, MQTT_V5, reason, "bad CONNECT");
	else if (reason == MQTT_CLIENT_IDENTIFIER_NOT_VALID)
		connect_refuse(s, MQTT_V311, reason,
		               "a client id is needed without clean session"); /* [MQTT-3.1.3-8] */
	else
		session_close(s, reason, "bad CONNECT");
}

static void *copy(struct span s)
{
	char *p = xmalloc(s.n);
	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

/* [MQTT-3.1.3-9]: a former will whose delay was not over is not published. */
static void take_will(struct session *s, const struct mqtt_connect_view *c)
{
	will_drop(s);
	if (!c->has_will)
		return;
	struct will *w = xcalloc(1, sizeof(*w));
	list_init(&w->node);
	w->who = s->who;
	w->client_id = copy(s->client_id);
	w->client_id_n = s->client_id.n;
	w->topic = copy(c->will_topic);
	w->topic_n = c->will_topic.n;
	w->payload = copy(c->will_payload);
	w->payload_n = c->will_payload.n;
	w->properties = xmalloc(c->will_props.raw.n);
	w->properties_n =
	    c->will_props.raw.n ? mqtt_props_for_record(&c->will_props, w->properties) : 0;
	w->expiry_s = c->will_props.message_expiry_s;
	w->delay_s = c->will_props.will_delay_s;
	w->qos = c->will_qos;
	w->retain = c->will_retain;
	w->utf8 = c->will_props.payload_format == 1;
	w->protocol = c->version == MQTT_V5 ? QUARANTINE_MQTT5 : QUARANTINE_MQTT311;
	s->will = w;
}

/* Sessions are their organisation's: two may use the same client id. Those of strangers are of
 * none, so that no client id takes over a session of somebody. */
static void name_session(struct session *s, struct span client_id)
{
	char id[40];
	if (!client_id.n) { /* [MQTT-3.1.3-6] */
		uint64_t r[2];
		if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
			fatal("getrandom failed");
		int n = snprintf(id, sizeof(id), "oudp-%016llx%08llx", (unsigned long long)r[0],
		                 (unsigned long long)(r[1] & 0xffffffff));
		client_id = span_of(id, (size_t)n);
		s->assigned = true;
	}
	const char *owner = access_is_stranger(&s->who) ? "" : s->who.organisation;
	size_t org = strlen(owner), n = org + 1 + client_id.n;
	char *key = xmalloc(n);
	memcpy(key, owner, org + 1);
	memcpy(key + org + 1, client_id.p, client_id.n);
	free((char *)s->key.p);
	s->key = span_of(key, n);
	s->client_id = span_of(key + org + 1, client_id.n);
}

/* ---- CONNACK ---- */

/* False: not even what must be in it fits into what the client takes. */
static bool send_connack(struct session *s, uint32_t asked_expiry_s)
{
	struct sessions *t = s->table;
	struct mqtt_props p = {0};
	uint8_t user[LOST_BYTES];
	struct wire lost = wire_of(user, sizeof(user));
	p.has = MQTT_HAS(MQTT_PROP_RECEIVE_MAXIMUM) | MQTT_HAS(MQTT_PROP_MAXIMUM_PACKET_SIZE) |
	        MQTT_HAS(MQTT_PROP_TOPIC_ALIAS_MAXIMUM);
	p.receive_maximum = LIMIT_RECEIVE_MAXIMUM;
	p.maximum_packet_size = (uint32_t)hub_config(t->hub)->max_packet_bytes;
	p.topic_alias_maximum = LIMIT_TOPIC_ALIASES;
	if (asked_expiry_s != s->expiry_s) { /* 3.2.2.3.2: it is told what it has instead */
		p.has |= MQTT_HAS(MQTT_PROP_SESSION_EXPIRY);
		p.session_expiry_s = s->expiry_s;
	}
	if (s->assigned) { /* [MQTT-3.2.2-16] */
		p.has |= MQTT_HAS(MQTT_PROP_ASSIGNED_CLIENT_ID);
		p.assigned_client_id = s->client_id;
	}
	if (s->version == MQTT_V5 && s->resumed && session_lost(s, &lost, LOST_TOLD)) {
		p.raw = span_of((const char *)user, lost.len);
		p.n_user = LOST_TOLD; /* any */
		if (s->problem_info) {
			p.has |= MQTT_HAS(MQTT_PROP_REASON_STRING);
			p.reason_string =
			    SPAN("the log no longer has all that this session was owed");
		}
	}
	struct wire w = link_wire(s->link, CONNACK_BYTES);
	/* [MQTT-3.2.2-2], [MQTT-3.2.2-3]; 3.1.1: [MQTT-3.2.2-1], [MQTT-3.2.2-2] */
	mqtt_encode_connack(&w, s->version, s->resumed, MQTT_SUCCESS, &p);
	if (too_large(s, &w)) { /* [MQTT-3.2.2-19], [MQTT-3.2.2-20] */
		p.has &= ~MQTT_HAS(MQTT_PROP_REASON_STRING);
		p.raw = (struct span){0};
		p.n_user = 0;
		w.len = 0;
		mqtt_encode_connack(&w, s->version, s->resumed, MQTT_SUCCESS, &p);
	}
	if (too_large(s, &w))
		return false;
	link_sent(s->link, &w);
	return true;
}

static void opened(struct session *s, uint32_t asked_expiry_s)
{
	struct sessions *t = s->table;
	if (!send_connack(s, asked_expiry_s)) {
		connect_refuse(s, s->version, MQTT_PACKET_TOO_LARGE,
		               "its maximum packet size is too small for CONNACK");
		return;
	}
	s->state = SESSION_CONNECTED;
	t->stats.connected++;
	t->stats.connected_most = MAX_OF(t->stats.connected_most, t->stats.connected);
	s->quota = MIN_OF((unsigned)s->receive_max_out, (unsigned)LIMIT_INFLIGHT_OUT);
	s->last_rx_s = t->now_s;
	if (s->resumed) {
		t->stats.resumed++;
		session_return(s);
	}
}

/* Its row is on disk: a durable session before CONNACK. */
static void connect_committed(const struct answer *a, int err)
{
	struct session *s = session_by_token(a->owner, a->token);
	if (!s || s->state != SESSION_OPENING)
		return;
	if (err) {
		connect_refuse(s, s->version, MQTT_QUOTA_EXCEEDED, "the store is full");
		return;
	}
	struct link *l = s->link;
	opened(s, (uint32_t)a->sequence);
	if (l->session)
		l->ops->resume(l);
}

/* ---- which session ---- */

uint32_t session_expiry(const struct sessions *t, uint32_t asked_s)
{
	uint64_t max = hub_config(t->hub)->max_session_expiry_s;
	if (!max) /* no maximum */
		return asked_s;
	return (uint32_t)MIN_OF((uint64_t)asked_s, max);
}

/* What a client asks for: 3.1.1 without clean session asks for ever. */
static uint32_t asked_expiry(const struct mqtt_connect_view *c)
{
	if (c->version == MQTT_V5)
		return c->props.session_expiry_s;
	return c->clean_start ? 0 : UINT32_MAX;
}

/* s goes on as former: its link stands on it from now on, and s is gone. */
static struct session *come_back(struct session *s, struct session *former)
{
	struct sessions *t = s->table;
	former->link = s->link;
	former->link->session = former;
	s->link = NULL;
	former->generation = ++t->next_generation;
	former->who = s->who;
	former->resumed = true;
	former->assigned = false;
	t->stats.away--;
	list_remove(&former->wheel_node);
	s->state = SESSION_DEAD;
	list_remove(&s->wheel_node);
	list_append(&t->dead, &s->node);
	return former;
}

/* The session with this client id that may be gone on with; a connection it has is closed. */
static struct session *former_session(struct session *s, const struct mqtt_connect_view *c)
{
	struct sessions *t = s->table;
	struct session *former = map_get(&t->by_client, s->key);
	uint8_t mem[LOST_BYTES];
	struct wire w = wire_of(mem, sizeof(mem));
	if (former && former->link) /* [MQTT-3.1.4-3] */
		session_close(former, MQTT_SESSION_TAKEN_OVER, "its client id connected again");
	former = map_get(&t->by_client, s->key);
	if (!former)
		return NULL;
	bool fresh = c->clean_start || former->ending; /* [MQTT-3.1.2-4] */
	if (!fresh && c->version == MQTT_V311 && session_lost(former, &w, 1)) {
		log_info("A session begins anew, for the log no longer has what it was owed.");
		fresh = true;
	}
	if (!fresh)
		return former; /* [MQTT-3.1.2-5] */
	session_forget(former);
	assert(former->state == SESSION_DEAD); /* there was room: on_connect() looked */
	return NULL;
}

/* Room for the rows of this CONNECT: what the former session leaves and the new one brings. */
static bool rows_room(struct session *s)
{
	struct sessions *t = s->table;
	struct session *former = map_get(&t->by_client, s->key);
	size_t bytes = 4 * DURABLE_ROW_BYTES; /* the session's, the will's */
	if (former)
		bytes += durable_forget_bytes(former);
	return hub_has_room(t->hub, CONFIG_NORMAL, MIN_OF(bytes, (size_t)LIMIT_BATCH_BYTES / 4));
}

static void take_settings(struct session *s, const struct mqtt_connect_view *c)
{
	struct sessions *t = s->table;
	s->version = c->version;
	s->problem_info = c->version == MQTT_V5 && mqtt_props_request_problem_info(&c->props);
	s->max_packet_out = mqtt_props_maximum_packet_size(&c->props);
	s->alias_max_out = c->props.topic_alias_maximum;
	s->receive_max_out = (uint16_t)mqtt_props_receive_maximum(&c->props);
	s->keep_alive_s = c->keep_alive_s ? ((uint32_t)c->keep_alive_s * 3 + 1) / 2 + 1 : 0;
	s->expiry_s = session_expiry(t, asked_expiry(c));
	s->last_rx_s = t->now_s;
	list_remove(&s->wheel_node);
	if (s->keep_alive_s)
		session_wheel(s, t->now_s + s->keep_alive_s);
	take_will(s, c);
}

/* Its rows join the batch: written, or taken away when it is to end with this connection. */
static bool write_rows(struct session *s)
{
	struct sessions *t = s->table;
	if (!s->expiry_s && !s->number)
		return false;
	if (!s->expiry_s) {
		durable_forget(s);
		t->stats.durable--;
		return true; /* take_will() has taken away the will's */
	}
	if (!s->number) {
		s->number = ++t->last_number;
		s->ended_ms = clock_wall_ms(hub_clock(t->hub));
		t->stats.durable++;
	}
	durable_session(s);
	if (s->will) {
		s->will->number = s->number;
		durable_will(s);
	}
	return true;
}

static void start(struct session *s, const struct mqtt_connect_view *c)
{
	struct sessions *t = s->table;
	struct session *former = former_session(s, c);
	if (former) {
		s = come_back(s, former);
	} else {
		if (session_expiry(t, asked_expiry(c)) &&
		    t->stats.durable >= hub_config(t->hub)->max_sessions) {
			connect_refuse(s, c->version, MQTT_QUOTA_EXCEEDED,
			               "there are max-sessions already");
			return;
		}
		map_set(&t->by_client, s->key, s);
	}
	s->state = SESSION_OPENING;
	take_settings(s, c);
	if (!write_rows(s)) {
		opened(s, asked_expiry(c));
		return;
	}
	struct answer a = {.done = connect_committed,
	                   .owner = t,
	                   .token = session_token(s),
	                   .sequence = asked_expiry(c)};
	s->link->ops->pause(s->link);
	hub_answer(t->hub, &a);
}

int on_connect(struct session *s, const struct frame *f)
{
	struct sessions *t = s->table;
	struct mqtt_connect_view c;
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	if (mqtt_decode_connect(f, &c, &reason)) {
		t->stats.connects++;
		refuse_bad(s, f, reason);
		return 0;
	}
	bool methods = mqtt_props_has(&c.props, MQTT_PROP_AUTH_METHOD);
	if (!t->draining && !methods) {
		int err = session_identify(s, &c);
		if (err)
			return err == ERR_AGAIN ? err : 0;
	}
	if (c.client_id.n <= LIMIT_CLIENT_ID_BYTES) {
		name_session(s, c.client_id);
		if ((map_get(&t->by_client, s->key) || asked_expiry(&c)) && !t->draining &&
		    !rows_room(s))
			return ERR_AGAIN;
	}
	t->stats.connects++;
	s->version = c.version;
	s->max_packet_out = mqtt_props_maximum_packet_size(&c.props);
	if (t->draining)
		connect_refuse(s, c.version, MQTT_SERVER_UNAVAILABLE, "the server stops");
	else if (methods)
		connect_refuse(s, c.version, MQTT_BAD_AUTHENTICATION_METHOD,
		               "no authentication method is supported");
	else if (c.client_id.n > LIMIT_CLIENT_ID_BYTES)
		connect_refuse(s, c.version, MQTT_CLIENT_IDENTIFIER_NOT_VALID,
		               "the client id is longer than 256 bytes");
	else if (c.has_will && topic_name_check(c.will_topic))
		connect_refuse(s, c.version, MQTT_TOPIC_NAME_INVALID, "bad will topic");
	else
		start(s, &c);
	return 0;
}
