/* erase_step.c - one step of erasing, on the writer: see erase.h. What it finds it changes in one
 * transaction with the row that says how far it is; that row is written now and then only where
 * nothing was found. */
#include "register/erase_private.h"

#include "base/err.h"
#include "feed/quarantine.h"
#include "register/entities.h"
#include "register/private.h"

#include <stdio.h>

enum { PROGRESS_STEPS = 64, PROGRESS_BYTES = 16, ROW_BYTES = 40 };

static const char row_prefix[] = "erasure/";

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

int erase_progress(struct erasing *w)
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
		w->phase = phase <= ERASE_ENTITIES ? (enum erase_phase)phase : ERASE_LOGS;
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

static void add_bytes(struct buf *b, struct span s)
{
	uint32_t n = (uint32_t)s.n;
	buf_add(b, &n, sizeof(n));
	buf_add_span(b, s);
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
		record_tombstone(&r, w->tombstone[w->n]);
		w->sequence[w->n++] = sequence;
		add_bytes(&w->old, bytes);
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
	w->err = store_read(hub_store(w->of->hub), w->feed, w->next, ERASE_STEP_BYTES, see_record,
	                    w, &next);
	w->feed_ends |= !w->err && w->next == before;
	for (unsigned i = 0; i < w->n; i++)
		record[i] = (struct store_record){
		    w->sequence[i], span_of((char *)w->tombstone[i], RECORD_HEAD_BYTES)};
	if (!w->err)
		w->err = write_step(w, record, w->n, rows, 0, w->steps % PROGRESS_STEPS == 0);
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
	if (w->phase == ERASE_QUARANTINE && quarantine_read(key, value, &row) == 0 &&
	    row.received_ms <= w->e.until_ms) {
		found = in_topic(w, row.topic) || (!row.reduced && in_payload(w, row.payload));
		w->key_feed[w->n] = row.feed;
	} else if (w->phase == ERASE_RETAINED) {
		found = in_topic(w, key);
	} else if (w->phase == ERASE_REGISTER) {
		struct span organisation, thing;
		found =
		    things_row_of(key, &organisation, &thing) && is_thing(w, organisation, thing);
	} else if (w->phase == ERASE_ENTITIES) {
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
	static const enum store_table tables[] = {[ERASE_QUARANTINE] = STORE_QUARANTINE,
	                                          [ERASE_RETAINED] = STORE_RETAINED,
	                                          [ERASE_REGISTER] = STORE_STATE,
	                                          [ERASE_ENTITIES] = STORE_STATE};
	struct store_row rows[LIMIT_ERASE_STEP + 1];
	struct span prefix = w->phase == ERASE_REGISTER   ? SPAN("thing/")
	                     : w->phase == ERASE_ENTITIES ? SPAN(ENTITY_ROWS)
	                                                  : (struct span){0};
	size_t at = 0;
	w->examined = 0;
	w->err = store_scan(hub_store(w->of->hub), tables[w->phase], span_of(w->from, w->from_n),
	                    prefix, ERASE_STEP_BYTES, see_row, w);
	w->phase_ends = w->examined == 0;
	for (unsigned i = 0; i < w->n; i++) {
		struct span key = erase_found(w, &at);
		rows[i] = (struct store_row){tables[w->phase], key, erase_found(w, &at)};
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

void erase_step(struct job *j)
{
	struct erasing *w = container_of(j, struct erasing, job);
	struct store_row rows[1];
	w->n = 0;
	w->err = 0;
	w->feed_ends = false;
	buf_clear(&w->old);
	switch (w->phase) {
	case ERASE_LEDGER: step_ledger(w); break;
	case ERASE_LOGS: step_logs(w); break;
	case ERASE_QUARANTINE:
	case ERASE_RETAINED:
	case ERASE_REGISTER:
	case ERASE_ENTITIES: step_rows(w); break;
	case ERASE_SERIES: break; /* has no step here: go_on() */
	case ERASE_DONE: w->err = write_step(w, NULL, 0, rows, 0, true); break;
	}
}
