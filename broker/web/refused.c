/* refused.c - GET /v1/refusals: how much of whom was refused, and why the last time, to who may
 * know it: the source itself, who administers the feed, the administrator. */
#include "ingest/refusals.h"
#include "web/private.h"
#include "json/write.h"

enum { LISTED = 1000 }; /* those that were refused last */

static bool may_know(const struct req *r, const struct refusal_source *s)
{
	const struct feed *f = s->feed.n ? hub_feed(r->web->hub, s->feed) : NULL;
	if (r->who.administrator)
		return true;
	if (r->who.principal && span_eq(s->identity, r->who.name) &&
	    span_is(s->organisation, r->who.organisation))
		return true;
	return f && access_check(&r->who, ACCESS_ADMIN, f, (struct span){0}) == 0;
}

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
	const struct refusals *t = ingest_refusals(r->web->ingest);
	unsigned n = 0;
	if (!only_query(r, ""))
		return;
	buf_add_str(b, "{\"refusals\":[");
	for (const struct refusal_source *s = NULL; (s = refusals_next(t, s)) && n < LISTED;) {
		if (!may_know(r, s))
			continue;
		if (n++)
			buf_add_char(b, ',');
		write_source(b, s);
	}
	buf_add_str(b, "]}");
	respond(r, 200, "application/json");
}
