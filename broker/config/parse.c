/* parse.c - one text through libConfuse. It opens no file: include() is only noted here.
 *
 * The arrays of cfg_opt_t are made from the table for each parse. Every value is a string to
 * libConfuse; parse callbacks hand it to value_read() at once, so that one bad value does not hide
 * the next, which libConfuse's own types would. What libConfuse cannot go on after is an unknown
 * option: the text is first read "dry" until none is left, each one reported and blanked. A syntax
 * error ends the reading of its file. */
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config/load.h"
#include "config/scan.h"
#include "config/value.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first option of every block is no option: it carries our pointer to the callbacks, as
 * libConfuse has no other way. No text can name it: control characters are refused before. */
#define CONTEXT_NAME "\x01"

static struct loader *loader_of(const cfg_t *cfg)
{
	assert(cfg && !strcmp(cfg->opts[0].name, CONTEXT_NAME));
	return (struct loader *)(void *)cfg->opts[0].simple_value.ptr;
}

static enum block block_of(const cfg_t *cfg)
{
	for (enum block b = BLOCK_LISTENER; b < N_BLOCKS; b++)
		if (!strcmp(cfg->name, block_name(b)))
			return b;
	return BLOCK_ROOT;
}

/* ---- callbacks ---- */

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct loader *ld = loader_of(cfg);
	char text[256], name[128];
	vsnprintf(text, sizeof(text), fmt, ap);
	ld->said_why = true;
	if (sscanf(text, "no such option '%127[^']'", name) == 1) {
		free(ld->unknown);
		ld->unknown = xstrdup(name);
		ld->unknown_block = block_of(cfg);
		ld->unknown_line = cfg->line;
	} else if (!ld->dry) {
		problem_add(ld, ld->file, cfg->line, false,
		            "%s; look at the quotes, commas, braces and '=' here and just before",
		            text);
	}
}

/* A value of an option, or one of its list. */
static void take_value(struct loader *ld, enum block b, const cfg_opt_t *opt, const char *value,
                       int line)
{
	unsigned at;
	const struct row *r = row_find(b, opt->name, &at);
	assert(r);
	void *base = b == BLOCK_ROOT ? (void *)ld->config : &ld->value;
	struct place *place = b == BLOCK_ROOT ? &ld->root : &ld->place;
	ld->value_block = b == BLOCK_ROOT ? ld->value_block : b;
	bool again = row_is_list(r) ? opt->nvalues <= 1 : true; /* a list begun anew, a value */
	if (place->row_line[at] && again) {
		problem_add(ld, ld->file, line, false,
		            "%s is given twice; the first is at %s:%d: take one out", r->name,
		            ld->sources[place->row_file[at]].name, place->row_line[at]);
		return;
	}
	char why[VALUE_WHY_BYTES];
	if (value_read(r, value, ld->dir, base, why)) {
		problem_add(ld, ld->file, line, false, "%s: \"%.200s\" %s", r->name, value, why);
		if (!row_is_list(r))
			value_default(r, base); /* so that the checks across options go on */
	}
	if (!place->row_line[at]) {
		place->row_line[at] = line;
		place->row_file[at] = ld->file;
	}
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct loader *ld = loader_of(cfg);
	if (!ld->dry)
		take_value(ld, block_of(cfg), opt, value, cfg->line);
	*(const char **)result = value;
	return 0;
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt UNUSED, int argc, const char **argv)
{
	struct loader *ld = loader_of(cfg);
	if (ld->dry)
		return 0;
	assert(argc == 1); /* scan.c has seen to it */
	ld->includes = xrealloc(ld->includes, (ld->n_includes + 1) * sizeof(*ld->includes));
	ld->includes[ld->n_includes++] = (struct include){xstrdup(argv[0]), cfg->line};
	return 0;
}

/* ---- blocks ---- */

size_t block_size(enum block b)
{
	static const size_t sizes[N_BLOCKS] = {
	    sizeof(struct config), sizeof(struct config_listener), sizeof(struct config_tls),
	    sizeof(struct config_issuer), sizeof(struct config_feed)};
	assert(b < N_BLOCKS);
	return sizes[b];
}

/* The name is the first member of every titled block. */
_Static_assert(offsetof(struct config_listener, name) == 0, "name");
_Static_assert(offsetof(struct config_tls, name) == 0, "name");
_Static_assert(offsetof(struct config_issuer, name) == 0, "name");
_Static_assert(offsetof(struct config_feed, name) == 0, "name");

static char *title_of(const void *block)
{
	char *title;
	memcpy(&title, block, sizeof(title));
	return title;
}

void block_free(enum block b, void *value)
{
	size_t at = 0;
	for (const struct row *r; (r = row_next(b, &at));)
		value_free(r, value);
	if (b != BLOCK_ROOT) {
		free(title_of(value));
		memset(value, 0, sizeof(char *));
	}
}

