/* fuzz_series_row - any bytes as a row of the series, as a damaged store would give them: it is
 * refused, or what was read can be written again to the same bytes. First byte: which row, and 128:
 * mend the checksum, so that the fuzzer gets past it. Then 12 bytes of key. */
#include "base/crc32c.h"
#include "base/err.h"
#include "series/rows.h"

#include <stdlib.h>

enum { KEY_BYTES = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void read_and_write(int which, struct span key, struct span row, struct buf *again)
{
	struct row_thing thing;
	struct row_stream stream;
	struct row_amend amend;
	struct row_detail detail;
	struct row_promise promise;
	struct box place;
	switch (which) {
	case 0:
		if (row_thing_read(key, row, &thing) == 0)
			row_thing_write(key, &thing, again);
		break;
	case 1:
		if (row_stream_read(key, row, &stream) == 0)
			row_stream_write(key, &stream, again);
		break;
	case 2:
		if (row_amend_read(key, row, &amend) == 0)
			row_amend_write(key, &amend, again);
		break;
	case 4:
		if (row_detail_read(key, row, &detail) == 0)
			row_detail_write(key, &detail, again);
		break;
	case 5:
		if (row_promise_read(key, row, &promise) == 0)
			row_promise_write(key, &promise, again);
		break;
	default:
		if (row_place_read(key, row, &place) == 0)
			row_place_write(key, &place, again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 1 + KEY_BYTES)
		return 0;
	struct span key = span_of((const char *)p + 1, KEY_BYTES);
	size_t size = n - 1 - KEY_BYTES;
	char *row = malloc(size + !size); /* exact: a sanitizer sees a step outside */
	if (size)
		memcpy(row, p + 1 + KEY_BYTES, size);
	if ((p[0] & 128) && size >= ROW_HEAD_BYTES) {
		row[1] &= 3; /* flags and what is kept for later, as they are written */
		row[2] = row[3] = 0;
		uint32_t crc = crc32c(crc32c(0, key.p, key.n), row, 4);
		crc = crc32c(crc, row + ROW_HEAD_BYTES, size - ROW_HEAD_BYTES);
		memcpy(row + 4, &crc, 4);
	}
	struct buf again;
	buf_init(&again, 1 << 20);
	read_and_write(p[0] & 7, key, span_of(row, size), &again);
	if (again.len) {
		/* Bits of flags that this row does not have are not written. */
		assert(again.len == size);
		assert(memcmp(again.p + ROW_HEAD_BYTES, row + ROW_HEAD_BYTES,
		              size - ROW_HEAD_BYTES) == 0);
	}
	buf_done(&again);
	free(row);
	return 0;
}
