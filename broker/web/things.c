/* things.c - /v1/things: what stands in the register and what published, and changing the register.
 *
 * An entry's members stand beside those that the broker adds, so that what was got can be put. What
 * may not be seen does not exist: a public entry is for everybody, what a thing published for who
 * may read one of its feeds, the rest for who may see the broker as a whole. */
#include "register/register.h"

#include "base/err.h"
#include "base/mem.h"
#include "web/place.h"
#include "web/private.h"
#include "web/where.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE_DEFAULT = 100, CURSOR_BYTES = 400 };

/* ---- who may see what ---- */

static bool sees_all(const struct req *r)
{
	return access_check(&r->who, ACCESS_READ, NULL, (struct span){0}) == 0;
}

static bool may_read(const struct req *r, const struct thing *x, const struct thing_seen *on)
{
	const struct feed *f = hub_feed_at(r->web->hub, on->feed);
	const struct access_spot spot = {
	    .organisation = x->organisation, .known = on->has_location, .place = on->place};
	return !f->ended && access_covers(&r->who, ACCESS_READ, f, x->id, &spot) == 0;
}

/* What is known of a thing to who asks: of the feeds that may be read, as if there were no others.
 * A place that was told to one, perhaps exactly, is that one's. */
struct known {
	bool any;
	int64_t first_ms, last_ms;
	const struct thing_seen *place; /* NULL: none */
};

static struct known known_of(const struct req *r, const struct thing *x)
{
	struct known k = {.any = false};
	bool all = sees_all(r);
	for (unsigned i = 0; i < x->n_seen; i++) {
		const struct thing_seen *on = &x->seen[i];
		if (!all && !may_read(r, x, on))
			continue;
		k.first_ms = k.any ? MIN_OF(k.first_ms, on->first_ms) : on->first_ms;
		k.last_ms = MAX_OF(k.last_ms, on->last_ms);
		if (on->has_location && (!k.place || on->place_ms > k.place->place_ms))
			k.place = on;
		k.any = true;
	}
	return k;
}

static bool entry_is_seen(const struct req *r, const struct thing *x, const struct known *k)
{
	return x->registered && (x->entry.is_public || k->any || sees_all(r));
}

bool thing_entry_is_seen(const struct req *r, const struct thing *x)
{
	const struct known k = known_of(r, x);
	return entry_is_seen(r, x, &k);
}

/* ---- writing one ---- */

