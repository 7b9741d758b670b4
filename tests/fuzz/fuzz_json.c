/* fuzz_json.c - any bytes: our reader and jansson agree, the tape keeps its promises, a value
 * written again is the same value. See ../unit/json/agree.h. */
#include "../unit/json/agree.h"

#include <stdio.h>

enum { TOKENS_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_numbers(const struct json_tape *t)
{
	uint32_t former = 0;
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->tok[i].type != JSON_NUMBER)
			continue;
		struct span s = json_text(t, i);
		double v = json_double(s);
		struct buf b;
		buf_init(&b, 64);
		json_write_double(&b, v);
		bool same = isfinite(v) ? json_double(span_of(b.p, b.len)) == v
		                        : span_is(span_of(b.p, b.len), "null");
		buf_done(&b);
		int64_t n;
		if (!same || (!json_int64(s, &n) && (double)n != v))
			abort();
		if (former) {
			struct span f = json_text(t, former);
			int order = json_number_cmp(f, s);
			double w = json_double(f);
			if (order != -json_number_cmp(s, f) || (w < v && order >= 0) ||
			    (w > v && order <= 0))
				abort();
		}
		former = i;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_tape t;
	json_tape_init(&t, TOKENS_MAX);
	const char *bad = agree(&t, span_of((const char *)data, size));
	if (bad) {
		fprintf(stderr, "fuzz_json: %s\n", bad);
		abort();
	}
	size_t at;
	const char *why;
	if (!json_parse(&t, span_of((const char *)data, size), &at, &why))
		check_numbers(&t);
	json_tape_done(&t);
	return 0;
}
