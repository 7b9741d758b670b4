/* audit.c - see audit.h. */
#include "access/audit.h"

#include "access/secret.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "feed/record_build.h"
#include "json/json.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES = 4096, TEXT_BYTES = 512, SELDOM_S = 60, KEEP_S = 3 * 366 * 86400 };
static const char topic[] = "oudp/audit";

struct line {
	struct list node; /* audit.waiting, or audit.sent */
	int64_t at_ms;
	struct buf body; /* members before "previous", without the first brace's end */
};

struct audit {
	struct hub *hub;
	char last[SHA256_HEX_BYTES]; /* of the newest record that is on disk */
	char next[SHA256_HEX_BYTES]; /* of the newest that is on its way */
	struct list waiting, sent;   /* struct line.node */
	unsigned n;                  /* waiting */
	uint64_t dropped;            /* since the last record that says so */
	struct {
		uint64_t hash;
		int64_t at_ms;
	} seldom[LIMIT_AUDIT_SELDOM];
	struct hash_key key;
	struct audit_stats stats;
};

/* ---- the feed ---- */

static char **one(const char *text)
{
	char **list = xcalloc(2, sizeof(*list));
	list[0] = xstrdup(text);
	return list;
}

void audit_add_feed(struct config *c)
{
	if (config_feed_find(c, SPAN(AUDIT_FEED)))
		return; /* somebody's own: -n refuses it */
	c->feeds = xrealloc(c->feeds, (c->n_feeds + 1) * sizeof(*c->feeds));
	c->feeds[c->n_feeds++] = (struct config_feed){
	    .name = xstrdup(AUDIT_FEED),
	    .title = xstrdup("Audit"),
	    .description = xstrdup("Who changed what, who was refused, who read personal data."),
	    .topics = one(topic),
	    .schemas = one("any"),
	    .organisation = xstrdup(c->organisation),
	    .builtin = true,
	    .access = CONFIG_INTERNAL,
	    .priority = CONFIG_NORMAL,
	    .keep_messages_s = KEEP_S,
	    .duplicates = CONFIG_KEEP,
	    .max_future_s = 300,
	    .licence = xstrdup(""),
	    .contact = xstrdup(""),
	    .theme = xstrdup(""),
	    .purpose = xstrdup(""),
	    .legal_ground = xstrdup(""),
	    .dpia = xstrdup(""),
	    .privacy = xcalloc(1, sizeof(char *)),
	    .quarantine_max = 1};
}

static struct feed *feed_of(const struct audit *a)
{
	return hub_feed(a->hub, SPAN(AUDIT_FEED));
}

/* ---- the chain ---- */

/* A record is {...,"previous":"HASH","hash":"HASH"}: the last one is of all bytes before its comma.
 */
static bool hash_of(struct span payload, char out[SHA256_HEX_BYTES])
{
	static const size_t tail = sizeof(",\"hash\":\"\"}") - 1 + SHA256_HEX_BYTES - 1;
	if (payload.n <= tail)
		return false;
	memcpy(out, payload.p + payload.n - SHA256_HEX_BYTES - 1, SHA256_HEX_BYTES - 1);
	out[SHA256_HEX_BYTES - 1] = '\0';
	return true;
}

static int take_last(void *arg, uint64_t sequence UNUSED, struct span bytes)
{
	struct audit *a = arg;
	struct record r;
	if (record_read(bytes, false, &r) == 0 && hash_of(r.payload, a->last))
		memcpy(a->next, a->last, sizeof(a->next));
	return 1;
}

int audit_new(struct hub *h, struct audit **ret)
{
	struct audit *a = xcalloc(1, sizeof(*a));
	a->hub = h;
	a->key = hash_key_random();
	list_init(&a->waiting);
	list_init(&a->sent);
	memset(a->last, '0', SHA256_HEX_BYTES - 1);
	memset(a->next, '0', SHA256_HEX_BYTES - 1);
	struct feed *f = feed_of(a);
	int err = f && f->last >= f->first
	              ? store_read_back(hub_store(h), f->id, f->last, 1, take_last, a)
	              : 0;
	if (err) {
		audit_free(a);
		return err;
	}
	*ret = a;
	return 0;
}

static void line_free(struct line *l)
{
	list_remove(&l->node);
	buf_done(&l->body);
	free(l);
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	list_splice(&a->waiting, &a->sent);
	list_for_each_safe (it, &a->waiting)
		line_free(list_entry(it, struct line, node));
	free(a);
}

const struct audit_stats *audit_stats(const struct audit *a)
{
	return &a->stats;
}

/* ---- lines ---- */

static void member(struct buf *b, const char *name, struct span text)
{
	if (!text.n)
		return;
	json_write_name(b, name);
	json_write_string(b, span_of(text.p, MIN_OF(text.n, (size_t)TEXT_BYTES)));
}

static void add(struct audit *a, const char *action, const char *object, const char *result,
                const char *origin, struct span actor, struct span organisation)
{
	struct line *l = xcalloc(1, sizeof(*l));
	char when[RFC3339_BYTES];
	l->at_ms = clock_wall_ms(hub_clock(a->hub));
	rfc3339_format(l->at_ms, when);
	buf_init(&l->body, LINE_BYTES);
	buf_add_char(&l->body, '{');
	member(&l->body, "time", span_of(when, RFC3339_BYTES));
	member(&l->body, "action", span_str(action));
	member(&l->body, "object", span_str(object ? object : ""));
	member(&l->body, "result", span_str(result));
	member(&l->body, "origin", span_str(origin ? origin : ""));
	member(&l->body, "actor", actor);
	member(&l->body, "organisation", organisation);
	list_init(&l->node);
	list_append(&a->waiting, &l->node);
	a->n++;
}

