/* senml.h - what a SenML pack (RFC 8428, JSON) is to the broker. Pure; allocates nothing.
 *
 * Base fields are resolved into every record, relative times into absolute ones; names are taken
 * apart into thing and member, units become UCUM. How: oudp-schema(7), SENML. All or nothing: one
 * record that is wrong refuses the pack, with the pointer of the field. */
#ifndef SCHEMA_SENML_H
#define SCHEMA_SENML_H

#include "schema/schema.h"

/* Reads what schema_parse() left in s. thing: what the topic names, n == 0: nothing, then the pack
 * must be about one. now_ms: what times are relative to. 0 with *ret filled (spans as
 * schema_check()'s; has_time false when the pack has no time of its own), or ERR_INVALID with
 * *ret_verdict: schema "senml". */
int senml_extract(struct schema_scratch *s, struct span thing, int64_t now_ms, struct extract *ret,
                  struct verdict *ret_verdict) MUSTCHECK;

/* The UCUM code of a unit of SenML's registries, or of UCUM; NULL when it is neither. Static, or u
 * itself is UCUM: then *ret_same is true. */
const char *senml_unit(struct span u, bool *ret_same);

#endif
