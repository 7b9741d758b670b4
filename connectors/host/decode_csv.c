/* decode_csv.c - RFC 4180, any separator; does not guess types: all values are texts. */
#include "base/err.h"
#include "base/limits.h"
#include "host/decode_private.h"

#include <string.h>

struct csv_state {
	jv names; /* array, or invalid before the first row */
	jv row;
	int have_names, have_row;
	bool quoted, quote_seen; /* inside quotes; a quote that may be the end or half of two */
};

static void csv_begin(struct decoder *d)
{
	struct csv_state *s = d->state;
	s->names = jv_array();
	s->row = jv_array();
}

static void csv_done(struct decoder *d)
{
	struct csv_state *s = d->state;
	jv_free(s->names);
	jv_free(s->row);
	memset(s, 0, sizeof(*s));
}

static int cell(struct decoder *d, struct csv_state *s)
{
	if (jv_array_length(jv_copy(s->row)) >= LIMIT_CONNECT_COLUMNS)
		return decode_fail(d, ERR_MALFORMED, "more than %d columns", LIMIT_CONNECT_COLUMNS);
	s->row = jv_array_append(s->row, jv_string_sized(buf_str(&d->buf), (int)d->buf.len));
	buf_clear(&d->buf);
	s->quoted = s->quote_seen = false;
	return 0;
}

/* A second column of a name is name_2, a third name_3. */
static jv unique_names(jv row)
{
	jv out = jv_array(), seen = jv_object();
	jv_array_foreach(row, i, name)
	{
		jv n = jv_object_get(jv_copy(seen), jv_copy(name));
		int count = jv_get_kind(n) == JV_KIND_NUMBER ? (int)jv_number_value(n) + 1 : 1;
		jv_free(n);
		seen = jv_object_set(seen, jv_copy(name), jv_number(count));
		if (count > 1) {
			jv numbered = jv_string_fmt("%s_%d", jv_string_value(name), count);
			jv_free(name);
			name = numbered;
		}
		out = jv_array_append(out, name);
	}
	jv_free(seen);
	jv_free(row);
	return out;
}

static jv object_of(jv names, jv row)
{
	jv o = jv_object();
	int n = jv_array_length(jv_copy(names));
	jv_array_foreach(row, i, v)
	{
		if (i < n)
			o = jv_object_set(o, jv_array_get(jv_copy(names), i), v);
		else
			jv_free(v);
	}
	jv_free(names);
	jv_free(row);
	return o;
}

static int row(struct decoder *d, struct csv_state *s)
{
	int err = cell(d, s);
	jv r = s->row;
	s->row = jv_array();
	s->have_row = 0;
	if (err < 0) {
		jv_free(r);
		return err;
	}
	if (!d->conf->header_row)
		return d->cb(d->ctx, r, 0);
	if (!s->have_names) {
		jv_free(s->names);
		s->names = unique_names(r);
		s->have_names = 1;
		return 0;
	}
	return d->cb(d->ctx, object_of(jv_copy(s->names), r), 0);
}

static int byte(struct decoder *d, struct csv_state *s, char c)
{
	if (s->quoted && !s->quote_seen) {
		if (c != '"')
			return decode_collect(d, &c, 1);
		s->quote_seen = true;
		return 0;
	}
	if (s->quote_seen && c == '"') {
		s->quote_seen = false;
		return decode_collect(d, &c, 1);
	}
	if (c == '"' && d->buf.len == 0 && !s->quoted) {
		s->quoted = true;
		s->have_row = 1;
		return 0;
	}
	if (c == d->conf->separator[0]) {
		s->have_row = 1;
		return cell(d, s);
	}
	if (c == '\r')
		return 0;
	if (c == '\n') /* an empty line is no row */
		return s->have_row ? row(d, s) : 0;
	s->have_row = 1;
	return decode_collect(d, &c, 1);
}

static int csv_feed(struct decoder *d, const char *p, size_t n)
{
	struct csv_state *s = d->state;
	int err = 0;
	for (size_t i = 0; i < n && err >= 0; i++)
		err = byte(d, s, p[i]);
	return err < 0 ? err : 0;
}

static int csv_end(struct decoder *d)
{
	struct csv_state *s = d->state;
	if (s->quoted && !s->quote_seen)
		return decode_fail(d, ERR_MALFORMED, "a quote is not closed");
	return s->have_row ? row(d, s) : 0;
}

const struct format format_csv = {sizeof(struct csv_state), csv_begin, csv_feed, csv_end, csv_done};
