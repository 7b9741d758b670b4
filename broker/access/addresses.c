/* addresses.c - see addresses.h. */
#include "access/addresses.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#include <netinet/in.h>
#include <stdlib.h>

enum { NETWORK_BYTES = 8 }; /* of an IPv6 address */

struct address {
	uint64_t open;
	unsigned n;
	char key[16];
};

struct addresses {
	struct map by_key;
};

struct addresses *addresses_new(void)
{
	struct addresses *a = xcalloc(1, sizeof(*a));
	map_init(&a->by_key);
	return a;
}

void addresses_free(struct addresses *a)
{
	if (!a)
		return;
	size_t at = 0;
	for (struct address *one; (one = map_next(&a->by_key, &at, NULL));)
		free(one);
	map_done(&a->by_key);
	free(a);
}

/* n == 0: it is not counted. */
static struct span key_of(const struct sockaddr *peer, char out[16])
{
	static const unsigned char loopback[16] = {[15] = 1},
	                           mapped[12] = {[10] = 0xff, [11] = 0xff};
	if (peer->sa_family == AF_INET) {
		memcpy(out, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
		return span_of(out, out[0] == 127 ? 0 : 4);
	}
	if (peer->sa_family != AF_INET6)
		return (struct span){0};
	memcpy(out, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
	if (memcmp(out, loopback, 16) == 0)
		return (struct span){0};
	if (memcmp(out, mapped, sizeof(mapped)) == 0)
		return span_of(out + 12, out[12] == 127 ? 0 : 4);
	return span_of(out, NETWORK_BYTES);
}

const struct address *addresses_find(const struct addresses *a, const struct sockaddr *peer)
{
	char mem[16];
	struct span key = key_of(peer, mem);
	return key.n ? map_get(&a->by_key, key) : NULL;
}

bool addresses_full(const struct addresses *a, const struct sockaddr *peer, uint64_t max)
{
	const struct address *one = addresses_find(a, peer);
	return max && one && one->open >= max;
}

int addresses_enter(struct addresses *a, const struct sockaddr *peer, uint64_t max,
                    struct address **ret)
{
	char mem[16];
	struct span key = key_of(peer, mem);
	*ret = NULL;
	if (!key.n)
		return 0;
	struct address *one = map_get(&a->by_key, key);
	if (max && one && one->open >= max)
		return ERR_DENIED;
	if (!one) {
		one = xcalloc(1, sizeof(*one));
		one->n = (unsigned)key.n;
		memcpy(one->key, key.p, key.n);
		map_set(&a->by_key, key, one);
	}
	one->open++;
	*ret = one;
	return 0;
}

void addresses_leave(struct addresses *a, struct address *one)
{
	if (!one)
		return;
	assert(one->open > 0);
	if (--one->open)
		return;
	map_remove(&a->by_key, span_of(one->key, one->n));
	free(one);
}
