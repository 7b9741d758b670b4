/* Bodies of SensorThings: what is taken, what is told and where, links and what is made with them,
 * merging; and that what was written reads back the same. */
#include "base/err.h"
#include "base/mem.h"
#include "register/entity.h"
#include "sta/draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define THING "\"name\":\"n\",\"description\":\"d\""

static struct sta_draft *good(enum sta_type t, const char *json, const char *old)
{
	struct sta_draft *d = NULL;
	struct sta_faults f;
	if (sta_draft_read(t, span_str(json), span_str(old), false, &d, &f))
		fail_msg("%s: %s %s", json, f.one[0].pointer, f.one[0].detail);
	return d;
}

static void bad(enum sta_type t, const char *json, const char *code, const char *pointer)
{
	struct sta_draft *d = NULL;
	struct sta_faults f;
	if (sta_draft_read(t, span_str(json), (struct span){0}, false, &d, &f) == 0)
		fail_msg("%s was taken", json);
	for (unsigned i = 0; i < f.n; i++)
		if (strcmp(f.one[i].code, code) == 0 && strcmp(f.one[i].pointer, pointer) == 0)
			return;
	fail_msg("%s: no %s at %s; the first is %s at %s", json, code, pointer, f.one[0].code,
	         f.one[0].pointer);
}

static void takes_own_members(void **state UNUSED)
{
	struct sta_draft *d = good(STA_THING,
	                           "{\"@iot.id\":3,\"Datastreams@iot.navigationLink\":\"x\"," THING
	                           ",\"properties\":{\"feed\":\"f\",\"thing\":\"t\",\"a\":1}}",
	                           NULL);
	assert_string_equal(d->text,
	                    "{\"name\":\"n\",\"description\":\"d\",\"properties\":{\"a\":1}}");
	assert_string_equal(d->name, "n");
	assert_string_equal(d->feed, "f");
	assert_string_equal(d->thing, "t");
	assert_null(d->member);
	sta_draft_free(d);
}

static void of_members_of_one_name_the_last_counts(void **state UNUSED)
{
	struct sta_draft *d = good(
	    STA_OBSERVED_PROPERTY,
	    "{\"name\":\"a\",\"description\":\"d\",\"definition\":\"x\",\"name\":\"b\"}", NULL);
	assert_string_equal(d->name, "b");
	assert_false(d->definition_is_uri);
	sta_draft_free(d);
}

static void tells_what_is_wrong_and_where(void **state UNUSED)
{
	bad(STA_THING, "{\"name\":\"n\"}", "missing", "/description");
	bad(STA_THING, "{" THING ",\"colour\":1}", "unknown", "/colour");
	bad(STA_THING, "{\"name\":1,\"description\":\"d\"}", "type", "/name");
	bad(STA_THING, "{\"name\":\"\",\"description\":\"d\"}", "type", "/name");
	bad(STA_THING, "[]", "json", "");
	bad(STA_THING, "{" THING, "json", "");
	bad(STA_THING, "{" THING ",\"Locations\":{}}", "link", "/Locations");
	bad(STA_THING, "{" THING ",\"Locations\":[{\"@iot.id\":\"x\"}]}", "link", "/Locations/0");
	bad(STA_THING, "{" THING ",\"Locations\":[{" THING "}]}", "missing",
	    "/Locations/0/location");
	bad(STA_OBSERVED_PROPERTY, "{" THING ",\"definition\":1}", "type", "/definition");
	bad(STA_LOCATION,
	    "{" THING ",\"encodingType\":\"application/geo+json\",\"location\":\"here\"}",
	    "geometry", "/location");
	bad(STA_DATASTREAM,
	    "{" THING ",\"observationType\":\"o\",\"unitOfMeasurement\":{\"symbol\":1}}", "type",
	    "/unitOfMeasurement");
	bad(STA_HISTORICAL_LOCATION, "{\"time\":\"yesterday\"}", "type", "/time");
}

