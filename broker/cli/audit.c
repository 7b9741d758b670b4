/* audit.c - `oudp audit`: the broker's record of who did what, and proof that nothing of it was
 * changed or taken out. */
#include "access/secret.h"
#include "cli/http.h"
#include "cli/table.h"

#include "base/mem.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUDIT_FEED "oudp-audit"
enum { PAGE = 1000, PATH_BYTES = 256 };

/* One record and its sequence. False: stop. */
typedef bool (*each_fn)(void *arg, uint64_t sequence, const json_t *record);

/* All records after the one given, page by page. 0 or CLI_TROUBLE. */
static int each_record(struct cli *c, uint64_t after, const char *since, each_fn each, void *arg)
{
	char path[PATH_BYTES];
	for (bool more = true; more;) {
		json_t *r = NULL, *e;
		size_t i;
		if (since)
			snprintf(path, sizeof(path), "/v1/feeds/%s/events?since=%.64s&limit=%d",
			         AUDIT_FEED, since, PAGE);
		else
			snprintf(path, sizeof(path), "/v1/feeds/%s/events?after=%llu&limit=%d",
			         AUDIT_FEED, (unsigned long long)after, PAGE);
		since = NULL;
		int err = http_json(c, HTTP_ADMIN, "GET", path, NULL, &r);
		if (err)
			return err;
		more = json_array_size(r) > 0;
		json_array_foreach(r, i, e)
		{
			const char *text = reply_text(e, "sequence", NULL);
			if (!text) /* a gap: what is older than keep-messages is gone */
				continue;
			after = strtoull(text, NULL, 10);
			more = more && each(arg, after, json_object_get(e, "data"));
		}
		more = more && json_array_size(r) >= PAGE;
		json_decref(r);
	}
	return CLI_OK;
}

/* ---- verify ---- */

struct chain {
	const struct cli *cli;
	uint64_t n, first, last, broken;
	const char *kept; /* a hash that was kept elsewhere; NULL: none */
	bool met;         /* it is in the chain */
	char hash[SHA256_HEX_BYTES];
};

static void wrong(struct chain *c, uint64_t sequence, const char *what)
{
	c->broken++;
	if (!c->cli->json)
		printf("%llu: %s\n", (unsigned long long)sequence, what);
}

/* The bytes that were hashed: all members but the last, as the broker wrote them. */
static void write_members(struct buf *b, const json_t *record)
{
	const char *name;
	json_t *v;
	buf_add_char(b, '{');
	json_object_foreach((json_t *)record, name, v)
	{
		if (strcmp(name, "hash") == 0 || !json_is_string(v))
			continue;
		json_write_name(b, name);
		json_write_string(b, span_of(json_string_value(v), json_string_length(v)));
	}
}

static bool check(void *arg, uint64_t sequence, const json_t *record)
{
	struct chain *c = arg;
	struct buf b;
	char got[SHA256_HEX_BYTES];
	const char *previous = reply_text(record, "previous", ""),
	           *hash = reply_text(record, "hash", "");
	buf_init(&b, 1 << 20);
	write_members(&b, record);
	secret_sha256_hex(span_of(b.p, b.len), got);
	buf_done(&b);
	if (strcmp(got, hash))
		wrong(c, sequence, "was changed: its hash is not that of what it says");
	if (c->n && sequence != c->last + 1)
		wrong(c, sequence, "records before it are missing");
	if (c->n && strcmp(previous, c->hash))
		wrong(c, sequence, "does not follow the one before it");
	if (!c->n && sequence == 1 && strspn(previous, "0") != SHA256_HEX_BYTES - 1)
		wrong(c, sequence, "is the first, and follows another one");
	if (!c->n)
		c->first = sequence;
	c->n++;
	c->last = sequence;
	snprintf(c->hash, sizeof(c->hash), "%s", hash);
	c->met |= c->kept && strcmp(c->kept, hash) == 0;
	return true;
}

