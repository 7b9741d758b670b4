/* err.c - texts for error codes. Does not log. */
#include "base/err.h"

#include <string.h>

static const char *const own_text[] = {
    [-(ERR_MALFORMED)-1001] = "malformed",
    [-(ERR_PROTOCOL)-1001] = "protocol error",
    [-(ERR_TOO_LARGE)-1001] = "too large",
    [-(ERR_MORE)-1001] = "incomplete",
    [-(ERR_NOT_FOUND)-1001] = "not found",
    [-(ERR_STORE_FULL)-1001] = "the store is full",
    [-(ERR_STORE_IO)-1001] = "the store's device failed",
    [-(ERR_STORE_DAMAGED)-1001] = "the store is damaged",
    [-(ERR_STORE_FORMAT)-1001] = "the store has another format or identity",
    [-(ERR_CONFIG)-1001] = "configuration error",
    [-(ERR_DENIED)-1001] = "not allowed",
    [-(ERR_INVALID)-1001] = "does not fit the schema",
    [-(ERR_AGAIN)-1001] = "try again",
    [-(ERR_GAP)-1001] = "records are gone",
    [-(ERR_CLOSED)-1001] = "closed",
    [-(ERR_SLOW)-1001] = "too fast",
    [-(ERR_QUOTA)-1001] = "quota used up",
    [-(ERR_CONFLICT)-1001] = "there already, or being changed",
};

const char *err_text(int err)
{
	if (err >= 0)
		return "success";
	if (err > -1001)
		return strerror(-err);
	size_t at = (size_t)(-(long)err - 1001);
	return at < ARRAY_LEN(own_text) ? own_text[at] : "unknown error";
}
