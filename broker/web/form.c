/* form.c - see form.h. */
#include "web/form.h"

#include "base/err.h"

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

static int decode(struct span s, struct buf *ret)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] == '+' ? ' ' : s.p[i];
		if (c == '%') {
			int high = s.n - i > 2 ? digit(s.p[i + 1]) : -1,
			    low = s.n - i > 2 ? digit(s.p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return ERR_MALFORMED;
			c = (char)(high << 4 | low);
			i += 2;
		}
		buf_add_char(ret, c);
	}
	return ret->err;
}

int form_value(struct span body, const char *name, struct buf *ret)
{
	struct span want = span_str(name);
	while (body.n) {
		const char *amp = memchr(body.p, '&', body.n);
		size_t n = amp ? (size_t)(amp - body.p) : body.n;
		if (n > want.n && body.p[want.n] == '=' && span_eq(span_of(body.p, want.n), want))
			return decode(span_of(body.p + want.n + 1, n - want.n - 1), ret);
		n += amp ? 1 : 0;
		body = span_of(body.p + n, body.n - n);
	}
	return ERR_MALFORMED;
}
