/* test_errors.c - each thing that can be wrong, with its line, and all of them at once. */
#include "base/limits.h"
#include "base/mem.h"
#include "check.h"

#include <stdio.h>

#define NO_FEED "t: warning: there is no feed block, so nothing will be taken; add one\n"

/* One text, one problem, in a file that is otherwise right. */
static void values(void **state)
{
	(void)state;
	static const struct {
		const char *text, *problem;
	} rows[] = {
	    {"organisation = \"Gemeente\"",
	     "organisation: \"Gemeente\" is not allowed; write 1 to 64 of a-z, 0-9, '.' and '-'"},
	    {"domain = \"\"",
	     "domain: \"\" is not allowed; write 1 to 64 of a-z, 0-9, '.' and '-'"},
	    {"oin = 12", "oin: \"12\" is no OIN; write its 20 digits"},
	    {"data-dir = \"\"", "data-dir: \"\" is empty; write a path, or leave the option out"},
	    {"journal-size = 1MB", "journal-size: \"1MB\" is out of range; write 8MiB to 64TiB"},
	    {"journal-size = 99TiB",
	     "journal-size: \"99TiB\" is out of range; write 8MiB to 64TiB"},
	    {"max-packet = 17MiB", "max-packet: \"17MiB\" is out of range; write 1KiB to 16MiB"},
	    {"max-packet = lots",
	     "max-packet: \"lots\" is no size; write a whole number and one unit of B, kB, MB, GB,"
	     " TB, KiB, MiB, GiB or TiB, such as \"20GB\""},
	    {"max-connections = 0", "max-connections: \"0\" is out of range; write 1 to 1000000"},
	    {"max-connections = few", "max-connections: \"few\" is no number; write digits only"},
	    {"system = \"a\\x07\"", "system: \"a\\x07\" holds byte 0x07, a control character or"
	                            " not UTF-8; write plain text in UTF-8"},
	    {"system = \"\\xc0\\x80\"",
	     "system: \"\\xc0\\x80\" holds byte 0xc0, a control character or not UTF-8; write plain"
	     " text in UTF-8"},
	    {"system = a system = b", "system is given twice; the first is at t:1: take one out"},
	    {"schema-dirs = { a } schema-dirs = { b }",
	     "schema-dirs is given twice; the first is at t:1: take one out"},
	    {"schema-dirs = { \"/a\", \"/a\" }",
	     "schema-dirs: \"/a\" stands in the list twice; take one out"},
	    {"include(\"x.conf\")", "include() cannot be used in this text"},
	    {"organisaton = a",
	     "there is no option \"organisaton\"; did you mean \"organisation\"?"},
	    {"flavour = a", "there is no option \"flavour\""},
	    {"colour = blue", "colour: \"blue\" is no colour; write six hexadecimal digits, such as"
	                      " \"#154273\""},
	    {"public-url = \"data.example.nl\"",
	     "public-url: \"data.example.nl\" is no web address; write https://..."},
	    {"public-url = \"https://data.example.nl/\"",
	     "public-url: leave out the slash at the end"},
	    {"map-tiles = \"https://a.nl/; script-src *\"",
	     "map-tiles: \"https://a.nl/; script-src *\" is no web address; write https://..."},
	    {"topics = { a }", "there is no option \"topics\"; it belongs in a feed block"},
	    {"fed \"x\" { topics = { \"a\" } }",
	     "there is no option \"fed\"; did you mean \"feed\"?"},
	    {"listner \"x\" { port = 1 }",
	     "there is no option \"listner\"; did you mean \"listener\"?"},
	    {"listener \"l\" { protocol = mqtts }",
	     "protocol: \"mqtts\" is not known; write mqtt, http or admin"},
	    {"listener \"l\" { }",
	     "listener \"l\" needs protocol; add a line such as: protocol = mqtt"},
	    {"listener \"l\" { protocol = mqtt port = 65536 }",
	     "port: \"65536\" is out of range; write 1 to 65535"},
	    {"listener \"l\" { protocol = mqtt port = 0 }",
	     "port: \"0\" is out of range; write 1 to 65535"},
	    {"listener \"l\" { protocol = mqtt address = \"example.nl\" }",
	     "address: \"example.nl\" is no address; write an IPv4 or IPv6 address such as"
	     " \"127.0.0.1\", or \"localhost\" (other names are not looked up)"},
	    {"listener \"l\" { protocol = mqtt tls = \"t\" }",
	     "tls: there is no block tls \"t\"; add it, or name one there is"},
	    {"listener \"l\" { protocol = mqtt insecure = 2 }",
	     "insecure: \"2\" is neither; write true or false"},
	    {"listener \"A\" { protocol = mqtt }",
	     "listener \"A\" is no name; write 1 to 64 of a-z, 0-9 and '-'"},
	    {"listener \"l\" { protocol = mqtt topics = { \"x\", \"y\" } }",
	     "there is no option \"topics\" in a listener block; it belongs in a feed block"},
	    {"listener \"l\" { protocol = mqtt include(\"x\") }",
	     "there is no option \"include\" in a listener block; include() stands outside of"
	     " blocks"},
	    {"listener \"l\" { protocol = mqtt } listener \"m\" { protocol = mqtt address ="
	     " localhost }",
	     "listener \"m\" wants port 1883 of localhost, which listener \"l\" has; give it "
	     "another"
	     " port"},
	    {"tls \"t\" { certificate = \"/c\" key = \"/k\" crl = \"/r\" } listener \"l\" { "
	     "protocol"
	     " = mqtt tls = \"t\" }",
	     "crl without client-ca revokes nothing; add client-ca"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512], problem[512];
		snprintf(text, sizeof(text), "%s\n" FEED(""), rows[i].text);
		snprintf(problem, sizeof(problem), "t:1: %s\n", rows[i].problem);
		refused(text, problem);
	}
}

