/* public.c - options of the pages and the catalogue: addresses are addresses, and a public feed
 * says what DCAT-AP-NL 3.0 makes mandatory for a dataset and its distributions. */
#include "config/load.h"

#include <stdio.h>
#include <string.h>

static bool given(const struct place *p, enum block b, const char *option, unsigned *ret_file,
                  int *ret_line)
{
	unsigned at;
	const struct row *r = row_find(b, option, &at);
	assert(r);
	(void)r;
	bool there = p->row_line[at] > 0;
	*ret_file = there ? p->row_file[at] : p->file;
	*ret_line = there ? p->row_line[at] : p->line;
	return there;
}

static bool is_web_address(const char *s)
{
	bool front = strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0;
	return front && strstr(s, "://")[3] && !strpbrk(s, " \t\"<>\\^`|;");
}

static void check_address(struct loader *ld, const char *option, const char *value)
{
	unsigned file;
	int line;
	(void)given(&ld->root, BLOCK_ROOT, option, &file, &line);
	if (*value && !is_web_address(value))
		problem_add(ld, file, line, false,
		            "%s: \"%s\" is no web address; write https://...", option, value);
}

static bool is_colour(const char *s)
{
	return strlen(s) == 7 && *s == '#' && strspn(s + 1, "0123456789abcdefABCDEF") == 6;
}

/* ---- feeds ---- */

static void need(struct loader *ld, const struct config_feed *f, const struct place *p,
                 const char *option, const char *why)
{
	unsigned file;
	int line;
	(void)given(p, BLOCK_FEED, "access", &file, &line);
	problem_add(ld, file, line, false,
	            "feed \"%s\" is public and needs %s for the catalogue: %s", f->name, option,
	            why);
}

static void check_feed(struct loader *ld, const struct config_feed *f, const struct place *p)
{
	if (f->access != CONFIG_PUBLIC)
		return;
	if (!*f->description)
		need(ld, f, p, "description", "say what it is, in a sentence or two");
	if (!*f->licence)
		need(ld, f, p, "licence",
		     "write its address, such as "
		     "http://creativecommons.org/publicdomain/zero/1.0/");
	if (!*f->contact)
		need(ld, f, p, "contact", "say whom to ask, such as mailto:data@voorbeeld.nl");
	if (!*f->theme)
		need(ld, f, p, "theme",
		     "write its address, such as "
		     "http://publications.europa.eu/resource/authority/data-theme/ENVI");
	const struct {
		const char *option, *value;
	} addresses[] = {{"licence", f->licence}, {"theme", f->theme}};
	for (unsigned i = 0; i < 2; i++) {
		unsigned file;
		int line;
		if (!*addresses[i].value || is_web_address(addresses[i].value))
			continue;
		(void)given(p, BLOCK_FEED, addresses[i].option, &file, &line);
		problem_add(ld, file, line, false,
		            "%s: a public feed's is a web address: http://... or https://...",
		            addresses[i].option);
	}
}

void check_public(struct loader *ld)
{
	struct config *c = ld->config;
	unsigned file;
	int line;
	const struct {
		const char *option, *value;
	} addresses[] = {{"public-url", c->public_url},
	                 {"map-tiles", c->map_tiles},
	                 {"address-search", c->address_search},
	                 {"accessibility", c->accessibility}};
	for (unsigned i = 0; i < ARRAY_LEN(addresses); i++)
		check_address(ld, addresses[i].option, addresses[i].value);
	size_t n = strlen(c->public_url);
	(void)given(&ld->root, BLOCK_ROOT, "public-url", &file, &line);
	if (n && c->public_url[n - 1] == '/')
		problem_add(ld, file, line, false, "public-url: leave out the slash at the end");
	(void)given(&ld->root, BLOCK_ROOT, "colour", &file, &line);
	if (*c->colour && !is_colour(c->colour))
		problem_add(ld, file, line, false,
		            "colour: \"%s\" is no colour; write six hexadecimal digits, such as "
		            "\"#154273\"",
		            c->colour);
	for (size_t i = 0; i < c->n_feeds; i++)
		check_feed(ld, &c->feeds[i], &ld->feeds[i]);
}
