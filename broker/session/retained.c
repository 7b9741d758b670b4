/* retained.c - what a new subscription finds retained (MQTT 5.0, 3.3.1.3). The index is in the
 * store (topic -> place in the log); a lookup walks it on the pool, a bounded piece at a time, and
 * the session takes what was found as fast as it reads. A retained message lives as long as its
 * feed keeps it. */
#include "base/mem.h"
#include "ingest/preload.h"
#include "session/private.h"

#include <stdlib.h>

enum { PIECE_ROWS = 256, PIECE_BYTES = 1 << 20, KEY_MAX = 512 };

struct spot {
	uint32_t feed;
	uint64_t sequence;
};

struct retained_job {
	struct job job;
	struct list node; /* session->retained; on itself when the session is gone */
	struct session *session;
	struct store *store;
	struct hit hit;
	uint64_t upto;
	char *filter;
	size_t filter_n, prefix_n;
	bool exact, running, last;
	char from[KEY_MAX];
	size_t from_n;
	struct spot *spot; /* PIECE_ROWS of them, once it runs: of all lookups one does */
	unsigned n_spot;
	struct buf found; /* u32 bytes, record; one after the other */
	size_t taken;
};

static int take_spot(void *arg, struct span key, struct span value)
{
	struct retained_job *j = arg;
	if (j->n_spot == PIECE_ROWS) {
		j->last = false;
		return 1;
	}
	assert(key.n + 1 < KEY_MAX);
	memcpy(j->from, key.p, key.n);
	j->from[key.n] = '\0'; /* the least key after this one */
	j->from_n = key.n + 1;
	if (value.n != 12)
		return 0;
	struct spot *p = &j->spot[j->n_spot];
	memcpy(&p->feed, value.p, 4);
	memcpy(&p->sequence, value.p + 4, 8);
	/* A key that was shortened is judged by its record's topic. */
	if (key.n < RETAINED_KEY_BYTES && !topic_matches(span_of(j->filter, j->filter_n), key))
		return 0;
	j->n_spot++;
	return 0;
}

struct fetch {
	struct retained_job *job;
	uint64_t sequence;
};

static int take_found(void *arg, uint64_t sequence, struct span record)
{
	struct fetch *f = arg;
	struct record r;
	uint32_t n = (uint32_t)record.n;
	if (sequence == f->sequence && record_read(record, true, &r) == 0 &&
	    r.commit <= f->job->upto &&
	    topic_matches(span_of(f->job->filter, f->job->filter_n), r.topic)) {
		buf_add(&f->job->found, &n, 4);
		buf_add_span(&f->job->found, record);
	}
	return 1;
}

static void work(struct job *job)
{
	struct retained_job *j = container_of(job, struct retained_job, job);
	j->n_spot = 0;
	j->last = true;
	buf_clear(&j->found);
	j->taken = 0;
	if (store_scan(j->store, STORE_RETAINED, span_of(j->from, j->from_n),
	               span_of(j->filter, j->prefix_n), PIECE_BYTES, take_spot, j))
		return;
	for (unsigned i = 0; i < j->n_spot && !j->found.err; i++) {
		struct fetch f = {j, j->spot[i].sequence};
		uint64_t next;
		if (store_read(j->store, j->spot[i].feed, f.sequence, SIZE_MAX, take_found, &f,
		               &next))
			continue;
	}
}

static void job_free(struct retained_job *j)
{
	list_remove(&j->node);
	if (j->session)
		j->session->n_lookups--;
	buf_done(&j->found);
	free(j->spot);
	free(j->filter);
	free(j);
}

static void done(struct job *job)
{
	struct retained_job *j = container_of(job, struct retained_job, job);
	j->running = false;
	if (!j->session)
		job_free(j);
	else
		deliver_pump(j->session);
}

static void run(struct retained_job *j)
{
	j->running = true;
	if (!j->spot)
		j->spot = xmalloc(PIECE_ROWS * sizeof(*j->spot));
	j->job = (struct job){.work = work, .done = done};
	struct hub *h = j->session->table->hub;
	/* The pool's runner is the hub's; a scan of a feed never waits behind the writer. */
	hub_pool(h, &j->job);
}

/* The literal front of a filter: what all topics it takes begin with. "a/#" also takes "a". */
static size_t literal_front(struct span filter)
{
	size_t n = 0;
	while (n < filter.n && filter.p[n] != '+' && filter.p[n] != '#')
		n++;
	if (n && n < filter.n && filter.p[n] == '#')
		n--;
	return MIN_OF(n, (size_t)(RETAINED_KEY_BYTES - 8));
}

void retained_start(struct session *s, const struct sub *sub, struct span filter, uint64_t upto)
{
	struct retained_job *j = xcalloc(1, sizeof(*j));
	list_init(&j->node);
	j->session = s;
	j->store = hub_store(s->table->hub);
	j->filter = xstrndup(filter.p, filter.n);
	j->filter_n = filter.n;
	j->upto = upto;
	j->prefix_n = literal_front(filter);
	j->hit = (struct hit){.session = s,
	                      .qos = sub->options.qos,
	                      .sequence = (sub->options.flags & SUB_SEQUENCE) != 0,
	                      .n_ids = sub->options.identifier ? 1 : 0,
	                      .ids = {sub->options.identifier}};
	memcpy(j->from, filter.p, j->prefix_n);
	j->from_n = j->prefix_n;
	buf_init(&j->found, 64u << 20);
	list_append(&s->retained, &j->node);
	s->n_lookups++;
	if (s->retained.next == &j->node)
		run(j);
}

static struct feed *feed_of(struct hub *h, struct span topic)
{
	struct span thing;
	return hub_route(h, topic, &thing);
}

/* False: the session is full for now. */
static bool take(struct retained_job *j)
{
	struct session *s = j->session;
	while (j->taken < j->found.len) {
		uint32_t n;
		struct record r;
		memcpy(&n, j->found.p + j->taken, 4);
		int err = record_read(span_of(j->found.p + j->taken + 4, n), false, &r);
		assert(!err);
		struct feed *f = feed_of(s->table->hub, r.topic);
		if (f && access_covers_record(&s->who, ACCESS_SUBSCRIBE, f, &r) == 0 &&
		    !deliver(s, &j->hit, &r, f, true))
			return false;
		j->taken += 4 + n;
	}
	return true;
}

bool retained_pump(struct session *s)
{
	while (!list_empty(&s->retained)) {
		struct retained_job *j = list_entry(s->retained.next, struct retained_job, node);
		if (j->running)
			return true; /* live messages need not wait for it */
		if (!take(j))
			return false;
		if (!j->last) {
			run(j);
			return true;
		}
		job_free(j);
		if (!list_empty(&s->retained))
			run(list_entry(s->retained.next, struct retained_job, node));
	}
	return true;
}

void retained_close(struct session *s)
{
	list_for_each_safe (it, &s->retained) {
		struct retained_job *j = list_entry(it, struct retained_job, node);
		list_remove(&j->node);
		j->session = NULL;
		if (!j->running)
			job_free(j);
	}
}
