/* config.c - does not look at what a mapping says; does read the file, once, and says every
 * problem with its line. */
#include "host/config.h"

#include "base/limits.h"
#include "base/mem.h"
#include "host/config_check.h"

#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cfg_opt_t target_opts[] = {CFG_STR("address", "127.0.0.1", CFGF_NONE),
                                  CFG_INT("port", 1883, CFGF_NONE),
                                  CFG_STR("ca", NULL, CFGF_NONE),
                                  CFG_STR("certificate", NULL, CFGF_NONE),
                                  CFG_STR("key", NULL, CFGF_NONE),
                                  CFG_STR("user", NULL, CFGF_NONE),
                                  CFG_STR("password-file", NULL, CFGF_NONE),
                                  CFG_STR("keep-alive", "30s", CFGF_NONE),
                                  CFG_END()};

static cfg_opt_t connector_opts[] = {CFG_BOOL("enabled", cfg_true, CFGF_NONE),
                                     CFG_STR("source", NULL, CFGF_NONE),
                                     CFG_STR("decoder", "json", CFGF_NONE),
                                     CFG_STR("mapping", NULL, CFGF_NONE),
                                     CFG_STR("target", NULL, CFGF_NONE),
                                     CFG_STR_LIST("settings", NULL, CFGF_NONE),
                                     CFG_STR_LIST("tables", NULL, CFGF_NONE),
                                     CFG_STR_LIST("device-decoders", NULL, CFGF_NONE),
                                     CFG_STR("zone", "UTC", CFGF_NONE),
                                     CFG_STR("memory", "1GiB", CFGF_NONE),
                                     CFG_STR_LIST("records", NULL, CFGF_NONE),
                                     CFG_STR("separator", ",", CFGF_NONE),
                                     CFG_STR("charset", "utf-8", CFGF_NONE),
                                     CFG_BOOL("header-row", cfg_true, CFGF_NONE),
                                     CFG_STR_LIST("url", NULL, CFGF_NONE),
                                     CFG_STR("method", "GET", CFGF_NONE),
                                     CFG_STR("body", NULL, CFGF_NONE),
                                     CFG_STR("next", NULL, CFGF_NONE),
                                     CFG_STR_LIST("header", NULL, CFGF_NONE),
                                     CFG_STR("header-file", NULL, CFGF_NONE),
                                     CFG_STR("interval", "5m", CFGF_NONE),
                                     CFG_STR("timeout", "2m", CFGF_NONE),
                                     CFG_STR("gap", "1s", CFGF_NONE),
                                     CFG_STR("catch-up", "1d", CFGF_NONE),
                                     CFG_STR("body-max", "256MiB", CFGF_NONE),
                                     CFG_STR("path", NULL, CFGF_NONE),
                                     CFG_STR("pattern", "*", CFGF_NONE),
                                     CFG_STR_LIST("topics", NULL, CFGF_NONE),
                                     CFG_INT("qos", 1, CFGF_NONE),
                                     CFG_BOOL("bind-thing", cfg_false, CFGF_NONE),
                                     CFG_STR("protocol", "5", CFGF_NONE),
                                     CFG_STR("client-id", NULL, CFGF_NONE),
                                     CFG_STR("spool", "64MiB", CFGF_NONE),
                                     CFG_STR("user", NULL, CFGF_NONE),
                                     CFG_STR("password-file", NULL, CFGF_NONE),
                                     CFG_STR("ca", NULL, CFGF_NONE),
                                     CFG_STR("certificate", NULL, CFGF_NONE),
                                     CFG_STR("key", NULL, CFGF_NONE),
                                     CFG_END()};

