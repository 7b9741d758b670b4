/* batch.c - the batch: what joins it, when it is handed to the writer, what happens after. hub.h
 * has the states. Does not know what a message is allowed to do. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/hub_private.h"
#include "feed/record_build.h"

#include <stdlib.h>

enum { TEXT_CHUNK_BYTES = 16 << 10, GAP_RECORDS = 64, GAP_OFF_COMMITS = 100, KEEP_CAP = 1024 };

const double hub_latency_ms[11] = {0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

struct batch *batch_new(struct hub *h)
{
	struct batch *b = xcalloc(1, sizeof(*b));
	b->hub = h;
	buf_init(&b->ops, 64u << 20); /* bounded by hub_has_room() long before */
	return b;
}

static void free_text(struct batch *b)
{
	while (b->text) {
		struct text_chunk *next = b->text->next;
		free(b->text);
		b->text = next;
	}
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	free_text(b);
	free(b->rec);
	free(b->ans);
	buf_done(&b->ops);
	free(b);
}

/* Empty again; memory of a large batch is kept only while batches are large. */
static void batch_reset(struct batch *b)
{
	bool shrink = b->n_rec < KEEP_CAP / 4 && b->n_ans < KEEP_CAP / 4;
	if (shrink && b->cap_rec > KEEP_CAP) {
		free(b->rec);
		b->rec = NULL;
		b->cap_rec = 0;
	}
	if (shrink && b->cap_ans > KEEP_CAP) {
		free(b->ans);
		b->ans = NULL;
		b->cap_ans = 0;
	}
	if (b->ops.cap > (256u << 10))
		buf_done(&b->ops);
	buf_clear(&b->ops);
	free_text(b);
	b->n_rec = b->n_ans = b->n_ops = 0;
	b->bytes = b->bulk_bytes = b->text_bytes = 0;
	b->urgent = false;
	b->err = 0;
}

static struct batch *take_spare(struct hub *h)
{
	for (unsigned i = 0; i < ARRAY_LEN(h->spare); i++) {
		struct batch *b = h->spare[i];
		if (b) {
			h->spare[i] = NULL;
			return b;
		}
	}
	return batch_new(h);
}

static void give_spare(struct hub *h, struct batch *b)
{
	batch_reset(b);
	for (unsigned i = 0; i < ARRAY_LEN(h->spare); i++)
		if (!h->spare[i]) {
			h->spare[i] = b;
			return;
		}
	batch_free(b);
}

static bool batch_empty(const struct batch *b)
{
	return !b->n_rec && !b->n_ans && !b->n_ops;
}

/* ---- what joins ---- */

static bool fits(const struct hub *h, enum config_priority priority, unsigned n, size_t bytes)
{
	const struct batch *b = h->filling;
	if (h->full || h->throttled || h->intake_closed)
		return false;
	if (batch_empty(b))
		return true; /* one message always fits, whatever its size */
	size_t spare_bytes = priority == CONFIG_URGENT ? 0 : LIMIT_BATCH_URGENT_BYTES;
	unsigned spare_n = priority == CONFIG_URGENT ? 0 : LIMIT_BATCH_RECORDS / 16;
	if (priority == CONFIG_BULK && b->bulk_bytes &&
	    b->bulk_bytes + bytes > LIMIT_BATCH_BULK_BYTES)
		return false;
	return b->bytes + b->ops.len + bytes + spare_bytes <= LIMIT_BATCH_BYTES &&
	       b->n_rec + spare_n + n <= LIMIT_BATCH_RECORDS &&
	       b->n_ans + spare_n + n <= LIMIT_BATCH_ANSWERS &&
	       b->text_bytes < LIMIT_BATCH_TEXT_BYTES;
}

bool hub_has_room(const struct hub *h, enum config_priority priority, size_t bytes)
{
	return hub_has_room_for(h, priority, 1, bytes);
}

bool hub_has_room_for(const struct hub *h, enum config_priority priority, unsigned n, size_t bytes)
{
	bool room = fits(h, priority, n, bytes);
	if (!room)
		((struct hub *)h)->was_refused = true;
	return room;
}

bool hub_has_state_room(const struct hub *h, size_t bytes)
{
	const struct batch *b = h->filling;
	return !h->full &&
	       (batch_empty(b) ||
	        b->bytes + b->ops.len + bytes + LIMIT_BATCH_URGENT_BYTES <= LIMIT_BATCH_BYTES);
}

