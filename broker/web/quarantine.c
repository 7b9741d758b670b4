/* quarantine.c - refused messages: looking at the rows, and admitting them a second time. */
#include "feed/quarantine.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "mqtt/utf8.h"
#include "web/post.h"
#include "json/json.h"
#include "json/write.h"

#include <stdlib.h>

enum { RETRY_ROWS = 200, BODY_TOKENS = 4096, ROWS_DEFAULT = 100, ROWS_MAX = 1000 };

/* ---- rows ---- */

static void write_feed_name(struct buf *b, const struct hub *h, uint32_t id)
{
	for (unsigned i = 0; id && i < hub_feed_count(h); i++)
		if (hub_feed_at(h, i)->id == id) {
			json_write_string(b, hub_feed_at(h, i)->name);
			return;
		}
	buf_add_str(b, "null");
}

/* Of a feed with privacy steps: what was sent was not kept. */
static void write_reduced(struct buf *b, const struct quarantine_row *row)
{
	uint64_t n;
	memcpy(&n, row->payload.p, sizeof(n));
	buf_addf(b, ",\"size\":%llu,\"sha256\":\"", (unsigned long long)n);
	for (size_t i = sizeof(n); i < row->payload.n; i++)
		buf_addf(b, "%02x", (unsigned char)row->payload.p[i]);
	buf_add_str(b, "\"}");
}

static void write_row(struct buf *b, const struct hub *h, const struct quarantine_row *row)
{
	static const char *const protocols[] = {"", "mqtt5", "mqtt311", "http"};
	char t[RFC3339_BYTES];
	rfc3339_format(row->received_ms, t);
	buf_addf(b, "{\"id\":%llu,\"feed\":", (unsigned long long)row->id);
	write_feed_name(b, h, row->feed);
	buf_addf(b, ",\"time\":\"%.*s\",\"topic\":", RFC3339_BYTES, t);
	json_write_string(b, row->topic);
	json_write_name(b, "publisher");
	json_write_string(b, row->publisher);
	buf_addf(b, ",\"qos\":%u,\"retain\":%s,\"protocol\":\"%s\"", row->qos,
	         row->retain ? "true" : "false",
	         row->protocol < ARRAY_LEN(protocols) ? protocols[row->protocol] : "");
	const struct {
		const char *name;
		struct span value;
	} texts[] = {{"reason", row->reason},
	             {"schema", row->schema},
	             {"pointer", row->pointer},
	             {"rule", row->rule}};
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		json_write_name(b, texts[i].name);
		json_write_string(b, texts[i].value);
	}
	if (row->reduced) {
		write_reduced(b, row);
		return;
	}
	buf_addf(b, ",\"size\":%zu", row->payload.n);
	bool utf8 = mqtt_utf8_valid(row->payload);
	json_write_name(b, utf8 ? "payload" : "payloadBase64");
	if (utf8)
		json_write_string(b, row->payload);
	else
		json_write_base64(b, row->payload);
	buf_add_char(b, '}');
}

static void rows_listed(void *arg, const struct quarantine_row *rows, unsigned n, bool more,
                        int err)
{
	struct req *r = arg;
	if (!req_came(r, err))
		return;
	if (err) {
		problem(r, 503, "the quarantine cannot be read: %s", err_text(err));
		return;
	}
	buf_add_str(&r->out, "{\"rows\":[");
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_add_char(&r->out, ',');
		write_row(&r->out, r->web->hub, &rows[i]);
	}
	if (more && n)
		buf_addf(&r->out, "],\"next\":%llu}", (unsigned long long)rows[n - 1].id);
	else
		buf_add_str(&r->out, "],\"next\":null}");
	respond(r, 200, "application/json");
}

static void list_rows(struct req *r, uint32_t feed_id)
{
	uint64_t after = 0, limit = ROWS_DEFAULT;
	struct faults faults = {0};
	struct span v;
	if (!only_query(r, "after limit"))
		return;
	if (query_get(&r->query, "after", &v) && (span_to_u64(v, &after) || after == UINT64_MAX))
		fault(&faults, SPAN("after"), "after is the id of a row");
	if (query_get(&r->query, "limit", &v) &&
	    (span_to_u64(v, &limit) || limit == 0 || limit > ROWS_MAX))
		fault(&faults, SPAN("limit"), "limit is a whole number from 1 to %d", ROWS_MAX);
	if (faults.n) {
		problem_faults(r, 400, &faults);
		return;
	}
	r->pending++;
	quarantine_list(r->web->hub, feed_id, after, (unsigned)limit, rows_listed, r);
}

void list_quarantine(struct req *r)
{
	struct feed *f = param_feed(r, ACCESS_ADMIN);
	if (!f)
		return;
	req_read(r, f);
	list_rows(r, f->id);
}

void list_unrouted(struct req *r)
{
	list_rows(r, 0);
}

/* ---- retry: the rows of one list call at a time, each through admission ---- */

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static bool is_asked(const struct post *p, uint64_t id)
{
	return p->n_ids == 0 || bsearch(&id, p->ids, p->n_ids, sizeof(id), by_id);
}

