/* correcting.c - POST /v1/series/_correct: a month of wrong units. Nothing is overwritten: the
 * correction is a row of its own, the original stays askable (original=true). */
#include "access/audit.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "series/series.h"
#include "session/session.h"
#include "web/observe.h"
#include "web/private.h"
#include "json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOKENS = 128, TEXT_BYTES = 2048, CORRECTED_FEED_BYTES = 65 };

struct correcting { /* lives until the engine has answered, also without its request */
	struct series_correction c;
	struct series_ask wait; /* for what was acknowledged before */
	struct req *r;
	struct faults faults;
	struct json_tape tape;
	char text[TEXT_BYTES]; /* unescaped */
	size_t used;
	struct span thing, member, in_feed, organisation;
	char feed[CORRECTED_FEED_BYTES]; /* in which the thing was found */
	/* for the audit, when the request is gone */
	char origin[64];
	char who[LIMIT_SERIES_REASON_BYTES + 1], who_of[CORRECTED_FEED_BYTES];
};

static const char members[] =
    "what thing feed organisation property from to tz factor offset reason";

static struct span text_of(struct correcting *g, const char *name, bool needed)
{
	struct json_tape *t = &g->tape;
	uint32_t i = json_member(t, 0, span_str(name));
	if (!i) {
		if (needed)
			fault(&g->faults, span_str(name), "%s is missing", name);
		return (struct span){0};
	}
	if (t->tok[i].type != JSON_STRING || t->tok[i].len == 0 ||
	    t->tok[i].len > sizeof(g->text) - g->used) {
		fault(&g->faults, span_str(name), "%s is no text, empty or too long", name);
		return (struct span){0};
	}
	char *at = g->text + g->used;
	size_t n = json_unescape(json_text(t, i), at);
	g->used += n;
	return span_of(at, n);
}

static double number_of(struct correcting *g, const char *name, double otherwise, bool *ret_given)
{
	struct json_tape *t = &g->tape;
	uint32_t i = json_member(t, 0, span_str(name));
	if (!i)
		return otherwise;
	double v = t->tok[i].type == JSON_NUMBER ? json_double(json_text(t, i)) : NAN;
	*ret_given = true;
	if (!isfinite(v))
		fault(&g->faults, span_str(name), "%s is no number", name);
	return v;
}

static void read_times(struct correcting *g)
{
	struct span tz = text_of(g, "tz", false);
	const struct zone *z = web_zone(g->r->web, tz.n ? tz : SPAN("UTC"));
	const struct {
		const char *name;
		int64_t *to;
	} rows[] = {{"from", &g->c.from_ms}, {"to", &g->c.to_ms}};
	if (!z) {
		fault(&g->faults, SPAN("tz"), "tz is not a time zone of this machine");
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct span v = text_of(g, rows[i].name, true);
		if (v.n && observe_time(v, z, rows[i].to))
			fault(&g->faults, span_str(rows[i].name), "%s is not a time or a date",
			      rows[i].name);
	}
	if (!g->faults.n && g->c.from_ms >= g->c.to_ms)
		fault(&g->faults, SPAN("to"), "to is not after from");
}

static uint32_t find_in(struct correcting *g, struct span feed, struct span thing,
                        struct span organisation)
{
	uint32_t id = series_find_thing(g->r->web->series, feed, organisation, thing);
	if (id)
		snprintf(g->feed, sizeof(g->feed), "%.*s", (int)feed.n, feed.p);
	return id;
}

/* The thing of that name; in which feed must be clear. */
static uint32_t find_thing(struct correcting *g, struct span thing, struct span feed,
                           struct span organisation)
{
	const struct hub *h = g->r->web->hub;
	uint32_t found = 0;
	if (feed.n)
		return find_in(g, feed, thing, organisation);
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		uint32_t one = find_in(g, hub_feed_at(h, i)->name, thing, organisation);
		if (one && found) {
			fault(&g->faults, SPAN("feed"),
			      "feed is needed: this thing publishes in more than one");
			return 0;
		}
		found = one ? one : found;
	}
	return found;
}

