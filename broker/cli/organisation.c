/* organisation.c - `oudp organisation`, and what the commands about access share. */
#include "cli/access.h"
#include "cli/table.h"
#include "cli/text.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PATH_BYTES = 4096 };

int access_ask(struct cli *c, const char *method, const char *path, const json_t *body,
               json_t **ret)
{
	json_t *r = NULL;
	*ret = NULL;
	int err = http_json(c, HTTP_ADMIN, method, path, body, &r);
	if (err)
		return err;
	if (c->json)
		cli_print_json(r);
	else
		*ret = r;
	return CLI_OK;
}

int access_list(struct cli *c, const char *collection, const char *const *headings,
                unsigned columns, void (*add)(struct table *t, const json_t *one, const void *arg),
                const void *arg)
{
	struct table t;
	json_t *r, *one;
	size_t i;
	char path[64];
	snprintf(path, sizeof(path), "/v1/%s", collection);
	int err = access_ask(c, "GET", path, NULL, &r);
	if (!r)
		return err;
	table_init(&t, headings, columns);
	json_array_foreach(json_object_get(r, collection), i, one) add(&t, one, arg);
	table_print(&t, c->columns, stdout);
	table_done(&t);
	json_decref(r);
	return CLI_OK;
}

char *access_path(const char *collection, const char *id)
{
	struct buf b;
	buf_init(&b, PATH_BYTES);
	buf_addf(&b, "/v1/%s/", collection);
	text_percent(&b, span_str(id));
	char *path = xstrdup(buf_str(&b));
	buf_done(&b);
	return path;
}

json_t *access_end(const char *date)
{
	char now[RFC3339_BYTES + 1] = "";
	if (!date) {
		rfc3339_format((int64_t)time(NULL) * 1000, now);
		date = now;
	}
	return json_pack("{s:s}", "ends", date);
}

static void row(struct table *t, const json_t *o, const void *arg UNUSED)
{
	table_cell(t, reply_text(o, "name", "?"));
	table_cell(t, reply_text(o, "ends", "-"));
	table_cell(t, reply_text(o, "title", ""));
}

static int list(struct cli *c)
{
	static const char *const headings[] = {"ORGANISATION", "ENDS", "TITLE"};
	return access_list(c, "organisations", headings, ARRAY_LEN(headings), row, NULL);
}

enum { OPT_TITLE = CLI_OWN, OPT_DATE };

int cmd_organisation(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = {{"title", required_argument, NULL, OPT_TITLE},
	                                        {"date", required_argument, NULL, OPT_DATE},
	                                        {0}};
	const char *title = "", *date = NULL;
	json_t *r, *body;
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		if (o < CLI_OWN)
			return CLI_TROUBLE;
		*(o == OPT_TITLE ? &title : &date) = optarg;
	}
	const char *verb = optind < argc ? argv[optind] : "";
	const char *name = optind + 1 < argc ? argv[optind + 1] : NULL;
	int given = argc - optind, err;
	if (strcmp(verb, "list") == 0 && given == 1)
		return list(c);
	if (given != 2 || (strcmp(verb, "add") != 0 && strcmp(verb, "end") != 0))
		return cli_usage(c, "list, or add NAME, or end NAME");
	if (strcmp(verb, "add") == 0) {
		body = json_pack("{s:s, s:s}", "name", name, "title", title);
		err = access_ask(c, "POST", "/v1/organisations", body, &r);
	} else {
		auto_free char *path = access_path("organisations", name);
		body = access_end(date);
		err = access_ask(c, "PATCH", path, body, &r);
	}
	json_decref(body);
	if (r && strcmp(verb, "add") == 0)
		printf("%s is added; give it identities: oudp identity add\n", name);
	else if (r)
		printf("%s ends at %s: its grants, keys, passwords and certificates stop; its data "
		       "stays readable\n",
		       name, reply_text(r, "ends", "?"));
	json_decref(r);
	return err;
}
