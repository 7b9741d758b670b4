/* access.c - the one implementation there is now, without grants. See access.h. */
#include "access/access.h"

#include "base/err.h"

#include <stdio.h>

static struct identity identity(struct span name, const struct config *c, bool administrator)
{
	struct identity i = {.name = name, .administrator = administrator};
	snprintf(i.organisation, sizeof(i.organisation), "%s", c->organisation);
	return i;
}

struct identity access_anonymous(const struct config *c, bool trusted)
{
	struct identity i = identity(SPAN("anonymous"), c, false);
	i.trusted = trusted;
	return i;
}

struct identity access_administrator(const struct config *c)
{
	return identity(SPAN("administrator"), c, true);
}

int access_check(const struct identity *who, enum access_right right, const struct feed *feed,
                 struct span thing UNUSED)
{
	if (who->administrator)
		return 0;
	if (right == ACCESS_ADMIN)
		return ERR_DENIED;
	if (who->trusted)
		return 0;
	bool reads = right == ACCESS_READ || right == ACCESS_SUBSCRIBE;
	return reads && feed && feed->conf->access == CONFIG_PUBLIC ? 0 : ERR_DENIED;
}
