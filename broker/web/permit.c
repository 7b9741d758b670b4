/* permit.c - see permit.h. */
#include "web/permit.h"

#include "base/mem.h"
#include "series/series.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

struct permit *permit_new(const struct identity *who, const struct hub *h)
{
	struct permit *p = xcalloc(1, sizeof(*p));
	p->users = 1;
	p->all = access_check(who, ACCESS_READ, NULL, (struct span){0}) == 0;
	if (p->all)
		return p;
	p->names = xcalloc(hub_feed_count(h) + 1, sizeof(*p->names));
	for (unsigned i = 0; i < hub_feed_count(h); i++) {
		const struct feed *f = hub_feed_at(h, i);
		if (f->ended || f->name.n >= sizeof(*p->names) ||
		    access_check(who, ACCESS_READ, f, (struct span){0}))
			continue;
		memcpy(p->names[p->n++], f->name.p, f->name.n);
	}
	qsort(p->names, p->n, sizeof(*p->names), by_name);
	return p;
}

void permit_done(void *permit)
{
	struct permit *p = permit;
	if (!p || --p->users)
		return;
	free(p->names);
	free(p);
}

void permit_put(struct permit *p, struct series_filter *f)
{
	p->users++;
	f->may = permit_may;
	f->may_arg = p;
	f->may_done = permit_done;
}

bool permit_may(void *permit, struct span feed, struct span organisation UNUSED,
                struct span thing UNUSED)
{
	const struct permit *p = permit;
	char name[65] = "";
	if (p->all)
		return true;
	if (feed.n >= sizeof(name))
		return false;
	memcpy(name, feed.p, feed.n);
	return p->n && bsearch(name, p->names, p->n, sizeof(*p->names), by_name);
}