static void feeds(void **state)
{
	(void)state;
	static const struct {
		const char *options, *problem;
	} rows[] = {
	    {"access = publik",
	     "access: \"publik\" is not known; write public, restricted or internal"},
	    {"keep-messages = 14",
	     "keep-messages: \"14\" is no duration; write a whole number and one unit of s, m, h, d"
	     " or y, such as \"90m\" or \"14d\""},
	    {"keep-messages = 101y",
	     "keep-messages: \"101y\" is out of range; write 1s to 100y, or 0 for none"},
	    {"max-future = 0", "max-future: \"0\" is out of range; write 1s to 100y"},
	    {"acess = public",
	     "there is no option \"acess\" in a feed block; did you mean \"access\"?"},
	    {"topcis += { \"a\", \"b\" }",
	     "there is no option \"topcis\" in a feed block; did you mean \"topics\"?"},
	    {"topics += \"x/+\"",
	     "topics: \"x/+\" holds '+'; write {thing} where one level may be anything"},
	    {"topics += \"x/#/y\"",
	     "topics: \"x/#/y\" holds '#' before its end; '#' can only be the last level"},
	    {"topics += \"x#\"",
	     "topics: \"x#\" holds '#' before its end; '#' can only be the last level"},
	    {"topics += \"\"", "topics: \"\" has 0 bytes; a topic has 1 to 1024"},
	    {"topics += \"a\"", "topics: \"a\" stands in the list twice; take one out"},
	    {"topics = { \"b\" }", "topics is given twice; the first is at t:2: take one out"},
	    {"schemas += { \"a/1\" }",
	     "schemas: \"any\" fits everything; let it stand alone, or take it out"},
	    {"schemas += { \"a/01\" }",
	     "schemas: \"a/01\" is no schema; write name/version, such as"
	     " \"air-quality-observed/1\", or \"any\""},
	    {"schemas += { \"A/1\" }", "schemas: \"A/1\" is no schema; write name/version, such as"
	                               " \"air-quality-observed/1\", or \"any\""},
	    {"schemas += { \"a/1 until March\" }",
	     "schemas: \"a/1 until March\" is no schema with an end; write it such as"
	     " \"air-quality-observed/1 until 2027-03-01\""},
	    {"schemas += { \"a/1 till 2027-03-01\" }",
	     "schemas: \"a/1 till 2027-03-01\" is no schema with an end; write it such as"
	     " \"air-quality-observed/1 until 2027-03-01\""},
	    {"schemas += { \"any until 2027-03-01\" }",
	     "schemas: \"any until 2027-03-01\" has no end; name a schema to take it until a date"},
	    {"schemas += { \"b/1\", \"b/1 until 2027-03-01\" }",
	     "schemas: \"any\" fits everything; let it stand alone, or take it out\nt:2: "
	     "schemas: \"b/1 until 2027-03-01\" stands in the list twice; take one out"},
	    {"decode = cbor", "decode: \"cbor\" is not known; write json or senml"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512], problem[512];
		snprintf(text, sizeof(text), "\n" FEED("%s"), rows[i].options);
		snprintf(problem, sizeof(problem), "t:2: %s\n", rows[i].problem);
		refused(text, problem);
	}
}

