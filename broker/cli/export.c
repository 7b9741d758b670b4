/* export.c - `oudp feed export`: all there is of a feed, in files that need no broker to be read.
 */
#include "cli/export.h"
#include "cli/http.h"
#include "cli/lines.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many digits a decimal that was read has, and no more. */
#define PLAIN (JSON_COMPACT | JSON_REAL_PRECISION(15))

struct export
{
	struct cli *c;
	const char *feed, *dir;
	bool bar;
	uint64_t events;
};

static int open_part(const struct export *e, const char *name, FILE **ret, char **ret_path)
{
	if (asprintf(ret_path, "%s/%s", e->dir, name) < 0)
		return cli_trouble(e->c, "no memory");
	*ret = fopen(*ret_path, "we");
	return *ret ? 0 : cli_trouble(e->c, "%s: %s", *ret_path, strerror(errno));
}

/* A file that ends before its time is no export. */
static int close_part(const struct export *e, FILE *f, const char *path, int err)
{
	bool bad = fflush(f) || ferror(f) || fsync(fileno(f));
	if (fclose(f) || bad)
		return cli_trouble(e->c, "%s: %s", path, strerror(errno));
	return err;
}

/* ---- the log ---- */

static int write_page(const struct export *e, FILE *f, struct span page, struct lines *l)
{
	struct buf b;
	buf_init(&b, 2 * page.n + 1);
	int err = lines_of_page(&b, page, l);
	if (err)
		err = cli_trouble(e->c, "the answer is no page of events");
	else if (b.len && fwrite(b.p, 1, b.len, f) != b.len)
		err = cli_trouble(e->c, "writing %s failed: %s", e->dir, strerror(errno));
	buf_done(&b);
	if (e->bar)
		fprintf(stderr, "\r%llu events ", (unsigned long long)l->n);
	return err;
}

static int export_events(struct export *e)
{
	FILE *f;
	auto_free char *path = NULL, *base = http_feed_path(e->feed, "/events?limit=1000&after=");
	struct lines l = {0};
	int err = open_part(e, "events.ndjson", &f, &path);
	if (err)
		return err;
	while (!err && !l.ended) {
		struct http_reply r;
		struct buf url;
		buf_init(&url, 16 << 10);
		buf_add_str(&url, base);
		if (l.last.epoch)
			buf_addf(&url, "%llu:", (unsigned long long)l.last.epoch);
		buf_addf(&url, "%llu", (unsigned long long)l.last.sequence);
		err = http_ask(e->c, HTTP_READ, "GET", buf_str(&url), NULL, &r);
		buf_done(&url);
		if (err)
			break;
		err = r.status == 200 ? write_page(e, f, span_of(r.body.p, r.body.len), &l)
		                      : http_problem(e->c, &r);
		http_reply_done(&r);
	}
	e->events = l.n;
	return close_part(e, f, path, err);
}

/* ---- the rest: what the daemon writes in that form ---- */

static int export_file(struct export *e, const char *name, const char *url, const char *accept,
                       bool may_lack)
{
	FILE *f;
	struct http_reply r;
	auto_free char *path = NULL;
	int err = open_part(e, name, &f, &path);
	if (err)
		return err;
	err = http_save(e->c, url, accept, f, &r);
	bool lacks = !err && may_lack && r.status == 404;
	if (!err && r.status != 200 && !lacks)
		err = http_problem(e->c, &r);
	if (!err)
		http_reply_done(&r);
	err = close_part(e, f, path, err);
	if (lacks)
		unlink(path);
	return err;
}

static int export_series(struct export *e)
{
	struct buf feed, url;
	buf_init(&feed, 4096);
	buf_init(&url, 8192);
	text_percent(&feed, span_str(e->feed));
	buf_addf(&url,
	         "/v1/observations?from=0001-01-01&rejected=true&stored=true&limit=all&feed=%s",
	         buf_str(&feed));
	int err = export_file(e, "observations.csv", buf_str(&url), "text/csv", true);
	buf_clear(&url);
	buf_addf(&url,
	         "/v1/observations?from=0001-01-01&aggregate=count,min,max,sum,first,last&"
	         "interval=PT1H&limit=all&feed=%s",
	         buf_str(&feed));
	if (!err) /* keep-series may have left no more than these */
		err = export_file(e, "hours.csv", buf_str(&url), "text/csv", true);
	buf_clear(&url);
	buf_addf(&url, "/v1/datastreams?format=csv&limit=all&feed=%s", buf_str(&feed));
	if (!err)
		err = export_file(e, "datastreams.csv", buf_str(&url), "text/csv", true);
	buf_done(&url);
	buf_done(&feed);
	return err;
}

/* The register's entries and what is known of things that only published, a line each. */
static int export_things(struct export *e)
{
	FILE *f = NULL;
	auto_free char *path = NULL, *after = xstrdup("");
	int err = open_part(e, "things.ndjson", &f, &path);
	while (!err) {
		struct buf url;
		json_t *page = NULL, *thing;
		size_t i;
		buf_init(&url, 16 << 10);
		buf_add_str(&url, "/v1/things?feed=");
		text_percent(&url, span_str(e->feed));
		if (*after) {
			buf_add_str(&url, "&after=");
			text_percent(&url, span_str(after));
		}
		err = http_json(e->c, HTTP_READ, "GET", buf_str(&url), NULL, &page);
		buf_done(&url);
		json_array_foreach(json_object_get(page, "things"), i,
		                   thing) if (json_dumpf(thing, f, PLAIN) < 0 ||
		                              putc('\n', f) == EOF) err =
		    cli_trouble(e->c, "%s: %s", path, strerror(errno));
		free(after);
		after = xstrdup(reply_text(page, "next", ""));
		json_decref(page);
		if (!*after)
			break;
	}
	return path && f ? close_part(e, f, path, err) : err;
}

int feed_export(struct cli *c, const char *feed, const char *dir)
{
	struct export e = {.c = c, .feed = feed, .dir = dir, .bar = !c->json && isatty(2)};
	if (mkdir(dir, 0750) < 0)
		return cli_trouble(c, "%s: %s (the export makes the directory itself)", dir,
		                   strerror(errno));
	auto_free char *contract = http_feed_path(feed, "");
	int err = export_file(&e, "feed.json", contract, "application/json", false);
	if (!err)
		err = export_events(&e);
	if (!err)
		err = export_series(&e);
	if (!err)
		err = export_things(&e);
	if (e.bar)
		fprintf(stderr, "\r%40s\r", "");
	if (err)
		return err;
	printf("%llu events of %s in %s\n", (unsigned long long)e.events, feed, dir);
	return CLI_OK;
}
