/* test_sta.c - queries of SensorThings on a small city: what they find, what they refuse and where,
 * and that pages joined by their links are the whole, each entity once. */
#include "small.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* "1 2 3" of "value". */
static void ids_of(const json_t *j, char *out, size_t size)
{
	const json_t *value = json_object_get(j, "value"), *e;
	size_t i, at = 0;
	out[0] = '\0';
	json_array_foreach(value, i, e)
	{
		long long id = json_integer_value(json_object_get(e, "@iot.id"));
		at += (size_t)snprintf(out + at, size - at, "%s%lld", i ? " " : "", id);
	}
}

static void expect_ids(const char *path, const char *options, const char *want)
{
	char error[200], got[4000];
	int err;
	json_t *j = small_ask(path, options, &err, error);
	if (err || !j)
		print_error("%s?%s: %d %s\n", path, options, err, error);
	assert_non_null(j);
	ids_of(j, got, sizeof(got));
	if (strcmp(got, want) != 0)
		print_error("%s?%s\n", path, options);
	assert_string_equal(got, want);
	json_decref(j);
}

static void expect_error(const char *path, const char *options, int want, const char *says)
{
	char error[200];
	int err;
	json_t *j = small_ask(path, options, &err, error);
	assert_null(j);
	if (err != want || !strstr(error, says))
		print_error("%s?%s: %d %s\n", path, options, err, error);
	assert_int_equal(err, want);
	assert_non_null(strstr(error, says));
}

