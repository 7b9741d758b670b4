/* fuzz_observe - what may be asked of the time series: a query as it reaches the server, then,
 * after a line's end, an Accept header. Bounds hold, what was accepted makes sense, a cursor that
 * was taken is written back as it came, and rows are complete. */
#include "base/limits.h"
#include "web/accept.h"
#include "web/observe_write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct zone *zone_of(void *arg, struct span name)
{
	return span_is(name, "UTC") ? arg : NULL;
}

static bool fill(struct query *q, struct span s)
{
	query_init(q);
	for (;;) {
		const char *amp = s.n ? memchr(s.p, '&', s.n) : NULL;
		size_t n = amp ? (size_t)(amp - s.p) : s.n;
		if (query_add(q, span_of(s.p, n)))
			return false;
		if (!amp)
			return true;
		s = span_of(s.p + n + 1, s.n - n - 1);
	}
}

static void check_rows(const struct observe *o, enum observe_format format)
{
	struct observe_writer w;
	struct buf b;
	struct series_stream s = {
	    .id = 1, .thing = SPAN("pole"), .member = SPAN("pm25"), .count = 1};
	struct series_value v = {.time_ms = 1795521600000, .number = 21.5};
	struct series_bucket k = {.from_ms = 0, .to_ms = 1, .points = 1, .count = 1};
	buf_init(&b, 64 << 10);
	observe_writer_init(&w, &b, o, format);
	observe_begin(&w, NULL, NULL);
	observe_stream(&w, &s);
	if (o->figures)
		observe_bucket(&w, &k);
	else
		observe_value(&w, &v);
	observe_end(&w, NULL);
	assert(!b.err && b.len > 20 && b.p[b.len - 1] == '\n');
	observe_writer_done(&w);
	buf_done(&b);
}

static void check(const struct query *q, enum observe_way way, const struct observe_context *c)
{
	struct observe o;
	struct faults faults = {0};
	observe_read(q, way, c, &o, &faults);
	assert(o.zone && faults.n <= FAULTS_MAX);
	for (unsigned i = 0; i < faults.n; i++)
		assert(faults.one[i].detail[0] && strlen(faults.one[i].detail) < FAULT_BYTES);
	if (faults.n)
		return;
	assert(o.from_ms <= o.to_ms);
	assert(o.limit >= 1 && (o.limit <= LIMIT_SERIES_PAGE_ROWS || o.limit == UINT64_MAX));
	assert(!o.figures || period_about_ms(&o.interval) > 0);
	assert(o.width >= LIMIT_CHART_MIN && o.width <= LIMIT_CHART_MAX);
	if (o.cursor.stream.begun) {
		char text[OBSERVE_CURSOR_BYTES];
		struct observe_cursor again;
		observe_cursor_write(&o.cursor, text);
		int err = observe_cursor_read(span_str(text), &again);
		assert(!err && again.inner.time_ms == o.cursor.inner.time_ms &&
		       again.stream.at == o.cursor.stream.at);
	}
	for (int f = 0; f < AS_FORMATS; f++)
		check_rows(&o, (enum observe_format)f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size), header = {0};
	const char *nl = s.n ? memchr(s.p, '\n', s.n) : NULL;
	struct query *q = malloc(sizeof(*q));
	struct zone *utc = NULL;
	assert(q && zone_load("", SPAN("UTC"), &utc) == 0);
	if (nl) {
		header = span_of(nl + 1, (size_t)(s.p + s.n - nl - 1));
		s.n = (size_t)(nl - s.p);
	}
	int best = accept_choose(header, observe_types, AS_FORMATS);
	assert(best >= -1 && best < AS_FORMATS);
	const struct observe_context c = {1795521600000, zone_of, utc, NULL};
	if (fill(q, s))
		for (int way = OBSERVE_ONE; way <= OBSERVE_CHART; way++)
			check(q, (enum observe_way)way, &c);
	zone_free(utc);
	free(q);
	return 0;
}
