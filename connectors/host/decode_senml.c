/* decode_senml.c - RFC 8428 in JSON: base fields resolved, times made absolute. Knows no units. */
#include "base/err.h"
#include "base/limits.h"
#include "host/decode_private.h"

#include <string.h>

enum { SENML_RELATIVE_BELOW = 1 << 28 }; /* RFC 8428, 4.5.3: smaller times count from now */

struct base {
	jv name, unit;
	double time, value, sum, version;
	bool has_value, has_sum;
};

static bool number_of(jv record, const char *name, double *ret)
{
	jv v = jv_object_get(jv_copy(record), jv_string(name));
	bool is = jv_get_kind(v) == JV_KIND_NUMBER;
	if (is)
		*ret = jv_number_value(v);
	jv_free(v);
	return is;
}

static bool has(jv record, const char *name)
{
	return jv_object_has(jv_copy(record), jv_string(name));
}

static void take_text(jv record, const char *name, jv *ret)
{
	jv v = jv_object_get(jv_copy(record), jv_string(name));
	if (jv_get_kind(v) != JV_KIND_STRING) {
		jv_free(v);
		return;
	}
	jv_free(*ret);
	*ret = v;
}

static bool name_ok(jv name)
{
	static const char start[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "-:./_";
	const char *s = jv_string_value(name);
	bool ok = *s && strchr(start, *s);
	for (; ok && *s; s++)
		ok = strchr(start, *s) || strchr(rest, *s);
	jv_free(name);
	return ok;
}

/* 4.4: a field that one does not know and that ends in "_" means: do not use this. */
static const char *unknown_field(jv record)
{
	const char *found = NULL;
	jv_object_foreach(record, k, v)
	{
		size_t n = strlen(jv_string_value(k));
		if (n > 0 && jv_string_value(k)[n - 1] == '_')
			found = "a field that must be understood is not";
		jv_free(k);
		jv_free(v);
	}
	return found;
}

static void take_base(struct base *b, jv record)
{
	take_text(record, "bn", &b->name);
	take_text(record, "bu", &b->unit);
	number_of(record, "bt", &b->time);
	number_of(record, "bver", &b->version);
	b->has_value = number_of(record, "bv", &b->value) || b->has_value;
	b->has_sum = number_of(record, "bs", &b->sum) || b->has_sum;
}

static jv resolve(const struct base *b, jv record, double now)
{
	static const char *const bases[] = {"bn", "bt", "bu", "bv", "bs", "n", "bver"};
	double t = 0, v = 0, s = 0;
	jv own = jv_object_get(jv_copy(record), jv_string("n"));
	jv name = jv_copy(b->name);
	if (jv_get_kind(own) == JV_KIND_STRING)
		name = jv_string_concat(name, jv_copy(own));
	jv_free(own);
	number_of(record, "t", &t);
	t += b->time;
	if (t < SENML_RELATIVE_BELOW)
		t += now;
	bool has_v = number_of(record, "v", &v), has_s = number_of(record, "s", &s);
	for (size_t i = 0; i < ARRAY_LEN(bases); i++)
		record = jv_object_delete(record, jv_string(bases[i]));
	record = jv_object_set(record, jv_string("n"), name);
	record = jv_object_set(record, jv_string("t"), jv_number(t));
	if (has_v)
		record = jv_object_set(record, jv_string("v"), jv_number(v + b->value));
	if (has_s || b->has_sum)
		record = jv_object_set(record, jv_string("s"), jv_number(s + b->sum));
	if (!has(record, "u") && jv_string_length_bytes(jv_copy(b->unit)) > 0)
		record = jv_object_set(record, jv_string("u"), jv_copy(b->unit));
	if (b->version != 10)
		record = jv_object_set(record, jv_string("bver"), jv_number(b->version));
	return record;
}

/* A record without a value, a sum or a base for one carries base fields only (KPN's older packs).
 */
static bool carries(const struct base *b, jv record)
{
	return has(record, "v") || has(record, "vs") || has(record, "vb") || has(record, "vd") ||
	       has(record, "s") || b->has_sum;
}

static const char *resolve_pack(jv pack, double now, jv *out)
{
	struct base b = {.name = jv_string(""), .unit = jv_string(""), .version = 10};
	const char *why = NULL;
	jv_array_foreach(pack, i, record)
	{
		if (!why && jv_get_kind(record) != JV_KIND_OBJECT)
			why = "a SenML record is an object";
		if (!why)
			why = unknown_field(record);
		if (why) {
			jv_free(record);
			continue;
		}
		take_base(&b, record);
		if (!carries(&b, record)) {
			jv_free(record);
			continue;
		}
		record = resolve(&b, record, now);
		if (!name_ok(jv_object_get(jv_copy(record), jv_string("n"))))
			why = "a SenML name is empty or has characters it may not have";
		*out = jv_array_append(*out, record);
	}
	jv_free(b.name);
	jv_free(b.unit);
	return why;
}

static int senml_end(struct decoder *d)
{
	jv pack = jv_parse_sized(buf_str(&d->buf), (int)d->buf.len), out = jv_array();
	const char *why = "SenML is an array";
	if (jv_get_kind(pack) == JV_KIND_ARRAY)
		why = resolve_pack(pack, (double)d->received_ms / 1000, &out);
	jv_free(pack);
	if (why) {
		jv_free(out);
		return decode_fail(d, ERR_MALFORMED, "%s", why);
	}
	return d->cb(d->ctx, out, 0);
}

const struct format format_senml = {0, NULL, decode_collect, senml_end, NULL};