static void read_what(struct correcting *g)
{
	struct span what = text_of(g, "what", true);
	bool given = false;
	g->c.factor = number_of(g, "factor", 1, &given);
	g->c.offset = number_of(g, "offset", 0, &given);
	if (span_is(what, "correct"))
		g->c.what = SERIES_CORRECT;
	else if (span_is(what, "flag"))
		g->c.what = SERIES_FLAG;
	else if (span_is(what, "reject"))
		g->c.what = SERIES_REJECT;
	else if (what.n)
		fault(&g->faults, SPAN("what"), "what is correct, flag or reject");
	if (!g->faults.n && given != (g->c.what == SERIES_CORRECT))
		fault(&g->faults, SPAN("factor"),
		      "factor and offset go with correct, and one is needed there");
	g->c.flags = POINT_DOUBTED;
	g->c.reason = text_of(g, "reason", true);
}

/* False: nothing can be corrected; the reasons are in faults. */
static bool read_body(struct correcting *g)
{
	struct req *r = g->r;
	struct json_tape *t = &g->tape;
	size_t at;
	const char *why;
	if (json_parse(t, span_of(r->body.p, r->body.len), &at, &why) ||
	    t->tok[0].type != JSON_OBJECT) {
		fault(&g->faults, SPAN(""), "the body is a JSON object of: %s", members);
		return false;
	}
	for (uint32_t i = 1; i < t->n; i = t->tok[i + 1].next)
		if (!query_is_among(json_text(t, i), members))
			fault(&g->faults, json_text(t, i), "unknown member");
	read_what(g);
	read_times(g);
	g->thing = text_of(g, "thing", true);
	g->in_feed = text_of(g, "feed", false);
	g->member = text_of(g, "property", false);
	g->organisation = text_of(g, "organisation", false);
	if (!g->organisation.n)
		g->organisation = span_str(hub_config(r->web->hub)->organisation);
	return !g->faults.n;
}

/* NULL: found, or a fault is told. Else what is not there. */
static const char *find(struct correcting *g)
{
	struct series *s = g->r->web->series;
	g->c.thing_id = find_thing(g, g->thing, g->in_feed, g->organisation);
	if (g->faults.n)
		return NULL;
	if (!g->c.thing_id)
		return "there is no such thing in the series";
	if (g->member.n)
		g->c.stream_id = series_find_stream(s, g->c.thing_id, g->member);
	return g->member.n && !g->c.stream_id ? "this thing has no such property" : NULL;
}

static void correcting_free(struct correcting *g)
{
	series_ask_done(&g->wait);
	json_tape_done(&g->tape);
	free(g);
}

static const char *what_of(const struct correcting *g)
{
	static const char *const words[] = {
	    [SERIES_CORRECT] = "correct", [SERIES_FLAG] = "flag", [SERIES_REJECT] = "reject"};
	return words[g->c.what];
}

/* What was done, to which observations, and how many there were. */
static void tell_audit(const struct correcting *g)
{
	const struct series_correction *c = &g->c;
	char action[32], object[512], result[128], from[RFC3339_BYTES], to[RFC3339_BYTES];
	rfc3339_format(c->from_ms, from);
	rfc3339_format(c->to_ms, to);
	snprintf(action, sizeof(action), "series.%s", what_of(g));
	snprintf(object, sizeof(object), "%s %.*s%s%.*s %.*s/%.*s", g->feed,
	         (int)MIN_OF(g->thing.n, (size_t)256), g->thing.p, g->member.n ? " " : "",
	         (int)MIN_OF(g->member.n, (size_t)64), g->member.p, RFC3339_BYTES, from,
	         RFC3339_BYTES, to);
	if (c->err)
		snprintf(result, sizeof(result), "failed: %s", err_text(c->err));
	else
		snprintf(result, sizeof(result), "done: correction %llu of %llu observations",
		         (unsigned long long)c->id, (unsigned long long)c->points);
	audit_line(access_audit(g->r->web->access), action, object, result, g->origin,
	           span_str(g->who), span_str(g->who_of));
}

