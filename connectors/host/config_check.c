/* config_check.c - does not open what the block names, but for the mapping and the zone. */
#include "host/config_check.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#include <mosquitto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct word {
	const char *name;
	int64_t value;
};

static int number_and_unit(const char *s, const struct word *units, size_t n, int64_t *ret)
{
	char *end;
	if (!s || *s < '0' || *s > '9')
		return ERR_MALFORMED;
	double v = strtod(s, &end);
	while (*end == ' ')
		end++;
	if (*end == '\0' && v == 0) {
		*ret = 0;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(end, units[i].name) == 0) {
			v *= (double)units[i].value;
			if (v > 9e15)
				return ERR_MALFORMED;
			*ret = (int64_t)v;
			return 0;
		}
	return ERR_MALFORMED;
}

int check_duration(const char *s, int64_t *ret_ms)
{
	static const struct word units[] = {
	    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	return number_and_unit(s, units, ARRAY_LEN(units), ret_ms);
}

int check_size(const char *s, uint64_t *ret_bytes)
{
	static const struct word units[] = {{"B", 1},           {"kB", 1000},     {"MB", 1000000},
	                                    {"GB", 1000000000}, {"KiB", 1 << 10}, {"MiB", 1 << 20},
	                                    {"GiB", 1 << 30}};
	int64_t v = 0;
	int err = number_and_unit(s, units, ARRAY_LEN(units), &v);
	if (err == 0)
		*ret_bytes = (uint64_t)v;
	return err;
}

static int choose(cfg_t *s, const char *option, const char *value, const struct word *words,
                  size_t n)
{
	for (size_t i = 0; value && i < n; i++)
		if (strcmp(value, words[i].name) == 0)
			return (int)words[i].value;
	cfg_error(s, "%s of connector \"%s\" is not known: %s", option, cfg_title(s),
	          value ? value : "(none)");
	return 0;
}

/* Names end up in names of files and of clients. */
static bool plain_name(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= 64 && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == n;
}

static void need(cfg_t *s, bool there, const char *option, const char *source)
{
	if (!there)
		cfg_error(s, "connector \"%s\": source %s needs %s", cfg_title(s), source, option);
}

static bool has_user(const char *authority)
{
	return memchr(authority, '@', strcspn(authority, "/?")) != NULL;
}

static void check_urls(struct connector_conf *k, cfg_t *s, const char *source,
                       const char *const *schemes, size_t max)
{
	need(s, k->n_urls > 0, "url", source);
	if (k->n_urls > max)
		cfg_error(s, "connector \"%s\": more than %zu urls", k->name, max);
	for (size_t i = 0; i < k->n_urls; i++) {
		size_t j = 0;
		while (schemes[j] && strncmp(k->urls[i], schemes[j], strlen(schemes[j])) != 0)
			j++;
		if (!schemes[j])
			cfg_error(s, "connector \"%s\": not a URL of source %s (%s...): %s",
			          k->name, source, schemes[0], k->urls[i]);
		else if (has_user(k->urls[i] + strlen(schemes[j])))
			cfg_error(
			    s,
			    "connector \"%s\": a URL holds no user and password: use user and "
			    "password-file",
			    k->name);
	}
}

static void check_mqtt(struct connector_conf *k, cfg_t *s)
{
	const char *version = cfg_getstr(s, "protocol");
	need(s, k->n_topics > 0, "topics", "mqtt");
	for (size_t i = 0; i < k->n_topics; i++)
		if (mosquitto_sub_topic_check(k->topics[i]) != MOSQ_ERR_SUCCESS)
			cfg_error(s, "connector \"%s\": no topic filter: %s", k->name,
			          k->topics[i]);
	if (k->n_topics > LIMIT_CONNECT_TOPICS)
		cfg_error(s, "connector \"%s\": more than %d topics", k->name,
		          LIMIT_CONNECT_TOPICS);
	if (k->qos != 0 && k->qos != 1)
		cfg_error(s, "connector \"%s\": qos is 0 or 1", k->name);
	if (!version || (strcmp(version, "5") != 0 && strcmp(version, "3.1.1") != 0))
		cfg_error(s, "connector \"%s\": protocol is 5 or 3.1.1", k->name);
	k->mqtt5 = version && strcmp(version, "5") == 0;
}

static void check_source(struct connector_conf *k, cfg_t *s)
{
	static const char *const http[] = {"http://", "https://", NULL};
	static const char *const mqtt[] = {"mqtt://", "mqtts://", NULL};
	static const char *const websocket[] = {"ws://", "wss://", NULL};
	if (k->source != SOURCE_MQTT && k->source != SOURCE_FILE && k->interval_ms < 1000)
		cfg_error(s, "connector \"%s\": interval is less than 1s", k->name);
	switch (k->source) {
	case SOURCE_HTTP:
		check_urls(k, s, "http", http, LIMIT_CONNECT_URLS);
		if (!k->method || (strcmp(k->method, "GET") != 0 && strcmp(k->method, "POST") != 0))
			cfg_error(s, "connector \"%s\": method is GET or POST", k->name);
		break;
	case SOURCE_FILE: need(s, k->path != NULL, "path", "file"); break;
	case SOURCE_MQTT:
		check_urls(k, s, "mqtt", mqtt, 1);
		check_mqtt(k, s);
		break;
	case SOURCE_WEBSOCKET: check_urls(k, s, "websocket", websocket, 1); break;
	case SOURCE_FEED:
		check_urls(k, s, "feed", http, 1);
		for (size_t i = 0; i < k->n_urls; i++)
			if (!strstr(k->urls[i], "/v1/feeds/"))
				cfg_error(s,
				          "connector \"%s\": not the URL of a feed "
				          "(http://HOST:PORT/v1/feeds/NAME): %s",
				          k->name, k->urls[i]);
		break;
	}
}

void check_listen(struct config *c, cfg_t *cfg)
{
	static const char *const own[] = {"127.0.0.1:", "[::1]:", "localhost:"};
	if (!c->listen)
		return;
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		size_t n = strlen(own[i]);
		char *end = NULL;
		long port =
		    strncmp(c->listen, own[i], n) == 0 ? strtol(c->listen + n, &end, 10) : 0;
		if (port > 0 && port < 65536 && *end == '\0')
			return;
	}
	cfg_error(cfg, "listen is a port of this machine alone, as in 127.0.0.1:9884, not %s",
	          c->listen);
}

