/* Every schema in schemas/: what is in valid/ fits, what is in invalid/ gets the verdict beside it,
 * byte for byte. Published key-values recordings of the same types fit too, where they are at hand.
 *
 * A valid example gives results and a time, unless its schema has none (references), or
 * it is named for having none: other-unit and unlisted give no series, no-time leaves the time out.
 */
#include "base/mem.h"
#include "schema/catalog.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define RECORDINGS "../shared/payloads/ngsi"
#define VENDORS    "tests/schemas"
enum { SCHEMAS = 16, VALID_MIN = 3, INVALID_MIN = 6 };

static struct catalog *catalog;

static char *read_file(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return NULL;
	char *p = xmalloc(1 << 20);
	*ret_n = fread(p, 1, (1 << 20) - 1, f);
	p[*ret_n] = '\0';
	fclose(f);
	return p;
}

static int ends_in_json(const struct dirent *d)
{
	size_t n = strlen(d->d_name);
	return n > 5 && strcmp(d->d_name + n - 5, ".json") == 0;
}

/* 0 or the check's error; v says why. */
static int check(const struct schema *sc, struct span payload, struct extract *e, struct verdict *v)
{
	struct schema_scratch s;
	schema_scratch_init(&s, 1 << 20);
	int err = schema_parse(&s, payload, v);
	if (!err)
		err = schema_check(sc, &s, e, v);
	schema_scratch_done(&s);
	return err;
}

static void check_file(const struct schema *sc, const char *dir, const char *name, bool valid)
{
	char path[700];
	size_t n = 0, error_n = 0;
	struct verdict v = {.text = ""};
	static struct extract e;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	char *payload = read_file(path, &n);
	assert_non_null(payload);
	int err = check(sc, span_of(payload, n), &e, &v);
	if (valid && err)
		fail_msg("%s: %s", path, v.text);
	if (valid) {
		bool series = schema_result_count(sc) > 0 && !strstr(name, "other-unit") &&
		              !strstr(name, "unlisted");
		if (series != (e.n_results > 0))
			fail_msg("%s: %u results", path, e.n_results);
		if (e.has_time != !strstr(name, "no-time"))
			fail_msg("%s: has %s time", path, e.has_time ? "a" : "no");
	} else {
		if (!err)
			fail_msg("%s: is accepted", path);
		snprintf(path, sizeof(path), "%s/%.*s.error", dir, (int)strlen(name) - 5, name);
		char *expected = read_file(path, &error_n);
		if (!expected || error_n < 2 || expected[error_n - 1] != '\n')
			fail_msg("%s: a line with the expected verdict", path);
		expected[error_n - 1] = '\0';
		assert_string_equal(v.text, expected);
		free(expected);
	}
	free(payload);
}

static unsigned check_folder(const struct schema *sc, const char *root, const char *folder,
                             bool valid)
{
	char dir[300];
	struct dirent **entries = NULL;
	snprintf(dir, sizeof(dir), "%s/%s/%s", root, schema_id(sc), folder);
	int n = scandir(dir, &entries, ends_in_json, alphasort);
	for (int i = 0; i < n; i++) {
		check_file(sc, dir, entries[i]->d_name, valid);
		free(entries[i]);
	}
	free(entries);
	return n < 0 ? 0 : (unsigned)n;
}

static void examples(void **state)
{
	unsigned valid = 0, invalid = 0;
	(void)state;
	for (size_t i = 0; i < catalog_count(catalog); i++) {
		const struct schema *sc = catalog_at(catalog, i);
		unsigned a = check_folder(sc, "schemas", "valid", true),
		         b = check_folder(sc, "schemas", "invalid", false);
		if (a < VALID_MIN || b < INVALID_MIN)
			fail_msg("%s: %u valid and %u invalid examples", schema_id(sc), a, b);
		bool references = strcmp(schema_id(sc), "environment-observed/1") == 0 ||
		                  strcmp(schema_id(sc), "series-corrected/1") == 0;
		assert_true((schema_result_count(sc) > 0) != references);
		valid += a;
		invalid += b;
	}
	assert_true(catalog_count(catalog) >= SCHEMAS);
	assert_true(valid >= SCHEMAS * VALID_MIN && invalid >= SCHEMAS * INVALID_MIN);
	print_message("%zu schemas, %u valid and %u invalid examples\n", catalog_count(catalog),
	              valid, invalid);
}

