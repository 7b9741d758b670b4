/* grant.c - `oudp grant`. */
#include "cli/access.h"
#include "cli/table.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* ---- list ---- */

static void write_rights(struct buf *b, const json_t *g)
{
	size_t i;
	json_t *one;
	json_array_foreach(json_object_get(g, "rights"), i, one)
	    buf_addf(b, "%s%s", i ? "," : "", json_is_string(one) ? json_string_value(one) : "?");
}

static void row(struct table *t, const json_t *g)
{
	struct buf b;
	char id[32];
	const char *state = reply_text(g, "state", "?");
	bool in_force = json_is_true(json_object_get(g, "inForce"));
	buf_init(&b, 1024);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)reply_count(g, "id"));
	table_cell(t, id);
	buf_addf(&b, "%s%s%s", reply_text(g, "organisation", "?"),
	         *reply_text(g, "identity", "") ? "/" : "", reply_text(g, "identity", ""));
	table_cell(t, buf_str(&b));
	table_cell(t, reply_text(g, "feed", "?"));
	buf_clear(&b);
	write_rights(&b, g);
	table_cell(t, buf_str(&b));
	bool by_place = json_object_get(g, "area") && !json_is_null(json_object_get(g, "area"));
	buf_clear(&b);
	buf_addf(&b, "%s%s", reply_text(g, "thing", by_place ? "all" : "-"),
	         by_place ? " in an area" : "");
	table_cell(t, buf_str(&b));
	table_cell(t, in_force || strcmp(state, "active") ? state : "not now");
	table_cell(t, reply_text(g, "until", "-"));
	table_cell(t, reply_text(g, "contract", "-"));
	table_cell(t, reply_text(g, "purpose", ""));
	buf_done(&b);
}

static bool is_wanted(const json_t *g, const json_t *asked)
{
	static const char *const names[] = {"organisation", "identity", "feed"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *want = reply_text(asked, names[i], NULL);
		if (want && strcmp(want, reply_text(g, names[i], "")))
			return false;
	}
	return true;
}

static void row_wanted(struct table *t, const json_t *g, const void *asked)
{
	if (is_wanted(g, asked))
		row(t, g);
}

static int list(struct cli *c, const json_t *asked)
{
	static const char *const headings[] = {"ID",    "WHO",   "FEED",     "RIGHTS", "THINGS",
	                                       "STATE", "UNTIL", "CONTRACT", "PURPOSE"};
	return access_list(c, "grants", headings, ARRAY_LEN(headings), row_wanted, asked);
}

/* ---- changes ---- */

static int add(struct cli *c, const char *feed, json_t *body)
{
	json_t *r;
	if (!json_object_get(body, "organisation") && !json_object_get(body, "identity"))
		return cli_usage(c, "to whom? --organisation NAME or --identity NAME");
	if (!json_object_get(body, "rights"))
		return cli_usage(c, "which? --rights publish,subscribe,read,admin");
	json_object_set_new(body, "feed", json_string(feed));
	int err = access_ask(c, "POST", "/v1/grants", body, &r);
	if (r)
		printf("grant %llu is added\n", (unsigned long long)reply_count(r, "id"));
	json_decref(r);
	return err;
}

static int set_state(struct cli *c, const char *id, const char *state)
{
	json_t *r, *body = json_pack("{s:s}", "state", state);
	auto_free char *path = access_path("grants", id);
	int err = access_ask(c, "PATCH", path, body, &r);
	json_decref(body);
	if (r)
		printf("grant %s is %s\n", id, state);
	json_decref(r);
	return err;
}

static json_t *words(const char *list)
{
	json_t *all = json_array();
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, ",");
		json_array_append_new(all, json_stringn(at, n));
		at += n + (at[n] == ',');
	}
	return all;
}

/* Options are members of the body, in this order: texts, then numbers. */
enum { FIRST_NUMBER = CLI_OWN + 9, AREA = CLI_OWN + 12, AREA_CRS };
static const struct option options[] = {{"organisation", required_argument, NULL, CLI_OWN},
                                        {"identity", required_argument, NULL, CLI_OWN + 1},
                                        {"feed", required_argument, NULL, CLI_OWN + 2},
                                        {"rights", required_argument, NULL, CLI_OWN + 3},
                                        {"thing", required_argument, NULL, CLI_OWN + 4},
                                        {"from", required_argument, NULL, CLI_OWN + 5},
                                        {"until", required_argument, NULL, CLI_OWN + 6},
                                        {"purpose", required_argument, NULL, CLI_OWN + 7},
                                        {"contract", required_argument, NULL, CLI_OWN + 8},
                                        {"rate", required_argument, NULL, FIRST_NUMBER},
                                        {"size", required_argument, NULL, FIRST_NUMBER + 1},
                                        {"quota", required_argument, NULL, FIRST_NUMBER + 2},
                                        {"area", required_argument, NULL, AREA},
                                        {"area-crs", required_argument, NULL, AREA_CRS},
                                        {0}};

/* A text, or @FILE; line ends mean nothing in WKT and GeoJSON. NULL: trouble was told. */
static json_t *read_area(struct cli *c, const char *text)
{
	struct buf b;
	json_t *area = NULL;
	if (*text != '@')
		return json_string(text);
	buf_init(&b, LIMIT_AREA_BYTES + 1);
	if (cli_read_file(c, text + 1, LIMIT_AREA_BYTES, &b)) {
		buf_done(&b);
		return NULL;
	}
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.p[i] < ' ')
			b.p[i] = ' ';
	area = json_stringn(b.p, b.len);
	buf_done(&b);
	return area;
}

/* One option into the body; the server says what is wrong with its text. */
static int take(struct cli *c, json_t *body, const struct option *o, const char *text)
{
	uint64_t n;
	if (strcmp(o->name, "rights") == 0) {
		json_object_set_new(body, o->name, words(text));
	} else if (o->val == AREA) {
		json_t *area = read_area(c, text);
		if (!area)
			return CLI_TROUBLE;
		json_object_set_new(body, "area", area);
	} else if (o->val == AREA_CRS) {
		json_object_set_new(body, "areaCrs", json_string(text));
	} else if (o->val >= FIRST_NUMBER) {
		char option[16];
		snprintf(option, sizeof(option), "--%s", o->name);
		if (cli_number(c, option, text, 1, INT64_MAX, &n))
			return CLI_TROUBLE;
		json_object_set_new(body, o->name, json_integer((json_int_t)n));
	} else {
		json_object_set_new(body, o->name, json_string(text));
	}
	return CLI_OK;
}

int cmd_grant(struct cli *c, int argc, char **argv)
{
	static const char *const verbs[][2] = {
	    {"suspend", "suspended"}, {"resume", "active"}, {"revoke", "revoked"}};
	json_t *body = json_object();
	int status = CLI_TROUBLE;
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;)
		if (o < CLI_OWN || take(c, body, &options[o - CLI_OWN], optarg))
			goto out;
	const char *verb = optind < argc ? argv[optind] : "";
	const char *what = optind + 1 < argc ? argv[optind + 1] : NULL;
	int given = argc - optind;
	if (strcmp(verb, "list") == 0 && given == 1) {
		status = list(c, body);
		goto out;
	}
	if (strcmp(verb, "add") == 0 && given == 2) {
		status = add(c, what, body);
		goto out;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verb, verbs[i][0]) == 0 && given == 2) {
			status = set_state(c, what, verbs[i][1]);
			goto out;
		}
	status = cli_usage(c, "list, add FEED, suspend ID, resume ID, or revoke ID");
out:
	json_decref(body);
	return status;
}
