/* build.c - see build.h. */
#include "sta/build.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "sta/render.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

json_t *sta_object(void)
{
	return json_object();
}
json_t *sta_array(void)
{
	return json_array();
}
void sta_drop(json_t *j)
{
	json_decref(j);
}

/* The member in the first language that has it. */
static void take_words(json_t *to, const char *name, json_t *entry)
{
	json_t *words = json_object_get(entry, name);
	json_t *said = json_object_get(words, "nl");
	if (!said)
		said = json_object_get(words, "en");
	if (json_is_string(said))
		json_object_set(to, name, said);
}

void sta_registered(json_t *thing, json_t *properties, struct span entry)
{
	json_t *e = json_loadb(entry.p, entry.n, 0, NULL);
	if (!json_is_object(e)) {
		json_decref(e);
		return;
	}
	take_words(thing, "name", e);
	take_words(thing, "description", e);
	json_object_del(e, "name");
	json_object_del(e, "description");
	json_object_set_new(properties, "register", e);
}

void sta_text(json_t *o, const char *name, struct span s)
{
	json_t *j = json_stringn(s.n ? s.p : "", s.n);
	json_object_set_new(o, name, j ? j : json_string("?"));
}
void sta_string(json_t *o, const char *name, const char *s)
{
	sta_text(o, name, span_str(s));
}
void sta_number(json_t *o, const char *name, double v)
{
	json_object_set_new(o, name, json_real(v));
}
void sta_integer(json_t *o, const char *name, int64_t v)
{
	json_object_set_new(o, name, json_integer(v));
}
void sta_truth(json_t *o, const char *name, bool v)
{
	json_object_set_new(o, name, json_boolean(v));
}
void sta_null(json_t *o, const char *name)
{
	json_object_set_new(o, name, json_null());
}

void sta_time(json_t *o, const char *name, int64_t ms)
{
	char t[RFC3339_BYTES];
	rfc3339_format(ms, t);
	sta_text(o, name, span_of(t, sizeof(t)));
}

void sta_interval(json_t *o, const char *name, int64_t from_ms, int64_t to_ms)
{
	char t[2 * RFC3339_BYTES + 1];
	rfc3339_format(from_ms, t);
	t[RFC3339_BYTES] = '/';
	rfc3339_format(to_ms, t + RFC3339_BYTES + 1);
	sta_text(o, name, span_of(t, sizeof(t)));
}

void sta_place_geometry(json_t *o, const char *name, const struct box *place)
{
	double w = place->west_e7 / 1e7, s = place->south_e7 / 1e7, e = place->east_e7 / 1e7,
	       n = place->north_e7 / 1e7;
	json_t *j;
	if (box_is_point(place))
		j = json_pack("{s:s,s:[f,f]}", "type", "Point", "coordinates", w, s);
	else if (w == e || s == n)
		j = json_pack("{s:s,s:[f,f,f,f],s:[[f,f],[f,f]]}", "type", "LineString", "bbox", w,
		              s, e, n, "coordinates", w, s, e, n);
	else
		j = json_pack("{s:s,s:[f,f,f,f],s:[[[f,f],[f,f],[f,f],[f,f],[f,f]]]}", "type",
		              "Polygon", "bbox", w, s, e, n, "coordinates", w, s, e, s, e, n, w, n,
		              w, s);
	json_object_set_new(o, name, j);
}

void sta_put(json_t *o, const char *name, json_t *child)
{
	json_object_set_new(o, name, child);
}

void sta_append(json_t *array, const char *s)
{
	json_array_append_new(array, json_string(s));
}

json_t *sta_parse(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);
	if (json_is_object(j))
		return j;
	json_decref(j);
	return NULL;
}

json_t *sta_properties(json_t *o)
{
	json_t *p = json_object_get(o, "properties");
	if (!json_is_object(p)) {
		json_object_set_new(o, "properties", json_object());
		p = json_object_get(o, "properties");
	}
	return p;
}

void sta_overlay(json_t *o, json_t *over)
{
	json_t *more = json_object_get(over, "properties");
	if (more) {
		json_object_update(sta_properties(o), more);
		json_object_del(over, "properties");
	}
	json_object_update(o, over);
	json_decref(over);
}

void sta_copy(json_t *to, json_t *from, const char *names)
{
	char name[64];
	while (*names) {
		size_t n = strcspn(names, " ");
		json_t *v;
		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		v = json_object_get(from, name);
		if (v)
			json_object_set(to, name, v);
		names += n + (names[n] == ' ');
	}
}

void sta_rename(json_t *o, const char *from, const char *to)
{
	json_t *v = json_object_get(o, from);
	if (!v)
		return;
	json_object_set(o, to, v);
	json_object_del(o, from);
}

static bool copy_text(const json_t *v, char *out, size_t size)
{
	size_t n = json_string_length(v);
	if (!json_is_string(v) || n >= size)
		return false;
	memcpy(out, json_string_value(v), n + 1);
	return true;
}

bool sta_member(const json_t *o, const char *name, char *out, size_t size)
{
	return copy_text(json_object_get(o, name), out, size);
}

bool sta_member_at(const json_t *o, const char *name, unsigned i, char *out, size_t size)
{
	return copy_text(json_array_get(json_object_get(o, name), i), out, size);
}

void sta_last_text(json_t *array, struct span s)
{
	json_t *j = json_stringn(s.n ? s.p : "", s.n);
	json_array_append_new(array, j ? j : json_string("?"));
}
void sta_last_number(json_t *array, double v)
{
	json_array_append_new(array, json_real(v));
}
void sta_last_truth(json_t *array, bool v)
{
	json_array_append_new(array, json_boolean(v));
}
void sta_last_null(json_t *array)
{
	json_array_append_new(array, json_null());
}
void sta_last_of(json_t *array, json_t *o, const char *name)
{
	json_array_append(array, json_object_get(o, name));
}

char *sta_print(const json_t *j)
{
	struct buf b;
	buf_init(&b, 64 << 20);
	write_json(&b, j);
	char *text = b.err ? NULL : xstrndup(b.p, b.len);
	buf_done(&b);
	return text;
}
