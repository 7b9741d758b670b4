/* series.c - `oudp series`: what was measured, for years; and correcting it. */
#include "cli/http.h"
#include "cli/plot.h"
#include "cli/table.h"
#include "cli/text.h"

#include "base/mem.h"
#include "base/period.h"
#include "base/rfc3339.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY_MS = 86400000 };

enum {
	OPT_FEED = CLI_OWN,
	OPT_THING,
	OPT_PROPERTY,
	OPT_FROM,
	OPT_TO,
	OPT_LAST,
	OPT_AGGREGATE,
	OPT_INTERVAL,
	OPT_TZ,
	OPT_LIMIT,
	OPT_BBOX,
	OPT_RADIUS,
	OPT_CRS,
	OPT_CSV,
	OPT_CHART,
	OPT_DESC,
	OPT_ORIGINAL,
	OPT_STORED,
	OPT_STORED_SINCE,
	OPT_FACTOR,
	OPT_OFFSET,
	OPT_REASON
};

static const struct option options[] = {{"feed", required_argument, NULL, OPT_FEED},
                                        {"thing", required_argument, NULL, OPT_THING},
                                        {"property", required_argument, NULL, OPT_PROPERTY},
                                        {"from", required_argument, NULL, OPT_FROM},
                                        {"to", required_argument, NULL, OPT_TO},
                                        {"last", required_argument, NULL, OPT_LAST},
                                        {"aggregate", required_argument, NULL, OPT_AGGREGATE},
                                        {"interval", required_argument, NULL, OPT_INTERVAL},
                                        {"tz", required_argument, NULL, OPT_TZ},
                                        {"limit", required_argument, NULL, OPT_LIMIT},
                                        {"bbox", required_argument, NULL, OPT_BBOX},
                                        {"radius", required_argument, NULL, OPT_RADIUS},
                                        {"crs", required_argument, NULL, OPT_CRS},
                                        {"csv", no_argument, NULL, OPT_CSV},
                                        {"chart", no_argument, NULL, OPT_CHART},
                                        {"desc", no_argument, NULL, OPT_DESC},
                                        {"original", no_argument, NULL, OPT_ORIGINAL},
                                        {"stored", no_argument, NULL, OPT_STORED},
                                        {"stored-since", required_argument, NULL, OPT_STORED_SINCE},
                                        {"factor", required_argument, NULL, OPT_FACTOR},
                                        {"offset", required_argument, NULL, OPT_OFFSET},
                                        {"reason", required_argument, NULL, OPT_REASON},
                                        {0}};

struct asked {
	const char *value[ARRAY_LEN(options)]; /* by option - CLI_OWN; NULL: not given */
};

static const char *of(const struct asked *a, int option)
{
	return a->value[option - CLI_OWN];
}

static void print_buf(struct buf *b)
{
	fwrite(b->p ? b->p : "", 1, b->len, stdout);
	buf_done(b);
}

/* Appends "&name=value" of those that were given. */
static void add_given(struct buf *url, const struct asked *a, const int *which, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (of(a, which[i])) {
			buf_addf(url, "&%s=", options[which[i] - CLI_OWN].name);
			text_percent(url, span_str(of(a, which[i])));
		}
}

static const int of_where[] = {OPT_FEED, OPT_THING, OPT_PROPERTY, OPT_BBOX, OPT_RADIUS, OPT_CRS};
static const int of_when[] = {OPT_FROM,      OPT_TO,       OPT_LAST, OPT_TZ,          OPT_LIMIT,
                              OPT_AGGREGATE, OPT_INTERVAL, OPT_CRS,  OPT_STORED_SINCE};

/* ---- which datastreams ---- */

