/* refusals.c - `oudp refusals`: how much of whom was refused since the start, and why the last
 * time.
 */
#include "cli/http.h"
#include "cli/table.h"

static const char *const kinds[] = {"unfit", "denied", "unrouted", "limit", "conflict"};

/* "unfit 3, denied 1" */
static void write_counts(const json_t *row, struct buf *b)
{
	buf_clear(b);
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		unsigned long long n = reply_count(row, kinds[i]);
		if (n)
			buf_addf(b, "%s%s %llu", b->len ? ", " : "", kinds[i], n);
	}
}

static void add_row(struct table *t, const json_t *row, struct buf *b)
{
	table_cell(t, reply_text(row, "identity", ""));
	table_cell(t, reply_text(row, "feed", "-"));
	table_cell(t, reply_text(row, "thing", "-"));
	write_counts(row, b);
	table_cell(t, buf_str(b));
	buf_clear(b);
	buf_addf(b, "%.19s", reply_text(row, "last", ""));
	table_cell(t, buf_str(b));
	table_cell(t, reply_text(row, "reason", ""));
}

int cmd_refusals(struct cli *c, int argc, char **argv)
{
	static const char *const headings[] = {"IDENTITY", "FEED",       "THING",
	                                       "REFUSED",  "LAST (UTC)", "WHY THE LAST TIME"};
	json_t *r = NULL, *row;
	struct table t;
	struct buf b;
	size_t i;
	if (cli_option(c, argc, argv, "", NULL) != CLI_END)
		return CLI_TROUBLE;
	if (optind < argc)
		return cli_usage(c, "refusals takes nothing");
	int err = http_json(c, HTTP_READ, "GET", "/v1/refusals", NULL, &r);
	if (err)
		return err;
	json_t *rows = json_object_get(r, "refusals");
	size_t n = json_array_size(rows);
	if (c->json) {
		cli_print_json(json_incref(rows));
	} else if (!n) {
		fprintf(stderr, "nothing was refused since the start\n");
	} else {
		table_init(&t, headings, ARRAY_LEN(headings));
		buf_init(&b, 200);
		json_array_foreach(rows, i, row) add_row(&t, row, &b);
		table_print(&t, c->columns, stdout);
		table_done(&t);
		buf_done(&b);
	}
	json_decref(r);
	return n ? CLI_OK : CLI_NO;
}