static void check_decoder(struct connector_conf *k, cfg_t *s)
{
	if (k->decoder == DECODE_XML && k->n_records == 0)
		cfg_error(s, "connector \"%s\": decoder xml needs records", k->name);
	if (!k->separator || strlen(k->separator) != 1)
		cfg_error(s, "connector \"%s\": separator is one character", k->name);
	if (!k->charset || (strcmp(k->charset, "utf-8") != 0 && strcmp(k->charset, "latin-1") != 0))
		cfg_error(s, "connector \"%s\": charset is utf-8 or latin-1", k->name);
	for (size_t i = 0; i < k->n_settings; i++)
		if (!strchr(k->settings[i], '=') || k->settings[i][0] == '=')
			cfg_error(s, "connector \"%s\": settings are \"name=value\", not \"%s\"",
			          k->name, k->settings[i]);
}

/* A zone that is not there would silently be UTC. */
static void check_zone(struct connector_conf *k, cfg_t *s)
{
	auto_free char *path = NULL;
	if (!k->zone || strcmp(k->zone, "UTC") == 0)
		return;
	if (strstr(k->zone, "..") || k->zone[0] == '/' ||
	    asprintf(&path, "/usr/share/zoneinfo/%s", k->zone) < 0 || access(path, R_OK) != 0)
		cfg_error(s, "connector \"%s\": no such time zone: %s", k->name, k->zone);
}

