/* event.c - see event.h. */
#include "feed/event.h"

#include "base/err.h"
#include "feed/sender.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>

static void write_id(struct buf *b, struct span feed, uint32_t epoch, uint64_t sequence)
{
	buf_add_span(b, feed);
	buf_add_char(b, ':');
	buf_add_u64(b, epoch);
	buf_add_char(b, ':');
	buf_add_u64(b, sequence);
}

/* urn:nld:oin:<oin>:systeem:<system>: all of it is plain ASCII by configuration. */
static void write_source(struct buf *b, const struct event_context *e)
{
	json_write_name(b, "source");
	buf_add_str(b, "\"urn:nld:oin:");
	buf_add_span(b, e->oin);
	buf_add_str(b, ":systeem:");
	buf_add_span(b, e->system);
	buf_add_char(b, '"');
}

static void write_type(struct buf *b, const struct event_context *e, const struct record *r)
{
	json_write_name(b, "type");
	buf_add_str(b, "\"nl.");
	buf_add_span(b, e->domain);
	buf_add_char(b, '.');
	if (r->schema.n)
		buf_add_span(b, r->schema);
	else
		buf_add_str(b, "message");
	buf_add_str(b, ".v");
	buf_add_u64(b, r->schema.n ? r->schema_version : 1);
	buf_add_char(b, '"');
}

static void write_schema(struct buf *b, const struct event_context *e, struct span name,
                         uint64_t version)
{
	json_write_name(b, "dataschema");
	buf_add_char(b, '"');
	buf_add_span(b, e->base_url);
	buf_add_str(b, "/v1/schemas/");
	buf_add_span(b, name);
	buf_add_char(b, '/');
	buf_add_u64(b, version);
	buf_add_char(b, '"');
}

static void write_data(struct buf *b, const struct record *r)
{
	if (!r->payload.n)
		return;
	if (r->flags & RECORD_JSON) {
		json_write_name(b, "datacontenttype");
		buf_add_str(b, "\"application/json\"");
		json_write_name(b, "data");
		buf_add_span(b, r->payload);
		return;
	}
	json_write_name(b, "datacontenttype");
	buf_add_str(b, r->flags & RECORD_UTF8 ? "\"text/plain\"" : "\"application/octet-stream\"");
	json_write_name(b, "data_base64");
	json_write_base64(b, r->payload);
}

static void write_event(struct buf *b, const struct event_context *e, const struct feed *f,
                        const struct record *r, bool topic)
{
	buf_add_str(b, "{\"specversion\":\"1.0\",\"id\":\"");
	write_id(b, f->name, r->epoch, r->sequence);
	buf_add_char(b, '"');
	write_source(b, e);
	write_type(b, e, r);
	if (r->thing.n) {
		json_write_name(b, "subject");
		json_write_string(b, r->thing);
	}
	json_write_time_member(b, "time", r->stored_ms);
	json_write_time_member(b, "observedtime", r->phenomenon_ms);
	json_write_name(b, "sequence");
	buf_add_char(b, '"');
	buf_add_u64(b, r->sequence);
	buf_add_str(b, "\",\"sequencetype\":\"Integer\"");
	if (r->schema.n)
		write_schema(b, e, r->schema, r->schema_version);
	if (topic) {
		json_write_name(b, "topic");
		json_write_string(b, r->topic);
		struct span sender = sender_of(f, r);
		if (sender.n) {
			json_write_name(b, "identity");
			json_write_string(b, sender);
		}
	}
	write_data(b, r);
	buf_add_char(b, '}');
}

void event_write(struct buf *b, const struct event_context *e, const struct feed *f,
                 const struct record *r)
{
	write_event(b, e, f, r, false);
}

void event_write_with_topic(struct buf *b, const struct event_context *e, const struct feed *f,
                            const struct record *r)
{
	write_event(b, e, f, r, true);
}

/* ---- control events ---- */

/* last: what the id ends with. schema: of the data, version 1; NULL: it has none. */
static void open_control_as(struct buf *b, const struct event_context *e, const struct feed *f,
                            const char *subject, const char *kind, const char *last,
                            const char *schema, uint64_t at, int64_t now_ms)
{
	buf_add_str(b, "{\"specversion\":\"1.0\",\"id\":\"");
	write_id(b, f->name, f->epoch, at);
	buf_add_char(b, '-');
	buf_add_str(b, last);
	buf_add_char(b, '"');
	write_source(b, e);
	json_write_name(b, "type");
	buf_addf(b, "\"nl.oudp.%s.", subject);
	buf_add_str(b, kind);
	buf_add_str(b, ".v1\"");
	json_write_time_member(b, "time", now_ms);
	if (schema)
		write_schema(b, e, span_str(schema), 1);
	buf_add_str(b, ",\"datacontenttype\":\"application/json\",\"data\":{\"feed\":\"");
	buf_add_span(b, f->name);
	buf_add_char(b, '"');
}

