/* access.c - who is no identity of the book. See access.h; the questions are in view.c. */
#include "access/access.h"

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

bool access_is_stranger(const struct identity *who)
{
	return !who->principal && !who->administrator && !who->trusted;
}

struct identity access_administrator(const struct config *c)
{
	return identity(SPAN("administrator"), c, true);
}
