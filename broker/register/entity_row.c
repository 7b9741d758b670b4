/* entity_row.c - an entity as a row of the journal; see entity.h. jansson reads it. */
#include "register/entity.h"

#include "base/err.h"
#include "base/mem.h"
#include "register/ledger.h"
#include "json/write.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { FORMAT = 1 };

void entity_done(struct entity *x)
{
	free(x->feed);
	free(x->organisation);
	free(x->thing);
	free(x->member);
	free(x->name);
	free(x->text);
	free(x->unit);
	*x = (struct entity){0};
}

static void write_text(struct buf *b, const char *name, const char *v)
{
	json_write_name(b, name);
	json_write_string(b, span_str(v));
}

void entity_row_write(const struct entity *x, struct buf *out)
{
	buf_add_char(out, FORMAT);
	buf_add_char(out, '{');
	write_text(out, "feed", x->feed);
	write_text(out, "organisation", x->organisation);
	write_text(out, "thing", x->thing);
	write_text(out, "member", x->member);
	write_text(out, "name", x->name);
	write_text(out, "unit", x->unit);
	write_text(out, "by", x->by);
	buf_addf(
	    out,
	    ",\"changed\":%lld,\"deleted\":%s,\"number\":%u,\"to\":{\"thing\":%lld,\"sensor\":%lld,"
	    "\"property\":%lld,\"feature\":%lld,\"multi\":%lld,\"places\":[",
	    (long long)x->changed_ms, x->deleted ? "true" : "false", x->deleted ? x->number : 0,
	    (long long)x->to.thing, (long long)x->to.sensor, (long long)x->to.property,
	    (long long)x->to.feature, (long long)x->to.multi);
	for (unsigned i = 0; i < x->to.n_places; i++)
		buf_addf(out, "%s%lld", i ? "," : "", (long long)x->to.place[i]);
	buf_addf(out, "]%s},\"entity\":", x->to.mixed ? ",\"mixed\":true" : "");
	buf_add_str(out, x->text);
	buf_add_char(out, '}');
}

/* A copy of a text member; "" when it is not there. */
static char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return xstrdup(s ? s : "");
}

static int64_t number_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

int entity_row_read(struct span value, struct entity *ret)
{
	if (value.n < 2 || value.p[0] != FORMAT)
		return ERR_STORE_FORMAT;
	json_t *row = json_loadb(value.p + 1, value.n - 1, 0, NULL);
	const json_t *to = json_object_get(row, "to"), *own = json_object_get(row, "entity"),
	             *places = json_object_get(to, "places");
	if (!json_is_object(own) || json_array_size(places) > LIMIT_ENTITY_PLACES) {
		json_decref(row);
		return ERR_STORE_FORMAT;
	}
	*ret = (struct entity){.feed = text_of(row, "feed"),
	                       .organisation = text_of(row, "organisation"),
	                       .thing = text_of(row, "thing"),
	                       .member = text_of(row, "member"),
	                       .name = text_of(row, "name"),
	                       .unit = text_of(row, "unit"),
	                       .text = json_dumps(own, JSON_COMPACT | JSON_REAL_PRECISION(17)),
	                       .changed_ms = number_of(row, "changed"),
	                       .deleted = json_is_true(json_object_get(row, "deleted"))};
	const char *by = json_string_value(json_object_get(row, "by"));
	snprintf(ret->by, sizeof(ret->by), "%s", by ? by : "");
	ret->number = ret->deleted ? (uint32_t)number_of(row, "number") : 0;
	ret->to.thing = number_of(to, "thing");
	ret->to.sensor = number_of(to, "sensor");
	ret->to.property = number_of(to, "property");
	ret->to.feature = number_of(to, "feature");
	ret->to.multi = number_of(to, "multi");
	ret->to.mixed = json_is_true(json_object_get(to, "mixed"));
	for (size_t i = 0; i < json_array_size(places); i++)
		ret->to.place[ret->to.n_places++] = json_integer_value(json_array_get(places, i));
	json_decref(row);
	if (ret->text)
		return 0;
	entity_done(ret);
	return ERR_STORE_FORMAT;
}

bool entity_row_erase(struct span value, const struct erasure *e, struct buf *out)
{
	char none[] = "", empty[] = "{}";
	struct entity x;
	if (entity_row_read(value, &x))
		return false;
	bool about = x.thing[0] && x.changed_ms <= e->until_ms &&
	             erasure_matches(e, span_str(x.organisation), span_str(x.thing));
	if (about) {
		struct entity tomb = {.feed = x.feed,
		                      .organisation = x.organisation,
		                      .thing = none,
		                      .member = none,
		                      .name = none,
		                      .unit = none,
		                      .text = empty,
		                      .deleted = true,
		                      .changed_ms = x.changed_ms};
		entity_row_write(&tomb, out);
	}
	entity_done(&x);
	return about && !out->err;
}
