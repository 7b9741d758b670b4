/* preload.c - see preload.h. Runs before the loop: may read for a moment. */
#include "ingest/preload.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>

struct seen {
	struct duplicate_key key;
	uint32_t feed;
	uint64_t sequence, commit;
};

struct preload {
	struct duplicates *d;
	struct hub *hub;
	struct feed *of;
	struct seen *seen;
	unsigned n, stop_at;
	uint32_t feed;
	uint64_t lowest; /* sequence read last */
};

static int see(void *arg, uint64_t sequence, struct span record)
{
	struct preload *p = arg;
	struct record r;
	if (p->n == p->stop_at)
		return 1;
	int err = record_read(record, true, &r);
	if (err)
		return err;
	p->lowest = sequence;
	hub_version_seen(p->hub, p->of, &r);
	struct duplicate_key k = duplicates_key(p->d, p->feed, r.thing, r.phenomenon_ms, r.payload);
	p->seen[p->n++] =
	    (struct seen){k, p->feed, r.flags & RECORD_TIME_RECEIVED ? 0 : sequence, r.commit};
	return 0;
}

static int by_commit(const void *x, const void *y)
{
	const struct seen *a = x, *b = y;
	if (a->commit != b->commit)
		return a->commit < b->commit ? -1 : 1;
	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

int ingest_preload(struct hub *h, struct duplicates *d, unsigned max)
{
	unsigned n_feeds = hub_feed_count(h);
	if (!n_feeds)
		return 0;
	struct preload p = {.d = d, .hub = h, .seen = xcalloc(max, sizeof(*p.seen))};
	auto_free uint64_t *at = xcalloc(n_feeds, sizeof(*at));
	for (unsigned i = 0; i < n_feeds; i++)
		at[i] = hub_feed_at(h, i)->last;
	int err = 0;
	/* Every feed gets a share; what quiet feeds leave goes to the busy ones in the next pass.
	 */
	for (bool more = true; more && !err && p.n < max;) {
		unsigned share = MAX_OF((max - p.n) / n_feeds, 1u);
		more = false;
		for (unsigned i = 0; i < n_feeds && !err && p.n < max; i++) {
			struct feed *f = hub_feed_at(h, i);
			if (at[i] < f->first || at[i] == 0)
				continue;
			unsigned before = p.n;
			p.feed = f->id;
			p.of = f;
			p.stop_at = MIN_OF(p.n + share, max);
			err = store_read_back(hub_store(h), f->id, at[i], SIZE_MAX, see, &p);
			if (p.n > before) {
				at[i] = p.lowest - 1;
				more = true;
			}
		}
	}
	if (err > 0)
		err = 0;
	qsort(p.seen, p.n, sizeof(*p.seen), by_commit);
	for (unsigned i = 0; i < p.n; i++)
		if (p.seen[i].sequence)
			duplicates_add(d, p.seen[i].key, p.seen[i].feed, p.seen[i].sequence);
	free(p.seen);
	return err;
}

struct span retained_key(struct span topic, uint8_t out[RETAINED_KEY_BYTES])
{
	if (topic.n <= RETAINED_KEY_BYTES - 8)
		return topic;
	uint32_t a = crc32c(0, topic.p, topic.n), b = crc32c(0x5bd1e995u, topic.p, topic.n);
	memcpy(out, topic.p, RETAINED_KEY_BYTES - 8);
	memcpy(out + RETAINED_KEY_BYTES - 8, &a, 4);
	memcpy(out + RETAINED_KEY_BYTES - 4, &b, 4);
	return span_of((const char *)out, RETAINED_KEY_BYTES);
}