static cfg_opt_t top_opts[] = {
    CFG_STR("state-dir", "/var/lib/oudp-connect", CFGF_NONE),
    CFG_STR("connector-dir", OUDP_CONNECTOR_DIR, CFGF_NONE),
    CFG_STR("listen", NULL, CFGF_NONE),
    CFG_SEC("target", target_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("connector", connector_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_FUNC("include", cfg_include),
    CFG_END()};

/* libconfuse hands no user pointer to its error function: while a file is read, this thread's. */
static __thread FILE *complaints_to;
static __thread int complaints_n;

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	complaints_n++;
	if (cfg && cfg->filename)
		fprintf(complaints_to, "%s:%d: ", cfg->filename, cfg->line);
	vfprintf(complaints_to, fmt, ap);
	fputc('\n', complaints_to);
}

static char *text_of(cfg_t *s, const char *name)
{
	const char *v = cfg_getstr(s, name);
	return v && *v ? xstrdup(v) : NULL;
}

static char **list_of(cfg_t *s, const char *name, size_t *ret_n)
{
	size_t n = cfg_size(s, name);
	char **out = xcalloc(n + 1, sizeof(*out));
	for (size_t i = 0; i < n; i++)
		out[i] = xstrdup(cfg_getnstr(s, name, (unsigned)i));
	*ret_n = n;
	return out;
}

char *config_path(const struct config *c, const char *name)
{
	char *out = NULL;
	if (!name)
		return NULL;
	if (name[0] == '/')
		return xstrdup(name);
	if (asprintf(&out, "%s/%s", c->dir, name) < 0)
		abort();
	return out;
}

static char *path_of(const struct config *c, cfg_t *s, const char *name)
{
	auto_free char *v = text_of(s, name);
	return config_path(c, v);
}

static void read_target(struct config *c, struct target_conf *t, cfg_t *s)
{
	int64_t keepalive = 30000;
	t->name = xstrdup(cfg_title(s));
	t->address = text_of(s, "address");
	t->port = (int)cfg_getint(s, "port");
	t->ca = path_of(c, s, "ca");
	t->certificate = path_of(c, s, "certificate");
	t->key = path_of(c, s, "key");
	t->user = text_of(s, "user");
	t->password_file = path_of(c, s, "password-file");
	if (check_duration(cfg_getstr(s, "keep-alive"), &keepalive) < 0 || keepalive < 5000 ||
	    keepalive > 65535000)
		cfg_error(s, "keep-alive of target \"%s\" must be from 5s to 65535s", t->name);
	t->keepalive_s = (int)(keepalive / 1000);
}

static void durations(cfg_t *s, struct connector_conf *k)
{
	const struct {
		const char *name;
		int64_t *to;
	} times[] = {{"interval", &k->interval_ms},
	             {"timeout", &k->timeout_ms},
	             {"gap", &k->gap_ms},
	             {"catch-up", &k->catch_up_ms}};
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (check_duration(cfg_getstr(s, times[i].name), times[i].to) < 0)
			cfg_error(s, "%s of connector \"%s\" is no duration: %s", times[i].name,
			          k->name, cfg_getstr(s, times[i].name));
	if (check_size(cfg_getstr(s, "body-max"), &k->body_max) < 0)
		cfg_error(s, "body-max of connector \"%s\" is no size: %s", k->name,
		          cfg_getstr(s, "body-max"));
	if (check_size(cfg_getstr(s, "spool"), &k->spool_max) < 0)
		cfg_error(s, "spool of connector \"%s\" is no size: %s", k->name,
		          cfg_getstr(s, "spool"));
	if (check_size(cfg_getstr(s, "memory"), &k->memory_max) < 0 || k->memory_max < 64 << 20)
		cfg_error(s, "memory of connector \"%s\" must be a size of 64MiB or more: %s",
		          k->name, cfg_getstr(s, "memory"));
}

/* Files of tables, found as other files are. */
static void read_tables(struct config *c, struct connector_conf *k, cfg_t *s)
{
	k->tables = list_of(s, "tables", &k->n_tables);
	for (size_t i = 0; i < k->n_tables; i++) {
		char *text = k->tables[i], *eq = strchr(text, '=');
		if (!eq || eq == text || eq[1] == '\0') {
			cfg_error(s, "connector \"%s\": tables are \"name=file\", not \"%s\"",
			          k->name, text);
			continue;
		}
		auto_free char *path = config_path(c, eq + 1);
		if (asprintf(&k->tables[i], "%.*s=%s", (int)(eq - text), text, path) < 0)
			abort();
		free(text);
	}
}

static void read_connector(struct config *c, struct connector_conf *k, cfg_t *s)
{
	k->name = xstrdup(cfg_title(s));
	k->line = s->line;
	k->enabled = cfg_getbool(s, "enabled") == cfg_true;
	k->urls = list_of(s, "url", &k->n_urls);
	k->method = text_of(s, "method");
	k->body = text_of(s, "body");
	k->next = text_of(s, "next");
	k->headers = list_of(s, "header", &k->n_headers);
	k->header_file = path_of(c, s, "header-file");
	k->path = path_of(c, s, "path");
	k->pattern = text_of(s, "pattern");
	k->topics = list_of(s, "topics", &k->n_topics);
	k->bind_thing = cfg_getbool(s, "bind-thing") == cfg_true;
	k->qos = (int)cfg_getint(s, "qos");
	k->client_id = text_of(s, "client-id");
	k->user = text_of(s, "user");
	k->password_file = path_of(c, s, "password-file");
	k->ca = path_of(c, s, "ca");
	k->certificate = path_of(c, s, "certificate");
	k->key = path_of(c, s, "key");
	k->records = list_of(s, "records", &k->n_records);
	k->separator = text_of(s, "separator");
	k->charset = text_of(s, "charset");
	k->header_row = cfg_getbool(s, "header-row") == cfg_true;
	k->settings = list_of(s, "settings", &k->n_settings);
	read_tables(c, k, s);
	k->zone = text_of(s, "zone");
	durations(s, k);
	check_connector(c, k, s);
}

/* c->dir must be known before any name of a file is looked at. */
static struct config *config_new(const char *file)
{
	struct config *c = xcalloc(1, sizeof(*c));
	const char *slash = strrchr(file, '/');
	c->file = xstrdup(file);
	c->dir = slash ? xstrndup(file, (size_t)(slash - file) + (slash == file)) : xstrdup(".");
	return c;
}

static void read_all(struct config *c, cfg_t *cfg)
{
	c->state_dir = path_of(c, cfg, "state-dir");
	c->connector_dir = path_of(c, cfg, "connector-dir");
	if (!c->state_dir || !c->connector_dir)
		cfg_error(cfg, "state-dir and connector-dir must be given");
	c->listen = text_of(cfg, "listen");
	check_listen(c, cfg);
	c->n_targets = cfg_size(cfg, "target");
	c->targets = xcalloc(c->n_targets + 1, sizeof(*c->targets));
	for (size_t i = 0; i < c->n_targets; i++)
		read_target(c, &c->targets[i], cfg_getnsec(cfg, "target", (unsigned)i));
	c->n_connectors = cfg_size(cfg, "connector");
	if (c->n_connectors > LIMIT_CONNECTORS)
		cfg_error(cfg, "there are more than %d connectors", LIMIT_CONNECTORS);
	c->connectors = xcalloc(c->n_connectors + 1, sizeof(*c->connectors));
	for (size_t i = 0; i < c->n_connectors; i++)
		read_connector(c, &c->connectors[i], cfg_getnsec(cfg, "connector", (unsigned)i));
	if (!c->n_targets)
		cfg_error(cfg, "there is no target");
	if (!c->n_connectors)
		cfg_error(cfg, "there is no connector");
}

struct config *config_load(const char *file, FILE *complaints)
{
	struct config *c = config_new(file);
	cfg_t *cfg = cfg_init(top_opts, CFGF_NONE);
	complaints_to = complaints;
	complaints_n = 0;
	cfg_set_error_function(cfg, on_error);
	int r = cfg_parse(cfg, file);
	if (r == CFG_FILE_ERROR) {
		complaints_n++;
		fprintf(complaints, "%s: %s\n", file, strerror(errno));
	} else if (r == CFG_SUCCESS) {
		read_all(c, cfg);
	}
	cfg_free(cfg);
	if (complaints_n || r != CFG_SUCCESS) {
		config_free(c);
		return NULL;
	}
	return c;
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		free(list[i]);
	free(list);
}

static void free_connector(struct connector_conf *k)
{
	char *texts[] = {k->name,    k->method,      k->body,      k->next,    k->header_file,
	                 k->path,    k->pattern,     k->user,      k->ca,      k->password_file,
	                 k->key,     k->certificate, k->separator, k->charset, k->zone,
	                 k->mapping, k->client_id};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(texts[i]);
	free_list(k->urls, k->n_urls);
	free_list(k->topics, k->n_topics);
	free_list(k->headers, k->n_headers);
	free_list(k->records, k->n_records);
	free_list(k->settings, k->n_settings);
	free_list(k->tables, k->n_tables);
	for (size_t i = 0; i < k->n_device_decoders; i++) {
		free(k->device_decoders[i].pattern);
		free(k->device_decoders[i].file);
		free(k->device_decoders[i].argument);
	}
	free(k->device_decoders);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_targets; i++) {
		struct target_conf *t = &c->targets[i];
		char *texts[] = {t->name, t->address,     t->ca,           t->key,
		                 t->user, t->certificate, t->password_file};
		for (size_t j = 0; j < ARRAY_LEN(texts); j++)
			free(texts[j]);
	}
	for (size_t i = 0; c->connectors && i < c->n_connectors; i++)
		free_connector(&c->connectors[i]);
	free(c->targets);
	free(c->connectors);
	free(c->file);
	free(c->dir);
	free(c->listen);
	free(c->state_dir);
	free(c->connector_dir);
	free(c);
}

char *config_secret(const struct config *c, const char *name)
{
	char line[4096];
	auto_free char *path = config_path(c, name);
	FILE *f = path ? fopen(path, "re") : NULL;
	if (!f)
		return NULL;
	char *got = fgets(line, sizeof(line), f);
	fclose(f);
	if (!got) {
		errno = ENODATA;
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return xstrdup(line);
}
