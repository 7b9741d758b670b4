/* bench_access - what the question "may this identity do that?" costs a message, with 10,000 grants
 * in force: asked as ingest/ does for a publish (check, spend, covers), and as session/ does for
 * each delivery (covers). And what a change of one grant, and working all of them out anew, costs
 * the loop. Prints nanoseconds; not a test. */
#include "access/area.h"
#include "access/book.h"
#include "base/limits.h"
#include "unit/broker.h"

#include <math.h>
#include <time.h>

enum { FEEDS = 200, ORGANISATIONS = 50, IDENTITIES = 2000, GRANTS = 10000, ROUNDS = 2000000 };

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void done(void *arg, int err, const char *id UNUSED, const char *key UNUSED)
{
	assert(!err);
	(*(unsigned *)arg)++;
}

typedef int (*add_fn)(struct access *a, struct span json, struct access_done d, struct buf *why);

static void add(struct broker *b, struct access *a, add_fn fn, const char *json)
{
	static unsigned n, asked;
	struct access_done d = {.fn = done, .arg = &n};
	struct buf why;
	buf_init(&why, 1 << 16);
	int err = fn(a, span_str(json), d, &why);
	if (err) {
		fprintf(stderr, "%s: %s\n", json, buf_str(&why));
		abort();
	}
	if (++asked % 32 == 0 || fn != grant_add)
		broker_turn(b);
	buf_done(&why);
}

static void fill(struct broker *b, struct access *a)
{
	char json[256];
	for (int i = 0; i < ORGANISATIONS; i++) {
		snprintf(json, sizeof(json), "{\"name\":\"o%d\"}", i);
		add(b, a, organisation_add, json);
	}
	for (int i = 0; i < IDENTITIES; i++) {
		snprintf(json, sizeof(json),
		         "{\"name\":\"i%d\",\"organisation\":\"o%d\",\"kind\":\"key\"}", i,
		         i % ORGANISATIONS);
		add(b, a, identity_add, json);
	}
	for (int i = 0; i < GRANTS; i++) {
		snprintf(json, sizeof(json),
		         "{\"identity\":\"i%d\",\"feed\":\"f%d\",\"thing\":\"%s\",\"rights\":["
		         "\"publish\","
		         "\"subscribe\"],\"quota\":1000000000}",
		         i % IDENTITIES, i * 7 % FEEDS, i % 3 ? "" : "t-*");
		add(b, a, grant_add, json);
	}
	broker_turn(b);
}

static const struct feed *first_feed(const struct broker *b, const struct identity *who)
{
	for (unsigned i = 0; i < hub_feed_count(b->hub); i++)
		if (access_check(who, ACCESS_PUBLISH, hub_feed_at(b->hub, i), (struct span){0}) ==
		    0)
			return hub_feed_at(b->hub, i);
	abort();
}

