/* table.c - the options. See table.h; oudpd.conf(5) says the same in sentences, and tests/lint-conf
 * holds the two together. */
#include "config/table.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

static const char *const protocols[] = {"mqtt", "http", "admin", NULL};
static const char *const accesses[] = {"public", "restricted", "internal", NULL};
static const char *const priorities[] = {"urgent", "normal", "bulk", NULL};
static const char *const duplicates[] = {"ignore", "replace", "keep", NULL};
static const char *const bad_times[] = {"refuse", "received", "flag", NULL};
static const char *const decodes[] = {"json", "senml", NULL};
static const char *const rules[] = {"strict", "standard", NULL};
static const char *const registrations[] = {"optional", "required", NULL};

enum { DAY = 86400 };
#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

#define ROOT(field)     .block = BLOCK_ROOT, .offset = offsetof(struct config, field)
#define LISTENER(field) .block = BLOCK_LISTENER, .offset = offsetof(struct config_listener, field)
#define TLS(field)      .block = BLOCK_TLS, .offset = offsetof(struct config_tls, field)
#define ISSUER(field)   .block = BLOCK_ISSUER, .offset = offsetof(struct config_issuer, field)
#define FEED(field)     .block = BLOCK_FEED, .offset = offsetof(struct config_feed, field)
#define SPAN_OF_TIME    .type = ROW_SECONDS, .min = 1, .max = 100 * 365 * (uint64_t)DAY