uint8_t *hub_alloc(struct hub *h, size_t bytes)
{
	return ring_alloc(h, bytes);
}

void hub_alloc_undo(struct hub *h, const uint8_t *bytes, size_t n)
{
	ring_alloc_undo(h, bytes, n);
}

static void *grow(void *p, unsigned *cap, size_t size)
{
	*cap = *cap ? *cap * 2 : 64;
	return xrealloc(p, *cap * size);
}

uint64_t hub_record(struct hub *h, struct feed *f, uint8_t *bytes, size_t n)
{
	struct batch *b = h->filling;
	assert(n >= RECORD_HEAD_BYTES && !f->ended);
	if (b->n_rec == b->cap_rec)
		b->rec = grow(b->rec, &b->cap_rec, sizeof(*b->rec));
	uint64_t seq = f->next++;
	record_set_place(bytes, seq, f->epoch);
	b->rec[b->n_rec++] = (struct batch_record){bytes, (uint32_t)n, f->index};
	b->bytes += n;
	if (f->conf->priority == CONFIG_BULK)
		b->bulk_bytes += n;
	if (f->conf->priority == CONFIG_URGENT)
		b->urgent = true;
	return seq;
}

static void add_op(struct hub *h, enum store_table table, struct span key, struct span value,
                   bool del)
{
	struct batch *b = h->filling;
	struct op_head head = {(uint32_t)key.n, (uint32_t)value.n, (uint8_t)table, del};
	assert(key.n > 0 && key.n <= 500);
	buf_add(&b->ops, &head, sizeof(head));
	buf_add_span(&b->ops, key);
	buf_add_span(&b->ops, value);
	if (b->ops.err)
		fatal("out of memory for a batch bytes=%zu", b->ops.len);
	b->n_ops++;
}

void hub_put(struct hub *h, enum store_table table, struct span key, struct span value)
{
	add_op(h, table, key, value, false);
}

void hub_del(struct hub *h, enum store_table table, struct span key)
{
	add_op(h, table, key, (struct span){0}, true);
}

void hub_answer(struct hub *h, const struct answer *a)
{
	struct batch *b = h->filling;
	assert(a->done);
	if (b->n_ans == b->cap_ans)
		b->ans = grow(b->ans, &b->cap_ans, sizeof(*b->ans));
	b->ans[b->n_ans++] = *a;
}

const char *hub_text(struct hub *h, struct span text)
{
	struct batch *b = h->filling;
	size_t n = text.n + 1;
	if (!b->text || b->text->size - b->text->used < n) {
		size_t size = MAX_OF(n, (size_t)TEXT_CHUNK_BYTES);
		struct text_chunk *c = xmalloc(sizeof(*c) + size);
		*c = (struct text_chunk){b->text, 0, size};
		b->text = c;
	}
	char *to = memcpy(b->text->mem + b->text->used, text.p, text.n);
	to[text.n] = '\0';
	b->text->used += n;
	b->text_bytes += n;
	return to;
}

/* ---- the writer's side: runs beside the loop, touches the batch only ---- */

static void write_batch(struct job *j)
{
	struct batch *b = container_of(j, struct batch, job);
	struct store_txn *t;
	b->err = store_begin(b->hub->store, &t);
	if (b->err)
		return;
	for (unsigned i = 0; i < b->n_rec; i++) {
		struct batch_record *r = &b->rec[i];
		record_seal(r->bytes, r->n, b->commit, b->stored_ms);
	}
	for (unsigned i = 0; i < b->n_rec; i++) {
		struct batch_record *r = &b->rec[i];
		/* A feed is in hub->feeds before its first record and stays there. */
		store_append(t, b->hub->feeds[r->feed]->id, record_sequence(r->bytes),
		             span_of((const char *)r->bytes, r->n));
	}
	const char *p = b->ops.p;
	for (unsigned i = 0; i < b->n_ops; i++) {
		struct op_head head;
		memcpy(&head, p, sizeof(head));
		p += sizeof(head);
		struct span key = {p, head.key}, value = {p + head.key, head.value};
		if (head.del)
			store_del(t, head.table, key);
		else
			store_put(t, head.table, key, value);
		p += head.key + head.value;
	}
	uint64_t commit;
	b->err = store_commit(t, &commit);
	assert(b->err || commit == b->commit);
}

