/* sta_rows.c - POST of Observations: one, many (CreateObservations, SensorThings 1.1 clause 12.2),
 * or those in a Datastream that was just made, and the same of MultiDatastreams. Each becomes a
 * message of its Datastream's feed and goes through admission as any other does.
 *
 * The natural key is the Datastream or MultiDatastream and phenomenonTime. What a second
 * Observation of a key means is the feed's: duplicates = ignore, the first counts: the same result
 * again is 200, another is 409; replace, the last counts; keep, both stay. While one is being
 * written its key is held, so that two who write at the same time are told apart. */
#include "web/sta_rows.h"
#include "web/sta_feature.h"
#include "web/sta_group.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REASON_BYTES = 400 };

enum { KEY_BYTES = 17 };

static struct span key_of(enum sta_type t, int64_t id, int64_t ms, char out[KEY_BYTES])
{
	out[0] = (char)t;
	memcpy(out + 1, &id, 8);
	memcpy(out + 9, &ms, 8);
	return span_of(out, KEY_BYTES);
}

bool sta_hold(struct web *w, enum sta_type t, int64_t id, int64_t ms)
{
	char mem[KEY_BYTES];
	struct span key = key_of(t, id, ms, mem);
	bool is_free = !map_get(&w->sta_writing, key);
	if (is_free)
		map_set(&w->sta_writing, key, w);
	return is_free;
}

void sta_let_go(struct web *w, enum sta_type t, int64_t id, int64_t ms)
{
	char mem[KEY_BYTES];
	map_remove(&w->sta_writing, key_of(t, id, ms, mem));
}

static void let_go(struct rows *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!s->row[i].held)
			continue;
		const struct sta_found *x = &s->find.one[s->row[i].stream];
		sta_let_go(s->r->web, x->type, x->id, s->row[i].o.ms);
		s->row[i].held = false;
	}
}

static void rows_free(void *arg)
{
	struct rows *s = arg;
	let_go(s);
	for (size_t i = 0; i < s->n; i++) {
		free(s->row[i].reason);
		free(s->row[i].parts);
		free(s->row[i].compared);
	}
	free(s->row);
	free(s->find.instant);
	sta_find_done(&s->find);
	sta_draft_free(s->inline_feature);
	sta_abort(s->r, s->change);
	json_tape_done(&s->body);
	buf_done(&s->payload);
	buf_done(&s->properties);
	buf_done(&s->text);
	free(s);
}

struct rows *rows_new(struct req *r, enum rows_kind kind)
{
	struct rows *s = xcalloc(1, sizeof(*s));
	s->r = r;
	s->kind = kind;
	json_tape_init(&s->body, LIMIT_STA_TOKENS);
	buf_init(&s->payload, LIMIT_PACKET_BYTES_MAX);
	buf_init(&s->properties, LIMIT_USER_PROPERTIES_BYTES);
	buf_init(&s->text, LIMIT_PACKET_BYTES_MAX);
	r->own = s;
	r->own_free = rows_free;
	return s;
}

