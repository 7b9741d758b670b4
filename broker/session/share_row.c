/* share_row.c - what stands of groups in the store. A member is its session's subscription row; the
 * group has one of its own while a member has a session with rows:
 *
 *   STATE  "share:", number u64 big endian    head, key, places, flights of QoS 1,
 *                                             what was taken
 *
 * It is written as a session's row is (durable.c): places and flights of one moment, in each round
 * in which something has changed, before "sessions-shown", which says how far a group that is HERE
 * and behind nowhere was at least. Flights of QoS 2 are rows of the sessions that hold them, named
 * by the group as well; they stay until the group's row is past them, or says that they were taken
 * (they were after a death, and the group has not come past them again). So after a death a message
 * of QoS 1 may be given out again, and one of QoS 2 is not. */
#include "base/mem.h"
#include "session/row.h"
#include "session/share.h"

#include <stdlib.h>

enum { HEAD_BYTES = 24, PLACE_BYTES = 17, FLIGHT_BYTES = 12, KEY_BYTES = 14, ROW_HERE = 1 };

#define PREFIX "share:"

static int compare(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;
	if (x->feed_id != y->feed_id)
		return x->feed_id < y->feed_id ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* In order, each once: for those of former restarts are in the row and in sessions' rows. */
static void taken_sort(struct share *g)
{
	unsigned n = 0;
	if (g->taken_sorted || !g->n_taken)
		return;
	qsort(g->taken, g->n_taken, sizeof(*g->taken), compare);
	for (unsigned i = 0; i < g->n_taken; i++)
		if (!n || compare(&g->taken[n - 1], &g->taken[i]) != 0)
			g->taken[n++] = g->taken[i];
	g->n_taken = n;
	g->taken_sorted = true;
}

static struct span row_key(const struct share *g, uint8_t mem[KEY_BYTES])
{
	memcpy(mem, PREFIX, 6);
	put_be(mem + 6, g->number, 8);
	return span_of((const char *)mem, KEY_BYTES);
}

static void add_flights(struct share *g, struct buf *b)
{
	const struct list *lists[] = {&g->loose, &g->held};
	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		list_for_each (it, lists[i]) {
			const struct flight *fl = list_entry(it, struct flight, node);
			if (fl->qos2)
				continue;
			add_u32(b, hub_feed_at(g->table->hub, fl->feed)->id);
			add_u64(b, fl->sequence);
		}
}

size_t share_row_bytes(const struct share *g)
{
	return KEY_BYTES + HEAD_BYTES + g->key.n +
	       (size_t)hub_feed_count(g->table->hub) * PLACE_BYTES +
	       ((size_t)g->n_qos1 + g->n_taken) * FLIGHT_BYTES;
}

void share_write(struct share *g, bool flights)
{
	struct sessions *t = g->table;
	struct buf *b = &t->row;
	uint8_t mem[KEY_BYTES];
	free(g->written);
	g->n_written = share_places(g, &g->written);
	g->rows++;
	g->n_since = 0;
	taken_sort(g);
	buf_clear(b);
	add_u8(b, ROW_VERSION);
	add_u8(b, g->n_here ? ROW_HERE : 0);
	add_u16(b, (unsigned)g->key.n);
	add_u32(b, g->n_written);
	add_u32(b, flights ? g->n_qos1 : 0);
	add_u32(b, g->n_taken);
	add_u64(b, (uint64_t)g->rest_ms);
	assert(b->len == HEAD_BYTES);
	buf_add_span(b, g->key);
	for (unsigned i = 0; i < g->n_written; i++) {
		const struct place *p = &g->written[i];
		add_u32(b, p->feed_id);
		add_u32(b, p->epoch);
		add_u64(b, p->next);
		add_u8(b, p->behind);
	}
	if (flights)
		add_flights(g, b);
	for (unsigned i = 0; i < g->n_taken; i++) {
		add_u32(b, g->taken[i].feed_id);
		add_u64(b, g->taken[i].sequence);
	}
	g->written_taken = true;
	if (b->err)
		fatal("out of memory for the row of a shared subscription");
	hub_put(t->hub, STORE_STATE, row_key(g, mem), span_of(b->p, b->len));
	g->kept = true;
	g->changed = false;
	list_remove(&g->flush_node);
}

void share_changed(struct share *g)
{
	if (!g->kept || g->changed)
		return;
	g->changed = true;
	list_append(&g->table->shares_changed, &g->flush_node);
}

void share_unwrite(struct share *g)
{
	uint8_t mem[KEY_BYTES];
	if (!g->kept)
		return;
	hub_del(g->table->hub, STORE_STATE, row_key(g, mem));
	g->kept = g->changed = false;
	list_remove(&g->flush_node);
	free(g->written);
	g->written = NULL;
	g->n_written = 0;
}

bool shares_flush(struct sessions *t, unsigned *n)
{
	while (!list_empty(&t->shares_flushing)) {
		struct share *g = list_entry(t->shares_flushing.next, struct share, flush_node);
		if (!*n || !hub_has_state_room(t->hub, share_row_bytes(g)))
			return false;
		share_write(g, true);
		--*n;
	}
	return true;
}

/* ---- after a restart ---- */

bool share_is_taken(struct share *g, uint32_t feed_id, uint64_t sequence)
{
	struct taken key = {feed_id, sequence};
	if (!g->n_taken)
		return false;
	taken_sort(g);
	return bsearch(&key, g->taken, g->n_taken, sizeof(*g->taken), compare) != NULL;
}

/* Whether the row in the store says that it was given out, so that the session's may go. */
bool share_past(const struct sessions *t, const struct done *d)
{
	struct share *g = share_by_number(t, d->share);
	if (!g || !g->kept)
		return true;
	if (d->row >= g->rows) /* its flight may be listed; the row is to be written again */
		return false;
	for (unsigned i = 0; i < g->n_written; i++)
		if (g->written[i].feed_id == d->feed_id && g->written[i].next <= d->sequence)
			return g->written_taken && share_is_taken(g, d->feed_id, d->sequence);
	return true;
}

void share_take(struct share *g, uint32_t feed_id, uint64_t sequence)
{
	for (unsigned i = 0; i < g->n_places; i++)
		if (g->places[i].feed_id == feed_id && g->places[i].next > sequence)
			return; /* it is past it */
	if (g->n_taken == g->cap_taken) {
		g->cap_taken = g->cap_taken ? g->cap_taken * 2 : 16;
		g->taken = xrealloc(g->taken, g->cap_taken * sizeof(*g->taken));
	}
	g->taken[g->n_taken++] = (struct taken){feed_id, sequence};
	g->taken_sorted = g->written_taken = false;
}

struct flight *share_find_loose(struct share *g, uint32_t feed, uint64_t sequence)
{
	list_for_each (it, &g->loose) {
		struct flight *fl = list_entry(it, struct flight, node);
		if (fl->sequence == sequence && fl->feed == feed && !fl->holder)
			return fl;
	}
	return NULL;
}

struct loading {
	struct sessions *t;
	struct span shown;
	unsigned *damaged;
};

static void read_places(struct share *g, struct row_reader *r, unsigned n, struct span shown)
{
	if ((size_t)(r->end - r->p) / PLACE_BYTES < n) {
		r->bad = true;
		return;
	}
	g->places = xcalloc(n + 1, sizeof(*g->places));
	for (; g->n_places < n; g->n_places++) {
		struct place *p = &g->places[g->n_places];
		p->feed_id = (uint32_t)take(r, 4);
		p->epoch = (uint32_t)take(r, 4);
		p->next = take(r, 8);
		p->behind = take(r, 1) != 0;
		if (shown.n && !p->behind)
			place_advance(p, shown);
	}
}

static void read_flights(struct share *g, struct row_reader *r, unsigned n)
{
	for (unsigned i = 0; i < n && !r->bad; i++) {
		uint32_t feed = feed_index(g->table->hub, take(r, 4));
		uint64_t sequence = take(r, 8);
		if (!r->bad && feed != UINT32_MAX)
			flight_loose(flight_new(g, feed, sequence));
	}
}

static void read_taken(struct share *g, struct row_reader *r, unsigned n)
{
	for (unsigned i = 0; i < n && !r->bad; i++) {
		uint32_t feed_id = (uint32_t)take(r, 4);
		share_take(g, feed_id, take(r, 8));
	}
	g->written_taken = true;
}

static int take_row(void *arg, struct span key, struct span row)
{
	struct loading *l = arg;
	struct row_reader r = {row.p, row.p + row.n, false};
	bool version = take(&r, 1) == ROW_VERSION, here = take(&r, 1) & ROW_HERE;
	size_t key_n = take(&r, 2);
	unsigned n_places = (unsigned)take(&r, 4), n_flights = (unsigned)take(&r, 4);
	unsigned n_taken = (unsigned)take(&r, 4);
	int64_t rest_ms = (int64_t)take(&r, 8);
	const char *name = r.p, *nul;
	if (!version || r.bad || key.n != KEY_BYTES || (size_t)(r.end - r.p) < key_n ||
	    !(nul = memchr(name, '\0', key_n)) || !memchr(nul, '/', key_n - (size_t)(nul - name))) {
		++*l->damaged;
		return 0;
	}
	struct share *g = share_make(l->t, span_of(name, key_n), get_be(key.p + 6, 8));
	r.p += key_n;
	g->kept = true;
	g->rest_ms = rest_ms;
	if (here) /* until the death, or nearly */
		g->rest_ms = l->shown.n >= 8 ? *(const int64_t *)(const void *)l->shown.p
		                             : clock_wall_ms(hub_clock(l->t->hub));
	read_places(g, &r, n_places, here ? l->shown : (struct span){0});
	read_flights(g, &r, n_flights);
	read_taken(g, &r, n_taken);
	*l->damaged += r.bad;
	g->n_written = share_places(g, &g->written);
	if (here) /* from now on others' progress says nothing about it */
		share_changed(g);
	return 0;
}

int shares_load(struct sessions *t, struct span shown, unsigned *damaged)
{
	struct loading l = {t, shown, damaged};
	return store_scan(hub_store(t->hub), STORE_STATE, SPAN(PREFIX), SPAN(PREFIX), SIZE_MAX,
	                  take_row, &l);
}

/* A group whose last member's rows cannot be read any more is over; its row goes with the next
 * flush. */
void shares_loaded(struct sessions *t)
{
	list_for_each (it, &t->all_shares) {
		struct share *g = list_entry(it, struct share, node);
		list_remove(&g->due_node);
		if (!g->n_members)
			share_due(g);
	}
}
