/* decode_json.c - json without records, ndjson, text: does no splitting inside a text. */
#include "base/err.h"
#include "base/limits.h"
#include "host/decode_private.h"
#include "host/split.h"
#include "host/text.h"

#include <string.h>

enum { WHOLE_BYTES = 1 << 20 };

/* json: with records the splitter finds them. Else a document that is small and one value is read
 * at its end, and of any other jq's own parser takes what comes. */
struct json_state {
	jv_parser *parser; /* NULL: all of it is in d->buf so far */
	struct split *split;
	size_t fed; /* since the last value: bounds one value */
};

static void json_begin(struct decoder *d)
{
	struct json_state *s = d->state;
	if (d->conf->n_records > 0)
		s->split = split_new(d);
}

static int json_take(struct decoder *d, struct json_state *s)
{
	for (;;) {
		jv v = jv_parser_next(s->parser);
		if (jv_is_valid(v)) {
			s->fed = 0;
			int err = d->cb(d->ctx, v, 0);
			if (err < 0)
				return err;
			continue;
		}
		jv msg = jv_invalid_get_msg(v);
		int bad = jv_get_kind(msg) == JV_KIND_STRING;
		if (bad)
			decode_fail(d, 0, "%s", jv_string_value(msg));
		jv_free(msg);
		if (bad)
			return ERR_MALFORMED;
		if (jv_parser_remaining(s->parser) == 0)
			return 0; /* else a record separator, which gives nothing and stops the
			             parser */
	}
}

static int json_parse_some(struct decoder *d, struct json_state *s, const char *p, size_t n)
{
	s->fed += n;
	if (s->fed > LIMIT_CONNECT_RECORD_BYTES + (size_t)(1 << 16))
		return decode_fail(d, ERR_TOO_LARGE, "a record is larger than %d bytes",
		                   LIMIT_CONNECT_RECORD_BYTES);
	jv_parser_set_buf(s->parser, p, (int)n, 1);
	return json_take(d, s);
}

/* It gets what was collected. */
static int json_parser_begin(struct decoder *d, struct json_state *s)
{
	s->parser = jv_parser_new(0);
	int err = json_parse_some(d, s, buf_str(&d->buf), d->buf.len);
	buf_clear(&d->buf);
	return err;
}

static int json_feed(struct decoder *d, const char *p, size_t n)
{
	struct json_state *s = d->state;
	if (s->split)
		return split_feed(s->split, p, n);
	if (!s->parser && d->buf.len + n <= WHOLE_BYTES)
		return decode_collect(d, p, n);
	if (!s->parser) {
		int err = json_parser_begin(d, s);
		if (err < 0)
			return err;
	}
	return json_parse_some(d, s, p, n);
}

static int json_end(struct decoder *d)
{
	struct json_state *s = d->state;
	if (s->split)
		return split_end(s->split);
	if (!s->parser) {
		jv v = text_read_strict(&d->tape, buf_str(&d->buf), d->buf.len);
		if (jv_is_valid(v))
			return d->cb(d->ctx, v, 0);
		jv_free(v);
		int err = json_parser_begin(d, s);
		if (err < 0)
			return err;
	}
	jv_parser_set_buf(s->parser, "", 0, 0);
	return json_take(d, s);
}
static void json_done(struct decoder *d)
{
	struct json_state *s = d->state;
	if (s->parser)
		jv_parser_free(s->parser);
	split_free(s->split);
	memset(s, 0, sizeof(*s));
}

const struct format format_json = {sizeof(struct json_state), json_begin, json_feed, json_end,
                                   json_done};

/* ndjson: a line that is no JSON costs that line, not the ones after it. */
static int line(struct decoder *d, uint64_t offset)
{
	const char *p = buf_str(&d->buf);
	size_t n = d->buf.len;
	int err = 0;
	while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	if (n > 0)
		err = decode_json_text(d, p, n, offset);
	buf_clear(&d->buf);
	return err;
}

static int ndjson_feed(struct decoder *d, const char *p, size_t n)
{
	while (n > 0) {
		const char *nl = memchr(p, '\n', n);
		size_t m = nl ? (size_t)(nl - p) : n;
		int err = decode_collect(d, p, m);
		if (err < 0)
			return err;
		d->offset += m + (nl != NULL);
		if (nl)
			err = line(d, d->offset);
		if (err < 0)
			return err;
		p += m + (nl != NULL);
		n -= m + (nl != NULL);
	}
	return 0;
}

static int ndjson_end(struct decoder *d)
{
	return d->buf.len > 0 ? line(d, d->offset) : 0;
}

const struct format format_ndjson = {0, NULL, ndjson_feed, ndjson_end, NULL};

static int text_end(struct decoder *d)
{
	return d->cb(d->ctx, jv_string_sized(buf_str(&d->buf), (int)d->buf.len), 0);
}

const struct format format_text = {0, NULL, decode_collect, text_end, NULL};
