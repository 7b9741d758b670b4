/* route.h - which feed takes a topic: the topics = { "city/air/{thing}" } of the feed blocks.
 *
 * A template is a topic whose levels are literal, except that one level may be {thing}, which takes
 * exactly one level that is not empty, and that the last may be '#', which takes any number of
 * further levels, none included. '#' alone takes everything. '+' is not allowed. Templates that
 * begin with '$' are not allowed, and neither {thing} nor '#' in the first level takes a topic that
 * begins with '$': those are the server's own [MQTT-4.7.2-1].
 *
 * The most specific template wins. Compared level by level from the left, at the first level where
 * two templates differ: a literal beats {thing}, {thing} beats '#', and the end of a template beats
 * '#'. So for a/b: "a/b" before "a/b/#" before "a/{thing}" before "{thing}/b" before "#". Two
 * templates can only tie when they are equal; between two feeds that is an error of the
 * configuration.
 *
 * The table is built once from the configuration and then only read; a reload builds a new one. A
 * lookup costs a hash probe per level (a few more where it must go back to {thing}: at most one
 * {thing} per template keeps that below levels^2), allocates nothing. */
#ifndef TOPIC_ROUTE_H
#define TOPIC_ROUTE_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct route_table;

struct route_table *route_new(void);
void route_free(struct route_table *t); /* NULL is fine */

/* Is it a template at all? 0, or ERR_MALFORMED / ERR_TOO_LARGE with a sentence in text (may be NULL
 * when size is 0). */
int route_template_check(struct span template, char *text, size_t size) MUSTCHECK;

/* Adds a template of a feed; the number is the caller's. The same template twice for one feed is
 * nothing. 0; ERR_MALFORMED or ERR_TOO_LARGE: not a template; ERR_CONFIG: another feed has this
 * template, its number in *ret_other (may be NULL). text says which and why. */
int route_add(struct route_table *t, struct span template, uint32_t feed, uint32_t *ret_other,
              char *text, size_t size) MUSTCHECK;

/* The feed of a legal topic, and what stood for {thing} (a view into topic; empty when the template
 * has none). 0 or ERR_NOT_FOUND. */
int route_find(const struct route_table *t, struct span topic, uint32_t *ret_feed,
               struct span *ret_thing) MUSTCHECK;

/* The template as a MQTT filter: {thing} becomes '+'. Writes at most template.n bytes to out and
 * returns how many. The template is a legal one. */
size_t route_template_filter(struct span template, char *out);

#endif
