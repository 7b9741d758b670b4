/* main.c - `oudp`: the table of commands, and nothing else. */
#include "cli/cli.h"
#include "cli/http.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#ifndef OUDP_VERSION
#define OUDP_VERSION "0.0.0"
#endif

static const struct command commands[] = {
    {"check", cmd_check, "FILE|DIR...", "checks a configuration or schemas, without the daemon",
     "  FILE             oudpd.conf, or a schema.json\n"
     "  DIR              a directory with oudpd.conf, or with schemas and their examples\n"
     "  --schemas DIR    where schemas are looked up first (repeatable)\n"
     "  --against FEED   of one schema: as oudp schema check\n"
     "  -v               says what in a schema takes the slow way\n"},
    {"schema", cmd_schema, "check SCHEMA --against FEED [--last N] | compare OLD NEW",
     "says what a new schema would refuse of a feed, and what it changes",
     "  SCHEMA, OLD, NEW path of a schema.json, or its directory\n"
     "  --against FEED   its stored messages are tried, its present schema compared\n"
     "  --last N         the newest N messages (1000)\n"
     "  --schemas DIR    where $ref looks first (repeatable)\n"
     "\n"
     "Exit status: 0 all fit and the change is compatible, 1 not so, 2 trouble.\n"},
    {"validate", cmd_validate, "SCHEMA [FILE...]",
     "says whether payloads fit a schema, and where not",
     "  SCHEMA           path of a schema.json, or name/version\n"
     "  FILE             payloads; none or -: standard input\n"
     "  -l               each line of a file is a payload\n"
     "  --schemas DIR    where name/version is looked up first (repeatable)\n"},
    {"pub", cmd_pub, "FEED|--topic TOPIC [--thing THING] [FILE...|-m PAYLOAD]",
     "publishes over MQTT 5 and prints the verdict",
     "  FEED             the feed; its first topic is used\n"
     "  --topic TOPIC    the topic itself, instead of a feed\n"
     "  --thing THING    stands at {thing} in the topic\n"
     "  FILE             payloads, one a file; none or -: standard input\n"
     "  -m PAYLOAD       the payload itself\n"
     "  -l               each line is a message\n"
     "  -q 0|1|2         quality of service (1); 0 has no verdict\n"
     "  -r               retained\n"
     "  -h HOST -p PORT  the MQTT listener (127.0.0.1, 1883)\n"
     "  --timeout SECONDS  how long to wait for a verdict (30)\n"
     "\n"
     "Exit status: 0 all stored, 1 at least one refused, 2 trouble.\n"},
    {"tail", cmd_tail, "FEED [--after POSITION|--since TIME]",
     "prints a feed as it comes, over WebSocket",
     "  --after POSITION   goes on after SEQUENCE, EPOCH:SEQUENCE or an event's id\n"
     "  --since TIME       starts at this stored time, RFC 3339\n"
     "  --thing THING      of one thing only\n"
     "  --limit N          ends after N events\n"
     "  --exit-on-live     ends where history ends\n"
     "\n"
     "Without --after and --since: new events only. When the connection breaks, tail connects "
     "again\n"
     "and goes on after the last event it printed; lost events are told on standard error.\n"},
    {"feed", cmd_feed,
     "list | show FEED | trim FEED --before SEQUENCE|--keep N | report FEED --privacy | import "
     "FEED "
     "FILE | export FEED DIR",
     "lists feeds, shows one, deletes its oldest records, imports and exports",
     "  list                 every feed: what it holds, its last record, its quarantine\n"
     "  show FEED            one feed\n"
     "  trim FEED            deletes the oldest records, also when the disk is full\n"
     "  report FEED --privacy  what a privacy officer asks\n"
     "  --before SEQUENCE    those before this one\n"
     "  --keep N             all but the newest N\n"
     "  import FEED FILE     CSV with a line of names, or NDJSON, through full admission\n"
     "  --thing THING        all rows are about this thing\n"
     "  --thing-column NAME  or the column (member) that names it (thing); --keep-column: it stays "
     "in the payload\n"
     "  --text NAME,...      columns that are never numbers\n"
     "  --separator C|tab  --decimal-comma  --format csv|ndjson\n"
     "  export FEED DIR      contract, log, observations and register, as JSON, NDJSON and CSV\n"
     "\n"
     "Exit status of import: 0 all stored, 1 at least one row refused, 2 trouble.\n"},
    {"thing", cmd_thing,
     "list | show THING | add THING FILE|MEMBER=VALUE... | end THING | import FILE | erase THING",
     "things and their register",
     "  list                 things that are registered or published\n"
     "  --feed FEED          that published to it   --state STATE   whose entry has it\n"
     "  --registered         without those that only published   --limit N  (1000)\n"
     "  show THING           one; --history: all versions of its entry\n"
     "  add THING ...        registers it, or replaces its entry: a JSON file (- is standard\n"
     "                       input), or members such as name.nl=Brug owner.organisation=...\n"
     "  end THING            it has ended; --date DATE: it ends after that day\n"
     "  erase THING --reason TEXT  takes everything of it out of the store, for good\n"
     "  import FILE          CSV, JSON or GeoJSON; nothing is registered while a line has faults\n"
     "  --skip-faulty        registers the others\n"
     "  --dry-run            add, import: says what would happen\n"
     "  --organisation NAME  whose things (list: all; else the administrator's own)\n"},
    {"series", cmd_series,
     "list | query ID|THING [PROPERTY] | correct|flag|reject --thing THING --from TIME --to TIME",
     "what was measured, as table, CSV or chart; corrects it",
     "  list             datastreams: --feed, --thing, --property, --bbox or --radius, --crs\n"
     "  query            observations of one: by its number, or its thing and property\n"
     "  --from TIME --to TIME | --last PERIOD   RFC 3339, a date, or PT24H, P7D (--last)\n"
     "  --aggregate mean,max,... --interval PERIOD   mean min max sum count first last present\n"
     "  --tz ZONE        whose days, and of the times shown (UTC)\n"
     "  --limit N        rows (1000)   --desc  newest first   --original  before corrections\n"
     "  --stored         when each was stored    --stored-since TIME  then or later\n"
     "  --csv            all of it as CSV        --chart  drawn\n"
     "  correct          --factor F and --offset O: value * F + O\n"
     "  flag, reject     marks observations as doubtful, or takes them out of every answer\n"
     "  --reason TEXT    why, for who asks later; the original stays askable\n"},
    {"quarantine", cmd_quarantine, "list [FEED] | show ID | retry FEED [ID...]   [--unrouted]",
     "refused messages: look at them, try them again",
     "  list [FEED]      rows, oldest first; without FEED of all feeds and the unrouted\n"
     "  show ID          one row whole; --payload: its bytes alone\n"
     "  retry FEED [ID...]  admits rows again, all of the feed or those named; what fits is "
     "stored\n"
     "  --unrouted       instead of FEED: messages that no feed takes\n"
     "  --after ID       rows after this one      --limit N   at most so many (100)\n"
     "  --time=received  retry: the time it was received counts as its time\n"},
    {"refusals", cmd_refusals, "",
     "how much of whom was refused since the start, and why the last time",
     "  What is yours, and of feeds that you administer; the administrator sees all. The messages\n"
     "  themselves stand in the quarantine.\n"},
    {"organisation", cmd_organisation, "list | add NAME | end NAME",
     "who has identities and is granted rights",
     "  add NAME         a-z, 0-9, '.' and '-'\n"
     "  --title TEXT     add: its name for people\n"
     "  end NAME         nobody of it gets in any more; its data stays\n"
     "  --date DATE      end: at the beginning of this day (UTC), or an RFC 3339 time; else now\n"},
    {"identity", cmd_identity, "list | add NAME | renew NAME | end NAME",
     "who gets in, and how it proves who it is",
     "  list             --organisation NAME: of one\n"
     "  add NAME         a-z, 0-9, '.', '_', '@' and '-'; one of these:\n"
     "  --password       asked for at the terminal, or the first line of standard input\n"
     "  --password-file FILE  its first line\n"
     "  --key            an API key, printed once\n"
     "  --certificate NAME    a name in a client certificate: subject:CN=..., DNS:..., URI:...\n"
     "  --issuer NAME --subject TEXT  tokens of an issuer block, with this subject\n"
     "  --organisation NAME   add: whose it is\n"
     "  renew NAME       another password or key; connections made with the former are closed\n"
     "  end NAME         it does not get in any more; --date DATE: from then on\n"},
    {"grant", cmd_grant, "list | add FEED | suspend ID | resume ID | revoke ID",
     "who may publish, subscribe, read or administer what",
     "  list             --organisation NAME, --identity NAME, --feed FEED: of those only\n"
     "  add FEED         a feed, or a beginning and '*'; to whom and what:\n"
     "  --organisation NAME   everybody of it     --identity NAME  one identity\n"
     "  --rights LIST    publish,subscribe,read,admin\n"
     "  --thing THING    of one thing, or of those that begin so: 'vendor-*'\n"
     "  --area AREA      of things there: W,S,E,N, a polygon as WKT or GeoJSON, or @FILE\n"
     "  --area-crs CRS   of AREA: CRS84 or EPSG:28992\n"
     "  --rate N         messages a second     --quota N  messages a day     --size BYTES\n"
     "  --from DATE --until DATE   --purpose TEXT   --contract TEXT\n"
     "  suspend ID       not in force until it is resumed; open connections close\n"
     "  revoke ID        for good\n"},
    {"audit", cmd_audit, "verify | list",
     "who changed what, who was refused, who read personal data",
     "  verify           goes along the chain: is every record as it was written, and is none "
     "missing?\n"
     "  --holds HASH     verify: this hash, kept elsewhere, must be one of the chain's\n"
     "  list             --since TIME, --actor NAME, --action ACTION: those only\n"
     "\n"
     "Exit status of verify: 0 whole, 1 not so, 2 trouble.\n"},
    {"status", cmd_status, "[--watch]", "the state of the broker on one page",
     "  --watch          draws it again every second\n"},
    {"reload", cmd_reload, "", "makes oudpd read its configuration and schemas again", ""},
    {"bench", cmd_bench, "[OPTION...]", "loads an MQTT broker and measures it",
     "  -h HOST -p PORT  the MQTT listener (127.0.0.1, 1883)\n"
     "  -c N             connections that publish (50)\n"
     "  -w N             messages in flight on each (100, or what the broker allows)\n"
     "  -q 0|1           quality of service (1)\n"
     "  -d SECONDS       how long to measure (10), after --warm SECONDS (1)\n"
     "  -r RATE          messages a second in all; 0: as fast as the window allows (0)\n"
     "  -V 4|5           MQTT 3.1.1 or 5 (5)\n"
     "  --subs N         subscribers (0)     --filter FILTER  to what (city/#)   --sub-qos 0|1 "
     "(0)\n"
     "  --topic TEMPLATE   (city/air/bench-{n})   {n}: 0.. --things   {c}: connection\n"
     "  --things N       how many different {n} (1000)\n"
     "  --pid PID        the broker's, to tell its CPU\n"
     "  --payload TEMPLATE  @FILE reads one; {n} {c} {seq} {time} RFC 3339, {ns} for "
     "subscribers\n"},
    {"demo", cmd_demo, "[--things N] [-h HOST] [-p PORT]", "publishes as a small simulated city",
     "  --things N       how many things (300)\n"
     "  -h HOST -p PORT  the MQTT listener (127.0.0.1, 1883)\n"
     "  -v               a line for every message\n"},
    {"backup", cmd_backup, "DIR", "copies the store while the daemon works, into a new directory",
     ""},
    {"restore", cmd_restore, "DIR",
     "puts a backup back; the daemon is stopped and the data directory empty",
     "  --ledger FILE    of what was erased since: the data directory's file erased, kept apart\n"},
    {"rebuild", cmd_rebuild, "",
     "puts back into the time series what the journal has and they have not",
     "The daemon does it while it works, and goes on when this is interrupted.\n"
     "\n"
     "Exit status: 0 all is there, 1 pieces that cannot be read are older than the journal, "
     "2 trouble.\n"},
    {"compact", cmd_compact, "",
     "makes the store anew without a byte of what was deleted; the daemon is stopped", ""},
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void overview(FILE *to)
{
	fprintf(
	    to,
	    "oudp, the command line of the open urban data broker\n\nusage: oudp COMMAND ...\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].what);
	fprintf(to, "\n  oudp help COMMAND tells more; oudp(1) tells all.\n");
}

static int help_for(struct cli *c, const char *name)
{
	char *argv[] = {(char *)name, (char *)"--help", NULL};
	c->command = find(name);
	if (!c->command)
		return cli_trouble(c, "there is no command '%s'; see: oudp help", name);
	return c->command->run(c, 2, argv);
}

/* Options before the command: those that every command has. Returns where the command is, or 0
 * after *ret_status was set. */
static int leading(struct cli *c, int argc, char **argv, int *ret_status)
{
	static const struct option own[] = {{"version", no_argument, NULL, 'V'}, {0}};
	for (int o; (o = cli_option(c, argc, argv, "+hV", own)) != CLI_END;) {
		*ret_status = o == CLI_WRONG ? CLI_TROUBLE : CLI_OK;
		if (o == 'V')
			printf("oudp %s\n", OUDP_VERSION);
		else if (o == 'h' || o == CLI_HELP)
			overview(stdout);
		return 0;
	}
	int at = optind;
	optind = 0; /* the command reads its own */
	if (at < argc)
		return at;
	overview(stderr);
	*ret_status = CLI_TROUBLE;
	return 0;
}

int main(int argc, char **argv)
{
	struct cli c;
	int status = CLI_OK;
	cli_init(&c);
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write(), not a death */
	int at = leading(&c, argc, argv, &status);
	if (at == 0)
		return cli_finish(&c, status);
	const char *name = argv[at];
	if (strcmp(name, "help") == 0) {
		if (at + 1 < argc)
			return help_for(&c, argv[at + 1]);
		overview(stdout);
		return cli_finish(&c, CLI_OK);
	}
	c.command = find(name);
	if (!c.command)
		return cli_trouble(&c, "there is no command '%s'; see: oudp help", name);
	status = c.command->run(&c, argc - at, argv + at);
	http_end(&c);
	return cli_finish(&c, status);
}
