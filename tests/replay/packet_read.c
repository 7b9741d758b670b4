/* packet_read.c - bytes to what they say, and whether that was expected. */
#include "replay/packet.h"
#include "replay/props.h"

#include <stdio.h>
#include <string.h>

struct reader {
	const uint8_t *p, *end;
	struct facts *f;
	bool bad;
};

static uint64_t get(struct reader *r, unsigned bytes)
{
	uint64_t v = 0;
	if ((size_t)(r->end - r->p) < bytes) {
		r->bad = true;
		r->p = r->end;
		return 0;
	}
	while (bytes--)
		v = v << 8 | *r->p++;
	return v;
}

static uint64_t get_varint(struct reader *r)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t c = get(r, 1);
		v |= (c & 127) << 7 * i;
		if (!(c & 128))
			return v;
	}
	r->bad = true;
	return 0;
}

static struct span get_bytes(struct reader *r, uint64_t n)
{
	if ((uint64_t)(r->end - r->p) < n) {
		r->bad = true;
		return (struct span){0};
	}
	r->p += n;
	return span_of((const char *)r->p - n, n);
}

static struct span get_string(struct reader *r)
{
	return get_bytes(r, get(r, 2));
}

static void fact(struct reader *r, const char *key, struct span value)
{
	struct facts *f = r->f;
	if (f->n == FACTS_MAX) {
		r->bad = true;
		return;
	}
	snprintf(f->fact[f->n].key, sizeof(f->fact[f->n].key), "%s", key);
	f->fact[f->n].number = false;
	f->fact[f->n++].value = value;
}

static void fact_number(struct reader *r, const char *key, uint64_t v)
{
	struct facts *f = r->f;
	int n =
	    snprintf(f->text + f->used, sizeof(f->text) - f->used, "%llu", (unsigned long long)v);
	fact(r, key, span_of(f->text + f->used, (size_t)n));
	f->fact[f->n - 1].number = true;
	f->used += (size_t)n;
}

static void one_property(struct reader *r)
{
	uint64_t id = get(r, 1);
	for (unsigned i = 0; i < PROPS; i++) {
		const struct prop *p = &props[i];
		if (p->id != id)
			continue;
		char key[64];
		struct span name;
		switch (p->kind) {
		case KIND_U8: fact_number(r, p->name, get(r, 1)); return;
		case KIND_U16: fact_number(r, p->name, get(r, 2)); return;
		case KIND_U32: fact_number(r, p->name, get(r, 4)); return;
		case KIND_VARINT: fact_number(r, p->name, get_varint(r)); return;
		case KIND_STRING: fact(r, p->name, get_string(r)); return;
		case KIND_PAIR:
			name = get_string(r);
			snprintf(key, sizeof(key), "user:%.*s", (int)name.n, name.p);
			fact(r, key, get_string(r));
			return;
		}
	}
	r->bad = true;
}

static void get_props(struct reader *r)
{
	uint64_t n = get_varint(r);
	const uint8_t *end = r->end;
	if ((uint64_t)(end - r->p) < n) {
		r->bad = true;
		return;
	}
	r->end = r->p + n;
	while (r->p < r->end && !r->bad)
		one_property(r);
	r->p = r->end;
	r->end = end;
}

static void read_publish(struct reader *r, unsigned flags, unsigned version)
{
	char q[3] = {'q', (char)('0' + (flags >> 1 & 3)), 0};
	fact(r, q, (struct span){0});
	if (flags & 8)
		fact(r, "dup", (struct span){0});
	if (flags & 1)
		fact(r, "retain", (struct span){0});
	fact(r, "topic", get_string(r));
	if (flags & 6)
		fact_number(r, "id", get(r, 2));
	if (version == 5)
		get_props(r);
	fact(r, "payload", get_bytes(r, (uint64_t)(r->end - r->p)));
}

static void read_reason(struct reader *r)
{
	fact_number(r, "reason", r->p < r->end ? get(r, 1) : 0);
	if (r->p < r->end)
		get_props(r);
}

