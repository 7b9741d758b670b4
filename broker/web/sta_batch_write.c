/* sta_batch_write.c - answers of POST /$batch, of both forms; see sta_batch.h. */
#include "web/sta_batch.h"

#include "json/write.h"

#include <stdio.h>

enum { KEPT_BYTES = 512 << 10 }; /* of the answer: for those of requests that are still to come */

static const char too_large[] = "{\"code\":\"too-large\",\"detail\":\"the answers are too large "
                                "together: ask for this by itself\"}";

static bool fits(const struct buf *out, size_t n)
{
	return out->len + n + KEPT_BYTES <= out->max;
}

static void write_problem(const struct part *p, struct buf *b)
{
	buf_addf(b, "{\"status\":%d,\"title\":\"%s\",\"code\":\"batch\",\"detail\":", p->status,
	         status_title(p->status));
	json_write_string(b, span_str(p->why ? p->why : ""));
	buf_add_char(b, '}');
}

/* ---- JSON ---- */

static void write_json_body(const struct part *p, struct buf *out)
{
	const struct buf *body = &p->inner->out;
	const char *type = p->inner->content_type;
	buf_add_str(out, ",\"body\":");
	if (!fits(out, 2 * body->len))
		buf_add_str(out, too_large);
	else if (type && strstr(type, "json"))
		buf_add(out, body->p, body->len);
	else
		json_write_string(out, span_of(body->p, body->len));
}

static void write_json(const struct part *p, bool first, struct buf *out)
{
	buf_add_str(out, first ? "{\"id\":" : ",{\"id\":");
	json_write_string(out, span_str(p->id));
	if (p->group_name[0]) {
		json_write_name(out, "atomicityGroup");
		json_write_string(out, span_str(p->group_name));
	}
	buf_addf(out, ",\"status\":%d", p->status);
	if (!p->inner) {
		buf_add_str(out, ",\"body\":");
		write_problem(p, out);
	} else {
		const char *location = req_extra(p->inner, "Location:");
		if (location) {
			json_write_name(out, "location");
			json_write_string(out, span_str(location));
		}
		if (p->inner->out.len)
			write_json_body(p, out);
	}
	buf_add_char(out, '}');
}

/* ---- multipart/mixed ---- */

static void write_http(const struct part *p, const char *boundary, struct buf *out)
{
	struct buf why;
	buf_init(&why, 4096);
	if (!p->inner)
		write_problem(p, &why);
	const struct buf *body = p->inner ? &p->inner->out : &why;
	const char *location = p->inner ? req_extra(p->inner, "Location:") : NULL,
	           *type = p->inner ? p->inner->content_type : "application/problem+json",
	           *text = body->len && !fits(out, body->len) ? too_large : NULL;
	size_t n = text ? strlen(text) : body->len;
	buf_addf(out, "--%s\r\nContent-Type: application/http\r\n", boundary);
	if (p->id[0])
		buf_addf(out, "Content-ID: %s\r\n", p->id);
	buf_addf(out, "\r\nHTTP/1.1 %d %s\r\n", p->status, status_title(p->status));
	if (location)
		buf_addf(out, "Location: %s\r\n", location);
	if (n && type)
		buf_addf(out, "Content-Type: %s\r\n", text ? "application/problem+json" : type);
	buf_addf(out, "Content-Length: %zu\r\n\r\n", n);
	if (n)
		buf_add(out, text ? text : body->p, n);
	buf_add_str(out, "\r\n");
	buf_done(&why);
}

static bool is_error(const struct part *p)
{
	return p->status >= 400 && !p->passed_over;
}

/* The one that a change set failed by; NULL: it did not. */
static const struct part *failed_of(const struct batch_parts *b, unsigned group)
{
	const struct part *found = NULL;
	for (unsigned i = 0; i < b->n; i++) {
		const struct part *p = &b->one[i];
		if (p->group != group || !is_error(p))
			continue;
		if (!found || (found->status == 424 && p->status != 424))
			found = p;
	}
	return found;
}

static void write_mixed(const struct batch_parts *b, unsigned i, const char *boundary,
                        struct buf *out)
{
	const struct part *p = &b->one[i];
	bool first = p->group && (!i || b->one[i - 1].group != p->group),
	     last = p->group && (i + 1 == b->n || b->one[i + 1].group != p->group);
	const struct part *failed = p->group ? failed_of(b, p->group) : NULL;
	char set[100];
	if (failed) { /* OData 4.0, 11.7.4: one answer for all of them */
		if (first)
			write_http(failed, boundary, out);
		return;
	}
	snprintf(set, sizeof(set), "%s_%u", boundary, p->group);
	if (first)
		buf_addf(out, "--%s\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n",
		         boundary, set);
	write_http(p, p->group ? set : boundary, out);
	if (last)
		buf_addf(out, "--%s--\r\n", set);
}

/* ---- both ---- */

void batch_write_begin(const struct batch_parts *b, struct buf *out)
{
	if (!b->mixed)
		buf_add_str(out, "{\"responses\":[");
}

void batch_write_part(const struct batch_parts *b, unsigned i, const char *boundary,
                      struct buf *out)
{
	if (b->mixed)
		write_mixed(b, i, boundary, out);
	else
		write_json(&b->one[i], i == 0, out);
}

void batch_write_end(const struct batch_parts *b, const char *boundary, struct buf *out)
{
	if (b->mixed)
		buf_addf(out, "--%s--\r\n", boundary);
	else
		buf_add_str(out, "]}");
}