static void test_filters(void **state)
{
	static const struct {
		const char *filter, *want;
	} cases[] = {
	    {"id eq 2", "2"},
	    {"name eq 'pole 3'", "3"},
	    {"not (id eq 2)", "1 3 4"},
	    {"not id eq 2 and id lt 4", "1 3"},
	    {"id in (1, 4)", "1 4"},
	    {"id in (3) or name in ('pole 1','x')", "1 3"},
	    {"not (id in (1,2)) and true", "3 4"},
	    {"52 in Locations/location/coordinates", "1 2 3 4"},
	    {"5 in Locations/location/coordinates", ""},
	    {"id eq '3'", "3"},
	    {"Datastreams/any(d: d/name eq 'level')", "1 2 3 4"},
	    {"Datastreams/any(d: d/name eq 'none')", ""},
	    {"Datastreams/any() and id lt 2", "1"},
	    {"Datastreams/any(d:d/Observations/any(o: o/result eq d/Observations/result and "
	     "o/result gt 19.3))",
	     "4"},
	    {"Datastreams/any(d:d/Observations/any(o: o/result gt 19 and id eq 2))", "2"},
	    {"not Datastreams/any(d:d/Thing/name eq 'pole 1')", "2 3 4"},
	    {"(2026-11-30T00:00:00Z add duration'PT30m' mul 2) eq 2026-11-30T01:00:00Z", "1 2 3 4"},
	    {"not startswith(name,'pole') eq false", "1 2 3 4"},
	    {"overlaps(2026-11-30T10:00:00Z,2026-11-30T09:00:00Z/2026-11-30T10:00:00Z)", ""},
	    {"before(2026-11-30T09:00:00Z/2026-11-30T10:00:00Z,2026-11-30T10:00:00Z)", "1 2 3 4"},
	    {"id eq 1 or id eq 4 and name eq 'x'", "1"},
	    {"(id eq 1 or id eq 4) and name eq 'pole 4'", "4"},
	    {"id gt 1 and id le 3", "2 3"},
	    {"id add 1 eq 3", "2"},
	    {"id mul 2 sub 1 eq 5", "3"},
	    {"10 sub 4 sub 3 eq id", "3"},
	    {"id mod 2 eq 0", "2 4"},
	    {"id div 2 ge 1.5", "3 4"},
	    {"id div 0 eq 1", ""},
	    {"-1 lt id", "1 2 3 4"},
	    {"properties/height ge 6", "3 4"},
	    {"properties/side eq 'north'", "1 2"},
	    {"properties/nothing eq null", "1 2 3 4"},
	    {"properties/nothing ne null", ""},
	    {"properties/nothing lt 3", ""},
	    {"name gt 'pole 2'", "3 4"},
	    {"description eq 'It''s één'", "1 3"},
	    {"startswith(description,'It''s')", "1 3"},
	    {"endswith(name,'4')", "4"},
	    {"substringof('WEE',description)", "2 4"},
	    {"contains(description, 'WEE')", "2 4"},
	    {"length(description) eq 8", "1 3"},
	    {"indexof(description,'n') eq 7", "1 3"},
	    {"indexof(description,'x') eq -1", "1 2 3 4"},
	    {"substring(description,5,2) eq 'éé'", "1 3"},
	    {"substring(name,5) eq '2'", "2"},
	    {"toupper(description) eq 'IT''S ÉÉN'", "1 3"},
	    {"tolower(description) eq 'twee'", "2 4"},
	    {"concat(concat(name,'-'),name) eq 'pole 1-pole 1'", "1"},
	    {"trim(concat('  ',name)) eq 'pole 1'", "1"},
	    {"Locations/location/type eq 'Point'", "1 2 3 4"},
	    {"Locations/location/coordinates/0 gt 4.25", "3 4"},
	    {"st_within(Locations/location,geography'POLYGON((4 51,4.25 51,4.25 53,4 53,4 51))')",
	     "1 2"},
	    {"geo.distance(Locations/location,geography'POINT(4.1 52)') lt 0.15", "1 2"},
	    {"st_equals(geography'POINT(4.3 52)',Locations/location)", "3"},
	    {"geo.intersects(Locations/location,geography'LINESTRING(4.1 51,4.1 53)')", "1"},
	    {"st_relate(Locations/location,geography'POINT(4.2 52)','T*F**FFF*')", "2"},
	    {"geo.length(geography'LINESTRING(0 0,3 4)') eq 5", "1 2 3 4"},
	    {"Datastreams/Observations/result eq 19.2", "2"},
	    {"Datastreams/name eq 'nothing'", ""},
	    {"Datastreams/ObservedProperty/name eq 'level'", "1 2 3 4"},
	    {"name eq 3", ""},
	    {"name ne 3", "1 2 3 4"},
	    {"true", "1 2 3 4"},
	    {"round(id div 4) eq 1", "2 3 4"},
	    {"floor(id div 2) eq 1 and ceiling(id div 2) eq 2", "3"},
	    {"now() gt 2026-11-30T12:00:00Z", "1 2 3 4"},
	    {"mindatetime() lt maxdatetime()", "1 2 3 4"},
	    {"(2026-11-30T00:00:00Z add duration'PT1H') eq 2026-11-30T01:00:00Z", "1 2 3 4"},
	    {"(2026-11-30T02:00:00Z sub 2026-11-30T00:00:00Z) eq duration'PT120M'", "1 2 3 4"},
	    {"date(2026-11-30T10:00:00Z) eq 2026-11-30", "1 2 3 4"},
	    {"time(2026-11-30T10:00:00Z) eq '10:00:00.000'", "1 2 3 4"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char options[400];
		snprintf(options, sizeof(options), "$filter=%s", cases[i].filter);
		for (char *c = options; *c; c++) /* as a browser would send it */
			if (*c == ' ')
				*c = '+';
		expect_ids("/Things", options, cases[i].want);
	}
}

static void test_times(void **state)
{
	static const struct {
		const char *filter, *want;
	} cases[] = {
	    {"phenomenonTime lt 2026-11-30T00:02:00Z", "11000 11001"},
	    {"phenomenonTime lt '2026-11-30T00:02:00Z'", "11000 11001"},
	    {"phenomenonTime le 2026-11-30T00:02:00Z", "11000 11001 11002"},
	    {"phenomenonTime gt 2026-11-30T01:17:00%2B01:00", "11018 11019"},
	    {"phenomenonTime ge 2026-11-30T01:17:00+01:00", "11017 11018 11019"},
	    {"phenomenonTime eq 2026-11-30T00:05:00Z", "11005"},
	    {"phenomenonTime lt 2026-11-30T00:01:00Z/2026-11-30T00:02:00Z", "11000"},
	    {"phenomenonTime gt 2026-11-30T00:01:00Z/2026-11-30T00:17:30Z", "11018 11019"},
	    {"minute(phenomenonTime) eq 7", "11007"},
	    {"year(phenomenonTime) eq 2026 and month(phenomenonTime) eq 11 and "
	     "day(phenomenonTime) eq 30 and hour(phenomenonTime) eq 0 and minute(phenomenonTime) "
	     "lt 2",
	     "11000 11001"},
	    {"result gt 18.05", "11018 11019"},
	    {"resultTime eq null and result lt 1", "11000"},
	    {"Datastream/Thing/name eq 'pole 1' and result lt 1", "11000"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char options[400];
		snprintf(options, sizeof(options), "$filter=%s", cases[i].filter);
		expect_ids("/Datastreams(11)/Observations", options, cases[i].want);
	}
}

static void test_orders(void **state)
{
	(void)state;
	expect_ids("/Things", "$orderby=name desc", "4 3 2 1");
	expect_ids("/Things", "$orderby=properties/side,id desc", "2 1 4 3");
	expect_ids("/Things", "$orderby=id desc&$top=1&$skip=1", "3");
	expect_ids("/Things", "$top=0", "");
	expect_ids("/Things", "$skip=3", "4");
	expect_ids("/Things(2)/Datastreams", "", "21 22");
	expect_ids("/Datastreams(21)/Observations", "$orderby=phenomenonTime desc&$top=2",
	           "21019 21018");
	expect_ids("/Datastreams(21)/Observations", "$orderby=result&$top=2", "21000 21001");
	expect_ids("/Observations", "$orderby=result desc,id&$top=3", "12001 12003 12005");
	expect_ids("/ObservedProperties(2)/Datastreams", "", "12 22 32 42");
	expect_ids("/Things(3)/Locations", "", "3");
	expect_ids("/Things%283%29/Locations", "%24top=1", "3");
}

/* Follows @iot.nextLink to the end. */
static void expect_pages(const char *path, const char *options, const char *want)
{
	char error[200], all[8000] = "", now[4000], query[9000];
	int err, pages = 0;
	snprintf(query, sizeof(query), "%s", options);
	for (bool more = true; more;) {
		json_t *j = small_ask(path, query, &err, error);
		if (!j)
			print_error("%s?%s: %s\n", path, query, error);
		assert_non_null(j);
		ids_of(j, now, sizeof(now));
		if (*all && *now)
			strcat(all, " ");
		strcat(all, now);
		const char *next = json_string_value(json_object_get(j, "@iot.nextLink"));
		more = next != NULL;
		if (more) {
			char begin[200];
			snprintf(begin, sizeof(begin), "http://h/sta/v1.1%s?", path);
			assert_memory_equal(next, begin, strlen(begin));
			snprintf(query, sizeof(query), "%s", next + strlen(begin));
		}
		json_decref(j);
		assert_true(++pages < 200);
	}
	assert_string_equal(all, want);
}

static void test_pages(void **state)
{
	static const char level[] = "11000 11001 11002 11003 11004 11005 11006 11007 11008 11009 "
	                            "11010 11011 11012 11013 11014 11015 11016 11017 11018 11019";
	(void)state;
	expect_pages("/Things", "$top=1", "1 2 3 4");
	expect_pages("/Things", "$top=3&$skip=1", "2 3 4");
	expect_pages("/Things", "$top=1&$orderby=name desc", "4 3 2 1");
	expect_pages("/Things", "$top=1&$orderby=description,properties/height desc", "3 1 4 2");
	expect_pages("/Datastreams(11)/Observations", "$top=7", level);
	expect_pages("/Datastreams(11)/Observations", "$top=3&$orderby=result", level);
	expect_pages("/Datastreams(11)/Observations", "$top=4&$filter=result%20mod%202%20lt%201",
	             "11000 11002 11004 11006 11008 11010 11012 11014 11016 11018");
	expect_pages("/Datastreams(12)/Observations", "$top=4&$orderby=result desc,phenomenonTime",
	             "12001 12003 12005 12007 12009 12011 12013 12015 12017 12019 "
	             "12000 12002 12004 12006 12008 12010 12012 12014 12016 12018");
}

static const json_t *at(const json_t *j, const char *path)
{
	char copy[200], *save = NULL;
	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strtok_r(copy, "|", &save); p; p = strtok_r(NULL, "|", &save))
		j = json_is_array(j) ? json_array_get(j, (size_t)atoi(p)) : json_object_get(j, p);
	return j;
}

static json_t *ask(const char *path, const char *options)
{
	char error[200];
	int err;
	json_t *j = small_ask(path, options, &err, error);
	if (!j)
		print_error("%s?%s: %d %s\n", path, options, err, error);
	assert_non_null(j);
	return j;
}

static void test_select_and_expand(void **state)
{
	(void)state;
	json_t *j = ask("/Things(1)", "");
	assert_string_equal(json_string_value(at(j, "@iot.selfLink")),
	                    "http://h/sta/v1.1/Things(1)");
	assert_string_equal(json_string_value(at(j, "Datastreams@iot.navigationLink")),
	                    "http://h/sta/v1.1/Things(1)/Datastreams");
	json_decref(j);
	j = ask("/Things(1)", "$select=name,properties/side,Locations");
	assert_int_equal(json_object_size(j), 3);
	assert_string_equal(json_string_value(at(j, "properties|side")), "north");
	assert_null(at(j, "properties|height"));
	json_decref(j);
	j = ask("/Things", "$count=true&$top=2&$select=id&$expand=Datastreams($select=name,id;"
	                   "$expand=Observations($top=1;$orderby=phenomenonTime "
	                   "desc;$count=true),ObservedProperty($select=name);$filter=name eq "
	                   "'level';$count=true)");
	assert_int_equal(json_integer_value(at(j, "@iot.count")), 4);
	assert_int_equal(json_integer_value(at(j, "value|1|Datastreams@iot.count")), 1);
	assert_int_equal(json_integer_value(at(j, "value|1|Datastreams|0|@iot.id")), 21);
	assert_int_equal(json_integer_value(at(j, "value|1|Datastreams|0|Observations|0|@iot.id")),
	                 21019);
	assert_int_equal(json_integer_value(at(j, "value|1|Datastreams|0|Observations@iot.count")),
	                 20);
	assert_string_equal(json_string_value(at(j, "value|1|Datastreams|0|ObservedProperty|name")),
	                    "level");
	const char *next =
	    json_string_value(at(j, "value|1|Datastreams|0|Observations@iot.nextLink"));
	assert_non_null(next);
	assert_non_null(strstr(next, "/Datastreams(21)/Observations?$top=1&$orderby="
	                             "phenomenonTime%20desc&$count=true&$skiptoken=w"));
	json_decref(j);
	j = ask("/Observations(11003)", "$expand=Datastream/Thing/Locations,FeatureOfInterest");
	assert_int_equal(json_integer_value(at(j, "Datastream|Thing|Locations|0|@iot.id")), 1);
	assert_int_equal(json_integer_value(at(j, "FeatureOfInterest|@iot.id")), 1);
	json_decref(j);
}

static void test_paths(void **state)
{
	(void)state;
	json_t *j = ask("/Things(2)/Datastreams(21)/Observations(21004)/Datastream/Thing/name", "");
	assert_string_equal(json_string_value(at(j, "name")), "pole 2");
	json_decref(j);
	j = ask("/Things(2)/name/$value", "");
	assert_string_equal(json_string_value(j), "pole 2");
	json_decref(j);
	j = ask("/Things(2)/properties/height", "");
	assert_int_equal(json_integer_value(at(j, "height")), 4);
	json_decref(j);
	j = ask("/Things/$ref", "$top=1");
	assert_int_equal(json_object_size(at(j, "value|0")), 1);
	json_decref(j);
	j = ask("/Datastreams(11)/Observations",
	        "$resultFormat=dataArray&$top=2&$select=result,phenomenonTime");
	assert_int_equal(json_integer_value(at(j, "value|0|dataArray@iot.count")), 2);
	assert_string_equal(json_string_value(at(j, "value|0|components|1")), "result");
	assert_true(json_real_value(at(j, "value|0|dataArray|1|1")) == 1.1);
	json_decref(j);
	j = ask("/Things", "$resultFormat=GeoJSON&$select=name");
	assert_true(json_real_value(at(j, "features|2|geometry|coordinates|0")) == 4.3);
	assert_int_equal(json_integer_value(at(j, "features|2|id")), 3);
	json_decref(j);
}

static void test_refusals(void **state)
{
	(void)state;
	expect_error("/Nothing", "", ERR_NOT_FOUND, "there is no \"Nothing\"");
	expect_error("/Things(9)", "", ERR_NOT_FOUND, "");
	expect_error("/Things(9)/Datastreams", "", ERR_NOT_FOUND, "");
	expect_error("/Things(1)/Datastreams(21)", "", ERR_NOT_FOUND, "");
	expect_error("/Things(x)", "", ERR_NOT_FOUND, "whole number");
	expect_error("/Things(1)", "$top=1", ERR_MALFORMED, "for sets");
	expect_error("/Things(1)/name", "$select=name", ERR_MALFORMED, "no options");
	expect_error("/Things", "$filter=name", ERR_MALFORMED, "no condition");
	expect_error("/Things", "$filter=Datastreams/any(d)", ERR_MALFORMED, "any(x:");
	expect_error("/Things", "$filter=Datastreams/any(d:d/nothing eq 1)", ERR_NOT_FOUND,
	             "nothing");
	expect_error("/Things", "$filter=Datastreams/any(d:d/name)", ERR_MALFORMED, "no condition");
	expect_error("/Datastreams", "$filter=Thing/any(d:d/name eq 'x')", ERR_MALFORMED,
	             "behind a set");
	expect_error("/Things", "$filter=nothing/any(d:d/name eq 'x')", ERR_NOT_FOUND, "relation");
	expect_error("/Things", "$filter=id in (1", ERR_MALFORMED, ", or )");
	expect_error("/Things", "$select=distinct:name&$top=1", ERR_MALFORMED, "distinct");
	expect_error("/Things", "$filter=length(name) or true", ERR_MALFORMED, "no condition");
	expect_error("/Things/name", "", ERR_NOT_FOUND, "Things(1)");
	expect_error("/Things(1)/nothing", "", ERR_NOT_FOUND, "Thing has no");
	expect_error("/Things(1)/name/more", "", ERR_NOT_FOUND, "member");
	expect_error("/Things", "$filter=nothing eq 1", ERR_NOT_FOUND, "$filter, character 1");
	expect_error("/Things", "$filter=name eq 'x", ERR_MALFORMED, "missing");
	expect_error("/Things", "$filter=name eq", ERR_MALFORMED, "$filter, character 8");
	expect_error("/Things", "$filter=(name eq 'x'", ERR_MALFORMED, ")");
	expect_error("/Things", "$filter=name eq 'x')", ERR_MALFORMED, "does not belong");
	expect_error("/Things", "$filter=foo(name)", ERR_NOT_FOUND, "foo");
	expect_error("/Things", "$filter=length()", ERR_MALFORMED, "1 arguments");
	expect_error("/Things", "$filter=st_within(Locations/location,geography'POLYGON((1')",
	             ERR_MALFORMED, "WKT");
	expect_error("/Things", "$filter=id gt 2026-13-01T00:00:00Z", ERR_MALFORMED, "time");
	expect_error("/Things", "$top=-1", ERR_MALFORMED, "$top, character 1");
	expect_error("/Things", "$expand=Nothing", ERR_NOT_FOUND, "no relation");
	expect_error("/Things", "$expand=Datastreams($top=1", ERR_MALFORMED, "; or )");
	expect_error("/Things", "$expand=Datastreams($format=1)", ERR_NOT_FOUND, "$format");
	expect_error("/Things", "$nothing=1", ERR_NOT_FOUND, "$nothing");
	expect_error("/Things", "$orderby=nothing", ERR_NOT_FOUND, "$orderby");
	expect_error("/Things", "$select=nothing", ERR_NOT_FOUND, "$select");
	expect_error("/Things", "$count=maybe", ERR_MALFORMED, "true or false");
	expect_error("/Things", "$skiptoken=w0", ERR_MALFORMED, "none of ours");
	expect_error("/Things", "$orderby=name&$skiptoken=s00", ERR_MALFORMED, "none of ours");
	expect_error("/Things", "$filter=%zz", ERR_MALFORMED, "hexadecimal");
	expect_error("/Things", "$resultFormat=dataArray", ERR_MALFORMED, "Observations");
	expect_error("/", "$top=1", ERR_MALFORMED, "landing page");
	char deep[4000] = "$filter=";
	for (int i = 0; i < 100; i++)
		strcat(deep, "(");
	expect_error("/Things", deep, ERR_TOO_LARGE, "deep");
	strcpy(deep, "$filter=");
	for (int i = 0; i < 100; i++)
		strcat(deep, "not ");
	expect_error("/Things", deep, ERR_TOO_LARGE, "deep");
	strcpy(deep, "$filter=true");
	for (int i = 0; i < 250; i++)
		strcat(deep, " or true");
	expect_error("/Things", deep, ERR_TOO_LARGE, "in a row");
	strcpy(deep, "$expand=Datastreams/Thing/Datastreams/Thing/Datastreams/Thing/Datastreams");
	expect_error("/Things", deep, ERR_TOO_LARGE, "deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_filters),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_orders),
	    cmocka_unit_test(test_pages),
	    cmocka_unit_test(test_select_and_expand),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
