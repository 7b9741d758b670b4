/* fuzz_senml.c - any bytes as a SenML pack. What is taken is bounded, finite and valid, and says
 * the same when it is read again; what is refused says why. The first byte: is there a thing in the
 * topic? */
#include "base/limits.h"
#include "schema/senml.h"
#include "schema/unit.h"
#include "schema_check.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_result(const struct extract_result *r)
{
	check_that(r->member.n > 0 && r->member.n <= LIMIT_EXTRACT_TEXT_BYTES, "a member's name");
	check_that(isfinite(r->number), "a number is finite");
	check_that(r->type != EXTRACT_NUMBER || r->text.n == 0 || unit_valid(r->text), "a unit");
	check_that(!r->has_time || (r->time_ms >= 0 && r->time_ms < 253402300800000), "a time");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct schema_scratch s;
	static struct extract a, b;
	struct verdict v = {0};
	if (!s.private_)
		schema_scratch_init(&s, CHECK_PAYLOAD_MAX);
	if (size == 0 || size > CHECK_PAYLOAD_MAX)
		return 0;
	struct span topic = data[0] & 1 ? SPAN("17") : SPAN("");
	if (schema_parse(&s, span_of((const char *)data + 1, size - 1), &v))
		return 0;
	if (senml_extract(&s, topic, 1795521600000, &a, &v)) {
		check_that(v.text[0] && v.rule[0] && strcmp(v.schema, "senml") == 0,
		           "a refusal says why");
		return 0;
	}
	check_that(a.n_results > 0 && a.n_results <= EXTRACT_RESULTS_MAX, "results are bounded");
	for (unsigned i = 0; i < a.n_results; i++)
		check_result(&a.results[i]);
	check_that(topic.n || a.thing.n, "there is a thing");
	check_that(senml_extract(&s, topic, 1795521600000, &b, &v) == 0 &&
	               b.n_results == a.n_results,
	           "it reads the same again");
	return 0;
}
