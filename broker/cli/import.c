/* import.c - see import.h. Rows become lines of events (thing and payload) and go over HTTP in
 * bodies of a bounded size; what the daemon says of each line is told with its number in the file.
 */
#include "cli/import.h"
#include "cli/bar.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "cli/validate.h"
#include "json/json.h"
#include "json/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	BODY_BYTES = 2 << 20,
	BODY_LINES =
	    5000,   /* a quarter of what the daemon takes: the bar moves, an error is soon told */
	TRIES = 30, /* a second apart, while the daemon is full or starts */
	LINE_BYTES = 17 << 20 /* the largest packet, and what stands around it */
};

struct import {
	struct cli *c;
	const struct import_options *o;
	const char *path, *url;
	char *map; /* of the file, read only */
	size_t size;
	struct span rest; /* what is still to be read */
	bool bar;
	struct timespec begun;
	struct csv csv;
	struct rows rows;
	int thing_column;
	uint64_t line; /* read so far */
	struct buf body, answer;
	uint64_t *numbers; /* of the lines in body */
	unsigned n;
	uint64_t stored, duplicates, refused;
	struct json_tape tape;
};

/* ---- telling ---- */

static double seconds_since(const struct timespec *t)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void draw_bar(const struct import *m)
{
	if (!m->bar)
		return;
	uint64_t done = m->stored + m->duplicates + m->refused;
	bar_draw(1 - (double)m->rest.n / (double)m->size, "%llu rows, %llu refused, %.0f/s",
	         (unsigned long long)done, (unsigned long long)m->refused,
	         (double)done / MAX_OF(seconds_since(&m->begun), 0.001));
}

static void clear_bar(const struct import *m)
{
	if (m->bar)
		bar_clear();
}

/* One verdict: {"status":201,"sequence":17}. */
static void take_verdict(struct import *m, struct span line, uint64_t number)
{
	struct json_tape *t = &m->tape;
	size_t at;
	const char *why;
	int64_t status = 0;
	if (json_parse(t, line, &at, &why) == 0 && t->tok[0].type == JSON_OBJECT) {
		uint32_t i = json_member(t, 0, SPAN("status"));
		if (i && json_int64(json_text(t, i), &status))
			status = 0;
	}
	m->stored += status == 201;
	m->duplicates += status == 200;
	m->refused += status >= 300 || status == 0;
	if (m->c->json) {
		printf("{\"line\":%llu,%.*s\n", (unsigned long long)number,
		       (int)(line.n ? line.n - 1 : 0), line.n ? line.p + 1 : "");
	} else if (status >= 300 || status == 0) {
		uint32_t i = status ? json_member(t, 0, SPAN("detail")) : 0;
		struct span raw = i ? json_text(t, i) : line;
		auto_free char *detail = xmalloc(raw.n + 1);
		size_t n = i ? json_unescape(raw, detail) : raw.n;
		if (!i)
			memcpy(detail, raw.p, n);
		struct buf one;
		buf_init(&one, 8192);
		text_line(&one, span_of(detail, n), 0);
		clear_bar(m);
		printf("%s:%llu: %s\n", m->path, (unsigned long long)number, buf_str(&one));
		buf_done(&one);
	}
}

/* ---- sending ---- */

static int post(struct import *m, long *ret_status)
{
	for (unsigned i = 0; i < TRIES && !cli_stop(); i++) {
		buf_clear(&m->answer);
		int err = fetch_post(m->c, m->url, "application/x-ndjson",
		                     span_of(m->body.p, m->body.len), ret_status, &m->answer);
		if (err || *ret_status == 200)
			return err;
		sleep(1);
	}
	return cli_trouble(m->c, "the daemon is full or stops (HTTP %ld)", *ret_status);
}

static int flush(struct import *m)
{
	long status = 0;
	if (!m->n)
		return 0;
	int err = post(m, &status);
	if (err)
		return cli_trouble(m->c,
		                   "stopped before line %llu of %s; import it again: what was "
		                   "stored is known as a duplicate",
		                   (unsigned long long)m->numbers[0], m->path);
	struct span rest = span_of(m->answer.p, m->answer.len);
	unsigned i = 0;
	for (; rest.n && i < m->n; i++) {
		const char *nl = memchr(rest.p, '\n', rest.n);
		size_t n = nl ? (size_t)(nl - rest.p) : rest.n;
		take_verdict(m, span_of(rest.p, n), m->numbers[i]);
		n += nl ? 1 : 0;
		rest = span_of(rest.p + n, rest.n - n);
	}
	if (i != m->n)
		return cli_trouble(m->c, "%u verdicts came for %u rows: is that oudpd?", i, m->n);
	buf_clear(&m->body);
	m->n = 0;
	draw_bar(m);
	return 0;
}

