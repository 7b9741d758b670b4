/* assets.c - style, script and map library out of the program, with ETag; the colours and the logo
 * of the configuration. */
#include "web/pages.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "web/colour.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EMBEDDED(name)                                                                             \
	extern const char asset_##name[] __attribute__((visibility("hidden")));                    \
	extern const char asset_##name##_end[] __attribute__((visibility("hidden")))
EMBEDDED(style_css);
EMBEDDED(oudp_js);
EMBEDDED(icon_svg);
EMBEDDED(leaflet_js);
EMBEDDED(leaflet_css);

static const struct row {
	const char *name, *type, *from, *to;
} rows[] = {
    {"style.css", "text/css; charset=utf-8", asset_style_css, asset_style_css_end},
    {"oudp.js", "text/javascript; charset=utf-8", asset_oudp_js, asset_oudp_js_end},
    {"icon.svg", "image/svg+xml", asset_icon_svg, asset_icon_svg_end},
    {"leaflet.js", "text/javascript; charset=utf-8", asset_leaflet_js, asset_leaflet_js_end},
    {"leaflet.css", "text/css; charset=utf-8", asset_leaflet_css, asset_leaflet_css_end},
};

static struct span bytes_of(const struct row *w)
{
	return span_of(w->from, (size_t)(w->to - w->from));
}

static uint32_t version_of(struct span bytes)
{
	return crc32c(0, bytes.p, bytes.n);
}

void assets_init(struct web *w)
{
	assert(ARRAY_LEN(rows) <= ARRAY_LEN(w->asset_version));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		w->asset_version[i] = version_of(bytes_of(&rows[i]));
}

static const struct row *find(struct span name)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (span_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}

const char *asset_url(const struct web *w, const char *name, char *out, size_t size)
{
	const struct row *row = find(span_str(name));
	assert(row);
	snprintf(out, size, "/assets/%s?v=%08x", name, w->asset_version[row - rows]);
	return out;
}

/* ---- answering ---- */

/* With its version in the address it never changes; else it is asked about each time. */
static void serve(struct req *r, struct span bytes, const char *type, uint32_t crc)
{
	char version[16];
	struct span v;
	snprintf(version, sizeof(version), "%08x", crc);
	bool same = query_get(&r->query, "v", &v) && span_is(v, version);
	r->cache = same ? "public, max-age=31536000, immutable" : "no-cache";
	snprintf(r->etag, sizeof(r->etag), "\"%08x\"", crc);
	if (strstr(r->if_none_match, r->etag)) {
		respond(r, 304, NULL);
		return;
	}
	buf_add_span(&r->out, bytes);
	respond(r, 200, type);
}

void get_asset(struct req *r)
{
	const struct row *w = find(r->param[0]);
	if (!w)
		problem(r, 404, "there is no such file");
	else if (only_query(r, "v"))
		serve(r, bytes_of(w), w->type, r->web->asset_version[w - rows]);
}

/* ---- colours ---- */

static void variable(struct buf *b, const char *name, struct colour c)
{
	buf_addf(b, "%s:#%02x%02x%02x;", name, c.r, c.g, c.b);
}

void get_theme(struct req *r)
{
	static const struct colour white = {255, 255, 255}, night = {0x1c, 0x22, 0x29};
	const double readable = 5.0; /* WCAG asks for 4.5 */
	struct colour c;
	struct buf b;
	if (!only_query(r, ""))
		return;
	buf_init(&b, 1024);
	if (colour_read(hub_config(r->web->hub)->colour, &c) == 0) {
		buf_add_str(&b, ":root{");
		variable(&b, "--accent", colour_against(c, white, readable));
		buf_add_str(&b, "}@media (prefers-color-scheme:dark){:root{");
		variable(&b, "--accent", colour_against(c, night, readable));
		buf_add_str(&b, "}}\n");
	}
	serve(r, span_of(b.p, b.len), "text/css; charset=utf-8", version_of(span_of(b.p, b.len)));
	buf_done(&b);
}

/* ---- the logo ---- */

void logo_read(struct web *w)
{
	static const char *const types[][2] = {
	    {".svg", "image/svg+xml"}, {".png", "image/png"}, {".webp", "image/webp"}};
	const char *path = hub_config(w->hub)->logo, *end = path ? strrchr(path, '.') : NULL;
	buf_clear(&w->logo);
	w->logo_type = NULL;
	for (unsigned i = 0; end && i < ARRAY_LEN(types); i++)
		if (strcasecmp(end, types[i][0]) == 0)
			w->logo_type = types[i][1];
	if (!w->logo_type)
		return;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *to = fd < 0 ? NULL : buf_room(&w->logo, LIMIT_LOGO_BYTES + 1);
	ssize_t n = to ? read(fd, to, LIMIT_LOGO_BYTES + 1) : -1;
	if (n <= 0 || n > LIMIT_LOGO_BYTES) {
		log_warn("The logo is not shown: it cannot be read, or is larger than %d bytes. "
		         "path=%s",
		         LIMIT_LOGO_BYTES, path);
		w->logo_type = NULL;
		return;
	}
	w->logo.len = (size_t)n;
}

void get_logo(struct req *r)
{
	const struct web *w = r->web;
	struct span logo = span_of(w->logo.p, w->logo.len);
	if (!only_query(r, "v"))
		return;
	if (!w->logo_type)
		problem(r, 404, "there is no logo");
	else
		serve(r, logo, w->logo_type, version_of(logo));
}