static void value_text(struct buf *b, const json_t *v)
{
	if (json_is_string(v))
		text_line(b, span_str(json_string_value(v)), 40);
	else if (json_is_boolean(v))
		buf_add_str(b, json_is_true(v) ? "true" : "false");
	else if (json_is_integer(v))
		buf_addf(b, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		buf_addf(b, "%.10g", json_real_value(v));
	else
		buf_add_char(b, '-');
}

static void stream_row(struct table *t, const json_t *s)
{
	const json_t *latest = json_object_get(s, "latest");
	const char *stored = reply_text(s, "lastStored", NULL);
	const json_t *fresh = json_object_get(s, "fresh");
	int64_t ms;
	struct buf b;
	buf_init(&b, 1024);
	buf_addf(&b, "%llu", (unsigned long long)reply_count(s, "id"));
	table_cell(t, buf_str(&b));
	table_cell(t, reply_text(s, "feed", "?"));
	table_cell(t, reply_text(s, "thing", "?"));
	table_cell(t, reply_text(s, "property", "?"));
	table_count(t, reply_count(s, "count"));
	buf_clear(&b);
	value_text(&b, json_object_get(latest, "value"));
	table_cell(t, buf_str(&b));
	table_cell(t, reply_text(s, "unit", ""));
	buf_clear(&b);
	if (stored && rfc3339_parse(span_str(stored), &ms) == 0)
		text_age(&b, (int64_t)time(NULL) - ms / 1000);
	table_cell(t, buf_str(&b));
	table_cell(t, json_is_false(fresh) ? "silent" : json_is_true(fresh) ? "fresh" : "");
	buf_done(&b);
}

static void print_streams(const struct cli *c, const json_t *list, FILE *to)
{
	static const char *const headings[] = {
	    ">ID", "FEED", "THING", "PROPERTY", ">COUNT", ">LATEST", "UNIT", ">LAST STORED", ""};
	struct table t;
	size_t i;
	json_t *s;
	table_init(&t, headings, ARRAY_LEN(headings));
	json_array_foreach(list, i, s) stream_row(&t, s);
	table_print(&t, c->columns, to);
	table_done(&t);
}

static int ask_streams(struct cli *c, const struct asked *a, json_t **ret)
{
	struct buf url;
	buf_init(&url, 16 << 10);
	buf_add_str(&url, "/v1/datastreams?limit=");
	buf_add_str(&url, of(a, OPT_LIMIT) ? of(a, OPT_LIMIT) : "1000");
	add_given(&url, a, of_where, ARRAY_LEN(of_where));
	int err = http_json(c, HTTP_READ, "GET", buf_str(&url), NULL, ret);
	buf_done(&url);
	return err;
}

static int list(struct cli *c, const struct asked *a)
{
	json_t *r = NULL;
	int err = ask_streams(c, a, &r);
	if (err)
		return err;
	size_t n = json_array_size(json_object_get(r, "datastreams"));
	bool more = json_is_string(json_object_get(r, "next"));
	if (c->json) {
		cli_print_json(r);
	} else {
		print_streams(c, json_object_get(r, "datastreams"), stdout);
		if (more)
			fprintf(stderr, "there are more: --feed, --thing, --property, --bbox\n");
		json_decref(r);
	}
	return n ? CLI_OK : CLI_NO;
}

/* The one datastream that is meant: by number, or by thing and property. */
static int find(struct cli *c, struct asked *a, int n, char **names, uint64_t *ret)
{
	json_t *r = NULL;
	if (n == 1 && strspn(names[0], "0123456789") == strlen(names[0]) &&
	    !cli_number(c, "ID", names[0], 1, UINT32_MAX, ret))
		return 0;
	if (n > 0)
		a->value[OPT_THING - CLI_OWN] = names[0];
	if (n > 1)
		a->value[OPT_PROPERTY - CLI_OWN] = names[1];
	const char *limit = of(a, OPT_LIMIT);
	a->value[OPT_LIMIT - CLI_OWN] = NULL; /* that is of the observations */
	int err = ask_streams(c, a, &r);
	a->value[OPT_LIMIT - CLI_OWN] = limit;
	if (err)
		return err;
	const json_t *all = json_object_get(r, "datastreams");
	if (json_array_size(all) == 1)
		*ret = reply_count(json_array_get(all, 0), "id");
	else if (json_array_size(all) == 0)
		err = cli_trouble(c, "there is no such datastream; oudp series list shows all");
	else {
		cli_trouble(c, "which of these? give its ID, or --property or --feed");
		print_streams(c, all, stderr);
		err = CLI_TROUBLE;
	}
	json_decref(r);
	return err;
}

/* ---- observations ---- */

static void observations_url(struct buf *url, uint64_t id, const struct asked *a)
{
	buf_init(url, 16 << 10);
	buf_addf(url, "/v1/datastreams/%llu/observations?", (unsigned long long)id);
	buf_addf(url, "original=%s", of(a, OPT_ORIGINAL) ? "true" : "false");
	if (of(a, OPT_STORED))
		buf_add_str(url, "&stored=true");
	if (of(a, OPT_DESC))
		buf_add_str(url, "&order=desc");
	add_given(url, a, of_when, ARRAY_LEN(of_when));
}

static int query_csv(struct cli *c, uint64_t id, struct asked *a)
{
	struct buf url;
	struct http_reply r;
	if (!of(a, OPT_LIMIT))
		a->value[OPT_LIMIT - CLI_OWN] = "all";
	observations_url(&url, id, a);
	int err = http_save(c, buf_str(&url), "text/csv", stdout, &r);
	buf_done(&url);
	if (err)
		return err;
	if (r.status != 200)
		err = http_problem(c, &r);
	http_reply_done(&r);
	return err;
}

static void print_rows(const struct cli *c, const json_t *r)
{
	const json_t *rows = json_object_get(r, "observations"), *first = json_array_get(rows, 0);
	const char *headings[TABLE_COLUMNS_MAX], *names[TABLE_COLUMNS_MAX], *name;
	char titles[TABLE_COLUMNS_MAX][32]; /* '>': numbers stand to the right */
	unsigned n = 0;
	json_t *row, *v;
	size_t i;
	json_object_foreach((json_t *)first, name, v)
	{
		if (n == TABLE_COLUMNS_MAX - 1 || strcmp(name, "quality") == 0)
			continue;
		names[n] = name;
		snprintf(titles[n], sizeof(titles[n]), "%s%s", json_is_number(v) ? ">" : "", name);
		headings[n] = titles[n];
		n++;
	}
	names[n] = "quality";
	headings[n++] = "quality";
	struct table t;
	struct buf cell;
	table_init(&t, headings, n);
	buf_init(&cell, 4096);
	json_array_foreach(rows, i, row) for (unsigned k = 0; k < n; k++)
	{
		size_t q;
		json_t *flag;
		buf_clear(&cell);
		v = json_object_get(row, names[k]);
		if (k + 1 < n)
			value_text(&cell, v);
		json_array_foreach(v, q, flag)
		    buf_addf(&cell, "%s%s", q ? " " : "", json_string_value(flag));
		table_cell(&t, buf_str(&cell));
	}
	table_print(&t, c->columns, stdout);
	buf_done(&cell);
	table_done(&t);
}

static int query_table(struct cli *c, uint64_t id, const struct asked *a)
{
	struct buf url;
	json_t *r = NULL;
	observations_url(&url, id, a);
	int err = http_json(c, HTTP_READ, "GET", buf_str(&url), NULL, &r);
	buf_done(&url);
	if (err)
		return err;
	size_t n = json_array_size(json_object_get(r, "observations"));
	if (c->json) {
		cli_print_json(r);
		return n ? CLI_OK : CLI_NO;
	}
	if (n)
		print_rows(c, r);
	else
		fprintf(stderr, "nothing came in this time, or it was rejected\n");
	if (json_is_string(json_object_get(r, "next")))
		fprintf(stderr, "there are more: --limit N, --from, --to, --csv\n");
	json_decref(r);
	return n ? CLI_OK : CLI_NO;
}

/* ---- a chart ---- */

/* A date is its beginning in UTC. */
static int chart_time(struct span s, int64_t now, int64_t *ret)
{
	char date[] = "0000-00-00T00:00:00Z";
	if (s.n == strlen("0000-00-00") && s.p[4] == '-') {
		memcpy(date, s.p, s.n);
		return rfc3339_parse(span_str(date), ret);
	}
	return text_time(s, now, ret);
}

static int range_of(struct cli *c, const struct asked *a, int64_t *ret_from, int64_t *ret_to)
{
	struct period last = {.days = 1};
	int64_t now = (int64_t)time(NULL) * 1000 + 1000; /* this second is in it */
	*ret_to = now;
	if (of(a, OPT_LAST) && (of(a, OPT_FROM) || of(a, OPT_TO)))
		return cli_usage(c, "--last goes without --from and --to");
	if (of(a, OPT_LAST) && period_parse(span_str(of(a, OPT_LAST)), &last))
		return cli_usage(c, "--last is a length of time, such as PT24H or P7D");
	if (of(a, OPT_TO) && chart_time(span_str(of(a, OPT_TO)), now, ret_to))
		return cli_usage(c, "--to is an RFC 3339 time, a date, or 2h, 3d ago");
	*ret_from = *ret_to - period_about_ms(&last);
	if (of(a, OPT_FROM) && chart_time(span_str(of(a, OPT_FROM)), now, ret_from))
		return cli_usage(c, "--from is an RFC 3339 time, a date, or 2h, 3d ago");
	return *ret_from < *ret_to ? 0 : cli_usage(c, "--to is not after --from");
}

/* The time of a column, of at most n for the whole: it divides a day or is whole days, so that the
 * daemon's pieces begin where the columns do. */
static int64_t step_of(int64_t range, unsigned n)
{
	static const int seconds[] = {1,     2,     5,     10,    15,    20,   30,   60,
	                              120,   300,   600,   900,   1200,  1800, 3600, 7200,
	                              10800, 14400, 21600, 28800, 43200, 86400};
	int64_t step = 0;
	for (unsigned i = 0; i < ARRAY_LEN(seconds); i++) {
		step = (int64_t)seconds[i] * 1000;
		if (range / step + 2 <= n)
			return step;
	}
	return (range / (n - 2) + step - 1) / step * step;
}

static void take_rows(const json_t *rows, int64_t from, int64_t step, double *values, unsigned n)
{
	size_t i;
	json_t *row;
	json_array_foreach(rows, i, row)
	{
		int64_t t;
		const json_t *mean = json_object_get(row, "mean");
		if (!json_is_number(mean) ||
		    rfc3339_parse(span_str(reply_text(row, "time", "")), &t))
			continue;
		int64_t at = (t - from) / step;
		if (at >= 0 && at < n)
			values[at] = json_number_value(mean);
	}
}

static int query_chart(struct cli *c, uint64_t id, const struct asked *a)
{
	double values[PLOT_COLUMNS_MAX];
	int64_t from, to;
	struct buf b;
	json_t *r = NULL;
	unsigned n = MIN_OF((c->columns ? c->columns : 80) - 14, (unsigned)PLOT_COLUMNS_MAX);
	int err = range_of(c, a, &from, &to);
	if (err)
		return err;
	int64_t step = step_of(to - from, n);
	from = from / step * step;
	n = (unsigned)((to - from + step - 1) / step);
	for (unsigned i = 0; i < n; i++)
		values[i] = NAN;
	auto_free char *from_text = text_rfc3339(from), *to_text = text_rfc3339(from + step * n);
	buf_init(&b, 1 << 20);
	buf_addf(&b,
	         "/v1/datastreams/%llu/observations?aggregate=mean&limit=10000&original=%s&"
	         "from=%s&to=%s",
	         (unsigned long long)id, of(a, OPT_ORIGINAL) ? "true" : "false", from_text,
	         to_text);
	if (step < DAY_MS)
		buf_addf(&b, "&interval=PT%lldS", (long long)step / 1000);
	else
		buf_addf(&b, "&interval=P%lldD", (long long)(step / DAY_MS));
	err = http_json(c, HTTP_READ, "GET", buf_str(&b), NULL, &r);
	buf_clear(&b);
	if (err)
		return err;
	const json_t *s = json_object_get(r, "datastream");
	take_rows(json_object_get(r, "observations"), from, step, values, n);
	buf_addf(&b, "%s %s (%s)\n", reply_text(s, "thing", "?"), reply_text(s, "property", "?"),
	         reply_text(s, "unit", "no unit"));
	plot_write(&b, values, n, from_text, to_text);
	print_buf(&b);
	json_decref(r);
	return CLI_OK;
}

/* ---- correcting ---- */

static int correct(struct cli *c, const char *verb, const struct asked *a)
{
	static const int texts[] = {OPT_FEED, OPT_THING, OPT_PROPERTY, OPT_FROM,
	                            OPT_TO,   OPT_TZ,    OPT_REASON};
	static const int numbers[] = {OPT_FACTOR, OPT_OFFSET};
	json_t *body = json_pack("{s:s}", "what", verb), *r = NULL;
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
		if (of(a, texts[i]))
			json_object_set_new(body, options[texts[i] - CLI_OWN].name,
			                    json_string(of(a, texts[i])));
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		char *end = NULL;
		const char *text = of(a, numbers[i]);
		double v = text ? strtod(text, &end) : 0;
		if (text && (end == text || *end || !isfinite(v)))
			return cli_usage(c, "--%s is a number", options[numbers[i] - CLI_OWN].name);
		if (text)
			json_object_set_new(body, options[numbers[i] - CLI_OWN].name, json_real(v));
	}
	int err = http_json(c, HTTP_ADMIN, "POST", "/v1/series/_correct", body, &r);
	json_decref(body);
	if (err)
		return err;
	if (c->json) {
		cli_print_json(r);
		return CLI_OK;
	}
	uint64_t n = reply_count(r, "observations"), streams = reply_count(r, "datastreams");
	printf("correction %llu: %llu observation%s of %llu datastream%s\n",
	       (unsigned long long)reply_count(r, "id"), (unsigned long long)n, n == 1 ? "" : "s",
	       (unsigned long long)streams, streams == 1 ? "" : "s");
	json_decref(r);
	return n ? CLI_OK : CLI_NO;
}