#define MULTI(types, units)                                                                        \
	THING ",\"multiObservationDataTypes\":[" types "],\"unitOfMeasurements\":[" units "]"

static void reads_multi_datastreams(void **state UNUSED)
{
	struct sta_draft *d = good(
	    STA_MULTI_DATASTREAM,
	    "{" MULTI(
	        "\"a\",\"b\"",
	        "{\"symbol\":\"m\"},{\"symbol\":null}") ",\"properties\":{\"members\":"
	                                                "[\"x\",\"y\"],\"k\":1},"
	                                                "\"ObservedProperties\":[{\"@iot.id\":4},{"
	                                                "\"@iot.id\":4}],"
	                                                "\"Observations\":[{\"result\":[1,2]}]}",
	    NULL);
	assert_int_equal(d->n_parts, 2);
	assert_string_equal(d->part[0].symbol, "m");
	assert_string_equal(d->part[0].member, "x");
	assert_null(d->part[1].symbol);
	assert_string_equal(d->part[1].member, "y");
	assert_int_equal(d->n_links, 2);
	assert_non_null(strstr(d->text, "OM_ComplexObservation"));
	assert_null(strstr(d->text, "members"));
	assert_non_null(d->observations);
	/* a change of its name keeps the rest */
	struct sta_draft *e = good(STA_MULTI_DATASTREAM, "{\"name\":\"m\"}", d->text);
	assert_int_equal(e->n_parts, 2);
	sta_draft_free(d);
	sta_draft_free(e);
	bad(STA_MULTI_DATASTREAM, "{" MULTI("\"a\"", "{},{}") "}", "length",
	    "/multiObservationDataTypes");
	bad(STA_MULTI_DATASTREAM,
	    "{" MULTI("\"a\"", "{}") ",\"ObservedProperties\":[{\"@iot.id\":1},{\"@iot.id\":1}]}",
	    "length", "/ObservedProperties");
	bad(STA_MULTI_DATASTREAM, "{" MULTI("1", "{}") "}", "type", "/multiObservationDataTypes");
	bad(STA_MULTI_DATASTREAM, "{" MULTI("", "") "}", "type", "/unitOfMeasurements");
	bad(STA_MULTI_DATASTREAM, "{" THING "}", "missing", "/unitOfMeasurements");
	bad(STA_MULTI_DATASTREAM, "{" MULTI("\"a\"", "{}") ",\"properties\":{\"members\":[1]}}",
	    "type", "/properties/members");
	bad(STA_MULTI_DATASTREAM, "{" MULTI("\"a\"", "{}") ",\"observationType\":\"x\"}", "type",
	    "/observationType");
	bad(STA_OBSERVED_PROPERTY,
	    "{" THING ",\"definition\":\"u:x\",\"MultiDatastreams\":[{\"@iot.id\":1}]}", "link",
	    "/MultiDatastreams");
}

static void reads_what_is_made_with_it(void **state UNUSED)
{
	struct sta_draft *d = good(
	    STA_THING,
	    "{" THING ",\"Locations\":[{\"@iot.id\":7}],\"Datastreams\":[{" THING
	    ",\"observationType\":\"o\",\"unitOfMeasurement\":{\"name\":\"c\",\"symbol\":\"Cel\","
	    "\"definition\":null},\"Sensor\":{\"@iot.id\":8},\"ObservedProperty\":{" THING
	    ",\"definition\":\"http://x/y\"},\"Observations\":[{\"result\":1}]}]}",
	    NULL);
	assert_int_equal(d->n_links, 2);
	assert_int_equal(d->link[0].id, 7);
	const struct sta_draft *s = d->link[1].made;
	assert_non_null(s);
	assert_string_equal(s->part[0].symbol, "Cel");
	assert_null(s->part[0].unit_uri);
	assert_string_equal(s->observations, "[{\"result\":1}]");
	assert_string_equal(s->pointer, "/Datastreams/0");
	assert_int_equal(s->n_links, 2);
	assert_string_equal(s->link[1].made->definition, "http://x/y");
	sta_draft_free(d);
}

