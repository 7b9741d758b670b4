/* refused.c - GET /v1/refusals: how much of whom was refused, and why the last time, to who may
 * know it: the source itself, who administers the feed, the administrator. */
#include "web/refused.h"

#include "json/write.h"

enum { LISTED = 1000 }; /* those that were refused last */

/* ---- who may know ---- */

enum knows { NOTHING, ALL, NOT_WHERE };

static enum knows knows(const struct req *r, const struct refusal_source *s)
{
	const struct feed *f = s->feed.n ? hub_feed(r->web->hub, s->feed) : NULL;
	if (r->who.administrator ||
	    (f && !access_check(&r->who, ACCESS_ADMIN, f, (struct span){0})))
		return ALL;
	if (!r->who.principal || !span_eq(s->identity, r->who.name) ||
	    !span_is(s->organisation, r->who.organisation))
		return NOTHING;
	return f && access_sees(&r->who, f) ? ALL : NOT_WHERE;
}

static void sum_nowhere(const struct req *r, const struct refusal_source *last,
                        struct refusal_source *sum)
{
	const struct refusals *t = ingest_refusals(r->web->ingest);
	*sum = *last;
	sum->feed = sum->thing = (struct span){0};
	for (const struct refusal_source *s = last; (s = refusals_next(t, s));) {
		if (knows(r, s) != NOT_WHERE)
			continue;
		for (unsigned k = 0; k < REFUSAL_KINDS; k++)
			sum->count[k] += s->count[k];
		sum->first_ms = MIN_OF(sum->first_ms, s->first_ms);
	}
}

const struct refusal_source *refused_next(const struct req *r, struct refused_walk *w)
{
	while ((w->at = refusals_next(ingest_refusals(r->web->ingest), w->at))) {
		enum knows k = knows(r, w->at);
		if (k == ALL)
			return w->at;
		if (k == NOTHING || w->was_nowhere)
			continue;
		w->was_nowhere = true;
		sum_nowhere(r, w->at, &w->nowhere);
		return &w->nowhere;
	}
	return NULL;
}

/* ---- as JSON ---- */

static void write_text(struct buf *b, const char *name, struct span s)
{
	json_write_name(b, name);
	if (s.n)
		json_write_string(b, s);
	else
		buf_add_str(b, "null");
}

static void write_source(struct buf *b, const struct refusal_source *s)
{
	buf_add_str(b, "{\"organisation\":");
	json_write_string(b, s->organisation);
	json_write_name(b, "identity");
	json_write_string(b, s->identity);
	write_text(b, "feed", s->feed);
	write_text(b, "thing", s->thing);
	for (unsigned k = 0; k < REFUSAL_KINDS; k++)
		buf_addf(b, ",\"%s\":%llu", refusal_names[k], (unsigned long long)s->count[k]);
	json_write_time_member(b, "first", s->first_ms);
	json_write_time_member(b, "last", s->last_ms);
	write_text(b, "rule", span_str(s->rule));
	write_text(b, "reason", span_str(s->reason));
	buf_add_char(b, '}');
}

void get_refused(struct req *r)
{
	struct buf *b = &r->out;
	struct refused_walk w = {0};
	unsigned n = 0;
	if (!only_query(r, ""))
		return;
	buf_add_str(b, "{\"refusals\":[");
	for (const struct refusal_source *s; n < LISTED && (s = refused_next(r, &w));) {
		if (n++)
			buf_add_char(b, ',');
		write_source(b, s);
	}
	buf_add_str(b, "]}");
	respond(r, 200, "application/json");
}
