/* target.c - does not know records or positions; does keep each message until it is answered. */
#include "host/target.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/backoff.h"
#include "host/config.h"
#include "host/quiet.h"
#include "host/tally.h"

#include <jv.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	char *topic, *payload, *origin, *behalf;
	size_t n;
	int mid; /* 0: not sent on this connection */
	bool retain, answered;
};

struct target {
	const struct config *config;
	const struct connector_conf *conf;
	const struct target_conf *to;
	struct tally *tally;
	const volatile sig_atomic_t *stopping;
	FILE *print;
	struct mosquitto *mosq; /* NULL: not connected */
	bool up;                /* CONNACK has come */
	bool broken;            /* to be taken down outside of the library's callbacks */
	struct backoff backoff;
	uint64_t hurry_ns; /* monotonic: waiting ends then; 0: never */
	struct quiet refusals;
	struct slot window[LIMIT_CONNECT_WINDOW]; /* a ring, oldest at head */
	size_t head, n, bytes, unsent;
};

static struct slot *slot_at(struct target *t, size_t i)
{
	return &t->window[(t->head + i) % LIMIT_CONNECT_WINDOW];
}

static void pop_answered(struct target *t)
{
	while (t->n > 0 && slot_at(t, 0)->answered) {
		struct slot *s = slot_at(t, 0);
		t->bytes -= s->n;
		free(s->topic);
		free(s->payload);
		free(s->origin);
		free(s->behalf);
		memset(s, 0, sizeof(*s));
		t->head = (t->head + 1) % LIMIT_CONNECT_WINDOW;
		t->n--;
	}
	TALLY_SET(t->tally, in_flight, (int)t->n);
}

static enum tally_refusal refusal_of(int reason)
{
	switch (reason) {
	case MQTT_RC_PAYLOAD_FORMAT_INVALID: return REFUSED_SCHEMA;
	case MQTT_RC_TOPIC_NAME_INVALID: return REFUSED_TOPIC;
	case MQTT_RC_NOT_AUTHORIZED: return REFUSED_DENIED;
	case MQTT_RC_PACKET_TOO_LARGE: return REFUSED_LARGE;
	case MQTT_RC_QUOTA_EXCEEDED: return REFUSED_QUOTA;
	default: return REFUSED_OTHER;
	}
}

static void refused(struct target *t, const char *topic, int reason, const char *why)
{
	char a[200], b[600];
	TALLY_ADD(t->tally, refused[refusal_of(reason)], 1);
	if (quiet_may(&t->refusals))
		log_warn("message refused connector=%s topic=\"%s\" reason=0x%02X text=\"%s\"",
		         t->conf->name, log_escape(a, sizeof(a), topic, strlen(topic)), reason,
		         log_escape(b, sizeof(b), why, strlen(why)));
}

static void on_publish(struct mosquitto *m, void *ctx, int mid, int reason,
                       const mosquitto_property *p)
{
	struct target *t = ctx;
	char *text = NULL;
	(void)m;
	if (p)
		mosquitto_property_read_string(p, MQTT_PROP_REASON_STRING, &text, false);
	for (size_t i = 0; i < t->n; i++) {
		struct slot *s = slot_at(t, i);
		if (s->mid != mid || s->answered)
			continue;
		s->answered = true;
		if (reason >= 0x80) {
			refused(t, s->topic, reason, text ? text : "");
		} else if (text && strncmp(text, "duplicate", 9) == 0) {
			TALLY_ADD(t->tally, duplicates, 1);
		} else {
			struct clock clock = clock_system();
			TALLY_ADD(t->tally, stored, 1);
			TALLY_SET(t->tally, last_stored_ms, clock_wall_ms(&clock));
		}
		break;
	}
	free(text);
	pop_answered(t); /* the search for the next begins at its slot */
}

static void on_connect(struct mosquitto *m, void *ctx, int reason, int flags,
                       const mosquitto_property *p)
{
	struct target *t = ctx;
	(void)m, (void)flags, (void)p;
	if (reason != 0) {
		log_warn("broker refuses the connection connector=%s target=%s reason=0x%02X",
		         t->conf->name, t->to->name, reason);
		t->broken = true;
		return;
	}
	t->up = true;
	backoff_ok(&t->backoff);
	TALLY_SET(t->tally, target_up, 1);
	log_info("connected connector=%s target=%s", t->conf->name, t->to->name);
}

static void on_disconnect(struct mosquitto *m, void *ctx, int reason, const mosquitto_property *p)
{
	struct target *t = ctx;
	(void)m, (void)reason, (void)p;
	t->broken = true;
}

