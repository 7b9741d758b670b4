/* on_connect.c - CONNECT and CONNACK (MQTT 5.0, 3.1 and 3.2; 3.1.1 the same numbers). */
#include "base/mem.h"
#include "session/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { CONNACK_BYTES = 1024 };

static void refuse(struct session *s, enum mqtt_version version, enum mqtt_reason reason,
                   const char *why)
{
	struct mqtt_props p = {0};
	if (version == MQTT_V5 && *why) {
		p.has = MQTT_HAS(MQTT_PROP_REASON_STRING);
		p.reason_string = span_str(why);
	}
	struct wire w = link_wire(s->link, CONNACK_BYTES);
	mqtt_encode_connack(&w, version, false, reason, &p);
	if (s->max_packet_out && w.len > s->max_packet_out) { /* [MQTT-3.2.2-19] */
		w.len = 0;
		mqtt_encode_connack(&w, version, false, reason, NULL);
	}
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
		refuse(s, level > MQTT_V5 && level != 0x84 ? MQTT_V5 : MQTT_V311, reason,
		       "this server speaks MQTT 3.1.1 and 5.0");
	else if (level == MQTT_V5)
		refuse(s, MQTT_V5, reason, "bad CONNECT");
	else if (reason == MQTT_CLIENT_IDENTIFIER_NOT_VALID)
		refuse(s, MQTT_V311, reason,
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

static void take_will(struct session *s, const struct mqtt_connect_view *c)
{
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
	w->qos = c->will_qos;
	w->retain = c->will_retain;
	w->utf8 = c->will_props.payload_format == 1;
	w->protocol = c->version == MQTT_V5 ? QUARANTINE_MQTT5 : QUARANTINE_MQTT311;
	s->will = w;
}

static void assign_id(struct session *s)
{
	uint64_t r[2];
	char id[40];
	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		fatal("getrandom failed");
	int n = snprintf(id, sizeof(id), "oudp-%016llx%08llx", (unsigned long long)r[0],
	                 (unsigned long long)(r[1] & 0xffffffff));
	s->client_id = span_of(xstrndup(id, (size_t)n), (size_t)n);
}

static void accept_connect(struct session *s, const struct mqtt_connect_view *c, bool assigned)
{
	struct sessions *t = s->table;
	struct mqtt_props p = {0};
	p.has = MQTT_HAS(MQTT_PROP_RECEIVE_MAXIMUM) | MQTT_HAS(MQTT_PROP_MAXIMUM_PACKET_SIZE) |
	        MQTT_HAS(MQTT_PROP_SHARED_AVAILABLE) | MQTT_HAS(MQTT_PROP_TOPIC_ALIAS_MAXIMUM);
	p.receive_maximum = LIMIT_RECEIVE_MAXIMUM;
	p.maximum_packet_size = (uint32_t)hub_config(t->hub)->max_packet_bytes;
	p.topic_alias_maximum = LIMIT_TOPIC_ALIASES;
	p.shared_available = 0;
	if (c->props.session_expiry_s) { /* sessions end with their connection: say so */
		p.has |= MQTT_HAS(MQTT_PROP_SESSION_EXPIRY);
		p.session_expiry_s = 0;
	}
	if (assigned) { /* [MQTT-3.2.2-16] */
		p.has |= MQTT_HAS(MQTT_PROP_ASSIGNED_CLIENT_ID);
		p.assigned_client_id = s->client_id;
	}
	struct wire w = link_wire(s->link, CONNACK_BYTES);
	mqtt_encode_connack(&w, s->version, false, MQTT_SUCCESS, &p);
	link_sent(s->link, &w);
}

int on_connect(struct session *s, const struct frame *f)
{
	struct sessions *t = s->table;
	struct mqtt_connect_view c;
	enum mqtt_reason reason = MQTT_MALFORMED_PACKET;
	t->stats.connects++;
	if (mqtt_decode_connect(f, &c, &reason)) {
		refuse_bad(s, f, reason);
		return 0;
	}
	s->version = c.version;
	s->max_packet_out = mqtt_props_maximum_packet_size(&c.props);
	if (t->draining) {
		refuse(s, c.version, MQTT_SERVER_UNAVAILABLE, "the server stops");
		return 0;
	}
	if (mqtt_props_has(&c.props, MQTT_PROP_AUTH_METHOD)) {
		refuse(s, c.version, MQTT_BAD_AUTHENTICATION_METHOD,
		       "no authentication method is supported");
		return 0;
	}
	if (c.client_id.n > LIMIT_CLIENT_ID_BYTES) {
		refuse(s, c.version, MQTT_CLIENT_IDENTIFIER_NOT_VALID,
		       "the client id is longer than 256 bytes");
		return 0;
	}
	if (c.has_will && topic_name_check(c.will_topic)) {
		refuse(s, c.version, MQTT_TOPIC_NAME_INVALID, "bad will topic");
		return 0;
	}
	bool assigned = c.client_id.n == 0;
	if (assigned) /* [MQTT-3.1.3-6] */
		assign_id(s);
	else
		s->client_id = span_of(xstrndup(c.client_id.p, c.client_id.n), c.client_id.n);
	struct session *former = map_get(&t->by_client, s->client_id);
	if (former) /* [MQTT-3.1.4-3] */
		session_close(former, MQTT_SESSION_TAKEN_OVER, "its client id connected again");
	map_set(&t->by_client, s->client_id, s);
	s->state = SESSION_CONNECTED;
	t->stats.connected++;
	t->stats.connected_most = MAX_OF(t->stats.connected_most, t->stats.connected);
	s->problem_info = c.version == MQTT_V5 && mqtt_props_request_problem_info(&c.props);
	s->alias_max_out = c.props.topic_alias_maximum;
	s->receive_max_out = (uint16_t)mqtt_props_receive_maximum(&c.props);
	s->keep_alive_s = c.keep_alive_s ? ((uint32_t)c.keep_alive_s * 3 + 1) / 2 + 1 : 0;
	list_remove(&s->wheel_node);
	if (s->keep_alive_s)
		session_wheel(s, t->now_s + s->keep_alive_s);
	take_will(s, &c);
	accept_connect(s, &c, assigned);
	return 0;
}
