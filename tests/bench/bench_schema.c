/* How long a message takes to be read, checked and extracted: three messages beside jansson, that
 * only reads them; then the largest valid example of every schema in schemas/, and the published
 * examples of the data models that are stored as they are (tests/vectors/recordings.tsv, where
 * their folder is), beside jansson and, where node and its ajv are, beside JSON.parse and ajv. Run
 * from the top of the repository. Ends in some seconds. */
#include "../unit/json/peer.h"

#include "base/clock.h"
#include "schema/catalog.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char RECORDINGS[] = "../shared/payloads/ngsi";

enum { ROUNDS = 5, BATCH_NS = 60000000, SCHEMAS_MAX = 100, PATH_BYTES = 400 };

static const char SMALL[] =
    "{\"dateObserved\":\"2026-11-24T12:00:00Z\",\"refDevice\":\"sensor-0017\","
    "\"pm25\":12.5,\"pm10\":21.25,\"no2\":31,\"temperature\":9.4}";

static const char DEVICE[] =
    "{\"dateObserved\":\"2026-11-24T12:00:00Z\",\"refDevice\":\"sensor-0017\","
    "\"controlledProperty\":\"temperature\",\"numValue\":21.3,\"unit\":\"CEL\"}";

/* A station's message with all that the data model has, near 2 KB. */
static const char LARGE[] =
    "{\n  \"id\": \"AirQualityObserved-NL10404-2026-11-24T12:00:00Z\",\n"
    "  \"type\": \"AirQualityObserved\",\n"
    "  \"dateObserved\": \"2026-11-24T12:00:00+01:00/2026-11-24T13:00:00+01:00\",\n"
    "  \"refPointOfInterest\": \"NL10404\",\n"
    "  \"location\": {\"type\": \"Point\", \"coordinates\": [4.316211, 52.077134]},\n"
    "  \"address\": {\"addressCountry\": \"NL\", \"addressLocality\": \"Voorbeeld\",\n"
    "    \"streetAddress\": \"Marktplein 1\", \"postalCode\": \"2500 AA\"},\n"
    "  \"source\": \"https://lucht.example.nl/stations/NL10404\",\n"
    "  \"dataProvider\": \"Omgevingsdienst Voorbeeld\",\n"
    "  \"areaServed\": \"Binnenstad\",\n"
    "  \"description\": \"Meetpunt aan de rand van het plein, 3 m boven straat, met een inlaat op "
    "het zuiden; uurwaarden volgens de referentiemethode, niet gevalideerd.\",\n"
    "  \"typeOfLocation\": \"outdoor\",\n"
    "  \"pm1\": 4.13, \"pm25\": 7.92, \"pm4\": 11.7, \"pm10\": 16.41, \"tsp\": 33.8, \"tpc\": "
    "1184,\n"
    "  \"no\": 3.24, \"no2\": 28.71, \"nox\": 33.62, \"o3\": 41.05, \"so2\": 1.13, \"co\": 190.4,\n"
    "  \"co2\": 431, \"nh3\": 5.02, \"sh2\": 0.11, \"c6h6\": 0.62,\n"
    "  \"volatileOrganicCompoundsTotal\": 44.9,\n"
    "  \"as\": 0.41, \"cd\": 0.09, \"ni\": 1.31, \"pb\": 4.77,\n"
    "  \"airQualityIndex\": 3, \"airQualityLevel\": \"matig\", \"reliability\": 0.95,\n"
    "  \"temperature\": 9.44, \"relativeHumidity\": 0.831, \"windDirection\": 224.5,\n"
    "  \"windSpeed\": 4.12, \"pressure\": 1016.25, \"precipitation\": 0.2,\n"
    "  \"vendor\": {\"firmware\": \"4.2.1\", \"serial\": \"A1B2C3D4\", \"uptime\": 8123451,\n"
    "    \"battery\": {\"voltage\": 3.61, \"charging\": true, \"cycles\": 118},\n"
    "    \"radio\": {\"rssi\": -87, \"snr\": 7.25, \"spreading\": 9, \"gateway\": \"gw-0042\"},\n"
    "    \"flags\": [false, false, true, null, 0, 12, 331, 4211],\n"
    "    \"filter\": {\"changed\": \"2026-09-01T08:00:00Z\", \"hours\": 2028, \"flow\": 16.67},\n"
    "    \"calibration\": [{\"at\": \"2026-10-01T09:30:00Z\", \"zero\": 0.02, \"span\": 99.7},\n"
    "      {\"at\": \"2026-11-01T09:30:00Z\", \"zero\": -0.01, \"span\": 100.2}]}\n}\n";

