/* peer.h - jansson beside our own room: both call their types JSON_OBJECT and so on, so jansson's
 * are renamed while its header is read. Its macros that use those names (json_is_object...) must
 * not be used: write json_typeof(j) == PEER_OBJECT. */
#ifndef TESTS_JSON_PEER_H
#define TESTS_JSON_PEER_H

#ifdef JSON_JSON_H
#error "include peer.h before json/json.h"
#endif
#define JSON_OBJECT  PEER_OBJECT
#define JSON_ARRAY   PEER_ARRAY
#define JSON_STRING  PEER_STRING
#define JSON_INTEGER PEER_INTEGER
#define JSON_REAL    PEER_REAL
#define JSON_TRUE    PEER_TRUE
#define JSON_FALSE   PEER_FALSE
#define JSON_NULL    PEER_NULL
#define json_equal   peer_equal
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_INTEGER
#undef JSON_REAL
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL
#undef json_equal

#endif