static void find_mapping(struct config *c, struct connector_conf *k, cfg_t *s)
{
	const char *name = cfg_getstr(s, "mapping");
	if (!name || !*name) {
		cfg_error(s, "connector \"%s\" has no mapping", k->name);
		return;
	}
	k->mapping = config_path(c, name);
	if (access(k->mapping, R_OK) == 0)
		return;
	free(k->mapping);
	k->mapping = NULL;
	if (!c->connector_dir || asprintf(&k->mapping, "%s/%s", c->connector_dir, name) < 0 ||
	    access(k->mapping, R_OK) != 0)
		cfg_error(s, "connector \"%s\": no such mapping: %s", k->name, name);
}

/* "PATTERN=NAME ARGUMENT": NAME is of connector-dir, or with a slash in it a file. */
static void read_device_decoder(struct config *c, struct connector_conf *k, cfg_t *s,
                                const char *text)
{
	struct device_decoder *d = &k->device_decoders[k->n_device_decoders];
	const char *eq = strchr(text, '=');
	size_t n = eq ? strcspn(eq + 1, " ") : 0;
	if (!eq || eq == text || n == 0) {
		cfg_error(
		    s,
		    "connector \"%s\": device-decoders are \"PATTERN=NAME ARGUMENT\", not \"%s\"",
		    k->name, text);
		return;
	}
	auto_free char *name = xstrndup(eq + 1, n);
	k->n_device_decoders++;
	d->pattern = xstrndup(text, (size_t)(eq - text));
	d->argument = xstrdup(eq + 1 + n + strspn(eq + 1 + n, " "));
	if (strchr(name, '/'))
		d->file = config_path(c, name);
	else if (asprintf(&d->file, "%s/decoders/%s.jq", c->connector_dir ? c->connector_dir : ".",
	                  name) < 0)
		abort();
	if (access(d->file, R_OK) != 0)
		cfg_error(s, "connector \"%s\": no such decoder of devices: %s", k->name, d->file);
}

static void read_device_decoders(struct config *c, struct connector_conf *k, cfg_t *s)
{
	size_t n = cfg_size(s, "device-decoders");
	if (n > LIMIT_CONNECT_DEVICE_DECODERS) {
		cfg_error(s, "connector \"%s\": more than %d device-decoders", k->name,
		          LIMIT_CONNECT_DEVICE_DECODERS);
		return;
	}
	k->device_decoders = xcalloc(n + 1, sizeof(*k->device_decoders));
	for (size_t i = 0; i < n; i++)
		read_device_decoder(c, k, s, cfg_getnstr(s, "device-decoders", (unsigned)i));
}

static void find_target(struct config *c, struct connector_conf *k, cfg_t *s)
{
	const char *name = cfg_getstr(s, "target");
	if (!name && c->n_targets > 1)
		cfg_error(s, "connector \"%s\" does not say which target", k->name);
	for (size_t i = 0; i < c->n_targets; i++)
		if (!name || strcmp(c->targets[i].name, name) == 0) {
			k->target = &c->targets[i];
			return;
		}
	if (name)
		cfg_error(s, "connector \"%s\": no such target: %s", k->name, name);
}

void check_connector(struct config *c, struct connector_conf *k, cfg_t *s)
{
	static const struct word sources[] = {{"http", SOURCE_HTTP},
	                                      {"file", SOURCE_FILE},
	                                      {"mqtt", SOURCE_MQTT},
	                                      {"websocket", SOURCE_WEBSOCKET},
	                                      {"feed", SOURCE_FEED}};
	static const struct word decoders[] = {{"json", DECODE_JSON}, {"ndjson", DECODE_NDJSON},
	                                       {"csv", DECODE_CSV},   {"senml", DECODE_SENML},
	                                       {"xml", DECODE_XML},   {"text", DECODE_TEXT}};
	if (!plain_name(k->name))
		cfg_error(s, "a connector's name is 1 to 64 of a-z, 0-9, '-', '_', '.': \"%s\"",
		          k->name);
	k->source = choose(s, "source", cfg_getstr(s, "source"), sources, ARRAY_LEN(sources));
	k->decoder = choose(s, "decoder", cfg_getstr(s, "decoder"), decoders, ARRAY_LEN(decoders));
	check_source(k, s);
	check_decoder(k, s);
	check_zone(k, s);
	find_mapping(c, k, s);
	read_device_decoders(c, k, s);
	find_target(c, k, s);
}