/* clang-format off */
const struct row config_rows[] = {
	{ROOT(organisation), .name = "organisation", .type = ROW_WORD, .def = "gemeente-voorbeeld",
	 .help = "Who owns the data of this broker: a-z, 0-9, '.' and '-'."},
	{ROOT(oin), .name = "oin", .type = ROW_OIN, .def = "00000001234567890000",
	 .help = "The organisation's identification number, 20 digits; part of every event's source."},
	{ROOT(system), .name = "system", .type = ROW_WORD, .def = "oudp",
	 .help = "The name of this system in every event's source."},
	{ROOT(domain), .name = "domain", .type = ROW_WORD, .def = "stad",
	 .help = "Event types are nl.<domain>.<schema>.v<version>."},
	{ROOT(data_dir), .name = "data-dir", .type = ROW_PATH, .flags = ROW_DYNAMIC | ROW_RESTART,
	 .def = "$STATE_DIRECTORY when set, else /var/lib/oudp", .example = "/var/lib/oudp",
	 .help = "Where everything is kept."},
	{ROOT(admin_socket), .name = "admin-socket", .type = ROW_PATH, .flags = ROW_DYNAMIC | ROW_RESTART,
	 .def = "oudpd.sock in data-dir", .example = "/var/lib/oudp/oudpd.sock",
	 .help = "Unix socket for administration, which oudp(1) talks to."},
	{ROOT(schema_dirs), .name = "schema-dirs", .type = ROW_PATHS, .flags = ROW_DYNAMIC,
	 .def = "/etc/oudp/schemas, then where oudpd is installed",
	 .example = "{ \"/etc/oudp/schemas\", \"/usr/share/oudp/schemas\" }",
	 .help = "Where schemas are looked for; the first directory that has one wins."},
	{ROOT(journal_size_bytes), .name = "journal-size", .type = ROW_BYTES, .def = "256GB",
	 .flags = ROW_RESTART, .min = 8 * MIB, .max = 64 * TIB,
	 .help = "The most the journal may grow to; no disk is used before there is data."},
	{ROOT(series_size_bytes), .name = "series-size", .type = ROW_BYTES, .def = "1TB",
	 .flags = ROW_RESTART, .min = 8 * MIB, .max = 64 * TIB,
	 .help = "The most the time series may grow to; no disk is used before there is data."},
	{ROOT(max_packet_bytes), .name = "max-packet", .type = ROW_BYTES, .def = "1MiB", .min = 1024,
	 .max = LIMIT_PACKET_BYTES_MAX, .help = "The largest MQTT packet or HTTP body; at most 16MiB."},
	{ROOT(max_connections), .name = "max-connections", .flags = ROW_RESTART, .type = ROW_COUNT, .def = "50000", .min = 1,
	 .max = 1000000, .help = "MQTT connections at one time."},
	{ROOT(max_per_address), .name = "max-connections-per-address", .type = ROW_COUNT, .def = "1000",
	 .flags = ROW_ZERO, .min = 1, .max = 1000000,
	 .help = "Connections of one address beyond this machine, of all protocols together; 0: no bound."},
	{ROOT(security_contact), .name = "security-contact", .type = ROW_TEXT,
	 .example = "mailto:security@voorbeeld.nl",
	 .help = "Whom to tell of a weakness: mailto: or https:; stands in /.well-known/security.txt."},
	{ROOT(max_sessions), .name = "max-sessions", .type = ROW_COUNT, .def = "100000", .min = 1,
	 .max = 10000000, .help = "MQTT sessions that outlive their connection."},
	{ROOT(max_session_expiry_s), .name = "max-session-expiry", .def = "14d", .flags = ROW_ZERO, SPAN_OF_TIME,
	 .help = "The longest that a session outlives its connection; 0: as long as the client asks."},
	{ROOT(unrouted_max), .name = "unrouted-max", .type = ROW_COUNT, .def = "10000", .min = 1,
	 .max = 10000000, .help = "Messages that no feed takes are kept in quarantine, the last so many."},
	{ROOT(public_url), .name = "public-url", .type = ROW_TEXT, .flags = ROW_RESTART,
	 .example = "https://data.voorbeeld.nl",
	 .help = "How the web listener is reached from outside: in links, QR codes and the catalogue."},
	{ROOT(title), .name = "title", .type = ROW_TEXT, .example = "Live data van Voorbeeld",
	 .help = "What stands at the top of the pages."},
	{ROOT(publisher), .name = "publisher", .type = ROW_TEXT,
	 .example = "https://identifier.overheid.nl/tooi/id/gemeente/gm0000",
	 .help = "Address that stands for the organisation in the catalogue; else one is made of the oin."},
	{ROOT(publisher_name), .name = "publisher-name", .type = ROW_TEXT, .example = "Gemeente Voorbeeld",
	 .help = "Name of the organisation for people; else organisation."},
	{ROOT(colour), .name = "colour", .type = ROW_TEXT, .example = "#154273",
	 .help = "Colour of the house style, for links and buttons."},
	{ROOT(logo), .name = "logo", .type = ROW_PATH_NULL, .example = "/etc/oudp/logo.svg",
	 .help = "A picture for the top of the pages: SVG, PNG or WebP, at most 256 KiB."},
	{ROOT(map_tiles), .name = "map-tiles", .type = ROW_TEXT,
	 .def = "https://service.pdok.nl/brt/achtergrondkaart/wmts/v2_0/grijs/EPSG:3857/{z}/{x}/{y}.png",
	 .help = "Where visitors' browsers fetch the streets of the map; empty: a map without."},
	{ROOT(map_attribution), .name = "map-attribution", .type = ROW_TEXT, .def = "Kaart: Kadaster, CC BY 4.0",
	 .help = "Whom the streets are from, as their licence asks."},
	{ROOT(address_search), .name = "address-search", .type = ROW_TEXT,
	 .def = "https://api.pdok.nl/bzk/locatieserver/search/v3_1/free",
	 .help = "Where visitors' browsers look up an address; empty: they write coordinates."},
	{ROOT(accessibility), .name = "accessibility", .type = ROW_TEXT,
	 .example = "https://www.toegankelijkheidsverklaring.nl/register/00000",
	 .help = "Address of the accessibility statement, at the foot of the pages."},
	{ROOT(alert_command), .name = "alert-command", .type = ROW_PATH_NULL, .example = "/usr/local/bin/oudp-alert",
	 .help = "A program that is run when a thing falls silent and when it is back; see oudp-series(7)."},

	{ROOT(allowed_origins), .name = "allowed-origins", .type = ROW_ORIGINS,
	 .example = "{ \"https://dashboard.voorbeeld.nl\" }",
	 .help = "Pages of other sites that may open WebSockets here; those of this site may anyway."},

	{LISTENER(protocol), .name = "protocol", .type = ROW_ENUM, .words = protocols,
	 .flags = ROW_REQUIRED | ROW_RESTART, .example = "mqtt",
	 .help = "mqtt | http (HTTP, WebSocket, server-sent events) | admin (metrics and health)"},
	{LISTENER(address), .name = "address", .type = ROW_ADDRESS, .def = "127.0.0.1",
	 .flags = ROW_RESTART, .help = "Where to listen: an IPv4 or IPv6 address; 0.0.0.0 or :: for everywhere."},
	{LISTENER(port), .name = "port", .type = ROW_COUNT, .min = 1, .max = 65535,
	 .flags = ROW_DYNAMIC | ROW_RESTART, .example = "1883",
	 .def = "of the protocol: mqtt 1883, http 8080, admin 9883; with tls 8883, 8443, 9883",
	 .help = "The TCP port."},
	{LISTENER(tls), .name = "tls", .type = ROW_NAME, .flags = ROW_RESTART, .example = "city",
	 .help = "The name of a tls block."},
	{LISTENER(insecure), .name = "insecure", .type = ROW_BOOL, .def = "false", .flags = ROW_RESTART,
	 .help = "Beyond loopback TLS is required, unless you say here that you do without."},
	{LISTENER(anonymous), .name = "anonymous", .type = ROW_BOOL, .def = "true", .flags = ROW_RESTART,
	 .help = "false: nobody comes in without an identity, not on loopback either."},

	{TLS(certificate), .name = "certificate", .type = ROW_PATH, .flags = ROW_REQUIRED,
	 .example = "/etc/oudp/tls/city.pem", .help = "The certificate with its chain, PEM."},
	{TLS(key), .name = "key", .type = ROW_PATH, .flags = ROW_REQUIRED,
	 .example = "/etc/oudp/tls/city.key", .help = "The private key, PEM."},
	{TLS(client_ca), .name = "client-ca", .type = ROW_PATH_NULL, .example = "/etc/oudp/tls/clients.pem",
	 .help = "Who signs the certificates of clients, PEM; without it clients are not asked for one."},
	{TLS(crl), .name = "crl", .type = ROW_PATH_NULL, .example = "/etc/oudp/tls/clients.crl",
	 .help = "Revoked certificates of clients, PEM."},

	{ISSUER(iss), .name = "iss", .type = ROW_TEXT, .flags = ROW_REQUIRED,
	 .example = "https://login.voorbeeld.nl/realms/stad",
	 .help = "The claim iss of its tokens, exactly."},
	{ISSUER(audience), .name = "audience", .type = ROW_TEXT, .flags = ROW_REQUIRED, .example = "oudp",
	 .help = "What the claim aud of a token must be or hold."},
	{ISSUER(jwks), .name = "jwks", .type = ROW_TEXT, .flags = ROW_REQUIRED,
	 .example = "https://login.voorbeeld.nl/realms/stad/protocol/openid-connect/certs",
	 .help = "Its keys (JSON Web Key Set): an https address, or the absolute path of a file."},

	{FEED(title), .name = "title", .type = ROW_TEXT, .flags = ROW_DYNAMIC, .def = "the feed's name",
	 .example = "Luchtkwaliteit", .help = "For people."},
	{FEED(description), .name = "description", .type = ROW_TEXT, .example = "Metingen van de lucht in de stad.",
	 .help = "For people, some sentences."},
	{FEED(topics), .name = "topics", .type = ROW_TOPICS, .flags = ROW_REQUIRED,
	 .example = "{ \"city/air/{thing}\" }",
	 .help = "Which topics this feed takes: {thing} is one level, '#' may end a topic."},
	{FEED(schemas), .name = "schemas", .type = ROW_SCHEMAS, .flags = ROW_REQUIRED,
	 .example = "{ \"air-quality-observed/1\" }",
	 .help = "The schemas a message may fit, newest first, name/version or name/version until DATE; or { \"any\" }."},
	{FEED(decode), .name = "decode", .type = ROW_ENUM, .words = decodes, .def = "json",
	 .help = "json | senml (RFC 8428, with schemas = { \"any\" }): how payloads are read"},
	{FEED(draft), .name = "draft", .type = ROW_BOOL, .def = "false",
	 .help = "true: nobody relies on it yet, so a schema version may change in place."},
	{FEED(sensorthings), .name = "sensorthings", .type = ROW_BOOL, .def = "false",
	 .help = "true: Things and Datastreams may be made in this feed at /sta/v1.1."},
	{FEED(sensorthings_rules), .name = "sensorthings-rules", .type = ROW_ENUM, .words = rules, .def = "strict",
	 .help = "strict | standard: names are unique, definitions URIs, units UCUM; or as SensorThings has it"},
	{FEED(organisation), .name = "organisation", .type = ROW_WORD, .flags = ROW_DYNAMIC,
	 .def = "organisation outside of blocks", .example = "gemeente-voorbeeld",
	 .help = "Whose data this is; its identities read an internal feed without a grant."},
	{FEED(access), .name = "access", .type = ROW_ENUM, .words = accesses, .def = "internal",
	 .help = "public | restricted | internal"},
	{FEED(priority), .name = "priority", .type = ROW_ENUM, .words = priorities, .def = "normal",
	 .help = "urgent | normal | bulk"},
	{FEED(keep_messages_s), .name = "keep-messages", .def = "14d", .flags = ROW_ZERO, SPAN_OF_TIME,
	 .help = "How long messages are kept for subscribers to catch up; 0: no bound by age."},
	{FEED(keep_messages_max_bytes), .name = "keep-messages-max", .type = ROW_BYTES, .def = "20GB",
	 .flags = ROW_ZERO, .min = MIB, .max = 64 * TIB,
	 .help = "And at most so much; 0: no bound by size."},
	{FEED(keep_series_s), .name = "keep-series", .def = "2y", .flags = ROW_ZERO, SPAN_OF_TIME,
	 .help = "How long time series are kept; 0: for ever."},
	{FEED(keep_rollups_s), .name = "keep-rollups", .def = "10y", .flags = ROW_ZERO, SPAN_OF_TIME,
	 .help = "How long figures of hours stay after that; 0: for ever."},
	{FEED(duplicates), .name = "duplicates", .type = ROW_ENUM, .words = duplicates, .def = "ignore",
	 .help = "ignore | replace | keep: a message that is the same as a recent one"},
	{FEED(max_future_s), .name = "max-future", .def = "5m", SPAN_OF_TIME,
	 .help = "An observation may be so far ahead of the broker's clock."},
	{FEED(max_age_s), .name = "max-age", .def = "30d", .flags = ROW_ZERO, SPAN_OF_TIME,
	 .help = "An observation may be so old; 0: any age."},
	{FEED(bad_time), .name = "bad-time", .type = ROW_ENUM, .words = bad_times, .def = "refuse",
	 .help = "refuse | received (take the time of receipt) | flag: a time outside that window"},
	{FEED(cadence_s), .name = "cadence", .def = "0", .flags = ROW_ZERO, SPAN_OF_TIME,
	 .help = "How often a thing reports, at the least; 0: not stated."},
	{FEED(stuck_after_s), .name = "stuck-after", .def = "0", .flags = ROW_ZERO, SPAN_OF_TIME,
	 .help = "A number that stays the same for longer is flagged stuck; 0: only where the schema says stuck."},
	{FEED(max_skew_s), .name = "max-skew", .def = "0", .flags = ROW_ZERO, SPAN_OF_TIME,
	 .help = "A device that reports live with a time further from the broker's is flagged skewed; 0: none is."},
	{FEED(licence), .name = "licence", .type = ROW_TEXT,
	 .example = "http://creativecommons.org/publicdomain/zero/1.0/", .help = "Address of the licence."},
	{FEED(contact), .name = "contact", .type = ROW_TEXT, .example = "mailto:data@voorbeeld.nl",
	 .help = "Whom to ask."},
	{FEED(theme), .name = "theme", .type = ROW_TEXT,
	 .example = "http://publications.europa.eu/resource/authority/data-theme/ENVI",
	 .help = "Theme in the catalogue."},
	{FEED(purpose), .name = "purpose", .type = ROW_TEXT, .example = "Inzicht in de luchtkwaliteit.",
	 .help = "Why this is measured."},
	{FEED(legal_ground), .name = "legal-ground", .type = ROW_TEXT, .example = "Publieke taak (AVG 6.1.e)",
	 .help = "On what legal ground."},
	{FEED(personal_data), .name = "personal-data", .type = ROW_BOOL, .def = "false",
	 .help = "true requires purpose, legal-ground, dpia and keep-messages."},
	{FEED(dpia), .name = "dpia", .type = ROW_TEXT, .example = "https://voorbeeld.nl/dpia/lucht",
	 .help = "Where the data protection impact assessment is."},
	{FEED(registration), .name = "registration", .type = ROW_ENUM, .words = registrations,
	 .def = "optional", .help = "optional | required: a thing must stand in the register, valid today"},
	{FEED(privacy), .name = "privacy", .type = ROW_STEPS,
	 .help = "Steps before storage, in order: drop, round, coarsen-time, blur, pseudonymise, suppress-below."},
	{FEED(quarantine_max), .name = "quarantine-max", .type = ROW_COUNT, .def = "10000", .min = 1,
	 .max = 10000000, .help = "Refused messages are kept in quarantine, the last so many."},
};
/* clang-format on */
const size_t config_n_rows = ARRAY_LEN(config_rows);

