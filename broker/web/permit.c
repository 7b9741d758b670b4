/* permit.c - see permit.h. */
#include "web/permit.h"

#include "base/mem.h"
#include "series/series.h"

#include <stdlib.h>

struct permit_feed {
	char name[65];
	char *things; /* access_things(); NULL: all */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct permit_feed *)a)->name, ((const struct permit_feed *)b)->name);
}

struct permit *permit_new(const struct identity *who, const struct hub *h)
{
	struct permit *p = xcalloc(1, sizeof(*p));
	p->users = 1;
	p->all = access_check(who, ACCESS_READ, NULL, (struct span){0}) == 0;
	if (p->all)
		return p;
	p->feeds = xcalloc(hub_feed_count(h) + 1, sizeof(*p->feeds));
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		const struct feed *f = hub_feed_at(h, i);
		if (f->ended || f->name.n >= sizeof(p->feeds->name) ||
		    access_check(who, ACCESS_READ, f, (struct span){0}))
			continue;
		struct permit_feed *one = &p->feeds[p->n++];
		memcpy(one->name, f->name.p, f->name.n);
		if (access_is_partial(who, ACCESS_READ, f))
			one->things = access_things(who, ACCESS_READ, f);
	}
	qsort(p->feeds, p->n, sizeof(*p->feeds), by_name);
	return p;
}

void permit_done(void *permit)
{
	struct permit *p = permit;
	if (!p || --p->users)
		return;
	for (unsigned i = 0; i < p->n; i++)
		free(p->feeds[i].things);
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

bool permit_may(void *permit, struct span feed, struct span organisation UNUSED, struct span thing)
{
	const struct permit *p = permit;
	struct permit_feed key = {.name = ""};
	if (p->all)
		return true;
	if (feed.n >= sizeof(key.name))
		return false;
	memcpy(key.name, feed.p, feed.n);
	const struct permit_feed *one =
	    p->n ? bsearch(&key, p->feeds, p->n, sizeof(*p->feeds), by_name) : NULL;
	return one && (!one->things || access_listed(one->things, thing));
}
