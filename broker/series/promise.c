/* promise.c - see promise.h. One at a time, in the order of their numbers: the series remember the
 * last one only. */
#include "series/promise.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "series/rows.h"

#include <stdlib.h>

static const char prefix[] = "promise/";

enum {
	KEY_BYTES = sizeof(prefix) - 1 + 8,
	PART_BYTES = 14,
	HEAD_BYTES = 64,
	ROW_BYTES_MAX = HEAD_BYTES + LIMIT_SERIES_DETAIL_BYTES + 2 * LIMIT_SERIES_REASON_BYTES +
	                LIMIT_STA_MULTI * PART_BYTES
};

struct promise {
	struct list node;
	struct promises *of;
	struct series_correction c;
	struct series_part part[LIMIT_STA_MULTI];
	char *row; /* malloc'ed: c looks into it */
	bool committed, kept;
	void (*done)(void *arg, int err); /* NULL: told */
	void *arg;
};

struct promises {
	struct hub *hub;
	struct series *series;
	struct list all;
	uint64_t last;          /* the number given out last */
	struct series_ask wait; /* until the series have applied what was committed */
	bool busy, held, rests; /* rests: until the next second */
};

static struct span key_of(uint64_t number, char out[KEY_BYTES])
{
	memcpy(out, prefix, sizeof(prefix) - 1);
	for (unsigned i = 0; i < 8; i++)
		out[sizeof(prefix) - 1 + i] = (char)(number >> 8 * (7 - i));
	return span_of(out, KEY_BYTES);
}

static uint64_t number_of(struct span key)
{
	uint64_t number = 0;
	for (size_t i = sizeof(prefix) - 1; i < key.n; i++)
		number = number << 8 | (uint8_t)key.p[i];
	return number;
}

static void promise_free(struct promise *x)
{
	list_remove(&x->node);
	free(x->row);
	free(x);
}

static void corrected(struct series_correction *c);

/* Of its row. NULL: the row is damaged. */
static struct promise *add(struct promises *p, struct span key, struct span value)
{
	struct promise *x = xcalloc(1, sizeof(*x));
	struct row_promise r;
	list_init(&x->node);
	x->of = p;
	x->row = xstrndup(value.p, value.n);
	if (row_promise_read(key, span_of(x->row, value.n), &r)) {
		promise_free(x);
		return NULL;
	}
	for (unsigned i = 0; i < r.n_parts; i++)
		x->part[i] =
		    (struct series_part){r.part[i].stream, (enum series_amend)r.part[i].what,
		                         r.part[i].offset, r.part[i].becomes};
	x->c = (struct series_correction){.thing_id = r.thing,
	                                  .part = x->part,
	                                  .n_parts = r.n_parts,
	                                  .from_ms = r.from_ms,
	                                  .to_ms = r.to_ms,
	                                  .moved_ms = r.moved_ms,
	                                  .has_detail = r.has_detail,
	                                  .detail = r.detail,
	                                  .reason = r.reason,
	                                  .who = r.who,
	                                  .promise = number_of(key),
	                                  .done = corrected};
	p->last = x->c.promise;
	list_append(&p->all, &x->node);
	return x;
}

/* ---- keeping ---- */

static void tell(struct promise *x, int err)
{
	void (*done)(void *, int) = x->done;
	x->done = NULL;
	if (done)
		done(x->arg, err);
}

/* The row goes; it may stay until there is room: it is not kept twice. False: no room now. */
static bool forget(struct promises *p, struct promise *x)
{
	char key[KEY_BYTES];
	if (!hub_has_state_room(p->hub, KEY_BYTES))
		return false;
	hub_del(p->hub, STORE_STATE, key_of(x->c.promise, key));
	promise_free(x);
	return true;
}

static void corrected(struct series_correction *c)
{
	struct promise *x = container_of(c, struct promise, c);
	struct promises *p = x->of;
	bool over =
	    !c->err || c->err == ERR_NOT_FOUND || c->err == ERR_TOO_LARGE || c->err == ERR_INVALID;
	p->busy = false;
	if (over ? c->err && c->err != ERR_NOT_FOUND : !p->held)
		log_warn("A correction that belongs to a commit cannot be written to the series: "
		         "%s. %s number=%llu",
		         err_text(c->err),
		         over ? "It is left out." : "It is tried again: make room on the disk.",
		         (unsigned long long)c->promise);
	p->held = !over;
	x->kept = over;
	tell(x, c->err);
	p->rests = !over;
}

