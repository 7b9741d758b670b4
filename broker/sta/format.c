/* format.c - answers in other forms than the default: dataArray (18-088 clause 12) and GeoJSON; and
 * JSON as text. */
#include "base/err.h"
#include "sta/render.h"
#include "json/write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- text ---- */

/* With a point where it could not be read back as an integer. */
static void write_real(struct buf *b, double v)
{
	size_t at = b->len;
	json_write_double(b, v);
	if (isfinite(v) && fabs(v) >= 0x1p63 && !b->err && !memchr(b->p + at, 'e', b->len - at))
		buf_add_str(b, ".0");
}

void write_json(struct buf *b, const json_t *j)
{
	const char *key;
	json_t *value;
	size_t i;
	bool first = true;
	switch (j ? json_typeof(j) : JSON_NULL) {
	case JSON_OBJECT:
		buf_add_char(b, '{');
		json_object_foreach((json_t *)j, key, value)
		{
			if (!first)
				buf_add_char(b, ',');
			first = false;
			json_write_string(b, span_str(key));
			buf_add_char(b, ':');
			write_json(b, value);
		}
		buf_add_char(b, '}');
		break;
	case JSON_ARRAY:
		buf_add_char(b, '[');
		json_array_foreach(j, i, value)
		{
			if (i)
				buf_add_char(b, ',');
			write_json(b, value);
		}
		buf_add_char(b, ']');
		break;
	case JSON_STRING:
		json_write_string(b, span_of(json_string_value(j), json_string_length(j)));
		break;
	case JSON_INTEGER: json_write_i64(b, json_integer_value(j)); break;
	case JSON_REAL: write_real(b, json_real_value(j)); break;
	case JSON_TRUE: buf_add_str(b, "true"); break;
	case JSON_FALSE: buf_add_str(b, "false"); break;
	case JSON_NULL: buf_add_str(b, "null"); break;
	}
}

void write_encoded(struct buf *b, struct span s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	                            "-._~/(),:$='*!;@";
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] && strchr(plain, s.p[i]))
			buf_add_char(b, s.p[i]);
		else
			buf_addf(b, "%%%02X", (unsigned char)s.p[i]);
}

/* ---- dataArray ---- */

enum { COMPONENTS = 8 };
static const char *const components[COMPONENTS] = {"id",         "phenomenonTime", "result",
                                                   "resultTime", "resultQuality",  "validTime",
                                                   "parameters", "storedTime"};

static bool is_selected(const struct run *run, const struct sta_options *o, const char *name)
{
	for (unsigned i = 0; i < o->n_select; i++) {
		struct span s = run->r->q->name[run->r->q->select[o->select + i].name];
		if (span_is(s, name) || (span_is(s, "@iot.id") && strcmp(name, "id") == 0))
			return true;
	}
	return o->n_select == 0;
}

/* Without $select all, also those that no observation of the page has. */
static json_t *choose(const struct run *run, const struct sta_options *o)
{
	json_t *names = json_array();
	for (unsigned c = 0; c < COMPONENTS; c++)
		if (is_selected(run, o, components[c]))
			json_array_append_new(names, json_string(components[c]));
	return names;
}

static json_t *row(const json_t *names, json_t *observation, int64_t id)
{
	json_t *r = json_array(), *name;
	size_t i;
	json_array_foreach(names, i, name)
	{
		const char *n = json_string_value(name);
		json_t *v = json_object_get(observation, n);
		if (strcmp(n, "id") == 0)
			json_array_append_new(r, json_integer(id));
		else if (v)
			json_array_append(r, v);
		else
			json_array_append_new(r, json_null());
	}
	return r;
}

static json_t *group_of(const struct run *run, bool multi, int64_t stream, json_t *groups,
                        const json_t *names)
{
	const char *link_name =
	    multi ? "MultiDatastream@iot.navigationLink" : "Datastream@iot.navigationLink";
	char url[600];
	json_t *g;
	size_t i;
	render_self(run, multi ? STA_MULTI_DATASTREAM : STA_DATASTREAM, stream, url, sizeof(url));
	json_array_foreach(groups, i, g)
	{
		const json_t *link = json_object_get(g, link_name);
		if (link && strcmp(json_string_value(link), url) == 0)
			return g;
	}
	g = json_object();
	json_object_set_new(g, link_name, json_string(url));
	json_object_set(g, "components", (json_t *)names);
	json_object_set_new(g, "dataArray@iot.count", json_integer(0));
	json_object_set_new(g, "dataArray", json_array());
	json_array_append_new(groups, g);
	return g;
}

