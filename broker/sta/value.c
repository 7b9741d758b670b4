/* value.c - values and their order; see value.h. */
#include "sta/value.h"

#include "base/rfc3339.h"

json_t *sta_value_below(const json_t *j, struct span name)
{
	uint64_t place;
	if (json_is_array(j) && span_to_u64(name, &place) == 0)
		return json_array_get(j, (size_t)MIN_OF(place, (uint64_t)SIZE_MAX));
	return json_object_getn(j, name.p, name.n);
}

struct sta_value sta_value_of(const json_t *j)
{
	struct sta_value v = {.kind = STA_V_NULL};
	switch (j ? json_typeof(j) : JSON_NULL) {
	case JSON_NULL: break;
	case JSON_TRUE:
	case JSON_FALSE:
		v.kind = STA_V_BOOL;
		v.truth = json_is_true(j);
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		v.kind = STA_V_NUMBER;
		v.number = json_number_value(j);
		break;
	case JSON_STRING:
		v.kind = STA_V_STRING;
		v.text = span_of(json_string_value(j), json_string_length(j));
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		v.kind = STA_V_JSON;
		v.json = j;
		break;
	}
	return v;
}

bool sta_value_as_time(struct sta_value *v)
{
	int64_t from, to;
	if (v->kind == STA_V_TIME)
		return true;
	if (v->kind != STA_V_STRING || !v->text.n)
		return false;
	const char *slash = memchr(v->text.p, '/', v->text.n);
	size_t n = slash ? (size_t)(slash - v->text.p) : v->text.n;
	if (rfc3339_parse(span_of(v->text.p, n), &from) != 0)
		return false;
	to = from;
	if (slash && rfc3339_parse(span_of(slash + 1, v->text.n - n - 1), &to) != 0)
		return false;
	v->kind = STA_V_TIME;
	v->ms = from;
	v->end_ms = to;
	return true;
}

bool sta_time_before(const struct sta_value *a, const struct sta_value *b)
{
	return a->end_ms < b->ms || (a->end_ms == b->ms && a->ms < a->end_ms);
}

static int order(double a, double b)
{
	return (a > b) - (a < b);
}

static int order_ms(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int order_text(struct span a, struct span b)
{
	size_t n = MIN_OF(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : order_ms((int64_t)a.n, (int64_t)b.n);
}

int sta_value_compare(const struct sta_value *a, const struct sta_value *b)
{
	if (a->kind != b->kind)
		return (int)a->kind - (int)b->kind;
	switch (a->kind) {
	case STA_V_NULL:
	case STA_V_JSON: return 0;
	case STA_V_BOOL: return (int)a->truth - (int)b->truth;
	case STA_V_NUMBER: return order(a->number, b->number);
	case STA_V_DURATION: return order_ms(a->ms, b->ms);
	case STA_V_TIME: {
		int c = order_ms(a->ms, b->ms);
		return c ? c : order_ms(a->end_ms, b->end_ms);
	}
	case STA_V_STRING:
	case STA_V_WKT: return order_text(a->text, b->text);
	}
	return 0;
}
