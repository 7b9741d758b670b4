/* bench_series - the time series behind full admission, in one process without sockets.
 *
 *   bench_series city [STREAMS [DAYS [DIR]]]   one point a minute of each stream: load rate, bytes
 * a point, five questions bench_series many [STREAMS [DIR]]          that many datastreams: memory,
 * restart
 *
 * Every point is a JSON message of its own: parsed, checked by a schema, committed to the journal
 * with a full sync, applied. The city: temperature, PM2.5, people, parking, battery; every other
 * stream with up to 2 s of jitter. */
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config/config.h"
#include "ingest/ingest.h"
#include "series/engine.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char schema_text[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
    "\"properties\":{\"t\":{\"type\":\"integer\",\"x-oudp\":{\"role\":\"time\",\"time\":\"epoch-"
    "ms\"}},"
    "\"v\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"result\",\"observedProperty\":"
    "\"http://example.org/v\",\"unit\":\"1\"}}},\"required\":[\"t\",\"v\"]}";
static const char conf_text[] =
    "data-dir = \"%s/data\"\n"
    "feed \"city\" { topics = { \"city/{thing}\" } schemas = { \"bench/1\" } max-age = \"0\" "
    "max-future = \"10y\" keep-messages-max = \"512MB\" duplicates = replace keep-series = \"0\" "
    "}\n";

/* ---- threads: a writer, and what is to be done on this one ---- */

struct bench {
	char dir[160];
	struct config *config;
	struct catalog *catalog;
	struct clock clock;
	struct store *store;
	struct side *side;
	struct hub *hub;
	struct ingest *ingest;
	struct series *series;
	pthread_t writer;
	pthread_mutex_t lock;
	pthread_cond_t work, back;
	struct job *todo[64], *done[65536];
	unsigned n_todo, n_done;
	bool ends;
	uint64_t refused;
};