static void recordings(void **state)
{
	static const struct {
		const char *id, *file, *thing;
		unsigned n_results;
		int64_t time_ms;
		int32_t lat_e7;
	} ROWS[] = {
	    {"air-quality-observed/1", "AirQualityObserved", "28079004-Pza.deEspanya", 16,
	     1458039600000, 404238528},
	    {"noise-level-observed/1", "NoiseLevelObserved", "", 4, 1482922800000, 428491000},
	    {"weather-observed/1", "legacy-fiware-2019/WeatherObserved", "2422", 10, 1480489200000,
	     416408333},
	    {"off-street-parking/1", "legacy-fiware-2019/OffStreetParking", "", 2, 1464859555000,
	     411506918},
	    {"water-observed/1", "WaterObserved", "Device:T2-NP-018", 8, 1584434700209, 71965450},
	    {"phreatic-observed/1", "PhreaticObserved", "", 3, 1594134359408, 71965450},
	    {"environment-observed/1", "EnvironmentObserved", "", 0, 0, 397562100},
	    {"flood-monitoring/1", "FloodMonitoring", "FWR013", 3, 1600243200000, 0},
	    {"parking-spot/1", "legacy-fiware-2019/ParkingSpot", "", 1, 0, 434629664},
	    {"streetlight/1", "legacy-fiware-2019/Streetlight", "", 2, 0, 406278513},
	    {"waste-container/1", "legacy-fiware-2019/WasteContainer", "", 2, 0, 406278513},
	};
	(void)state;
	if (access(RECORDINGS, R_OK) != 0) {
		print_message("# SKIP not part of the repository: recordings of others, looked "
		              "for in " RECORDINGS "\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
		char path[300];
		size_t n = 0;
		struct verdict v = {.text = ""};
		static struct extract e;
		snprintf(path, sizeof(path), RECORDINGS "/%s/example.json", ROWS[i].file);
		char *payload = read_file(path, &n);
		const struct schema *sc = catalog_find(catalog, span_str(ROWS[i].id));
		assert_non_null(payload);
		assert_non_null(sc);
		if (check(sc, span_of(payload, n), &e, &v) != 0)
			fail_msg("%s: %s", path, v.text);
		assert_int_equal(e.n_results, ROWS[i].n_results);
		assert_int_equal(e.has_time ? e.time_ms : 0, ROWS[i].time_ms);
		assert_int_equal(e.has_location ? e.place.south_e7 : 0, ROWS[i].lat_e7);
		assert_true(span_is(e.thing, ROWS[i].thing));
		free(payload);
	}
}

/* The part of the manual between two texts; NULL when it is not there. */
static char *part(const char *page, const char *from, const char *to)
{
	const char *start = strstr(page, from);
	const char *end = start ? strstr(start + 1, to) : NULL;
	return end ? xstrndup(start, (size_t)(end - start)) : NULL;
}

/* What the section says to publish fits. */
static void check_publish_line(const struct schema *sc, const char *section)
{
	static struct extract e;
	struct verdict v = {.text = ""};
	char *payload = part(section, "{\"", "'\n.Ed");
	if (!strstr(section, "\noudp pub ") || !payload)
		fail_msg("%s: no example of publishing", schema_id(sc));
	if (check(sc, span_str(payload), &e, &v) != 0)
		fail_msg("%s: %s", payload, v.text);
	assert_true(e.has_time && (e.n_results > 0 || schema_result_count(sc) == 0));
	free(payload);
}

static void manual_names_every_result(void **state)
{
	size_t n = 0;
	char *page = read_file("man/oudp-schema.7", &n);
	(void)state;
	assert_non_null(page);
	for (size_t i = 0; i < catalog_count(catalog); i++) {
		const struct schema *sc = catalog_at(catalog, i);
		char title[100] = ".Sh ";
		for (size_t k = 0; schema_id(sc)[k]; k++) {
			char c = schema_id(sc)[k];
			title[4 + k] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
		}
		char *section = part(page, title, "\n.Sh ");
		if (!section)
			fail_msg("no section %s", title);
		check_publish_line(sc, section);
		for (unsigned r = 0; r < schema_result_count(sc); r++) {
			struct schema_result_info info = schema_result_info(sc, r);
			char item[200];
			snprintf(item, sizeof(item), ".It Li %s No \\(em %s", info.member,
			         info.unit[0] ? info.unit : "");
			if (!strstr(section, item))
				fail_msg("%s: no line \"%s\"", title, item);
		}
		free(section);
	}
	free(page);
}

/* ---- schemas that are not shared: what others send, fitted by annotation alone ---- */

static struct catalog *load_vendors(void)
{
	static const char *const DIRS[] = {VENDORS, NULL};
	struct catalog *c = NULL;
	struct buf why;
	buf_init(&why, 1 << 16);
	if (catalog_load(DIRS, &c, &why) != 0)
		fail_msg("%s", buf_str(&why));
	buf_done(&why);
	return c;
}

struct reading {
	const char *member;
	double number;
	int64_t time_ms; /* 0: the message's */
};

static void check_readings(const struct extract *e, const struct reading *expected, unsigned n)
{
	assert_int_equal(e->n_results, n);
	for (unsigned i = 0; i < n; i++) {
		const struct extract_result *r = &e->results[i];
		assert_true(span_is(r->member, expected[i].member));
		assert_true(fabs(r->number - expected[i].number) < 1e-9);
		assert_int_equal(r->has_time ? r->time_ms : 0, expected[i].time_ms);
	}
}

static void vendors_examples(void **state)
{
	struct catalog *c = load_vendors();
	(void)state;
	assert_true(catalog_count(c) >= 3);
	for (size_t i = 0; i < catalog_count(c); i++) {
		const struct schema *sc = catalog_at(c, i);
		assert_true(check_folder(sc, VENDORS, "valid", true) >= VALID_MIN);
		assert_true(check_folder(sc, VENDORS, "invalid", false) >= INVALID_MIN);
	}
	catalog_free(c);
}

/* The manual prints what is in the folder, and what it says is extracted is extracted. */
static void vendor_of_the_manual(void **state)
{
	static const struct reading EXPECTED[] = {
	    {"batteryVoltage", 3.612, 0},  {"temperature", 20.3, 1795520400000},
	    {"pm25", 12.5, 1795520400000}, {"temperature", 19.8, 1795521000000},
	    {"pm25", 13.1, 1795521000000},
	};
	static struct extract e;
	struct catalog *c = load_vendors();
	struct verdict v = {.text = ""};
	size_t n = 0;
	char *page = read_file("man/oudp-schema.7", &n);
	char *payload = read_file(VENDORS "/vendor-a17/1/valid/buffered.json", &n);
	char *source = read_file(VENDORS "/vendor-a17/1/schema.json", &n);
	char *refused = read_file(VENDORS "/vendor-a17/1/invalid/too-hot.error", &n);
	(void)state;
	assert_true(page && payload && source && refused);
	assert_non_null(strstr(page, payload));
	assert_non_null(strstr(page, source));
	assert_non_null(strstr(page, refused));

	if (check(catalog_find(c, SPAN("vendor-a17/1")), span_str(payload), &e, &v) != 0)
		fail_msg("%s", v.text);
	assert_true(span_is(e.thing, "A17-0042") && e.time_ms == 1795521600000);
	assert_true(e.has_location && e.place.south_e7 == 520771000 && e.place.west_e7 == 43162000);
	check_readings(&e, EXPECTED, ARRAY_LEN(EXPECTED));
	catalog_free(c);
	free(page);
	free(payload);
	free(source);
	free(refused);
}

/* Answers of two national services, recorded: lists in lists, seconds, centimetres. */
static void vendors_recordings(void **state)
{
	static const struct {
		const char *id, *file, *thing;
		int64_t time_ms; /* 0: none of the message's own */
		unsigned n;
		struct reading readings[3];
	} ROWS[] = {
	    {"npr-parking/1",
	     "parking/spdp-npr/dynamic_garage-rozet-arnhem.json",
	     "0cc34898-fc5d-4879-98e9-2a823b390b06",
	     1559326750000,
	     2,
	     {{"totalSpotNumber", 450, 0}, {"availableSpotNumber", 196, 0}}},
	    {"rws-water/1",
	     "water/rws-ddl/OphalenWaarnemingen_lobith.json",
	     "lobith.bovenrijn.tolkamer",
	     0,
	     3,
	     {{"waterLevel", 6.27, 1790191800000},
	      {"waterLevel", 6.28, 1790192400000},
	      {"waterLevel", 6.28, 1790193000000}}},
	    {"rws-water/1",
	     "water/rws-ddl/OphalenLaatsteWaarnemingen_lobith.json",
	     "lobith.bovenrijn.tolkamer",
	     0,
	     1,
	     {{"waterLevel", 6.27, 1790191200000}}},
	};
	(void)state;
	if (access(RECORDINGS, R_OK) != 0) {
		print_message("# SKIP not part of the repository: recordings of others, looked "
		              "for in " RECORDINGS "\n");
		skip();
	}
	struct catalog *c = load_vendors();
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
		static struct extract e;
		struct verdict v = {.text = ""};
		char path[300];
		size_t n = 0;
		snprintf(path, sizeof(path), RECORDINGS "/../%s", ROWS[i].file);
		char *payload = read_file(path, &n);
		assert_non_null(payload);
		if (check(catalog_find(c, span_str(ROWS[i].id)), span_of(payload, n), &e, &v) != 0)
			fail_msg("%s: %s", path, v.text);
		assert_true(span_is(e.thing, ROWS[i].thing));
		assert_int_equal(e.has_time ? e.time_ms : 0, ROWS[i].time_ms);
		check_readings(&e, ROWS[i].readings, ROWS[i].n);
		free(payload);
	}
	catalog_free(c);
}

static int set_up(void **state)
{
	static const char *const DIRS[] = {"schemas", NULL};
	struct buf why;
	(void)state;
	buf_init(&why, 1 << 20);
	int err = catalog_load(DIRS, &catalog, &why);
	if (err)
		print_error("%s", buf_str(&why));
	buf_done(&why);
	return err;
}

static int tear_down(void **state)
{
	(void)state;
	catalog_free(catalog);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(examples),
	    cmocka_unit_test(recordings),
	    cmocka_unit_test(manual_names_every_result),
	    cmocka_unit_test(vendors_examples),
	    cmocka_unit_test(vendor_of_the_manual),
	    cmocka_unit_test(vendors_recordings),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