static void write_seen(const struct req *r, struct buf *b, const struct thing *x,
                       const struct known *k)
{
	json_write_name(b, "seen");
	buf_add_str(b, "{\"feeds\":[");
	for (unsigned i = 0, n = 0; i < x->n_seen; i++)
		if (may_read(r, x, &x->seen[i])) {
			if (n++)
				buf_add_char(b, ',');
			json_write_string(b, hub_feed_at(r->web->hub, x->seen[i].feed)->name);
		}
	buf_add_char(b, ']');
	json_write_time_member(b, "first", k->first_ms);
	json_write_time_member(b, "last", k->last_ms);
	if (k->place) {
		buf_add_str(b, ",\"location\":{\"latitude\":");
		json_write_double(b, box_lat(&k->place->place));
		buf_add_str(b, ",\"longitude\":");
		json_write_double(b, box_lon(&k->place->place));
		if (!box_is_point(&k->place->place)) {
			buf_add_str(b, ",\"bbox\":");
			place_bbox(b, &k->place->place);
		}
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
}

static void write_thing(const struct req *r, struct buf *b, const struct thing *x)
{
	const struct known k = known_of(r, x);
	bool entry = entry_is_seen(r, x, &k);
	buf_add_str(b, "{\"id\":");
	json_write_string(b, x->id);
	json_write_name(b, "organisation");
	json_write_string(b, x->organisation);
	buf_addf(b, ",\"registered\":%s", entry ? "true" : "false");
	if (entry) {
		const char *invalid =
		    entry_invalid(&x->entry, clock_wall_ms(hub_clock(r->web->hub)));
		buf_addf(b, ",\"valid\":%s,\"code\":\"%s\",\"version\":%llu",
		         invalid ? "false" : "true", x->code, (unsigned long long)x->version);
		json_write_time_member(b, "changed", x->changed_ms);
		json_write_name(b, "changedBy");
		json_write_string(b, span_str(x->by));
		buf_add_char(b, ','); /* an entry has members: some are required */
		buf_add_span(b, span_of(x->entry.text + 1, x->entry.n - 2));
	}
	if (k.any)
		write_seen(r, b, x, &k);
	buf_add_char(b, '}');
}

/* ---- many ---- */

struct asked {
	struct span organisation;
	int feed, registered; /* -1: any */
	bool has_state;
	enum entry_state state;
	struct shape area; /* bbox, radius */
	uint64_t limit;
	char after[CURSOR_BYTES];
	size_t after_n;
};

static bool read_bool(const struct query *q, const char *name, int *ret, struct faults *faults)
{
	struct span v;
	if (!query_get(q, name, &v))
		return false;
	if (!span_is(v, "true") && !span_is(v, "false"))
		fault(faults, span_str(name), "%s is true or false", name);
	*ret = span_is(v, "true");
	return true;
}

static void read_asked(const struct req *r, struct asked *a, struct faults *faults)
{
	struct span v;
	*a = (struct asked){.feed = -1, .registered = -1, .limit = PAGE_DEFAULT};
	query_get(&r->query, "organisation", &a->organisation);
	read_bool(&r->query, "registered", &a->registered, faults);
	if (query_get(&r->query, "feed", &v)) {
		struct feed *f = hub_feed(r->web->hub, v);
		if (f && access_check(&r->who, ACCESS_READ, f, (struct span){0}) == 0)
			a->feed = (int)f->index;
		else
			fault(faults, SPAN("feed"), "there is no such feed");
	}
	if (query_get(&r->query, "state", &v)) {
		a->has_state = true;
		if (entry_state_read(v, &a->state))
			fault(faults, SPAN("state"), "state is planned, active, inactive or ended");
	}
	if (query_get(&r->query, "limit", &v) &&
	    (span_to_u64(v, &a->limit) || a->limit == 0 || a->limit > LIMIT_THINGS_PAGE))
		fault(faults, SPAN("limit"), "limit is a whole number from 1 to %d",
		      LIMIT_THINGS_PAGE);
	if (query_get(&r->query, "after", &v)) {
		if (v.n == 0 || v.n > sizeof(a->after))
			fault(faults, SPAN("after"), "after is the \"next\" of a page");
		else
			memcpy(a->after, v.p, a->after_n = v.n);
	}
	where_read(&r->query, NULL, &a->area, faults);
}

static bool place_fits(const struct asked *a, const struct thing *x, const struct known *k,
                       bool entry)
{
	const struct thing_place at = thing_entry_place(x);
	return shape_takes(&a->area, entry && at.known ? &at.place
	                             : k->place        ? &k->place->place
	                                               : NULL);
}

static bool on_feed(const struct req *r, const struct asked *a, const struct thing *x)
{
	for (unsigned i = 0; i < x->n_seen; i++)
		if (x->seen[i].feed == a->feed)
			return may_read(r, x, &x->seen[i]);
	return a->feed < 0;
}

static bool is_asked(const struct req *r, const struct asked *a, const struct thing *x)
{
	const struct known k = known_of(r, x);
	bool entry = entry_is_seen(r, x, &k);
	return (entry || k.any) && on_feed(r, a, x) &&
	       (!a->organisation.n || span_eq(a->organisation, x->organisation)) &&
	       (a->registered < 0 || a->registered == entry) &&
	       (!a->has_state || (entry && x->entry.state == a->state)) &&
	       place_fits(a, x, &k, entry);
}

/* A page on its way, which goes on with the loop's next turn when it has looked at many: the place
 * to go on from is the last thing of the page, never one that is not shown. */
struct walk {
	struct asked asked;
	uint64_t n;
	char last[CURSOR_BYTES]; /* that was written */
	size_t last_n;
};

static size_t take_key(char out[CURSOR_BYTES], const struct thing *x)
{
	assert(x->key.n <= CURSOR_BYTES);
	memcpy(out, x->key.p, x->key.n);
	return x->key.n;
}

static void walk_end(struct req *r, const struct walk *w, bool more)
{
	buf_add_str(&r->out, "],\"next\":");
	if (more)
		json_write_string(&r->out, span_of(w->last, w->last_n));
	else
		buf_add_str(&r->out, "null");
	buf_add_char(&r->out, '}');
	respond(r, 200, "application/json");
}

/* false: the page is full, and answered. */
static bool walk_take(struct req *r, struct walk *w, const struct thing *x)
{
	struct asked *a = &w->asked;
	a->after_n = take_key(a->after, x);
	if (!is_asked(r, a, x))
		return true;
	if (w->n == a->limit) {
		walk_end(r, w, true);
		return false;
	}
	if (w->n++)
		buf_add_char(&r->out, ',');
	write_thing(r, &r->out, x);
	w->last_n = take_key(w->last, x);
	return true;
}

/* Where an area is asked for, by the index of places. false: too many are near, or none was. */
static bool walk_near(struct req *r, struct walk *w)
{
	const struct asked *a = &w->asked;
	const struct thing *near[LIMIT_THINGS_NEAR];
	unsigned n;
	if (a->area.kind == SHAPE_EVERYWHERE ||
	    !things_near(r->web->things, &a->area, span_of(a->after, a->after_n), near, &n))
		return false;
	things_sort(near, n);
	for (unsigned i = 0; i < n; i++)
		if (!walk_take(r, w, near[i]))
			return true;
	walk_end(r, w, false);
	return true;
}

static void walk_on(struct req *r)
{
	struct walk *w = r->own;
	const struct things *t = r->web->things;
	unsigned i = things_after(t, span_of(w->asked.after, w->asked.after_n)), looked = 0;
	for (; i < things_count(t) && looked < LIMIT_THINGS_EXAMINED; i++, looked++)
		if (!walk_take(r, w, things_at(t, i)))
			return;
	if (i == things_count(t)) {
		walk_end(r, w, false);
		return;
	}
	r->again = walk_on;
	req_wait(r);
	lws_callback_on_writable(r->wsi);
}

void get_things(struct req *r)
{
	struct faults faults = {0};
	struct asked a;
	if (!only_query(r, "feed bbox radius state organisation registered limit after"))
		return;
	read_asked(r, &a, &faults);
	if (faults.n) {
		problem_faults(r, 400, &faults);
		return;
	}
	struct walk *w = xcalloc(1, sizeof(*w));
	w->asked = a;
	r->own = w;
	r->own_free = free;
	buf_add_str(&r->out, "{\"things\":[");
	if (!walk_near(r, w))
		walk_on(r);
}

/* ---- one ---- */

static struct span organisation_of(const struct req *r)
{
	struct span v;
	return query_get(&r->query, "organisation", &v) ? v : span_str(r->who.organisation);
}

/* NULL after a 404. */
static const struct thing *find(struct req *r)
{
	const struct thing *x = things_find(r->web->things, organisation_of(r), r->param[0]);
	if (x) {
		const struct known k = known_of(r, x);
		if (k.any || entry_is_seen(r, x, &k))
			return x;
	}
	problem(r, 404, "there is no thing \"%.*s\" of %.*s",
	        (int)MIN_OF(r->param[0].n, (size_t)80), r->param[0].p,
	        (int)MIN_OF(organisation_of(r).n, (size_t)64), organisation_of(r).p);
	return NULL;
}

void get_thing(struct req *r)
{
	const struct thing *x = only_query(r, "organisation") ? find(r) : NULL;
	if (!x)
		return;
	write_thing(r, &r->out, x);
	respond(r, 200, "application/json");
}

static void history_read(void *arg, const struct buf *json, int err)
{
	struct req *r = arg;
	if (!req_came(r, err))
		return;
	if (err) {
		problem(r, 503, "the register cannot be read: %s", err_text(err));
		return;
	}
	buf_add_str(&r->out, "{\"versions\":");
	buf_add_span(&r->out, span_of(json->p, json->len));
	buf_add_char(&r->out, '}');
	respond(r, 200, "application/json");
}

void get_thing_versions(struct req *r)
{
	const struct things *t = r->web->things;
	if (!only_query(r, "organisation"))
		return;
	const struct thing *x = things_find(t, organisation_of(r), r->param[0]);
	if (!x || !x->version) {
		problem(r, 404, "this thing never stood in the register");
		return;
	}
	req_wait(r);
	r->pending++;
	things_history(r->web->things, x->organisation, x->id, history_read, r);
}

/* ---- changing ---- */

static void problem_entry(struct req *r, const struct entry_faults *f)
{
	struct buf *b = &r->out;
	buf_clear(b);
	buf_addf(b, "{\"status\":400,\"title\":\"%s\",\"detail\":", status_title(400));
	json_write_string(b, SPAN("the entry has faults"));
	for (unsigned i = 0; i < f->n; i++) {
		buf_add_str(b, i ? ",{\"detail\":" : ",\"errors\":[{\"detail\":");
		json_write_string(b, span_str(f->one[i].detail));
		json_write_name(b, "pointer");
		json_write_string(b, span_str(f->one[i].pointer));
		buf_add_char(b, '}');
	}
	buf_add_str(b, "]}");
	respond(r, 400, "application/problem+json");
}

static void changed(void *arg, int err)
{
	struct req *r = arg;
	if (!req_came(r, err))
		return;
	const struct thing *x = things_find(r->web->things, organisation_of(r), r->param[0]);
	if (err) {
		problem(r, 507, "the register could not be written: %s", err_text(err));
	} else if (r->method == METHOD_DELETE) {
		respond(r, 204, NULL);
	} else if (!x) { /* erased by who came next */
		problem(r, 404, "this thing is gone again");
	} else {
		write_thing(r, &r->out, x);
		respond(r, x->version == 1 ? 201 : 200, "application/json");
	}
}

static void put(struct req *r, struct entry *e)
{
	int err =
	    things_put(r->web->things, organisation_of(r), r->param[0], e, r->who.name, changed, r);
	if (e)
		entry_done(e);
	if (err == ERR_NOT_FOUND)
		problem(r, 404, "this thing does not stand in the register");
	else if (err == ERR_AGAIN)
		problem(r, 503, "the store is busy: send it again");
	else if (err)
		problem(r, 507, "the register is full: it holds %d things", LIMIT_THINGS);
	else
		r->pending++;
}

static bool is_organisation(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
		      s.p[i] == '-' || s.p[i] == '.'))
			return false;
	return s.n >= 1 && s.n <= 64;
}

