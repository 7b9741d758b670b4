/* erased.c - erasing a thing: asked for by the administrator, told to the feed's subscribers. */
#include "register/erase.h"

#include "base/err.h"
#include "base/mem.h"
#include "web/private.h"
#include "json/json.h"
#include "json/write.h"

#include <stdlib.h>

/* ---- telling ---- */

/* Whether the subscriber could have seen the thing; nobody else hears its name. */
static bool concerns(const struct live *l, const struct feed *f, struct span thing)
{
	if (l->feed != f || l->kind == LIVE_PAGE || !l->wsi || l->ended)
		return false;
	if (thing.n && l->partial && access_covers(&l->who, ACCESS_SUBSCRIBE, f, thing, NULL))
		return false;
	return !l->filter.thing_n || !thing.n ||
	       span_eq(thing, span_of(l->filter.thing, l->filter.thing_n));
}

struct span web_erased(struct web *w, struct feed *f, struct span organisation, struct span thing,
                       uint64_t records)
{
	frames_forget(&w->frames, f);
	seen_erased(&w->seen, f);
	struct buf *one = &w->one;
	buf_clear(one);
	event_write_erased(one, &w->event, f, organisation, thing, records,
	                   clock_wall_ms(hub_clock(w->hub)));
	lives_notice(w, f, thing, NOTICE_ERASED);
	return one->err ? SPAN("") : span_of(one->p, one->len);
}

void lives_notice(struct web *w, const struct feed *f, struct span thing, enum notice kind)
{
	const struct buf *one = &w->one;
	const uint8_t type = (uint8_t)kind;
	list_for_each (it, &w->lives) {
		struct live *l = list_entry(it, struct live, node);
		uint32_t n = (uint32_t)one->len;
		if (one->err || !concerns(l, f, thing))
			continue;
		if (!l->notices.max)
			buf_init(&l->notices, LIMIT_WEB_NOTICE_BYTES);
		if (l->notices.len + 1 + sizeof(n) + n > LIMIT_WEB_NOTICE_BYTES)
			continue; /* it takes nothing: what it reads has no trace of the thing, and
			             the series answer with what was corrected, anyway */
		buf_add(&l->notices, &type, 1);
		buf_add(&l->notices, &n, sizeof(n));
		buf_add(&l->notices, one->p, n);
		conn_wake(l->wsi);
	}
}

/* ---- asking ---- */

static void erased(void *arg, const struct erased *what, int err)
{
	struct req *r = arg;
	if (!req_came(r, err))
		return;
	if (err) {
		problem(r, 507, "the thing could not be erased: %s", err_text(err));
		return;
	}
	buf_addf(&r->out,
	         "{\"records\":%llu,\"quarantined\":%llu,\"retained\":%llu,\"versions\":%llu,"
	         "\"observations\":%llu}",
	         (unsigned long long)what->records, (unsigned long long)what->quarantined,
	         (unsigned long long)what->retained, (unsigned long long)what->versions,
	         (unsigned long long)what->observations);
	respond(r, 200, "application/json");
}

/* {"reason": "..."} */
static bool read_reason(const struct req *r, struct json_tape *t, struct span *ret)
{
	size_t at;
	const char *why;
	if (json_parse(t, span_of(r->body.p, r->body.len), &at, &why) ||
	    t->tok[0].type != JSON_OBJECT || t->tok[0].size != 1)
		return false;
	uint32_t i = json_member(t, 0, SPAN("reason"));
	if (!i || t->tok[i].type != JSON_STRING || !t->tok[i].len ||
	    t->tok[i].len > ERASURE_REASON_BYTES)
		return false;
	*ret = json_text(t, i);
	return true;
}

void erase_thing(struct req *r)
{
	struct span organisation = span_str(r->who.organisation), reason;
	struct json_tape t;
	if (!only_query(r, "organisation"))
		return;
	query_get(&r->query, "organisation", &organisation);
	json_tape_init(&t, 16);
	if (!read_reason(r, &t, &reason)) {
		problem(
		    r, 400,
		    "the body is {\"reason\": TEXT}, of 1 to %d bytes; do not name the thing in it",
		    ERASURE_REASON_BYTES);
	} else {
		req_wait(r);
		administer_begun(r);
		int err =
		    eraser_erase(r->web->eraser, organisation, r->param[0], reason, erased, r);
		if (err == ERR_AGAIN)
			problem(r, 503, "too many erasures are under way: ask again later");
		else if (err)
			problem(r, 400, "there can be no such thing or organisation");
		else
			r->pending++;
	}
	json_tape_done(&t);
}
