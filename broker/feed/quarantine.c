/* quarantine.c - see quarantine.h. The row: version, protocol, qos, flags, then lengths, then the
 * parts. */
#include "feed/quarantine.h"

#include "base/err.h"
#include "base/mem.h"
#include "feed/hub_private.h"
#include "privacy/privacy.h"

#include <stdlib.h>

enum { ROW_VERSION = 1, ROW_PARTS = 8, ROW_HEAD_BYTES = 16 + 4 * ROW_PARTS, KEY_BYTES = 12 };
enum { ROW_RETAIN = 1, ROW_UTF8 = 2, ROW_REDUCED = 4 };

static void put_be(uint8_t *p, uint64_t v, int n)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t get_be(const uint8_t *p, int n)
{
	uint64_t v = 0;
	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static struct span make_key(uint8_t key[KEY_BYTES], uint32_t feed, uint64_t id)
{
	put_be(key, feed, 4);
	put_be(key + 4, id, 8);
	return span_of((const char *)key, KEY_BYTES);
}

static const struct span *part(const struct quarantine_row *r, int i)
{
	const struct span *const parts[ROW_PARTS] = {&r->topic,  &r->publisher, &r->properties,
	                                             &r->reason, &r->schema,    &r->pointer,
	                                             &r->rule,   &r->payload};
	return parts[i];
}

uint64_t quarantine_add(struct hub *h, struct feed *f, struct quarantine_row *row)
{
	uint8_t key[KEY_BYTES], head[ROW_HEAD_BYTES] = {ROW_VERSION, row->protocol, row->qos};
	struct buf b;
	buf_init(&b, 2u * LIMIT_PACKET_BYTES_MAX);
	row->id = h->quarantine_next++;
	row->feed = f ? f->id : 0;
	head[3] = (uint8_t)((row->retain ? ROW_RETAIN : 0) | (row->utf8 ? ROW_UTF8 : 0) |
	                    (row->reduced ? ROW_REDUCED : 0));
	memcpy(head + 4, &row->received_ms, 8);
	memcpy(head + 12, &row->expiry_s, 4);
	for (int i = 0; i < ROW_PARTS; i++) {
		uint32_t n = (uint32_t)part(row, i)->n;
		memcpy(head + 16 + 4 * i, &n, 4);
	}
	buf_add(&b, head, sizeof(head));
	for (int i = 0; i < ROW_PARTS; i++)
		buf_add_span(&b, *part(row, i));
	assert(!b.err);
	hub_put(h, STORE_QUARANTINE, make_key(key, row->feed, row->id), span_of(b.p, b.len));
	buf_done(&b);
	put_be(key, h->quarantine_next, 8);
	hub_put(h, STORE_STATE, SPAN("quarantine-next"), span_of((const char *)key, 8));
	if (f)
		f->count.quarantine_rows++;
	else
		h->stats.unrouted_rows++;
	return row->id;
}

void quarantine_remove(struct hub *h, uint32_t feed_id, uint64_t id)
{
	uint8_t key[KEY_BYTES];
	hub_del(h, STORE_QUARANTINE, make_key(key, feed_id, id));
	if (feed_id == 0 && h->stats.unrouted_rows)
		h->stats.unrouted_rows--;
	for (unsigned i = 0; i < h->n_feeds; i++)
		if (h->feeds[i]->id == feed_id && h->feeds[i]->count.quarantine_rows)
			h->feeds[i]->count.quarantine_rows--;
}

int quarantine_read(struct span key, struct span value, struct quarantine_row *ret)
{
	const uint8_t *v = (const uint8_t *)value.p;
	if (key.n != KEY_BYTES || value.n < ROW_HEAD_BYTES)
		return ERR_STORE_DAMAGED;
	if (v[0] != ROW_VERSION)
		return ERR_STORE_FORMAT;
	struct quarantine_row r = {.protocol = v[1],
	                           .qos = v[2],
	                           .retain = v[3] & ROW_RETAIN,
	                           .utf8 = v[3] & ROW_UTF8,
	                           .reduced = v[3] & ROW_REDUCED};
	r.feed = (uint32_t)get_be((const uint8_t *)key.p, 4);
	r.id = get_be((const uint8_t *)key.p + 4, 8);
	memcpy(&r.received_ms, v + 4, 8);
	memcpy(&r.expiry_s, v + 12, 4);
	size_t at = ROW_HEAD_BYTES;
	for (int i = 0; i < ROW_PARTS; i++) {
		uint32_t n;
		memcpy(&n, v + 16 + 4 * i, 4);
		if (n > value.n - at)
			return ERR_STORE_DAMAGED;
		*(struct span *)part(&r, i) = span_of(value.p + at, n);
		at += n;
	}
	if (r.reduced && r.payload.n != QUARANTINE_REDUCED_BYTES)
		return ERR_STORE_DAMAGED;
	*ret = r;
	return 0;
}

struct span quarantine_reduce(struct span payload, char out[QUARANTINE_REDUCED_BYTES])
{
	uint64_t n = payload.n;
	memcpy(out, &n, sizeof(n));
	privacy_digest(payload, (uint8_t *)out + sizeof(n));
	return span_of(out, QUARANTINE_REDUCED_BYTES);
}

struct list_job {
	struct job job;
	struct hub *hub;
	uint8_t from[KEY_BYTES];
	unsigned max;
	struct buf data; /* u32 key bytes, u32 value bytes, key, value */
	unsigned n;
	bool more;
	int err;
	quarantine_rows_fn done;
	void *arg;
};

static int take_row(void *arg, struct span key, struct span value)
{
	struct list_job *l = arg;
	uint32_t n = (uint32_t)value.n;
	if (l->n == l->max || l->data.len > LIMIT_SCAN_BYTES) {
		l->more = true;
		return 1;
	}
	buf_add(&l->data, &n, 4);
	buf_add_span(&l->data, key);
	buf_add_span(&l->data, value);
	l->n++;
	return l->data.err;
}

static void list_work(struct job *j)
{
	struct list_job *l = container_of(j, struct list_job, job);
	l->err =
	    store_scan(l->hub->store, STORE_QUARANTINE, span_of((const char *)l->from, KEY_BYTES),
	               span_of((const char *)l->from, 4), 64u << 20, take_row, l);
	if (!l->err)
		l->err = l->data.err;
}

static void list_done(struct job *j)
{
	struct list_job *l = container_of(j, struct list_job, job);
	struct quarantine_row *rows = xcalloc(l->n, sizeof(*rows));
	size_t at = 0;
	unsigned n = 0;
	for (unsigned i = 0; !l->err && i < l->n; i++) {
		uint32_t size;
		memcpy(&size, l->data.p + at, 4);
		struct span key = {l->data.p + at + 4, KEY_BYTES},
		            value = {key.p + KEY_BYTES, size};
		if (quarantine_read(key, value, &rows[n]) == 0)
			n++;
		at += 4 + KEY_BYTES + size;
	}
	l->done(l->arg, rows, n, l->more, l->err);
	free(rows);
	buf_done(&l->data);
	free(l);
}

void quarantine_list(struct hub *h, uint32_t feed_id, uint64_t after, unsigned max_rows,
                     quarantine_rows_fn done, void *arg)
{
	struct list_job *l = xcalloc(1, sizeof(*l));
	*l = (struct list_job){.job = {.work = list_work, .done = list_done},
	                       .hub = h,
	                       .max = max_rows,
	                       .done = done,
	                       .arg = arg};
	make_key(l->from, feed_id, after + 1);
	buf_init(&l->data, 64u << 20);
	h->runner.pool(h->runner.arg, &l->job);
}
