/* erased.c - see erased.h. */
#include "feed/erased.h"

#include "feed/hub_private.h"
#include "feed/record_build.h"

enum { EXPIRED_LONG_AGO = 1 };

void record_tombstone(const struct record *r, uint8_t out[RECORD_HEAD_BYTES])
{
	struct record_parts p = {.phenomenon_ms = r->stored_ms,
	                         .expiry_s = EXPIRED_LONG_AGO,
	                         .flags = 3 << RECORD_QOS_SHIFT | RECORD_TIME_RECEIVED};
	record_build(&p, out);
	record_set_place(out, r->sequence, r->epoch);
	record_seal(out, RECORD_HEAD_BYTES, r->commit, r->stored_ms);
}

/* Where a record stands in memory its tombstone does, and nothing behind it. */
static void in_memory(uint8_t *bytes)
{
	struct slab_head *head = (struct slab_head *)(void *)bytes - 1;
	uint8_t tombstone[RECORD_HEAD_BYTES];
	struct record r;
	if (record_read(span_of((const char *)bytes, head->bytes), false, &r))
		return;
	size_t n = head->bytes;
	record_tombstone(&r, tombstone);
	memcpy(bytes, tombstone, sizeof(tombstone));
	memset(bytes + RECORD_HEAD_BYTES, 0, n - RECORD_HEAD_BYTES);
	head->bytes = RECORD_HEAD_BYTES;
}

void hub_erased(struct hub *h, struct feed *f, const uint64_t *sequences, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (sequences[i] >= f->ring_first && sequences[i] <= f->last)
			in_memory((uint8_t *)(uintptr_t)f->ring[sequences[i] & f->ring_mask]);
	block_forget(h, f);
}

void hub_quarantine_erased(struct hub *h, uint32_t feed_id)
{
	if (feed_id == 0 && h->stats.unrouted_rows)
		h->stats.unrouted_rows--;
	for (unsigned i = 0; i < h->n_feeds; i++)
		if (h->feeds[i]->id == feed_id && h->feeds[i]->count.quarantine_rows)
			h->feeds[i]->count.quarantine_rows--;
}
