/* render.c - the numbers as Prometheus text (format 0.0.4) and as JSON. */
#include "base/rfc3339.h"
#include "ingest/refusals.h"
#include "status/private.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
	family(b, name, type, help);
	buf_addf(b, "%s %llu\n", name, (unsigned long long)v);
}

static struct feed_size size_of(const struct status *s, const struct feed *f)
{
	struct feed_size size = {0};
	if (f->index < s->n_sizes)
		size = s->sizes[f->index];
	size.bytes += f->count.bytes - size.appended_before; /* what came since */
	return size;
}

static uint64_t resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f) {
		if (fscanf(f, "%*s %ld", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#define EACH_FEED(s, f)                                                                            \
	for (unsigned i_ = 0; i_ < hub_feed_count((s)->o.hub); i_++)                               \
		for (struct feed *f = hub_feed_at((s)->o.hub, i_); f && !f->ended; f = NULL)

static void feed_metrics(struct status *s, struct buf *b)
{
	family(b, "oudp_messages_total", "counter", "Messages by feed and what became of them.");
	EACH_FEED(s, f)
	{
		const char *n = f->conf->name;
		buf_addf(b, "oudp_messages_total{feed=\"%s\",verdict=\"stored\"} %llu\n", n,
		         (unsigned long long)f->count.stored);
		buf_addf(b, "oudp_messages_total{feed=\"%s\",verdict=\"duplicate\"} %llu\n", n,
		         (unsigned long long)f->count.duplicates);
		buf_addf(b, "oudp_messages_total{feed=\"%s\",verdict=\"refused\"} %llu\n", n,
		         (unsigned long long)f->count.quarantined);
	}
	buf_addf(b, "oudp_messages_total{feed=\"\",verdict=\"unrouted\"} %llu\n",
	         (unsigned long long)ingest_stats(s->o.ingest)->unrouted);
	family(b, "oudp_feed_last_sequence", "gauge", "Highest committed sequence of a feed.");
	EACH_FEED(s, f)
	buf_addf(b, "oudp_feed_last_sequence{feed=\"%s\"} %llu\n", f->conf->name,
	         (unsigned long long)f->last);
	family(b, "oudp_feed_last_stored_timestamp_seconds", "gauge",
	       "When a feed last stored a record.");
	EACH_FEED(s, f)
	buf_addf(b, "oudp_feed_last_stored_timestamp_seconds{feed=\"%s\"} %.3f\n", f->conf->name,
	         (double)f->last_stored_ms / 1e3);
	family(b, "oudp_feed_bytes", "gauge", "Bytes of a feed's log on disk.");
	EACH_FEED(s, f)
	buf_addf(b, "oudp_feed_bytes{feed=\"%s\"} %llu\n", f->conf->name,
	         (unsigned long long)size_of(s, f).bytes);
	family(b, "oudp_quarantine_rows", "gauge", "Refused messages that are kept.");
	EACH_FEED(s, f)
	buf_addf(b, "oudp_quarantine_rows{feed=\"%s\"} %llu\n", f->conf->name,
	         (unsigned long long)f->count.quarantine_rows);
}

#define EACH_VERSION(f, v)                                                                         \
	for (const struct feed_version *v = (f)->versions; v < (f)->versions + FEED_VERSIONS_MAX;  \
	     v++)                                                                                  \
		if (v->id[0])

static void version_metrics(struct status *s, struct buf *b)
{
	family(b, "oudp_schema_messages_total", "counter",
	       "Messages by feed, schema version and what became of them.");
	EACH_FEED(s, f)
	EACH_VERSION(f, v)
	{
		buf_addf(b,
		         "oudp_schema_messages_total{feed=\"%s\",schema=\"%s\",verdict=\"stored\"} "
		         "%llu\n",
		         f->conf->name, v->id, (unsigned long long)v->messages);
		buf_addf(
		    b,
		    "oudp_schema_messages_total{feed=\"%s\",schema=\"%s\",verdict=\"refused\"} "
		    "%llu\n",
		    f->conf->name, v->id, (unsigned long long)v->refused);
	}
	family(b, "oudp_schema_things", "gauge",
	       "Things whose newest message is of this schema version.");
	EACH_FEED(s, f)
	EACH_VERSION(f, v)
	buf_addf(b, "oudp_schema_things{feed=\"%s\",schema=\"%s\"} %u\n", f->conf->name, v->id,
	         v->things);
	family(b, "oudp_schema_until_timestamp_seconds", "gauge",
	       "When a feed stops taking a schema version.");
	EACH_FEED(s, f)
	EACH_VERSION(f, v)
	if (v->taken && v->until_ms)
		buf_addf(b, "oudp_schema_until_timestamp_seconds{feed=\"%s\",schema=\"%s\"} %.3f\n",
		         f->conf->name, v->id, (double)v->until_ms / 1e3);
}

static void commit_metrics(const struct hub_stats *h, struct buf *b)
{
	uint64_t sum = 0;
	one(b, "oudp_commits_total", "counter", "Commits of the journal, each with a full sync.",
	    h->commits);
	family(b, "oudp_commit_seconds", "histogram", "From handing a batch over to its commit.");
	for (unsigned i = 0; i < 11; i++) {
		sum += h->commit_ms[i];
		buf_addf(b, "oudp_commit_seconds_bucket{le=\"%g\"} %llu\n", hub_latency_ms[i] / 1e3,
		         (unsigned long long)sum);
	}
	sum += h->commit_ms[11];
	buf_addf(b,
	         "oudp_commit_seconds_bucket{le=\"+Inf\"} %llu\noudp_commit_seconds_sum "
	         "%.6f\noudp_commit_seconds_count %llu\n",
	         (unsigned long long)sum, h->commit_seconds, (unsigned long long)sum);
	one(b, "oudp_store_full_total", "counter", "Commits that found the store full.",
	    h->store_full);
	one(b, "oudp_abandoned_messages_total", "counter",
	    "Messages given back to their publishers, unanswered.", h->abandoned);
	one(b, "oudp_disk_reads_total", "counter", "Blocks read for subscribers that catch up.",
	    h->disk_reads);
	one(b, "oudp_ring_bytes", "gauge", "Recent records in memory.", h->ring_bytes);
}

/* Whole days that are left; a certificate that ends today has none. */
static int64_t days_left(const struct status *s, int64_t not_after_s)
{
	int64_t left_s = not_after_s - clock_wall_ms(hub_clock(s->o.hub)) / 1000;
	return left_s < 0 ? -1 : left_s / 86400;
}

static void tls_metrics(const struct status *s, const struct status_outside *o, struct buf *b)
{
	if (!tls_count(s->o.tls))
		return;
	family(b, "oudp_tls_certificate_days", "gauge",
	       "Days until the certificate of a tls block expires; -1: it has.");
	for (unsigned i = 0; i < tls_count(s->o.tls); i++) {
		struct tls_facts f = tls_facts(s->o.tls, i);
		buf_addf(b, "oudp_tls_certificate_days{tls=\"%s\"} %lld\n", f.name,
		         (long long)days_left(s, f.not_after_s));
	}
	if (o->client_ends_ms) {
		one(b, "oudp_tls_client_certificates", "gauge",
		    "Certificates of clients that were shown since the start.",
		    o->client_certificates);
		one(b, "oudp_tls_client_certificates_ending", "gauge",
		    "Those of them that expire within 30 days, or have.",
		    o->client_certificates_ending);
	}
	family(b, "oudp_tls_handshakes_total", "counter", "TLS handshakes begun.");
	for (unsigned i = 0; i < tls_count(s->o.tls); i++) {
		struct tls_facts f = tls_facts(s->o.tls, i);
		buf_addf(b, "oudp_tls_handshakes_total{tls=\"%s\"} %llu\n", f.name,
		         (unsigned long long)f.handshakes);
	}
	one(b, "oudp_tls_failed_total", "counter", "MQTT connections whose TLS failed.",
	    o->tls_failed);
	one(b, "oudp_tls_connections", "gauge", "Open MQTT connections with TLS.",
	    o->tls_connections);
}

static void write_tls(const struct status *s, const struct status_outside *o, struct buf *b)
{
	char t[RFC3339_BYTES];
	buf_add_str(b, ",\"tls\":[");
	for (unsigned i = 0; i < tls_count(s->o.tls); i++) {
		struct tls_facts f = tls_facts(s->o.tls, i);
		rfc3339_format(f.not_after_s * 1000, t);
		buf_addf(b, "%s{\"name\":\"%s\",\"notAfter\":\"%.*s\",\"daysLeft\":%lld}",
		         i ? "," : "", f.name, RFC3339_BYTES, t,
		         (long long)days_left(s, f.not_after_s));
	}
	buf_add_char(b, ']');
	if (!o->client_ends_ms)
		return;
	buf_addf(b,
	         ",\"clientCertificates\":{\"known\":%llu,\"ending\":%llu,\"soonest\":\"%s\","
	         "\"daysLeft\":%lld}",
	         (unsigned long long)o->client_certificates,
	         (unsigned long long)o->client_certificates_ending, o->client_identity,
	         (long long)days_left(s, o->client_ends_ms / 1000));
}

static struct status_outside ask_outside(struct status *s)
{
	struct status_outside o = {0};
	s->o.outside(s->o.arg, &o);
	return o;
}

static void access_metrics(const struct status_outside *o, struct buf *b)
{
	family(
	    b, "oudp_logins_refused_total", "counter",
	    "Who was not let in: not known, slowed because of guesses before, no place to check.");
	buf_addf(b, "oudp_logins_refused_total{why=\"unknown\"} %llu\n",
	         (unsigned long long)o->logins_failed);
	buf_addf(b, "oudp_logins_refused_total{why=\"slowed\"} %llu\n",
	         (unsigned long long)o->logins_slowed);
	buf_addf(b, "oudp_logins_refused_total{why=\"busy\"} %llu\n",
	         (unsigned long long)o->logins_busy);
	one(b, "oudp_audit_lines_total", "counter", "Lines that were written to the audit.",
	    o->audit_lines);
	one(b, "oudp_audit_dropped_total", "counter",
	    "Lines that the audit lacks, because too many waited; it says so itself.",
	    o->audit_dropped);
}

void status_write_metrics(struct status *s, struct buf *b)
{
	struct status_outside o = ask_outside(s);
	feed_metrics(s, b);
	version_metrics(s, b);
	commit_metrics(hub_stats(s->o.hub), b);
	family(b, "oudp_store_bytes", "gauge",
	       "The journal: its bound, what is used, what is free in it, free disk.");
	buf_addf(b, "oudp_store_bytes{kind=\"map\"} %llu\noudp_store_bytes{kind=\"used\"} %llu\n",
	         (unsigned long long)s->usage.map_bytes, (unsigned long long)s->usage.used_bytes);
	buf_addf(
	    b, "oudp_store_bytes{kind=\"free\"} %llu\noudp_store_bytes{kind=\"disk_free\"} %llu\n",
	    (unsigned long long)s->usage.free_bytes, (unsigned long long)s->usage.disk_free_bytes);
	family(b, "oudp_connections", "gauge", "Open connections.");
	buf_addf(
	    b,
	    "oudp_connections{protocol=\"mqtt\"} %llu\noudp_connections{protocol=\"http\"} %llu\n",
	    (unsigned long long)o.mqtt_connections, (unsigned long long)o.http_connections);
	buf_addf(b,
	         "oudp_connections{protocol=\"websocket\"} "
	         "%llu\noudp_connections{protocol=\"sse\"} %llu\n",
	         (unsigned long long)o.websocket_connections,
	         (unsigned long long)o.stream_connections);
	family(b, "oudp_delivered_total", "counter", "Messages given to subscribers.");
	buf_addf(
	    b, "oudp_delivered_total{way=\"mqtt\"} %llu\noudp_delivered_total{way=\"web\"} %llu\n",
	    (unsigned long long)o.mqtt_delivered, (unsigned long long)o.web_delivered);
	one(b, "oudp_http_requests_total", "counter", "HTTP requests.", o.http_requests);
	family(b, "oudp_http_errors_total", "counter", "HTTP answers that were errors.");
	buf_addf(
	    b,
	    "oudp_http_errors_total{class=\"4xx\"} %llu\noudp_http_errors_total{class=\"5xx\"} "
	    "%llu\n",
	    (unsigned long long)o.http_4xx, (unsigned long long)o.http_5xx);
	one(b, "oudp_connections_refused_total", "counter",
	    "Connections refused because there were too many.", o.refused_connections);
	access_metrics(&o, b);
	family(b, "oudp_refusals_total", "counter",
	       "Messages and writes that were refused, by kind.");
	const struct refusals *refusals = ingest_refusals(s->o.ingest);
	for (unsigned k = 0; k < REFUSAL_KINDS; k++)
		buf_addf(b, "oudp_refusals_total{kind=\"%s\"} %llu\n", refusal_names[k],
		         (unsigned long long)refusals_total(refusals)[k]);
	one(b, "oudp_refused_sources", "gauge",
	    "Identities, with feed and thing, whose refusals are counted apart: /v1/refusals.",
	    refusals_sources(refusals));
	one(b, "oudp_slow_subscribers_closed_total", "counter",
	    "Subscribers that asked for slow=close and were slow.", o.slow_closed);
	one(b, "oudp_things_silent", "gauge", "Things of feeds with a cadence that do not report.",
	    o.things_silent);
	one(b, "oudp_alerts_total", "counter", "Messages to the feed oudp-alerts.", o.alerts);
	one(b, "oudp_alert_commands_total", "counter", "Runs of alert-command.", o.alert_commands);
	one(b, "oudp_alert_command_failures_total", "counter", "Those that failed.",
	    o.alert_failures);
	one(b, "oudp_alert_commands_left_out_total", "counter",
	    "Alerts that were too many for alert-command.", o.alerts_left_out);
	one(b, "oudp_web_frame_bytes", "gauge", "Frames in memory that many subscribers share.",
	    o.web_frame_bytes);
	tls_metrics(s, &o, b);
	family(b, "oudp_sessions", "gauge", "MQTT sessions, with a connection and without.");
	buf_addf(b, "oudp_sessions{state=\"connected\"} %llu\noudp_sessions{state=\"away\"} %llu\n",
	         (unsigned long long)o.sessions, (unsigned long long)o.sessions_away);
	one(b, "oudp_subscriptions", "gauge", "MQTT subscriptions of all sessions.",
	    o.subscriptions);
	one(b, "oudp_shared_subscriptions", "gauge",
	    "Shared MQTT subscriptions of all sessions; not in the above.", o.shared_subscriptions);
	one(b, "oudp_share_groups", "gauge", "Groups of shared MQTT subscriptions.", o.shares);
	one(b, "oudp_session_backlog_records", "gauge",
	    "Records that MQTT sessions have not examined yet, over all of them.", o.backlog);
	status_series_metrics(s, b);
	one(b, "oudp_loop_turns_total", "counter", "Turns of the event loop.", o.loop_turns);
	one(b, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
}

static void write_versions(const struct status *s, const struct feed *f, struct buf *b)
{
	int64_t now = clock_wall_ms(hub_clock(s->o.hub));
	const char *comma = "";
	for (const struct feed_version *v = f->versions; v < f->versions + FEED_VERSIONS_MAX; v++) {
		char t[RFC3339_BYTES];
		if (!v->id[0])
			continue;
		buf_addf(b, "%s{\"schema\":\"%s\",\"state\":\"%s\",\"until\":", comma, v->id,
		         version_state_text(version_state(v, now)));
		if (v->taken && v->until_ms) {
			rfc3339_format(v->until_ms, t);
			buf_addf(b, "\"%.*s\"", RFC3339_BYTES, t);
		} else {
			buf_add_str(b, "null");
		}
		buf_addf(b, ",\"messages\":%llu,\"refused\":%llu,\"things\":%u}",
		         (unsigned long long)v->messages, (unsigned long long)v->refused,
		         v->things);
		comma = ",";
	}
}

void status_write_feed(struct status *s, const struct feed *f, struct buf *b)
{
	char t[RFC3339_BYTES];
	struct feed_size size = size_of(s, f);
	buf_add_str(b, "{\"name\":");
	json_write_string(b, f->name);
	json_write_name(b, "title");
	json_write_string(b, span_str(f->conf->title));
	buf_addf(b, ",\"access\":\"%s\",\"priority\":\"%s\",\"topics\":[",
	         config_access_text(f->conf->access), config_priority_text(f->conf->priority));
	for (char **p = f->conf->topics; *p; p++) {
		if (p != f->conf->topics)
			buf_add_char(b, ',');
		json_write_string(b, span_str(*p));
	}
	buf_add_str(b, "],\"schemas\":[");
	for (char **p = f->conf->schemas; *p; p++) {
		if (p != f->conf->schemas)
			buf_add_char(b, ',');
		json_write_string(b, config_schema(*p, NULL));
	}
	buf_add_str(b, "],\"versions\":[");
	write_versions(s, f, b);
	buf_addf(b,
	         "],\"epoch\":%u,\"first\":%llu,\"last\":%llu,\"records\":%llu,\"bytes\":%llu,"
	         "\"lastStored\":",
	         f->epoch, (unsigned long long)f->first, (unsigned long long)f->last,
	         (unsigned long long)(f->last + 1 - f->first), (unsigned long long)size.bytes);
	if (f->last_stored_ms) {
		rfc3339_format(f->last_stored_ms, t);
		buf_addf(b, "\"%.*s\"", RFC3339_BYTES, t);
	} else {
		buf_add_str(b, "null");
	}
	buf_addf(b, ",\"quarantined\":%llu", (unsigned long long)f->count.quarantine_rows);
	status_write_contract(f->conf, b);
	buf_add_char(b, '}');
}

void status_write_json(struct status *s, struct buf *b)
{
	struct status_outside o = ask_outside(s);
	const struct ingest_stats *in = ingest_stats(s->o.ingest);
	const char *why = "";
	uint8_t id[16];
	store_id(hub_store(s->o.hub), id);
	buf_addf(b,
	         "{\"version\":\"%s\",\"uptime\":%llu,\"organisation\":\"%s\",\"ready\":%s,"
	         "\"commit\":%llu,\"storeId\":\"",
	         OUDP_VERSION,
	         (unsigned long long)((clock_mono_ns(hub_clock(s->o.hub)) - s->started_ns) /
	                              1000000000u),
	         hub_config(s->o.hub)->organisation,
	         status_ready(s, &why) && !o.draining ? "true" : "false",
	         (unsigned long long)hub_last_commit(s->o.hub));
	for (int i = 0; i < 16; i++)
		buf_addf(b, "%02x", id[i]);
	buf_addf(b,
	         "\",\"store\":{\"mapBytes\":%llu,\"usedBytes\":%llu,\"freeBytes\":%llu,"
	         "\"diskFreeBytes\":%llu}",
	         (unsigned long long)s->usage.map_bytes, (unsigned long long)s->usage.used_bytes,
	         (unsigned long long)s->usage.free_bytes,
	         (unsigned long long)s->usage.disk_free_bytes);
	buf_addf(b, ",\"connections\":{\"mqtt\":%llu,\"http\":%llu,\"websocket\":%llu}",
	         (unsigned long long)o.mqtt_connections, (unsigned long long)o.http_connections,
	         (unsigned long long)o.websocket_connections);
	buf_addf(b,
	         ",\"sessions\":{\"connected\":%llu,\"away\":%llu,\"subscriptions\":%llu,"
	         "\"backlog\":%llu}",
	         (unsigned long long)o.sessions, (unsigned long long)o.sessions_away,
	         (unsigned long long)o.subscriptions, (unsigned long long)o.backlog);
	buf_addf(b,
	         ",\"counters\":{\"stored\":%llu,\"quarantined\":%llu,\"duplicates\":%llu,"
	         "\"unrouted\":%llu,\"refused\":%llu,"
	         "\"delivered\":%llu}",
	         (unsigned long long)status_stored(s), (unsigned long long)in->refused,
	         (unsigned long long)in->duplicates, (unsigned long long)in->unrouted,
	         (unsigned long long)in->denied,
	         (unsigned long long)(o.mqtt_delivered + o.web_delivered));
	write_tls(s, &o, b);
	status_write_series(s, b);
	buf_addf(b, ",\"rates\":{\"storedPerSecond\":%.0f},\"feeds\":[", s->stored_per_second);
	bool first = true;
	EACH_FEED(s, f)
	{
		if (f->conf->builtin) /* the administrator sees it among the feeds */
			continue;
		if (!first)
			buf_add_char(b, ',');
		first = false;
		status_write_feed(s, f, b);
	}
	buf_add_str(b, "]}");
}