static void *writer_main(void *arg)
{
	struct bench *b = arg;
	pthread_mutex_lock(&b->lock);
	for (;;) {
		while (!b->n_todo && !b->ends)
			pthread_cond_wait(&b->work, &b->lock);
		if (!b->n_todo)
			break;
		struct job *j = b->todo[0];
		memmove(b->todo, b->todo + 1, --b->n_todo * sizeof(b->todo[0]));
		pthread_mutex_unlock(&b->lock);
		j->work(j);
		pthread_mutex_lock(&b->lock);
		b->done[b->n_done++] = j;
		pthread_cond_signal(&b->back);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void give_writer(void *arg, struct job *j)
{
	struct bench *b = arg;
	pthread_mutex_lock(&b->lock);
	assert(b->n_todo < ARRAY_LEN(b->todo));
	b->todo[b->n_todo++] = j;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

static void post(void *arg, struct job *j)
{
	struct bench *b = arg;
	pthread_mutex_lock(&b->lock);
	assert(b->n_done < ARRAY_LEN(b->done));
	b->done[b->n_done++] = j;
	pthread_cond_signal(&b->back);
	pthread_mutex_unlock(&b->lock);
}

static void give_pool(void *arg, struct job *j)
{
	j->work(j);
	post(arg, j);
}

/* What came back; waits for something when asked to. */
static void take_back(struct bench *b, bool wait)
{
	pthread_mutex_lock(&b->lock);
	while (wait && !b->n_done)
		pthread_cond_wait(&b->back, &b->lock);
	while (b->n_done) {
		struct job *j = b->done[0];
		memmove(b->done, b->done + 1, --b->n_done * sizeof(b->done[0]));
		pthread_mutex_unlock(&b->lock);
		j->done(j);
		pthread_mutex_lock(&b->lock);
	}
	pthread_mutex_unlock(&b->lock);
}

/* ---- the broker ---- */

static void on_record(void *arg, struct feed *f, const struct record *r UNUSED)
{
	series_record(((struct bench *)arg)->series, f);
}
static void on_commit(void *arg, uint64_t commit)
{
	series_commit(((struct bench *)arg)->series, commit);
}
static void on_fatal(void *arg UNUSED, int err)
{
	fprintf(stderr, "the store failed: %s\n", err_text(err));
	exit(1);
}
static void on_answer(const struct answer *a, int err)
{
	struct bench *b = a->owner;
	if (err || a->verdict != VERDICT_STORED) {
		b->refused++;
		if (b->refused < 4)
			fprintf(stderr, "refused: %s\n", a->reason ? a->reason : err_text(err));
	}
}

static void check(int err, const char *what, const char *why)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s %s\n", what, err_text(err), why);
	exit(1);
}

static void broker_open(struct bench *b)
{
	char why[512] = "";
	struct buf text;
	buf_init(&text, 1 << 16);
	struct store_options so = {.dir = b->config->data_dir,
	                           .map_bytes = 64ull << 30,
	                           .reserve_bytes = 1 << 20,
	                           .feeds_max = 16};
	check(store_open(&so, &b->store, why, sizeof(why)), "store", why);
	struct side_options o = {.data_dir = b->config->data_dir, .map_bytes = 64ull << 30};
	store_id(b->store, o.store_id);
	check(side_open(&o, &b->side, why, sizeof(why)), "side", why);
	struct hub_options ho = {b->store, &b->clock, {b, give_pool, NULL, post}};
	check(hub_open(&ho, &b->hub), "hub", "");
	check(hub_configure(b->hub, b->config, b->catalog, &text), "feeds", buf_str(&text));
	hub_runner_set(b->hub, (struct hub_runner){b, give_pool, give_writer, post});
	struct series_options ss = {.hub = b->hub,
	                            .side = b->side,
	                            .runner = {b, give_pool, give_writer, post},
	                            .fatal = on_fatal};
	check(series_open(&ss, &b->series, &text), "series", buf_str(&text));
	check(ingest_new(b->hub, &b->ingest), "ingest", "");
	struct hub_hooks hooks = {
	    .arg = b, .record = on_record, .commit = on_commit, .fatal = on_fatal};
	hub_set_hooks(b->hub, &hooks);
	b->ends = false;
	check(pthread_create(&b->writer, NULL, writer_main, b), "thread", "");
	check(series_start(b->series), "thread", "");
	buf_done(&text);
}

static void broker_close(struct bench *b, bool flush)
{
	if (flush)
		series_stop(b->series);
	hub_close_intake(b->hub);
	while (!hub_idle(b->hub)) {
		hub_turn(b->hub);
		take_back(b, false);
	}
	pthread_mutex_lock(&b->lock);
	b->ends = true;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->writer, NULL);
	take_back(b, false);
	ingest_free(b->ingest);
	series_close(b->series);
	hub_close(b->hub);
	side_close(b->side);
	store_close(b->store);
}

static double seconds(void)
{
	struct clock c = clock_system();
	return (double)clock_mono_ns(&c) / 1e9;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		check(-1, path, "cannot be written");
}

static void bench_init(struct bench *b, const char *dir)
{
	char path[400], conf[1024], schemas[260];
	struct buf errors;
	*b = (struct bench){.clock = clock_system()};
	snprintf(b->dir, sizeof(b->dir), "%s", dir ? dir : "/tmp/oudp-bench-XXXXXX");
	if (!dir && !mkdtemp(b->dir))
		check(-1, b->dir, "cannot be made");
	snprintf(schemas, sizeof(schemas), "%s/schemas", b->dir);
	mkdir(schemas, 0700);
	snprintf(path, sizeof(path), "%s/bench", schemas);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/bench/1", schemas);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/bench/1/schema.json", schemas);
	write_text(path, schema_text);
	snprintf(conf, sizeof(conf), conf_text, b->dir);
	buf_init(&errors, 1 << 16);
	check(config_parse("bench.conf", conf, false, &b->config, &errors), "configuration",
	      buf_str(&errors));
	const char *dirs[] = {schemas, NULL};
	check(catalog_load(dirs, &b->catalog, &errors), "schema", buf_str(&errors));
	buf_done(&errors);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->back, NULL);
}

