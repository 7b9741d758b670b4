/* subscribers.c - GET /v1/subscribers: who is behind on which feed, by how many records, and how
 * many days are left before the first of them is deleted by its age. The stored time of that record
 * is read on the pool. */
#include "base/err.h"
#include "base/mem.h"
#include "session/session.h"
#include "web/private.h"
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

struct look {
	struct job job;
	struct req *req;
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

static void write_one(struct buf *b, const struct one *o, const struct feed *f, int64_t now_ms)
{
	const char *const texts[][2] = {{"organisation", o->organisation},
	                                {"identity", o->identity},
	                                {"client", o->client},
	                                {"way", o->way},
	                                {"feed", f->conf->name}};
	buf_add_char(b, '{');
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
		if (*texts[i][1]) {
			json_write_name(b, texts[i][0]);
			json_write_string(b, span_str(texts[i][1]));
		}
	buf_addf(b, ",\"connected\":%s,\"next\":%llu,\"behind\":%llu",
	         o->connected ? "true" : "false", (unsigned long long)o->next,
	         (unsigned long long)(o->last + 1 - o->next));
	if (!o->stored_ms || f->conf->keep_messages_s) {
		int64_t left_ms =
		    o->stored_ms ? o->stored_ms + (int64_t)f->conf->keep_messages_s * 1000 - now_ms
		                 : 0;
		buf_addf(b, ",\"daysLeft\":%.2f", (double)MAX_OF(left_ms, (int64_t)0) / DAY_MS);
	}
	buf_add_char(b, '}');
}

static void done(struct job *j)
{
	struct look *k = container_of(j, struct look, job);
	struct req *r = k->req;
	if (!req_came(r, 0)) {
		free(k);
		return;
	}
	int64_t now_ms = clock_wall_ms(hub_clock(r->web->hub));
	buf_add_str(&r->out, "{\"subscribers\":[");
	for (unsigned i = 0; i < k->n; i++) {
		if (i)
			buf_add_char(&r->out, ',');
		write_one(&r->out, &k->all[i], hub_feed_at(r->web->hub, k->all[i].feed), now_ms);
	}
	buf_addf(&r->out, "],\"more\":%u}", k->more);
	free(k);
	respond(r, 200, "application/json");
}

void get_subscribers(struct req *r)
{
	if (!only_query(r, ""))
		return;
	struct look *k = xcalloc(1, sizeof(*k));
	k->req = r;
	k->store = hub_store(r->web->hub);
	if (r->web->sessions)
		sessions_each_place(r->web->sessions, add_session, k);
	add_lives(k, r->web);
	k->job = (struct job){.work = work, .done = done};
	req_wait(r);
	r->pending++;
	hub_pool(r->web->hub, &k->job);
}