/* ---- after ---- */

static void count_commit(struct hub *h, const struct batch *b)
{
	double ms = (double)(clock_mono_ns(h->clock) - b->handed_ns) / 1e6;
	unsigned i = 0;
	while (i < ARRAY_LEN(hub_latency_ms) && ms > hub_latency_ms[i])
		i++;
	h->stats.commit_ms[i]++;
	h->stats.commit_seconds += ms / 1e3;
	h->stats.commits++;
	h->stats.commit_records += b->n_rec;
}

static void show_records(struct hub *h, struct batch *b, bool urgent)
{
	for (unsigned i = 0; i < b->n_rec; i++) {
		struct feed *f = h->feeds[b->rec[i].feed];
		if ((f->conf->priority == CONFIG_URGENT) != urgent)
			continue;
		struct record r;
		int err =
		    record_read(span_of((const char *)b->rec[i].bytes, b->rec[i].n), false, &r);
		assert(!err);
		if (f->n_schemas)
			versions_seen(h->versions, h, f, &r);
		if (h->hooks.record)
			h->hooks.record(h->hooks.arg, f, &r);
	}
}

static void wake_cursors(struct hub *h)
{
	for (int pass = 0; pass < 2; pass++) { /* urgent feeds first */
		list_for_each_safe (it, &h->touched) {
			struct feed *f = list_entry(it, struct feed, in_batch);
			if ((f->conf->priority == CONFIG_URGENT) != (pass == 0))
				continue;
			list_remove(&f->in_batch);
			f->touched = false;
			cursor_wake_all(&f->waiting);
		}
	}
}

static void answer_all(struct batch *b, int err)
{
	for (unsigned i = 0; i < b->n_ans; i++)
		b->ans[i].done(&b->ans[i], err);
}

static void publish_batch(struct hub *h, struct batch *b)
{
	for (unsigned i = 0; i < b->n_rec; i++) {
		struct feed *f = h->feeds[b->rec[i].feed];
		f->last++;
		f->last_stored_ms = b->stored_ms;
		f->count.stored++;
		f->count.bytes += b->rec[i].n;
		ring_own(b->rec[i].bytes, f->index);
		ring_push(f, b->rec[i].bytes);
		if (!f->touched) {
			f->touched = true;
			list_append(&h->touched, &f->in_batch);
		}
	}
	answer_all(b, 0);
	show_records(h, b, true);
	show_records(h, b, false);
	wake_cursors(h);
	h->done_number = b->number;
	if (h->hooks.commit && b->n_rec)
		h->hooks.commit(h->hooks.arg, h->last_commit);
}

/* Nothing of what was not committed happened: sequences are given back, the answers told. */
static void abandon_one(struct hub *h, struct batch *b)
{
	for (unsigned i = 0; i < b->n_rec; i++) {
		struct feed *f = h->feeds[b->rec[i].feed];
		struct record r;
		if (h->hooks.abandoned &&
		    record_read(span_of((const char *)b->rec[i].bytes, b->rec[i].n), false, &r) ==
		        0)
			h->hooks.abandoned(h->hooks.arg, f, &r);
		f->next = f->last + 1;
	}
	h->stats.abandoned += b->n_rec;
	answer_all(b, ERR_STORE_FULL);
	h->done_number = b->number;
}

static void abandon(struct hub *h)
{
	struct batch *b = h->committing, *after = h->filling;
	log_warn("The store stayed full: waiting publishers are closed and will send again. Make "
	         "room with "
	         "'oudp feed trim' or a larger disk or journal-size. messages=%u",
	         b->n_rec + after->n_rec);
	h->filling = take_spare(h);
	h->filling->number = ++h->batch_number;
	h->committing = NULL;
	h->full = false;
	abandon_one(h, b);
	abandon_one(h, after);
	give_spare(h, b);
	give_spare(h, after);
	if (h->hooks.gave_up)
		h->hooks.gave_up(h->hooks.arg);
	if (h->was_refused && h->hooks.room) {
		h->was_refused = false;
		h->hooks.room(h->hooks.arg);
	}
}