static void put(struct bench *b, const struct identity *who, unsigned stream, int64_t ms, int64_t v,
                unsigned decimals)
{
	char topic[32], payload[96];
	int64_t unit = decimals == 0 ? 1 : decimals == 1 ? 10 : 100;
	int t = snprintf(topic, sizeof(topic), "city/s%06u", stream);
	int64_t a = v < 0 ? -v : v;
	int n = decimals ? snprintf(payload, sizeof(payload), "{\"t\":%lld,\"v\":%s%lld.%0*lld}",
	                            (long long)ms, v < 0 ? "-" : "", (long long)(a / unit),
	                            (int)decimals, (long long)(a % unit))
	                 : snprintf(payload, sizeof(payload), "{\"t\":%lld,\"v\":%lld}",
	                            (long long)ms, (long long)v);
	struct ingest_message m = {.who = who,
	                           .publisher = SPAN("bench"),
	                           .topic = span_of(topic, (size_t)t),
	                           .payload = span_of(payload, (size_t)n),
	                           .qos = 1,
	                           .answer = {.done = on_answer, .owner = b}};
	while (ingest_publish(b->ingest, &m) == ERR_AGAIN) {
		hub_turn(b->hub);
		take_back(b, !hub_idle(b->hub));
		series_second(b->series);
	}
}

/* ---- the city ---- */

static uint64_t state = 88172645463325252ull;
static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}
static double gauss(void)
{
	double x = -3;
	for (int i = 0; i < 6; i++)
		x += (double)(rnd() >> 11) / 9007199254740992.0;
	return x;
}

enum kind { TEMPERATURE, PM25, PEOPLE, PARKING, BATTERY };
struct sensor {
	enum kind kind;
	unsigned phase, capacity, decimals;
	double base, slow;
	int64_t value;
};

static void sensor_init(struct sensor *s, unsigned i, unsigned of)
{
	static const unsigned decimals[] = {1, 1, 0, 0, 2};
	unsigned k = i * 10 / of;
	s->kind = k < 3 ? TEMPERATURE : k < 5 ? PM25 : k < 7 ? PEOPLE : k < 9 ? PARKING : BATTERY;
	s->decimals = decimals[s->kind];
	s->phase = (unsigned)(rnd() % 60);
	s->base = (double)(rnd() % 1000) / 1000;
	s->capacity = 50 + (unsigned)(rnd() % 450);
	s->value = s->kind == BATTERY ? 360 + (int64_t)(rnd() % 40) : s->capacity / 2;
}

static int64_t sensor_value(struct sensor *s, int64_t minute)
{
	double h = (double)(minute % 1440) / 60, day = sin((h - 9) / 24 * 2 * M_PI);
	switch (s->kind) {
	case TEMPERATURE:
		s->slow = s->slow * 0.9995 + gauss() * 0.05;
		return llround((12 + 8 * s->base + 5 * day + s->slow + gauss() * 0.05) * 10);
	case PM25:
		s->slow = s->slow * 0.98 + gauss() * 0.6;
		day = exp(-(h - 8) * (h - 8) / 3) + exp(-(h - 18) * (h - 18) / 4);
		return llround(fmax(0, 6 + 10 * s->base + 8 * day + s->slow + gauss() * 0.8) * 10);
	case PEOPLE:
		day = (20 + 180 * s->base) * fmax(0.02, 0.5 + 0.5 * day);
		return llround(fmax(0, day + sqrt(day) * gauss() * 1.4));
	case PARKING: {
		double target = s->capacity * (0.35 + 0.3 * (1 + day));
		unsigned r = (unsigned)(rnd() % 10);
		if (r < 4)
			s->value += (double)s->value < target ? 1 : -1;
		else if (r == 4)
			s->value += (int64_t)(rnd() % 5) - 2;
		s->value = MIN_OF(MAX_OF(s->value, 0), (int64_t)s->capacity);
		return s->value;
	}
	case BATTERY: return s->value - minute / 2880 + (rnd() % 8 == 0) - (rnd() % 8 == 0);
	}
	return 0;
}

