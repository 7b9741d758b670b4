/* config.h - the configuration of oudp-connect: targets, and a block per connector.
 *
 * config_load() reports every problem as file:line: text on the stream given; nothing else is
 * printed. What it returns owns all strings. Relative names of files in it are taken from the
 * directory of the configuration, mappings also from connector-dir. Credentials are never in the
 * file itself: options that end in -file name a file that holds them. */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum source_kind { SOURCE_HTTP, SOURCE_FILE, SOURCE_MQTT, SOURCE_WEBSOCKET, SOURCE_FEED };
enum decoder_kind { DECODE_JSON, DECODE_NDJSON, DECODE_CSV, DECODE_SENML, DECODE_XML, DECODE_TEXT };

struct target_conf {
	char *name;
	char *address; /* MQTT */
	int port;
	char *ca, *certificate, *key;
	char *user, *password_file;
	int keepalive_s;
};

/* How frames of devices are read whose names fit the pattern. */
struct device_decoder {
	char *pattern, *file, *argument; /* file: found; argument: may be empty */
};

struct connector_conf {
	char *name;
	int line;
	bool enabled;
	enum source_kind source;
	enum decoder_kind decoder;
	const struct target_conf *target;

	/* http */
	char **urls;
	size_t n_urls;
	char *method, *body, *next;
	char **headers;
	size_t n_headers;
	char *header_file;
	int64_t interval_ms, timeout_ms, gap_ms, catch_up_ms;
	uint64_t body_max;

	/* file */
	char *path, *pattern;

	/* mqtt, websocket, feed */
	char **topics; /* filters */
	size_t n_topics;
	int qos;
	bool bind_thing; /* feed: a message is about the thing of its record */
	bool mqtt5;
	char *client_id;
	uint64_t spool_max;

	/* who asks */
	char *user, *password_file, *ca, *certificate, *key;

	/* decoders */
	char **records; /* paths of the members or elements that are records */
	size_t n_records;
	char *separator, *charset;
	bool header_row;

	/* mapping */
	char *mapping;   /* file of the jq program, found */
	char **settings; /* "name=value" */
	size_t n_settings;
	char **tables; /* "name=file", found: what the program may look up */
	size_t n_tables;
	struct device_decoder *device_decoders; /* the first that fits counts */
	size_t n_device_decoders;
	char *zone;
	uint64_t memory_max;
};

struct config {
	char *file, *dir, *state_dir, *connector_dir;
	char *listen; /* address:port on loopback, for metrics; NULL: nowhere */
	struct target_conf *targets;
	size_t n_targets;
	struct connector_conf *connectors;
	size_t n_connectors;
};

/* NULL when there were problems, all reported. The caller frees it. */
struct config *config_load(const char *file, FILE *complaints) MUSTCHECK;
void config_free(struct config *c);

/* The name of a file as the configuration means it: relative ones from its directory. Allocated. */
char *config_path(const struct config *c, const char *name);
/* First line of a file with a secret, without the newline; at most 4 KB. NULL and errno. Allocated.
 */
char *config_secret(const struct config *c, const char *name);

#endif
