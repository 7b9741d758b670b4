/* decode_xml.c - elements into JSON, one record at a time; no DTD, no entities, no validation. */
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "host/decode_private.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

struct element {
	jv value; /* object of attributes and children */
	int members;
	size_t text_at; /* where its text begins in d->buf */
};

struct xml_state {
	XML_Parser parser;
	struct element stack[LIMIT_CONNECT_XML_DEPTH]; /* of the record that is open */
	int depth;
	int outside; /* open elements around records */
	char name[128];
	bool found; /* there was a record */
	bool leaf;  /* the element just opened outside of records has had no child */
	size_t record_bytes;
	int err;
};

static const char *local(const char *name)
{
	const char *colon = strrchr(name, ':');
	return colon ? colon + 1 : name;
}

static bool is_record(const struct decoder *d, const char *name)
{
	for (size_t i = 0; i < d->conf->n_records; i++)
		if (strcmp(d->conf->records[i], name) == 0)
			return true;
	return false;
}

static void stop(struct decoder *d, int err)
{
	struct xml_state *s = d->state;
	if (s->err == 0)
		s->err = err;
	XML_StopParser(s->parser, XML_FALSE);
}

static void open_element(struct decoder *d, struct xml_state *s, const char **attributes)
{
	if (s->depth == LIMIT_CONNECT_XML_DEPTH) {
		stop(d, decode_fail(d, ERR_MALFORMED, "elements are nested too deeply"));
		return;
	}
	struct element *e = &s->stack[s->depth++];
	*e = (struct element){.value = jv_object(), .text_at = d->buf.len};
	for (size_t i = 0; attributes[i]; i += 2) {
		if (strncmp(attributes[i], "xmlns", 5) == 0)
			continue;
		jv name = jv_string_fmt("@%s", local(attributes[i]));
		e->value = jv_object_set(e->value, name, jv_string(attributes[i + 1]));
		e->members++;
	}
}

static void XMLCALL on_start(void *ctx, const char *name, const char **attributes)
{
	struct decoder *d = ctx;
	struct xml_state *s = d->state;
	if (s->err < 0)
		return;
	if (s->depth > 0 || is_record(d, local(name))) {
		if (s->depth == 0) {
			s->found = true;
			s->record_bytes = 0;
			buf_clear(&d->buf);
		}
		open_element(d, s, attributes);
		return;
	}
	s->outside++;
	s->leaf = true;
	buf_clear(&d->buf);
	snprintf(s->name, sizeof(s->name), "%s", local(name));
}

/* A child's name that is there already becomes an array. The old value is taken out first, so that
 * it is changed in place. */
static jv add_child(jv parent, jv name, jv child)
{
	if (!jv_object_has(jv_copy(parent), jv_copy(name)))
		return jv_object_set(parent, name, child);
	jv old = jv_object_get(jv_copy(parent), jv_copy(name));
	parent = jv_object_set(parent, jv_copy(name), jv_null());
	if (jv_get_kind(old) != JV_KIND_ARRAY)
		old = JV_ARRAY(old);
	return jv_object_set(parent, name, jv_array_append(old, child));
}

static jv close_element(struct decoder *d, struct xml_state *s)
{
	struct element *e = &s->stack[--s->depth];
	const char *p = buf_str(&d->buf) + e->text_at;
	size_t n = d->buf.len - e->text_at;
	while (n > 0 && strchr(" \t\r\n", p[n - 1]))
		n--;
	while (n > 0 && strchr(" \t\r\n", *p))
		p++, n--;
	jv value = e->value;
	if (e->members == 0) {
		jv_free(value);
		value = jv_string_sized(n > 0 ? p : "", (int)n);
	} else if (n > 0) {
		value = jv_object_set(value, jv_string("#text"), jv_string_sized(p, (int)n));
	}
	d->buf.len = e->text_at;
	return value;
}

