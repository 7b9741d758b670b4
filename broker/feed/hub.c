/* hub.c - the hub's life and what the configuration makes of it. Batches are batch.c's, readers
 * cursor.c's. */
#include "feed/hub.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/hub_private.h"
#include "feed/published.h"
#include "privacy/privacy.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	FEEDS_KEPT = 2 * LIMIT_FEEDS
}; /* feeds that ended stay, so that records in flight find them */

static int count_row(void *arg, struct span key, struct span value UNUSED)
{
	struct hub *h = arg;
	const uint8_t *k = (const uint8_t *)key.p;
	if (key.n != 12)
		return 0;
	uint32_t id = (uint32_t)k[0] << 24 | (uint32_t)k[1] << 16 | (uint32_t)k[2] << 8 | k[3];
	h->stats.unrouted_rows += id == 0;
	for (unsigned i = 0; i < h->n_feeds; i++)
		if (h->feeds[i]->id == id)
			h->feeds[i]->count.quarantine_rows++;
	return 0;
}

static int read_counters(struct hub *h)
{
	struct buf b;
	buf_init(&b, 64);
	h->quarantine_next = 1;
	int err = store_get(h->store, STORE_STATE, SPAN("quarantine-next"), &b);
	if (!err && b.len == 8)
		for (int i = 0; i < 8; i++)
			h->quarantine_next = (i ? h->quarantine_next << 8 : 0) | (uint8_t)b.p[i];
	buf_done(&b);
	return err == ERR_NOT_FOUND ? 0 : err;
}

int hub_open(const struct hub_options *o, struct hub **ret)
{
	struct hub *h = xcalloc(1, sizeof(*h));
	h->store = o->store;
	h->clock = o->clock;
	h->runner = o->runner;
	h->feeds = xcalloc(FEEDS_KEPT, sizeof(struct feed *));
	map_init(&h->by_name);
	map_init(&h->published);
	list_init(&h->slabs);
	list_init(&h->free_slabs);
	list_init(&h->touched);
	list_init(&h->blocks);
	list_init(&h->block_waiters);
	h->versions = versions_new();
	h->filling = batch_new(h);
	h->filling->number = h->batch_number = 1;
	h->last_commit = store_last_commit(h->store);
	int err = read_counters(h);
	if (err) {
		hub_close(h);
		return err;
	}
	*ret = h;
	return 0;
}

void hub_close(struct hub *h)
{
	if (!h)
		return;
	batch_free(h->committing); /* only when the store stayed full to the end */
	block_free_all(h);
	ring_free(h);
	batch_free(h->filling);
	for (unsigned i = 0; i < ARRAY_LEN(h->spare); i++)
		batch_free(h->spare[i]);
	for (unsigned i = 0; i < h->n_feeds; i++) {
		free(h->feeds[i]->ring);
		free((char *)h->feeds[i]->name.p);
		privacy_free(h->feeds[i]->privacy);
		free(h->feeds[i]);
	}
	free(h->feeds);
	map_done(&h->by_name);
	published_done(h);
	route_free(h->routes);
	versions_free(h->versions);
	free(h);
}

/* ---- opening a feed's log: on the writer, for only it opens databases ---- */

struct open_job {
	struct job job;
	struct store *store;
	struct span name;
	int64_t now_ms;
	struct store_feed feed;
	int64_t last_stored_ms;
	int err;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	bool is_ready;
};

static int take_stored(void *arg, uint64_t sequence UNUSED, struct span record)
{
	struct record r;
	if (record_read(record, true, &r) == 0)
		*(int64_t *)arg = r.stored_ms;
	return 1;
}

static void open_work(struct job *j)
{
	struct open_job *o = container_of(j, struct open_job, job);
	int err = store_feed_open(o->store, o->name, o->now_ms, &o->feed);
	if (!err && o->feed.first <= o->feed.last)
		err = store_read_back(o->store, o->feed.id, o->feed.last, SIZE_MAX, take_stored,
		                      &o->last_stored_ms);
	pthread_mutex_lock(&o->lock);
	o->err = err;
	o->is_ready = true;
	pthread_cond_signal(&o->ready);
	pthread_mutex_unlock(&o->lock);
}

static void open_done(struct job *j)
{
	free(container_of(j, struct open_job, job));
}

/* The loop waits here: a reload that adds feeds may take a commit's time. The job frees itself. */
static int open_log(struct hub *h, struct span name, struct feed *f)
{
	struct open_job *o = xcalloc(1, sizeof(*o));
	o->job = (struct job){.work = open_work, .done = open_done};
	o->store = h->store;
	o->name = name;
	o->now_ms = clock_wall_ms(h->clock);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->ready, NULL);
	bool inline_ = !h->runner.writer;
	if (inline_)
		open_work(&o->job);
	else
		h->runner.writer(h->runner.arg, &o->job);
	pthread_mutex_lock(&o->lock);
	while (!o->is_ready)
		pthread_cond_wait(&o->ready, &o->lock);
	int err = o->err;
	struct store_feed s = o->feed;
	int64_t stored = o->last_stored_ms;
	pthread_mutex_unlock(&o->lock);
	if (inline_)
		free(o);
	if (err)
		return err;
	f->id = s.id;
	f->first = s.first;
	f->last = s.last;
	f->next = s.last + 1;
	f->ring_first = s.last + 1;
	f->n_epochs = s.n_epochs;
	memcpy(f->epochs, s.epochs, sizeof(f->epochs));
	assert(s.n_epochs > 0);
	f->epoch = s.epochs[s.n_epochs - 1].epoch;
	f->last_stored_ms = stored;
	f->held_after = UINT64_MAX;
	h->last_stored_ms = MAX_OF(h->last_stored_ms, stored);
	return 0;
}

