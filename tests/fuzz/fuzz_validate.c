/* fuzz_validate.c - any payload against a real schema. The first byte chooses it: those of schemas/
 * (run from the top of the repository), and some of every keyword below. The rest is the payload.
 */
#include "schema/catalog.h"
#include "schema_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define P "\"observedProperty\":\"http://example.org/p\""

static const char *const EXTRA[] = {
    "{\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\","
    "\"multipleOf\":3},"
    "\"next\":{\"$ref\":\"#/$defs/n\"}},\"required\":[\"v\"],\"unevaluatedProperties\":false}},"
    "\"$ref\":\"#/$defs/n\"}",
    "{\"anyOf\":[{\"prefixItems\":[{\"type\":\"string\",\"pattern\":\"^[a-z]+\\\\d?$\"}],\"items\":"
    "{"
    "\"type\":\"number\",\"exclusiveMinimum\":-1,\"exclusiveMaximum\":1e3}},"
    "{\"uniqueItems\":true,\"contains\":{\"type\":\"object\"},\"maxContains\":2,\"minItems\":3},"
    "{\"patternProperties\":{\"^x\":{\"type\":\"null\"}},\"additionalProperties\":{\"format\":"
    "\"ipv6\"},"
    "\"propertyNames\":{\"maxLength\":5},\"minProperties\":1}],\"unevaluatedItems\":{\"maxLength\":"
    "3}}",
    "{\"oneOf\":[{\"required\":[\"a\"],\"dependentRequired\":{\"a\":[\"b\"]}},{\"format\":\"date-"
    "time\","
    "\"type\":\"string\"},{\"format\":\"uri\",\"type\":\"string\"},{\"format\":\"email\",\"type\":"
    "\"string\"},{\"format\":\"regex\",\"type\":\"string\"},{\"format\":\"duration\",\"type\":"
    "\"string\"},"
    "{\"not\":{\"type\":[\"object\",\"string\",\"array\"]}}],\"if\":{\"minLength\":3},\"then\":{"
    "\"maxLength\":30}}",
    "{\"properties\":{\"dev\":{\"x-oudp\":{\"role\":\"thing\"}},\"v\":{\"x-oudp\":{\"role\":"
    "\"version\"}},"
    "\"ts\":{\"x-oudp\":{\"role\":\"time\",\"time\":\"epoch-s\"}},\"at\":{\"x-oudp\":{\"role\":"
    "\"time\","
    "\"time\":\"iso8601\"}},\"lat\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"location\","
    "\"axis\":"
    "\"latitude\",\"scale\":0.1}},\"lng\":{\"type\":\"number\",\"x-oudp\":{\"role\":\"location\","
    "\"axis\":"
    "\"longitude\"}},\"p\":{\"x-oudp\":{\"role\":\"location\"}},\"readings\":{\"type\":\"array\","
    "\"x-oudp\":{\"role\":\"item\"},\"items\":{\"additionalProperties\":{\"x-oudp\":{\"role\":"
    "\"result\"," P ",\"unit\":\"1\",\"scale\":0.1,\"offset\":-40}},\"properties\":{\"t\":{\"x-"
    "oudp\":{\"role\":\"time\","
    "\"time\":\"epoch-ms\"}}}}}}}",
};

static struct {
	struct catalog *catalog;
	const struct schema *schemas[64];
	size_t n;
	struct schema_scratch scratch;
} fuzz; /* made once, for speed */

static void set_up(void)
{
	static const char *const DIRS[] = {"schemas", NULL};
	struct buf why;
	char text[400];
	buf_init(&why, 1 << 16);
	check_that(catalog_load(DIRS, &fuzz.catalog, &why) == 0, "schemas/ does not load");
	buf_done(&why);
	for (size_t i = 0; i < ARRAY_LEN(EXTRA); i++) {
		struct schema *sc = NULL;
		int err = schema_compile(span_str(EXTRA[i]), "extra", (unsigned)i, NULL, &sc, text,
		                         sizeof(text));
		check_that(err == 0, text);
		fuzz.schemas[fuzz.n++] = sc;
	}
	for (size_t i = 0; i < catalog_count(fuzz.catalog) && fuzz.n < ARRAY_LEN(fuzz.schemas); i++)
		fuzz.schemas[fuzz.n++] = catalog_at(fuzz.catalog, i);
	schema_scratch_init(&fuzz.scratch, CHECK_PAYLOAD_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (fuzz.n == 0)
		set_up();
	if (size == 0 || size > CHECK_PAYLOAD_MAX)
		return 0;
	const struct schema *sc = fuzz.schemas[data[0] % fuzz.n];
	check_payload(sc, &fuzz.scratch, span_of((const char *)data + 1, size - 1));
	return 0;
}