static void open_control(struct buf *b, const struct event_context *e, const struct feed *f,
                         const char *subject, const char *kind, uint64_t at, int64_t now_ms)
{
	open_control_as(b, e, f, subject, kind, kind, NULL, at, now_ms);
}

void event_write_live(struct buf *b, const struct event_context *e, const struct feed *f,
                      int64_t now_ms)
{
	open_control(b, e, f, "feed", "live", f->last, now_ms);
	buf_add_str(b, ",\"position\":\"");
	write_id(b, f->name, f->epoch, f->last);
	buf_add_str(b, "\"}}");
}

void event_write_gap(struct buf *b, const struct event_context *e, const struct feed *f,
                     uint64_t from, uint64_t to, enum cursor_gap why, int64_t now_ms)
{
	open_control(b, e, f, "feed", "gap", to, now_ms);
	buf_add_str(b, ",\"from\":");
	buf_add_u64(b, from);
	buf_add_str(b, ",\"to\":");
	buf_add_u64(b, to);
	buf_add_str(b, ",\"reason\":\"");
	buf_add_str(b, cursor_gap_text(why));
	buf_add_str(b, "\"}}");
}

void event_write_position(struct buf *b, const struct event_context *e, const struct feed *f,
                          uint64_t examined, int64_t now_ms)
{
	open_control(b, e, f, "feed", "position", examined, now_ms);
	buf_add_str(b, ",\"position\":\"");
	write_id(b, f->name, f->epoch, examined);
	buf_add_str(b, "\"}}");
}

void event_write_erased(struct buf *b, const struct event_context *e, const struct feed *f,
                        struct span organisation, struct span thing, uint64_t records,
                        int64_t now_ms)
{
	open_control(b, e, f, "thing", "erased", f->last, now_ms);
	json_write_name(b, "organisation");
	json_write_string(b, organisation);
	if (thing.n) {
		json_write_name(b, "thing");
		json_write_string(b, thing);
	}
	buf_add_str(b, ",\"records\":");
	buf_add_u64(b, records);
	buf_add_str(b, "}}");
}

void event_write_corrected(struct buf *b, const struct event_context *e, const struct feed *f,
                           const struct event_corrected *c, int64_t now_ms)
{
	char kind[40];
	snprintf(kind, sizeof(kind), "corrected-%llu", (unsigned long long)c->id);
	open_control_as(b, e, f, "series", "corrected", kind, "series-corrected", f->last, now_ms);
	json_write_name(b, "organisation");
	json_write_string(b, c->organisation);
	json_write_name(b, "thing");
	json_write_string(b, c->thing);
	if (c->member.n) {
		json_write_name(b, "property");
		json_write_string(b, c->member);
	}
	buf_addf(b, ",\"what\":\"%s\",\"correction\":%llu", c->what, (unsigned long long)c->id);
	json_write_time_member(b, "from", c->from_ms);
	json_write_time_member(b, "to", c->to_ms);
	if (strcmp(c->what, "correct") == 0) {
		json_write_name(b, "factor");
		json_write_double(b, c->factor);
		json_write_name(b, "offset");
		json_write_double(b, c->offset);
	}
	json_write_name(b, "reason");
	json_write_string(b, c->reason);
	buf_add_str(b, ",\"observations\":");
	buf_add_u64(b, c->observations);
	buf_add_str(b, "}}");
}

int event_parse_position(struct span s, uint32_t *ret_epoch, uint64_t *ret_sequence)
{
	uint64_t epoch = 0, sequence;
	const char *last = s.n ? memrchr(s.p, ':', s.n) : NULL;
	if (last) { /* what stands before the epoch is a feed's name, without a colon */
		size_t n = (size_t)(last - s.p);
		const char *mid = n ? memrchr(s.p, ':', n) : NULL;
		if (mid && memchr(s.p, ':', (size_t)(mid - s.p)))
			return ERR_MALFORMED;
		struct span e =
		    mid ? span_of(mid + 1, n - (size_t)(mid - s.p) - 1) : span_of(s.p, n);
		int err = span_to_u64(e, &epoch);
		if (err)
			return err;
		if (epoch > UINT32_MAX)
			return ERR_TOO_LARGE;
		s = span_of(last + 1, s.n - n - 1);
	}
	int err = span_to_u64(s, &sequence);
	if (err)
		return err;
	*ret_epoch = (uint32_t)epoch;
	*ret_sequence = sequence;
	return 0;
}
