/* parse.h - between query.c, options.c and expr.c: a place in the text of one option. */
#ifndef STA_PARSE_H
#define STA_PARSE_H

#include "sta/query.h"

struct parse {
	struct sta_query *q;
	const char *option; /* "$filter", for messages */
	const char *begin, *p, *end;
	unsigned depth;
	struct { /* of any(x: ...), the innermost last */
		struct span name;
		enum sta_type type;
	} variable[LIMIT_STA_VARIABLES];
	unsigned n_variables;
	enum sta_type root; /* of the expression */
};

/* Sets q->error: the option, the place and the text; returns err. */
int parse_fail(struct parse *s, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void parse_blank(struct parse *s); /* passes over spaces */
bool parse_char(struct parse *s, char c);
/* A whole word, case as given, not the beginning of a longer one. */
bool parse_word(struct parse *s, const char *word);
/* A name as properties have: letters, digits, _ @ . - and what is not ASCII. n 0: none here. */
struct span parse_name(struct parse *s);
int parse_number(struct parse *s, uint64_t *ret) MUSTCHECK;

/* literal.c: a new node; n digits at p + at; 'text' behind its first quote; duration'...' the same;
 * any other literal, ERR_NOT_FOUND: there is none here. */
int parse_node(struct parse *s, enum sta_op op, uint16_t *ret) MUSTCHECK;
bool parse_digits(const struct parse *s, size_t at, size_t n);
int parse_quoted(struct parse *s, enum sta_op op, uint16_t *ret) MUSTCHECK;
int parse_duration(struct parse *s, uint16_t *ret) MUSTCHECK;
int parse_literal(struct parse *s, uint16_t *ret) MUSTCHECK;
/* Of two sides of a comparison: a time or an id that is written in quotes, as clients of other
 * servers do, becomes one. */
void parse_fit(struct parse *s, uint16_t path, uint16_t literal);

/* A path of names that begins at an entity of this type, into q->name. */
int parse_path(struct parse *s, enum sta_type of, uint16_t *ret_name, uint16_t *ret_n,
               uint16_t *ret_relations) MUSTCHECK;
/* expr.c: an expression about entities of this type. */
int parse_expression(struct parse *s, enum sta_type of, uint16_t *ret_node) MUSTCHECK;
/* The same, and one that may be true or false. */
int parse_condition(struct parse *s, enum sta_type of, uint16_t *ret_node) MUSTCHECK;
/* options.c: one option, name and '=' read before, into o. */
int parse_option(struct parse *s, struct span name, struct sta_options *o, bool top) MUSTCHECK;
void options_init(struct sta_options *o, enum sta_type of);

#endif
