/* agree.h - our reader against jansson on any bytes, and the tape against itself. Shared by the
 * unit tests and the fuzzer.
 *
 * What jansson 2.14 does otherwise, and why we let it:
 *   - integers beyond 64 bits and reals beyond double are refused there
 * (json_error_numeric_overflow); JSON knows no such bound, and we convert only when asked;
 *   - a member name with \u0000 is refused there (its keys are C strings); ours are spans;
 *   - a NUL byte after the value ends the text there; JSONTestSuite wants it refused
 *     (n_multidigit_number_then_00);
 *   - it nests 2,048 deep, we LIMIT_JSON_DEPTH: ERR_TOO_LARGE. */
#ifndef TESTS_JSON_AGREE_H
#define TESTS_JSON_AGREE_H

#include "peer.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "json/json.h"
#include "json/write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Each returns NULL or what is wrong. */
#define AGREE(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			return #cond;                                                              \
	} while (0)

static inline const char *agree_string(const struct json_tape *t, uint32_t i, const char *p,
                                       size_t n)
{
	struct span raw = json_text(t, i);
	char *out = malloc(raw.n + 1);
	if (!out)
		abort();
	size_t len = json_unescape(raw, out);
	bool same = len == n && memcmp(out, p, n) == 0;
	free(out);
	AGREE(same);
	AGREE(json_string_is(t, i, span_of(p, n)));
	return NULL;
}

static inline const char *agree_value(const struct json_tape *t, uint32_t i, json_t *j);

static inline const char *agree_object(const struct json_tape *t, uint32_t i, json_t *j)
{
	for (void *it = json_object_iter(j); it; it = json_object_iter_next(j, it)) {
		struct span key = {json_object_iter_key(it), json_object_iter_key_len(it)};
		uint32_t v = json_member(t, i, key);
		AGREE(v > i && v < t->tok[i].next);
		const char *bad = agree_string(t, v - 1, key.p, key.n);
		if (!bad)
			bad = agree_value(t, v, json_object_iter_value(it));
		if (bad)
			return bad;
	}
	bool duplicate = t->tok[i].flags & JSON_DUPLICATE;
	AGREE(duplicate ? t->tok[i].size > json_object_size(j)
	                : t->tok[i].size == json_object_size(j));
	return NULL;
}

static inline const char *agree_value(const struct json_tape *t, uint32_t i, json_t *j)
{
	const struct json_token *k = &t->tok[i];
	int64_t v;
	switch (json_typeof(j)) {
	case PEER_NULL: AGREE(k->type == JSON_NULL); return NULL;
	case PEER_TRUE: AGREE(k->type == JSON_TRUE); return NULL;
	case PEER_FALSE: AGREE(k->type == JSON_FALSE); return NULL;
	case PEER_STRING:
		AGREE(k->type == JSON_STRING);
		return agree_string(t, i, json_string_value(j), json_string_length(j));
	case PEER_INTEGER:
		AGREE(k->type == JSON_NUMBER && k->flags & JSON_INTEGER);
		AGREE(json_int64(json_text(t, i), &v) == 0 && v == json_integer_value(j));
		return NULL;
	case PEER_REAL:
		AGREE(k->type == JSON_NUMBER && !(k->flags & JSON_INTEGER));
		AGREE(json_double(json_text(t, i)) == json_real_value(j));
		AGREE(signbit(json_double(json_text(t, i))) == signbit(json_real_value(j)));
		return NULL;
	case PEER_ARRAY:
		AGREE(k->type == JSON_ARRAY && k->size == json_array_size(j));
		for (uint32_t n = 0, at = i + 1; n < k->size; n++, at = t->tok[at].next) {
			const char *bad = agree_value(t, at, json_array_get(j, n));
			if (bad)
				return bad;
		}
		return NULL;
	case PEER_OBJECT: AGREE(k->type == JSON_OBJECT); return agree_object(t, i, j);
	}
	return "a type jansson does not have";
}

