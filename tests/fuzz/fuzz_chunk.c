/* fuzz_chunk - any bytes as a chunk, as a damaged store would give them: it is refused, or it reads
 * as sorted points that can be packed and read again to the same. First byte: 1 = mend the
 * checksum, so that the fuzzer gets past it. */
#include "base/crc32c.h"
#include "base/err.h"
#include "series/chunk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void pack_again(const struct points *s)
{
	struct points got;
	uint8_t mem[CHUNK_BYTES];
	points_init(&got, SIZE_MAX);
	for (size_t at = 0, size; at < s->n;) {
		at += chunk_encode(s, at, s->n - at, mem, &size);
		assert(chunk_decode_stored(span_of((const char *)mem, size), &got) == 0);
		assert(got.n == at);
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct point *a = &s->p[i], *b = &got.p[i];
		assert(a->time_ms == b->time_ms && a->kind == b->kind && a->flags == b->flags);
		assert(a->stored_s == b->stored_s);
		if (a->kind == POINT_TEXT)
			assert(span_eq(point_text(s, a), point_text(&got, b)));
		else
			assert(memcmp(&a->number, &b->number, 8) == 0);
	}
	points_done(&got);
}

/* Without the seconds: the same points, and it may pass over what is wrong with those. */
static void read_plain(struct span bytes, int err, const struct points *s)
{
	struct points got;
	points_init(&got, SIZE_MAX);
	int plain = chunk_decode(bytes, &got);
	assert(err == ERR_STORE_DAMAGED || plain == err);
	for (size_t i = 0; i < s->n && !err; i++)
		assert(got.p[i].time_ms == s->p[i].time_ms && got.p[i].stored_s == 0);
	points_done(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 1)
		return 0;
	char *bytes = malloc(n); /* exact but for one: a sanitizer sees a step outside */
	memcpy(bytes, p + 1, n - 1);
	if ((p[0] & 1) && n - 1 >= 8) {
		uint32_t crc = crc32c(crc32c(0, bytes, 4), bytes + 8, n - 9);
		memcpy(bytes + 4, &crc, 4);
	}
	struct points s;
	points_init(&s, SIZE_MAX);
	int err = chunk_decode_stored(span_of(bytes, n - 1), &s);
	assert(err <= 0 && (err == 0 || s.n == 0));
	for (size_t i = 1; i < s.n; i++)
		assert(s.p[i - 1].time_ms <= s.p[i].time_ms);
	if (!err)
		pack_again(&s);
	read_plain(span_of(bytes, n - 1), err, &s);
	points_done(&s);
	free(bytes);
	return 0;
}
