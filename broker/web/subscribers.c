/* subscribers.c - GET /v1/subscribers and /admin/subscribers: who is behind on which feed, by how
 * many records, and how many days are left before the first of them is deleted by its age. The
 * stored time of that record is read on the pool. */
#include "base/err.h"
#include "base/mem.h"
#include "session/session.h"
#include "web/pages.h"
#include "json/write.h"

#include <stdlib.h>

enum { NAME_BYTES = 80, DAY_MS = 86400 * 1000 };

struct one {
	char client[NAME_BYTES], identity[NAME_BYTES], organisation[NAME_BYTES];
	const char *way;
	bool connected;
	uint32_t feed, feed_id; /* index; of its log */
	uint64_t next, first, last;
	int64_t stored_ms; /* of next; 0: it is gone */
};

struct look;
typedef void (*answer_fn)(struct req *r, const struct look *k, int64_t now_ms);

struct look {
	struct job job;
	struct req *req;
	answer_fn answer;
	struct store *store;
	unsigned n, more; /* more: beyond those that are listed */
	struct one all[LIMIT_SUBSCRIBERS_SHOWN];
};

static void copy(char out[NAME_BYTES], struct span s)
{
	size_t n = MIN_OF(s.n, (size_t)NAME_BYTES - 1);
	if (n)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

static bool add(struct look *k, const char *way, struct span client, struct span identity,
                struct span organisation, const struct feed *f, uint64_t next, bool connected)
{
	if (k->n == LIMIT_SUBSCRIBERS_SHOWN) {
		k->more++;
		return true;
	}
	struct one *o = &k->all[k->n++];
	copy(o->client, client);
	copy(o->identity, identity);
	copy(o->organisation, organisation);
	o->way = way;
	o->connected = connected;
	o->feed = f->index;
	o->feed_id = f->id;
	o->next = next;
	o->first = f->first;
	o->last = f->last;
	return true;
}

static bool add_session(void *arg, const struct session_place *p)
{
	return add(arg, "mqtt", p->client_id, p->identity, p->organisation, p->feed, p->next,
	           p->connected);
}

static void add_lives(struct look *k, const struct web *w)
{
	list_for_each (it, &w->lives) {
		const struct live *l = list_entry(it, struct live, node);
		uint64_t next = l->member.frames ? l->member.next : l->cursor.next;
		if (l->kind == LIVE_PAGE || l->ended || (!l->cursor.feed && !l->member.frames) ||
		    next > l->feed->last)
			continue;
		add(k, l->kind == LIVE_WS ? "websocket" : "stream", (struct span){0}, l->who.name,
		    span_str(l->who.organisation), l->feed, next, true);
	}
}

/* ---- on the pool ---- */

static int take_time(void *arg, uint64_t sequence UNUSED, struct span bytes)
{
	struct record r;
	if (record_read(bytes, false, &r) == 0)
		*(int64_t *)arg = r.stored_ms;
	return 1;
}

static void work(struct job *j)
{
	struct look *k = container_of(j, struct look, job);
	for (unsigned i = 0; i < k->n; i++) {
		struct one *o = &k->all[i];
		uint64_t next;
		if (o->next >= o->first &&
		    store_read(k->store, o->feed_id, o->next, 1, take_time, &o->stored_ms, &next))
			o->stored_ms = 0; /* shown as gone: the reader will be told the same */
	}
}

/* False: it has all the time. Else the days until its next record is deleted; 0: it is gone. */
static bool days_left(const struct one *o, const struct feed *f, int64_t now_ms, double *ret)
{
	if (o->stored_ms && !f->conf->keep_messages_s)
		return false;
	int64_t left_ms =
	    o->stored_ms ? o->stored_ms + (int64_t)f->conf->keep_messages_s * 1000 - now_ms : 0;
	*ret = (double)MAX_OF(left_ms, (int64_t)0) / DAY_MS;
	return true;
}

static void done(struct job *j)
{
	struct look *k = container_of(j, struct look, job);
	struct req *r = k->req;
	if (req_came(r, 0))
		k->answer(r, k, clock_wall_ms(hub_clock(r->web->hub)));
	free(k);
}

static void look(struct req *r, answer_fn answer)
{
	struct look *k = xcalloc(1, sizeof(*k));
	k->req = r;
	k->answer = answer;
	k->store = hub_store(r->web->hub);
	if (r->web->sessions)
		sessions_each_place(r->web->sessions, add_session, k);
	add_lives(k, r->web);
	k->job = (struct job){.work = work, .done = done};
	req_wait(r);
	r->pending++;
	hub_pool(r->web->hub, &k->job);
}

/* ---- as JSON ---- */

static void write_one(struct buf *b, const struct one *o, const struct feed *f, int64_t now_ms)
{
	const char *const texts[][2] = {{"organisation", o->organisation},
	                                {"identity", o->identity},
	                                {"client", o->client},
	                                {"way", o->way},
	                                {"feed", f->conf->name}};
	double days;
	buf_add_char(b, '{');
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
		if (*texts[i][1]) {
			json_write_name(b, texts[i][0]);
			json_write_string(b, span_str(texts[i][1]));
		}
	buf_addf(b, ",\"connected\":%s,\"next\":%llu,\"behind\":%llu",
	         o->connected ? "true" : "false", (unsigned long long)o->next,
	         (unsigned long long)(o->last + 1 - o->next));
	if (days_left(o, f, now_ms, &days))
		buf_addf(b, ",\"daysLeft\":%.2f", days);
	buf_add_char(b, '}');
}

static void write_json(struct req *r, const struct look *k, int64_t now_ms)
{
	buf_add_str(&r->out, "{\"subscribers\":[");
	for (unsigned i = 0; i < k->n; i++) {
		if (i)
			buf_add_char(&r->out, ',');
		write_one(&r->out, &k->all[i], hub_feed_at(r->web->hub, k->all[i].feed), now_ms);
	}
	buf_addf(&r->out, "],\"more\":%u}", k->more);
	respond(r, 200, "application/json");
}

void get_subscribers(struct req *r)
{
	if (only_query(r, ""))
		look(r, write_json);
}

/* ---- as a page ---- */

static void text_cell(struct page *p, const char *label, const char *text)
{
	html_open(&p->h, "td");
	html_attr(&p->h, "data-label", label);
	html_text(&p->h, text);
	html_close(&p->h, "td");
}

static void page_row(struct page *p, const struct one *o, const struct feed *f)
{
	struct html *h = &p->h;
	double days;
	html_open(h, "tr");
	html_open(h, "th");
	html_attr(h, "scope", "row");
	html_text(h, *o->identity ? o->identity : say(p, "onbekend", "unknown"));
	html_open(h, "small");
	html_textf(h, " %s %s", o->organisation, o->client);
	html_close(h, "small");
	html_close(h, "th");
	text_cell(p, say(p, "Gegevens", "Data"), page_feed_title(p, f->conf));
	text_cell(p, say(p, "Langs", "Over"), o->way);
	html_open(h, "td");
	html_attr(h, "class", "number");
	html_attr(h, "data-label", say(p, "Berichten achter", "Messages behind"));
	page_words(p, words_count, o->last + 1 - o->next);
	html_close(h, "td");
	html_open(h, "td");
	html_attr(h, "data-label", say(p, "Tijd over", "Time left"));
	if (!days_left(o, f, p->now_ms, &days))
		html_text(h, say(p, "onbeperkt", "without a limit"));
	else if (days > 0)
		page_words(p, words_duration, (uint64_t)(days * (DAY_MS / 1000)));
	else
		html_element(h, "span", "badge warn", say(p, "mist berichten", "misses messages"));
	html_close(h, "td");
	text_cell(p, say(p, "Verbonden", "Connected"),
	          o->connected ? say(p, "ja", "yes") : say(p, "nee", "no"));
	html_close(h, "tr");
}

static void write_page(struct req *r, const struct look *k, int64_t now_ms UNUSED)
{
	struct page p;
	page_begin(&p, r, "Wie loopt achter", "Who is behind", "");
	html_element(&p.h, "p", "lead",
	             say(&p,
	                 "Afnemers die nog niet alles hebben, en hoe lang hun volgende bericht "
	                 "nog wordt bewaard.",
	                 "Subscribers that do not have everything yet, and for how long their next "
	                 "message is still kept."));
	html_open(&p.h, "div");
	html_attr(&p.h, "data-part", "lag");
	if (!k->n)
		html_element(
		    &p.h, "p", "none",
		    say(&p, "Niemand: iedereen is bij.", "Nobody: everybody is up to date."));
	for (unsigned i = 0; i < k->n; i++) {
		if (!i) {
			const char *const heads[] = {say(&p, "Wie", "Who"),
			                             say(&p, "Gegevens", "Data"),
			                             say(&p, "Langs", "Over"),
			                             say(&p, "Berichten achter", "Messages behind"),
			                             say(&p, "Tijd over", "Time left"),
			                             say(&p, "Verbonden", "Connected")};
			page_heads(&p, heads, ARRAY_LEN(heads));
			html_open(&p.h, "tbody");
		}
		page_row(&p, &k->all[i], hub_feed_at(r->web->hub, k->all[i].feed));
	}
	if (k->n) {
		html_close(&p.h, "tbody");
		html_close(&p.h, "table");
	}
	if (k->more)
		page_counts(&p, "En nog # andere.", "And # others.", k->more, 0);
	html_close(&p.h, "div");
	page_end(&p);
}

void get_lag(struct req *r)
{
	if (page_query(r, "lang"))
		look(r, write_page);
}