static void decode(void **state)
{
	(void)state;
	refused("feed \"f\" { topics = { t } schemas = { \"a/1\" }\n decode = senml }",
	        "t:2: decode: senml is read by its own rules, not by a schema; write schemas"
	        " = { \"any\" }, or leave decode out\n");
}

static void personal_data(void **state)
{
	(void)state;
	refused(
	    FEED("\npersonal-data = true\n"),
	    "t:2: feed \"f\" has personal data and needs dpia; say where the assessment is\n"
	    "t:2: feed \"f\" has personal data and needs keep-messages; say how long it is kept\n"
	    "t:2: feed \"f\" has personal data and needs legal-ground; say on what ground\n"
	    "t:2: feed \"f\" has personal data and needs purpose; say why it is processed\n");
	refused(
	    FEED("personal-data = true purpose = p legal-ground = g dpia = d keep-messages = 0"),
	    "t:1: feed \"f\" has personal data and needs keep-messages; say how long it is"
	    " kept\n");
	config_free(accepted(
	    FEED("personal-data = true purpose = p legal-ground = g dpia = d keep-messages = 1d")));
}

#define NEEDS "t:1: feed \"f\" is public and needs "

static void public_feeds(void **state)
{
	(void)state;
	refused("feed \"f\" { topics = { a } schemas = { any } access = public }",
	        NEEDS "contact for the catalogue: say whom to ask, such as"
	              " mailto:data@voorbeeld.nl\n" NEEDS
	              "description for the catalogue: say what it is, in a sentence or two\n" NEEDS
	              "licence for the catalogue: write its address, such as"
	              " http://creativecommons.org/publicdomain/zero/1.0/\n" NEEDS
	              "theme for the catalogue: write its address, such as"
	              " http://publications.europa.eu/resource/authority/data-theme/ENVI\n");
	refused("feed \"f\" { topics = { a } schemas = { any } access = public description = d"
	        " contact = c licence = CC0 theme = \"http://t/\" }",
	        "t:1: licence: a public feed's is a web address: http://... or https://...\n");
	config_free(accepted("feed \"f\" { topics = { a } schemas = { any } access = public"
	                     " description = d contact = c licence = \"http://l/\""
	                     " theme = \"http://t/\" }"));
}

static void required(void **state)
{
	(void)state;
	refused("\n\nfeed\n\"f\"\n{\n}\n",
	        "t:3: feed \"f\" needs schemas; add a line such as: schemas = {"
	        " \"air-quality-observed/1\" }\n"
	        "t:3: feed \"f\" needs topics; add a line such as: topics = { \"city/air/{thing}\""
	        " }\n");
	refused("tls \"t\" { key = \"/k\" }\n" FEED(""),
	        "t:1: tls \"t\" needs certificate; add a line such as: certificate ="
	        " \"/etc/oudp/tls/city.pem\"\n"
	        "t:1: warning: no listener uses tls \"t\"; name it in one, or take it out\n");
}