static int verify(struct cli *c, const char *kept)
{
	struct chain chain = {.cli = c, .kept = kept};
	int err = each_record(c, 0, NULL, check, &chain);
	if (err)
		return err;
	if (kept && !chain.met)
		wrong(&chain, chain.last,
		      "the hash that was kept is not in the chain: it was "
		      "written anew, or the record is older than the feed keeps");
	if (c->json)
		cli_print_json(json_pack("{s:I, s:I, s:I, s:I, s:s}", "records",
		                         (json_int_t)chain.n, "first", (json_int_t)chain.first,
		                         "last", (json_int_t)chain.last, "wrong",
		                         (json_int_t)chain.broken, "hash", chain.hash));
	else if (chain.broken)
		printf("the audit is not whole: %llu of %llu records\n",
		       (unsigned long long)chain.broken, (unsigned long long)chain.n);
	else if (chain.n)
		printf(
		    "the audit is whole: %llu records, %llu to %llu\nlast hash %s\n"
		    "Keep this line elsewhere: a chain that was written anew does not hold it.\n",
		    (unsigned long long)chain.n, (unsigned long long)chain.first,
		    (unsigned long long)chain.last, chain.hash);
	else
		printf("the audit is empty\n");
	return chain.broken ? CLI_NO : CLI_OK;
}

/* ---- list ---- */

struct listing {
	const struct cli *cli;
	struct table table;
	const char *actor, *action;
};

static bool list_one(void *arg, uint64_t sequence UNUSED, const json_t *record)
{
	static const char *const names[] = {"time",   "action", "object",      "result",
	                                    "origin", "actor",  "organisation"};
	struct listing *l = arg;
	if ((l->actor && strcmp(l->actor, reply_text(record, "actor", ""))) ||
	    (l->action && strcmp(l->action, reply_text(record, "action", ""))))
		return true;
	if (l->cli->json) {
		cli_print_json(json_incref((json_t *)record));
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		table_cell(&l->table, reply_text(record, names[i], "-"));
	return true;
}

static int list(struct cli *c, const char *since, const char *actor, const char *action)
{
	static const char *const headings[] = {"TIME",   "ACTION", "OBJECT",      "RESULT",
	                                       "ORIGIN", "ACTOR",  "ORGANISATION"};
	struct listing l = {.cli = c, .actor = actor, .action = action};
	table_init(&l.table, headings, ARRAY_LEN(headings));
	int err = each_record(c, 0, since, list_one, &l);
	if (!err && !c->json)
		table_print(&l.table, c->columns, stdout);
	table_done(&l.table);
	return err;
}

enum { OPT_SINCE = CLI_OWN, OPT_ACTOR, OPT_ACTION, OPT_HOLDS };

int cmd_audit(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = {{"since", required_argument, NULL, OPT_SINCE},
	                                        {"actor", required_argument, NULL, OPT_ACTOR},
	                                        {"action", required_argument, NULL, OPT_ACTION},
	                                        {"holds", required_argument, NULL, OPT_HOLDS},
	                                        {0}};
	const char *since = NULL, *actor = NULL, *action = NULL, *kept = NULL;
	for (int o; (o = cli_option(c, argc, argv, "", options)) != CLI_END;) {
		if (o < CLI_OWN)
			return CLI_TROUBLE;
		*(o == OPT_SINCE   ? &since
		  : o == OPT_ACTOR ? &actor
		  : o == OPT_HOLDS ? &kept
		                   : &action) = optarg;
	}
	const char *verb = optind < argc ? argv[optind] : "";
	bool filtered = since || actor || action;
	if (argc - optind == 1 && strcmp(verb, "list") == 0 && !kept)
		return list(c, since, actor, action);
	if (argc - optind == 1 && strcmp(verb, "verify") == 0 && !filtered)
		return verify(c, kept);
	return cli_usage(c, "verify, or list");
}