/* The next connection sends all that is not answered, in order. */
static void take_down(struct target *t, const char *why)
{
	if (!t->mosq)
		return;
	mosquitto_destroy(t->mosq);
	t->mosq = NULL;
	t->up = t->broken = false;
	for (size_t i = 0; i < t->n; i++)
		slot_at(t, i)->mid = 0;
	t->unsent = t->n;
	TALLY_SET(t->tally, target_up, 0);
	TALLY_ADD(t->tally, target_failures, 1);
	backoff_failed(&t->backoff);
	log_warn("broker is away connector=%s target=%s why=\"%s\" waiting=%zu again_ms=%lld",
	         t->conf->name, t->to->name, why, t->n, (long long)backoff_left_ms(&t->backoff));
}

static int credentials(struct target *t, struct mosquitto *m)
{
	auto_free char *password = NULL;
	int r = 0;
	if (t->to->ca)
		r = mosquitto_tls_set(m, t->to->ca, NULL, t->to->certificate, t->to->key, NULL);
	if (r == 0 && t->to->user) {
		if (t->to->password_file)
			password = config_secret(t->config, t->to->password_file);
		if (t->to->password_file && !password)
			return MOSQ_ERR_AUTH;
		r = mosquitto_username_pw_set(m, t->to->user, password);
	}
	return r;
}

static void bring_up(struct target *t)
{
	char id[100];
	if (t->mosq || !backoff_due(&t->backoff))
		return;
	snprintf(id, sizeof(id), "oudp-connect-%s", t->conf->name);
	t->mosq = mosquitto_new(id, true, t);
	if (!t->mosq)
		return;
	mosquitto_int_option(t->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	mosquitto_int_option(t->mosq, MOSQ_OPT_SEND_MAXIMUM, LIMIT_CONNECT_WINDOW);
	mosquitto_connect_v5_callback_set(t->mosq, on_connect);
	mosquitto_disconnect_v5_callback_set(t->mosq, on_disconnect);
	mosquitto_publish_v5_callback_set(t->mosq, on_publish);
	int r = credentials(t, t->mosq);
	if (r == 0)
		r = mosquitto_connect_bind_v5(t->mosq, t->to->address, t->to->port,
		                              t->to->keepalive_s, NULL, NULL);
	if (r != 0)
		take_down(t, mosquitto_strerror(r));
}

/* What became of it concerns who published the record that it was mapped from. */
static int send_slot(struct target *t, struct slot *s)
{
	mosquitto_property *props = NULL;
	int r = 0;
	if (s->origin)
		r = mosquitto_property_add_string_pair(&props, MQTT_PROP_USER_PROPERTY,
		                                       "oudp-origin", s->origin);
	if (r == 0 && s->behalf)
		r = mosquitto_property_add_string_pair(&props, MQTT_PROP_USER_PROPERTY,
		                                       "oudp-identity", s->behalf);
	if (r == 0)
		r = mosquitto_publish_v5(t->mosq, &s->mid, s->topic, (int)s->n, s->payload, 1,
		                         s->retain, props);
	mosquitto_property_free_all(&props);
	return r;
}

/* Sends what has not been on this connection; stops at what the connection does not take. */
static void send_unsent(struct target *t)
{
	while (t->up && !t->broken && t->unsent > 0) {
		struct slot *s = slot_at(t, t->n - t->unsent);
		int r = 0;
		if (!s->answered)
			r = send_slot(t, s);
		if (r == MOSQ_ERR_OVERSIZE_PACKET || r == MOSQ_ERR_PAYLOAD_SIZE) {
			s->answered = true;
			refused(t, s->topic, MQTT_RC_PACKET_TOO_LARGE,
			        "larger than the broker takes");
		} else if (r == MOSQ_ERR_INVAL || r == MOSQ_ERR_MALFORMED_UTF8) {
			s->answered = true;
			refused(t, s->topic, MQTT_RC_TOPIC_NAME_INVALID,
			        "no topic one can publish to");
		} else if (r != 0) {
			t->broken = true;
			return;
		}
		t->unsent--;
	}
}

struct pollfd target_pollfd(const struct target *t)
{
	struct pollfd p = {.fd = t->mosq ? mosquitto_socket(t->mosq) : -1, .events = POLLIN};
	if (t->mosq && mosquitto_want_write(t->mosq))
		p.events |= POLLOUT;
	return p;
}

/* What the socket has for us; then what we have for it. */
static void serve(struct target *t, short events)
{
	int r = 0;
	if (events & (POLLIN | POLLERR | POLLHUP))
		r = mosquitto_loop_read(t->mosq, 1);
	if (r == 0 && (events & POLLOUT))
		r = mosquitto_loop_write(t->mosq, 1);
	if (r == 0)
		r = mosquitto_loop_misc(t->mosq);
	pop_answered(t);
	send_unsent(t);
	if (r != 0 || t->broken)
		take_down(t, r ? mosquitto_strerror(r) : "closed by the broker");
}

void target_pump(struct target *t, int ms, struct pollfd *more, size_t n)
{
	struct pollfd all[9] = {{.fd = -1}};
	assert(n < ARRAY_LEN(all));
	if (!t->print) {
		bring_up(t);
		if (t->mosq)
			send_unsent(t);
		all[0] = target_pollfd(t);
	}
	for (size_t i = 0; i < n; i++)
		all[i + 1] = more[i];
	if (!t->mosq && !t->print)
		ms = (int)MIN_OF(ms, MAX_OF(backoff_left_ms(&t->backoff), 1));
	int r = poll(all, n + 1, *t->stopping ? 0 : ms);
	for (size_t i = 0; i < n; i++)
		more[i].revents = r > 0 ? all[i + 1].revents : 0;
	if (t->mosq)
		serve(t, r > 0 ? all[0].revents : 0);
}

/* Waits for the window to have room, or to be empty; looks at a stop only then: what is answered
 * at once needs no second look. */
static int wait_for(struct target *t, bool empty, size_t bytes)
{
	struct clock clock = clock_system();
	for (;;) {
		pop_answered(t);
		bool room = t->n < LIMIT_CONNECT_WINDOW &&
		            (t->n == 0 || t->bytes + bytes <= LIMIT_CONNECT_WINDOW_BYTES);
		if (empty ? t->n == 0 : room)
			return 0;
		if (*t->stopping)
			return ERR_CLOSED;
		if (t->hurry_ns && clock_mono_ns(&clock) >= t->hurry_ns)
			return ERR_AGAIN;
		target_pump(t, t->hurry_ns ? 100 : 500, NULL, 0);
	}
}

void target_hurry(struct target *t, int64_t ms)
{
	struct clock clock = clock_system();
	t->hurry_ns = ms > 0 ? clock_mono_ns(&clock) + (uint64_t)ms * 1000000 : 0;
}

bool target_is_up(const struct target *t)
{
	return t->up;
}

static void drop_window(struct target *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(slot_at(t, i)->topic);
		free(slot_at(t, i)->payload);
		free(slot_at(t, i)->origin);
		free(slot_at(t, i)->behalf);
		memset(slot_at(t, i), 0, sizeof(struct slot));
	}
	t->n = t->unsent = t->bytes = 0;
	TALLY_SET(t->tally, in_flight, 0);
}