static void die(const char *what)
{
	fprintf(stderr, "bench_schema: %s\n", what);
	exit(1);
}

struct work {
	const struct schema *sc;
	struct schema_scratch s;
	struct extract e;
	struct span payload;
	bool parse, check;
	int rounds;
	uint64_t batch_ns;
};

static void once(struct work *w)
{
	struct verdict v;
	if (w->parse && schema_parse(&w->s, w->payload, &v) != 0)
		die(v.text);
	if (w->check && schema_check(w->sc, &w->s, &w->e, &v) != 0)
		die(v.text);
}

static void with_jansson(struct work *w)
{
	json_t *j = json_loadb(w->payload.p, w->payload.n, 0, NULL);
	if (!j)
		die("jansson refuses the payload");
	json_decref(j);
}

/* Nanoseconds a call, the best of some rounds. */
static double measure(struct work *w, void (*fn)(struct work *))
{
	struct clock c = clock_system();
	double best = 1e18;
	for (int r = 0; r < w->rounds; r++) {
		uint64_t start = clock_mono_ns(&c), now = start, n = 0;
		while (now - start < w->batch_ns) {
			for (int k = 0; k < 200; k++)
				fn(w);
			n += 200;
			now = clock_mono_ns(&c);
		}
		best = MIN_OF(best, (double)(now - start) / (double)n);
	}
	return best;
}

static void run(const struct catalog *c, const char *id, const char *text)
{
	static struct work w;
	w = (struct work){.sc = catalog_find(c, span_str(id)),
	                  .payload = span_str(text),
	                  .rounds = ROUNDS,
	                  .batch_ns = BATCH_NS};
	if (!w.sc)
		die("no such schema");
	schema_scratch_init(&w.s, 1 << 20);
	w.parse = w.check = true;
	double all = measure(&w, once);
	w.parse = false;
	double check = measure(&w, once);
	double jansson = measure(&w, with_jansson);
	double bytes = (double)w.payload.n;
	printf(
	    "schema %4zuB: %.2f us parse+validate+extract (%.0f MB/s), %.2f us validate+extract, "
	    "%u results (%s; jansson parse alone %.2f us)\n",
	    w.payload.n, all / 1e3, bytes * 1e3 / all, check / 1e3, w.e.n_results, id,
	    jansson / 1e3);
	schema_scratch_done(&w.s);
}

/* ---- every schema ---- */

struct example {
	const struct schema *sc;
	char path[PATH_BYTES], *text;
	double ajv_us; /* 0: not measured */
};

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *p = f ? calloc(1, 1 << 16) : NULL;
	if (!p || fread(p, 1, (1 << 16) - 1, f) == 0)
		die(path);
	fclose(f);
	return p;
}

/* The largest of schemas/<id>/valid/. */
static struct example largest(const struct schema *sc)
{
	struct example e = {.sc = sc};
	char dir[200];
	snprintf(dir, sizeof(dir), "schemas/%s/valid", schema_id(sc));
	DIR *d = opendir(dir);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		char path[PATH_BYTES + 100];
		snprintf(path, sizeof(path), "%s/%.150s", dir, entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		char *text = read_file(path);
		if (e.text && strlen(text) <= strlen(e.text)) {
			free(text);
			continue;
		}
		free(e.text);
		e.text = text;
		snprintf(e.path, sizeof(e.path), "%.*s", PATH_BYTES - 1, path);
	}
	if (!e.text)
		die(dir);
	closedir(d);
	return e;
}

