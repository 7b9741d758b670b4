/* tables.h - what a mapping has to look up: files that another mapping made.
 *
 * A file holds one message a line, as `oudp-connect --filter` prints them: {"topic", "payload"}. In
 * $tables.NAME of a program the payload stands under the last level of its topic. Files are read
 * when the connector begins. */
#ifndef HOST_TABLES_H
#define HOST_TABLES_H

#include "base/compiler.h"

#include <jv.h>
#include <stdio.h>

struct connector_conf;

/* The object of all tables of k, or invalid after having said on complaints what is wrong with
 * which line. */
jv tables_load(const struct connector_conf *k, FILE *complaints) MUSTCHECK;

#endif
