/* erase.c - see erase.h. What a step finds it changes in one transaction with the row that says how
 * far it is; that row is written now and then only where nothing was found. */
#include "register/erase.h"
#include "register/entities.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/erased.h"
#include "feed/quarantine.h"
#include "register/erase_series.h"
#include "register/private.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>

enum phase {
	PHASE_LEDGER,
	PHASE_LOGS,
	PHASE_QUARANTINE,
	PHASE_RETAINED,
	PHASE_REGISTER,
	PHASE_SERIES,
	PHASE_DONE,
	PHASE_ENTITIES /* before the series; on disk these numbers stay */
};
enum {
	STEP_BYTES = 4 << 20,
	PROGRESS_STEPS = 64,
	PROGRESS_BYTES = 16,
	ROW_BYTES = 40,
	PAYLOAD_TOKENS = 1 << 16
};

static const char row_prefix[] = "erasure/";

struct erasing {
	struct job job;
	struct list node;
	struct eraser *of;
	struct erasure e;
	char *thing; /* NULL: known by its hash only */
	enum phase phase;
	struct erased found;
	uint64_t found_in_feed;
	int err;
	unsigned steps;
	erase_done_fn done;
	void *arg;
	bool finished;
	/* where it is: PHASE_LOGS */
	uint32_t feed;
	uint64_t next, examined;
	bool feed_ends;
	/* the others: the key to go on after */
	char from[STORE_KEY_BYTES_MAX + 1];
	size_t from_n;
	bool phase_ends;
	/* what this step found */
	unsigned n;
	uint64_t sequence[LIMIT_ERASE_STEP];
	uint8_t tombstone[LIMIT_ERASE_STEP][RECORD_HEAD_BYTES];
	uint32_t key_feed[LIMIT_ERASE_STEP]; /* of a quarantine row */
	struct buf old;                      /* u32 bytes, record; or u32 bytes, key */
	struct erase_series series;
};

struct eraser {
	struct hub *hub;
	struct things *things;
	struct series *series;     /* NULL: there is none */
	struct entities *entities; /* the same */
	char *path;
	struct eraser_hooks hooks;
	struct list queue; /* struct erasing; the first one runs */
	unsigned n;
	bool running, stopping;
	struct json_tape tape; /* the writer's, for payloads in quarantine */
};

/* ---- is it of this thing? ---- */

static bool is_thing(const struct erasing *w, struct span organisation, struct span thing)
{
	if (w->thing) /* the same answer, without a hash */
		return span_is(organisation, w->e.organisation) && span_is(thing, w->thing);
	return erasure_matches(&w->e, organisation, thing);
}

/* A level of the topic is its id. */
static bool in_topic(const struct erasing *w, struct span topic)
{
	while (topic.n) {
		const char *slash = memchr(topic.p, '/', topic.n);
		size_t n = slash ? (size_t)(slash - topic.p) : topic.n;
		if (is_thing(w, span_str(w->e.organisation), span_of(topic.p, n)))
			return true;
		n += slash ? 1 : 0;
		topic = span_of(topic.p + n, topic.n - n);
	}
	return false;
}

/* A text or number of the payload is its id, or ends with it as a URN does. */
static bool in_payload(const struct erasing *w, struct span payload)
{
	struct json_tape *t = &w->of->tape;
	struct span organisation = span_str(w->e.organisation);
	size_t at;
	const char *why;
	if (json_parse(t, payload, &at, &why)) /* no JSON: its bytes as they are, when known */
		return w->thing && *w->thing &&
		       memmem(payload.p, payload.n, w->thing, strlen(w->thing)) != NULL;
	for (uint32_t i = 0; i < t->n; i++) {
		char text[LIMIT_TOPIC_BYTES];
		struct span s = json_text(t, i);
		if ((t->tok[i].type != JSON_STRING && t->tok[i].type != JSON_NUMBER) ||
		    s.n > sizeof(text) || !s.n)
			continue;
		if (t->tok[i].type == JSON_STRING && t->tok[i].flags & JSON_ESCAPED)
			s = span_of(text, json_unescape(s, text));
		const char *colon = memrchr(s.p, ':', s.n);
		if (is_thing(w, organisation, s) ||
		    (colon && is_thing(w, organisation,
		                       span_of(colon + 1, s.n - (size_t)(colon + 1 - s.p)))))
			return true;
	}
	return false;
}

/* ---- the row that says how far it is ---- */

static struct span progress_key(const struct erasing *w, char out[ROW_BYTES])
{
	int n = snprintf(out, ROW_BYTES, "%s%s", row_prefix, w->e.id);
	return span_of(out, (size_t)n);
}

static struct span progress_value(const struct erasing *w, char out[PROGRESS_BYTES])
{
	uint32_t phase = w->phase;
	memcpy(out, &phase, 4);
	memcpy(out + 4, &w->feed, 4);
	memcpy(out + 8, &w->next, 8);
	return span_of(out, PROGRESS_BYTES);
}

