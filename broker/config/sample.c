/* sample.c - the embedded default, and what is printed from the table: the sample and the list for
 * the lint of the manual. */
#include "base/err.h"
#include "config/load.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

const char *config_embedded(void)
{
	return "listener \"mqtt\"  { protocol = mqtt   address = \"127.0.0.1\"  port = 1883 }\n"
	       "listener \"web\"   { protocol = http   address = \"127.0.0.1\"  port = 8080 }\n"
	       "listener \"admin\" { protocol = admin  address = \"127.0.0.1\"  port = 9883 }\n"
	       "feed \"air-quality\" {\n"
	       "        title = \"Luchtkwaliteit\"\n"
	       "        topics = { \"city/air/{thing}\" }\n"
	       "        schemas = { \"air-quality-observed/1\" }\n"
	       "}\n"
	       "feed \"noise\" {\n"
	       "        title = \"Geluid\"\n"
	       "        topics = { \"city/noise/{thing}\" }\n"
	       "        schemas = { \"noise-level-observed/1\" }\n"
	       "}\n"
	       "feed \"weather\" {\n"
	       "        title = \"Weer\"\n"
	       "        topics = { \"city/weather/{thing}\" }\n"
	       "        schemas = { \"weather-observed/1\" }\n"
	       "}\n"
	       "feed \"traffic-flow\" {\n"
	       "        title = \"Verkeer\"\n"
	       "        topics = { \"city/traffic/{thing}\" }\n"
	       "        schemas = { \"traffic-flow-observed/1\" }\n"
	       "}\n"
	       "feed \"parking\" {\n"
	       "        title = \"Parkeren\"\n"
	       "        topics = { \"city/parking/{thing}\" }\n"
	       "        schemas = { \"off-street-parking/1\" }\n"
	       "}\n"
	       "feed \"devices\" {\n"
	       "        title = \"Sensoren\"\n"
	       "        topics = { \"city/device/{thing}\" }\n"
	       "        schemas = { \"device-measurement/1\" }\n"
	       "}\n"
	       "feed \"water\" {\n"
	       "        title = \"Oppervlaktewater\"\n"
	       "        topics = { \"city/water/{thing}\" }\n"
	       "        schemas = { \"water-observed/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"groundwater\" {\n"
	       "        title = \"Grondwater\"\n"
	       "        topics = { \"city/groundwater/{thing}\" }\n"
	       "        schemas = { \"phreatic-observed/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"crowd-flow\" {\n"
	       "        title = \"Drukte\"\n"
	       "        topics = { \"city/crowd/{thing}\" }\n"
	       "        schemas = { \"crowd-flow-observed/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"parking-spots\" {\n"
	       "        title = \"Parkeervakken\"\n"
	       "        topics = { \"city/parking-spot/{thing}\" }\n"
	       "        schemas = { \"parking-spot/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"charging\" {\n"
	       "        title = \"Laadpalen\"\n"
	       "        topics = { \"city/charging/{thing}\" }\n"
	       "        schemas = { \"ev-charging-station/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"waste\" {\n"
	       "        title = \"Afvalcontainers\"\n"
	       "        topics = { \"city/waste/{thing}\" }\n"
	       "        schemas = { \"waste-container/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"lighting\" {\n"
	       "        title = \"Openbare verlichting\"\n"
	       "        topics = { \"city/lighting/{thing}\" }\n"
	       "        schemas = { \"streetlight/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"environment\" {\n"
	       "        title = \"Leefomgeving\"\n"
	       "        topics = { \"city/environment/{thing}\" }\n"
	       "        schemas = { \"environment-observed/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"flood\" {\n"
	       "        title = \"Wateroverlast\"\n"
	       "        topics = { \"city/flood/{thing}\" }\n"
	       "        schemas = { \"flood-monitoring/1\" }\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n"
	       "feed \"sensorthings\" {\n"
	       "        title = \"SensorThings\"\n"
	       "        topics = { \"sta/{thing}\" }\n"
	       "        schemas = { \"any\" }\n"
	       "        decode = senml\n"
	       "        sensorthings = true\n"
	       "        sensorthings-rules = standard\n"
	       "        duplicates = keep\n"
	       "        max-age = \"0\"\n"
	       "        keep-series = \"0\"\n"
	       "        keep-messages-max = \"5GB\"\n"
	       "}\n";
}

/* ---- the sample ---- */

