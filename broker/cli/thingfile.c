/* thingfile.c - see thingfile.h. */
#include "cli/thingfile.h"

#include "base/mem.h"
#include "cli/csv.h"
#include "register/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 96 };

/* ---- setting members by their path ---- */

static json_t *value_of(const struct entry_field *f, const char *text)
{
	static const char *const yes[] = {"true", "ja", "yes", "1"}, *const no[] = {"false", "nee",
	                                                                            "no", "0"};
	for (size_t i = 0; f->type == ENTRY_BOOL && i < ARRAY_LEN(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0)
			return json_true();
		if (strcasecmp(text, no[i]) == 0)
			return json_false();
	}
	if (f->type == ENTRY_NUMBER) {
		char number[64], *end;
		snprintf(number, sizeof(number), "%s", text);
		char *comma = strchr(number, ','); /* as spreadsheets here write it */
		if (comma && !strchr(number, '.'))
			*comma = '.';
		double d = strtod(number, &end);
		if (end != number && *end == '\0')
			return json_real(d);
	}
	return json_string(text); /* what is wrong with it is said by the check */
}

static json_t *child(json_t *object, const char *name, bool list)
{
	json_t *v = json_object_get(object, name);
	if (!v) {
		v = list ? json_array() : json_object();
		json_object_set_new(object, name, v);
	}
	return v;
}

/* Each part of text is an element; under: the member of each, or "" when they are no objects. */
static void set_list(json_t *list, const char *under, const struct entry_field *f, const char *text)
{
	for (size_t i = 0; *text; i++) {
		size_t n = strcspn(text, "|");
		auto_free char *part = xstrndup(text, n);
		json_t *v = value_of(f, part);
		if (!*under) {
			json_array_append_new(list, v);
		} else {
			if (!json_array_get(list, i))
				json_array_append_new(list, json_object());
			json_object_set_new(json_array_get(list, i), under, v);
		}
		text += n + (text[n] == '|');
	}
}

/* The table's path without its brackets: how a column names it. */
static bool is_path(const char *table, const char *path)
{
	for (; *table; table++) {
		if (*table == '[' || *table == ']')
			continue;
		if (*table != *path++)
			return false;
	}
	return *path == '\0';
}

bool thingfile_set(json_t *entry, const char *path, const char *text)
{
	const struct entry_field *f = NULL;
	for (unsigned i = 0; i < entry_n_fields && !f; i++)
		if (is_path(entry_fields[i].path, path))
			f = &entry_fields[i];
	if (!f)
		return false;
	char first[PATH_BYTES];
	const char *brackets = strstr(f->path, "[]"), *dot = strchr(f->path, '.');
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(f->path, ".["), f->path);
	if (!dot && !brackets) {
		json_object_set_new(entry, first, value_of(f, text));
	} else if (brackets && (!dot || brackets < dot)) { /* themes[], devices[].id */
		set_list(child(entry, first, true), dot ? dot + 1 : "", f, text);
	} else { /* owner.name, location.regions[] */
		json_t *object = child(entry, first, false);
		char second[PATH_BYTES];
		snprintf(second, sizeof(second), "%.*s", (int)strcspn(dot + 1, "["), dot + 1);
		if (brackets)
			set_list(child(object, second, true), "", f, text);
		else
			json_object_set_new(object, second, value_of(f, text));
	}
	return true;
}

/* ---- CSV ---- */

