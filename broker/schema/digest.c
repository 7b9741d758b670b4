/* digest.c - what a schema means, as one number: SHA-256 of a canonical form of its documents. Left
 * out is what only people read: white space, the order of members, how a string or number is
 * spelt, and the annotations in FOR_PEOPLE where a schema stands (not in enum, const, or a property
 * of that name). */
#include "schema/build.h"
#include "schema/node.h"
#include "schema/number.h"

#include "base/mem.h"
#include "json/write.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { CANONICAL_BYTES = 256 << 20 };              /* of all documents: their limits, escaped */
enum mode { AS_DATA, AS_SCHEMA, AS_MAP, AS_LIST }; /* a map or list of schemas */

static const char *const FOR_PEOPLE[] = {"title",   "description", "examples", "$comment",
                                         "default", "deprecated",  "readOnly", "writeOnly"};

static const struct {
	const char *name;
	enum mode mode;
} KEYWORDS[] = {
    {"properties", AS_MAP},
    {"patternProperties", AS_MAP},
    {"$defs", AS_MAP},
    {"definitions", AS_MAP},
    {"dependentSchemas", AS_MAP},
    {"dependencies", AS_MAP},
    {"allOf", AS_LIST},
    {"anyOf", AS_LIST},
    {"oneOf", AS_LIST},
    {"prefixItems", AS_LIST},
    {"items", AS_SCHEMA},
    {"additionalItems", AS_SCHEMA},
    {"unevaluatedItems", AS_SCHEMA},
    {"contains", AS_SCHEMA},
    {"additionalProperties", AS_SCHEMA},
    {"unevaluatedProperties", AS_SCHEMA},
    {"propertyNames", AS_SCHEMA},
    {"not", AS_SCHEMA},
    {"if", AS_SCHEMA},
    {"then", AS_SCHEMA},
    {"else", AS_SCHEMA},
};

struct canonical {
	const struct json_tape *t;
	struct buf *out;
};

struct named {
	char *name;
	size_t n;
	uint32_t token; /* of the value */
};

static void put_value(struct canonical *c, uint32_t i, enum mode mode);

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = memcmp(x->name, y->name, MIN_OF(x->n, y->n));
	return order ? order : (x->n > y->n) - (x->n < y->n);
}

static bool for_people(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(FOR_PEOPLE); i++)
		if (span_is(name, FOR_PEOPLE[i]))
			return true;
	return false;
}

static enum mode mode_of(const struct json_tape *t, enum mode outer, struct span name,
                         uint32_t value)
{
	if (outer == AS_MAP)
		return AS_SCHEMA;
	for (size_t i = 0; outer == AS_SCHEMA && i < ARRAY_LEN(KEYWORDS); i++)
		if (span_is(name, KEYWORDS[i].name))
			return KEYWORDS[i].mode == AS_SCHEMA && t->tok[value].type == JSON_ARRAY
			           ? AS_LIST /* items of draft-07 */
			           : KEYWORDS[i].mode;
	return AS_DATA;
}

static void put_object(struct canonical *c, uint32_t i, enum mode mode)
{
	uint32_t size = c->t->tok[i].size, at = i + 1;
	struct named *list = xcalloc(size + 1u, sizeof(*list));
	for (uint32_t k = 0; k < size; k++, at = c->t->tok[at + 1].next) {
		struct span raw = json_text(c->t, at);
		list[k].name = xmalloc(raw.n + 1);
		list[k].n = json_unescape(raw, list[k].name);
		list[k].token = at + 1;
	}
	qsort(list, size, sizeof(*list), by_name);
	buf_add_char(c->out, '{');
	for (uint32_t k = 0; k < size; k++) {
		struct span name = span_of(list[k].name, list[k].n);
		if (mode != AS_SCHEMA || !for_people(name)) {
			json_write_string(c->out, name);
			put_value(c, list[k].token, mode_of(c->t, mode, name, list[k].token));
		}
		free(list[k].name);
	}
	buf_add_char(c->out, '}');
	free(list);
}

static void put_number(struct canonical *c, struct span s)
{
	bool negative = s.p[0] == '-';
	struct span size = span_of(s.p + negative, s.n - negative);
	struct decimal d;
	if (json_number_cmp(size, SPAN("0")) == 0)
		buf_add_str(c->out, "0");
	else if (decimal_read(size, &d) == 0)
		buf_addf(c->out, "%s%lluE%lld", negative ? "-" : "", (unsigned long long)d.mantissa,
		         (long long)d.exponent);
	else
		buf_add_span(c->out, s);
	buf_add_char(c->out, ' ');
}

static void put_string(struct canonical *c, struct span raw)
{
	auto_free char *text = xmalloc(raw.n + 1);
	json_write_string(c->out, span_of(text, json_unescape(raw, text)));
}

/* The depth is that of a payload: the parser has bounded it. */
static void put_value(struct canonical *c, uint32_t i, enum mode mode)
{
	const struct json_token *t = &c->t->tok[i];
	switch (t->type) {
	case JSON_OBJECT: put_object(c, i, mode); break;
	case JSON_ARRAY:
		buf_add_char(c->out, '[');
		for (uint32_t at = i + 1; at < t->next; at = c->t->tok[at].next)
			put_value(c, at, mode == AS_LIST ? AS_SCHEMA : AS_DATA);
		buf_add_char(c->out, ']');
		break;
	case JSON_STRING: put_string(c, json_text(c->t, i)); break;
	case JSON_NUMBER: put_number(c, json_text(c->t, i)); break;
	default: buf_add_span(c->out, json_text(c->t, i)); break;
	}
}

static int by_uri(const void *a, const void *b)
{
	const struct document *x = *(struct document *const *)a, *y = *(struct document *const *)b;
	return strcmp(x->uri, y->uri);
}

void schema_keep_digest(struct schema *sc)
{
	schema_digest(sc, sc->digest);
	sc->has_digest = true;
}

void schema_digest(const struct schema *sc, uint8_t ret[SCHEMA_DIGEST_BYTES])
{
	if (sc->has_digest) {
		memcpy(ret, sc->digest, SCHEMA_DIGEST_BYTES);
		return;
	}
	const struct document *list[LIMIT_SCHEMA_DOCUMENTS];
	struct buf out;
	struct span built_in;
	unsigned size = SCHEMA_DIGEST_BYTES;
	memcpy(list, sc->documents, sc->n_documents * sizeof(list[0]));
	if (sc->n_documents > 2) /* the schema itself, then what it draws in */
		qsort(list + 1, sc->n_documents - 1, sizeof(list[0]), by_uri);
	buf_init(&out, CANONICAL_BYTES);
	for (unsigned i = 0; i < sc->n_documents; i++) {
		struct canonical c = {&list[i]->tape, &out};
		if (meta_source(span_str(list[i]->uri), &built_in) != 0)
			put_value(&c, 0, AS_SCHEMA);
	}
	assert(!out.err);
	int ok = EVP_Digest(out.p, out.len, ret, &size, EVP_sha256(), NULL);
	assert(ok == 1 && size == SCHEMA_DIGEST_BYTES);
	(void)ok;
	buf_done(&out);
}