/* The line that was just added to body is of line `number` of the file. */
static int added(struct import *m, uint64_t number)
{
	if (m->body.err)
		return cli_trouble(m->c, "%s:%llu: the row is too large", m->path,
		                   (unsigned long long)number);
	m->numbers[m->n++] = number;
	return m->n == BODY_LINES || m->body.len >= BODY_BYTES ? flush(m) : 0;
}

static void add_event(struct import *m, struct span thing)
{
	buf_add_str(&m->body, "{\"subject\":");
	json_write_string(&m->body, thing);
	buf_add_str(&m->body, ",\"data\":");
}

/* ---- CSV ---- */

static int mark_texts(struct import *m)
{
	const char *at = m->o->texts ? m->o->texts : "";
	while (*at) {
		size_t n = strcspn(at, ",");
		int i = rows_find(&m->rows, span_of(at, n));
		if (i < 0)
			return cli_trouble(m->c, "%s has no column %.*s", m->path, (int)n, at);
		m->rows.text[i] = true;
		at += n + (at[n] == ',');
	}
	return 0;
}

/* 1; 0: the end; CLI_TROUBLE negated, told. */
static int next_row(struct import *m)
{
	const char *why = "";
	int got = csv_next(&m->csv, &why);
	m->rest = m->csv.rest;
	m->line = m->csv.line;
	if (got >= 0)
		return got;
	return -cli_trouble(m->c, "%s:%llu: %s", m->path, (unsigned long long)m->line, why);
}

static int read_names(struct import *m)
{
	const struct import_options *o = m->o;
	const char *column = o->column ? o->column : "thing";
	unsigned at = 0;
	csv_init(&m->csv, m->rest);
	if (o->separator)
		m->csv.separator = o->separator[0];
	int got = next_row(m);
	if (got <= 0)
		return got ? -got : cli_trouble(m->c, "%s is empty", m->path);
	if (rows_init(&m->rows, &m->csv, &at))
		return cli_trouble(m->c,
		                   "%s: column %u \"%s\" has no name, or one that is given twice",
		                   m->path, at + 1, m->rows.name[at]);
	m->rows.decimal_comma = o->decimal_comma;
	m->thing_column = o->thing ? -1 : rows_find(&m->rows, span_str(column));
	if (!o->thing && m->thing_column < 0)
		return cli_trouble(m->c,
		                   "%s has no column %s: which thing? --thing THING, or "
		                   "--thing-column NAME",
		                   m->path, column);
	if (m->thing_column >= 0)
		m->rows.skip[m->thing_column] = !o->keep_column;
	return mark_texts(m);
}

static int import_csv(struct import *m)
{
	int err = read_names(m);
	while (!err && !cli_stop()) {
		int got = next_row(m);
		if (got <= 0)
			return -got;
		if (m->csv.n > m->rows.n ||
		    (m->thing_column >= 0 && (unsigned)m->thing_column >= m->csv.n))
			return cli_trouble(m->c, "%s:%llu: %u cells, but %u columns have names",
			                   m->path, (unsigned long long)m->line, m->csv.n,
			                   m->rows.n);
		add_event(m, span_str(m->o->thing ? m->o->thing : m->csv.cell[m->thing_column]));
		rows_write(&m->body, &m->rows, &m->csv);
		buf_add_str(&m->body, "}\n");
		err = added(m, m->line);
	}
	return err;
}

/* ---- NDJSON ---- */

/* Lines of events go as they are; payloads get the thing they name. */
static int add_line(struct import *m, struct span line)
{
	struct json_tape *t = &m->tape;
	size_t at;
	const char *why;
	if (json_parse(t, line, &at, &why))
		return cli_trouble(m->c, "%s:%llu: byte %zu: %s", m->path,
		                   (unsigned long long)m->line, at, why);
	bool object = t->tok[0].type == JSON_OBJECT;
	if (object && !m->o->thing && json_member(t, 0, SPAN("subject")) &&
	    json_member(t, 0, SPAN("data"))) {
		buf_add_span(&m->body, line);
		buf_add_char(&m->body, '\n');
		return 0;
	}
	struct span thing = span_str(m->o->thing);
	const char *member = m->o->column ? m->o->column : "thing";
	uint32_t i = object && !thing.n ? json_member(t, 0, span_str(member)) : 0;
	auto_free char *text = i ? xmalloc(t->tok[i].len + 1) : NULL;
	if (i && t->tok[i].type == JSON_STRING)
		thing = span_of(text, json_unescape(json_text(t, i), text));
	else if (i && t->tok[i].type == JSON_NUMBER)
		thing = json_text(t, i);
	if (!thing.n)
		return cli_trouble(m->c,
		                   "%s:%llu: which thing? --thing THING, or --thing-column MEMBER",
		                   m->path, (unsigned long long)m->line);
	add_event(m, thing);
	buf_add_span(&m->body, line);
	buf_add_str(&m->body, "}\n");
	return 0;
}