void target_forget(struct target *t)
{
	drop_window(t);
	take_down(t, "it does not answer");
}

static void print_message(struct target *t, const char *topic, const void *p, size_t n)
{
	jv payload = jv_parse_sized(p, (int)n);
	if (!jv_is_valid(payload)) {
		jv_free(payload);
		payload = jv_string_sized(p, (int)n);
	}
	jv line = JV_OBJECT(jv_string("topic"), jv_string(topic), jv_string("payload"), payload);
	line = jv_dump_string(line, JV_PRINT_SORTED);
	fprintf(t->print, "%s\n", jv_string_value(line));
	jv_free(line);
	TALLY_ADD(t->tally, stored, 1);
}

int target_publish(struct target *t, const struct target_message *m)
{
	if (mosquitto_pub_topic_check(m->topic) != MOSQ_ERR_SUCCESS || !*m->topic) {
		refused(t, m->topic, MQTT_RC_TOPIC_NAME_INVALID, "no topic one can publish to");
		return ERR_INVALID;
	}
	if (m->n > LIMIT_PACKET_BYTES_MAX) {
		refused(t, m->topic, MQTT_RC_PACKET_TOO_LARGE, "larger than any broker takes");
		return ERR_TOO_LARGE;
	}
	TALLY_ADD(t->tally, published, 1);
	if (t->print) {
		print_message(t, m->topic, m->payload, m->n);
		return 0;
	}
	int err = wait_for(t, false, m->n);
	if (err < 0)
		return err;
	struct slot *s = slot_at(t, t->n);
	*s = (struct slot){.topic = xstrdup(m->topic),
	                   .payload = xmalloc(m->n + 1),
	                   .origin = m->origin ? xstrdup(m->origin) : NULL,
	                   .behalf = m->behalf ? xstrdup(m->behalf) : NULL,
	                   .n = m->n,
	                   .retain = m->retain};
	memcpy(s->payload, m->payload, m->n);
	t->n++;
	t->bytes += m->n;
	t->unsent++;
	send_unsent(t);
	/* answers are taken now and then while more is sent, so that the broker's buffer drains */
	if (t->mosq && t->n % 64 == 0)
		target_pump(t, 0, NULL, 0);
	return 0;
}

int target_flush(struct target *t)
{
	return wait_for(t, true, 0);
}

struct target *target_new(const struct config *c, const struct connector_conf *k,
                          struct tally *tally, const volatile sig_atomic_t *stopping, FILE *print)
{
	struct target *t = xcalloc(1, sizeof(*t));
	t->config = c;
	t->conf = k;
	t->to = k->target;
	t->tally = tally;
	t->stopping = stopping;
	t->print = print;
	backoff_init(&t->backoff);
	return t;
}

void target_free(struct target *t)
{
	if (!t)
		return;
	if (t->mosq) {
		if (t->up)
			mosquitto_disconnect(t->mosq);
		mosquitto_destroy(t->mosq);
	}
	drop_window(t);
	free(t);
}
