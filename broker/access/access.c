/* access.c - the one implementation there is now: what design allows on loopback. See access.h. */
#include "access/access.h"

#include "base/err.h"

#include <stdio.h>

static struct identity identity(struct span name, const struct config *c, bool administrator)
{
	struct identity i = {.name = name, .administrator = administrator};
	snprintf(i.organisation, sizeof(i.organisation), "%s", c->organisation);
	return i;
}

struct identity access_anonymous(const struct config *c)
{
	return identity(SPAN("anonymous"), c, false);
}

struct identity access_administrator(const struct config *c)
{
	return identity(SPAN("administrator"), c, true);
}

int access_check(const struct identity *who, enum access_right right,
                 const struct feed *feed UNUSED, struct span thing UNUSED)
{
	if (right == ACCESS_ADMIN)
		return who->administrator ? 0 : ERR_DENIED;
	return 0;
}
