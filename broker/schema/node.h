/* node.h - a compiled schema: what the builder writes and the walk reads. Private to the room.
 *
 * One node is one subschema. Its assertions are grouped by the type of value they speak about, so
 * that a value meets only those of its own type; absent groups are NULL. Nodes refer to each other
 * freely (a $ref may lead back up). Everything lives in the schema's arena or points into the
 * documents it was read from, and does not change after schema_compile(). */
#ifndef SCHEMA_NODE_H
#define SCHEMA_NODE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/limits.h"
#include "schema/arena.h"
#include "schema/format.h"
#include "schema/schema.h"

#include <pcre2.h>

enum {
	TYPES_ALL = 0xfe, /* a bit 1 << enum json_type each */
	TYPES_BOOL = 1 << JSON_FALSE | 1 << JSON_TRUE,
	TYPES_RESULT = 1 << JSON_NULL | TYPES_BOOL | 1 << JSON_NUMBER | 1 << JSON_STRING,
	NAME_WORDS = LIMIT_SCHEMA_NAMES / 64,
	NO_BIT = 0xffff,
};

struct node;

struct bound {
	double value; /* nearest to text */
	struct span text;
	bool set;
};

/* multipleOf as an exact decimal: mantissa * 10^exponent, mantissa without trailing zeros. */
struct decimal {
	uint64_t mantissa;
	int64_t exponent;
};

struct number_rule {
	struct bound min, max, above, below; /* above, below: the exclusive ones */
	struct decimal multiple;
	struct span multiple_text; /* n == 0: none */
};

struct pattern {
	pcre2_code *code;
	struct span text; /* as the schema has it */
};

struct string_rule {
	uint32_t min_length, max_length; /* code points; 0 and UINT32_MAX when absent */
	enum format format;
	const struct pattern *pattern;
};

/* enum, or const (an enum of one). Values stay where they were read. */
struct value {
	uint8_t type;
	struct span text; /* strings: unescaped; numbers: as written */
	uint32_t token;
};

struct values {
	const struct json_tape *tape;
	const struct value *v;
	uint32_t n;
};

/* A member name the schema speaks of. Open addressing in object_rule.slots. */
struct member {
	struct span name; /* unescaped */
	uint16_t hash;
	uint16_t bit;            /* in the set of names seen, or NO_BIT */
	const struct node *node; /* NULL: only asked for by required and its kin */
};

struct names { /* a set of names by their bits */
	uint64_t word[NAME_WORDS];
};

struct dependent { /* when the member of this bit is there */
	uint16_t bit;
	struct names needs;      /* dependentRequired */
	const struct node *node; /* dependentSchemas, or NULL */
};

struct match_rule { /* patternProperties */
	const struct pattern *pattern;
	const struct node *node;
};

struct object_rule {
	const struct member *slots; /* mask + 1 of them; name.p == NULL: free */
	uint32_t mask;
	uint16_t n_bits, n_words;
	const struct span *bit_names;
	struct names required;
	const struct names *any; /* of each set one at least; lowered from anyOf of required */
	uint32_t n_any;
	const struct dependent *dependents;
	uint32_t n_dependents;
	const struct match_rule *matches;
	uint32_t n_matches;
	const struct node *additional; /* NULL: anything */
	const struct node *name;       /* propertyNames */
	uint32_t min, max;
	bool any_lowered, all_lowered; /* anyOf, allOf are wholly in any */
	bool properties; /* the keyword, patternProperties or additionalProperties is there */
};

struct array_rule {
	const struct node *const *prefix;
	uint32_t n_prefix;
	const struct node *rest; /* items after prefix; NULL: anything */
	const struct node *contains;
	uint32_t min_contains, max_contains;
	uint32_t min, max;
	bool unique;
	bool contains_evaluates; /* 2020-12: what fits contains counts as evaluated */
};

enum apply_kind { APPLY_ALL, APPLY_ANY, APPLY_ONE, APPLY_NOT, APPLY_IF, APPLY_REF, APPLY_DYNAMIC };

/* Which branches a member's value leaves: build_decide.c. Open addressing in slots. */
struct decided {
	struct span text; /* the value; .p == NULL: free */
	uint64_t branches;
};
struct decide {
	struct span member;
	uint16_t hash;
	uint32_t mask;
	uint64_t always; /* those that it does not decide */
	const struct decided *slots;
};

/* A keyword that applies schemas to the value itself. */
struct apply {
	enum apply_kind kind;
	uint32_t n;
	const struct node *const *nodes; /* APPLY_IF: if, then or NULL, else or NULL */
	/* APPLY_DYNAMIC: by resource, the node its $dynamicAnchor marks, or NULL */
	const struct node *const *by_resource;
	const struct decide *decide; /* or NULL */
};

enum role { ROLE_NONE, ROLE_THING, ROLE_TIME, ROLE_LOCATION, ROLE_RESULT, ROLE_ITEM, ROLE_VERSION };
enum time_kind { TIME_RFC3339, TIME_ISO8601, TIME_EPOCH_S, TIME_EPOCH_MS };
enum axis { AXIS_NONE, AXIS_LATITUDE, AXIS_LONGITUDE };

/* x-oudp of one node. */
struct note {
	enum role role;
	enum time_kind time;
	enum axis axis;
	uint32_t rank; /* place of declaration: of two things, times or locations the lower wins */
	double scale, offset, divide; /* divide != 0: instead of scale, exact for 0.1, 0.01 ... */
	struct span name;             /* "" or the name of the datastream's member */
	const char *property, *unit;
	bool has_plausible;
	double low, high;
	double spike, stuck_s; /* 0: not stated */
};

struct node {
	uint8_t types;
	bool integer; /* numbers: only integers */
	bool deep;    /* needs more than the assertions on scalars */
	uint16_t resource;
	uint16_t n_apply;
	uint32_t index; /* of all nodes of the schema */
	const struct number_rule *number;
	const struct string_rule *string;
	const struct values *values[2]; /* enum, const */
	const struct object_rule *object;
	const struct array_rule *array;
	const struct apply *apply;
	const struct node *unevaluated_members, *unevaluated_items;
	const struct note *note;
};

/* What makes a check do more than look at each member once: how many of each. */
struct slow {
	unsigned branches, patterns, unique, contains, unevaluated, dynamic;
};

struct schema {
	char name[64], id[80];
	unsigned version;
	char *path; /* of schema.json, or NULL */
	bool has_digest;
	uint8_t digest[SCHEMA_DIGEST_BYTES];
	struct arena arena;
	struct document *documents[LIMIT_SCHEMA_DOCUMENTS];
	unsigned n_documents;
	const struct node *root;
	pcre2_code **codes; /* to free */
	unsigned n_codes, cap_codes;
	unsigned n_nodes;
	bool sets;      /* some node needs the sets of evaluated or unique items */
	bool dynamic;   /* has a $dynamicRef: the walk keeps the dynamic scope */
	bool odd_names; /* results may have names that a JSON Pointer escapes */
	bool repeats;   /* a result may be met twice: look before adding */
	bool role_version;
	struct slow slow;
	struct schema_result_info *results;
	unsigned n_results;
};
/* digest.c: makes it once, so that schema_digest() is a copy */
void schema_keep_digest(struct schema *sc);
/* compile.c: for the catalog, which knows where it came from */
void schema_set_path(struct schema *sc, const char *dir, const char *file);

#endif