static struct feed *feed_new(struct hub *h, struct span name, int *ret_err)
{
	struct feed *f = xcalloc(1, sizeof(*f));
	f->index = h->n_feeds;
	list_init(&f->waiting);
	list_init(&f->in_batch);
	f->name = span_of(xstrndup(name.p, name.n), name.n);
	*ret_err = h->n_feeds == FEEDS_KEPT ? ERR_TOO_LARGE : open_log(h, f->name, f);
	if (*ret_err) {
		free((char *)f->name.p);
		free(f);
		return NULL;
	}
	h->feeds[h->n_feeds++] = f;
	map_set(&h->by_name, f->name, f);
	return f;
}

/* ---- configuration ---- */

static void check_schemas(const struct config_feed *cf, const struct catalog *schemas,
                          struct buf *why)
{
	unsigned n = 0;
	for (char **s = cf->schemas; *s; s++, n++) {
		struct span id = config_schema(*s, NULL);
		if (!span_is(id, "any") && !catalog_find(schemas, id))
			buf_addf(why,
			         "feed \"%s\": schema %.*s is in none of the schema-dirs; add it "
			         "there or name one that is\n",
			         cf->name, (int)id.n, id.p);
	}
	if (n > FEED_SCHEMAS_MAX)
		buf_addf(why, "feed \"%s\": at most %d schemas\n", cf->name, FEED_SCHEMAS_MAX);
}

/* NULL when there are no steps, or after an error in why. */
static struct privacy *compile_steps(const struct config_feed *cf, struct buf *why)
{
	struct privacy *p = NULL;
	char text[1024];
	if (privacy_compile(cf->privacy, &p, text, sizeof(text))) {
		buf_addf(why, "feed \"%s\": privacy: %s\n", cf->name, text);
		return NULL;
	}
	return p;
}

static void check_privacy(const struct config_feed *cf, const struct catalog *schemas,
                          struct buf *why)
{
	struct privacy *p = compile_steps(cf, why);
	char prefix[128];
	if (!p)
		return;
	bool has_thing = false;
	for (char **s = cf->topics; *s; s++)
		has_thing |= strstr(*s, "{thing}") != NULL;
	if (privacy_renames_thing(p) && !has_thing)
		buf_addf(why, "feed \"%s\": privacy: no topic of it has a level {thing}\n",
		         cf->name);
	snprintf(prefix, sizeof(prefix), "feed \"%s\": ", cf->name);
	for (char **s = cf->schemas; *s; s++) {
		const struct schema *sc = catalog_find(schemas, config_schema(*s, NULL));
		if (sc)
			privacy_check_schema(p, sc, prefix, why);
	}
	privacy_free(p);
}

/* number: config position while checking, feed index in force. */
static void add_routes(struct route_table *t, const struct config *c, unsigned at, uint32_t number,
                       struct buf *why)
{
	const struct config_feed *cf = &c->feeds[at];
	for (char **s = cf->topics; *s; s++) {
		uint32_t other = 0;
		char text[256] = "";
		int err = route_add(t, span_str(*s), number, &other, text, sizeof(text));
		if (err && why)
			buf_addf(why, "feed \"%s\": topic \"%s\": %s\n", cf->name, *s, text);
		assert(!err || why);
	}
}

static void take_schemas(struct hub *h, struct feed *f, const struct catalog *schemas)
{
	f->any_schema = false;
	f->n_schemas = 0;
	for (unsigned i = 0; i < FEED_VERSIONS_MAX; i++)
		f->versions[i].taken = false;
	for (char **s = f->conf->schemas; *s; s++) {
		int64_t until;
		struct span id = config_schema(*s, &until);
		if (span_is(id, "any")) {
			f->any_schema = true;
			continue;
		}
		unsigned slot = versions_slot(h->versions, f, id);
		f->versions[slot].taken = true;
		f->versions[slot].until_ms = until;
		f->slot[f->n_schemas] = (uint8_t)slot;
		f->schemas[f->n_schemas++] = catalog_find(schemas, id);
	}
}

static void take_feed(struct hub *h, struct feed *f, const struct config_feed *cf,
                      const struct catalog *schemas)
{
	f->conf = cf;
	f->ended = false;
	take_schemas(h, f, schemas);
}

static void end_feed(struct feed *f)
{
	f->ended = true;
	cursor_wake_all(&f->waiting);
}

/* The configuration of a feed that ended goes away with the reload: keep a copy of what is still
 * read. */
static const struct config_feed ended_conf = {.priority = CONFIG_NORMAL};

