/* book.c - organisations, identities and grants over HTTP. What the rows say is access/'s; here is
 * who may ask, and the forms of the answers. A change is answered when it is committed. */
#include "access/book.h"
#include "base/err.h"
#include "web/private.h"
#include "json/json.h"
#include "json/write.h"

#include <stdio.h>

enum { WHY_BYTES = 16 << 10 };

/* ---- changes ---- */

/* Lines of why as problem details: each line is an error of its own. */
static void answer_why(struct req *r, int err, struct buf *why)
{
	struct faults faults = {0};
	int status = err == ERR_INVALID     ? 400
	             : err == ERR_NOT_FOUND ? 404
	             : err == ERR_CONFLICT  ? 409
	             : err == ERR_TOO_LARGE ? 409
	                                    : 503;
	for (const char *at = buf_str(why); *at && faults.n < FAULTS_MAX;) {
		size_t n = strcspn(at, "\n"), name = strcspn(at, ":\n");
		bool named = status == 400 && at[name] == ':' && !memchr(at, ' ', name);
		fault(&faults, named ? span_of(at, name) : SPAN(""), "%.*s",
		      (int)(n - (named ? name + 2 : 0)), named ? at + name + 2 : at);
		at += n + (at[n] == '\n');
	}
	if (faults.n)
		problem_faults(r, status, &faults);
	else
		problem(r, status, "%s", err_text(err));
}

static void changed(void *arg, int err, const char *id, const char *key)
{
	struct req *r = arg;
	if (!req_came(r, err))
		return;
	if (err) {
		problem(r, 507, "%s", err_text(err));
		return;
	}
	struct access *a = r->web->access;
	struct organisation *o = NULL;
	struct principal *p = NULL;
	uint64_t n = 0;
	if (strncmp(r->path, "/v1/o", 5) == 0 && (o = access_organisation(a, span_str(id))))
		organisation_write(&r->out, o);
	else if (strncmp(r->path, "/v1/i", 5) == 0 && (p = access_principal(a, span_str(id))))
		identity_write(&r->out, p);
	else if (span_to_u64(span_str(id), &n) == 0 && access_grant(a, n))
		grant_write(&r->out, access_grant(a, n), clock_wall_ms(hub_clock(r->web->hub)));
	if (key && r->out.len) { /* before the closing brace */
		r->out.len--;
		json_write_name(&r->out, "key");
		json_write_string(&r->out, span_str(key));
		buf_add_char(&r->out, '}');
	}
	respond(r, r->method == METHOD_POST ? 201 : 200, "application/json");
}

static struct access_done when_done(struct req *r)
{
	r->pending++;
	req_wait(r);
	req_origin(r, r->origin);
	return (struct access_done){changed, r, &r->who, r->origin};
}

static void begun(struct req *r, int err, struct buf *why)
{
	if (err) {
		r->pending--;
		answer_why(r, err, why);
	}
	buf_done(why);
}

static struct span body_of(const struct req *r)
{
	return span_of(r->body.p, r->body.len);
}

/* ---- organisations and identities: the administrator's ---- */

void get_organisations(struct req *r)
{
	size_t at = 0;
	const struct organisation *o;
	if (!only_query(r, ""))
		return;
	buf_add_str(&r->out, "{\"organisations\":[");
	for (unsigned n = 0; (o = access_next_organisation(r->web->access, &at)); n++) {
		if (n)
			buf_add_char(&r->out, ',');
		organisation_write(&r->out, o);
	}
	buf_add_str(&r->out, "]}");
	respond(r, 200, "application/json");
}

void post_organisations(struct req *r)
{
	struct buf why;
	if (!only_query(r, ""))
		return;
	buf_init(&why, WHY_BYTES);
	begun(r, organisation_add(r->web->access, body_of(r), when_done(r), &why), &why);
}

void patch_organisation(struct req *r)
{
	struct buf why;
	if (!only_query(r, ""))
		return;
	buf_init(&why, WHY_BYTES);
	begun(r, organisation_change(r->web->access, r->param[0], body_of(r), when_done(r), &why),
	      &why);
}

void get_identities(struct req *r)
{
	size_t at = 0;
	const struct principal *p;
	struct span organisation = {0};
	bool first = true;
	if (!only_query(r, "organisation"))
		return;
	bool one = query_get(&r->query, "organisation", &organisation);
	buf_add_str(&r->out, "{\"identities\":[");
	while ((p = access_next_principal(r->web->access, &at))) {
		if (one && !span_is(organisation, p->organisation->name))
			continue;
		if (!first)
			buf_add_char(&r->out, ',');
		first = false;
		identity_write(&r->out, p);
	}
	buf_add_str(&r->out, "]}");
	respond(r, 200, "application/json");
}

void post_identities(struct req *r)
{
	struct buf why;
	if (!only_query(r, ""))
		return;
	buf_init(&why, WHY_BYTES);
	begun(r, identity_add(r->web->access, body_of(r), when_done(r), &why), &why);
}

void patch_identity(struct req *r)
{
	struct buf why;
	if (!only_query(r, ""))
		return;
	buf_init(&why, WHY_BYTES);
	begun(r, identity_change(r->web->access, r->param[0], body_of(r), when_done(r), &why),
	      &why);
}

