/* erase.c - see erase.h: erasures one after the other, from the ledger or as they are asked for. */
#include "register/erase_private.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "register/entities.h"

#include <stdio.h>
#include <stdlib.h>

static void run_first(struct eraser *e);

static void finish(struct erasing *w)
{
	struct eraser *e = w->of;
	const struct erased *f = &w->found;
	list_remove(&w->node);
	e->n--;
	e->running = false;
	if (w->err) {
		log_error("A thing could not be erased: %s. It is tried again at the next start. "
		          "erasure=%s",
		          err_text(w->err), w->e.id);
	} else {
		things_erased(e->things, &w->e);
		if (e->entities)
			entities_erased(e->entities, &w->e);
		log_info("A thing was erased. erasure=%s organisation=%s records=%llu "
		         "quarantined=%llu versions=%llu observations=%llu",
		         w->e.id, w->e.organisation, (unsigned long long)f->records,
		         (unsigned long long)f->quarantined, (unsigned long long)f->versions,
		         (unsigned long long)f->observations);
		if (e->hooks.done)
			e->hooks.done(e->hooks.arg, &w->e, f);
	}
	if (w->done)
		w->done(w->arg, f, w->err);
	buf_done(&w->old);
	free(w->thing);
	free(w);
	run_first(e);
}

static void series_done(struct erase_series *s);

static void go_on(struct erasing *w)
{
	struct eraser *e = w->of;
	if (w->phase != ERASE_SERIES) {
		hub_writer(e->hub, &w->job);
		return;
	}
	w->series.series = e->series;
	w->series.e = &w->e;
	w->series.thing = w->thing;
	w->series.done = series_done;
	if (e->series)
		erase_series_begin(&w->series);
	else
		series_done(&w->series);
}

static void series_done(struct erase_series *s)
{
	struct erasing *w = container_of(s, struct erasing, series);
	if (s->err == ERR_AGAIN) { /* the series is behind: in a second */
		w->of->running = false;
		return;
	}
	w->err = s->err;
	if (w->err) {
		finish(w);
		return;
	}
	w->found.observations += s->points;
	erase_advance(w);
	go_on(w);
}

static void step_done(struct job *j)
{
	struct erasing *w = container_of(j, struct erasing, job);
	struct eraser *e = w->of;
	if (w->err == ERR_STORE_FULL) { /* when there is room again */
		e->running = false;
		return;
	}
	if (w->err) {
		finish(w);
		return;
	}
	erase_take(w);
	w->steps++;
	erase_advance(w);
	if (w->finished) {
		finish(w);
	} else if (e->stopping) {
		e->running = false;
	} else {
		go_on(w);
	}
}

static void run_first(struct eraser *e)
{
	if (e->running || e->stopping || list_empty(&e->queue))
		return;
	struct erasing *w = list_entry(e->queue.next, struct erasing, node);
	e->running = true;
	go_on(w);
}

static struct erasing *add(struct eraser *e)
{
	struct erasing *w = xcalloc(1, sizeof(*w));
	w->job = (struct job){.work = erase_step, .done = step_done};
	w->of = e;
	buf_init(&w->old, 2u * ERASE_STEP_BYTES + 2u * LIMIT_PACKET_BYTES_MAX);
	list_init(&w->node);
	list_append(&e->queue, &w->node);
	e->n++;
	return w;
}

static void drop(struct erasing *w)
{
	list_remove(&w->node);
	w->of->n--;
	buf_done(&w->old);
	free(w->thing);
	free(w);
}

/* ---- life ---- */

void eraser_new(struct hub *h, struct things *t, const char *path, const struct eraser_hooks *hooks,
                struct eraser **ret)
{
	struct eraser *e = xcalloc(1, sizeof(*e));
	e->hub = h;
	e->things = t;
	e->path = xstrdup(path);
	e->hooks = *hooks;
	list_init(&e->queue);
	json_tape_init(&e->tape, LIMIT_JSON_TOKENS);
	*ret = e;
}

void eraser_free(struct eraser *e)
{
	if (!e)
		return;
	assert(!e->running);
	list_for_each_safe (it, &e->queue)
		drop(list_entry(it, struct erasing, node));
	json_tape_done(&e->tape);
	free(e->path);
	free(e);
}

static int add_from_ledger(void *arg, const struct erasure *of)
{
	struct eraser *e = arg;
	struct erasing *w = add(e);
	w->e = *of;
	w->phase = ERASE_LOGS;
	int err = erase_progress(w);
	if (err || w->phase == ERASE_DONE)
		drop(w);
	else if (w->phase == ERASE_LOGS && !w->feed)
		erase_next_log(w);
	return err;
}

int eraser_start(struct eraser *e)
{
	int err = ledger_each(e->path, add_from_ledger, e);
	if (e->n)
		log_info("Erasures of the ledger are being worked off. erasures=%u", e->n);
	run_first(e);
	return err;
}

void eraser_set_series(struct eraser *e, struct series *s)
{
	e->series = s;
}

void eraser_set_entities(struct eraser *e, struct entities *of)
{
	e->entities = of;
}

void eraser_stop(struct eraser *e)
{
	struct erasing *w =
	    list_empty(&e->queue) ? NULL : list_entry(e->queue.next, struct erasing, node);
	e->stopping = true;
	if (w && e->running && w->phase == ERASE_SERIES) { /* done again at the next start */
		erase_series_stop(&w->series);
		e->running = false;
	}
}

void eraser_second(struct eraser *e)
{
	run_first(e);
}

/* Everything that was under way is committed: what is stored now is what goes. */
static void begin(const struct answer *a, int err UNUSED)
{
	struct erasing *w = a->owner;
	struct eraser *e = w->of;
	struct erasure asked = w->e; /* organisation and reason only */
	erasure_make(&w->e, hub_last_stored_ms(e->hub), span_str(asked.organisation),
	             span_str(w->thing), span_str(asked.reason));
	list_append(&e->queue, &w->node);
	run_first(e);
}

int eraser_erase(struct eraser *e, struct span organisation, struct span thing, struct span reason,
                 erase_done_fn done, void *arg)
{
	if (!organisation.n || organisation.n >= sizeof(((struct erasure *)0)->organisation) ||
	    !thing.n || thing.n > LIMIT_TOPIC_BYTES)
		return ERR_TOO_LARGE;
	if (e->n >= LIMIT_ERASURES || e->stopping || !hub_has_state_room(e->hub, 0))
		return ERR_AGAIN;
	struct erasing *w = add(e);
	list_remove(&w->node); /* it queues when its time is known */
	w->thing = xcalloc(1, thing.n + 1);
	memcpy(w->thing, thing.p, thing.n);
	snprintf(w->e.organisation, sizeof(w->e.organisation), "%.*s", (int)organisation.n,
	         organisation.p);
	snprintf(w->e.reason, sizeof(w->e.reason), "%.*s",
	         (int)MIN_OF(reason.n, sizeof(w->e.reason) - 1), reason.n ? reason.p : "");
	w->done = done;
	w->arg = arg;
	struct answer a = {.done = begin, .owner = w, .feed = UINT32_MAX};
	hub_answer(e->hub, &a);
	return 0;
}