static void XMLCALL on_end(void *ctx, const char *name)
{
	struct decoder *d = ctx;
	struct xml_state *s = d->state;
	if (s->err < 0)
		return;
	if (s->depth == 0) {
		if (s->leaf && d->buf.len > 0)
			decode_head(d, s->name, strlen(s->name), d->buf.p, d->buf.len);
		s->leaf = false;
		s->outside--;
		return;
	}
	jv value = close_element(d, s);
	if (s->depth > 0) {
		struct element *parent = &s->stack[s->depth - 1];
		parent->value = add_child(parent->value, jv_string(local(name)), value);
		parent->members++;
		return;
	}
	if (jv_get_kind(value) == JV_KIND_OBJECT)
		value = jv_object_set(value, jv_string("@element"), jv_string(local(name)));
	int err = d->cb(d->ctx, value, 0);
	if (err < 0)
		stop(d, err);
}

static void XMLCALL on_text(void *ctx, const char *p, int n)
{
	struct decoder *d = ctx;
	struct xml_state *s = d->state;
	if (s->err < 0 || (s->depth == 0 && !s->leaf))
		return;
	s->record_bytes += (size_t)n;
	int err = s->record_bytes > LIMIT_CONNECT_RECORD_BYTES && s->depth > 0
	              ? decode_fail(d, ERR_TOO_LARGE, "a record is too large")
	              : decode_collect(d, p, (size_t)n);
	if (err < 0)
		stop(d, err);
}

/* Nobody needs entities of their own in measurements; they are how XML readers are attacked. */
static void XMLCALL on_entity(void *ctx, const char *name, int parameter, const char *value, int n,
                              const char *base, const char *system, const char *public,
                              const char *notation)
{
	struct decoder *d = ctx;
	(void)name, (void)parameter, (void)value, (void)n, (void)base, (void)system, (void)public,
	    (void)notation;
	stop(d, decode_fail(d, ERR_MALFORMED, "entity declarations are not taken"));
}

static void xml_begin(struct decoder *d)
{
	struct xml_state *s = d->state;
	s->parser = XML_ParserCreate(NULL);
	if (!s->parser)
		abort();
	XML_SetUserData(s->parser, d);
	XML_SetElementHandler(s->parser, on_start, on_end);
	XML_SetCharacterDataHandler(s->parser, on_text);
	XML_SetEntityDeclHandler(s->parser, on_entity);
}

/* Expat counts in 64 bits from 2.8 on, and has the former function no more one day. */
static unsigned long long line_of(XML_Parser parser)
{
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 8
	return XML_GetCurrentLineNumber64(parser);
#else
	return XML_GetCurrentLineNumber(parser);
#endif
}

static int parse(struct decoder *d, const char *p, size_t n, int last)
{
	struct xml_state *s = d->state;
	if (XML_Parse(s->parser, p, (int)n, last) == XML_STATUS_OK && s->err == 0)
		return 0;
	if (s->err < 0)
		return s->err;
	return decode_fail(d, ERR_MALFORMED, "line %llu: %s", line_of(s->parser),
	                   XML_ErrorString(XML_GetErrorCode(s->parser)));
}

static int xml_feed(struct decoder *d, const char *p, size_t n)
{
	return parse(d, p, n, 0);
}

static int xml_end(struct decoder *d)
{
	const struct xml_state *s = d->state;
	int err = parse(d, "", 0, 1);
	if (err < 0 || s->found)
		return err;
	/* the source has another shape: that is not the same as no news */
	return decode_fail(d, ERR_MALFORMED, "there is no element %s in it%s", d->conf->records[0],
	                   d->conf->n_records > 1 ? ", nor another of records" : "");
}

static void xml_done(struct decoder *d)
{
	struct xml_state *s = d->state;
	while (s->depth > 0)
		jv_free(s->stack[--s->depth].value);
	if (s->parser)
		XML_ParserFree(s->parser);
	memset(s, 0, sizeof(*s));
}

const struct format format_xml = {sizeof(struct xml_state), xml_begin, xml_feed, xml_end, xml_done};
