/* status.c - gathers numbers and keeps the sizes on disk fresh from the pool. Rendering is
 * render.c's. */
#include "status/status.h"

#include "base/err.h"
#include "base/mem.h"
#include "status/private.h"

#include <stdlib.h>

enum { REFRESH_S = 2 };

struct refresh {
	struct job job;
	struct status *status; /* NULL: freed meanwhile */
	struct store *store;
	unsigned n;
	uint32_t *ids;
	uint64_t *appended; /* bytes since the start, when the refresh was asked for */
	struct feed_size *sizes;
	struct store_usage usage;
	int err;
};

static void refresh_work(struct job *j)
{
	struct refresh *r = container_of(j, struct refresh, job);
	r->err = store_usage(r->store, &r->usage);
	for (unsigned i = 0; !r->err && i < r->n; i++)
		r->err =
		    store_feed_bytes(r->store, r->ids[i], &r->sizes[i].records, &r->sizes[i].bytes);
}

static void refresh_done(struct job *j)
{
	struct refresh *r = container_of(j, struct refresh, job);
	struct status *s = r->status;
	if (s) {
		s->refresh = NULL;
		if (!r->err) {
			s->usage = r->usage;
			for (unsigned i = 0; i < r->n; i++)
				r->sizes[i].appended_before = r->appended[i];
			free(s->sizes);
			s->sizes = r->sizes;
			s->n_sizes = r->n;
			r->sizes = NULL;
		}
	}
	free(r->ids);
	free(r->appended);
	free(r->sizes);
	free(r);
}

static void refresh(struct status *s)
{
	if (s->refresh)
		return;
	struct refresh *r = xcalloc(1, sizeof(*r));
	r->job = (struct job){.work = refresh_work, .done = refresh_done};
	r->status = s;
	r->store = hub_store(s->o.hub);
	r->n = hub_feed_count(s->o.hub);
	r->ids = xcalloc(r->n, sizeof(*r->ids));
	r->sizes = xcalloc(r->n, sizeof(*r->sizes));
	r->appended = xcalloc(r->n, sizeof(*r->appended));
	for (unsigned i = 0; i < r->n; i++)
		r->ids[i] = hub_feed_at(s->o.hub, i)->id,
		r->appended[i] = hub_feed_at(s->o.hub, i)->count.bytes;
	s->refresh = r;
	s->o.runner.pool(s->o.runner.arg, &r->job);
}

int status_new(const struct status_options *o, struct status **ret)
{
	struct status *s = xcalloc(1, sizeof(*s));
	s->o = *o;
	s->started_ns = clock_mono_ns(hub_clock(o->hub));
	int err = store_usage(hub_store(o->hub), &s->usage);
	if (err) {
		free(s);
		return err;
	}
	refresh(s);
	*ret = s;
	return 0;
}

void status_free(struct status *s)
{
	if (!s)
		return;
	if (s->refresh)
		s->refresh->status = NULL;
	free(s->sizes);
	free(s);
}

uint64_t status_stored(const struct status *s)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < hub_feed_count(s->o.hub); i++) {
		const struct feed *f = hub_feed_at(s->o.hub, i);
		n += !f->ended && f->conf->builtin ? 0 : f->count.stored;
	}
	return n;
}

void status_tick(struct status *s)
{
	uint64_t stored = status_stored(s);
	s->stored_per_second = (double)(stored - s->stored_before);
	s->stored_before = stored;
	if (s->ticks++ % REFRESH_S == 0)
		refresh(s);
}

bool status_ready(struct status *s, const char **ret_why)
{
	if (!hub_full(s->o.hub))
		return true;
	*ret_why =
	    "the store is full: make room with 'oudp feed trim', or a larger disk or journal-size";
	return false;
}
