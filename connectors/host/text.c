/* text.c - knows no source and no mapping. */
#include "host/text.h"

#include "base/limits.h"
#include "base/mem.h"
#include "json/write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 64, DEPTH = 256 };

static jv string_of(const struct json_tape *t, uint32_t i)
{
	struct span s = json_text(t, i);
	if (!(t->tok[i].flags & JSON_ESCAPED))
		return jv_string_sized(s.p, (int)s.n);
	char small[512];
	auto_free char *large = s.n > sizeof(small) ? xmalloc(s.n) : NULL;
	char *out = large ? large : small;
	return jv_string_sized(out, (int)json_unescape(s, out));
}

static jv value_of(const struct json_tape *t, uint32_t i)
{
	const struct json_token *k = &t->tok[i];
	jv v;
	switch ((enum json_type)k->type) {
	case JSON_TRUE: return jv_true();
	case JSON_FALSE: return jv_false();
	case JSON_NUMBER: return jv_number(json_double(json_text(t, i)));
	case JSON_STRING: return string_of(t, i);
	case JSON_ARRAY:
		v = jv_array_sized((int)k->size + 1);
		for (uint32_t at = i + 1; at < k->next; at = t->tok[at].next)
			v = jv_array_append(v, value_of(t, at));
		return v;
	case JSON_OBJECT:
		v = jv_object();
		for (uint32_t at = i + 1; at < k->next; at = t->tok[at + 1].next)
			v = jv_object_set(v, string_of(t, at), value_of(t, at + 1));
		return v;
	case JSON_NULL: break;
	}
	return jv_null();
}

jv text_read_strict(struct json_tape *t, const char *p, size_t n)
{
	size_t at;
	const char *why;
	if (json_parse(t, span_of(p, n), &at, &why) < 0)
		return jv_invalid();
	return value_of(t, 0);
}

jv text_read(struct json_tape *t, const char *p, size_t n)
{
	jv v = text_read_strict(t, p, n);
	if (jv_is_valid(v))
		return v;
	jv_free(v);
	return jv_parse_sized(p, (int)n);
}

static int by_name(const void *a, const void *b)
{
	const jv *x = a, *y = b;
	int n = jv_string_length_bytes(jv_copy(*x)), m = jv_string_length_bytes(jv_copy(*y));
	int r = memcmp(jv_string_value(*x), jv_string_value(*y), (size_t)(n < m ? n : m));
	return r ? r : n - m;
}

static void write_value(struct buf *b, jv v, int depth);

static void write_string(struct buf *b, jv s)
{
	json_write_string(b,
	                  span_of(jv_string_value(s), (size_t)jv_string_length_bytes(jv_copy(s))));
	jv_free(s);
}

static void write_object(struct buf *b, jv v, int depth)
{
	jv names[NAMES];
	int n = 0;
	for (int i = jv_object_iter(v); jv_object_iter_valid(v, i); i = jv_object_iter_next(v, i))
		names[n++] = jv_object_iter_key(v, i);
	qsort(names, (size_t)n, sizeof(*names), by_name);
	buf_add_char(b, '{');
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		write_string(b, jv_copy(names[i]));
		buf_add_char(b, ':');
		write_value(b, jv_object_get(jv_copy(v), names[i]), depth + 1);
	}
	buf_add_char(b, '}');
	jv_free(v);
}

static void write_array(struct buf *b, jv v, int depth)
{
	int n = jv_array_length(jv_copy(v));
	buf_add_char(b, '[');
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		write_value(b, jv_array_get(jv_copy(v), i), depth + 1);
	}
	buf_add_char(b, ']');
	jv_free(v);
}

static void write_value(struct buf *b, jv v, int depth)
{
	jv_kind kind = jv_get_kind(v);
	if (kind == JV_KIND_OBJECT && depth < DEPTH && jv_object_length(jv_copy(v)) <= NAMES) {
		write_object(b, v, depth);
	} else if (kind == JV_KIND_ARRAY && depth < DEPTH) {
		write_array(b, v, depth);
	} else if (kind == JV_KIND_STRING) {
		write_string(b, v);
	} else if (kind == JV_KIND_NUMBER && isfinite(jv_number_value(v))) {
		json_write_double(b, jv_number_value(v));
		jv_free(v);
	} else { /* what is rare, large or deep */
		jv text = jv_dump_string(v, JV_PRINT_SORTED);
		buf_add(b, jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
		jv_free(text);
	}
}

void text_write(struct buf *b, jv v)
{
	write_value(b, v, 0);
}
