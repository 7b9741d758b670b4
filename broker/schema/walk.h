/* walk.h - one walk of a compiled schema over a tape. Private to the room.
 *
 * The same code runs in two ways. Quiet (report == NULL): the first violation ends it; results are
 * extracted on the way. With a report: it goes on after a violation and each one is told, nothing
 * is extracted. A message that fits is walked once; one that does not is walked again for its
 * verdict.
 *
 * walk_stop() is the one place where a violation is counted: true means stop here. Nothing
 * allocates: paths, marks and texts have room in struct stacks, made for the largest message so
 * far. */
#ifndef SCHEMA_WALK_H
#define SCHEMA_WALK_H

#include "schema/node.h"

enum rule { /* what was violated; names in verdict.c */
	    RULE_FALSE,
	    RULE_TYPE,
	    RULE_ENUM,
	    RULE_CONST,
	    RULE_MINIMUM,
	    RULE_MAXIMUM,
	    RULE_EXCLUSIVE_MINIMUM,
	    RULE_EXCLUSIVE_MAXIMUM,
	    RULE_MULTIPLE_OF,
	    RULE_MIN_LENGTH,
	    RULE_MAX_LENGTH,
	    RULE_PATTERN,
	    RULE_FORMAT,
	    RULE_REQUIRED,           /* extra: bit */
	    RULE_ANY_REQUIRED,       /* extra: index in object_rule.any */
	    RULE_DEPENDENT,          /* extra: bit wanted | bit there << 16 */
	    RULE_ADDITIONAL,         /* extra: token of the name */
	    RULE_UNEVALUATED_MEMBER, /* extra: the same */
	    RULE_UNEVALUATED_ITEM,   /* extra: index */
	    RULE_MIN_PROPERTIES,
	    RULE_MAX_PROPERTIES,
	    RULE_MIN_ITEMS,
	    RULE_MAX_ITEMS,
	    RULE_UNIQUE,       /* extra: the two indexes, first << 16; 0: too many to tell */
	    RULE_MIN_CONTAINS, /* extra: how many fit */
	    RULE_MAX_CONTAINS,
	    RULE_NOT,
	    RULE_ANY_OF, /* extra: index in node.apply */
	    RULE_ONE_OF, /* extra: how many fit */
	    RULE_TIME,
	    RULE_THING,
	    RULE_LOCATION,
	    RULE_RESULT,  /* a number too large */
	    RULE_RESULTS, /* too many, or their texts too long */
	    RULE_LIMIT
};

struct report {
	struct verdict *out; /* NULL: only counts */
	unsigned max, n;     /* room and used; max == 1: keeps the most telling one */
	unsigned depth;      /* of the best so far */
	/* of a branch under trial: */
	unsigned count;
	unsigned base_depth;
	unsigned discriminators; /* const or enum failed at or just below the branch's value */
	uint32_t decided_at;     /* token of the first of those; 0: the value itself, or none */
	uint32_t decided_step;   /* from the value to there: of its path */
	bool wrong_type;         /* the value itself has another type */
	unsigned types;          /* that it might have had */
};

/* private_ of a scratch: everything a walk needs room for. */
struct stacks {
	uint32_t path[LIMIT_JSON_DEPTH + 4]; /* PATH_INDEX | index, or the token of a name */
	uint16_t scope[LIMIT_SCHEMA_NESTING + 2];
	pcre2_match_data *match;
	pcre2_match_context *limits;
	/* by need of a schema's sets; sized by tokens */
	uint32_t *evaluated, *stamp;
	uint32_t evaluated_cap, tokens_cap, generation;
	uint64_t *hashes;
	uint32_t *table;
};

enum { PATH_INDEX = 1u << 31 };

struct walk {
	const struct schema *sc;
	const struct json_tape *tape;
	const struct json_token *tok;
	struct schema_scratch *s;
	struct stacks *st;
	struct extract *ret;   /* NULL: nothing is extracted */
	struct report *report; /* NULL: quiet */
	uint64_t failures;
	int64_t steps;
	unsigned nesting, depth, n_scope;
	bool exhausted; /* steps, nesting or a pattern's limit: no verdict is possible */
	bool naming;    /* the value is a member's name */
	bool collect;   /* somebody up here asks which members or items were evaluated */
	uint32_t n_evaluated;
	double number;     /* of the number token being looked at */
	uint32_t time_tok; /* 0, or the string whose date-time time_ms is */
	int64_t time_ms;
	/* extraction */
	enum rule broken;      /* what kept it from fitting the extract, for the verdict */
	unsigned item_depth;   /* names of results start here */
	unsigned first_result; /* of this item, or 0 */
	bool in_item, item_has_time;
	int64_t item_time_ms;
	uint32_t item_time_rank;
	uint32_t ranks[ROLE_VERSION + 1];
	int32_t axis_e7[AXIS_LONGITUDE + 1];
	bool has_axis[AXIS_LONGITUDE + 1];
};

/* walk.c */
bool walk_value(struct walk *w, const struct node *n, uint32_t i);
bool walk_give_up(struct walk *w); /* returns false */
bool walk_match(struct walk *w, const struct pattern *p, uint32_t i);
/* A string's text: a view into the payload, or unescaped behind what was extracted; until the next
 * such call. */
struct span walk_text(struct walk *w, uint32_t i);
void walk_evaluated(struct walk *w, uint32_t i); /* marks the token as evaluated */

/* apply.c */
bool walk_apply(struct walk *w, const struct node *n, uint32_t i);
bool walk_try(struct walk *w, const struct node *n, uint32_t i); /* leaves no trace if it fails */

/* walk_object.c, walk_array.c */
bool walk_object(struct walk *w, const struct node *n, uint32_t i);
bool walk_array(struct walk *w, const struct node *n, uint32_t i);
bool walk_unevaluated(struct walk *w, const struct node *n, uint32_t i, uint32_t mark);
/* unique.c: false with *ret_pair as RULE_UNIQUE has it when two items are equal. */
bool walk_unique(struct walk *w, uint32_t i, uint32_t *ret_pair);

/* extract.c */
bool walk_note(struct walk *w, const struct node *n, uint32_t i);
bool walk_item(struct walk *w, const struct node *n, uint32_t i); /* an element of an item */
void walk_finish(struct walk *w);

/* verdict.c */
void report_add(struct walk *w, uint32_t i, enum rule rule, const struct node *n, uint32_t extra);
void verdict_json(struct verdict *v, size_t at, const char *why);
void verdict_plain(struct verdict *v, const struct schema *sc, enum rule rule, const char *text);

/* Counts a violation; true: stop here, false: it was told, go on. */
static inline bool walk_stop(struct walk *w, uint32_t i, enum rule rule, const struct node *n,
                             uint32_t extra)
{
	w->failures++;
	if (likely(!w->report))
		return true;
	report_add(w, i, rule, n, extra);
	return false;
}

#endif