static void beyond_loopback(void **state)
{
	(void)state;
	static const char *const addresses[] = {"0.0.0.0", "::", "192.168.1.1", "fe80::1"};
	static const char *const protocols[] = {"mqtt", "http", "admin"};
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		char text[512], problem[512];
		snprintf(text, sizeof(text),
		         "oin = 12345678901234567890\nlistener \"l\" {\nprotocol = %s\naddress ="
		         " \"%s\"\n}\n" FEED(""),
		         protocols[i % 3], addresses[i]);
		snprintf(
		    problem, sizeof(problem),
		    "t:4: listener \"l\" on %s can be reached from outside without TLS; name a"
		    " tls block (tls = \"...\"), listen on 127.0.0.1, or accept it with insecure"
		    " = true\n",
		    addresses[i]);
		refused(text, problem);
	}
	config_free(accepted("oin = 12345678901234567890 listener \"l\" { protocol = mqtt address ="
	                     " \"0.0.0.0\" insecure = true }\n" FEED("")));
	config_free(accepted("oin = 12345678901234567890 listener \"l\" { protocol = mqtt address ="
	                     " \"::\" tls = t } tls \"t\" { certificate = c key = k }\n" FEED("")));
}

static void ports_twice(void **state)
{
	(void)state;
	refused("oin = 12345678901234567890\n"
	        "listener \"a\" { protocol = mqtt port = 5 }\n"
	        "listener \"b\" { protocol = http port = 5 address = \"127.0.0.2\" }\n"
	        "listener \"c\" { protocol = http port = 5 address = \"::\" insecure = true }\n"
	        "listener \"d\" { protocol = http port = 6 }\n" FEED(""),
	        "t:4: listener \"c\" wants port 5 of ::, which listener \"a\" has; give it another"
	        " port\n"
	        "t:4: listener \"c\" wants port 5 of ::, which listener \"b\" has; give it another"
	        " port\n");
}

static void blocks_twice(void **state)
{
	(void)state;
	refused(FEED("") "/* a comment\n of two lines */ # and one\n" FEED(""),
	        "t:4: feed \"f\" is given twice; the first is at t:1: rename one or take it out\n");
	refused("listener \"l\" { protocol = mqtt }\nlistener \"l\" { protocol = http }\n" FEED(""),
	        "t:2: listener \"l\" is given twice; the first is at t:1: rename one or take it"
	        " out\n");
}

static void structure(void **state)
{
	(void)state;
	refused("# a\nfeed \"f\" {\n topics = {\n\"a\"\n}\n",
	        "t:2: this brace is not closed; write the '}' that ends its block or list\n");
	refused("\n}\n", "t:2: a closing brace without an opening one; take it out, or look for the"
	                 " brace that is missing before it\n");
	refused("\noin = \"1\n\n\n",
	        "t:2: a string begins here and does not end; close its quote\n");
	refused("\noin = '1\n\n\n",
	        "t:2: a string begins here and does not end; close its quote\n");
	refused("\n/* x\n\n", "t:2: a comment begins here and does not end; close it with */\n");
	refused("\nfeed \"f\" { x = { y {\n{\n",
	        "t:3: blocks do not go this deep; is a brace missing before here?\n");
	refused("\ninclude(\"a\", \"b\")\n", "t:2: write one file or pattern in parentheses, as in"
	                                     " include(\"feeds.d/*.conf\")\n");
	refused("\ninclude()\n", "t:2: write one file or pattern in parentheses, as in"
	                         " include(\"feeds.d/*.conf\")\n");
	refused("\n)\n", "t:2: a closing parenthesis without an opening one; take it out\n");
	refused("system \"a\"\n",
	        "t:1: missing equal sign after option 'system'; look at the quotes,"
	        " commas, braces and '=' here and just before\n");
	refused("\nfeed { }\n", "t:2: missing title for section 'feed'; look at the quotes, commas,"
	                        " braces and '=' here and just before\n");
	refused("\nsystem = a\nsystem\x01 = b\n",
	        "t:3: byte 0x01 is a control character; this must be a text file\n");
}

/* A comment may stand anywhere, and no line number moves because of one. */
static void comments(void **state)
{
	(void)state;
	refused("#\n# two\n// three\n/* four\n five */ system = \"A\" # six\n"
	        "schema-dirs = { \"a#\", # seven\n /* eight */ \"b//\" // nine\n, } oin = 1\n"
	        "domain = http://x\n" FEED(""),
	        "t:5: system: \"A\" is not allowed; write 1 to 64 of a-z, 0-9, '.' and '-'\n"
	        "t:8: oin: \"1\" is no OIN; write its 20 digits\n"
	        "t:9: domain: \"http://x\" is not allowed; write 1 to 64 of a-z, 0-9, '.' and"
	        " '-'\n");
}

