/* config.h - what the administrator wrote, as structs. The file format is libConfuse's: options,
 * titled blocks, include() of one file or a pattern. oudpd.conf(5) is the manual.
 *
 * The room reads, checks and compares; it opens no socket, no store and no schema. Whether a topic
 * template ties with another and whether a schema exists is for those who know (topic/, schema/).
 *
 * One thread at a time: libConfuse's scanner is global. A struct config owns everything it points
 * to and does not change after config_load() (before it is taken into force, config_keep() may put
 * old values back). Strings are never NULL unless said here: "" means not given. Units stand in the
 * names: _s seconds, _bytes bytes, else a count. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_protocol { CONFIG_MQTT, CONFIG_HTTP, CONFIG_ADMIN };
enum config_access { CONFIG_PUBLIC, CONFIG_RESTRICTED, CONFIG_INTERNAL };
enum config_priority { CONFIG_URGENT, CONFIG_NORMAL, CONFIG_BULK };
/* What is asked of entities of SensorThings that are made: what makes data findable and comparable,
 * or what the standard asks and no more. */
enum config_rules { CONFIG_STRICT, CONFIG_STANDARD };
enum config_duplicates { CONFIG_IGNORE, CONFIG_REPLACE, CONFIG_KEEP };
enum config_bad_time { CONFIG_REFUSE, CONFIG_RECEIVED, CONFIG_FLAG };
enum config_decode { CONFIG_JSON, CONFIG_SENML };
enum config_registration { CONFIG_OPTIONAL, CONFIG_REQUIRED };

struct config_listener {
	char *name;
	int protocol;   /* enum config_protocol */
	char *address;  /* IPv4, IPv6 or "localhost"; as written */
	uint64_t port;  /* 1 to 65535 */
	char *tls;      /* name of a tls block, or NULL: plain */
	bool insecure;  /* the administrator accepts plain and anonymous beyond loopback */
	bool anonymous; /* who shows no credentials may come in */
	bool loopback;  /* worked out: 127.0.0.0/8, ::1, localhost */
};

struct config_tls {
	char *name;
	char *certificate; /* PEM file, the chain included */
	char *key;         /* PEM file */
	char *client_ca;   /* PEM file, or NULL: no client certificates are asked for */
	char *crl;         /* PEM file, or NULL */
};

struct config_issuer { /* who signs tokens (JWT) */
	char *name;
	char *iss;      /* the claim */
	char *audience; /* that tokens must be for */
	char *jwks;     /* its keys: a file, absolute, or an address */
};

struct config_feed {
	char *name; /* [a-z0-9-]{1,64} */
	char *title, *description;
	char **topics;  /* NULL-terminated, at least one; only the simplest syntax is checked */
	char **schemas; /* NULL-terminated, at least one: "any" alone, or items for config_schema()
	                 */
	int decode;     /* enum config_decode */
	bool draft;     /* the schemas may still change in place */
	bool sensorthings;        /* Things and Datastreams may be made in it */
	int sensorthings_rules;   /* enum config_rules, for them */
	char *organisation;       /* whose data it is */
	bool builtin;             /* not a block: the broker's own; read by administrators only */
	bool alerts;              /* not a block either: read as others are, published to by none */
	int access;               /* enum config_access */
	int priority;             /* enum config_priority */
	uint64_t keep_messages_s; /* 0: no bound by age */
	uint64_t keep_messages_max_bytes; /* 0: no bound by size */
	uint64_t keep_series_s;           /* 0: no bound */
	uint64_t keep_rollups_s;          /* figures of hours, after that; 0: no bound */
	int duplicates;                   /* enum config_duplicates */
	uint64_t max_future_s;
	uint64_t max_age_s;                 /* 0: no bound */
	int bad_time;                       /* enum config_bad_time */
	uint64_t cadence_s;                 /* 0: not stated */
	uint64_t stuck_after_s, max_skew_s; /* 0: not looked at */
	char *licence, *contact, *theme;
	char *purpose, *legal_ground;
	bool personal_data;
	char *dpia;
	int registration;        /* enum config_registration */
	char **privacy;          /* NULL-terminated, may be empty: steps before storage, in order */
	uint64_t quarantine_max; /* rows; the oldest go first */
};

