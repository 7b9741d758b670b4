/* source_mqtt.c - subscribes to another broker. Its acknowledgements are held back until ours.
 *
 * libmosquitto queues a PUBACK before it hands over the message, and knows no way to wait. But with
 * mosquitto_threaded_set() nothing is written outside of mosquitto_loop_write(): so that is called
 * only while nothing is held. A connection that breaks before takes the queued acknowledgements
 * with it, and the session, which outlives it, gets the messages again.
 *
 * Position: {"client": our name there, "session": true once there was one, "spool": push.h}. */
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "host/address.h"
#include "host/backoff.h"
#include "host/push.h"
#include "host/target.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct taken { /* a message of QoS 1 whose acknowledgement may not have left */
	int mid;
	uint32_t crc;
};

struct subscriber {
	struct worker *w;
	struct push *push;
	struct address to;
	char id[100];
	struct mosquitto *m;
	bool session; /* there was one */
	bool up, broken;
	char why[200];
	struct backoff backoff;
	uint64_t away_ns; /* since when */
	struct taken unsure[2 * LIMIT_CONNECT_BATCH];
	size_t n_unsure;
};

/* A dry run takes nothing from anybody: its session ends with it. */
static bool durable(const struct subscriber *s)
{
	return s->w->conf->qos == 1 && !s->w->dry;
}

static uint64_t now_ns(void)
{
	struct clock c = clock_system();
	return clock_mono_ns(&c);
}

static jv envelope_of(const struct mosquitto_message *m)
{
	struct clock c = clock_system();
	char text[RFC3339_BYTES];
	rfc3339_format(clock_wall_ms(&c), text);
	return JV_OBJECT(jv_string("topic"), jv_string(m->topic), jv_string("retain"),
	                 m->retain ? jv_true() : jv_false(), jv_string("received"),
	                 jv_string_sized(text, sizeof(text)));
}

/* Delivered before the connection broke, and here again because its acknowledgement did not leave.
 */
static bool was_delivered(const struct subscriber *s, struct taken t)
{
	for (size_t i = 0; i < s->n_unsure; i++)
		if (s->unsure[i].mid == t.mid && s->unsure[i].crc == t.crc)
			return true;
	return false;
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *msg,
                       const mosquitto_property *p)
{
	struct subscriber *s = ctx;
	(void)m, (void)p;
	size_t n = (size_t)msg->payloadlen;
	struct taken t = {msg->mid,
	                  crc32c(crc32c(0, msg->topic, strlen(msg->topic)), msg->payload, n)};
	if (n > LIMIT_CONNECT_RECORD_BYTES) {
		TALLY_ADD(s->w->tally, undecodable, 1);
		log_warn("message is too large connector=%s topic=\"%.100s\" bytes=%zu",
		         s->w->conf->name, msg->topic, n);
		return;
	}
	if (msg->qos == 0) {
		push_take(s->push, envelope_of(msg), msg->payload, n);
		return;
	}
	if (was_delivered(s, t)) {
		TALLY_ADD(s->w->tally, unchanged, 1);
		return;
	}
	push_take(s->push, envelope_of(msg), msg->payload, n);
	if (s->n_unsure == ARRAY_LEN(s->unsure)) {
		memmove(s->unsure, s->unsure + LIMIT_CONNECT_BATCH,
		        LIMIT_CONNECT_BATCH * sizeof(s->unsure[0]));
		s->n_unsure -= LIMIT_CONNECT_BATCH;
	}
	s->unsure[s->n_unsure++] = t;
}

static void subscribe(struct subscriber *s)
{
	const struct connector_conf *k = s->w->conf;
	int options = k->mqtt5 ? MQTT_SUB_OPT_SEND_RETAIN_NEW : 0;
	for (size_t i = 0; i < k->n_topics; i++)
		if (mosquitto_subscribe_v5(s->m, NULL, k->topics[i], k->qos, options, NULL) != 0)
			s->broken = true;
}

static void remember_session(struct subscriber *s)
{
	s->session = true;
	if (worker_keep_member(s->w, "session", jv_true()) < 0)
		s->broken = true;
}

/* What was sent meanwhile is lost where no session kept it: how much, nobody knows. */
static void tell_hole(struct subscriber *s, bool present)
{
	const struct connector_conf *k = s->w->conf;
	if (k->qos == 0 && s->away_ns)
		worker_hole(s->w, 1, "no connection for %llu s: with qos 0 nothing is kept for us",
		            (unsigned long long)((now_ns() - s->away_ns) / 1000000000));
	else if (k->qos == 1 && !present && s->session)
		worker_hole(s->w, 1,
		            "the source has forgotten our session, and what it kept in it");
}