static void change(struct req *r,
                   int (*read)(struct req *r, struct entry *ret, struct entry_faults *faults))
{
	struct entry_faults faults = {0};
	struct faults query = {0};
	struct entry e;
	int dry = 0;
	if (!only_query(r, "organisation dryRun"))
		return;
	read_bool(&r->query, "dryRun", &dry, &query);
	if (!is_organisation(organisation_of(r)))
		fault(&query, SPAN("organisation"),
		      "organisation is 1 to 64 of a-z, 0-9, '-' and '.'");
	if (!entry_is_id(r->param[0]))
		fault(&query, SPAN("thing"),
		      "an id is 1 to %d bytes of text without '/', '+' and '#'",
		      LIMIT_THING_ID_BYTES);
	if (query.n) {
		problem_faults(r, 400, &query);
	} else if (read(r, &e, &faults)) {
		if (!r->answering)
			problem_entry(r, &faults);
	} else if (dry) {
		r->administers = false; /* nothing is */
		buf_add_span(&r->out, span_of(e.text, e.n));
		entry_done(&e);
		respond(r, 200, "application/json");
	} else {
		req_wait(r);
		put(r, &e);
	}
}

static int read_put(struct req *r, struct entry *ret, struct entry_faults *faults)
{
	return entry_read(span_of(r->body.p, r->body.len), ret, faults);
}

static int read_patch(struct req *r, struct entry *ret, struct entry_faults *faults)
{
	const struct thing *x = things_find(r->web->things, organisation_of(r), r->param[0]);
	if (!x || !x->registered) {
		problem(r, 404, "this thing does not stand in the register");
		return ERR_NOT_FOUND;
	}
	return entry_patch(span_of(x->entry.text, x->entry.n), span_of(r->body.p, r->body.len), ret,
	                   faults);
}

void put_thing(struct req *r)
{
	change(r, read_put);
}

void patch_thing(struct req *r)
{
	change(r, read_patch);
}

void delete_thing(struct req *r)
{
	if (!only_query(r, "organisation"))
		return;
	req_wait(r);
	put(r, NULL);
}