static void wait_applied(struct bench *b)
{
	struct series_stats st;
	do {
		hub_turn(b->hub);
		take_back(b, false);
		series_stats(b->series, &st);
		if (st.lag_records || !hub_idle(b->hub))
			usleep(1000);
	} while (st.lag_records || !hub_idle(b->hub));
}

/* ---- five questions ---- */

static double ask_all(struct bench *b, struct series_ask *a, size_t *ret_rows)
{
	double start = seconds();
	size_t rows = 0;
	do {
		check(series_step(b->series, a), "question", "");
		rows += a->n;
	} while (a->more);
	series_ask_done(a);
	*ret_rows = rows;
	return (seconds() - start) * 1e3;
}

static void question(const char *name, double ms, size_t rows)
{
	printf("  %-34s %8.3f ms  %zu rows\n", name, ms, rows);
}

static void questions(struct bench *b, unsigned streams, unsigned days, int64_t start)
{
	const int64_t end = start + (int64_t)days * 86400000;
	size_t n = (size_t)days * 24 + 1, rows, all = 0;
	int64_t *edges = xcalloc(n, sizeof(*edges));
	double ms = 0;
	for (size_t i = 0; i < n; i++)
		edges[i] = start + (int64_t)i * 3600000;
	for (int warm = 0; warm < 2; warm++) {
		struct series_ask a = {.what = SERIES_STREAMS, .filter = {.stream_id = 17}};
		ms = ask_all(b, &a, &rows);
	}
	question("q1 last of one", ms, rows);
	for (int warm = 0; warm < 2; warm++) {
		struct series_ask a = {.what = SERIES_RAW,
		                       .id = 17,
		                       .from_ms = end - 2 * 86400000,
		                       .to_ms = end - 86400000};
		ms = ask_all(b, &a, &rows);
	}
	question("q2 one day of one, raw", ms, rows);
	for (int warm = 0; warm < 2; warm++) {
		struct series_ask a = {
		    .what = SERIES_AGGREGATE, .id = 17, .edges = edges, .n_edges = n};
		ms = ask_all(b, &a, &rows);
	}
	question("q3 hourly means of one, all days", ms, rows);
	ms = 0;
	for (uint32_t id = 1; id <= MIN_OF(streams, 100u); id++) {
		struct series_ask a = {
		    .what = SERIES_AGGREGATE, .id = id, .edges = edges, .n_edges = n};
		ms += ask_all(b, &a, &rows);
		all += rows;
	}
	question("q4 hourly means of 100, all days", ms, all);
	struct series_ask a = {.what = SERIES_STREAMS};
	ms = ask_all(b, &a, &rows);
	question("q5 latest of all", ms, rows);
	free(edges);
}

