/* fuzz_frame - any bytes as a stream: frames never reach past the end, the size said early is the
 * size found, and a stream cut at any place gives the same frames. First byte: the maximum. */
#include "mqtt/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint32_t max = n ? (uint32_t)p[0] * 64 + 2 : 2;
	size_t at = 1;

	while (at < n) {
		struct frame f, cut;
		int err = frame_next(p + at, n - at, max, &f);
		size_t size = frame_size(p + at, n - at);

		if (err) {
			assert(err == ERR_MORE || err == ERR_MALFORMED || err == ERR_TOO_LARGE);
			assert(err != ERR_TOO_LARGE || size > max);
			assert(err != ERR_MORE || size == 0 || size > n - at);
			break;
		}
		assert(f.total == size && size <= n - at && size <= max);
		assert(f.body + f.body_len == p + at + f.total);
		assert(f.total - f.body_len >= 2 && f.total - f.body_len <= 5);
		for (size_t i = 0; i < f.total && i < 64; i++)
			assert(frame_next(p + at, i, max, &cut) == ERR_MORE);
		at += f.total;
	}
	return 0;
}