const char *block_name(enum block b)
{
	static const char *const names[N_BLOCKS] = {"", "listener", "tls", "issuer", "feed"};
	assert(b < N_BLOCKS);
	return names[b];
}

const struct row *row_next(enum block b, size_t *at)
{
	while (*at < config_n_rows) {
		const struct row *r = &config_rows[(*at)++];
		if (r->block == b)
			return r;
	}
	return NULL;
}

const struct row *row_find(enum block b, const char *name, unsigned *ret_index)
{
	unsigned index = 0;
	size_t at = 0;
	for (const struct row *r; (r = row_next(b, &at)); index++) {
		assert(index < BLOCK_ROWS_MAX);
		if (strcmp(r->name, name))
			continue;
		if (ret_index)
			*ret_index = index;
		return r;
	}
	return NULL;
}

/* ---- "did you mean": optimal string alignment on short names ---- */
enum { WORD_MAX = 32 };

static unsigned distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++)
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			best = MIN_OF(best, d[i - 1][j] + 1);
			best = MIN_OF(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN_OF(best, d[i - 2][j - 2] + 1); /* two letters swapped */
			d[i][j] = best;
		}
	return d[na][nb];
}

static void nearer(const char *name, const char *candidate, const char **best, unsigned *best_d)
{
	unsigned dist = distance(name, candidate);
	if (dist < *best_d) {
		*best_d = dist;
		*best = candidate;
	}
}

