/* mqtt.c - libmosquitto, MQTT 5. Knows topics and payloads as bytes only. */
#include "cli/mqtt.h"

#include "base/mem.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEEP_ALIVE_S = 30, CONNECT_TIMEOUT_MS = 10000, PAUSE_FIRST_MS = 200, PAUSE_MAX_MS = 5000 };

struct mqtt {
	struct cli *cli;
	struct mqtt_options o;
	struct mosquitto *m;
	bool connected, ever, told;
	int refused; /* CONNACK's reason, 0: none */
	int gone;    /* DISCONNECT's reason or the library's error, 0: none */
	char gone_text[160];
	unsigned waiting;
	uint64_t verdicts; /* so far */
	int64_t again_ms;
	unsigned pause_ms;
	bool sending; /* within mosquitto_publish_v5(), which may call back */
	int sending_mid;
	uint64_t sending_tag;
	uint64_t tag[65536]; /* by packet id */
	bool open[65536];
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *mqtt_code_text(int code)
{
	return mosquitto_reason_string(code);
}

/* The reason string of props in buf, with what could steer a terminal taken out. */
static void reason_string(const mosquitto_property *props, char *buf, size_t size)
{
	auto_free char *s = NULL;
	buf[0] = 0;
	if (!props || !mosquitto_property_read_string(props, MQTT_PROP_REASON_STRING, &s, false) ||
	    !s)
		return;
	size_t n = MIN_OF(strlen(s), size - 1);
	for (size_t i = 0; i < n; i++)
		buf[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7f ? '.' : s[i];
	buf[n] = 0;
}

static void on_connect(struct mosquitto *lib, void *arg, int rc, int flags,
                       const mosquitto_property *props)
{
	(void)lib;
	(void)flags;
	struct mqtt *m = arg;
	if (rc) {
		m->refused = rc;
		reason_string(props, m->gone_text, sizeof(m->gone_text));
		return;
	}
	if (m->told)
		cli_trouble(m->cli, "connected again");
	m->connected = m->ever = true;
	m->told = false;
	m->pause_ms = PAUSE_FIRST_MS;
}

static void on_disconnect(struct mosquitto *lib, void *arg, int rc, const mosquitto_property *props)
{
	(void)lib;
	struct mqtt *m = arg;
	m->connected = false;
	m->gone = rc;
	reason_string(props, m->gone_text, sizeof(m->gone_text));
}

static void on_publish(struct mosquitto *lib, void *arg, int mid, int code,
                       const mosquitto_property *props)
{
	(void)lib;
	struct mqtt *m = arg;
	assert(mid > 0 && mid < 65536);
	if (m->sending && mid == m->sending_mid) { /* QoS 0, written out within mqtt_send() */
		m->sending = false;
		m->tag[mid] = m->sending_tag;
	} else if (m->open[mid]) {
		m->open[mid] = false;
		assert(m->waiting > 0);
		m->waiting--;
	} else {
		return;
	}
	m->verdicts++;
	char text[1024];
	reason_string(props, text, sizeof(text));
	struct mqtt_verdict v = {.tag = m->tag[mid], .code = code, .reason = text};
	if (m->o.verdict)
		m->o.verdict(m->o.arg, &v);
}

static int tell_connect(const struct mqtt *m, int rc)
{
	if (rc == MOSQ_ERR_ERRNO && errno == ECONNREFUSED)
		return cli_trouble(
		    m->cli, "is oudpd running? nothing listens for MQTT at %s:%u (another: -h, -p)",
		    m->o.host, m->o.port);
	if (rc == MOSQ_ERR_EAI)
		return cli_trouble(m->cli, "the host %s is not known", m->o.host);
	return cli_trouble(m->cli, "no MQTT connection to %s:%u: %s", m->o.host, m->o.port,
	                   rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
}

static int tell_gone(const struct mqtt *m, const char *what)
{
	char code[64] = "";
	if (m->gone >= 0x80)
		snprintf(code, sizeof(code), " (0x%02x %s)", (unsigned)m->gone,
		         mqtt_code_text(m->gone));
	return cli_trouble(m->cli, "the broker closed the connection%s%s%s%s", code,
	                   m->gone_text[0] ? ": " : "", m->gone_text, what);
}

static int wait_connack(struct mqtt *m)
{
	int64_t until = now_ms() + CONNECT_TIMEOUT_MS;
	while (!m->connected && !m->refused && now_ms() < until) {
		int rc = mosquitto_loop(m->m, 100, 1);
		if (rc && !m->refused)
			return m->gone ? tell_gone(m, " before it accepted the client")
			               : tell_connect(m, rc);
	}
	if (m->refused)
		return cli_trouble(m->cli, "the broker refused the connection: 0x%02x %s%s%s",
		                   (unsigned)m->refused, mqtt_code_text(m->refused),
		                   m->gone_text[0] ? ": " : "", m->gone_text);
	if (!m->connected)
		return cli_trouble(m->cli, "%s:%u does not answer in MQTT", m->o.host, m->o.port);
	return 0;
}

int mqtt_open(struct cli *c, const struct mqtt_options *o, struct mqtt **ret)
{
	struct mqtt *m = xcalloc(1, sizeof(*m));
	m->cli = c;
	m->o = *o;
	m->pause_ms = PAUSE_FIRST_MS;
	mosquitto_lib_init();
	m->m = mosquitto_new(o->client_id, true, m);
	if (!m->m) {
		free(m);
		return cli_trouble(c, "libmosquitto does not start: %s", strerror(errno));
	}
	mosquitto_int_option(m->m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
	mosquitto_int_option(m->m, MOSQ_OPT_SEND_MAXIMUM, MQTT_WINDOW);
	mosquitto_int_option(m->m, MOSQ_OPT_TCP_NODELAY, 1);
	mosquitto_connect_v5_callback_set(m->m, on_connect);
	mosquitto_disconnect_v5_callback_set(m->m, on_disconnect);
	mosquitto_publish_v5_callback_set(m->m, on_publish);
	int rc = mosquitto_connect(m->m, o->host, o->port, KEEP_ALIVE_S);
	int err = rc ? tell_connect(m, rc) : wait_connack(m);
	if (err)
		mqtt_close(m);
	else
		*ret = m;
	return err;
}

void mqtt_close(struct mqtt *m)
{
	if (!m)
		return;
	if (m->connected) {
		mosquitto_disconnect(m->m);
		mosquitto_loop(m->m, 0, 1);
	}
	mosquitto_destroy(m->m);
	mosquitto_lib_cleanup();
	free(m);
}

unsigned mqtt_waiting(const struct mqtt *m)
{
	return m->waiting;
}

bool mqtt_connected(const struct mqtt *m)
{
	return m->connected;
}

int mqtt_send(struct mqtt *m, const char *topic, struct span payload, int qos, bool retain,
              uint64_t tag)
{
	if (mosquitto_pub_topic_check(topic))
		return cli_trouble(m->cli, "'%s' is no topic to publish to", topic);
	if (payload.n > MQTT_MAX_PAYLOAD)
		return cli_trouble(m->cli, "a payload of %zu bytes does not fit an MQTT packet",
		                   payload.n);
	m->sending = true;
	m->sending_tag = tag;
	m->sending_mid = 0; /* set by the library before it writes */
	int rc = mosquitto_publish_v5(m->m, &m->sending_mid, topic, (int)payload.n, payload.p, qos,
	                              retain, NULL);
	bool waits = m->sending;
	m->sending = false;
	if (rc == MOSQ_ERR_OVERSIZE_PACKET)
		return cli_trouble(
		    m->cli, "the payload of %zu bytes is larger than the broker takes", payload.n);
	if (rc == MOSQ_ERR_QOS_NOT_SUPPORTED || rc == MOSQ_ERR_RETAIN_NOT_SUPPORTED)
		return cli_trouble(m->cli, "the broker does not take that: %s",
		                   mosquitto_strerror(rc));
	if (rc && rc != MOSQ_ERR_NO_CONN)
		return cli_trouble(m->cli, "%s: %s", topic, mosquitto_strerror(rc));
	if (waits) {
		int mid = m->sending_mid;
		assert(mid > 0 && mid < 65536 && !m->open[mid]);
		m->tag[mid] = tag;
		m->open[mid] = true;
		m->waiting++;
	}
	return 0;
}

static void again(struct mqtt *m)
{
	int64_t now = now_ms();
	if (!m->told) {
		tell_gone(m, "; trying again");
		m->told = true;
		m->again_ms = now + m->pause_ms;
	}
	if (now < m->again_ms)
		return;
	m->pause_ms = MIN_OF(m->pause_ms * 2, (unsigned)PAUSE_MAX_MS);
	m->again_ms = now + m->pause_ms;
	m->refused = m->gone = 0;
	(void)mosquitto_reconnect(m->m); /* once it stands, what had no verdict is sent again */
}

static void pause_ms(int ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
	nanosleep(&t, NULL);
}

int mqtt_turn(struct mqtt *m, int timeout_ms)
{
	int rc = mosquitto_loop(m->m, timeout_ms, 1);
	if (rc == MOSQ_ERR_SUCCESS)
		return 0;
	m->connected = false;
	if (!m->o.persistent)
		return tell_gone(m, "");
	pause_ms(MIN_OF(timeout_ms, 50));
	again(m);
	return 0;
}

int mqtt_drain(struct mqtt *m, unsigned waiting, unsigned timeout_s)
{
	uint64_t seen = m->verdicts;
	int64_t until = now_ms() + (int64_t)timeout_s * 1000;
	while (m->waiting > waiting) {
		if (cli_stop())
			return cli_trouble(m->cli, "stopped; %u without a verdict", m->waiting);
		int err = mqtt_turn(m, 100);
		if (err)
			return err;
		if (m->verdicts != seen) {
			seen = m->verdicts;
			until = now_ms() + (int64_t)timeout_s * 1000;
		} else if (now_ms() > until) {
			return cli_trouble(
			    m->cli,
			    "no verdict within %u s: is the broker's disk full? see: oudp status",
			    timeout_s);
		}
	}
	return 0;
}
