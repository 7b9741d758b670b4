/* block.c - pieces of a log read from disk on the pool, shared by all cursors that stand in them.
 * At most LIMIT_BLOCKS; the least recently used goes first, so a slow reader pins nothing. */
#include "base/err.h"
#include "base/mem.h"
#include "feed/hub_private.h"

#include <stdlib.h>

struct block {
	struct list node;
	struct hub *hub;
	const struct feed *feed;
	uint32_t feed_id;
	uint64_t from, next; /* holds sequences from..next-1, as far as they exist */
	bool loading, forgotten;
	int err;
	struct buf data;
	struct block_entry {
		uint64_t sequence;
		uint32_t at, n;
	} * entry;
	unsigned n, cap;
	uint64_t used_ns;
	struct list waiters;
	struct job job;
};

static int take_record(void *arg, uint64_t sequence, struct span record)
{
	struct block *b = arg;
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 256;
		b->entry = xrealloc(b->entry, b->cap * sizeof(*b->entry));
	}
	struct block_entry e = {sequence, (uint32_t)b->data.len, (uint32_t)record.n};
	buf_add_span(&b->data, record);
	if (b->data.err)
		return b->data.err;
	b->entry[b->n++] = e;
	return 0;
}

static void load(struct job *j)
{
	struct block *b = container_of(j, struct block, job);
	uint64_t next = b->from;
	b->err =
	    store_read(b->hub->store, b->feed_id, b->from, LIMIT_SCAN_BYTES, take_record, b, &next);
	if (!b->err && b->data.err)
		b->err = b->data.err;
	b->next = MAX_OF(next, b->from + 1);
}

static void block_free(struct block *b)
{
	list_remove(&b->node);
	b->hub->n_blocks--;
	buf_done(&b->data);
	free(b->entry);
	free(b);
}

static void loaded(struct job *j)
{
	struct block *b = container_of(j, struct block, job);
	struct hub *h = b->hub;
	b->loading = false;
	b->used_ns = h->second_ns;
	h->stats.disk_reads++;
	if (b->forgotten) { /* a trim went over it: let the cursors ask again */
		struct list again;
		list_init(&again);
		list_splice(&again, &b->waiters);
		block_free(b);
		cursor_wake_all(&again);
	} else {
		cursor_wake_all(&b->waiters);
	}
	cursor_wake_all(&h->block_waiters);
}

static struct block *find(struct hub *h, const struct feed *f, uint64_t seq)
{
	for (struct list *it = h->blocks.prev; it != &h->blocks; it = it->prev) { /* newest first */
		struct block *b = list_entry(it, struct block, node);
		if (b->feed == f && !b->forgotten && b->from <= seq &&
		    (b->loading ? b->from == seq : seq < b->next))
			return b;
	}
	return NULL;
}

static struct block *make(struct hub *h, const struct feed *f, uint64_t seq)
{
	if (h->n_blocks >= LIMIT_BLOCKS) {
		struct block *old = NULL;
		list_for_each (it, &h->blocks) {
			struct block *b = list_entry(it, struct block, node);
			if (!b->loading) {
				old = b;
				break;
			}
		}
		if (!old)
			return NULL;
		block_free(old);
	}
	struct block *b = xcalloc(1, sizeof(*b));
	b->hub = h;
	b->feed = f;
	b->feed_id = f->id;
	b->from = b->next = seq;
	b->loading = true;
	buf_init(&b->data, 2u * LIMIT_SCAN_BYTES + 2u * LIMIT_PACKET_BYTES_MAX);
	list_init(&b->node);
	list_init(&b->waiters);
	list_append(&h->blocks, &b->node);
	h->n_blocks++;
	b->job = (struct job){.work = load, .done = loaded};
	return b;
}

struct block *block_get(struct hub *h, struct cursor *c, int *ret_err)
{
	struct block *b = find(h, c->feed, c->next);
	*ret_err = 0;
	if (b && !b->loading) {
		if (b->err) {
			*ret_err = b->err;
			block_free(b);
			return NULL;
		}
		b->used_ns = h->second_ns;
		if (h->blocks.prev != &b->node) {
			list_remove(&b->node);
			list_append(&h->blocks, &b->node);
		}
		return b;
	}
	bool fresh = !b;
	if (fresh)
		b = make(h, c->feed, c->next);
	list_append(b ? &b->waiters : &h->block_waiters, &c->node);
	if (fresh && b)
		h->runner.pool(h->runner.arg, &b->job);
	return NULL;
}

const uint8_t *block_record(struct block *b, uint64_t sequence, uint64_t *ret_sequence,
                            size_t *ret_n)
{
	/* Dense unless the head was trimmed meanwhile: the guess is right nearly always. */
	unsigned i = 0;
	if (b->n && sequence > b->entry[0].sequence) {
		uint64_t guess = sequence - b->entry[0].sequence;
		i = guess < b->n ? (unsigned)guess : b->n;
	}
	while (i < b->n && b->entry[i].sequence < sequence)
		i++;
	if (i == b->n)
		return NULL;
	*ret_sequence = b->entry[i].sequence;
	*ret_n = b->entry[i].n;
	return (const uint8_t *)b->data.p + b->entry[i].at;
}

void block_idle(struct hub *h, uint64_t now_ns)
{
	h->second_ns = now_ns;
	list_for_each_safe (it, &h->blocks) {
		struct block *b = list_entry(it, struct block, node);
		if (!b->loading &&
		    h->second_ns - b->used_ns > (uint64_t)LIMIT_BLOCK_IDLE_S * 1000000000u)
			block_free(b);
	}
}

void block_forget(struct hub *h, const struct feed *f)
{
	list_for_each_safe (it, &h->blocks) {
		struct block *b = list_entry(it, struct block, node);
		if (b->feed != f)
			continue;
		if (b->loading)
			b->forgotten = true;
		else
			block_free(b);
	}
}

void block_free_all(struct hub *h)
{
	list_for_each_safe (it, &h->blocks)
		block_free(list_entry(it, struct block, node));
}