static int check_correct(struct cli *c, const char *verb, const struct asked *a)
{
	bool values = of(a, OPT_FACTOR) || of(a, OPT_OFFSET),
	     corrects = strcmp(verb, "correct") == 0;
	if (!of(a, OPT_THING) || !of(a, OPT_FROM) || !of(a, OPT_TO) || !of(a, OPT_REASON))
		return cli_usage(c, "%s needs --thing, --from, --to and --reason", verb);
	if (corrects != values)
		return cli_usage(c,
		                 "--factor and --offset go with correct, and one is needed there");
	return correct(c, verb, a);
}

int cmd_series(struct cli *c, int argc, char **argv)
{
	struct asked a = {{0}};
	uint64_t id = 0;
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		if (o < CLI_OWN)
			return CLI_TROUBLE;
		a.value[o - CLI_OWN] = optarg ? optarg : "";
	}
	const char *verb = optind < argc ? argv[optind] : "";
	int n = argc - optind - 1;
	if (strcmp(verb, "list") == 0 && n == 0)
		return list(c, &a);
	bool amends = strcmp(verb, "correct") == 0 || strcmp(verb, "flag") == 0 ||
	              strcmp(verb, "reject") == 0;
	if (amends && n == 0)
		return check_correct(c, verb, &a);
	if (strcmp(verb, "query") != 0 || n > 2 || (n == 0 && !of(&a, OPT_THING)))
		return cli_usage(c, "list, query ID|THING [PROPERTY], correct, flag or reject");
	int err = find(c, &a, n, argv + optind + 1, &id);
	if (err)
		return err;
	return of(&a, OPT_CHART) ? query_chart(c, id, &a)
	       : of(&a, OPT_CSV) ? query_csv(c, id, &a)
	                         : query_table(c, id, &a);
}
