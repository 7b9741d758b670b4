/* unit.h - is a text a unit of UCUM (The Unified Code for Units of Measure, case sensitive)? Pure.
 *
 * The grammar is UCUM's: prefixes, products, quotients, exponents, {annotations}. The atoms are a
 * table of those that a city measures in; one more is one more row in unit.c. */
#ifndef SCHEMA_UNIT_H
#define SCHEMA_UNIT_H

#include "base/span.h"

#include <stdbool.h>

bool unit_valid(struct span code);

#endif
