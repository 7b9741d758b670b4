/* series.c - the time series in the metrics and in the status. */
#include "series/engine.h"
#include "status/private.h"

static void one(struct buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
	buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
	         (unsigned long long)v);
}

void status_series_metrics(const struct status *s, struct buf *b)
{
	struct series_stats x;
	if (!s->o.series)
		return;
	series_stats(s->o.series, &x);
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} rows[] = {
	    {"oudp_series_things", "gauge", "Things with observations.", x.things},
	    {"oudp_series_datastreams", "gauge", "Datastreams.", x.streams},
	    {"oudp_series_refused_total", "counter",
	     "Observations without a datastream: there are too many.", x.streams_refused},
	    {"oudp_series_points_total", "counter", "Observations taken from records.", x.points},
	    {"oudp_series_late_points_total", "counter", "Observations older than max-age.",
	     x.points_late},
	    {"oudp_series_future_points_total", "counter", "Observations dated beyond max-future.",
	     x.points_future},
	    {"oudp_series_flagged_points_total", "counter", "Observations with any quality flag.",
	     x.flagged},
	    {"oudp_series_duplicates_total", "counter",
	     "Observations of a time that was there already.", x.duplicates},
	    {"oudp_series_expired_points_total", "counter",
	     "Observations deleted at the end of keep-series.", x.expired_points},
	    {"oudp_series_corrections_total", "counter", "Corrections made.", x.amended},
	    {"oudp_series_lag_records", "gauge", "Committed records not applied yet.",
	     x.lag_records},
	    {"oudp_series_tail_bytes", "gauge", "Observations in memory, not on disk yet.",
	     x.tail_bytes},
	    {"oudp_series_checkpoint_age_seconds", "gauge",
	     "Since all that was in memory was on disk.", x.checkpoint_age_s},
	    {"oudp_series_flushes_total", "counter", "Transactions of the series.", x.flushes},
	    {"oudp_series_flush_errors_total", "counter", "Those that failed.", x.flush_errors},
	    {"oudp_series_damaged_total", "counter",
	     "Rows and records that failed their checksum and are passed over.", x.damaged},
	    {"oudp_series_gap_records_total", "counter",
	     "Records trimmed before they were applied.", x.gap_records},
	    {"oudp_series_news_left_out_total", "counter",
	     "Odd values that nobody could be told of: too many at once.", x.news_left_out},
	    {"oudp_series_full", "gauge", "1 while the series cannot be written.", x.full},
	    {"oudp_series_throttling", "gauge", "1 while publishers wait for the series.",
	     x.throttling},
	    {"oudp_series_bytes", "gauge", "The file of the series.", x.file_bytes},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		one(b, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
}

void status_write_series(const struct status *s, struct buf *b)
{
	struct series_stats x;
	if (!s->o.series)
		return;
	series_stats(s->o.series, &x);
	buf_addf(b,
	         ",\"series\":{\"things\":%llu,\"datastreams\":%llu,\"bytes\":%llu,"
	         "\"lagRecords\":%llu,\"memoryBytes\":%llu,\"checkpointAge\":%llu,"
	         "\"damaged\":%llu,\"gapRecords\":%llu,\"writable\":%s}",
	         (unsigned long long)x.things, (unsigned long long)x.streams,
	         (unsigned long long)x.file_bytes, (unsigned long long)x.lag_records,
	         (unsigned long long)x.tail_bytes, (unsigned long long)x.checkpoint_age_s,
	         (unsigned long long)x.damaged, (unsigned long long)x.gap_records,
	         x.full ? "false" : "true");
}
