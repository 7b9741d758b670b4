/* administer.c - how what was administered ended, for the audit; and answers that come after their
 * client has gone, which end just the same. */
#include "access/audit.h"
#include "web/private.h"

#include <stdio.h>
#include <string.h>

enum { RESULT_BYTES = 300 };

/* Organisations, identities and grants tell of their changes by themselves, when they are
 * committed; what they refuse is told here. */
static bool tells_itself(const struct req *r)
{
	static const char *const of[] = {"/v1/organisations", "/v1/identities", "/v1/grants",
	                                 "/grants"};
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		if (strncmp(r->path, of[i], strlen(of[i])) == 0)
			return true;
	return false;
}

static void tell(const struct req *r, const char *result)
{
	char path[256], object[300];
	req_object(r, path, sizeof(path));
	snprintf(object, sizeof(object), "%s %s", method_name(r->method), path);
	audit_line(access_audit(r->web->access), "administer", object, result, r->origin,
	           r->who.name, span_str(r->who.organisation));
}

void administer_begin(struct req *r)
{
	if (!r->web->access)
		return;
	r->administers = true;
	req_origin(r, r->origin); /* now: the client may go away */
}

void administer_begun(const struct req *r)
{
	if (r->administers)
		tell(r, "begun");
}

void administer_end(struct req *r, int status, const char *detail)
{
	char result[RESULT_BYTES];
	bool done = status < 400;
	if (!r->administers)
		return;
	r->administers = false; /* once */
	if (done && tells_itself(r))
		return;
	/* Words about one thing may quote what is said of it. */
	bool quiet = !detail || strncmp(r->path, "/v1/things", 10) == 0;
	if (done)
		snprintf(result, sizeof(result), "done");
	else
		snprintf(result, sizeof(result), "%s: %.200s", status < 500 ? "refused" : "failed",
		         quiet ? status_title(status) : detail);
	tell(r, result);
}

bool req_came(struct req *r, int err)
{
	r->pending--;
	if (r->wsi)
		return true;
	if (!r->pending)
		administer_end(r, err ? 500 : 200, err ? err_text(err) : NULL);
	req_release(r);
	return false;
}