/* Is there something to print that does not depend on where the program runs? */
static bool has_value(const struct row *r, const void *base)
{
	if (r->block == BLOCK_ROOT && (r->flags & ROW_DYNAMIC))
		return false;
	if (row_is_list(r) || r->type > ROW_ADDRESS)
		return true;
	const char *s = *(char *const *)(const void *)((const char *)base + r->offset);
	return s && *s;
}

static bool is_default(const struct row *r, const void *base)
{
	union block_value fresh;
	memset(&fresh, 0, sizeof(fresh));
	if (r->flags & (ROW_REQUIRED | ROW_DYNAMIC))
		return false;
	value_default(r, &fresh);
	bool same = value_same(r, &fresh, base);
	value_free(r, &fresh);
	return same;
}

/* base NULL: the whole block is a comment. '#' and a space begin help, '#' alone an option that is
 * not set. */
static void print_row(const struct row *r, const void *base, const char *indent, bool help,
                      struct buf *out)
{
	if (help)
		buf_addf(out, "%s# %s\n", indent, r->help);
	bool set = base && has_value(r, base);
	buf_addf(out, "%s%s%s = ", indent, set || !base ? "" : "#", r->name);
	if (set) {
		value_print(r, base, out);
	} else {
		assert(r->example);
		const char *quote = r->type <= ROW_ADDRESS ? "\"" : "";
		buf_addf(out, "%s%s%s", quote, r->example, quote);
	}
	buf_add_char(out, '\n');
}

/* full: every option with its help; else what differs from the default. */
static void print_block(enum block b, const char *name, const void *base, bool full,
                        struct buf *out)
{
	size_t at = 0;
	buf_addf(out, "%s \"%s\" {\n", block_name(b), name);
	for (const struct row *r; (r = row_next(b, &at));)
		if (full || !is_default(r, base))
			print_row(r, base, "\t", full, out);
	buf_add_str(out, "}\n");
}

/* A block that there need not be. */
static void print_comment(enum block b, struct buf *out)
{
	size_t at = 0;
	buf_addf(out, "#%s \"city\" {\n", block_name(b));
	for (const struct row *r; (r = row_next(b, &at));)
		print_row(r, NULL, "#\t", true, out);
	buf_add_str(out, "#}\n");
}

void config_print_sample(struct buf *out)
{
	struct config *c = NULL;
	int err = config_parse("(embedded default)", config_embedded(), false, &c, out);
	assert(!err && c); /* our own text */
	(void)err;
	buf_add_str(out,
	            "# oudpd.conf - every option at its default; oudpd.conf(5) explains them.\n"
	            "# A line that begins with '#' and no space shows an option that is not"
	            " set.\n"
	            "# Durations: a number and s, m, h, d or y (365 days). Sizes: B, kB, MB,"
	            " GB, TB are powers\n"
	            "# of 1000; KiB, MiB, GiB, TiB of 1024. Check with: oudpd -n -f FILE\n\n");
	size_t at = 0;
	for (const struct row *r; (r = row_next(BLOCK_ROOT, &at));)
		print_row(r, c, "", true, out);
	buf_add_str(out, "\n# More blocks from other files, as seen from this one.\n"
	                 "#include(\"feeds.d/*.conf\")\n\n"
	                 "# Where to listen. Without any listener block there are these three.\n");
	for (size_t i = 0; i < c->n_listeners; i++)
		print_block(BLOCK_LISTENER, c->listeners[i].name, &c->listeners[i], i == 0, out);
	buf_add_str(out, "\n# For mqtts and https: a listener names it with tls = \"city\".\n");
	print_comment(BLOCK_TLS, out);
	buf_add_str(out, "\n# Who signs tokens (JWT): oudp-access(7).\n");
	print_comment(BLOCK_ISSUER, out);
	buf_add_str(out, "\n# What is taken, in which form, for whom, and for how long.\n");
	for (size_t i = 0; i < c->n_feeds; i++)
		if (!c->feeds[i].alerts) /* the broker's own */
			print_block(BLOCK_FEED, c->feeds[i].name, &c->feeds[i], i == 0, out);
	config_free(c);
}

void config_print_table(struct buf *out)
{
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct row *r = &config_rows[i];
		const char *def = r->flags & ROW_REQUIRED ? "required" : r->def ? r->def : "none";
		buf_addf(out, "%s\t%s\t%s\t%s\n",
		         *block_name(r->block) ? block_name(r->block) : "-", r->name,
		         r->flags & ROW_RESTART ? "restart" : "reload", def);
	}
}