static void read_codes(struct reader *r, unsigned version)
{
	fact_number(r, "id", get(r, 2));
	if (version == 5)
		get_props(r);
	while (r->p < r->end)
		fact_number(r, "code", get(r, 1));
}

static const char *const type_names[16] = {
    [2] = "CONNACK",   [3] = "PUBLISH",     [4] = "PUBACK", [5] = "PUBREC",
    [6] = "PUBREL",    [7] = "PUBCOMP",     [9] = "SUBACK", [11] = "UNSUBACK",
    [13] = "PINGRESP", [14] = "DISCONNECT", [15] = "AUTH"};

static void read_body(struct reader *r, unsigned head, unsigned version)
{
	switch (head >> 4) {
	case 2:
		if (get(r, 1))
			fact(r, "session-present", (struct span){0});
		fact_number(r, "reason", get(r, 1));
		if (version == 5)
			get_props(r);
		return;
	case 3: read_publish(r, head & 15, version); return;
	case 4:
	case 5:
	case 6:
	case 7:
		fact_number(r, "id", get(r, 2));
		read_reason(r);
		return;
	case 9:
	case 11: read_codes(r, version); return;
	case 14:
	case 15: read_reason(r); return;
	default: return;
	}
}

bool packet_read(const uint8_t *p, size_t n, unsigned version, struct facts *ret, size_t *ret_n)
{
	struct reader r = {.p = p + 1, .end = p + n, .f = ret};
	*ret_n = 0;
	ret->n = 0;
	ret->used = 0;
	if (n < 2 || !type_names[p[0] >> 4])
		return false;
	uint64_t len = get_varint(&r);
	if (r.bad || len > (uint64_t)(r.end - r.p))
		return false;
	r.end = r.p + len;
	*ret_n = (size_t)(r.end - p);
	snprintf(ret->type, sizeof(ret->type), "%s", type_names[p[0] >> 4]);
	unsigned flags = p[0] & 15, type = p[0] >> 4;
	if (type != 3 && flags != (type == 6 ? 2u : 0u))
		return false;
	read_body(&r, p[0], version);
	return !r.bad && r.p == r.end;
}

void facts_show(const struct facts *f, struct buf *b)
{
	buf_add_str(b, f->type);
	for (unsigned i = 0; i < f->n; i++) {
		const struct fact *one = &f->fact[i];
		buf_addf(b, " %s", one->key);
		if (!one->value.p)
			continue;
		buf_add_char(b, '=');
		for (size_t k = 0; k < one->value.n && k < 80; k++) {
			unsigned char c = (unsigned char)one->value.p[k];
			if (c < 32 || c > 126)
				buf_addf(b, "\\x%02x", c);
			else
				buf_add_char(b, (char)c);
		}
	}
}

/* ---- variables ---- */

bool variable_get(const struct variables *v, struct span name, uint64_t *ret)
{
	for (unsigned i = 0; i < v->n; i++)
		if (span_is(name, v->one[i].name)) {
			*ret = v->one[i].value;
			return true;
		}
	return false;
}

bool variable_set(struct variables *v, struct span name, uint64_t value)
{
	if (v->n == sizeof(v->one) / sizeof(v->one[0]) || name.n >= sizeof(v->one[0].name))
		return false;
	memcpy(v->one[v->n].name, name.p, name.n);
	v->one[v->n++].value = value;
	return true;
}

/* ---- expectation ---- */

static bool value_is(const struct fact *f, struct span want, struct variables *v)
{
	uint64_t a, b;
	if (span_is(want, "*"))
		return true;
	if (want.n > 1 && want.p[0] == '$' && f->number) {
		struct span name = span_of(want.p + 1, want.n - 1);
		if (!words_number(f->value, &a))
			return false;
		return variable_get(v, name, &b) ? a == b : variable_set(v, name, a);
	}
	if (want.n > 3 && memcmp(want.p + want.n - 3, "...", 3) == 0) /* begins so */
		return f->value.n >= want.n - 3 && memcmp(f->value.p, want.p, want.n - 3) == 0;
	if (f->number && words_number(want, &a) && words_number(f->value, &b))
		return a == b;
	return span_eq(f->value, want);
}