static void take_row(struct post *p, const struct result *r)
{
	struct buf *b = &p->req->out;
	bool ok = post_status(r) < 300;
	p->stored += ok;
	p->refused += !ok;
	if (p->listed == LIMIT_WEB_RETRY_ROWS)
		return;
	buf_addf(b, "%s{\"id\":%llu,\"verdict\":\"%s\"", p->listed++ ? "," : "",
	         (unsigned long long)r->token, ok ? "stored" : "refused");
	if (ok && r->sequence)
		buf_addf(b, ",\"sequence\":%llu", (unsigned long long)r->sequence);
	buf_add_str(b, ",\"reason\":");
	json_write_string(b, span_str(r->err ? post_full : r->reason));
	buf_add_char(b, '}');
}

static void finish(struct post *p)
{
	struct buf *b = &p->req->out;
	uint64_t left =
	    p->feed ? p->feed->count.quarantine_rows : hub_stats(p->req->web->hub)->unrouted_rows;
	buf_addf(b, "],\"stored\":%u,\"refused\":%u,\"left\":%llu}", p->stored, p->refused,
	         (unsigned long long)left);
	respond(p->req, 200, "application/json");
}

static void rows_to_retry(void *arg, const struct quarantine_row *rows, unsigned n, bool more,
                          int err)
{
	struct req *r = arg;
	struct post *p = r->post;
	if (!req_came(r, err))
		return;
	if (err) {
		buf_clear(&r->out);
		problem(r, 503, "the quarantine cannot be read: %s", err_text(err));
		return;
	}
	p->end = !more || n == 0;
	for (unsigned i = 0; i < n; i++) {
		const struct quarantine_row *row = &rows[i];
		struct ingest_message m = {.publisher = row->publisher,
		                           .topic = row->topic,
		                           .payload = row->payload,
		                           .properties = row->properties,
		                           .qos = row->qos,
		                           .protocol = row->protocol,
		                           .retain = row->retain,
		                           .utf8 = row->utf8,
		                           .quarantine_id = row->id,
		                           .quarantine_feed = row->feed,
		                           .received_ms = row->received_ms,
		                           .time_received = p->received};
		if (row->reduced && is_asked(p, row->id)) {
			static const struct result kept_not = {
			    .verdict = VERDICT_REFUSED,
			    .reason = "its payload was not kept: the feed has privacy steps"};
			struct result one = kept_not;
			one.token = row->id;
			p->take(p, &one);
		} else if (is_asked(p, row->id) && !post_publish(p, &m, row->id)) {
			p->end = false; /* the rest is listed again when there is room */
			return;
		}
		p->after = row->id;
	}
	if (!r->pending)
		p->next(p);
}

static void next_rows(struct post *p)
{
	struct req *r = p->req;
	assert(!r->pending);
	if (p->end || r->web->draining) {
		finish(p);
		return;
	}
	r->pending++;
	quarantine_list(r->web->hub, p->feed_id, p->after, RETRY_ROWS, rows_to_retry, r);
}

/* {"ids": [ROW, ...], "time": "received"}, both optional. */
static bool read_body(const struct req *r, struct json_tape *t, struct post *p)
{
	size_t at;
	const char *why;
	if (json_parse(t, span_of(r->body.p, r->body.len), &at, &why) ||
	    t->tok[0].type != JSON_OBJECT)
		return false;
	uint32_t ids = json_member(t, 0, SPAN("ids")), time = json_member(t, 0, SPAN("time"));
	p->received = time && json_string_is(t, time, SPAN("received"));
	if ((time && !p->received) || t->tok[0].size != (ids ? 1u : 0) + (time ? 1u : 0))
		return false;
	if (!ids)
		return true;
	if (t->tok[ids].type != JSON_ARRAY)
		return false;
	p->ids = xcalloc(t->tok[ids].size + 1, sizeof(*p->ids)); /* an empty list asks for none */
	for (uint32_t i = ids + 1; i < t->tok[ids].next; i = t->tok[i].next) {
		int64_t id;
		if (t->tok[i].type != JSON_NUMBER || json_int64(json_text(t, i), &id) || id < 0)
			return false;
		p->ids[p->n_ids++] = (uint64_t)id;
	}
	if (!p->n_ids)
		p->n_ids = 1;
	qsort(p->ids, p->n_ids, sizeof(*p->ids), by_id);
	return true;
}

static void retry(struct req *r, struct feed *f)
{
	struct post *p = post_new(r, f);
	struct json_tape t;
	if (!only_query(r, ""))
		return;
	p->feed_id = f ? f->id : 0;
	p->next = next_rows;
	p->take = take_row;
	json_tape_init(&t, BODY_TOKENS);
	bool good = r->body.len == 0 || read_body(r, &t, p);
	json_tape_done(&t);
	if (!good) {
		problem(r, 400,
		        "the body is {\"ids\": [ROW, ...], \"time\": \"received\"}, both optional");
		return;
	}
	req_wait(r);
	buf_add_str(&r->out, "{\"results\":[");
	next_rows(p);
}

void retry_quarantine(struct req *r)
{
	struct feed *f = param_feed(r, ACCESS_ADMIN);
	if (f)
		retry(r, f);
}

void retry_unrouted(struct req *r)
{
	retry(r, NULL);
}
