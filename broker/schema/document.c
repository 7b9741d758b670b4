/* document.c - the files a schema is drawn from: read to a tape, found by URI, places told as JSON
 * Pointers. */
#include "base/err.h"
#include "base/mem.h"
#include "schema/build.h"
#include "json/write.h"

#include <stdlib.h>

/* One meaning for each name, and no depth that the scan's recursion would mind: the reader bounds
 * it. */
static bool document_read(struct build *b, struct document *d, struct span source,
                          struct place from)
{
	size_t at = 0;
	const char *what = "";
	buf_init(&d->source, LIMIT_SCHEMA_BYTES);
	buf_add_span(&d->source, source);
	if (d->source.err) {
		build_fail(b, from, "%s is larger than %d bytes", d->uri, LIMIT_SCHEMA_BYTES);
		return false;
	}
	json_tape_init(&d->tape, LIMIT_JSON_TOKENS);
	if (json_parse(&d->tape, span_of(d->source.p, d->source.len), &at, &what) != 0) {
		build_fail(b, from, "byte %zu: %s", at, what);
		return false;
	}
	for (uint32_t i = 0; i < d->tape.n; i++) {
		if (d->tape.tok[i].flags & JSON_DUPLICATE && d->tape.tok[i].type == JSON_OBJECT) {
			build_fail(b, (struct place){d, i}, "a member name is given twice");
			return false;
		}
	}
	return true;
}

struct document *document_add(struct build *b, const char *uri, struct span source,
                              struct place from)
{
	struct schema *sc = b->sc;
	if (sc->n_documents == LIMIT_SCHEMA_DOCUMENTS) {
		build_fail(b, from, "more than %d files are drawn together",
		           LIMIT_SCHEMA_DOCUMENTS);
		return NULL;
	}
	struct document *d = xcalloc(1, sizeof(*d));
	d->uri = xstrdup(uri);
	sc->documents[sc->n_documents++] = d;
	if (!from.doc)
		from.doc = d;
	if (!document_read(b, d, source, from))
		return NULL;
	d->nodes = xcalloc(d->tape.n, sizeof(*d->nodes));
	d->resource = xcalloc(d->tape.n, sizeof(*d->resource));
	build_scan(b, d);
	return b->err ? NULL : d;
}

struct document *document_find(struct build *b, struct span uri, struct place from)
{
	for (unsigned i = 0; i < b->sc->n_documents; i++)
		if (span_is(uri, b->sc->documents[i]->uri))
			return b->sc->documents[i];
	struct span builtin;
	char *name = xstrndup(uri.p, uri.n);
	struct document *d = NULL;
	struct buf bytes;
	buf_init(&bytes, LIMIT_SCHEMA_BYTES + 16384); /* a loader reads by blocks */
	int err = 0;
	if (meta_source(uri, &builtin) == 0)
		buf_add_span(&bytes, builtin);
	else
		err = b->opt.load ? b->opt.load(b->opt.ctx, uri, &bytes) : ERR_NOT_FOUND;
	if (err == ERR_NOT_FOUND)
		build_fail(b, from, "cannot be resolved: %.200s is not in the schema directories",
		           name);
	else if (err)
		build_fail(b, from, "%.200s: %s", name, err_text(err));
	else
		d = document_add(b, name, span_of(bytes.p, bytes.len), from);
	buf_done(&bytes);
	free(name);
	return d;
}

void document_free(struct document *d)
{
	if (!d)
		return;
	free(d->uri);
	free(d->nodes);
	free(d->resource);
	json_tape_done(&d->tape);
	buf_done(&d->source);
	free(d);
}

void document_pointer(const struct document *d, uint32_t tok, struct buf *out)
{
	const struct json_tape *t = &d->tape;
	uint32_t at = 0;
	while (t->n > 0 && at != tok) {
		const struct json_token *container = &t->tok[at];
		bool object = container->type == JSON_OBJECT;
		uint32_t index = 0, child = at + 1, end = container->next;
		assert(container->type >= JSON_ARRAY && tok > at && tok < end);
		while (child < end) {
			uint32_t value = object ? child + 1 : child;
			if (tok < t->tok[value].next) {
				if (object) {
					struct span raw = json_text(t, child);
					char *name = xmalloc(raw.n + 1);
					size_t n = json_unescape(raw, name);
					json_write_pointer_token(out, span_of(name, n));
					free(name);
				} else {
					buf_addf(out, "/%u", index);
				}
				at = tok == child && object ? tok : value;
				break;
			}
			child = t->tok[value].next;
			index++;
		}
		assert(child < end);
	}
}