struct config {
	char *path;                  /* the file that was read, or NULL: the embedded default */
	char *organisation;          /* [a-z0-9.-]{1,64} */
	char *oin;                   /* 20 digits */
	char *system;                /* [a-z0-9.-]{1,64} */
	char *domain;                /* [a-z0-9.-]{1,64} */
	char *data_dir;              /* no trailing slash */
	char *admin_socket;          /* default <data_dir>/oudpd.sock */
	char **schema_dirs;          /* NULL-terminated; the first that has a schema wins */
	uint64_t series_size_bytes;  /* the most the series may take, the same way */
	uint64_t journal_size_bytes; /* the journal's map; any number, not rounded to pages */
	uint64_t max_packet_bytes;   /* MQTT packet and HTTP body; at most LIMIT_PACKET_BYTES_MAX */
	uint64_t max_connections;    /* MQTT */
	uint64_t max_per_address;    /* connections of one address, all protocols; 0: no bound */
	char *security_contact;      /* of security.txt: mailto: or https:, or "" */
	uint64_t max_sessions;       /* MQTT, of those that outlive their connection */
	uint64_t max_session_expiry_s; /* 0: no bound */
	char **allowed_origins;        /* NULL-terminated, may be empty */
	char *alert_command;           /* a program, or NULL */
	uint64_t unrouted_max;         /* rows of the quarantine of messages that no feed takes */
	char *public_url; /* how the web listener is reached from outside, no slash at the end */
	char *title;      /* of the pages */
	char *publisher;  /* URI of the organisation in catalogues */
	char *publisher_name; /* and its name for people */
	char *colour;         /* "#rrggbb" of the house style */
	char *logo;           /* SVG, PNG or WebP file, or NULL */
	char *map_tiles;      /* address with {z}, {x} and {y}; "": a map without streets */
	char *map_attribution;
	char *address_search; /* PDOK Locatieserver or what answers alike; "": none */
	char *accessibility;  /* address of the accessibility statement */

	struct config_listener *listeners; /* in the order of the file */
	size_t n_listeners;
	struct config_tls *tls;
	size_t n_tls;
	struct config_issuer *issuers;
	size_t n_issuers; /* at most LIMIT_ISSUERS */
	struct config_feed *feeds;
	size_t n_feeds; /* at most LIMIT_FEEDS; 0 is legal */
};

/* Reads path; NULL: CONFIG_PATH when it exists, else the embedded default (the same parser reads
 * it). Returns 0, or ERR_CONFIG with *ret untouched and every error in errors, one a line:
 * "file:line: what to do". After 0 errors may hold lines "file:line: warning: ...". */
int config_load(const char *path, struct config **ret, struct buf *errors) MUSTCHECK;
void config_free(struct config *c); /* accepts NULL */

#define CONFIG_PATH "/etc/oudp/oudpd.conf"

/* The same from memory, as a file called name. files false: no file is opened or looked at
 * (include() is refused, certificates are not asked for). For tests, the fuzzer and the embedded
 * default. */
int config_parse(const char *name, const char *text, bool files, struct config **ret,
                 struct buf *errors) MUSTCHECK;
const char *config_embedded(void); /* the text of the embedded default */

const struct config_feed *config_feed_find(const struct config *c, struct span name); /* or NULL */
const struct config_tls *config_tls_find(const struct config *c, const char *name);   /* or NULL */

/* An item of schemas: "name/version" or "name/version until 2027-03-01". Returns the name/version,
 * a view; *ret_until_ms is when the feed stops taking it (UTC; a date is its first moment), 0:
 * never. ret_until_ms may be NULL. */
struct span config_schema(const char *item, int64_t *ret_until_ms);

/* A duration as the file has it, "14d". 0, or ERR_MALFORMED, ERR_TOO_LARGE. */
int config_seconds(const char *text, uint64_t *ret) MUSTCHECK;

/* The words of the file for an enum value, for catalogues and messages. Static. */
const char *config_access_text(enum config_access v);
const char *config_priority_text(enum config_priority v);
const char *config_feed_word(const char *option, int v); /* the same for any enum of a feed */

/* What a reload changes: lines such as "feed air-quality: keep-messages 14d -> 7d" into changes,
 * and those that only a restart brings into restart. Either is empty when there is nothing. */
void config_diff(const struct config *from, const struct config *to, struct buf *changes,
                 struct buf *restart);
/* Puts the values of from that only a restart may change into to, so that `to` describes what runs:
 * data-dir, admin-socket, journal-size, max-connections, listeners. For a reload, after
 * config_diff(). */
void config_keep(const struct config *from, struct config *to);

/* The complete sample: conf/oudpd.conf is exactly this. */
void config_print_sample(struct buf *out);
/* The table, one line an option: "block name default reload", for the lint. default is what the
 * manual must say. */
void config_print_table(struct buf *out);

#endif