static void applied(struct series_ask *a)
{
	struct promises *p = a->arg;
	struct promise *x = list_entry(p->all.next, struct promise, node);
	int err = a->err;
	series_ask_done(a);
	if (err && err != ERR_NOT_FOUND) {
		p->busy = false;
		p->rests = true;
	} else {
		series_correct(p->series, &x->c);
	}
}

void promises_turn(struct promises *p)
{
	while (!p->busy && !p->rests && !list_empty(&p->all)) {
		struct promise *x = list_entry(p->all.next, struct promise, node);
		if (!x->committed)
			return;
		if (!x->kept) {
			p->busy = true;
			p->wait = (struct series_ask){
			    .what = SERIES_THINGS, .limit = 1, .done = applied, .arg = p};
			series_ask(p->series, &p->wait);
		} else if (!forget(p, x)) {
			return;
		}
	}
}

void promises_second(struct promises *p)
{
	p->rests = false;
	promises_turn(p);
}

/* ---- making ---- */

bool promises_held(const struct promises *p)
{
	return p->held;
}

size_t promise_bytes(const struct series_correction *c)
{
	return KEY_BYTES + HEAD_BYTES + c->detail.n + c->reason.n + c->who.n +
	       c->n_parts * PART_BYTES;
}

/* The series hear of the commit behind this: promises_turn(). */
static void committed(const struct answer *a, int err)
{
	struct promise *x = a->owner;
	x->committed = true;
	if (!err)
		return;
	tell(x, err);
	promise_free(x);
}

void promise_make(struct promises *p, const struct series_correction *c,
                  void (*done)(void *arg, int err), void *arg)
{
	struct row_promise r = {.thing = c->thing_id,
	                        .from_ms = c->from_ms,
	                        .to_ms = c->to_ms,
	                        .moved_ms = c->moved_ms,
	                        .has_detail = c->has_detail,
	                        .detail = c->detail,
	                        .who = c->who,
	                        .reason = c->reason,
	                        .n_parts = c->n_parts};
	char mem[KEY_BYTES];
	struct span key = key_of(p->last + 1, mem);
	struct buf b;
	assert(c->n_parts && c->n_parts <= LIMIT_STA_MULTI);
	for (unsigned i = 0; i < c->n_parts; i++)
		r.part[i] =
		    (struct row_promise_part){c->part[i].stream_id, (uint8_t)c->part[i].what,
		                              c->part[i].becomes, c->part[i].offset};
	buf_init(&b, ROW_BYTES_MAX);
	row_promise_write(key, &r, &b);
	assert(!b.err);
	hub_put(p->hub, STORE_STATE, key, span_of(b.p, b.len));
	struct promise *x = add(p, key, span_of(b.p, b.len));
	buf_done(&b);
	assert(x);
	x->done = done;
	x->arg = arg;
	const struct answer a = {.done = committed, .owner = x, .feed = UINT32_MAX};
	hub_answer(p->hub, &a);
}

/* ---- life ---- */

static int load(void *arg, struct span key, struct span value)
{
	struct promises *p = arg;
	struct promise *x = key.n == KEY_BYTES ? add(p, key, value) : NULL;
	if (x)
		x->committed = true;
	else
		log_warn("A correction that belongs to a commit failed its checksum and is not in "
		         "the series.");
	return 0;
}

int promises_new(struct hub *h, struct series *s, struct promises **ret)
{
	struct promises *p = xcalloc(1, sizeof(*p));
	p->hub = h;
	p->series = s;
	list_init(&p->all);
	int err =
	    store_scan(hub_store(h), STORE_STATE, SPAN(prefix), SPAN(prefix), SIZE_MAX, load, p);
	p->last = MAX_OF(p->last, series_promised(s));
	if (err) {
		promises_free(p);
		return err;
	}
	*ret = p;
	return 0;
}

void promises_free(struct promises *p)
{
	if (!p)
		return;
	series_ask_done(&p->wait);
	while (!list_empty(&p->all))
		promise_free(list_entry(p->all.next, struct promise, node));
	free(p);
}
