/* rebuilding.c - POST and GET /v1/series/_rebuild: the series are made whole again from the
 * journal. */
#include "series/rebuild.h"

#include "base/err.h"
#include "web/private.h"
#include "json/write.h"

static void write_time(struct buf *b, const char *name, int64_t ms)
{
	if (ms)
		json_write_time_member(b, name, ms);
}

static void answer(struct req *r, int status)
{
	struct series_rebuild x;
	struct buf *b = &r->out;
	series_rebuild_state(r->web->series, &x);
	buf_addf(b,
	         "{\"running\":%s,\"records\":%llu,\"of\":%llu,\"observations\":%llu,"
	         "\"restored\":%llu,\"places\":%llu,\"replaced\":%llu,\"unreadable\":%llu",
	         x.running ? "true" : "false", (unsigned long long)x.records,
	         (unsigned long long)x.of, (unsigned long long)x.observations,
	         (unsigned long long)x.restored, (unsigned long long)x.places,
	         (unsigned long long)x.dropped, (unsigned long long)x.left);
	write_time(b, "started", x.started_ms);
	write_time(b, "ended", x.ended_ms);
	if (x.err) {
		json_write_name(b, "error");
		json_write_string(b, span_str(err_text(x.err)));
	}
	buf_add_char(b, '}');
	respond(r, status, "application/json");
}

static bool may_ask(struct req *r)
{
	if (!only_query(r, ""))
		return false;
	if (!r->web->series)
		problem(r, 404, "this server keeps no time series");
	return r->web->series != NULL;
}

void post_rebuild(struct req *r)
{
	if (!may_ask(r))
		return;
	if (series_rebuild(r->web->series))
		problem(r, 409, "the series are being rebuilt already; GET tells how far it is");
	else
		answer(r, 202);
}

void get_rebuild(struct req *r)
{
	if (may_ask(r))
		answer(r, 200);
}
