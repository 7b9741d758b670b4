/* correcting.c - POST /v1/series/_correct: a month of wrong units. Nothing is overwritten: the
 * correction is a row of its own, the original stays askable (original=true). */
#include "base/err.h"
#include "base/mem.h"
#include "series/series.h"
#include "web/observe.h"
#include "web/private.h"
#include "json/json.h"

#include <math.h>
#include <stdlib.h>

enum { TOKENS = 128, TEXT_BYTES = 2048 };

struct correcting { /* lives until the engine has answered, also without its request */
	struct series_correction c;
	struct req *r;
	struct faults faults;
	struct json_tape tape;
	char text[TEXT_BYTES]; /* unescaped */
	size_t used;
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

/* The thing of that name; in which feed must be clear. */
static uint32_t find_thing(struct correcting *g, struct span thing, struct span feed,
                           struct span organisation)
{
	const struct hub *h = g->r->web->hub;
	struct series *s = g->r->web->series;
	uint32_t found = 0;
	if (feed.n)
		return series_find_thing(s, feed, organisation, thing);
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		uint32_t one = series_find_thing(s, hub_feed_at(h, i)->name, organisation, thing);
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

/* False: nothing can be corrected; the reasons are in faults, or there is no such thing (*ret). */
static bool read_body(struct correcting *g, const char **ret)
{
	struct req *r = g->r;
	struct json_tape *t = &g->tape;
	size_t at;
	const char *why;
	*ret = NULL;
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
	struct span thing = text_of(g, "thing", true), feed = text_of(g, "feed", false),
	            property = text_of(g, "property", false),
	            organisation = text_of(g, "organisation", false);
	if (!organisation.n)
		organisation = span_str(hub_config(r->web->hub)->organisation);
	if (thing.n)
		g->c.thing_id = find_thing(g, thing, feed, organisation);
	if (g->faults.n)
		return false;
	if (g->c.thing_id && property.n)
		g->c.stream_id = series_find_stream(r->web->series, g->c.thing_id, property);
	if (!g->c.thing_id)
		*ret = "there is no such thing in the series";
	else if (property.n && !g->c.stream_id)
		*ret = "this thing has no such property";
	return !*ret;
}

static void correcting_free(struct correcting *g)
{
	json_tape_done(&g->tape);
	free(g);
}

static void corrected(struct series_correction *c)
{
	struct correcting *g = container_of(c, struct correcting, c);
	struct req *r = g->r;
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

void post_correction(struct req *r)
{
	const char *none;
	if (!only_query(r, ""))
		return;
	if (!r->web->series) {
		problem(r, 404, "this server keeps no time series");
		return;
	}
	struct correcting *g = xcalloc(1, sizeof(*g));
	g->r = r;
	json_tape_init(&g->tape, TOKENS);
	if (!read_body(g, &none)) {
		if (none)
			problem(r, 404, "%s", none);
		else
			problem_faults(r, 400, &g->faults);
		correcting_free(g);
		return;
	}
	g->c.who = r->who.name;
	g->c.done = corrected;
	req_wait(r);
	r->pending++;
	series_correct(r->web->series, &g->c);
}