/* ---- grants: also of who administers a feed ---- */

/* A feed's administrator gives and takes rights to that one feed, but not the right to do so. */
static bool administers(const struct req *r, struct span feed)
{
	if (r->who.administrator)
		return true;
	const struct feed *f = hub_feed(r->web->hub, feed); /* a pattern is no feed's name */
	return f && access_check(&r->who, ACCESS_ADMIN, f, (struct span){0}) == 0;
}

bool grant_may_change(const struct req *r, const struct grant *g)
{
	return r->who.administrator ||
	       (!(g->rights & 1 << ACCESS_ADMIN) && administers(r, span_str(g->feed)));
}

bool grant_is_seen(const struct req *r, const struct grant *g)
{
	const struct principal *p = r->who.principal;
	if (p && (g->identity ? g->identity == p : g->organisation == p->organisation))
		return true;
	return administers(r, span_str(g->feed));
}

static bool is_asked_for(const struct req *r, const struct grant *g)
{
	struct span v;
	if (query_get(&r->query, "organisation", &v) && !span_is(v, g->organisation->name))
		return false;
	if (query_get(&r->query, "identity", &v) && !(g->identity && span_is(v, g->identity->name)))
		return false;
	return !query_get(&r->query, "feed", &v) || pattern_fits(g->feed, v);
}

void get_grants(struct req *r)
{
	size_t at = 0;
	const struct grant *g;
	int64_t now_ms = clock_wall_ms(hub_clock(r->web->hub));
	bool first = true;
	if (!only_query(r, "organisation identity feed"))
		return;
	buf_add_str(&r->out, "{\"grants\":[");
	while ((g = access_next_grant(r->web->access, &at))) {
		if (!grant_is_seen(r, g) || !is_asked_for(r, g))
			continue;
		if (!first)
			buf_add_char(&r->out, ',');
		first = false;
		grant_write(&r->out, g, now_ms);
	}
	buf_add_str(&r->out, "]}");
	respond(r, 200, "application/json");
}

/* The grant of param 0, or NULL after a 404: also when it may not be seen. */
static struct grant *param_grant(struct req *r)
{
	uint64_t id;
	struct grant *g =
	    span_to_u64(r->param[0], &id) == 0 ? access_grant(r->web->access, id) : NULL;
	if (g && grant_is_seen(r, g))
		return g;
	problem(r, 404, "there is no such grant");
	return NULL;
}

void get_grant(struct req *r)
{
	const struct grant *g = param_grant(r);
	if (!g || !only_query(r, ""))
		return;
	grant_write(&r->out, g, clock_wall_ms(hub_clock(r->web->hub)));
	respond(r, 200, "application/json");
}

static void refuse_change(struct req *r)
{
	problem(r, 403,
	        "grants are given by the administrator, and by who has the right admin on "
	        "the feed, without the right admin");
}

/* What a body says about feed and rights, as far as it can be read: the rest is access/'s. */
static bool body_is_allowed(struct req *r)
{
	struct json_tape t;
	size_t at;
	const char *why;
	char feed[256];
	bool good = false;
	if (r->who.administrator)
		return true;
	json_tape_init(&t, 512);
	if (json_parse(&t, body_of(r), &at, &why) == 0 && t.tok[0].type == JSON_OBJECT) {
		uint32_t f = json_member(&t, 0, SPAN("feed")),
		         w = json_member(&t, 0, SPAN("rights"));
		good = true;
		if (f) {
			good = t.tok[f].type == JSON_STRING && t.tok[f].len < sizeof(feed);
			size_t n = good ? json_unescape(json_text(&t, f), feed) : 0;
			good = good && administers(r, span_of(feed, n));
		} else {
			good = r->method == METHOD_PATCH;
		}
		good = good && (!w || t.tok[w].type == JSON_ARRAY);
		for (uint32_t e = w + 1, n = 0; good && w && n < t.tok[w].size;
		     n++, e = t.tok[e].next)
			good = good && !json_string_is(&t, e, SPAN("admin"));
	}
	json_tape_done(&t);
	return good;
}

void post_grants(struct req *r)
{
	struct buf why;
	if (!only_query(r, ""))
		return;
	if (!body_is_allowed(r)) {
		refuse_change(r);
		return;
	}
	buf_init(&why, WHY_BYTES);
	begun(r, grant_add(r->web->access, body_of(r), when_done(r), &why), &why);
}

static void change(struct req *r, struct span body)
{
	struct buf why;
	const struct grant *g = param_grant(r);
	if (!g || !only_query(r, ""))
		return;
	if (!grant_may_change(r, g) || (r->method == METHOD_PATCH && !body_is_allowed(r))) {
		refuse_change(r);
		return;
	}
	buf_init(&why, WHY_BYTES);
	begun(r, grant_change(r->web->access, g->id, body, when_done(r), &why), &why);
}

void patch_grant(struct req *r)
{
	change(r, body_of(r));
}

void delete_grant(struct req *r)
{
	change(r, SPAN("{\"state\":\"revoked\"}"));
}