void audit_line(struct audit *a, const char *action, const char *object, const char *result,
                const char *origin, struct span actor, struct span organisation)
{
	if (!a)
		return;
	if (a->n >= LIMIT_AUDIT_WAITING) {
		a->dropped++;
		a->stats.dropped++;
		return;
	}
	add(a, action, object, result, origin, actor, organisation);
}

void audit_seldom(struct audit *a, const char *action, const char *object, const char *result,
                  const char *origin, struct span actor, struct span organisation)
{
	char text[3 * TEXT_BYTES];
	if (!a)
		return;
	int64_t now_ms = clock_wall_ms(hub_clock(a->hub));
	int n = snprintf(text, sizeof(text), "%s\n%s\n%.*s\n%.*s", action, object ? object : "",
	                 (int)MIN_OF(actor.n, (size_t)TEXT_BYTES), actor.p, (int)organisation.n,
	                 organisation.p);
	uint64_t hash = hash64(&a->key, text, MIN_OF((size_t)n, sizeof(text) - 1));
	unsigned slot = hash % LIMIT_AUDIT_SELDOM;
	if (a->seldom[slot].hash == hash && now_ms < a->seldom[slot].at_ms + SELDOM_S * 1000)
		return;
	a->seldom[slot].hash = hash;
	a->seldom[slot].at_ms = now_ms;
	audit_line(a, action, object, result, origin, actor, organisation);
}

void audit_trimmed(struct audit *a, const struct feed *f, uint64_t first)
{
	char result[64];
	snprintf(result, sizeof(result), "records before %llu are deleted",
	         (unsigned long long)first);
	audit_seldom(a, "retention", f->conf->name, result, NULL, SPAN("oudpd"), (struct span){0});
}

void audit_erased(struct audit *a, const char *id, const char *organisation, uint64_t records)
{
	char object[64], result[64];
	snprintf(object, sizeof(object), "erasure %s", id);
	snprintf(result, sizeof(result), "done: %llu records", (unsigned long long)records);
	audit_line(a, "erase", object, result, NULL, SPAN("oudpd"), span_str(organisation));
}

void audit_reload(struct audit *a, bool done)
{
	audit_line(a, "reload", "configuration", done ? "done" : "refused", NULL, SPAN("oudpd"),
	           (struct span){0});
}

/* ---- to the log ---- */

static void committed(const struct answer *answer, int err)
{
	struct audit *a = answer->owner;
	if (err) { /* they never happened, and are told again */
		memcpy(a->next, a->last, sizeof(a->next));
		list_splice(&a->sent, &a->waiting);
		list_splice(&a->waiting, &a->sent);
		return;
	}
	memcpy(a->last, a->next, sizeof(a->last));
	while (!list_empty(&a->sent)) {
		line_free(list_entry(a->sent.next, struct line, node));
		a->stats.written++;
	}
}

static void write_line(struct audit *a, struct feed *f, struct line *l)
{
	struct buf b;
	buf_init(&b, 2 * LINE_BYTES);
	buf_add(&b, l->body.p, l->body.len);
	member(&b, "previous", span_str(a->next));
	secret_sha256_hex(span_of(b.p, b.len), a->next);
	member(&b, "hash", span_str(a->next));
	buf_add_char(&b, '}');
	struct record_parts p = {.topic = span_str(topic),
	                         .publisher = SPAN("oudpd"),
	                         .organisation = span_str(hub_config(a->hub)->organisation),
	                         .payload = span_of(b.p, b.len),
	                         .phenomenon_ms = l->at_ms,
	                         .flags = RECORD_JSON | RECORD_TIME_RECEIVED | RECORD_UTF8 |
	                                  1 << RECORD_QOS_SHIFT};
	size_t n = record_size(&p);
	assert(n && !b.err);
	uint8_t *bytes = hub_alloc(a->hub, n);
	record_build(&p, bytes);
	hub_record(a->hub, f, bytes, n);
	buf_done(&b);
}

void audit_turn(struct audit *a)
{
	struct feed *f = feed_of(a);
	if ((list_empty(&a->waiting) && !a->dropped) || !list_empty(&a->sent) || !f ||
	    !hub_has_room(a->hub, CONFIG_NORMAL, 2 * LINE_BYTES))
		return;
	if (a->dropped) {
		char text[48];
		snprintf(text, sizeof(text), "%llu lines", (unsigned long long)a->dropped);
		a->dropped = 0;
		add(a, "audit.dropped", text, "lost", NULL, SPAN("oudpd"), (struct span){0});
	}
	while (!list_empty(&a->waiting) && hub_has_room(a->hub, CONFIG_NORMAL, 2 * LINE_BYTES)) {
		struct line *l = list_entry(a->waiting.next, struct line, node);
		list_remove(&l->node);
		list_append(&a->sent, &l->node);
		a->n--;
		write_line(a, f, l);
	}
	struct answer answer = {.done = committed, .owner = a, .feed = UINT32_MAX};
	hub_answer(a->hub, &answer);
}
