/* sta_tell.c - see sta_tell.h. */
#include "web/sta_tell.h"

#include "base/err.h"
#include "base/mem.h"
#include "session/session.h"
#include "web/sta_telling.h"

#include <stdio.h>
#include <stdlib.h>

/* Entities that somebody wrote. */
void sta_teller_changed(struct sta_teller *t, enum sta_type type, int64_t id)
{
	if (likely(!t || !sessions_have_questions(t->w->sessions)))
		return;
	if (t->n_notes < LIMIT_STA_NOTED)
		t->note[t->n_notes++] = (struct note){type, id};
	else
		t->dropped++;
}

static void on_change(void *arg, const struct entity *x)
{
	sta_teller_changed(arg, x->type, x->id);
}

struct sta_teller *sta_teller_new(struct web *w)
{
	if (!w->series || !w->sessions || !w->entities)
		return NULL;
	struct sta_teller *t = xcalloc(1, sizeof(*t));
	t->w = w;
	buf_init(&t->news, LIMIT_STA_NEWS_BYTES);
	buf_init(&t->of_round, LIMIT_STA_NEWS_BYTES);
	buf_init(&t->told, LIMIT_STA_TOLD_BYTES);
	entities_on_change(w->entities, on_change, t);
	return t;
}

void sta_teller_free(struct sta_teller *t)
{
	if (!t || t->busy) /* a thread has it still: the process ends */
		return;
	entities_on_change(t->w->entities, NULL, NULL);
	buf_done(&t->news);
	buf_done(&t->of_round);
	buf_done(&t->told);
	free(t->listener);
	free(t);
}

bool sta_teller_idle(const struct sta_teller *t)
{
	return !t || !t->busy;
}

void sta_teller_record(struct sta_teller *t, const struct feed *f, const struct record *r)
{
	if (likely(!t || !sessions_have_questions(t->w->sessions)))
		return;
	if (!r->thing.n || (!r->n_results && !(r->flags & RECORD_LOCATION)))
		return;
	struct news n = {.ms = r->phenomenon_ms,
	                 .n_results = r->n_results,
	                 .results_n = (uint32_t)r->results.n,
	                 .feed_n = (uint16_t)f->name.n,
	                 .organisation_n = (uint16_t)r->organisation.n,
	                 .thing_n = (uint16_t)r->thing.n,
	                 .placed = (r->flags & RECORD_LOCATION) != 0,
	                 .place = r->place};
	size_t all = sizeof(n) + n.feed_n + n.organisation_n + n.thing_n + n.results_n;
	if (t->news.len + all > LIMIT_STA_NEWS_BYTES) {
		t->dropped++;
		return;
	}
	buf_add(&t->news, (const char *)&n, sizeof(n));
	buf_add_span(&t->news, f->name);
	buf_add_span(&t->news, r->organisation);
	buf_add_span(&t->news, r->thing);
	buf_add_span(&t->news, r->results);
}

/* ---- a round, on the loop ---- */

static void end_round(struct sta_teller *t)
{
	for (unsigned i = 0; i < t->n_listeners; i++) {
		permit_done(t->listener[i].permit);
		free(t->listener[i].filter);
	}
	t->n_listeners = 0;
	buf_clear(&t->of_round);
	buf_clear(&t->told);
	t->dropped += t->dropped_round;
	t->n_told = t->dropped_round = 0;
	if (t->dropped)
		log_debug("Changes were not told to subscribers of SensorThings: there were too "
		          "many. changes=%llu",
		          (unsigned long long)t->dropped);
	t->dropped = 0;
	t->busy = false;
}

static void done(struct job *job)
{
	struct sta_teller *t = container_of(job, struct sta_teller, job);
	for (size_t at = 0; at < t->told.len;) {
		struct told x;
		memcpy(&x, t->told.p + at, sizeof(x));
		const char *filter = t->told.p + at + sizeof(x);
		sessions_tell(t->w->sessions, x.session, span_of(filter, x.filter_n),
		              span_of(filter + x.filter_n, x.payload_n), x.changed);
		at += sizeof(x) + x.filter_n + x.payload_n;
	}
	end_round(t);
}

static void applied(struct series_ask *a)
{
	struct sta_teller *t = a->arg;
	int err = a->err == ERR_NOT_FOUND ? 0 : a->err;
	series_ask_done(a);
	if (err) {
		log_debug("The series are behind: changes were not told. error=\"%s\"",
		          err_text(err));
		end_round(t);
		return;
	}
	hub_pool(t->w->hub, &t->job);
}

static void add_listener(void *arg, uint64_t session, struct span filter,
                         const struct identity *who)
{
	struct sta_teller *t = arg;
	if (t->n_listeners == t->cap_listeners) {
		t->cap_listeners = t->cap_listeners ? 2 * t->cap_listeners : 16;
		t->listener = xrealloc(t->listener, t->cap_listeners * sizeof(*t->listener));
	}
	struct listener *l = &t->listener[t->n_listeners++];
	const struct listener *former = t->n_listeners > 1 ? l - 1 : NULL;
	*l = (struct listener){
	    .session = session, .filter = xstrndup(filter.p, filter.n), .n = filter.n};
	if (former && former->session == session) { /* a session's come one after the other */
		l->permit = former->permit;
		l->permit->users++;
	} else {
		l->permit = permit_to(ACCESS_SUBSCRIBE, who, t->w, "mqtt");
	}
}

void sta_teller_turn(struct sta_teller *t)
{
	if (likely(!t || (!t->news.len && !t->n_notes)) || t->busy || t->w->draining)
		return;
	memcpy(t->note_of_round, t->note, t->n_notes * sizeof(*t->note));
	t->n_notes_of_round = t->n_notes;
	t->n_notes = 0;
	struct buf empty = t->of_round;
	t->of_round = t->news;
	t->news = empty;
	t->busy = true;
	t->now_ms = clock_wall_ms(hub_clock(t->w->hub));
	sessions_each_question(t->w->sessions, add_listener, t);
	t->job = (struct job){.work = sta_telling_work, .done = done};
	t->wait = (struct series_ask){.what = SERIES_THINGS, .limit = 1, .done = applied, .arg = t};
	series_ask(t->w->series, &t->wait);
}
