/* build.h - turning the bytes of a schema.json into nodes. Private to the room; lives only during
 * schema_compile().
 *
 * Documents are the files drawn together by $ref. Each is read to a tape, which stays: enum and
 * const values, member names and bounds are views into it. A scan notes where subschemas stand,
 * their resource ($id) and anchors. Then nodes are made from a work list, never by recursion: a
 * $ref asks for the node of a place, which is made once and may be asked for while it is being
 * made.
 *
 * Errors: the first one is kept, with the JSON Pointer of its place; everything after it does
 * nothing. */
#ifndef SCHEMA_BUILD_H
#define SCHEMA_BUILD_H

#include "schema/node.h"

enum draft { /* bits, so that keywords can name the drafts they belong to */
	     DRAFT_07 = 1,
	     DRAFT_2020 = 2,
	     DRAFT_BOTH = 3
};

struct document {
	char *uri; /* absolute, without fragment */
	struct buf source;
	struct json_tape tape;
	/* by token: the node made of it, and 1 + the resource it belongs to; build only */
	struct node **nodes;
	uint16_t *resource;
};

struct resource {
	const char *uri;
	struct document *doc;
	uint32_t tok;
	enum draft draft;
	bool assertions; /* false: its metaschema leaves the validation vocabulary out */
};

struct anchor {
	uint16_t resource;
	bool dynamic;
	struct span name;
	uint32_t tok;
};

/* Fetches the bytes of the document uri into out. 0, ERR_NOT_FOUND, or another error. */
typedef int schema_loader(void *ctx, struct span uri, struct buf *out);

struct schema_options {
	schema_loader *load; /* NULL: none but the built-in metaschemas */
	void *ctx;
	const char *uri;       /* of the source itself */
	enum draft draft;      /* of documents without $schema; 0: 2020-12 */
	bool format_annotates; /* format asserts nothing, as 2020-12 has it by default */
};

/* A place: where a subschema or keyword stands. */
struct place {
	struct document *doc;
	uint32_t tok;
};

struct made { /* a node and where it stands; filled in this order */
	struct node *node;
	struct place at;
};

struct dynamic_ref {
	struct node *node;
	unsigned apply; /* its APPLY_DYNAMIC */
	struct span anchor;
};

struct build {
	struct schema *sc;
	struct schema_options opt;
	char *why;
	size_t why_size;
	int err;

	struct resource *resources;
	unsigned n_resources, cap_resources;
	struct anchor *anchors;
	unsigned n_anchors, cap_anchors;
	struct made *made; /* all nodes; those from n_filled on wait */
	unsigned n_made, cap_made, n_filled;
	struct dynamic_ref *dynamics;
	unsigned n_dynamics, cap_dynamics;
};

/* compile.c */
int schema_build(struct span source, const char *name, unsigned version,
                 const struct schema_options *opt, struct schema **ret, char *why,
                 size_t why_size) MUSTCHECK;
void build_fail(struct build *b, struct place at, const char *fmt, ...) PRINTF(3, 4);
/* The node of the schema at a place, to be filled later; a stand-in after a failure. Never NULL. */
const struct node *build_node(struct build *b, struct place at);
/* The same for each element of the array at a place. */
const struct node *const *build_nodes(struct build *b, struct place at, uint32_t *ret_n);
enum draft build_draft(const struct build *b, struct place at);
/* The value of a keyword of the schema at a place; .tok == 0 when it is absent (or belongs to
 * another draft). */
struct place build_keyword(const struct build *b, struct place at, const char *name);
/* A keyword that must be a whole number from 0: fallback when it is absent. */
uint32_t build_count(struct build *b, struct place at, const char *name, uint32_t fallback);
struct span build_text(struct build *b, struct place at); /* a string, unescaped; must be one */
/* The same for a name or string that is known to be one. */
struct span build_string(struct build *b, struct document *d, uint32_t tok);
const struct pattern *build_pattern(struct build *b, struct place at, struct span text);
void *build_more(void *p, unsigned n, unsigned *cap, size_t size); /* room for one more */

static inline const struct json_token *place_token(struct place p)
{
	return &p.doc->tape.tok[p.tok];
}
static inline struct place place_at(struct place p, uint32_t tok)
{
	return (struct place){p.doc, tok};
}

/* document.c */
struct document *document_add(struct build *b, const char *uri, struct span source,
                              struct place from);
struct document *document_find(struct build *b, struct span uri, struct place from);
void document_free(struct document *d);
/* Appends the JSON Pointer of a token. */
void document_pointer(const struct document *d, uint32_t tok, struct buf *out);

/* ref.c */
void build_scan(struct build *b, struct document *d); /* resources and anchors of a document */
/* The place ref leads to from a place; .doc == NULL when b has failed. */
struct place build_resolve(struct build *b, struct place at, struct span ref);
const struct anchor *build_anchor(const struct build *b, unsigned resource, struct span name);
int meta_source(struct span uri, struct span *ret); /* meta.c: the built-in metaschemas */

/* build_decide.c: when all nodes are filled */
void build_decides(struct build *b);

/* keywords; each fills its part of a node */
void build_scalars(struct build *b, struct node *n, struct place at); /* build_scalar.c */
void build_object(struct build *b, struct node *n, struct place at);  /* build_object.c */
void build_array(struct build *b, struct node *n, struct place at);   /* build_array.c */
void build_apply(struct build *b, struct node *n, struct place at);   /* build_apply.c */
void build_note(struct build *b, struct node *n, struct place at);    /* note.c */

/* results.c: what extraction can yield, found by walking the nodes */
void build_results(struct build *b);

#endif