static void on_connect(struct mosquitto *m, void *ctx, int reason, int flags,
                       const mosquitto_property *p)
{
	struct subscriber *s = ctx;
	(void)m, (void)p;
	if (reason != 0) {
		snprintf(s->why, sizeof(s->why), "it refuses the connection: %s",
		         s->w->conf->mqtt5 ? mosquitto_reason_string(reason)
		                           : mosquitto_connack_string(reason));
		s->broken = true;
		return;
	}
	s->up = true;
	backoff_ok(&s->backoff);
	tell_hole(s, flags & 1);
	if (!(flags & 1))
		s->n_unsure = 0; /* packet ids begin anew */
	if (s->w->conf->qos == 1 && !s->session)
		remember_session(s);
	subscribe(s);
	log_info("connected to source connector=%s session=%s", s->w->conf->name,
	         flags & 1 ? "kept" : "new");
}

static void on_subscribe(struct mosquitto *m, void *ctx, int mid, int n, const int *granted,
                         const mosquitto_property *p)
{
	struct subscriber *s = ctx;
	(void)m, (void)mid, (void)p;
	for (int i = 0; i < n; i++) {
		if (granted[i] < 0x80 && granted[i] >= s->w->conf->qos)
			continue;
		snprintf(s->why, sizeof(s->why),
		         "it does not grant a filter of topics with QoS %d (0x%02X)",
		         s->w->conf->qos, (unsigned)granted[i]);
		s->broken = true;
		return;
	}
	worker_source_ok(s->w);
}

static void on_disconnect(struct mosquitto *m, void *ctx, int reason, const mosquitto_property *p)
{
	struct subscriber *s = ctx;
	(void)m, (void)p;
	if (!s->why[0])
		snprintf(s->why, sizeof(s->why), "%s",
		         reason >= 0x80 ? mosquitto_reason_string(reason)
		                        : mosquitto_strerror(reason));
	s->broken = true;
}

/* Without DISCONNECT and without writing: what was not acknowledged comes again. */
static void take_down(struct subscriber *s)
{
	if (!s->m)
		return;
	mosquitto_destroy(s->m);
	s->m = NULL;
	s->away_ns = now_ns();
	const char *hint = "";
	if (!s->up && s->w->conf->mqtt5)
		hint = "; a broker that speaks no MQTT 5 needs protocol = \"3.1.1\"";
	s->up = s->broken = false;
	worker_source_failed(s->w, "%s: %s%s", s->w->conf->urls[0],
	                     s->why[0] ? s->why : "the connection is gone", hint);
	s->why[0] = '\0';
	backoff_failed(&s->backoff);
}