/* Who follows the feed may have copied what is corrected now. */
static void tell_subscribers(const struct correcting *g)
{
	struct web *w = g->r->web;
	const struct series_correction *c = &g->c;
	const struct feed *f = hub_feed(w->hub, span_str(g->feed));
	const struct event_corrected e = {.what = what_of(g),
	                                  .id = c->id,
	                                  .organisation = g->organisation,
	                                  .thing = g->thing,
	                                  .member = g->member,
	                                  .reason = c->reason,
	                                  .from_ms = c->from_ms,
	                                  .to_ms = c->to_ms,
	                                  .factor = c->factor,
	                                  .offset = c->offset,
	                                  .observations = c->points};
	if (!f || c->err)
		return;
	buf_clear(&w->one);
	event_write_corrected(&w->one, &w->event, f, &e, clock_wall_ms(hub_clock(w->hub)));
	lives_notice(w, f, g->thing, NOTICE_CORRECTED);
	if (w->sessions && !w->one.err)
		sessions_notice(w->sessions, "corrected", f, g->thing,
		                span_of(w->one.p, w->one.len));
}

static void corrected(struct series_correction *c)
{
	struct correcting *g = container_of(c, struct correcting, c);
	struct req *r = g->r;
	tell_audit(g);
	tell_subscribers(g);
	if (!req_came(r, c->err)) {
		correcting_free(g);
		return;
	}
	if (c->err) {
		problem(r, c->err == ERR_TOO_LARGE || c->err == ERR_INVALID ? 400 : 503,
		        "it could not be corrected: %s", err_text(c->err));
	} else {
		buf_addf(&r->out, "{\"id\":%llu,\"observations\":%llu,\"datastreams\":%u}",
		         (unsigned long long)c->id, (unsigned long long)c->points, c->streams);
		respond(r, 200, "application/json");
	}
	correcting_free(g);
}

/* What was acknowledged before the request is applied. */
static void waited(struct series_ask *a)
{
	struct correcting *g = a->arg;
	struct req *r = g->r;
	const char *none = a->err ? NULL : find(g);
	if (!a->err && !none && !g->faults.n) {
		series_correct(r->web->series, &g->c);
		return;
	}
	if (!req_came(r, a->err ? a->err : ERR_INVALID))
		; /* nobody waits for the answer */
	else if (a->err)
		problem(r, 503, "the series could not be read: %s", err_text(a->err));
	else if (none)
		problem(r, 404, "%s", none);
	else
		problem_faults(r, 400, &g->faults);
	correcting_free(g);
}

void post_correction(struct req *r)
{
	if (!only_query(r, ""))
		return;
	if (!r->web->series) {
		problem(r, 404, "this server keeps no time series");
		return;
	}
	struct correcting *g = xcalloc(1, sizeof(*g));
	g->r = r;
	json_tape_init(&g->tape, TOKENS);
	if (!read_body(g)) {
		problem_faults(r, 400, &g->faults);
		correcting_free(g);
		return;
	}
	snprintf(g->who, sizeof(g->who), "%.*s", (int)r->who.name.n, r->who.name.p);
	snprintf(g->who_of, sizeof(g->who_of), "%s", r->who.organisation);
	req_origin(r, g->origin);
	g->c.who = span_str(g->who);
	g->c.done = corrected;
	req_wait(r);
	r->pending++;
	g->wait = (struct series_ask){.what = SERIES_THINGS,
	                              .filter = {.thing = g->thing},
	                              .limit = 1,
	                              .done = waited,
	                              .arg = g};
	series_ask(r->web->series, &g->wait);
}