static int csv_rows(const struct cli *c, const char *path, struct span text, thingfile_fn each,
                    void *arg)
{
	struct csv csv;
	const char *why = "";
	char *columns[CSV_CELLS_MAX];
	unsigned n = 0;
	int id = -1, rc;
	csv_init(&csv, text);
	rc = csv_next(&csv, &why);
	for (; rc == 1 && n < csv.n; n++) {
		columns[n] = xstrdup(csv.cell[n]);
		if (strcmp(columns[n], "id") == 0)
			id = (int)n;
	}
	if (rc == 1 && id < 0) {
		rc = cli_trouble(c, "%s: no column is called id", path);
		goto out;
	}
	while (rc == 1 && (rc = csv_next(&csv, &why)) == 1) {
		char place[32];
		json_t *entry = json_object();
		snprintf(place, sizeof(place), "line %u", csv.line);
		for (unsigned i = 0; i < csv.n; i++) {
			if ((int)i == id || !*csv.cell[i])
				continue;
			if (i >= n || !thingfile_set(entry, columns[i], csv.cell[i]))
				json_object_set_new(entry, i < n ? columns[i] : "a cell too many",
				                    json_string(csv.cell[i]));
		}
		const char *cell = id < (int)csv.n ? csv.cell[id] : "";
		int stop = each(arg, place, *cell ? cell : NULL, entry);
		json_decref(entry);
		if (stop) {
			rc = stop;
			goto out;
		}
		rc = 1;
	}
	if (rc < 0)
		rc = cli_trouble(c, "%s: line %u: %s", path, csv.line, why);
out:
	while (n)
		free(columns[--n]);
	csv_done(&csv);
	return rc;
}

/* ---- JSON and GeoJSON ---- */

static char *id_of(const json_t *object)
{
	const json_t *id = json_object_get(object, "id");
	char *text = NULL;
	if (json_is_integer(id) && asprintf(&text, "%lld", (long long)json_integer_value(id)) < 0)
		return NULL;
	return json_is_string(id) ? xstrdup(json_string_value(id)) : text;
}

/* "owner.name" beside nested objects, as GeoJSON of GIS programs has it. */
static void add_property(json_t *entry, const char *name, json_t *value)
{
	if (strchr(name, '.') && json_is_string(value) &&
	    thingfile_set(entry, name, json_string_value(value)))
		return;
	json_object_set(entry, name, value);
}

static int json_thing(const char *place, json_t *object, thingfile_fn each, void *arg)
{
	const char *name;
	json_t *value, *entry = json_object();
	json_t *properties = json_object_get(object, "properties"),
	       *at = json_object_get(json_object_get(object, "geometry"), "coordinates");
	bool feature = json_is_object(properties);
	json_object_foreach(feature ? properties : object, name, value)
	    add_property(entry, name, value);
	if (feature && json_is_number(json_array_get(at, 0)) &&
	    json_is_number(json_array_get(at, 1))) {
		json_t *location = child(entry, "location", false);
		json_object_set(location, "longitude", json_array_get(at, 0));
		json_object_set(location, "latitude", json_array_get(at, 1));
		if (json_is_number(json_array_get(at, 2)))
			json_object_set(location, "height", json_array_get(at, 2));
	}
	auto_free char *id = id_of(object), *inner = feature ? id_of(properties) : NULL;
	int stop = each(arg, place, id ? id : inner, entry);
	json_decref(entry);
	return stop;
}

static int json_things(const struct cli *c, const char *path, struct span text, thingfile_fn each,
                       void *arg)
{
	json_error_t e;
	json_t *all = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &e), *one;
	if (!all)
		return cli_trouble(c, "%s: line %d: %s", path, e.line, e.text);
	bool features = json_is_array(json_object_get(all, "features"));
	json_t *list = features              ? json_object_get(all, "features")
	               : json_is_object(all) ? json_object_get(all, "things")
	                                     : all;
	int stop = 0;
	size_t i;
	if (!json_is_array(list))
		stop = cli_trouble(
		    c, "%s: write a list of things, {\"things\": [...]} or GeoJSON features", path);
	json_array_foreach(list, i, one)
	{
		char place[32];
		snprintf(place, sizeof(place), "%s %zu", features ? "feature" : "thing", i + 1);
		stop = stop ? stop : json_thing(place, one, each, arg);
	}
	json_decref(all);
	return stop;
}

int thingfile_each(const struct cli *c, const char *path, struct span text, thingfile_fn each,
                   void *arg)
{
	size_t n = 0;
	while (n < text.n && strchr(" \t\r\n\xef\xbb\xbf", text.p[n]))
		n++;
	if (n == text.n)
		return cli_trouble(c, "%s is empty", path);
	if (text.p[n] == '{' || text.p[n] == '[')
		return json_things(c, path, span_of(text.p + n, text.n - n), each, arg);
	return csv_rows(c, path, text, each, arg);
}