/* The array of a kind of block: *ret_n of at most *ret_max, with their places. */
static void *blocks_of(const struct loader *ld, enum block b, size_t *ret_n, size_t *ret_max,
                       struct place **ret_places)
{
	const struct config *c = ld->config;
	switch (b) {
	case BLOCK_LISTENER:
		*ret_n = c->n_listeners, *ret_max = LIMIT_LISTENERS, *ret_places = ld->listeners;
		return c->listeners;
	case BLOCK_TLS:
		*ret_n = c->n_tls, *ret_max = LIMIT_LISTENERS, *ret_places = ld->tls;
		return c->tls;
	case BLOCK_ISSUER:
		*ret_n = c->n_issuers, *ret_max = LIMIT_ISSUERS, *ret_places = ld->issuers;
		return c->issuers;
	case BLOCK_FEED:
		*ret_n = c->n_feeds, *ret_max = LIMIT_FEEDS, *ret_places = ld->feeds;
		return c->feeds;
	default: break;
	}
	assert(!"a block with a title");
	return NULL;
}

#define APPEND(array, n, value)                                                                    \
	((array) = xrealloc((array), ((n) + 1) * sizeof(*(array))), (array)[n] = (value))

/* Takes over what ld->value owns. */
static void append_block(struct loader *ld, enum block b)
{
	struct config *c = ld->config;
	if (b == BLOCK_LISTENER) {
		APPEND(ld->listeners, c->n_listeners, ld->place);
		APPEND(c->listeners, c->n_listeners, ld->value.listener);
		c->n_listeners++;
	} else if (b == BLOCK_TLS) {
		APPEND(ld->tls, c->n_tls, ld->place);
		APPEND(c->tls, c->n_tls, ld->value.tls);
		c->n_tls++;
	} else if (b == BLOCK_ISSUER) {
		APPEND(ld->issuers, c->n_issuers, ld->place);
		APPEND(c->issuers, c->n_issuers, ld->value.issuer);
		c->n_issuers++;
	} else {
		assert(b == BLOCK_FEED);
		APPEND(ld->feeds, c->n_feeds, ld->place);
		APPEND(c->feeds, c->n_feeds, ld->value.feed);
		c->n_feeds++;
	}
}

/* Is this title a name, a new one, and is there room? What is not is said. */
static bool title_fits(struct loader *ld, enum block b, const char *title)
{
	size_t n, max;
	struct place *places;
	const char *blocks = blocks_of(ld, b, &n, &max, &places);
	int line = ld->place.line;
	if (!value_is_name(title)) {
		problem_add(ld, ld->file, line, false,
		            "%s \"%.100s\" is no name; write 1 to 64 of a-z, 0-9 and '-'",
		            block_name(b), title);
		return n < max;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(title_of(blocks + i * block_size(b)), title))
			continue;
		problem_add(ld, ld->file, line, false,
		            "%s \"%s\" is given twice; the first is at %s:%d: rename one or take it"
		            " out",
		            block_name(b), title, ld->sources[places[i].file].name, places[i].line);
		return false;
	}
	if (n < max)
		return true;
	problem_add(ld, ld->file, line, false, "%s \"%s\" is one too many; there can be %zu",
	            block_name(b), title, max);
	return false;
}

void finish_rows(struct loader *ld, enum block b, const struct place *place, void *base)
{
	size_t at = 0;
	unsigned index = 0;
	for (const struct row *r; (r = row_next(b, &at)); index++) {
		bool given = place->row_line[index];
		if (!given && (r->flags & ROW_REQUIRED))
			problem_add(ld, place->file, place->line, false,
			            "%s \"%s\" needs %s; add a line such as: %s = %s%s%s",
			            block_name(b), title_of(base), r->name, r->name,
			            r->type == ROW_PATH ? "\"" : "", r->example,
			            r->type == ROW_PATH ? "\"" : "");
		if (!given || row_is_list(r)) /* of a list every item may have been refused */
			value_default(r, base);
	}
}

static void take_block(struct loader *ld, const cfg_t *section, int line)
{
	enum block b = block_of(section);
	ld->place.file = ld->file;
	ld->place.line = ld->block_at < ld->n_block_lines ? ld->block_lines[ld->block_at] : line;
	ld->block_at++;
	char *title = xstrdup(section->title ? section->title : "");
	memcpy(&ld->value, &title, sizeof(title));
	finish_rows(ld, b, &ld->place, &ld->value);
	if (title_fits(ld, b, title))
		append_block(ld, b);
	else
		block_free(b, &ld->value);
	memset(&ld->value, 0, sizeof(ld->value));
	memset(&ld->place, 0, sizeof(ld->place));
}

/* After its closing brace. The section is removed, so that the next one is alone again, also when
 * it has the same title. */
static int on_block(cfg_t *cfg, cfg_opt_t *opt)
{
	struct loader *ld = loader_of(cfg);
	assert(opt->nvalues == 1);
	if (!ld->dry)
		take_block(ld, cfg_opt_getnsec(opt, 0), cfg->line);
	return cfg_opt_rmnsec(opt, 0);
}

