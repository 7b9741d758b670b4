/* erase_next.c - between the steps of erasing: memory follows the disk, and which step is next. */
#include "register/erase_private.h"

static struct feed *feed_by_id(struct hub *h, uint32_t id)
{
	for (unsigned i = 0; i < hub_feed_count(h); i++)
		if (hub_feed_at(h, i)->id == id)
			return hub_feed_at(h, i);
	return NULL;
}

static void tell_records(struct erasing *w, struct feed *f)
{
	const struct eraser_hooks *k = &w->of->hooks;
	size_t at = 0;
	for (unsigned i = 0; f && i < w->n; i++) {
		struct record r;
		if (record_read(erase_found(w, &at), false, &r) == 0 && k->record)
			k->record(k->arg, f, &r);
	}
}

void erase_take(struct erasing *w)
{
	struct hub *h = w->of->hub;
	struct feed *f;
	switch (w->phase) {
	case ERASE_LOGS:
		f = feed_by_id(h, w->feed);
		if (f && w->n)
			hub_erased(h, f, w->sequence, w->n);
		tell_records(w, f);
		w->found.records += w->n;
		w->found_in_feed += w->n;
		break;
	case ERASE_QUARANTINE:
		w->found.quarantined += w->n;
		for (unsigned i = 0; i < w->n; i++)
			hub_quarantine_erased(h, w->key_feed[i]);
		break;
	case ERASE_RETAINED: w->found.retained += w->n; break;
	case ERASE_REGISTER:
	case ERASE_ENTITIES: w->found.versions += w->n; break;
	default: break;
	}
}

static void next_phase(struct erasing *w, enum erase_phase phase)
{
	w->phase = phase;
	w->from_n = 0;
	w->next = 0;
}

struct next_log {
	uint32_t after, found;
};

static int see_log(void *arg, struct span name UNUSED, uint32_t id)
{
	struct next_log *n = arg;
	if (id > n->after && (!n->found || id < n->found))
		n->found = id;
	return 0;
}

void erase_next_log(struct erasing *w)
{
	struct next_log n = {.after = w->feed};
	struct feed *f = feed_by_id(w->of->hub, w->feed);
	const struct eraser_hooks *k = &w->of->hooks;
	if (f && w->found_in_feed && k->feed)
		k->feed(k->arg, f, &w->e, w->thing ? span_str(w->thing) : (struct span){0},
		        w->found_in_feed);
	w->found_in_feed = 0;
	int err = store_feed_names(hub_store(w->of->hub), see_log, &n);
	w->feed = n.found;
	w->next = 0;
	if (err || !n.found)
		next_phase(w, ERASE_QUARANTINE);
}

void erase_advance(struct erasing *w)
{
	switch (w->phase) {
	case ERASE_LEDGER:
		next_phase(w, ERASE_LOGS);
		w->feed = 0;
		erase_next_log(w);
		return;
	case ERASE_LOGS:
		if (w->feed_ends)
			erase_next_log(w);
		return;
	case ERASE_QUARANTINE:
	case ERASE_RETAINED:
		if (w->phase_ends)
			next_phase(w, (enum erase_phase)(w->phase + 1));
		return;
	case ERASE_REGISTER:
	case ERASE_ENTITIES:
		if (w->phase_ends)
			next_phase(w, w->phase == ERASE_REGISTER ? ERASE_ENTITIES : ERASE_SERIES);
		return;
	case ERASE_SERIES: next_phase(w, ERASE_DONE); return;
	case ERASE_DONE: w->finished = true; return;
	}
}
