/* fetch.c - bytes from the daemon, for those who read JSON with the json room. */
#include "cli/http.h"
#include "cli/text.h"
#include "cli/validate.h"

#include <string.h>

int validate_fetch_source(struct cli *c, const char *id, struct buf *ret)
{
	const char *slash = strrchr(id, '/');
	assert(slash != NULL);
	struct buf path;
	buf_init(&path, 4096);
	buf_add_str(&path, "/v1/schemas/");
	text_percent(&path, span_of(id, (size_t)(slash - id)));
	buf_add_char(&path, '/');
	text_percent(&path, span_str(slash + 1));
	struct http_reply r;
	int err = http_ask(c, HTTP_READ, "GET", buf_str(&path), NULL, &r);
	buf_done(&path);
	if (err)
		return cli_trouble(
		    c, "so: no schema %s here (--schemas DIR) and none from the daemon", id);
	if (r.status != 200)
		err = cli_trouble(c, "there is no schema %s, here or at the daemon", id);
	else
		buf_add(ret, r.body.p, r.body.len);
	http_reply_done(&r);
	return err;
}

int fetch_body(struct cli *c, const char *path, struct buf *ret)
{
	struct http_reply r;
	int err = http_ask(c, HTTP_READ, "GET", path, NULL, &r);
	if (err)
		return err;
	if (r.status != 200)
		err = http_problem(c, &r);
	else
		buf_add(ret, r.body.p, r.body.len);
	http_reply_done(&r);
	if (!err && ret->err)
		err = cli_trouble(c, "%s: the answer is too large", path);
	return err;
}

int fetch_post(struct cli *c, const char *path, const char *type, struct span body,
               long *ret_status, struct buf *ret)
{
	struct http_reply r;
	int err = http_send(c, HTTP_READ, "POST", path, type, body, &r);
	if (err)
		return err;
	*ret_status = r.status;
	if (r.status == 200)
		buf_add(ret, r.body.p, r.body.len);
	else if (r.status != 503 && r.status != 507) /* those may pass */
		err = http_problem(c, &r);
	http_reply_done(&r);
	return err;
}