static int secure(struct subscriber *s)
{
	const struct connector_conf *k = s->w->conf;
	auto_free char *password = NULL;
	int r = 0;
	if (s->to.tls && !k->ca)
		r = mosquitto_int_option(s->m, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
	if (r == 0 && s->to.tls)
		r = k->ca ? mosquitto_tls_set(s->m, k->ca, NULL, k->certificate, k->key, NULL) : 0;
	if (r != 0 || !k->user)
		return r;
	password = k->password_file ? config_secret(s->w->config, k->password_file) : NULL;
	if (k->password_file && !password) {
		snprintf(s->why, sizeof(s->why), "password-file cannot be read: %s",
		         k->password_file);
		return MOSQ_ERR_AUTH;
	}
	return mosquitto_username_pw_set(s->m, k->user, password);
}

static int open_connection(struct subscriber *s)
{
	const struct connector_conf *k = s->w->conf;
	mosquitto_property *props = NULL;
	int r = secure(s);
	if (r == 0 && k->mqtt5) {
		r = mosquitto_property_add_int32(&props, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
		                                 durable(s) ? (uint32_t)(k->catch_up_ms / 1000)
		                                            : 0);
		if (r == 0)
			r = mosquitto_property_add_int16(&props, MQTT_PROP_RECEIVE_MAXIMUM,
			                                 LIMIT_CONNECT_BATCH);
		if (r == 0)
			r = mosquitto_property_add_int32(&props, MQTT_PROP_MAXIMUM_PACKET_SIZE,
			                                 LIMIT_CONNECT_RECORD_BYTES);
	}
	if (r == 0)
		r = mosquitto_connect_bind_v5(s->m, s->to.host, s->to.port,
		                              LIMIT_CONNECT_KEEPALIVE_S, NULL, props);
	mosquitto_property_free_all(&props);
	return r;
}

static void bring_up(struct subscriber *s)
{
	const struct connector_conf *k = s->w->conf;
	if (s->m || !backoff_due(&s->backoff))
		return;
	s->m = mosquitto_new(s->id, !durable(s), s);
	if (!s->m)
		return;
	mosquitto_threaded_set(s->m, true);
	mosquitto_int_option(s->m, MOSQ_OPT_PROTOCOL_VERSION,
	                     k->mqtt5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
	mosquitto_int_option(s->m, MOSQ_OPT_RECEIVE_MAXIMUM, LIMIT_CONNECT_BATCH);
	mosquitto_connect_v5_callback_set(s->m, on_connect);
	mosquitto_disconnect_v5_callback_set(s->m, on_disconnect);
	mosquitto_subscribe_v5_callback_set(s->m, on_subscribe);
	mosquitto_message_v5_callback_set(s->m, on_message);
	int r = open_connection(s);
	if (r != 0) {
		if (!s->why[0])
			snprintf(s->why, sizeof(s->why), "%s",
			         r == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(r));
		take_down(s);
	}
}

/* All that has come, up to a batch. */
static int read_all(struct subscriber *s)
{
	struct pollfd p = {.fd = mosquitto_socket(s->m), .events = POLLIN};
	int r = 0;
	while (r == 0 && !s->broken && !push_full(s->push) && poll(&p, 1, 0) > 0)
		r = mosquitto_loop_read(s->m, 1);
	return r;
}

static int serve(void *ctx, struct push *push, int ms)
{
	struct subscriber *s = ctx;
	int r = 0;
	s->push = push;
	bring_up(s);
	struct pollfd p = {.fd = s->m ? mosquitto_socket(s->m) : -1, .events = POLLIN};
	if (s->m && mosquitto_want_write(s->m))
		p.events |= POLLOUT;
	target_pump(s->w->target, ms, &p, 1);
	if (!s->m)
		return 0;
	/* nothing is held here: push_run() has settled what was taken before */
	if (p.revents & POLLOUT) {
		r = mosquitto_loop_write(s->m, 1);
		if (r == 0 && !mosquitto_want_write(s->m))
			s->n_unsure = 0; /* the acknowledgements have left */
	}
	if (r == 0 && (p.revents & (POLLIN | POLLERR | POLLHUP)))
		r = read_all(s);
	if (r == 0 && !s->broken)
		r = mosquitto_loop_misc(s->m);
	if (r != 0 && !s->why[0])
		snprintf(s->why, sizeof(s->why), "%s",
		         r == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(r));
	if (r != 0 || s->broken)
		take_down(s);
	return 0;
}

static void accept_all(void *ctx)
{
	struct subscriber *s = ctx;
	if (s->m && !s->broken && mosquitto_loop_write(s->m, 1) == 0 && !mosquitto_want_write(s->m))
		s->n_unsure = 0;
}

static void leave(void *ctx)
{
	struct subscriber *s = ctx;
	s->n_unsure = 0; /* not delivered: they must come again */
	if (s->m) {
		snprintf(s->why, sizeof(s->why), "left alone until there is room");
		take_down(s);
	}
}

/* A name of our own, for two installations must not push each other out. */
static int recall(struct subscriber *s)
{
	const struct connector_conf *k = s->w->conf;
	uint32_t draw = 0;
	jv position = worker_position(s->w);
	if (!jv_is_valid(position)) {
		jv_free(position);
		return ERR_STORE_DAMAGED;
	}
	jv had = jv_object_get(jv_copy(position), jv_string("session"));
	s->session = jv_get_kind(had) == JV_KIND_TRUE;
	jv_free(had);
	jv id = jv_object_get(position, jv_string("client"));
	bool is = jv_get_kind(id) == JV_KIND_STRING;
	if (getrandom(&draw, sizeof(draw), 0) != sizeof(draw))
		draw = (uint32_t)now_ns();
	if (k->client_id)
		snprintf(s->id, sizeof(s->id), "%.80s%s", k->client_id, s->w->dry ? "-dry" : "");
	else if (is)
		snprintf(s->id, sizeof(s->id), "%.90s", jv_string_value(id));
	else
		snprintf(s->id, sizeof(s->id), "oudp-%.64s-%08x", k->name, draw);
	jv_free(id);
	return k->client_id || is ? 0 : worker_keep_member(s->w, "client", jv_string(s->id));
}

int source_mqtt(struct worker *w)
{
	static const struct push_source source[2] = {{serve, accept_all, leave, false},
	                                             {serve, accept_all, leave, true}};
	struct subscriber *s = xcalloc(1, sizeof(*s));
	s->w = w;
	backoff_init(&s->backoff);
	int err = address_parse(w->conf->urls[0], 1883, 8883, &s->to);
	if (err == 0)
		err = recall(s);
	if (err < 0)
		worker_source_failed(w, "%s: %s", w->conf->urls[0], err_text(err));
	else
		err = push_run(w, &source[w->conf->qos], s);
	bool up = s->up;
	if (s->m) /* no DISCONNECT, for it would take queued acknowledgements with it */
		mosquitto_destroy(s->m);
	free(s);
	return w->once && err == 0 && !up ? -EIO : err;
}