static void city(struct bench *b, unsigned streams, unsigned days)
{
	struct identity who = access_anonymous(b->config, true);
	struct sensor *s = xcalloc(streams, sizeof(*s));
	const int64_t start =
	    (clock_wall_ms(&b->clock) / 86400000 - (int64_t)days) * (int64_t)86400000;
	struct series_stats st;
	double begun = seconds(), told = begun;
	uint64_t points = (uint64_t)streams * days * 1440, sent = 0;
	for (unsigned i = 0; i < streams; i++)
		sensor_init(&s[i], i, streams);
	for (int64_t m = 0; m < (int64_t)days * 1440; m++)
		for (unsigned i = 0; i < streams; i++) {
			int64_t ms = start + (m * 60 + s[i].phase) * 1000;
			if (i % 2)
				ms += (int64_t)(rnd() % 2001);
			put(b, &who, i, ms, sensor_value(&s[i], m), s[i].decimals);
			if (++sent % 1024)
				continue;
			hub_turn(b->hub);
			take_back(b, false);
			if (sent % (1 << 16))
				continue;
			series_second(b->series);
			hub_retention(b->hub);
			if (seconds() - told > 10) {
				told = seconds();
				fprintf(stderr, "  %5.1f %%, %.0f points/s\n",
				        100.0 * (double)sent / (double)points,
				        (double)sent / (told - begun));
			}
		}
	double admitted = seconds() - begun;
	wait_applied(b);
	double applied = seconds() - begun;
	series_stop(b->series);
	double flushed = seconds() - begun;
	series_stats(b->series, &st);
	printf("%u streams, %u days, %llu points, %llu refused\n", streams, days,
	       (unsigned long long)points, (unsigned long long)b->refused);
	printf("  admitted %.0f points/s, applied %.0f, all on disk %.0f\n",
	       (double)points / admitted, (double)points / applied, (double)points / flushed);
	printf("  %.3f bytes/point of file, %.3f used\n", (double)st.file_bytes / (double)points,
	       (double)st.used_bytes / (double)points);
	questions(b, streams, days, start);
	free(s);
}

/* ---- many ---- */

static uint64_t rss_anon_kb(void)
{
	char line[128];
	unsigned long long kb = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static void many(struct bench *b, unsigned streams)
{
	struct identity who = access_anonymous(b->config, true);
	struct series_stats st;
	int64_t now = clock_wall_ms(&b->clock);
	uint64_t before = rss_anon_kb();
	double start = seconds();
	for (int round = 0; round < 5; round++)
		for (unsigned i = 0; i < streams; i++) {
			put(b, &who, i, now + round * 60000, (int64_t)(i + (unsigned)round), 1);
			if (i % 1024 == 0) {
				hub_turn(b->hub);
				take_back(b, false);
			}
			if (i % (1 << 16) == 0)
				series_second(b->series);
		}
	wait_applied(b);
	series_stats(b->series, &st);
	printf("%llu datastreams, 5 points each: %.0f points/s, RssAnon %llu MB (%llu before), "
	       "tail %llu MB\n",
	       (unsigned long long)st.streams, 5.0 * streams / (seconds() - start),
	       (unsigned long long)rss_anon_kb() / 1024, (unsigned long long)before / 1024,
	       (unsigned long long)st.tail_bytes >> 20);
	fflush(stdout);
	_exit(0); /* as by kill -9: the restart has to read what was in memory */
}

static void restart(struct bench *b)
{
	struct series_stats st;
	double start = seconds();
	broker_open(b);
	double opened = seconds() - start;
	wait_applied(b);
	double applied = seconds() - start;
	series_stats(b->series, &st);
	printf("restart: open %.2f s, caught up %.2f s, %llu records read again, %llu "
	       "datastreams, RssAnon %llu MB\n",
	       opened, applied, (unsigned long long)st.applied_records,
	       (unsigned long long)st.streams, (unsigned long long)rss_anon_kb() / 1024);
}

int main(int argc, char **argv)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	bool is_many = argc > 1 && strcmp(argv[1], "many") == 0;
	bool is_restart = argc > 1 && strcmp(argv[1], "restart") == 0;
	unsigned streams = argc > 2  ? (unsigned)strtoul(argv[2], NULL, 10)
	                   : is_many ? 1000000
	                             : 1000;
	unsigned days = argc > 3 && !is_many ? (unsigned)strtoul(argv[3], NULL, 10) : 30;
	bench_init(b, argc > (is_many ? 3 : 4) ? argv[is_many ? 3 : 4]
	              : is_restart             ? argv[2]
	                                       : NULL);
	printf("in %s\n", b->dir);
	fflush(stdout);
	if (is_restart) {
		restart(b);
		broker_close(b, true);
		return 0;
	}
	broker_open(b);
	if (is_many)
		many(b, streams);
	city(b, streams, days);
	broker_close(b, false);
	return 0;
}