static int import_ndjson(struct import *m)
{
	int err = 0;
	while (!err && m->rest.n && !cli_stop()) {
		const char *nl = memchr(m->rest.p, '\n', m->rest.n);
		size_t n = nl ? (size_t)(nl - m->rest.p) : m->rest.n, taken = n + (nl != NULL);
		struct span line = span_of(m->rest.p, n);
		m->rest = span_of(m->rest.p + taken, m->rest.n - taken);
		m->line++;
		while (line.n && strchr("\r\t ", line.p[line.n - 1]))
			line.n--;
		if (!line.n)
			continue;
		err = add_line(m, line);
		if (!err)
			err = added(m, m->line);
	}
	return err;
}

/* ---- the command ---- */

static bool is_csv(const struct import *m)
{
	if (m->o->format)
		return strcmp(m->o->format, "csv") == 0;
	const char *dot = strrchr(m->path, '.');
	return !dot || (strcmp(dot, ".ndjson") != 0 && strcmp(dot, ".jsonl") != 0 &&
	                strcmp(dot, ".json") != 0);
}

/* Standard input goes into a file without a name first. */
static int spool(void)
{
	FILE *f = tmpfile();
	char piece[64 << 10];
	size_t n;
	while (f && (n = fread(piece, 1, sizeof(piece), stdin)) > 0)
		if (fwrite(piece, 1, n, f) != n)
			return -1;
	return f && !ferror(stdin) && fflush(f) == 0 ? fileno(f) : -1; /* open until the end */
}

static int open_file(struct import *m)
{
	struct stat st;
	bool piped = strcmp(m->path, "-") == 0;
	int fd = piped ? spool() : open(m->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return cli_trouble(m->c, "%s: %s", m->path, strerror(errno));
	m->size = (size_t)st.st_size;
	if (m->size) {
		m->map = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (m->map == MAP_FAILED)
			return cli_trouble(m->c, "%s: %s", m->path, strerror(errno));
	}
	if (!piped)
		close(fd);
	m->rest = span_of(m->map, m->size);
	m->bar = m->size && bar_wanted(m->c);
	clock_gettime(CLOCK_MONOTONIC, &m->begun);
	return 0;
}

static int tell(struct import *m, int err)
{
	clear_bar(m);
	fprintf(m->c->json ? stderr : stdout,
	        "stored %llu, duplicates %llu, refused %llu (%.1f s)\n",
	        (unsigned long long)m->stored, (unsigned long long)m->duplicates,
	        (unsigned long long)m->refused, seconds_since(&m->begun));
	if (err)
		return err;
	return m->refused ? CLI_NO : CLI_OK;
}

int feed_import(struct cli *c, const char *feed, const char *path, const struct import_options *o)
{
	struct import *m = xcalloc(1, sizeof(*m));
	struct buf url;
	m->c = c;
	m->o = o;
	m->path = path;
	buf_init(&url, 16 << 10);
	buf_add_str(&url, "/v1/feeds/");
	text_percent(&url, span_str(feed));
	buf_add_str(&url, "/events?lines=events");
	m->url = buf_str(&url);
	m->numbers = xcalloc(BODY_LINES, sizeof(*m->numbers));
	buf_init(&m->body, BODY_BYTES + LINE_BYTES);
	buf_init(&m->answer, 64 << 20);
	json_tape_init(&m->tape, LIMIT_JSON_TOKENS);
	cli_stop_init();
	int err = open_file(m);
	if (!err) {
		err = is_csv(m) ? import_csv(m) : import_ndjson(m);
		if (!err)
			err = flush(m);
		if (!err && cli_stop())
			err =
			    cli_trouble(c, "stopped after line %llu", (unsigned long long)m->line);
		err = tell(m, err);
	}
	json_tape_done(&m->tape);
	csv_done(&m->csv);
	rows_done(&m->rows);
	buf_done(&m->answer);
	buf_done(&m->body);
	buf_done(&url);
	free(m->numbers);
	free(m);
	return err;
}
