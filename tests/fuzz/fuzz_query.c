/* fuzz_query - what a reader of events may ask: pairs cut at '&' as they reach the server. Bounds
 * hold, every pair is found again, and what was accepted can be asked for again by its link. */
#include "base/limits.h"
#include "web/ask.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fill(struct query *q, struct span s)
{
	query_init(q);
	for (;;) {
		const char *amp = s.n ? memchr(s.p, '&', s.n) : NULL;
		size_t n = amp ? (size_t)(amp - s.p) : s.n;
		int err = query_add(q, span_of(s.p, n));
		if (err || !amp)
			return err;
		s = span_of(s.p + n + 1, s.n - n - 1);
	}
}

static void check_pairs(const struct query *q)
{
	assert(q->n <= QUERY_PAIRS && q->used <= QUERY_BYTES);
	for (unsigned i = 0; i < q->n; i++) {
		struct span name = q->pair[i].name, value;
		char text[QUERY_BYTES + 1];
		assert(name.n > 0 && name.p >= q->text && name.p + name.n <= q->text + q->used);
		if (memchr(name.p, 0, name.n))
			continue; /* names are asked for as C strings */
		memcpy(text, name.p, name.n);
		text[name.n] = '\0';
		bool found = query_get(q, text, &value);
		assert(found && span_eq(value, q->pair[i].value));
	}
}

static void check_faults(const struct faults *f)
{
	assert(f->n <= FAULTS_MAX);
	for (unsigned i = 0; i < f->n; i++)
		assert(f->one[i].detail[0] && strlen(f->one[i].detail) < FAULT_BYTES);
}

static void check_ask(const struct query *q, struct span resume, enum ask_way way)
{
	static const char names[] = "limit thing property bbox";
	struct feed f = {.name = SPAN("air")};
	struct faults faults = {0};
	struct ask a;
	struct record r = {.thing = SPAN("pole"), .results = SPAN(""), .flags = RECORD_LOCATION};
	struct buf link;
	ask_read(q, &f, way, resume, &a, &faults);
	check_faults(&faults);
	if (faults.n)
		return;
	assert(a.limit >= 1 && a.limit <= LIMIT_PAGE_RECORDS && a.wait_s <= LIMIT_LONG_POLL_S);
	assert(filter_match(&a.filter, &r) || !filter_any(&a.filter));
	buf_init(&link, 4 * QUERY_BYTES);
	filter_write_query(&link, q, names);
	assert(!link.err);
	for (size_t i = 0; i < link.len; i++)
		assert(link.p[i] > ' ' && link.p[i] < 127 && link.p[i] != '"' && link.p[i] != '>');
	buf_done(&link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query *q = malloc(sizeof(*q));
	struct span s = span_of((const char *)data, size);
	assert(q);
	if (fill(q, s) == 0) {
		check_pairs(q);
		check_ask(q, (struct span){0}, ASK_PAGE);
		check_ask(q, (struct span){0}, ASK_STREAM);
		check_ask(q, s, ASK_STREAM); /* as Last-Event-ID */
	}
	free(q);
	return 0;
}