static int read_progress(struct erasing *w)
{
	char key[ROW_BYTES];
	struct buf b;
	uint32_t phase;
	buf_init(&b, 64);
	int err = store_get(hub_store(w->of->hub), STORE_STATE, progress_key(w, key), &b);
	if (!err && b.len == PROGRESS_BYTES) {
		memcpy(&phase, b.p, 4);
		memcpy(&w->feed, b.p + 4, 4);
		memcpy(&w->next, b.p + 8, 8);
		w->phase = phase <= PHASE_ENTITIES ? (enum phase)phase : PHASE_LOGS;
	}
	buf_done(&b);
	return err == ERR_NOT_FOUND ? 0 : err;
}

/* ---- steps, on the writer ---- */

/* Changes what was found, and notes how far this is; the latter alone only now and then. */
static int write_step(struct erasing *w, const struct store_record *records, unsigned n_records,
                      struct store_row *rows, unsigned n_rows, bool note)
{
	char key[ROW_BYTES], value[PROGRESS_BYTES];
	if (!n_records && !n_rows && !note)
		return 0;
	rows[n_rows++] =
	    (struct store_row){STORE_STATE, progress_key(w, key), progress_value(w, value)};
	struct store_rewrite r = {.feed = w->feed,
	                          .record = records,
	                          .n_records = n_records,
	                          .row = rows,
	                          .n_rows = n_rows};
	return store_rewrite(hub_store(w->of->hub), &r);
}

static int see_record(void *arg, uint64_t sequence, struct span bytes)
{
	struct erasing *w = arg;
	struct record r;
	int err = record_read(bytes, true, &r);
	if (err)
		return err;
	if (r.stored_ms > w->e.until_ms) { /* stored times never go back */
		w->feed_ends = true;
		return 1;
	}
	w->next = sequence + 1;
	w->examined++;
	if (is_thing(w, r.organisation, r.thing)) {
		uint32_t n = (uint32_t)bytes.n;
		record_tombstone(&r, w->tombstone[w->n]);
		w->sequence[w->n++] = sequence;
		buf_add(&w->old, &n, sizeof(n));
		buf_add_span(&w->old, bytes);
	}
	return w->old.err ? w->old.err
	                  : w->n == LIMIT_ERASE_STEP || w->examined == LIMIT_ERASE_EXAMINED;
}

static void step_logs(struct erasing *w)
{
	struct store_record record[LIMIT_ERASE_STEP];
	struct store_row rows[1];
	uint64_t before = w->next, next;
	w->examined = 0;
	w->err =
	    store_read(hub_store(w->of->hub), w->feed, w->next, STEP_BYTES, see_record, w, &next);
	w->feed_ends |= !w->err && w->next == before;
	for (unsigned i = 0; i < w->n; i++)
		record[i] = (struct store_record){
		    w->sequence[i], span_of((char *)w->tombstone[i], RECORD_HEAD_BYTES)};
	if (!w->err)
		w->err = write_step(w, record, w->n, rows, 0, w->steps % PROGRESS_STEPS == 0);
}

static void add_bytes(struct buf *b, struct span s)
{
	uint32_t n = (uint32_t)s.n;
	buf_add(b, &n, sizeof(n));
	buf_add_span(b, s);
}

static struct span next_bytes(const struct buf *b, size_t *at)
{
	uint32_t n;
	memcpy(&n, b->p + *at, sizeof(n));
	struct span s = span_of(b->p + *at + sizeof(n), n);
	*at += sizeof(n) + n;
	return s;
}

static int see_row(void *arg, struct span key, struct span value)
{
	struct erasing *w = arg;
	bool found = false;
	struct quarantine_row row;
	struct buf tomb; /* what stays of the row; nothing: it goes */
	buf_init(&tomb, LIMIT_ENTITY_BYTES);
	memcpy(w->from, key.p, key.n);
	w->from[key.n] = '\0'; /* the least key after this one */
	w->from_n = key.n + 1;
	if (w->phase == PHASE_QUARANTINE && quarantine_read(key, value, &row) == 0 &&
	    row.received_ms <= w->e.until_ms) {
		found = in_topic(w, row.topic) || (!row.reduced && in_payload(w, row.payload));
		w->key_feed[w->n] = row.feed;
	} else if (w->phase == PHASE_RETAINED) {
		found = in_topic(w, key);
	} else if (w->phase == PHASE_REGISTER) {
		struct span organisation, thing;
		found =
		    things_row_of(key, &organisation, &thing) && is_thing(w, organisation, thing);
	} else if (w->phase == PHASE_ENTITIES) {
		found = entity_row_erase(value, &w->e, &tomb);
	}
	w->examined++;
	if (found) {
		add_bytes(&w->old, key);
		add_bytes(&w->old, span_of(tomb.p, tomb.len));
		w->n++;
	}
	buf_done(&tomb);
	return w->old.err ? w->old.err
	                  : w->n == LIMIT_ERASE_STEP || w->examined == LIMIT_ERASE_EXAMINED;
}

