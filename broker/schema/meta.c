/* meta.c - the metaschemas, so that "$ref" to one needs no network: what 2020-12 and draft-07 ask
 * of a schema, in our words and in one document each. Not used to check schemas: the builder says
 * more precisely what is wrong. */
#include "schema/build.h"

#include "base/err.h"

#define COUNT  "{\"type\":\"integer\",\"minimum\":0}"
#define STRING "{\"type\":\"string\"}"
#define NUMBER "{\"type\":\"number\"}"
#define BOOL   "{\"type\":\"boolean\"}"
#define NAMES  "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true}"
#define TYPES                                                                                      \
	"{\"anyOf\":[{\"$ref\":\"#/TYPE\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#/TYPE\"},"   \
	"\"minItems\":1,\"uniqueItems\":true}]}"
#define TYPE                                                                                       \
	"{\"enum\":[\"array\",\"boolean\",\"integer\",\"null\",\"number\",\"object\",\"string\"]}"

/* Members both drafts have in the same form; ONE, MANY and MAP are theirs. */
#define SHARED(ONE, MANY, MAP)                                                                     \
	"\"$schema\":" STRING ",\"$comment\":" STRING ",\"title\":" STRING                         \
	",\"description\":" STRING ",\"readOnly\":" BOOL ",\"writeOnly\":" BOOL                    \
	",\"examples\":{\"type\":\"array\"},\"multipleOf\":{\"type\":\"number\","                  \
	"\"exclusiveMinimum\":0},\"maximum\":" NUMBER ",\"exclusiveMaximum\":" NUMBER              \
	",\"minimum\":" NUMBER ",\"exclusiveMinimum\":" NUMBER ",\"maxLength\":" COUNT             \
	",\"minLength\":" COUNT ",\"pattern\":{\"type\":\"string\",\"format\":\"regex\"},"         \
	"\"maxItems\":" COUNT ",\"minItems\":" COUNT ",\"uniqueItems\":" BOOL                      \
	",\"maxProperties\":" COUNT ",\"minProperties\":" COUNT ",\"required\":" NAMES             \
	",\"enum\":{\"type\":\"array\"},\"const\":true,\"default\":true,\"type\":" TYPES           \
	",\"format\":" STRING ",\"contentEncoding\":" STRING ",\"contentMediaType\":" STRING       \
	",\"contains\":" ONE ",\"additionalProperties\":" ONE ",\"propertyNames\":" ONE            \
	",\"properties\":" MAP ",\"patternProperties\":" MAP ",\"definitions\":" MAP               \
	",\"allOf\":" MANY ",\"anyOf\":" MANY ",\"oneOf\":" MANY ",\"not\":" ONE ",\"if\":" ONE    \
	",\"then\":" ONE ",\"else\":" ONE

#define ONE_NEW  "{\"$dynamicRef\":\"#meta\"}"
#define MANY_NEW "{\"type\":\"array\",\"minItems\":1,\"items\":" ONE_NEW "}"
#define MAP_NEW  "{\"type\":\"object\",\"additionalProperties\":" ONE_NEW "}"
#define ONE_07   "{\"$ref\":\"#\"}"
#define MANY_07  "{\"type\":\"array\",\"minItems\":1,\"items\":" ONE_07 "}"
#define MAP_07   "{\"type\":\"object\",\"additionalProperties\":" ONE_07 "}"

static const char META_2020[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"$id\":\"https://json-schema.org/draft/2020-12/schema\",\"$dynamicAnchor\":\"meta\","
    "\"TYPE\":" TYPE ",\"type\":[\"object\",\"boolean\"],\"properties\":{"
    "\"$id\":{\"type\":\"string\",\"pattern\":\"^[^#]*#?$\"},\"$ref\":" STRING
    ",\"$dynamicRef\":" STRING ",\"$anchor\":" STRING ",\"$dynamicAnchor\":" STRING
    ",\"$vocabulary\":{\"type\":\"object\"},\"$defs\":" MAP_NEW ",\"deprecated\":" BOOL
    ",\"prefixItems\":" MANY_NEW ",\"items\":" ONE_NEW ",\"minContains\":" COUNT
    ",\"maxContains\":" COUNT ",\"dependentRequired\":{\"type\":\"object\","
    "\"additionalProperties\":" NAMES "},\"dependentSchemas\":" MAP_NEW
    ",\"unevaluatedItems\":" ONE_NEW ",\"unevaluatedProperties\":" ONE_NEW
    ",\"contentSchema\":" ONE_NEW "," SHARED(ONE_NEW, MANY_NEW, MAP_NEW) "}}";

static const char META_07[] =
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
    "\"$id\":\"http://json-schema.org/draft-07/schema#\","
    "\"TYPE\":" TYPE ",\"type\":[\"object\",\"boolean\"],\"properties\":{"
    "\"$id\":" STRING ",\"$ref\":" STRING ",\"items\":{\"anyOf\":[" ONE_07 "," MANY_07
    "]},\"additionalItems\":" ONE_07 ",\"dependencies\":{\"type\":\"object\","
    "\"additionalProperties\":{\"anyOf\":[" ONE_07 "," NAMES
    "]}}," SHARED(ONE_07, MANY_07, MAP_07) "}}";

int meta_source(struct span uri, struct span *ret)
{
	if (span_is(uri, "https://json-schema.org/draft/2020-12/schema"))
		*ret = SPAN(META_2020);
	else if (span_is(uri, "http://json-schema.org/draft-07/schema"))
		*ret = SPAN(META_07);
	else
		return ERR_NOT_FOUND;
	return 0;
}