void row_refuse(struct row *w, int status, const char *code, const char *fmt, ...)
{
	char text[REASON_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->status = status;
	snprintf(w->code, sizeof(w->code), "%s", code);
	w->reason = xstrdup(text);
}

struct row *row_new(struct rows *s, unsigned stream)
{
	if ((s->n & (s->n - 1)) == 0)
		s->row = xrealloc(s->row, (s->n ? 2 * s->n : 1) * sizeof(*s->row));
	s->row[s->n] = (struct row){.stream = stream};
	return &s->row[s->n++];
}

static void numbered(struct req *r)
{
	struct rows *s = r->own;
	if (!s->find.err)
		rows_answer(s);
}

static void finish(struct rows *s)
{
	for (size_t i = 0; i < s->n && !s->refind; i++)
		s->refind = s->row[i].status < 300 && !s->find.one[s->row[i].stream].of;
	let_go(s);
	if (!s->refind) {
		rows_answer(s);
		return;
	}
	s->find.n_instants = 0;
	sta_find_later(&s->find, s->r, numbered);
}

/* ---- admission ---- */

static void take(struct post *p, const struct result *one)
{
	struct rows *s = p->req->own;
	struct row *w = &s->row[one->token];
	int status = post_status(one);
	if (status < 300) {
		w->status = status;
		w->sequence = one->sequence;
		return;
	}
	w->by_admission = true;
	row_refuse(w, status,
	           status == 507   ? "store-full"
	           : status == 400 ? "refused"
	                           : "denied",
	           "%s", status == 507 ? post_full : one->reason);
	size_t a = strlen(one->schema) + 1, b = strlen(one->pointer) + 1, c = strlen(one->rule) + 1;
	if (status == 400 && a > 1) {
		w->parts = xmalloc(a + b + c);
		memcpy(w->parts, one->schema, a);
		memcpy(w->parts + a, one->pointer, b);
		memcpy(w->parts + a + b, one->rule, c);
	}
}

/* The message that a row is; false: it was refused. */
static bool write_row(struct rows *s, struct post *p, size_t i, struct ingest_message *ret)
{
	struct row *w = &s->row[i];
	struct sta_message message = {&s->payload, &s->properties, ""};
	buf_clear(&s->payload);
	buf_clear(&s->properties);
	const char *why = sta_message(p, s->r->web, &s->find.one[w->stream], &w->o, &message);
	if (why) {
		row_refuse(w, 400, message.code, "%s", why);
		return false;
	}
	*ret = sta_message_of(p, &w->o, &message);
	ret->spent = w->spent;
	return true;
}

/* False: no room now. */
static bool publish_row(struct rows *s, struct post *p, size_t i)
{
	struct ingest_message m;
	return !write_row(s, p, i, &m) || post_publish(p, &m, i);
}

static void publish(struct post *p)
{
	struct rows *s = p->req->own;
	while (s->at < s->n && s->r->pending < LIMIT_WEB_NDJSON_FLIGHT) {
		if (!s->row[s->at].status && !publish_row(s, p, s->at))
			return;
		s->at++;
	}
	if (!s->r->pending && s->at == s->n)
		finish(s);
}

static struct post *post_of(struct rows *s)
{
	struct post *p = s->r->post ? s->r->post : post_new(s->r, NULL);
	p->take = take;
	return p;
}

/* ---- all or nothing ---- */

enum { ROW_OVERHEAD_BYTES = 2048 }; /* of a record and of the names in its message */

size_t sta_message_bytes(const struct sta_found *x, const struct sta_observation *o)
{
	size_t all = ROW_OVERHEAD_BYTES + strlen(x->of_thing) + strlen(x->member);
	for (unsigned k = 0; k < x->n_sides; k++)
		all += strlen(x->side[k].member) + sizeof(x->side[k].unit);
	all += o->result ? o->t->tok[o->result].len : 0;
	for (unsigned k = 0; k < ARRAY_LEN(o->extra); k++)
		all += o->extra[k] ? o->t->tok[o->extra[k]].len : 0;
	return all;
}

static size_t rows_bytes(struct req *r, unsigned *ret_n)
{
	const struct rows *s = r->own;
	size_t all = 0;
	for (size_t i = 0; i < s->n; i++)
		all += sta_message_bytes(&s->find.one[s->row[i].stream], &s->row[i].o);
	*ret_n = (unsigned)s->n;
	return all;
}

static void tried(struct post *p)
{
	rows_answer(p->req->own);
}

static int rows_try(struct req *r)
{
	struct rows *s = r->own;
	struct post *p = post_of(s);
	bool refused = false;
	p->next = tried;
	for (size_t i = 0; i < s->n; i++) {
		struct ingest_message m;
		if (s->row[i].status == 200) /* it stands there already */
			continue;
		int err =
		    s->row[i].status || !write_row(s, p, i, &m) ? ERR_INVALID : post_try(p, &m, i);
		if (err == ERR_AGAIN && !refused)
			return err;
		s->row[i].spent = !err;
		refused |= err == ERR_INVALID;
	}
	if (refused && !s->r->pending)
		rows_answer(s);
	return refused ? ERR_INVALID : 0;
}

static void rows_go(struct req *r)
{
	struct post *p = post_of(r->own);
	p->next = publish;
	req_wait(r);
	publish(p);
}

static const struct sta_waiting rows_waiting = {rows_bytes, rows_try, rows_go};

static void begin_publishing(struct rows *s)
{
	if (s->r->group)
		sta_group_ready(s->r, &rows_waiting);
	else
		rows_go(s->r);
}

/* ---- FeatureOfInterest ---- */

static void feature_kept(void *arg, int err)
{
	struct req *r = arg;
	struct rows *s = r->own;
	s->change = NULL;
	if (sta_committed(r, err))
		begin_publishing(s);
}

static struct entities_change *begin_change(void *arg)
{
	return sta_begin(arg);
}

static void take_feature(struct rows *s, struct row *w)
{
	struct sta_featuring f = {
	    .web = s->r->web, .r = s->r, .change = s->change, .begin = begin_change, .arg = s->r};
	struct sta_feature_refusal why;
	const struct sta_found *y =
	    w->feature ? sta_find_of(&s->find, STA_FEATURE, w->feature) : NULL;
	if (w->status)
		return;
	if (w->feature && (!y || !y->there)) {
		row_refuse(w, 400, "no-such-entity", "there is no FeaturesOfInterest(%lld)",
		           (long long)w->feature);
		return;
	}
	if (!sta_feature_take(&f, &s->find.one[w->stream], w->feature,
	                      s->kind == ROWS_ONE ? s->inline_feature : NULL, &w->o, &why))
		row_refuse(w, why.status, why.code, "%s", why.why);
	s->change = f.change;
}

/* ---- after the look-up ---- */

static void check_row(struct rows *s, struct row *w, const struct sta_instant *i)
{
	struct req *r = s->r;
	const struct sta_found *x = &s->find.one[w->stream];
	const struct feed *f = hub_feed(r->web->hub, span_str(x->feed));
	char why[200];
	if (w->status)
		return;
	if (!x->there || !s->find.leads) {
		row_refuse(w, 404, "no-such-entity", "there is no such %s",
		           sta_entity_name(x->type));
	} else if (strcmp(x->organisation, r->who.organisation) != 0) {
		row_refuse(w, 403, "organisation", "this %s is %s's, and you are %s's",
		           sta_entity_name(x->type), x->organisation, r->who.organisation);
	} else if (sta_observation_fits(&w->o, x, why)) {
		row_refuse(w, 400, "result-type", "%s", why);
	} else if (i->stands && i->rejected) {
		row_refuse(w, 409, "deleted",
		           "the Observation of this phenomenonTime was deleted, and its "
		           "number is not given again");
	} else if (f && f->conf->duplicates == CONFIG_IGNORE) {
		if (w->clash)
			row_refuse(w, 409, "conflict",
			           "an Observation of this phenomenonTime is being "
			           "written");
		else if (i->stands && i->same)
			w->status = 200;
		else if (i->stands)
			row_refuse(w, 409, "conflict",
			           "there is another Observation for this phenomenonTime, and "
			           "the first counts (duplicates = ignore): PATCH that one");
	}
}

static void found(struct req *r)
{
	struct rows *s = r->own;
	if (s->find.err)
		return;
	for (size_t i = 0; i < s->n; i++)
		check_row(s, &s->row[i], &s->find.instant[i]);
	for (size_t i = 0; i < s->n; i++)
		take_feature(s, &s->row[i]);
	bool refused = false;
	for (size_t i = 0; i < s->n; i++)
		refused |= s->row[i].status >= 300;
	if (refused && r->group)
		rows_answer(s);
	else if (s->row && s->kind == ROWS_ONE && s->row[0].status)
		rows_answer(s);
	else if (!s->change)
		begin_publishing(s);
	else
		sta_commit(r, s->change, feature_kept);
}

/* From before the look-up to the answer. */
static void hold(struct rows *s, struct row *w)
{
	const struct sta_found *x = &s->find.one[w->stream];
	w->held = sta_hold(s->r->web, x->type, x->id, w->o.ms);
	w->clash = !w->held;
}

/* What stands at the times of the rows is looked up with their Datastreams. */
void rows_begin(struct rows *s)
{
	s->find.instant = xcalloc(s->n + 1, sizeof(*s->find.instant));
	s->find.n_instants = s->n;
	for (size_t i = 0; i < s->n; i++) {
		const struct row *w = &s->row[i];
		struct sta_instant *t = &s->find.instant[i];
		*t = (struct sta_instant){.stream = w->stream, .ms = w->o.ms};
		if (w->status) /* it is refused already */
			continue;
		hold(s, &s->row[i]);
		s->row[i].compared = sta_instant_of(t, &w->o);
	}
	sta_find_start(&s->find, s->r, found);
}
