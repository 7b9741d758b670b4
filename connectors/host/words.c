/* words.c - pure but for the frames. */
#include "host/words.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <string.h>

static jv utc(jv text)
{
	int64_t ms;
	char out[RFC3339_BYTES];
	struct span s =
	    span_of(jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
	int err = rfc3339_parse(s, &ms);
	jv_free(text);
	if (err < 0)
		return jv_false();
	rfc3339_format(ms, out); /* "2026-11-30T12:00:00.000Z" */
	out[19] = 'Z';
	return jv_string_sized(out, 20);
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static jv level(jv text)
{
	size_t n = (size_t)jv_string_length_bytes(jv_copy(text)), m = 0;
	const char *p = jv_string_value(text);
	auto_free char *out = xmalloc(n + 1);
	bool gap = false;
	for (size_t i = 0; i < n; i++) {
		char c = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] + 32) : p[i];
		if (is_plain(c) || !gap)
			out[m++] = is_plain(c) ? c : '-';
		gap = !is_plain(c);
	}
	jv_free(text);
	return m > 0 ? jv_string_sized(out, (int)m) : jv_string("unknown");
}

jv words_answer(struct frames *f, jv said)
{
	static const char *const words[] = {"utc", "level", "decode"};
	static const jv_kind kinds[] = {JV_KIND_STRING, JV_KIND_STRING, JV_KIND_OBJECT};
	for (unsigned i = 0; jv_get_kind(said) == JV_KIND_OBJECT && i < ARRAY_LEN(words); i++) {
		jv v = jv_object_get(jv_copy(said), jv_string(words[i]));
		if (jv_get_kind(v) == kinds[i]) {
			jv_free(said);
			return i == 0 ? utc(v) : i == 1 ? level(v) : frames_decode(f, v);
		}
		jv_free(v);
	}
	jv_free(said);
	return jv_invalid();
}
