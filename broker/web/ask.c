/* ask.c - see ask.h. */
#include "web/ask.h"

#include "base/limits.h"
#include "base/rfc3339.h"
#include "feed/event.h"

#include <stdarg.h>
#include <stdio.h>

enum { PAGE_DEFAULT = 100 };

static const char for_pages[] = "after since limit wait withTopic thing bbox property",
                  for_streams[] = "after since slow thing bbox property";

void fault(struct faults *f, struct span parameter, const char *fmt, ...)
{
	if (f->n == FAULTS_MAX)
		return;
	size_t n = MIN_OF(parameter.n, sizeof(f->one[0].parameter) - 1);
	char *to = f->one[f->n].parameter;
	if (n)
		memcpy(to, parameter.p, n);
	to[n] = '\0';
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->one[f->n++].detail, FAULT_BYTES, fmt, ap);
	va_end(ap);
}

/* "air:1795523696:17" names a feed: another feed's position means nothing here. */
static bool is_of_feed(struct span position, const struct feed *f)
{
	const char *colon = position.n ? memchr(position.p, ':', position.n) : NULL;
	if (!colon)
		return true;
	size_t n = (size_t)(colon - position.p);
	if (!memchr(colon + 1, ':', position.n - n - 1))
		return true; /* EPOCH:SEQ */
	return span_eq(span_of(position.p, n), f->name);
}

static void read_from(const struct query *q, const struct feed *f, struct span resume,
                      struct ask *ret, struct faults *faults)
{
	struct span after, since, name = SPAN("after");
	bool has_after = query_get(q, "after", &after), has_since = query_get(q, "since", &since);
	if (resume.n) {
		name = SPAN("Last-Event-ID");
		after = resume;
		has_after = true;
		has_since = false;
	}
	if (has_after && has_since)
		fault(faults, name, "after and since exclude each other");
	if (has_after) {
		ret->from = FROM_AFTER;
		if (event_parse_position(after, &ret->epoch, &ret->after) ||
		    ret->after >= INT64_MAX)
			fault(faults, name, "%s is not a sequence, such as 17 or 1795523696:17",
			      name.p);
		else if (!is_of_feed(after, f))
			fault(faults, name, "%s is a position of another feed", name.p);
	}
	if (has_since) {
		ret->from = FROM_SINCE;
		if (rfc3339_parse(since, &ret->since_ms))
			fault(faults, SPAN("since"),
			      "since is not a time, such as 2026-11-24T12:00:00Z (write a + "
			      "in it as %%2B)");
	}
}

static void read_number(const struct query *q, const char *name, uint64_t low, uint64_t high,
                        uint64_t *ret, struct faults *faults)
{
	struct span v;
	uint64_t n;
	if (!query_get(q, name, &v))
		return;
	if (span_to_u64(v, &n) || n < low || n > high)
		fault(faults, span_str(name), "%s is not a whole number from %llu to %llu", name,
		      (unsigned long long)low, (unsigned long long)high);
	else
		*ret = n;
}

static void read_topic(const struct query *q, struct ask *ret, struct faults *faults)
{
	struct span v;
	if (!query_get(q, "withTopic", &v))
		return;
	ret->topic = span_is(v, "true");
	if (!ret->topic && !span_is(v, "false"))
		fault(faults, SPAN("withTopic"), "withTopic is true or false");
}

static void read_slow(const struct query *q, struct ask *ret, struct faults *faults)
{
	struct span v;
	if (!query_get(q, "slow", &v))
		return;
	if (span_is(v, "latest"))
		ret->slow = SLOW_LATEST;
	else if (span_is(v, "close"))
		ret->slow = SLOW_CLOSE;
	else if (!span_is(v, "disk"))
		fault(faults, SPAN("slow"), "slow is disk, latest or close");
}

void ask_read(const struct query *q, const struct feed *f, enum ask_way way, struct span resume,
              struct ask *ret, struct faults *faults)
{
	*ret = (struct ask){.limit = PAGE_DEFAULT};
	for (unsigned i = 0; i < q->n; i++) {
		struct span name = q->pair[i].name;
		if (!query_is_among(name, for_pages) && !query_is_among(name, for_streams))
			fault(faults, name, "unknown query parameter");
		else if (!query_is_among(name, way == ASK_PAGE ? for_pages : for_streams))
			fault(faults, name, "%.*s is for %s only", (int)name.n, name.p,
			      way == ASK_PAGE ? "streams" : "pages");
	}
	read_from(q, f, resume, ret, faults);
	if (way == ASK_PAGE) {
		read_number(q, "limit", 1, LIMIT_PAGE_RECORDS, &ret->limit, faults);
		read_number(q, "wait", 0, LIMIT_LONG_POLL_S, &ret->wait_s, faults);
		read_topic(q, ret, faults);
	} else {
		read_slow(q, ret, faults);
	}
	struct span parameter;
	const char *wrong = filter_read(q, &ret->filter, &parameter);
	if (wrong)
		fault(faults, parameter, "%s", wrong);
}
