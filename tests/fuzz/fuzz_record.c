/* fuzz_record - any bytes as a record, as a damaged store would give them: every view lies inside,
 * parts follow each other without a hole, results end, and a record whose checksum fits reads the
 * same. First byte: 1 = mend the checksum, so that the fuzzer gets past it. */
#include "base/crc32c.h"
#include "base/err.h"
#include "feed/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void inside(struct span part, struct span whole)
{
	assert(part.p >= whole.p && part.n <= (size_t)(whole.p + whole.n - part.p));
}

static void check_parts(const struct record *r)
{
	const struct span parts[] = {r->topic,  r->thing,      r->publisher, r->organisation,
	                             r->schema, r->properties, r->results,   r->payload};
	const char *at = r->bytes.p + RECORD_HEAD_BYTES;
	if (r->bytes.p[0] == RECORD_VERSION)
		at += RECORD_CORNER_BYTES;
	assert(!(r->flags & RECORD_LOCATION) || box_is_sound(&r->place));
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		assert(parts[i].p == at);
		at += parts[i].n;
	}
	assert(at == r->bytes.p + r->bytes.n);
}

static void check_results(const struct record *r)
{
	struct record_result one;
	size_t at = 0, before = 0;
	while (record_next_result(r, &at, &one)) {
		assert(at > before && at <= r->results.n);
		before = at;
		inside(one.member, r->results);
		inside(one.text, r->results);
		assert(one.text.p + one.text.n == r->results.p + at);
	}
	assert(at == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 1)
		return 0;
	bool mend = p[0] & 1;
	char *bytes =
	    malloc(n); /* of the exact size but for one: a sanitizer sees a step outside */
	memcpy(bytes, p + 1, n - 1);
	if (mend && n - 1 >= 8) {
		uint32_t crc = crc32c(crc32c(0, bytes, 4), bytes + 8, n - 9);
		memcpy(bytes + 4, &crc, 4);
	}
	struct record loose, strict;
	int err = record_read(span_of(bytes, n - 1), false, &loose);
	int err_strict = record_read(span_of(bytes, n - 1), true, &strict);
	assert(err == 0 || err == ERR_STORE_DAMAGED || err == ERR_STORE_FORMAT);
	assert(err == 0 || err_strict == err);
	assert(!mend || err == err_strict);
	if (!err) {
		check_parts(&loose);
		check_results(&loose);
	}
	if (!err_strict)
		assert(loose.sequence == strict.sequence && span_eq(loose.payload, strict.payload));
	free(bytes);
	return 0;
}