void row_advice(enum block b, const char *name, char *out, size_t size)
{
	assert(size > 0);
	out[0] = 0;
	for (unsigned i = 0; i < config_n_rows; i++) {
		const struct row *r = &config_rows[i];
		if (r->block == b || strcmp(r->name, name))
			continue;
		if (r->block == BLOCK_ROOT)
			snprintf(out, size, "; it stands outside of blocks");
		else
			snprintf(out, size, "; it belongs in a %s block", block_name(r->block));
		return;
	}
	if (b != BLOCK_ROOT && !strcmp(name, "include")) {
		snprintf(out, size, "; include() stands outside of blocks");
		return;
	}
	const char *best = NULL;
	unsigned limit = strlen(name) < 5 ? 2 : 3, best_d = limit + 1;
	for (size_t at = 0; at < config_n_rows;) {
		const struct row *r = row_next(b, &at);
		if (r)
			nearer(name, r->name, &best, &best_d);
	}
	if (b == BLOCK_ROOT) {
		for (enum block other = BLOCK_LISTENER; other < N_BLOCKS; other++)
			nearer(name, block_name(other), &best, &best_d);
		nearer(name, "include", &best, &best_d);
	}
	if (best)
		snprintf(out, size, "; did you mean \"%s\"?", best);
}