/* ---- the parse ---- */

enum { OPTS_MAX = BLOCK_ROWS_MAX + 8 };

/* Fills opts with the context, the rows of b and the end; returns where the end is. */
static size_t make_opts(struct loader *ld, enum block b, cfg_opt_t *opts)
{
	size_t n = 0, at = 0;
	opts[n++] = (cfg_opt_t){.name = CONTEXT_NAME,
	                        .type = CFGT_PTR,
	                        .flags = CFGF_NODEFAULT,
	                        .simple_value.ptr = (void **)(void *)ld};
	for (const struct row *r; (r = row_next(b, &at));)
		opts[n++] = (cfg_opt_t){.name = r->name,
		                        .type = CFGT_STR,
		                        .flags = CFGF_NODEFAULT | (row_is_list(r) ? CFGF_LIST : 0),
		                        .parsecb = on_value};
	opts[n] = (cfg_opt_t)CFG_END();
	assert(n < OPTS_MAX);
	return n;
}

/* One run over text. True when it came to the end. */
static bool run(struct loader *ld, const char *text, bool dry)
{
	cfg_opt_t root[OPTS_MAX], blocks[N_BLOCKS][OPTS_MAX];
	size_t n = make_opts(ld, BLOCK_ROOT, root);
	for (enum block b = BLOCK_LISTENER; b < N_BLOCKS; b++) {
		make_opts(ld, b, blocks[b]);
		root[n++] = (cfg_opt_t)CFG_SEC(block_name(b), blocks[b], CFGF_MULTI | CFGF_TITLE);
		root[n - 1].validcb = on_block;
	}
	root[n++] = (cfg_opt_t)CFG_FUNC("include", on_include);
	root[n++] = (cfg_opt_t)CFG_END();
	assert(n <= OPTS_MAX);
	cfg_t *cfg = cfg_init(root, CFGF_NONE);
	assert(cfg); /* small and fixed, as xmalloc */
	cfg_set_error_function(cfg, on_error);
	ld->dry = dry;
	ld->said_why = false;
	int rc = *text ? cfg_parse_buf(cfg, text) : CFG_SUCCESS;
	cfg_free(cfg);
	block_free(ld->value_block, &ld->value); /* cut short by a syntax error */
	memset(&ld->place, 0, sizeof(ld->place));
	return rc == CFG_SUCCESS;
}

/* False when the text holds a character that no text file has. */
static bool is_text(struct loader *ld, const char *text)
{
	int line = 1;
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		line += c == '\n';
		if ((c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n' || c == '\r')
			continue;
		problem_add(ld, ld->file, line, false,
		            "byte 0x%02x is a control character; this must be a text file", c);
		return false;
	}
	return true;
}

/* Reports and blanks unknown options until none is left, or until one cannot be passed. */
static void find_unknown(struct loader *ld, char *text)
{
	for (int i = 0; i < LIMIT_CONFIG_PROBLEMS; i++) {
		free(ld->unknown);
		ld->unknown = NULL;
		if (run(ld, text, true) || !ld->unknown)
			return;
		char advice[128];
		row_advice(ld->unknown_block, ld->unknown, advice, sizeof(advice));
		const char *in = block_name(ld->unknown_block);
		problem_add(ld, ld->file, ld->unknown_line, false,
		            "there is no option \"%.64s\"%s%s%s%s", ld->unknown,
		            *in ? " in a " : "", in, *in ? " block" : "", advice);
		if (!scan_blank(text, ld->unknown, ld->unknown_line))
			return;
	}
}

enum { BLOCKS_MAX = LIMIT_FEEDS + 2 * LIMIT_LISTENERS + 64 }; /* whose lines are noted */

void parse_text(struct loader *ld, char *text)
{
	assert(ld && ld->config && ld->dir && text && !ld->n_includes);
	int line;
	const char *why;
	ld->block_lines = xcalloc(BLOCKS_MAX, sizeof(int));
	ld->block_at = 0;
	if (!is_text(ld, text)) {
		ld->cut = true;
		goto out;
	}
	if (scan_prepare(text, ld->block_lines, BLOCKS_MAX, &ld->n_block_lines, &line, &why)) {
		problem_add(ld, ld->file, line, false, "%s", why);
		ld->cut = true;
		goto out;
	}
	find_unknown(ld, text);
	/* Again: a block that was blanked is no longer counted. */
	int err = scan_prepare(text, ld->block_lines, BLOCKS_MAX, &ld->n_block_lines, &line, &why);
	assert(!err); /* whole statements were blanked */
	(void)err;
	ld->n_block_lines = MIN_OF(ld->n_block_lines, BLOCKS_MAX);
	if (!run(ld, text, false)) {
		ld->cut = true;
		if (!ld->said_why)
			problem_add(ld, ld->file, 0, false, "cannot be read; look at its syntax");
	}
out:
	free(ld->unknown);
	free(ld->block_lines);
	ld->unknown = NULL;
	ld->block_lines = NULL;
}
