/* sta_name.c - what entities that are made are called in their feed: the level of a topic that a
 * Thing is, the member of its messages that a Datastream is; and that nobody has the name. */
#include "web/sta_making.h"

#include <stdio.h>

const struct sta_draft_link *sta_link_at(const struct sta_draft *d, enum sta_type t, unsigned i)
{
	for (unsigned k = 0; k < d->n_links; k++)
		if (d->link[k].relation->to == t && i-- == 0)
			return &d->link[k];
	return NULL;
}

const struct sta_draft_link *sta_link_to(const struct sta_draft *d, enum sta_type t)
{
	return sta_link_at(d, t, 0);
}

/* A level of a topic, or a member, of a name for people. */
static void slug(const char *name, bool senml, char *out, size_t size)
{
	size_t n = 0;
	for (; *name && n + 8 < size; name++) {
		unsigned char c = (unsigned char)*name;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		             (c >= '0' && c <= '9') || (n && (c == '-' || c == '_' || c == '.'));
		if (plain || (!senml && c >= ' ' && c != 127 && !strchr("/+#$", (int)c)))
			out[n++] = (char)c;
		else if (n && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n && (out[n - 1] == '-' || out[n - 1] == ' '))
		n--;
	out[n] = '\0';
	if (!n)
		snprintf(out, size, senml ? "value" : "thing");
}

bool sta_is_strict(const struct feed *f)
{
	return !f || f->conf->sensorthings_rules == CONFIG_STRICT;
}

bool sta_definition_is_good(struct req *r, const struct feed *f, const struct sta_draft *d)
{
	char pointer[192];
	if (!d->definition || d->definition_is_uri || !sta_is_strict(f))
		return true;
	snprintf(pointer, sizeof(pointer), "%s/definition", d->pointer);
	sta_refuse(r, 400, "type", pointer,
	           "definition: a URI, such as http://vocabulary.example/pm25");
	return false;
}

bool sta_take_unit(struct req *r, const struct feed *f, const struct sta_draft_part *p,
                   const char *pointer, char out[64])
{
	if (sta_unit(p->symbol, p->unit_uri, out) || !sta_is_strict(f))
		return true;
	sta_refuse(r, 400, "ucum", pointer,
	           "the symbol is no UCUM code, and the definition no ucum:CODE: write Cel, ug/m3, "
	           "%%, or null for what has no unit");
	return false;
}

/* "Kitchen", or "Kitchen-2" when a former Thing of that name has the data there, or another one
 * where names may repeat. */
static bool free_name(const struct making *m, const char *thing, const char *wish, bool member,
                      char *out, size_t size)
{
	const char *feed = m->feed->conf->name;
	for (unsigned i = 1; i < LIMIT_ENTITY_NAMESAKES; i++) {
		if (i == 1)
			snprintf(out, size, "%s", wish);
		else
			snprintf(out, size, "%s-%u", wish, i);
		const struct entity *x = entities_of_thing(
		    m->r->web->entities, span_str(feed), span_str(m->organisation),
		    span_str(member ? thing : out), span_str(member ? out : ""));
		if (!x)
			return true;
		if (!x->deleted && !member && sta_is_strict(m->feed))
			return false;
	}
	return false;
}

bool sta_name_is_free(struct making *m, const struct sta_draft *d)
{
	char pointer[176];
	if (!d->name[0] || d->type == STA_HISTORICAL_LOCATION || !sta_is_strict(m->feed) ||
	    !entities_has_name(m->r->web->entities, d->type, span_str(m->organisation),
	                       span_str(d->name)))
		return true;
	snprintf(pointer, sizeof(pointer), "%s/name", d->pointer);
	sta_refuse(m->r, 409, "name-taken", pointer,
	           "%.64s has a %s with the name \"%.100s\": names are unique within an "
	           "organisation",
	           m->organisation, sta_entity_name(d->type), d->name);
	return false;
}

bool sta_name_thing(struct making *m, const struct sta_draft *d, char *out, size_t size)
{
	char wish[LIMIT_THING_ID_BYTES + 1], pointer[192];
	struct span feed = m->feed->name, of = span_str(m->organisation);
	uint32_t derived;
	snprintf(pointer, sizeof(pointer), "%s/properties/thing", d->pointer);
	if (d->thing && !entry_is_id(span_str(d->thing))) {
		sta_refuse(m->r, 400, "thing", pointer,
		           "a thing is a level of a topic: no '/', '+' and '#'");
		return false;
	}
	if (d->thing)
		snprintf(wish, sizeof(wish), "%s", d->thing);
	else
		slug(d->name, false, wish, sizeof(wish));
	bool good = free_name(m, NULL, wish, false, out, size);
	derived = good ? series_find_thing(m->r->web->series, feed, of, span_str(out)) : 0;
	if (derived)
		sta_refuse(m->r, 409, "thing-taken", pointer,
		           "data of \"%.100s\" came already: it is Things(%u), change that", out,
		           derived);
	else if (!good || (d->thing && strcmp(out, d->thing) != 0))
		sta_refuse(m->r, 409, "thing-taken", pointer,
		           "feed %.64s has a Thing for \"%.100s\": choose another "
		           "properties.thing",
		           m->feed->conf->name, wish);
	else
		return sta_allows(m->r, m->feed, false, out);
	return false;
}

bool sta_schema_has(const struct schema *sc, const char *member)
{
	for (unsigned i = 0; i < schema_result_count(sc); i++)
		if (strcmp(schema_result_info(sc, i).member, member) == 0)
			return true;
	return false;
}

/* The result of the feed's schemas that a Datastream is about. NULL: none, or it is not clear. */
static const char *schema_member(const struct making *m, const struct sta_naming *n,
                                 const char *definition, const char **ret_unit)
{
	const char *found = NULL;
	for (unsigned s = 0; s < m->feed->n_schemas; s++)
		for (unsigned i = 0; i < schema_result_count(m->feed->schemas[s]); i++) {
			struct schema_result_info x = schema_result_info(m->feed->schemas[s], i);
			bool fits = n->wish ? strcmp(x.member, n->wish) == 0
			                    : definition && x.observed_property &&
			                          strcmp(x.observed_property, definition) == 0;
			if (!fits)
				continue;
			if (found && strcmp(found, x.member) != 0)
				return NULL;
			found = x.member;
			*ret_unit = x.unit;
		}
	return found;
}

/* Of a feed with schemas: one of their results, in its unit. */
static bool schema_wish(struct making *m, const struct sta_naming *n, const char *unit, char *wish,
                        size_t size)
{
	const struct sta_draft_link *l = n->property;
	const struct sta_found *p = l && l->id ? sta_find_of(&m->find, STA_OBSERVED_PROPERTY, l->id)
	                            : m->parent_id && !l
	                                ? sta_find_of(&m->find, m->parent, m->parent_id)
	                                : NULL;
	const char *of = NULL,
	           *definition = l && l->made ? l->made->definition
	                         : p          ? p->definition
	                                      : NULL,
	           *found = schema_member(m, n, definition, &of);
	if (!found)
		sta_refuse(m->r, 400, "member", n->member_at,
		           "say here which result of the feed's schema it is");
	else if (of && strcmp(of, unit) != 0)
		sta_refuse(m->r, 400, "unit", n->member_at, "the feed's schema has \"%s\" in %s",
		           found, of);
	else
		snprintf(wish, size, "%s", found);
	return !m->r->answering;
}

static bool senml_wish(struct making *m, const struct sta_naming *n, char *wish, size_t size)
{
	slug(n->wish ? n->wish : n->name, true, wish, size);
	if (!n->wish || strcmp(wish, n->wish) == 0)
		return true;
	sta_refuse(m->r, 400, "member", n->member_at,
	           "a member of SenML has letters, digits, '-', '_' and '.'");
	return false;
}

/* Nothing has its data there already. */
static bool take_member(struct making *m, const char *thing, const char *wish, bool exactly,
                        const char *pointer, char *member, size_t size)
{
	struct series *s = m->r->web->series;
	uint32_t number =
	    series_find_thing(s, m->feed->name, span_str(m->organisation), span_str(thing));
	bool free = free_name(m, thing, wish, true, member, size);
	number = number && free ? series_find_stream(s, number, span_str(member)) : 0;
	if (number)
		sta_refuse(m->r, 409, "datastream-taken", pointer,
		           "data of \"%.100s\" came already: it is Datastreams(%u), change that",
		           member, number);
	else if (!free || (exactly && strcmp(member, wish) != 0))
		sta_refuse(m->r, 409, "datastream-taken", pointer,
		           "this Thing has a Datastream for \"%.100s\"", wish);
	return !m->r->answering;
}

bool sta_name_stream(struct making *m, const struct sta_naming *n, const char *thing,
                     struct entity *x, char *member, size_t size)
{
	char wish[STA_NAME_BYTES];
	bool senml = m->feed->conf->decode == CONFIG_SENML;
	if (n->part && !sta_take_unit(m->r, m->feed, n->part, n->unit_at, x->unit))
		return false;
	return (senml ? senml_wish(m, n, wish, sizeof(wish))
	              : schema_wish(m, n, x->unit, wish, sizeof(wish))) &&
	       take_member(m, thing, wish, n->wish || !senml, n->member_at, member, size);
}
