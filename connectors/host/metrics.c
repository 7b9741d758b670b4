/* metrics.c - names and texts; does not open anything. */
#include "host/metrics.h"

#include "base/compiler.h"

#include <inttypes.h>
#include <stddef.h>

struct metric {
	const char *name, *type, *help;
	size_t at; /* of the member of the tally */
	enum { COUNT, FLAG, MILLISECONDS } kind;
};

#define METRIC(name, type, help, member, kind)                                                     \
	{                                                                                          \
		"oudp_connect_" name, type, help, offsetof(struct tally, member), kind             \
	}

static const struct metric all[] = {
    METRIC("fetched_total", "counter", "Documents or messages that came from the source", documents,
           COUNT),
    METRIC("fetched_bytes_total", "counter", "Their bytes, as decoded from transport", bytes,
           COUNT),
    METRIC("unchanged_total", "counter", "Answers and messages that brought nothing new", unchanged,
           COUNT),
    METRIC("mapped_total", "counter", "Records given to the mapping", records, COUNT),
    METRIC("ignored_total", "counter", "Records that the mapping makes nothing of", ignored, COUNT),
    METRIC("unmappable_total", "counter", "Records on which the mapping failed", unmappable, COUNT),
    METRIC("undecodable_total", "counter", "Documents or records that the decoder cannot read",
           undecodable, COUNT),
    METRIC("published_total", "counter", "Messages given to the broker", published, COUNT),
    METRIC("stored_total", "counter", "Messages that the broker has stored", stored, COUNT),
    METRIC("duplicates_total", "counter", "Messages that the broker had already", duplicates,
           COUNT),
    METRIC("lost_total", "counter", "What is known to be lost: gaps, missed polls, no connection",
           holes, COUNT),
    METRIC("source_failures_total", "counter", "Attempts at the source that failed",
           source_failures, COUNT),
    METRIC("target_failures_total", "counter", "Connections to the broker that failed or broke",
           target_failures, COUNT),
    METRIC("restarts_total", "counter", "Of the connector's process", restarts, COUNT),
    METRIC("spool_bytes", "gauge", "Waiting on disk for the broker", spooled, COUNT),
    METRIC("in_flight", "gauge", "Published and not answered", in_flight, FLAG),
    METRIC("target_up", "gauge", "The broker has taken the connection", target_up, FLAG),
    METRIC("source_ok", "gauge", "The last attempt at the source succeeded", source_ok, FLAG),
    METRIC("lag_seconds", "gauge", "From receipt to mapping, of the last document", lag_ms,
           MILLISECONDS),
    METRIC("last_fetched_seconds", "gauge", "When the source last answered, seconds since 1970",
           last_fetched_ms, MILLISECONDS),
    METRIC("last_stored_seconds", "gauge",
           "When the broker last stored something, seconds since 1970", last_stored_ms,
           MILLISECONDS),
};

static const char *const reasons[REFUSED_KINDS] = {
    [REFUSED_SCHEMA] = "schema",   [REFUSED_TOPIC] = "topic", [REFUSED_DENIED] = "denied",
    [REFUSED_LARGE] = "too-large", [REFUSED_QUOTA] = "quota", [REFUSED_MAPPING] = "mapping",
    [REFUSED_OTHER] = "other"};

static void value(struct buf *b, const struct metric *m, const struct tally *t)
{
	const void *at = (const char *)t + m->at;
	if (m->kind == COUNT)
		buf_addf(b, "%" PRIu64,
		         atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_relaxed));
	else if (m->kind == FLAG)
		buf_addf(b, "%d",
		         atomic_load_explicit((const _Atomic int *)at, memory_order_relaxed));
	else
		buf_addf(b, "%.3f",
		         (double)atomic_load_explicit((const _Atomic int64_t *)at,
		                                      memory_order_relaxed) /
		             1000);
}

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_render(struct buf *b, const struct metrics_row *rows, size_t n)
{
	static const char refused[] = "oudp_connect_refused_total";
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		head(b, all[i].name, all[i].type, all[i].help);
		for (size_t j = 0; j < n; j++) {
			buf_addf(b, "%s{connector=\"%s\"} ", all[i].name, rows[j].name);
			value(b, &all[i], rows[j].tally);
			buf_add_char(b, '\n');
		}
	}
	head(b, "oudp_connect_info", "gauge", "The kind of its source");
	for (size_t j = 0; j < n; j++)
		buf_addf(b, "oudp_connect_info{connector=\"%s\",source=\"%s\"} 1\n", rows[j].name,
		         rows[j].source);
	head(b, refused, "counter", "Messages that were refused, by whom and why");
	for (size_t j = 0; j < n; j++)
		for (int r = 0; r < REFUSED_KINDS; r++)
			buf_addf(b, "%s{connector=\"%s\",reason=\"%s\"} %" PRIu64 "\n", refused,
			         rows[j].name, reasons[r], TALLY_GET(rows[j].tally, refused[r]));
}

bool metrics_ready(struct buf *b, const struct metrics_row *rows, size_t n)
{
	bool ready = true;
	for (size_t j = 0; j < n; j++) {
		const struct tally *t = rows[j].tally;
		const char *why = "ok";
		if (!TALLY_GET(t, target_up))
			why = "the broker is away";
		else if (!TALLY_GET(t, source_ok))
			why = "the source fails, or has not answered yet";
		buf_addf(b, "%s: %s\n", rows[j].name, why);
		ready = ready && why[0] == 'o';
	}
	return ready;
}