int format_data_array(struct run *run, struct page *p, json_t **ret)
{
	const struct sta_source *s = run->r->source;
	const struct sta_relation *one = sta_find_relation(STA_OBSERVATION, SPAN("Datastream")),
	                          *multi =
	                              sta_find_relation(STA_OBSERVATION, SPAN("MultiDatastream"));
	json_t *groups = json_array(), *names = choose(run, p->o), *o;
	size_t i;
	int err = 0;
	json_array_foreach(p->value, i, o)
	{
		int64_t id = json_integer_value(json_array_get(p->ids, i)), stream;
		err = s->one(s->arg, one, id, &stream);
		bool is_multi = err == ERR_NOT_FOUND;
		if (is_multi)
			err = s->one(s->arg, multi, id, &stream);
		if (err)
			break;
		json_t *g = group_of(run, is_multi, stream, groups, names);
		json_t *rows = json_object_get(g, "dataArray");
		json_array_append_new(rows, row(names, o, id));
		json_object_set_new(g, "dataArray@iot.count",
		                    json_integer((json_int_t)json_array_size(rows)));
	}
	json_decref(names);
	if (err) {
		json_decref(groups);
		return err;
	}
	*ret = groups;
	return 0;
}

/* ---- GeoJSON ---- */

/* The geometry of an entity: its own, or that of where it is. */
static int geometry_of(struct run *run, enum sta_type t, int64_t id, const json_t *entity,
                       json_t **ret);

static int take_first(void *arg, int64_t id, json_t *entity UNUSED, struct span token UNUSED)
{
	*(int64_t *)arg = id;
	return 1;
}

static int geometry_over(struct run *run, enum sta_type t, int64_t id, const char *relation,
                         json_t **ret)
{
	const struct sta_source *s = run->r->source;
	const struct sta_relation *r = sta_find_relation(t, span_str(relation));
	int64_t other = INT64_MIN;
	int err = 0;
	if (r->many) {
		struct sta_list l = {.type = r->to,
		                     .relation = r,
		                     .id = id,
		                     .from_ms = INT64_MIN,
		                     .to_ms = INT64_MAX};
		err = s->walk(s->arg, &l, take_first, &other);
		err = err < 0 ? err : other == INT64_MIN ? ERR_NOT_FOUND : 0;
	} else {
		err = s->one(s->arg, r, id, &other);
	}
	json_t *entity = NULL;
	if (!err)
		err = s->get(s->arg, r->to, other, &entity);
	if (!err)
		err = geometry_of(run, r->to, other, entity, ret);
	json_decref(entity);
	if (err == ERR_NOT_FOUND) {
		*ret = json_null();
		err = 0;
	}
	return err;
}

static int geometry_of(struct run *run, enum sta_type t, int64_t id, const json_t *entity,
                       json_t **ret)
{
	const char *own = t == STA_LOCATION  ? "location"
	                  : t == STA_FEATURE ? "feature"
	                  : sta_is_stream(t) ? "observedArea"
	                                     : NULL;
	json_t *g = own ? json_object_get(entity, own) : NULL;
	*ret = json_null();
	if (g) {
		json_t *inner = json_object_get(g, "geometry");
		*ret = json_incref(inner ? inner : g);
		return 0;
	}
	switch (t) {
	case STA_THING: return geometry_over(run, t, id, "Locations", ret);
	case STA_DATASTREAM:
	case STA_MULTI_DATASTREAM:
	case STA_HISTORICAL_LOCATION: return geometry_over(run, t, id, "Thing", ret);
	case STA_OBSERVATION: return geometry_over(run, t, id, "FeatureOfInterest", ret);
	default: return 0;
	}
}

/* Tables of maps have columns, not objects: unitOfMeasurement/symbol, Observations/0/result. Links
 * stay out, ids are called id. */
static void flatten(json_t *to, const char *path, const json_t *j)
{
	char name[LIMIT_STA_FLAT_BYTES];
	const char *key;
	json_t *v;
	size_t i;
	if (!json_is_object(j) && !json_is_array(j)) {
		json_object_set(to, path, (json_t *)j);
		return;
	}
	json_array_foreach(j, i, v)
	{
		if (snprintf(name, sizeof(name), "%s/%zu", path, i) < (int)sizeof(name))
			flatten(to, name, v);
	}
	json_object_foreach((json_t *)j, key, v)
	{
		const char *iot = strstr(key, "@iot.");
		if (iot && strcmp(key, "@iot.id") != 0 && strcmp(iot, "@iot.count") != 0)
			continue;
		if (snprintf(name, sizeof(name), "%s%s%s", path, *path ? "/" : "",
		             iot == key ? key + 5 : key) < (int)sizeof(name))
			flatten(to, name, v);
	}
}

int format_geojson(struct run *run, const struct page *p, json_t **ret)
{
	json_t *all = json_object(), *features = json_array(), *o;
	size_t i;
	json_object_set_new(all, "type", json_string("FeatureCollection"));
	json_object_set_new(all, "features", features);
	json_array_foreach(p->value, i, o)
	{
		json_t *geometry, *f = json_object();
		int64_t id = json_integer_value(json_array_get(p->ids, i));
		int err = geometry_of(run, p->list.type, id, o, &geometry);
		if (err) {
			json_decref(f);
			json_decref(all);
			return err;
		}
		json_object_set_new(f, "type", json_string("Feature"));
		json_object_set_new(f, "id", json_integer(id));
		json_object_set_new(f, "geometry", geometry);
		json_t *flat = json_object();
		flatten(flat, "", o);
		json_object_set_new(f, "properties", flat);
		json_array_append_new(features, f);
	}
	*ret = all;
	return 0;
}