static void store_was_full(struct hub *h, uint64_t now)
{
	h->stats.store_full++;
	if (!h->full) {
		log_warn("The store is full: publishers wait. Make room with 'oudp feed trim' or a "
		         "larger disk "
		         "or journal-size.");
		h->full = true;
		h->full_since_ns = now;
	}
	if (now - h->full_since_ns >= (uint64_t)LIMIT_STORE_FULL_WAIT_S * 1000000000u)
		abandon(h);
	else
		h->retry_ns = now + (uint64_t)LIMIT_STORE_RETRY_MS * 1000000u;
}

static void batch_written(struct job *j)
{
	struct batch *b = container_of(j, struct batch, job);
	struct hub *h = b->hub;
	assert(b == h->committing);
	if (b->err == ERR_STORE_FULL) {
		store_was_full(h, clock_mono_ns(h->clock));
		return;
	}
	if (b->err) {
		h->hooks.fatal(h->hooks.arg, b->err);
		return;
	}
	if (h->full)
		log_info("The store has room again.");
	h->full = false;
	h->last_commit = b->commit;
	h->last_stored_ms = b->stored_ms;
	count_commit(h, b);
	h->committing = NULL;
	hub_turn(h); /* the writer goes on before the answers are sent */
	publish_batch(h, b);
	give_spare(h, b);
}

/* ---- turns ---- */

/* At a low steady load a short wait makes commits larger and halves the CPU per message; where the
 * batch does not grow meanwhile (publishers that wait for their answer) it only costs time, and is
 * switched off. */
static uint64_t gap_left_ns(struct hub *h, uint64_t now)
{
	struct batch *b = h->filling;
	const uint64_t gap = (uint64_t)LIMIT_COMMIT_GAP_US * 1000u;
	if (b->urgent || b->n_rec >= GAP_RECORDS || b->n_rec < 2)
		return 0;
	if (h->gap_off) {
		h->gap_off--;
		return 0;
	}
	if (!h->gap_started_ns) {
		if (now - h->last_handed_ns >= gap)
			return 0;
		h->gap_started_ns = now;
		h->gap_size = b->n_rec;
	}
	if (now - h->last_handed_ns < gap)
		return gap - (now - h->last_handed_ns);
	if (b->n_rec < 2 * h->gap_size)
		h->gap_off = GAP_OFF_COMMITS;
	return 0;
}

static void hand_over(struct hub *h, uint64_t now)
{
	struct batch *b = h->filling;
	h->filling = take_spare(h);
	h->filling->number = ++h->batch_number;
	h->committing = b;
	h->gap_started_ns = 0;
	h->last_handed_ns = now;
	b->handed_ns = now;
	b->commit = h->last_commit + 1;
	b->stored_ms = MAX_OF(clock_wall_ms(h->clock), h->last_stored_ms);
	b->job = (struct job){.work = write_batch, .done = batch_written};
	h->stats.batch_bytes = b->bytes;
	h->runner.writer(h->runner.arg, &b->job);
	if (h->was_refused && !h->full && h->hooks.room) {
		h->was_refused = false;
		h->hooks.room(h->hooks.arg);
	}
}

int hub_turn(struct hub *h)
{
	uint64_t now = clock_mono_ns(h->clock);
	if (h->committing) {
		if (!h->full || !h->retry_ns)
			return -1;
		if (now < h->retry_ns)
			return (int)((h->retry_ns - now) / 1000000u) + 1;
		h->retry_ns = 0;
		h->runner.writer(h->runner.arg, &h->committing->job);
		return -1;
	}
	struct batch *b = h->filling;
	if (batch_empty(b))
		return -1;
	if (!b->n_rec && !b->n_ops) { /* only answers: nothing to keep, nothing before them */
		h->filling = take_spare(h);
		h->filling->number = ++h->batch_number;
		answer_all(b, 0);
		h->done_number = b->number;
		give_spare(h, b);
		return batch_empty(h->filling) ? -1 : 0;
	}
	uint64_t wait = gap_left_ns(h, now);
	if (wait)
		return (int)((wait + 999999u) / 1000000u);
	hand_over(h, now);
	return -1;
}

bool hub_idle(const struct hub *h)
{
	return !h->committing && batch_empty(h->filling);
}
void hub_throttle(struct hub *h, bool on)
{
	h->throttled = on;
	if (!on && h->was_refused && !h->full && h->hooks.room) {
		h->was_refused = false;
		h->hooks.room(h->hooks.arg);
	}
}

void hub_close_intake(struct hub *h)
{
	h->intake_closed = true;
}
bool hub_full(const struct hub *h)
{
	return h->full;
}
