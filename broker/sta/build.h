/* build.h - makes the JSON of entities for a source, for files that cannot see jansson because they
 * see the broker's own reader of JSON, whose names are the same. Members are set once; a text that
 * is not UTF-8 becomes "?". Out of memory is an object with less in it. */
#ifndef STA_BUILD_H
#define STA_BUILD_H

#include "base/box.h"
#include "sta/source.h"

json_t *sta_object(void);
json_t *sta_array(void);
void sta_drop(json_t *j); /* accepts NULL */
/* As text, numbers as short as they can be; the caller frees. */
char *sta_print(const json_t *j);

void sta_text(json_t *o, const char *name, struct span s);
void sta_string(json_t *o, const char *name, const char *s);
void sta_number(json_t *o, const char *name, double v);
void sta_integer(json_t *o, const char *name, int64_t v);
void sta_truth(json_t *o, const char *name, bool v);
void sta_null(json_t *o, const char *name);
void sta_time(json_t *o, const char *name, int64_t ms); /* RFC 3339 */
void sta_interval(json_t *o, const char *name, int64_t from_ms, int64_t to_ms);
/* GeoJSON: a Point, or of a box its Polygon with its bbox. */
void sta_place_geometry(json_t *o, const char *name, const struct box *place);
void sta_put(json_t *o, const char *name, json_t *child); /* takes child over */
void sta_append(json_t *array, const char *s);
/* At the end of an array. */
void sta_last_text(json_t *array, struct span s);
void sta_last_number(json_t *array, double v);
void sta_last_truth(json_t *array, bool v);
void sta_last_null(json_t *array);
void sta_last_of(json_t *array, json_t *o, const char *name); /* the member of o */
/* name and description of a thing, and the rest of its entry (oudp-register(7), a JSON object) into
 * properties: the words are Dutch, else English. What cannot be read changes nothing. */
void sta_registered(json_t *thing, json_t *properties, struct span entry);
/* What is kept as text; NULL: it is no object. */
json_t *sta_parse(const char *text);
/* Members of over are set in o, those of properties one by one; takes over over. */
void sta_overlay(json_t *o, json_t *over);
/* The properties of an entity, made when there are none; not a new reference. */
json_t *sta_properties(json_t *o);
/* Sets members of from, names separated by spaces, in to, where from has them. */
void sta_copy(json_t *to, json_t *from, const char *names);
/* A text member, terminated; false: it is none, or too long. */
bool sta_member(const json_t *o, const char *name, char *out, size_t size);
/* The i-th text of a member that is a list, as above. */
bool sta_member_at(const json_t *o, const char *name, unsigned i, char *out, size_t size);
/* The member gets another name. */
void sta_rename(json_t *o, const char *from, const char *to);

#endif
