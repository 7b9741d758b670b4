/* link.c - what every carrier of bytes does with those that a session does not take yet. */
#include "session/link.h"

#include "session/session.h"

int link_input(struct link *l, struct buf *rx, const char *p, size_t n)
{
	bool kept = rx->len > 0;
	if (kept) {
		buf_add(rx, p, n);
		p = rx->p;
		n = rx->len;
	}
	size_t taken = rx->err ? 0 : session_input(l->session, (const uint8_t *)p, n);
	if (l->session && !kept && taken < n)
		buf_add(rx, p + taken, n - taken);
	else if (l->session && kept && taken)
		buf_drop(rx, taken);
	int err = rx->err;
	if (!l->session || rx->len == 0)
		buf_done(rx);
	return err;
}

int link_input_kept(struct link *l, struct buf *rx)
{
	if (!l->session || !rx->len)
		return 0;
	struct buf kept = *rx;
	buf_init(rx, kept.max);
	int err = link_input(l, rx, kept.p, kept.len);
	buf_done(&kept);
	return err;
}
