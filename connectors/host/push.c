/* push.c - does not know how a source is spoken to; does decide when what it sent is safe. */
#include "host/push.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/spool.h"
#include "host/target.h"

#include <stdlib.h>
#include <string.h>

struct item {
	jv envelope;
	char *p;
	size_t n;
};

struct push {
	struct worker *w;
	const struct push_source *source;
	void *ctx;
	struct item *items;
	size_t n, cap, bytes;
	struct spool spool;
	uint64_t at;      /* of the spool: what is before it is delivered */
	bool left;        /* the source is left alone: no room */
	uint64_t last_ns; /* something came, or we began to listen */
};

static uint64_t now_ns(void)
{
	struct clock c = clock_system();
	return clock_mono_ns(&c);
}

void push_take(struct push *p, jv envelope, const void *bytes, size_t n)
{
	if (p->n == p->cap) {
		p->cap = MAX_OF(p->cap * 2, (size_t)64);
		p->items = xrealloc(p->items, p->cap * sizeof(*p->items));
	}
	struct item *i = &p->items[p->n++];
	*i = (struct item){envelope, xmalloc(n + 1), n};
	memcpy(i->p, bytes, n);
	p->bytes += n;
	p->last_ns = now_ns();
}

bool push_full(const struct push *p)
{
	return p->n >= LIMIT_CONNECT_BATCH || p->bytes >= LIMIT_CONNECT_WINDOW_BYTES;
}

static void clear(struct push *p)
{
	for (size_t i = 0; i < p->n; i++) {
		jv_free(p->items[i].envelope);
		free(p->items[i].p);
	}
	p->n = p->bytes = 0;
}

/* Maps and publishes all of the batch and waits for the answers, for a time. ERR_AGAIN: not all
 * was answered. */
static int publish_batch(struct push *p)
{
	int err = 0;
	target_hurry(p->w->target, LIMIT_CONNECT_HOLD_MS);
	for (size_t i = 0; i < p->n && err == 0; i++)
		err = worker_document(p->w, jv_copy(p->items[i].envelope), p->items[i].p,
		                      p->items[i].n);
	if (err == 0)
		err = worker_deliver(p->w);
	target_hurry(p->w->target, 0);
	if (err == ERR_AGAIN)
		target_forget(p->w->target);
	return err;
}

static int spool_batch(struct push *p)
{
	uint64_t end = p->spool.end;
	int err = 0;
	for (size_t i = 0; i < p->n && err == 0; i++)
		err = spool_add(&p->spool, p->items[i].envelope, p->items[i].p, p->items[i].n);
	if (err == 0)
		err = spool_sync(&p->spool);
	if (err < 0)
		spool_cut(&p->spool, end);
	return err;
}

/* What was taken is delivered, or on the disk, or refused to the source. */
static int settle(struct push *p)
{
	int err = p->at < p->spool.end ? ERR_AGAIN : publish_batch(p);
	if (err == ERR_AGAIN)
		err = spool_batch(p);
	else if (err < 0)
		return err;
	if (err == 0) {
		p->source->accept(p->ctx);
	} else if (p->source->holds) {
		if (!p->left)
			log_warn("source is left alone until there is room connector=%s spool=%llu "
			         "why=\"%s\"",
			         p->w->conf->name, (unsigned long long)p->spool.end, err_text(err));
		p->left = true;
		p->source->leave(p->ctx);
	} else {
		worker_hole(p->w, p->n, "the spool has no room: %s", err_text(err));
		p->source->accept(p->ctx);
	}
	clear(p);
	return 0;
}

/* A batch from the front of the spool. It moves on only when all of it was answered. */
static int drain(struct push *p)
{
	uint64_t at = p->at;
	int err = 0, n = 0, got = 0;
	target_hurry(p->w->target, LIMIT_CONNECT_HOLD_MS);
	while (err == 0 && n++ < LIMIT_CONNECT_BATCH) {
		jv envelope;
		const char *bytes;
		size_t size;
		got = spool_next(&p->spool, &at, &envelope, &bytes, &size);
		if (got == 0)
			break;
		if (got < 0)
			worker_hole(p->w, 1, "the spool is damaged: %s", err_text(got));
		else
			err = worker_document(p->w, envelope, bytes, size);
	}
	if (err == 0)
		err = worker_deliver(p->w);
	target_hurry(p->w->target, 0);
	if (err == ERR_AGAIN) {
		target_forget(p->w->target);
		return 0;
	}
	if (err < 0)
		return err;
	p->at = at;
	if (p->at >= p->spool.end) {
		err = spool_reset(&p->spool);
		p->at = 0;
	}
	return err < 0 ? err : worker_keep_member(p->w, "spool", jv_number((double)p->at));
}

static bool silent(const struct push *p)
{
	return p->n == 0 && p->at >= p->spool.end &&
	       now_ns() - p->last_ns > (uint64_t)LIMIT_CONNECT_SILENT_MS * 1000000;
}

static int rounds(struct push *p)
{
	int err = 0;
	while (err == 0 && !(p->w->once && silent(p))) {
		bool waits = p->at < p->spool.end;
		if (waits && target_is_up(p->w->target))
			err = drain(p);
		if (p->left && p->at >= p->spool.end && target_is_up(p->w->target))
			p->left = false;
		if (err == 0 && p->left)
			err = worker_sleep(p->w, target_is_up(p->w->target) ? 0 : 500);
		else if (err == 0)
			err = p->source->serve(p->ctx, p,
			                       waits && target_is_up(p->w->target) ? 0 : 250);
		if (err == 0 && p->n > 0)
			err = settle(p);
		TALLY_SET(p->w->tally, spooled, p->spool.end - p->at);
		if (err == 0 && worker_stopping(p->w))
			err = ERR_CLOSED;
	}
	return err;
}

static uint64_t spooled_before(struct worker *w)
{
	jv position = worker_position(w);
	jv at = jv_is_valid(position) ? jv_object_get(position, jv_string("spool")) : position;
	uint64_t n = jv_get_kind(at) == JV_KIND_NUMBER ? (uint64_t)jv_number_value(at) : 0;
	jv_free(at);
	return n;
}

int push_run(struct worker *w, const struct push_source *source, void *ctx)
{
	struct push p = {.w = w, .source = source, .ctx = ctx, .at = spooled_before(w)};
	auto_free char *path = w->dry ? NULL : worker_file(w, ".spool");
	int err = spool_open(&p.spool, w->dry ? "/dev/null" : path, w->conf->spool_max, &p.at);
	p.last_ns = now_ns();
	if (err < 0)
		worker_source_failed(w, "%s: %s", path, strerror(-err));
	else
		err = rounds(&p);
	clear(&p);
	free(p.items);
	spool_close(&p.spool);
	return err;
}