static void merges(void **state UNUSED)
{
	struct sta_draft *d =
	    good(STA_THING, "{\"description\":\"e\",\"properties\":{\"a\":null,\"b\":{\"d\":2}}}",
	         "{\"name\":\"n\",\"description\":\"d\",\"properties\":{\"a\":1,\"b\":{\"c\":1}}}");
	assert_string_equal(d->text, "{\"name\":\"n\",\"description\":\"e\",\"properties\":{\"b\":{"
	                             "\"c\":1,\"d\":2}}}");
	sta_draft_free(d);
}

static void is_bounded(void **state UNUSED)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	buf_add_str(&b, "{" THING ",\"properties\":{\"a\":");
	for (int i = 0; i < 40; i++)
		buf_add_char(&b, '[');
	for (int i = 0; i < 40; i++)
		buf_add_char(&b, ']');
	buf_add_str(&b, "}}");
	bad(STA_THING, buf_str(&b), "too-deep", "");
	buf_clear(&b);
	buf_add_str(&b, "{" THING ",\"properties\":{\"a\":\"");
	for (int i = 0; i < LIMIT_ENTITY_BYTES; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "\"}}");
	bad(STA_THING, buf_str(&b), "too-large", "");
	buf_clear(&b);
	buf_add_str(&b, "{" THING ",\"Locations\":[");
	for (int i = 0; i <= LIMIT_ENTITY_CHANGE; i++)
		buf_addf(&b, "%s{" THING ",\"encodingType\":\"text/plain\",\"location\":\"here\"}",
		         i ? "," : "");
	buf_add_str(&b, "]}");
	bad(STA_THING, buf_str(&b), "too-many", "/Locations/255");
	buf_done(&b);
}

static void a_row_reads_back(void **state UNUSED)
{
	struct entity x = {.feed = (char[]){"f"},
	                   .organisation = (char[]){"o"},
	                   .thing = (char[]){"a \"thing\""},
	                   .member = (char[]){"pm25"},
	                   .name = (char[]){"n"},
	                   .unit = (char[]){"ug/m3"},
	                   .text = (char[]){"{\"name\":\"n\"}"},
	                   .to = {.thing = 1,
	                          .sensor = 2,
	                          .property = 3,
	                          .feature = 4,
	                          .multi = 1ll << 31,
	                          .n_places = 2,
	                          .place = {5, 6}},
	                   .changed_ms = 7,
	                   .by = "me"},
	              y;
	struct buf b;
	buf_init(&b, 4096);
	entity_row_write(&x, &b);
	assert_int_equal(entity_row_read(span_of(b.p, b.len), &y), 0);
	assert_string_equal(y.thing, x.thing);
	assert_string_equal(y.text, x.text);
	assert_string_equal(y.unit, x.unit);
	assert_string_equal(y.by, x.by);
	assert_memory_equal(&y.to, &x.to, sizeof(y.to));
	entity_done(&y);
	for (size_t n = 0; n < b.len; n++) /* cut short anywhere */
		assert_int_equal(entity_row_read(span_of(b.p, n), &y), ERR_STORE_FORMAT);
	b.p[0] = 2;
	assert_int_equal(entity_row_read(span_of(b.p, b.len), &y), ERR_STORE_FORMAT);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_own_members),
	    cmocka_unit_test(of_members_of_one_name_the_last_counts),
	    cmocka_unit_test(tells_what_is_wrong_and_where),
	    cmocka_unit_test(reads_multi_datastreams),
	    cmocka_unit_test(reads_what_is_made_with_it),
	    cmocka_unit_test(merges),
	    cmocka_unit_test(is_bounded),
	    cmocka_unit_test(a_row_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
