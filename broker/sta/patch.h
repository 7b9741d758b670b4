/* patch.h - JSON Patch (RFC 6902), which SensorThings 1.1 has for PATCH with the media type
 * application/json-patch+json (10.3). Pure and bounded: LIMIT_STA_PATCH operations, a document of
 * LIMIT_ENTITY_BYTES at each step. All operations or none. */
#ifndef STA_PATCH_H
#define STA_PATCH_H

#include "base/compiler.h"
#include "base/span.h"

#include <stdbool.h>

bool sta_patch_is(const char *type); /* a media type: application/json-patch+json */
/* 0 with *ret, the new document, malloc'ed; ERR_INVALID with what is wrong. loose: doc is a part of
 * what the client sees, so that replace is add where there is nothing. */
int sta_patch(struct span doc, struct span patch, bool loose, char **ret, char why[200]) MUSTCHECK;

#endif
