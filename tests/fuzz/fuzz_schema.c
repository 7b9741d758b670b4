/* fuzz_schema.c - any bytes as a schema.json: an error with its place, or a schema that then
 * answers for some fixed payloads. */
#include "schema_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const PAYLOADS[] = {
    "null",
    "{}",
    "[]",
    "\"abc\"",
    "12.50",
    "{\"dateObserved\":\"2026-11-24T12:00:00Z\",\"pm25\":12.5,\"refDevice\":\"s-1\"}",
    "{\"foo\":1,\"bar\":[1,2,\"x\",{\"foo\":\"\\u00e9\"}],\"baz\":{\"a\":null,\"b\":true}}",
    "[1,1.0,\"a\",\"a\",{\"a\":1,\"b\":2},{\"b\":2,\"a\":1},[[[[]]]],-0,1e3,1000]",
    "{\"tree\":{\"node\":{\"node\":{\"node\":{}}}},\"location\":{\"lat\":52,\"lon\":4.5}}",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct schema *sc = NULL;
	char why[400] = "";
	struct span source = span_of((const char *)data, size);
	if (schema_compile(source, "fuzz", 1, NULL, &sc, why, sizeof(why)) != 0) {
		check_that(why[0] != '\0' && !sc, "a load error without a word");
		return 0;
	}
	check_that(span_eq(schema_source(sc), source), "the source is not what was given");
	for (unsigned i = 0; i < schema_result_count(sc); i++) {
		struct schema_result_info r = schema_result_info(sc, i);
		check_that(r.member && r.unit && r.observed_property, "a result without a name");
	}
	struct schema_scratch s;
	schema_scratch_init(&s, CHECK_PAYLOAD_MAX);
	for (size_t i = 0; i < ARRAY_LEN(PAYLOADS); i++)
		check_payload(sc, &s, span_str(PAYLOADS[i]));
	schema_scratch_done(&s);
	schema_free(sc);
	return 0;
}
