/* query.h - what somebody asks of a SensorThings service: the path to a resource and the system
 * query options behind it ($filter, $orderby, $top, $skip, $count, $select, $expand,
 * $resultFormat), read into a tree. Pure; SensorThings 1.1 (OGC 18-088) clauses 9.2 and 9.3, in the
 * grammar of OData 4.0 (URL conventions) as far as those use it.
 *
 * Everything of one query lies in one struct: nodes in fixed tables (LIMIT_STA_*), texts as views
 * of its own copy of the decoded request. Nothing is allocated per node. Depth is bounded.
 *
 * Errors: ERR_MALFORMED (the grammar), ERR_NOT_FOUND (a set, relation or property that the model
 * does not have), ERR_TOO_LARGE (a named limit). error tells where, in words for the asker. */
#ifndef STA_QUERY_H
#define STA_QUERY_H

#include "base/limits.h"
#include "sta/model.h"

#include <stdint.h>

/* ---- expressions ---- */
enum sta_op {
	/* leaves */
	STA_NULL,
	STA_BOOL,
	STA_NUMBER,
	STA_STRING,
	STA_TIME,     /* an instant: ms */
	STA_INTERVAL, /* ms to end_ms */
	STA_DURATION, /* ms */
	STA_GEOMETRY, /* text is WKT */
	STA_PATH,     /* names: Datastream/Thing/name, properties/colour */
	/* inner */
	STA_OR,
	STA_AND,
	STA_NOT,
	STA_EQ,
	STA_NE,
	STA_GT,
	STA_GE,
	STA_LT,
	STA_LE,
	STA_ADD,
	STA_SUB,
	STA_MUL,
	STA_DIV,
	STA_MOD,
	STA_IN, /* a value among those of an array */
	STA_MINUS,
	STA_CALL,
	STA_ANY /* names: the relations that lead to the set; kid 0: the condition, if any */
};

enum sta_function {
	STA_F_SUBSTRINGOF,
	STA_F_CONTAINS,
	STA_F_STARTSWITH,
	STA_F_ENDSWITH,
	STA_F_LENGTH,
	STA_F_INDEXOF,
	STA_F_SUBSTRING,
	STA_F_TOLOWER,
	STA_F_TOUPPER,
	STA_F_TRIM,
	STA_F_CONCAT,
	STA_F_YEAR,
	STA_F_MONTH,
	STA_F_DAY,
	STA_F_HOUR,
	STA_F_MINUTE,
	STA_F_SECOND,
	STA_F_FRACTIONALSECONDS,
	STA_F_DATE,
	STA_F_TIME,
	STA_F_TOTALOFFSETMINUTES,
	STA_F_NOW,
	STA_F_MINDATETIME,
	STA_F_MAXDATETIME,
	/* of two times, as other servers have them */
	STA_F_BEFORE,
	STA_F_AFTER,
	STA_F_MEETS,
	STA_F_DURING,
	STA_F_OVERLAPS,
	STA_F_STARTS,
	STA_F_FINISHES,
	STA_F_ROUND,
	STA_F_FLOOR,
	STA_F_CEILING,
	STA_F_GEO_DISTANCE,
	STA_F_GEO_LENGTH,
	STA_F_GEO_INTERSECTS,
	STA_F_ST_EQUALS,
	STA_F_ST_DISJOINT,
	STA_F_ST_TOUCHES,
	STA_F_ST_WITHIN,
	STA_F_ST_OVERLAPS,
	STA_F_ST_CROSSES,
	STA_F_ST_INTERSECTS,
	STA_F_ST_CONTAINS,
	STA_F_ST_RELATE,
	STA_FUNCTIONS
};

struct sta_node {
	enum sta_op op;
	uint16_t kid[3]; /* indexes of nodes; how many: by op, of a call n_kids */
	uint8_t n_kids;
	uint8_t function; /* STA_CALL: enum sta_function */
	bool truth;       /* STA_BOOL; STA_PATH: its value may be a truth value */
	double number;
	int64_t ms, end_ms;
	uint16_t name, n_names; /* STA_PATH, STA_ANY: in names */
	uint16_t n_relations;   /* STA_PATH: so many of its names lead to other entities */
	uint8_t outer; /* STA_PATH, STA_ANY: begins so many any() further out; the entity itself is
	                  outermost */
	struct span text;
};

enum { STA_NO_NODE = UINT16_MAX };

/* ---- options ---- */
struct sta_order {
	uint16_t node;
	bool descending;
};

/* Of the resource, or of one $expand. */
struct sta_options {
	enum sta_type of;
	uint16_t filter; /* node, or STA_NO_NODE */
	struct sta_order order[LIMIT_STA_ORDERS];
	unsigned n_order;
	bool has_top, has_skip, count;
	bool distinct; /* each choice of $select once, over all of the set */
	uint64_t top, skip;
	uint16_t select, n_select; /* in paths; n_select 0: everything */
	uint16_t first_expand;     /* in expands, a chain by next; STA_NO_NODE: none */
	struct span text;          /* of an $expand: what stood between its brackets, decoded */
};

struct sta_expand {
	const struct sta_relation *relation;
	uint16_t next; /* of the same options; STA_NO_NODE: the last */
	struct sta_options options;
};

struct sta_select { /* a property or relation, and what is below it: unitOfMeasurement/name */
	uint16_t name, n_names;
};

/* ---- the path ---- */
struct sta_step { /* Things(1): by = id; /Datastreams: the whole relation */
	enum sta_type type;
	const struct sta_relation *relation; /* NULL: the first, a set of the service */
	bool has_id;
	int64_t id;
};

enum sta_what {
	STA_WHAT_ROOT,     /* /: the landing page */
	STA_WHAT_SET,      /* many entities */
	STA_WHAT_ENTITY,   /* one */
	STA_WHAT_PROPERTY, /* of one: names */
	STA_WHAT_VALUE,    /* the same, bare: /$value */
	STA_WHAT_REF       /* links only: /$ref, of a set or of one */
};

enum sta_format { STA_JSON, STA_DATA_ARRAY, STA_GEOJSON };

struct sta_query {
	enum sta_what what;
	bool many;    /* the last step names a set, not one entity */
	bool in_path; /* an error was in the path: ERR_NOT_FOUND is a 404 then */
	struct sta_step step[LIMIT_STA_STEPS];
	unsigned n_steps;
	uint16_t property, n_property; /* in names */
	struct sta_options options;
	enum sta_format format;
	struct span cursor; /* $skiptoken of a link of ours, as it is */

	/* tables */
	struct sta_node node[LIMIT_STA_NODES];
	struct span name[LIMIT_STA_NODES];
	struct sta_select select[LIMIT_STA_SELECTS];
	struct sta_expand expand[LIMIT_STA_EXPANDS];
	unsigned n_node, n_name, n_select, n_expand;
	size_t used;
	char text[LIMIT_STA_QUERY_BYTES]; /* decoded */
	char error[200];
};

/* Reads path (what stands behind /sta/v1.1, "" or "/Things(1)", percent-encoded) and options
 * (behind the '?', percent-encoded; n 0: none). 0 or an error with q->error set. */
int sta_query_read(struct sta_query *q, struct span path, struct span options) MUSTCHECK;

/* The type of what the path ends in. */
static inline enum sta_type sta_query_type(const struct sta_query *q)
{
	return q->step[q->n_steps - 1].type;
}

const char *sta_function_name(enum sta_function f);

#endif