static void step_rows(struct erasing *w)
{
	static const enum store_table tables[] = {[PHASE_QUARANTINE] = STORE_QUARANTINE,
	                                          [PHASE_RETAINED] = STORE_RETAINED,
	                                          [PHASE_REGISTER] = STORE_STATE,
	                                          [PHASE_ENTITIES] = STORE_STATE};
	struct store_row rows[LIMIT_ERASE_STEP + 1];
	struct span prefix = w->phase == PHASE_REGISTER   ? SPAN("thing/")
	                     : w->phase == PHASE_ENTITIES ? SPAN(ENTITY_ROWS)
	                                                  : (struct span){0};
	size_t at = 0;
	w->examined = 0;
	w->err = store_scan(hub_store(w->of->hub), tables[w->phase], span_of(w->from, w->from_n),
	                    prefix, STEP_BYTES, see_row, w);
	w->phase_ends = w->examined == 0;
	for (unsigned i = 0; i < w->n; i++) {
		struct span key = next_bytes(&w->old, &at);
		rows[i] = (struct store_row){tables[w->phase], key, next_bytes(&w->old, &at)};
	}
	if (!w->err)
		w->err = write_step(w, NULL, 0, rows, w->n, false);
}

static void step_ledger(struct erasing *w)
{
	struct buf line;
	buf_init(&line, 1024);
	erasure_write(&w->e, &line);
	w->err = ledger_append(w->of->path, span_of(line.p, line.len));
	buf_done(&line);
}

static void step_work(struct job *j)
{
	struct erasing *w = container_of(j, struct erasing, job);
	struct store_row rows[1];
	w->n = 0;
	w->err = 0;
	w->feed_ends = false;
	buf_clear(&w->old);
	switch (w->phase) {
	case PHASE_LEDGER: step_ledger(w); break;
	case PHASE_LOGS: step_logs(w); break;
	case PHASE_QUARANTINE:
	case PHASE_RETAINED:
	case PHASE_REGISTER:
	case PHASE_ENTITIES: step_rows(w); break;
	case PHASE_SERIES: break; /* has no step here: go_on() */
	case PHASE_DONE: w->err = write_step(w, NULL, 0, rows, 0, true); break;
	}
}

/* ---- between steps, on the loop ---- */

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
		uint32_t n;
		struct record r;
		memcpy(&n, w->old.p + at, sizeof(n));
		at += sizeof(n);
		if (record_read(span_of(w->old.p + at, n), false, &r) == 0 && k->record)
			k->record(k->arg, f, &r);
		at += n;
	}
}

/* What was found is gone from the disk: it goes from memory. */
static void take_found(struct erasing *w)
{
	struct hub *h = w->of->hub;
	struct feed *f;
	switch (w->phase) {
	case PHASE_LOGS:
		f = feed_by_id(h, w->feed);
		if (f && w->n)
			hub_erased(h, f, w->sequence, w->n);
		tell_records(w, f);
		w->found.records += w->n;
		w->found_in_feed += w->n;
		break;
	case PHASE_QUARANTINE:
		w->found.quarantined += w->n;
		for (unsigned i = 0; i < w->n; i++)
			hub_quarantine_erased(h, w->key_feed[i]);
		break;
	case PHASE_RETAINED: w->found.retained += w->n; break;
	case PHASE_REGISTER:
	case PHASE_ENTITIES: w->found.versions += w->n; break;
	default: break;
	}
}

static void next_phase(struct erasing *w, enum phase phase)
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

/* To the next log of the store, also of a feed that is not configured; then on. */
static void next_log(struct erasing *w)
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
		next_phase(w, PHASE_QUARANTINE);
}

static void advance(struct erasing *w)
{
	switch (w->phase) {
	case PHASE_LEDGER:
		next_phase(w, PHASE_LOGS);
		w->feed = 0;
		next_log(w);
		return;
	case PHASE_LOGS:
		if (w->feed_ends)
			next_log(w);
		return;
	case PHASE_QUARANTINE:
	case PHASE_RETAINED:
		if (w->phase_ends)
			next_phase(w, (enum phase)(w->phase + 1));
		return;
	case PHASE_REGISTER:
	case PHASE_ENTITIES:
		if (w->phase_ends)
			next_phase(w, w->phase == PHASE_REGISTER ? PHASE_ENTITIES : PHASE_SERIES);
		return;
	case PHASE_SERIES: next_phase(w, PHASE_DONE); return;
	case PHASE_DONE: w->finished = true; return;
	}
}

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
	if (w->phase != PHASE_SERIES) {
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
	advance(w);
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
	take_found(w);
	w->steps++;
	advance(w);
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
	w->job = (struct job){.work = step_work, .done = step_done};
	w->of = e;
	buf_init(&w->old, 2u * STEP_BYTES + 2u * LIMIT_PACKET_BYTES_MAX);
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
	w->phase = PHASE_LOGS;
	int err = read_progress(w);
	if (err || w->phase == PHASE_DONE)
		drop(w);
	else if (w->phase == PHASE_LOGS && !w->feed)
		next_log(w);
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
	if (w && e->running && w->phase == PHASE_SERIES) { /* done again at the next start */
		erase_series_stop(&w->series);
		e->running = false;
	}
}

void eraser_second(struct eraser *e)
{
	run_first(e);
}

unsigned eraser_waiting(const struct eraser *e)
{
	return e->n;
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