/* The key that the n-th word without a key stands for; NULL: it is a flag. */
static const char *positional(const struct facts *f, struct span v, unsigned *n)
{
	static const char *const flags[] = {"q0", "q1", "q2", "dup", "retain", "session-present"};
	bool publish = strcmp(f->type, "PUBLISH") == 0;
	if (publish || strcmp(f->type, "CONNACK") == 0)
		for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (span_is(v, flags[i]))
				return NULL;
	unsigned at = (*n)++;
	if (publish)
		return at == 0 ? "topic" : "payload";
	if (strcmp(f->type, "SUBACK") == 0 || strcmp(f->type, "UNSUBACK") == 0)
		return at == 0 ? "id" : "code";
	if (strcmp(f->type, "PUBACK") == 0 || strcmp(f->type, "PUBREC") == 0 ||
	    strcmp(f->type, "PUBREL") == 0 || strcmp(f->type, "PUBCOMP") == 0)
		return at == 0 ? "id" : "reason";
	return "reason";
}

static const struct fact *find(const struct facts *f, bool used[FACTS_MAX], struct span key,
                               struct span value, struct variables *v)
{
	/* what comes more than once comes in the order named */
	unsigned from = 0;
	for (unsigned i = 0; i < f->n; i++)
		if (used[i] && span_is(key, f->fact[i].key))
			from = i + 1;
	for (unsigned i = from; i < f->n; i++)
		if (!used[i] && span_is(key, f->fact[i].key) && value_is(&f->fact[i], value, v)) {
			used[i] = true;
			return &f->fact[i];
		}
	return NULL;
}

static bool must_be_said(const char *key)
{
	static const char *const always[] = {"q1",   "q2",      "dup",  "retain", "session-present",
	                                     "code", "payload", "topic"};
	for (unsigned i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (strcmp(key, always[i]) == 0)
			return true;
	return false;
}

/* What was not named but may not pass in silence. */
static bool rest_is_silent(const struct facts *f, const bool used[FACTS_MAX], bool only,
                           char why[WHY_BYTES])
{
	for (unsigned i = 0; i < f->n; i++) {
		const struct fact *one = &f->fact[i];
		if (used[i])
			continue;
		bool refusal = strcmp(one->key, "reason") == 0 && !span_is(one->value, "0");
		bool property = strcmp(one->key, "reason") != 0 && strcmp(one->key, "id") != 0 &&
		                strcmp(one->key, "q0") != 0;
		if (refusal || (must_be_said(one->key) && (one->value.n || !one->value.p)) ||
		    (only && property)) {
			snprintf(why, WHY_BYTES, "it has %s, which was not named", one->key);
			return false;
		}
	}
	return true;
}

bool packet_matches(const struct facts *f, const struct words *w, unsigned from,
                    struct variables *v, char why[WHY_BYTES])
{
	bool used[FACTS_MAX] = {false}, only = false;
	unsigned n = 0;
	if (!span_is(w->word[from].text, f->type)) {
		snprintf(why, WHY_BYTES, "another packet");
		return false;
	}
	for (unsigned i = from + 1; i < w->n; i++) {
		struct span key = w->word[i].key, value = w->word[i].value;
		if (!key.n && value.n > 1 && value.p[0] == '!') {
			for (unsigned k = 0; k < f->n; k++)
				if (span_is(span_of(value.p + 1, value.n - 1), f->fact[k].key)) {
					snprintf(why, WHY_BYTES, "it has %s", f->fact[k].key);
					return false;
				}
			continue;
		}
		if (!key.n && span_is(value, "only")) {
			only = true;
			continue;
		}
		if (!key.n) {
			const char *name = positional(f, value, &n);
			key = name ? span_str(name) : value;
			value = name ? value : (struct span){0};
		}
		if (!find(f, used, key, value, v)) {
			snprintf(why, WHY_BYTES, "it has no %.*s%s%.*s in this place", (int)key.n,
			         key.p, value.p ? "=" : "", (int)value.n, value.p ? value.p : "");
			return false;
		}
	}
	return rest_is_silent(f, used, only, why);
}
