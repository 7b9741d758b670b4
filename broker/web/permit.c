/* permit.c - see permit.h. */
#include "web/permit.h"

#include "access/audit.h"
#include "base/mem.h"
#include "series/series.h"
#include "web/private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct permit_feed {
	char name[65];
	bool personal;
	atomic_bool seen;           /* something of it was let through, on whatever thread */
	struct access_parts *parts; /* NULL: all */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct permit_feed *)a)->name, ((const struct permit_feed *)b)->name);
}

static void add(struct permit *p, enum access_right right, const struct identity *who,
                const struct feed *f)
{
	struct permit_feed *one = &p->feeds[p->n++];
	memcpy(one->name, f->name.p, f->name.n);
	one->personal = f->conf->personal_data;
	if (!p->all && access_is_partial(who, right, f))
		one->parts = access_parts(who, right, f);
	p->some = p->some || one->parts;
}

struct permit *permit_new(const struct req *r)
{
	char origin[64];
	req_origin(r, origin);
	return permit_to(ACCESS_READ, &r->who, r->web, origin);
}

struct permit *permit_to(enum access_right right, const struct identity *who, const struct web *w,
                         const char *origin)
{
	const struct hub *h = w->hub;
	struct permit *p = xcalloc(1, sizeof(*p));
	p->users = 1;
	p->series = w->series;
	p->all = access_check(who, right, NULL, (struct span){0}) == 0;
	p->audit = w->access ? access_audit(w->access) : NULL;
	p->name = who->name;
	memcpy(p->organisation, who->organisation, sizeof(p->organisation));
	snprintf(p->origin, sizeof(p->origin), "%s", origin);
	p->feeds = xcalloc(hub_feed_count(h) + 1, sizeof(*p->feeds));
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		const struct feed *f = hub_feed_at(h, i);
		if (!f->ended && f->name.n < sizeof(p->feeds->name) &&
		    (p->all ? f->conf->personal_data
		            : access_check(who, right, f, (struct span){0}) == 0))
			add(p, right, who, f);
	}
	qsort(p->feeds, p->n, sizeof(*p->feeds), by_name);
	return p;
}

void permit_done(void *permit)
{
	struct permit *p = permit;
	if (!p || --p->users)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		if (p->feeds[i].personal && atomic_load(&p->feeds[i].seen))
			audit_seldom(p->audit, "read", p->feeds[i].name, "done", p->origin, p->name,
			             span_str(p->organisation));
		access_parts_free(p->feeds[i].parts);
	}
	free(p->feeds);
	free(p);
}

void permit_put(struct permit *p, struct series_filter *f)
{
	p->users++;
	f->may = permit_may;
	f->may_arg = p;
	f->may_done = permit_done;
}

bool permit_may(void *permit, struct span feed, struct span organisation, struct span thing,
                const struct series_spot *spot)
{
	const struct permit *p = permit;
	struct permit_feed key = {.name = ""};
	if (!p->n || feed.n >= sizeof(key.name))
		return p->all;
	memcpy(key.name, feed.p, feed.n);
	struct permit_feed *one = bsearch(&key, p->feeds, p->n, sizeof(*p->feeds), by_name);
	const struct access_spot at = {
	    .organisation = organisation, .known = spot->known, .place = spot->place};
	if (!one || (one->parts && !access_parts_cover(one->parts, thing, &at)))
		return p->all;
	if (one->personal)
		atomic_store_explicit(&one->seen, true, memory_order_relaxed);
	return true;
}

bool permit_may_named(struct permit *p, struct span feed, struct span organisation,
                      struct span thing)
{
	struct series_spot spot = {.known = false};
	if (p->some)
		spot = series_find_place(p->series, feed, organisation, thing);
	return permit_may(p, feed, organisation, thing, &spot);
}