/* The tape's own promises about token i and all below it. */
static inline const char *agree_tape(const struct json_tape *t, uint32_t i, bool is_name)
{
	const struct json_token *k = &t->tok[i];
	struct span s = json_text(t, i);
	bool slash = s.n && memchr(s.p, '\\', s.n), high = false;
	AGREE(k->next > i && k->next <= t->n);
	for (size_t c = 0; c < s.n; c++)
		high |= (unsigned char)s.p[c] >= 0x80;
	if (k->type != JSON_OBJECT && k->type != JSON_ARRAY)
		AGREE(k->next == i + 1 && k->size == 0);
	AGREE(is_name || k->hash == 0);
	switch (k->type) {
	case JSON_NULL: AGREE(span_is(s, "null") && !k->flags); return NULL;
	case JSON_TRUE: AGREE(span_is(s, "true") && !k->flags); return NULL;
	case JSON_FALSE: AGREE(span_is(s, "false") && !k->flags); return NULL;
	case JSON_STRING:
		AGREE(s.p[-1] == '"' && s.p[s.n] == '"');
		AGREE(k->flags ==
		      (slash ? JSON_ESCAPED : 0) + (slash || high ? JSON_NON_ASCII : 0));
		AGREE(json_codepoints(s) <= s.n && (slash || high || json_codepoints(s) == s.n));
		return NULL;
	case JSON_NUMBER: {
		bool integer =
		    !memchr(s.p, '.', s.n) && !memchr(s.p, 'e', s.n) && !memchr(s.p, 'E', s.n);
		AGREE(k->flags ==
		      (integer ? JSON_INTEGER : 0) + (s.p[0] == '-' ? JSON_NEGATIVE : 0));
		AGREE(json_number_cmp(s, s) == 0);
		return NULL;
	}
	default: break;
	}
	bool object = k->type == JSON_OBJECT;
	AGREE(k->type == JSON_ARRAY || object);
	AGREE(!(k->flags & ~(object ? JSON_DUPLICATE : 0)));
	AGREE(s.p[0] == (object ? '{' : '[') && s.p[s.n - 1] == (object ? '}' : ']'));
	uint32_t at = i + 1, n = 0;
	for (uint32_t end = k->pos + 1; at < k->next; n++) {
		for (int part = object ? 0 : 1; part < 2; part++) {
			AGREE(at < k->next && t->tok[at].pos >= end);
			AGREE(part || t->tok[at].type == JSON_STRING);
			const char *bad = agree_tape(t, at, !part);
			if (bad)
				return bad;
			end = t->tok[at].pos + t->tok[at].len;
			AGREE(end < k->pos + k->len);
			at = t->tok[at].next;
		}
	}
	AGREE(at == k->next && n == k->size);
	return NULL;
}

/* Writes the value at token i again: strings unescaped and escaped anew, numbers as they are. */
static inline void agree_write(const struct json_tape *t, uint32_t i, struct buf *b)
{
	const struct json_token *k = &t->tok[i];
	struct span s = json_text(t, i);
	if (k->type == JSON_STRING) {
		char *out = malloc(s.n + 1);
		if (!out)
			abort();
		json_write_string(b, span_of(out, json_unescape(s, out)));
		free(out);
	} else if (k->type == JSON_ARRAY || k->type == JSON_OBJECT) {
		bool name = k->type == JSON_OBJECT;
		buf_add_char(b, s.p[0]);
		for (uint32_t at = i + 1; at < k->next; at = t->tok[at].next) {
			agree_write(t, at, b);
			bool last = t->tok[at].next == k->next;
			if (k->type == JSON_OBJECT) {
				buf_add_str(b, name ? ":" : last ? "" : ",");
				name = !name;
			} else if (!last) {
				buf_add_char(b, ',');
			}
		}
		buf_add_char(b, s.p[s.n - 1]);
	} else {
		buf_add_span(b, s);
	}
}

static inline const char *agree_round_trip(const struct json_tape *t)
{
	struct buf b;
	struct json_tape again;
	size_t at;
	const char *why, *bad = NULL;
	buf_init(&b, (size_t)t->tok[0].len * 6 + 64);
	json_tape_init(&again, t->max);
	agree_write(t, 0, &b);
	if (b.err)
		bad = "written again it does not fit";
	else if (json_parse(&again, span_of(b.p, b.len), &at, &why))
		bad = "written again it is refused";
	else if (again.n != t->n)
		bad = "written again it has other tokens";
	else if (!json_equal(t, 0, &again, 0) || !json_equal(&again, 0, t, 0))
		bad = "written again it is not equal";
	for (uint32_t i = 0; !bad && i < t->n; i++)
		if (t->tok[i].hash != again.tok[i].hash || t->tok[i].type != again.tok[i].type ||
		    (t->tok[i].flags ^ again.tok[i].flags) & JSON_DUPLICATE)
			bad = "written again a token differs";
	json_tape_done(&again);
	buf_done(&b);
	return bad;
}

/* All of the above on any bytes. They are copied, so that a sanitizer sees a step over the end. */
static inline const char *agree(struct json_tape *t, struct span bytes)
{
	char *copy = malloc(bytes.n ? bytes.n : 1);
	if (!copy)
		abort();
	if (bytes.n)
		memcpy(copy, bytes.p, bytes.n);
	struct span text = {copy, bytes.n};
	json_error_t e = {0};
	size_t at = SIZE_MAX;
	const char *why = NULL, *bad = NULL;
	int err = json_parse(t, text, &at, &why);
	json_t *j = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	enum json_error_code code = json_error_code(&e);
	if (err) {
		if (!why || at > text.n || t->src || t->n)
			bad = "an error without a place or a reason";
		else if (j && err != ERR_TOO_LARGE && !(at < text.n && text.p[at] == '\0'))
			bad = "jansson accepts what we refuse";
	} else if (why || at != SIZE_MAX) {
		bad = "no error, but outputs were touched";
	} else if (j) {
		bad = agree_value(t, 0, j);
	} else if (code != json_error_numeric_overflow && code != json_error_null_byte_in_key) {
		bad = "jansson refuses what we accept";
	}
	if (!err && !bad)
		bad = t->tok[0].next == t->n ? agree_tape(t, 0, false) : "tokens after the root";
	if (!err && !bad)
		bad = agree_round_trip(t);
	json_decref(j);
	free(copy);
	return bad;
}

#endif
