/* span.c - see span.h. */
#include "base/span.h"

#include "base/err.h"

int span_to_u64(struct span s, uint64_t *ret)
{
	if (s.n == 0 || s.n > 20)
		return ERR_MALFORMED;
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERR_MALFORMED;
		unsigned d = (unsigned)(s.p[i] - '0');
		if (v > (UINT64_MAX - d) / 10)
			return ERR_TOO_LARGE;
		v = v * 10 + d;
	}
	*ret = v;
	return 0;
}
