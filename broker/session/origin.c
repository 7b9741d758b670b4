/* origin.c - whom a mapped message comes from. A connector that maps a raw feed names the record in
 * user property oudp-origin; what became of the message concerns who published that record.
 *
 * Only records that are still in memory are found: a verdict is about this moment, and nobody is
 * made to wait for the disk. Nothing that the property says is believed but the number: client and
 * organisation are those of the record, which the mapper must be allowed to read. */
#include "access/access.h"
#include "base/limits.h"
#include "feed/event.h"
#include "feed/record.h"
#include "feed/sender.h"
#include "session/private.h"

#include <string.h>

static bool find_record(struct hub *h, struct span origin, struct feed **ret_feed,
                        struct record *ret)
{
	uint32_t epoch = 0;
	uint64_t sequence = 0;
	const char *colon = memchr(origin.p, ':', origin.n);
	struct feed *f = colon ? hub_feed(h, span_of(origin.p, (size_t)(colon - origin.p))) : NULL;
	if (!f || event_parse_position(origin, &epoch, &sequence) || epoch != f->epoch)
		return false;
	*ret_feed = f;
	return feed_recent(f, sequence, ret);
}

bool origin_find(const struct session *s, const char *origin, struct origin *ret)
{
	char key[sizeof(s->who.organisation) + LIMIT_CLIENT_ID_BYTES];
	struct feed *f;
	struct record r;
	if (!find_record(s->table->hub, span_str(origin), &f, &r) ||
	    access_covers_record(&s->who, ACCESS_READ, f, &r))
		return false;
	*ret = (struct origin){
	    .client = r.publisher, .identity = sender_of(f, &r), .organisation = r.organisation};
	size_t n = r.organisation.n + 1 + r.publisher.n;
	if (n > sizeof(key))
		return true;
	memcpy(key, r.organisation.p, r.organisation.n);
	key[r.organisation.n] = '\0';
	memcpy(key + r.organisation.n + 1, r.publisher.p, r.publisher.n);
	ret->session = map_get(&s->table->by_client, span_of(key, n));
	return true;
}