static void all_at_once(void **state)
{
	(void)state;
	refused("oin = 1\n"
	        "flavour = { red, \"green\" }\n"
	        "feed \"F\" {\n"
	        "  acess = public\n"
	        "  topics = { \"a/+\" }\n"
	        "  schemas = { x }\n"
	        "}\n"
	        "listener \"l\" { protocol = mqtts address = x }\n"
	        "grants \"x\" { a { b = { c } } }\n",
	        "t:1: oin: \"1\" is no OIN; write its 20 digits\n"
	        "t:2: there is no option \"flavour\"\n"
	        "t:3: feed \"F\" is no name; write 1 to 64 of a-z, 0-9 and '-'\n"
	        "t:4: there is no option \"acess\" in a feed block; did you mean \"access\"?\n"
	        "t:5: topics: \"a/+\" holds '+'; write {thing} where one level may be anything\n"
	        "t:6: schemas: \"x\" is no schema; write name/version, such as"
	        " \"air-quality-observed/1\", or \"any\"\n"
	        "t:8: address: \"x\" is no address; write an IPv4 or IPv6 address such as"
	        " \"127.0.0.1\", or \"localhost\" (other names are not looked up)\n"
	        "t:8: protocol: \"mqtts\" is not known; write mqtt, http or admin\n"
	        "t:9: there is no option \"grants\"\n");
}

static void warnings(void **state)
{
	(void)state;
	config_free(parse("", NO_FEED));
	config_free(parse("# only this", NO_FEED));
	config_free(parse("journal-size = 15GB\n" FEED(""),
	                  "t:1: warning: the feeds may keep 20000 MB together, more than"
	                  " journal-size has room for; raise journal-size or lower"
	                  " keep-messages-max\n"));
	config_free(parse(
	    "listener \"l\" { protocol = mqtt address = \"0.0.0.0\" insecure = true }\n" FEED(""),
	    "t: warning: oin is not given, so events go out under the example's"
	    " number; write your own\n"));
}

/* At most LIMIT_FEEDS feeds, and at most so many problems are shown. */
static void limits(void **state)
{
	(void)state;
	struct buf text, errors;
	buf_init(&text, CHECK_BYTES);
	buf_init(&errors, CHECK_BYTES);
	buf_add_str(&text, "journal-size = 64TiB\n");
	for (int i = 0; i <= LIMIT_FEEDS; i++)
		buf_addf(&text, "feed \"f%d\" { topics = { \"t/%d\" } schemas = { any } }\n", i, i);
	refused(buf_str(&text), "t:1002: feed \"f1000\" is one too many; there can be 1000\n");

	buf_clear(&text);
	for (int i = 0; i < LIMIT_CONFIG_PROBLEMS + 7; i++)
		buf_addf(&text, "feed \"f%d\" { topics = { \"t/+\" } schemas = { any } }\n", i);
	struct config *c = NULL;
	assert_int_equal(config_parse("t", buf_str(&text), false, &c, &errors), ERR_CONFIG);
	assert_non_null(strstr(buf_str(&errors), "\nt:200: topics: "));
	assert_null(strstr(buf_str(&errors), "\nt:201: "));
	assert_non_null(strstr(buf_str(&errors), "\nt: 8 more; mend these first\n"));
	buf_done(&text);
	buf_done(&errors);

	auto_free char *socket = xmalloc(200);
	snprintf(socket, 200, "admin-socket = \"/%0107d\"\n" FEED(""), 0);
	char problem[300];
	snprintf(problem, sizeof(problem),
	         "t:1: admin-socket: \"/%0107d\" is too long for a Unix socket; write a path of at"
	         " most 107 bytes\n",
	         0);
	refused(socket, problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values),          cmocka_unit_test(feeds),
	    cmocka_unit_test(decode),          cmocka_unit_test(personal_data),
	    cmocka_unit_test(public_feeds),    cmocka_unit_test(required),
	    cmocka_unit_test(beyond_loopback), cmocka_unit_test(ports_twice),
	    cmocka_unit_test(blocks_twice),    cmocka_unit_test(structure),
	    cmocka_unit_test(comments),        cmocka_unit_test(all_at_once),
	    cmocka_unit_test(warnings),        cmocka_unit_test(limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