static void measure(const struct broker *b, const struct access *a)
{
	static struct identity who[1024];
	static const struct feed *feeds[1024];
	unsigned long yes = 0;
	for (int i = 0; i < 1024; i++) {
		char name[16];
		snprintf(name, sizeof(name), "i%d", i * 31 % IDENTITIES);
		who[i] = access_identity(access_principal(a, span_str(name)));
		feeds[i] = first_feed(b, &who[i]);
	}
	const struct access_spot spot = {.known = true};
	double begin = now_s();
	for (int i = 0; i < ROUNDS; i++) {
		unsigned k = (unsigned)i * 2654435761u >> 22;
		struct span thing = SPAN("t-17");
		yes += access_check(&who[k], ACCESS_PUBLISH, feeds[k], thing) == 0 &&
		       access_room(&who[k], feeds[k], thing, 100, 1000) == 0 &&
		       access_covers(&who[k], ACCESS_PUBLISH, feeds[k], thing, &spot) == 0 &&
		       access_spend(&who[k], feeds[k], thing, &spot, 100, 1000) == 0;
	}
	printf("a publish (check, room, covers, spend)%6.0f ns\n",
	       (now_s() - begin) / ROUNDS * 1e9);
	begin = now_s();
	for (int i = 0; i < ROUNDS; i++) {
		unsigned k = (unsigned)i * 2654435761u >> 22;
		yes += access_covers(&who[k], ACCESS_SUBSCRIBE, feeds[k], SPAN("t-17"), NULL) == 0;
	}
	printf("a delivery (covers)                %6.0f ns\n", (now_s() - begin) / ROUNDS * 1e9);
	struct identity trusted = access_anonymous(b->config, true);
	begin = now_s();
	for (int i = 0; i < ROUNDS; i++)
		yes += access_covers(&trusted, ACCESS_SUBSCRIBE, feeds[i & 1023], SPAN("t-17"),
		                     NULL) == 0;
	printf("anonymous on loopback              %6.1f ns\n", (now_s() - begin) / ROUNDS * 1e9);
	if (yes != 3ul * ROUNDS)
		printf("of %d questions %lu were answered with yes\n", 3 * ROUNDS, yes);
}

/* A circle of as many points as may be, in and around which the questions lie. */
static void measure_area(void)
{
	char text[LIMIT_AREA_BYTES];
	size_t n = (size_t)snprintf(text, sizeof(text), "POLYGON((");
	struct area *a;
	const char *why = "";
	unsigned long in = 0;
	for (int i = 0; i < LIMIT_AREA_POINTS; i++) {
		double angle = 2 * M_PI * (i % (LIMIT_AREA_POINTS - 1)) / (LIMIT_AREA_POINTS - 1);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.5f %.5f", i ? "," : "",
		                      4.9 + 0.1 * cos(angle), 52.37 + 0.1 * sin(angle));
	}
	snprintf(text + n, sizeof(text) - n, "))");
	if (area_read(span_str(text), false, &a, &why)) {
		printf("the area %s\n", why);
		return;
	}
	for (int far = 0; far < 2; far++) {
		double begin = now_s();
		for (int i = 0; i < ROUNDS / 10; i++) {
			uint32_t chance = (uint32_t)i * 2654435761u;
			const struct box at = box_of_point((far ? 60000000 : 48000000) +
			                                       (int32_t)(chance / 2000 % 2000000),
			                                   522700000 + (int32_t)(chance % 2000000));
			in += area_holds(a, &at);
		}
		printf("%s %6.0f ns\n",
		       far ? "a place outside of its box        "
		           : "an area of 500 points, in its box ",
		       (now_s() - begin) / (ROUNDS / 10) * 1e9);
	}
	printf("of the places %.0f %% were in the area (%.0f %% of its box is)\n",
	       (double)in * 100.0 / (ROUNDS / 10), M_PI / 4 * 100);
	area_done(a);
}

int main(void)
{
	struct broker b;
	struct access *a;
	struct buf text;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < FEEDS; i++)
		buf_addf(
		    &text,
		    "feed \"f%d\" { topics = { \"f%d/{thing}\" } schemas = { \"any\" } access = "
		    "restricted }\n",
		    i, i);
	broker_open(&b, buf_str(&text));
	if (access_new(b.hub, &a))
		abort();
	fill(&b, a);
	printf("%d grants, %d identities of %d organisations, %d feeds\n", GRANTS, IDENTITIES,
	       ORGANISATIONS, FEEDS);
	measure(&b, a);
	measure_area();
	double begin = now_s();
	access_reconfigured(a);
	printf("all worked out anew (a reload)     %6.1f ms\n", (now_s() - begin) * 1e3);
	access_stop(a);
	access_free(a);
	begin = now_s();
	if (access_new(b.hub, &a))
		abort();
	printf("read at a start                    %6.1f ms\n", (now_s() - begin) * 1e3);
	access_free(a);
	broker_close(&b);
	buf_done(&text);
	return 0;
}