/* Fills in what node says, where it is there. Says so where it is not. */
static void ask_ajv(struct example *e, size_t n)
{
	struct buf command;
	char line[200], id[100];
	double us;
	size_t got = 0;
	buf_init(&command, 1 << 16);
	buf_addf(&command, "node tests/bench/ajv.js");
	for (size_t i = 0; i < n; i++)
		buf_addf(&command, " %s:%s", schema_id(e[i].sc), e[i].path);
	buf_addf(&command, " 2>/dev/null");
	FILE *f = popen(buf_str(&command), "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%99s %lf", id, &us) == 2 && got < n &&
		    strcmp(id, schema_id(e[got].sc)) == 0)
			e[got++].ajv_us = us;
	if (!f || pclose(f) != 0 || got < n)
		printf("ajv is left out: node with its package ajv is not here\n");
	buf_done(&command);
}

static void row(const struct example *e)
{
	static struct work w;
	w = (struct work){.sc = e->sc,
	                  .payload = span_str(e->text),
	                  .parse = true,
	                  .check = true,
	                  .rounds = 4,
	                  .batch_ns = BATCH_NS / 3};
	schema_scratch_init(&w.s, 1 << 20);
	double all = measure(&w, once), jansson = measure(&w, with_jansson);
	printf("%-26s %6zu %8u %9.2f %9.2f", schema_id(e->sc), w.payload.n, w.e.n_results,
	       all / 1e3, jansson / 1e3);
	if (e->ajv_us > 0)
		printf(" %9.2f", e->ajv_us);
	printf("\n");
	schema_scratch_done(&w.s);
}

static void table(const char *title, struct example *e, size_t n)
{
	printf("\n%-26s  bytes  results      ours   jansson       ajv\n"
	       "microseconds a message                     with all     parse   parse+validate\n",
	       title);
	ask_ajv(e, n);
	for (size_t i = 0; i < n; i++) {
		row(&e[i]);
		free(e[i].text);
	}
}

static void every_schema(const struct catalog *c)
{
	static struct example e[SCHEMAS_MAX];
	size_t n = catalog_count(c);
	if (n > SCHEMAS_MAX)
		die("too many schemas");
	for (size_t i = 0; i < n; i++)
		e[i] = largest(catalog_at(c, i));
	table("largest valid examples", e, n);
}

static void every_recording(const struct catalog *c)
{
	static struct example e[SCHEMAS_MAX];
	char line[1000], file[150], id[100], verdict[20];
	size_t n = 0;
	FILE *f = fopen("tests/vectors/recordings.tsv", "r");
	if (!f || access(RECORDINGS, R_OK) != 0) {
		printf("\nthe published examples are left out: %s is not here\n", RECORDINGS);
		if (f)
			fclose(f);
		return;
	}
	while (n < SCHEMAS_MAX && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%149[^#\t]\t%99s\t%19s", file, id, verdict) != 3 ||
		    strcmp(verdict, "stored") != 0)
			continue;
		e[n].sc = catalog_find(c, span_str(id));
		if (!e[n].sc)
			die(id);
		snprintf(e[n].path, sizeof(e[n].path), "%s/%s", RECORDINGS, file);
		e[n].text = read_file(e[n].path);
		n++;
	}
	fclose(f);
	table("published examples", e, n);
}

int main(void)
{
	static const char *const DIRS[] = {"schemas", NULL};
	struct catalog *c = NULL;
	struct buf why;
	buf_init(&why, 1 << 16);
	if (catalog_load(DIRS, &c, &why) != 0)
		die(buf_str(&why));
	run(c, "air-quality-observed/1", SMALL);
	run(c, "device-measurement/1", DEVICE);
	run(c, "air-quality-observed/1", LARGE);
	every_schema(c);
	every_recording(c);
	catalog_free(c);
	buf_done(&why);
	return 0;
}