int hub_check_config(const struct config *c, const struct catalog *schemas, struct buf *why)
{
	size_t before = why->len;
	struct route_table *t = route_new();
	for (unsigned i = 0; i < c->n_feeds; i++) {
		check_schemas(&c->feeds[i], schemas, why);
		check_privacy(&c->feeds[i], schemas, why);
		add_routes(t, c, i, i, why);
	}
	route_free(t);
	return why->len == before ? 0 : ERR_CONFIG;
}

/* All or none: a feed must not run without its steps. */
static int compile_all(const struct config *c, struct privacy **steps, struct buf *why)
{
	size_t before = why->len;
	for (size_t i = 0; i < c->n_feeds; i++)
		steps[i] = compile_steps(&c->feeds[i], why);
	for (size_t i = 0; why->len != before && i < c->n_feeds; i++)
		privacy_free(steps[i]);
	return why->len == before ? 0 : ERR_CONFIG;
}

int hub_configure(struct hub *h, const struct config *c, const struct catalog *schemas,
                  struct buf *why)
{
	if (hub_check_config(c, schemas, why))
		return ERR_CONFIG;
	int guard = published_check(h, c, schemas, why);
	if (guard)
		return guard;
	for (unsigned i = 0; i < c->n_feeds; i++) {
		struct span name = span_str(c->feeds[i].name);
		int err = 0;
		if (!map_get(&h->by_name, name) && !feed_new(h, name, &err)) {
			buf_addf(why, "feed \"%s\": cannot open its log: %s\n", c->feeds[i].name,
			         err_text(err));
			return err;
		}
	}
	struct privacy **steps = xcalloc(c->n_feeds + 1, sizeof(*steps));
	if (compile_all(c, steps, why)) {
		free(steps);
		return ERR_CONFIG;
	}
	struct route_table *t = route_new();
	for (unsigned i = 0; i < c->n_feeds; i++) {
		struct feed *f = map_get(&h->by_name, span_str(c->feeds[i].name));
		privacy_free(f->privacy);
		f->privacy = steps[i];
		take_feed(h, f, &c->feeds[i], schemas);
		add_routes(t, c, i, f->index, NULL);
	}
	free(steps);
	route_free(h->routes);
	h->routes = t;
	bool first_time = !h->config;
	h->config = c;
	h->catalog = schemas;
	for (unsigned i = 0; i < h->n_feeds; i++) {
		struct feed *f = h->feeds[i];
		if (!config_feed_find(c, f->name)) {
			f->conf = &ended_conf;
			f->n_schemas = 0;
			end_feed(f);
		}
	}
	guard = published_keep(h, c, schemas);
	if (guard)
		log_warn("It could not be kept which schemas are in use: %s", err_text(guard));
	if (first_time)
		return store_scan(h->store, STORE_QUARANTINE, SPAN(""), SPAN(""), SIZE_MAX,
		                  count_row, h);
	return 0;
}

/* ---- questions ---- */

void hub_runner_set(struct hub *h, struct hub_runner runner)
{
	h->runner = runner;
}

const struct config *hub_config(const struct hub *h)
{
	return h->config;
}
const struct catalog *hub_catalog(const struct hub *h)
{
	return h->catalog;
}
struct store *hub_store(const struct hub *h)
{
	return h->store;
}
const struct clock *hub_clock(const struct hub *h)
{
	return h->clock;
}
unsigned hub_feed_count(const struct hub *h)
{
	return h->n_feeds;
}
uint64_t hub_last_commit(const struct hub *h)
{
	return h->last_commit;
}
void hub_set_hooks(struct hub *h, const struct hub_hooks *hooks)
{
	h->hooks = *hooks;
}

const struct hub_stats *hub_stats(const struct hub *h)
{
	((struct hub *)h)->stats.ring_bytes = h->slab_bytes;
	return &h->stats;
}

struct feed *hub_feed_at(const struct hub *h, unsigned index)
{
	assert(index < h->n_feeds);
	return h->feeds[index];
}

struct feed *hub_feed(const struct hub *h, struct span name)
{
	struct feed *f = map_get(&h->by_name, name);
	return f && !f->ended ? f : NULL;
}

struct feed *hub_route(const struct hub *h, struct span topic, struct span *ret_thing)
{
	uint32_t index;
	*ret_thing = (struct span){0};
	if (route_find(h->routes, topic, &index, ret_thing))
		return NULL;
	return h->feeds[index];
}

void hub_version_seen(struct hub *h, struct feed *f, const struct record *r)
{
	versions_seen_before(h->versions, f, r);
}

bool hub_version_ended(const struct feed *f, unsigned i, int64_t ms)
{
	assert(i < f->n_schemas);
	int64_t until = f->versions[f->slot[i]].until_ms;
	return until && ms >= until;
}

void hub_writer(struct hub *h, struct job *j)
{
	h->runner.writer(h->runner.arg, j);
}

int64_t hub_last_stored_ms(const struct hub *h)
{
	return h->last_stored_ms;
}

void hub_pool(struct hub *h, struct job *j)
{
	h->runner.pool(h->runner.arg, j);
}
