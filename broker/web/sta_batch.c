/* sta_batch.c - running POST /$batch; see sta_batch.h.
 *
 * What fails ends the batch, unless the client prefers continue-on-error (OData 4.0, 8.2.8.3); who
 * depends on what failed is 424, and who has a condition that is not met 412, which is no failure.
 */
#include "web/sta_batch.h"

#include "base/err.h"
#include "base/mem.h"
#include "web/sta_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

struct batch_run {
	struct req *r;
	struct batch_parts parts;
	unsigned at;             /* the part under way, or next */
	struct req *inner;       /* of it; NULL: it has not begun */
	bool again;              /* the inner one has answered, or is ready */
	struct sta_group *group; /* that of the part under way */
	unsigned group_from;
	bool group_failed, deciding, decided;
	bool go_on, stopped;
	char boundary[40], type[80];
};

static const char ROOT[] = "/sta/v1.1";

static void drop_inner(struct req *inner)
{
	if (!inner)
		return;
	inner->answered = NULL;
	inner->wsi = NULL;
	req_release(inner); /* at once, or when what it waits for has come */
}

static void batch_free(void *arg)
{
	struct batch_run *s = arg;
	drop_inner(s->inner);
	for (unsigned i = 0; i < s->parts.n; i++)
		drop_inner(s->parts.one[i].inner);
	sta_group_free(s->group);
	batch_parts_done(&s->parts);
	free(s);
}

/* ---- what names an earlier one ---- */

/* The last of that id that has an entity, else the last; NULL: there is none. */
static const struct part *find_part(const struct batch_run *s, struct span id)
{
	const struct part *found = NULL;
	for (unsigned i = s->at; i-- > 0;) {
		const struct part *p = &s->parts.one[i];
		if (!span_is(id, p->id))
			continue;
		if (p->entity[0])
			return p;
		found = found ? found : p;
	}
	return found;
}

static const char *entity_of(const struct batch_run *s, struct span id)
{
	const struct part *p = find_part(s, id);
	return p && p->entity[0] ? p->entity : NULL;
}

/* "5" of "Things(5)". */
static struct span number_of(const char *entity)
{
	const char *open = strchr(entity, '(');
	return open ? span_of(open + 1, strcspn(open + 1, ")")) : (struct span){0};
}

/* Percent-encoded, or not: what is no code stays. */
static size_t decode(struct span s, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		const char *a = i + 2 < s.n && s.p[i] == '%' ? strchr(digits, s.p[i + 1] | 32)
		                                             : NULL,
		           *b = a ? strchr(digits, s.p[i + 2] | 32) : NULL;
		if (a && b) {
			out[n++] = (char)((a - digits) << 4 | (b - digits));
			i += 2;
		} else {
			out[n++] = s.p[i];
		}
	}
	return n;
}

static const char *read_options(struct req *inner, const char *text)
{
	char pair[QUERY_BYTES];
	while (*text) {
		size_t n = strcspn(text, "&");
		if (n >= sizeof(pair))
			return "its query is too long";
		size_t m = decode(span_of(text, n), pair);
		if (m && query_add(&inner->query, span_of(pair, m)))
			return "its query is malformed, too long, or names an option twice";
		text += n + (text[n] == '&');
	}
	return NULL;
}

/* Below the root: of "https://host/sta/v1.1/Things", "/v1.1/Things" and "Things". */
static const char *below_root(const char *url)
{
	if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
		const char *path = strchr(strstr(url, "://") + 3, '/');
		url = path ? path : "";
	}
	if (strncmp(url, ROOT, sizeof(ROOT) - 1) == 0)
		url += sizeof(ROOT) - 1;
	else if (strncmp(url, ROOT + 4, sizeof(ROOT) - 5) == 0)
		url += sizeof(ROOT) - 5;
	return url + (*url == '/');
}

/* With entities in the place of "$t" at the beginning and "($t)" between brackets. */
static const char *write_path(const struct batch_run *s, const char *path, struct buf *b)
{
	static const char nobody[] = "its url names no earlier request that has an entity";
	const char *open;
	if (path[0] == '$' && strncmp(path, "$batch", 6) != 0) {
		size_t n = strcspn(path, "/");
		const char *entity = entity_of(s, span_of(path + 1, n - 1));
		if (!entity)
			return nobody;
		buf_add_str(b, entity);
		path += n;
	}
	while ((open = strstr(path, "($"))) {
		size_t n = strcspn(open + 2, ")");
		const char *entity = entity_of(s, span_of(open + 2, n));
		if (!entity)
			return nobody;
		buf_add(b, path, (size_t)(open + 1 - path));
		buf_add_span(b, number_of(entity));
		path = open + 2 + n;
	}
	buf_add_str(b, path);
	return b->err ? "its url is too long" : NULL;
}

static const char *read_url(const struct batch_run *s, struct req *inner, const char *url)
{
	char path[PART_URL_BYTES];
	struct buf b;
	const char *question = strchr(url, '?');
	size_t n = decode(span_of(url, question ? (size_t)(question - url) : strlen(url)), path);
	if (memchr(path, '\0', n))
		return "its url has a zero byte in it";
	path[n] = '\0';
	buf_init(&b, sizeof(inner->path) - sizeof(ROOT) - 2);
	const char *why = write_path(s, below_root(path), &b);
	if (!why && b.len >= 6 && memcmp(b.p, "$batch", 6) == 0)
		why = "a batch within a batch is not taken";
	if (!why)
		snprintf(inner->path, sizeof(inner->path), "%s%s%s", ROOT, b.len ? "/" : "",
		         buf_str(&b));
	buf_done(&b);
	return why || !question ? why : read_options(inner, question + 1);
}

/* The body, with numbers in the place of "$id" at @iot.id. NULL, or what is wrong. */
static const char *fill_in(const struct batch_run *s, const struct json_tape *t, struct span body,
                           struct buf *b)
{
	const char *from = body.p;
	for (uint32_t i = 0; i + 1 < t->n; i++) {
		if (t->tok[i].type != JSON_STRING || t->tok[i + 1].type != JSON_STRING ||
		    !t->tok[i].hash || !json_string_is(t, i, SPAN("@iot.id")))
			continue;
		struct span v = json_text(t, i + 1);
		const char *entity =
		    v.n && v.p[0] == '$' ? entity_of(s, span_of(v.p + 1, v.n - 1)) : NULL;
		if (!entity)
			return "an @iot.id of its body names no earlier request that has an entity";
		buf_add(b, from, (size_t)(v.p - 1 - from));
		buf_add_span(b, number_of(entity));
		from = v.p + v.n + 1;
	}
	buf_add(b, from, (size_t)(body.p + body.n - from));
	return NULL;
}

static const char *write_body(const struct batch_run *s, const struct part *p, struct buf *b)
{
	struct json_tape t;
	size_t at;
	const char *why;
	if (!p->body.n)
		return NULL;
	json_tape_init(&t, LIMIT_STA_TOKENS);
	if (json_parse(&t, p->body, &at, &why) == 0) {
		why = fill_in(s, &t, p->body, b);
	} else { /* who reads it says what is wrong */
		buf_add_span(b, p->body);
		why = NULL;
	}
	json_tape_done(&t);
	return b->err ? "its body is too large" : why;
}

/* ---- a part ---- */

static bool read_method(const char *text, enum method *ret)
{
	static const struct {
		const char *name;
		enum method method;
	} rows[] = {{"get", METHOD_GET},
	            {"post", METHOD_POST},
	            {"put", METHOD_PUT},
	            {"patch", METHOD_PATCH},
	            {"delete", METHOD_DELETE}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (strcasecmp(text, rows[i].name) == 0) {
			*ret = rows[i].method;
			return true;
		}
	return false;
}

static bool is_failure(const struct part *p)
{
	return p->status >= 400 && !p->passed_over;
}

/* Of ids, and of groups. 0, or the status of a part that is not begun. */
static int depends(const struct batch_run *s, const struct part *p, const char **ret_why)
{
	for (unsigned k = 0; k < p->n_depends; k++) {
		bool found = false, failed = false;
		for (unsigned i = 0; i < s->at; i++) {
			const struct part *of = &s->parts.one[i];
			if (strcmp(of->id, p->depends[k]) != 0 &&
			    strcmp(of->group_name, p->depends[k]) != 0)
				continue;
			found = true;
			failed |= is_failure(of);
		}
		*ret_why = "dependsOn names no earlier request";
		if (!found)
			return 400;
		*ret_why = "a request that it depends on failed";
		if (failed)
			return 424;
	}
	return 0;
}

/* "$t": whether t has an entity; "not $t". */
static int condition(const struct batch_run *s, struct part *p, const char **ret_why)
{
	const char *text = p->condition;
	if (!*text)
		return 0;
	bool no = strncmp(text, "not ", 4) == 0;
	text += no ? 4 : 0;
	text += strspn(text, " ");
	*ret_why = "the member if is \"$ID\" or \"not $ID\", of an earlier request";
	if (text[0] != '$' || !find_part(s, span_str(text + 1)))
		return 400;
	if ((entity_of(s, span_str(text + 1)) != NULL) != no)
		return 0;
	*ret_why = "its condition is not met: it was passed over";
	p->passed_over = true;
	return 412;
}

/* 0, or the status of a part that is not begun. */
static int read_part(struct batch_run *s, struct part *p, struct req *inner, const char **ret_why)
{
	int status;
	*ret_why = p->wrong;
	if (p->wrong)
		return 400;
	*ret_why = "method is get, post, put, patch or delete";
	if (!read_method(p->method, &inner->method))
		return 400;
	*ret_why = "another request of its group failed: nothing of the group has happened";
	if (p->group && s->group_failed)
		return 424;
	if ((status = depends(s, p, ret_why)) || (status = condition(s, p, ret_why)))
		return status;
	snprintf(inner->type, sizeof(inner->type), "%s", p->type);
	*ret_why = read_url(s, inner, p->url);
	if (!*ret_why)
		*ret_why = write_body(s, p, &inner->body);
	return *ret_why ? 400 : 0;
}

/* The entity that an answer is about: of Location, or of @iot.selfLink of a body, the first one of
 * a set. */
static void note_entity(struct part *p, const struct req *inner)
{
	static const char self[] = "\"@iot.selfLink\":\"", id[] = "\"@iot.id\":";
	const char *location = req_extra(inner, "Location:"),
	           *body = inner->out.len ? buf_str(&((struct req *)inner)->out) : "",
	           *link = location ? location : strstr(body, self),
	           *path = link ? strstr(link, ROOT) : NULL;
	size_t n = path ? strcspn(path += sizeof(ROOT), ")\"") : 0;
	if (path && path[n] == ')' && n + 1 < sizeof(p->entity)) {
		snprintf(p->entity, sizeof(p->entity), "%.*s", (int)n + 1, path);
		return;
	}
	/* $select=id leaves the number only: of the set that the path ends in */
	const char *number = inner->method == METHOD_GET ? strstr(body, id) : NULL,
	           *set = strrchr(inner->path, '/');
	size_t digits = number ? strspn(number + sizeof(id) - 1, "0123456789-") : 0;
	if (!number || !set || !digits)
		return;
	int m = (int)strcspn(++set, "(");
	snprintf(p->entity, sizeof(p->entity), "%.*s(%.*s)", m, set, (int)digits,
	         number + sizeof(id) - 1);
}

/* ---- running them ---- */

static void inner_answered(struct req *inner)
{
	struct batch_run *s = inner->answered_arg;
	s->again = true;
	if (s->r->wsi)
		conn_wake(s->r->wsi);
}

static struct req *inner_new(struct batch_run *s)
{
	struct req *r = s->r, *inner = xcalloc(1, sizeof(*inner));
	inner->web = r->web;
	inner->wsi = r->wsi;
	inner->kind = r->kind;
	inner->who = r->who;
	inner->answered = inner_answered;
	inner->answered_arg = s;
	inner->group = s->group;
	list_init(&inner->node);
	list_init(&inner->room_node);
	list_init(&inner->behind);
	list_init(&inner->page_node);
	query_init(&inner->query);
	buf_init(&inner->out, LIMIT_WEB_EVENT_BYTES);
	buf_init(&inner->body, LIMIT_PACKET_BYTES_MAX);
	return inner;
}

static void write_part(struct batch_run *s, unsigned i)
{
	batch_write_part(&s->parts, i, s->boundary, &s->r->out);
	drop_inner(s->parts.one[i].inner);
	s->parts.one[i].inner = NULL;
}

/* A part has its status; in a group it is written with the others. */
static void next_part(struct batch_run *s)
{
	struct part *p = &s->parts.one[s->at++];
	if (p->group) {
		s->group_failed |= is_failure(p);
		return;
	}
	write_part(s, s->at - 1);
	s->stopped = is_failure(p) && !s->go_on;
}

static void take_answer(struct batch_run *s)
{
	struct part *p = &s->parts.one[s->at];
	p->inner = s->inner;
	s->inner = NULL;
	s->again = false;
	if (p->inner->answering) {
		p->status = p->inner->status;
		if (p->status < 300)
			note_entity(p, p->inner);
	} /* else it is ready, and waits for its group */
	next_part(s);
}

static void begin_part(struct batch_run *s)
{
	struct part *p = &s->parts.one[s->at];
	struct req *inner = inner_new(s);
	p->status = read_part(s, p, inner, &p->why);
	s->r->web->body_bytes += inner->body.len;
	if (p->status) {
		drop_inner(inner);
		next_part(s);
		return;
	}
	s->inner = inner;
	route(inner);
}

/* ---- groups ---- */

static void write_group(struct batch_run *s, int status)
{
	bool failed = status != 0;
	for (unsigned i = s->group_from; i < s->at; i++) {
		struct part *p = &s->parts.one[i];
		if (p->inner && p->inner->answering)
			p->status = p->inner->status;
		else if (p->inner)
			p->status = 0;
		failed |= is_failure(p);
	}
	for (unsigned i = s->group_from; failed && i < s->at; i++) {
		struct part *p = &s->parts.one[i];
		p->entity[0] = '\0';
		if (p->passed_over || is_failure(p))
			continue;
		drop_inner(p->inner);
		p->inner = NULL;
		p->status = status ? status : 424;
		p->why = status == 507   ? "the store is full: nothing of the group has happened"
		         : status == 413 ? "its Observations are too many to be kept together: "
		                           "about 500, with 1 MB of text"
		                         : "another request of its group failed: nothing of the "
		                           "group has happened";
	}
	for (unsigned i = s->group_from; i < s->at; i++)
		write_part(s, i);
	s->stopped = failed && !s->go_on;
}

static void group_over(void *arg, int status)
{
	struct batch_run *s = arg;
	s->deciding = false;
	s->decided = true;
	write_group(s, status);
	if (s->r->wsi)
		lws_callback_on_writable(s->r->wsi);
}

static void begin_group(struct batch_run *s)
{
	s->group_from = s->at;
	s->group_failed = s->decided = false;
	s->group = sta_group_new(s->r, group_over, s);
}

static bool group_is_complete(const struct batch_run *s)
{
	const struct part *all = s->parts.one;
	return s->group && (s->at == s->parts.n || all[s->at].group != all[s->group_from].group);
}

/* ---- the whole ---- */

static void finish(struct batch_run *s)
{
	struct req *r = s->r;
	r->again = NULL;
	r->group = NULL;
	batch_write_end(&s->parts, s->boundary, &r->out);
	if (s->go_on)
		respond_header(r, "Preference-Applied:", "continue-on-error");
	snprintf(s->type, sizeof(s->type), "multipart/mixed; boundary=%s", s->boundary);
	respond(r, 200, s->parts.mixed ? s->type : "application/json");
}

static void run(struct req *r)
{
	struct batch_run *s = r->own;
	while (!s->deciding && !(s->inner && !s->again)) {
		if (s->inner) {
			take_answer(s);
		} else if (s->group && s->decided) {
			sta_group_free(s->group);
			s->group = r->group = NULL;
		} else if (group_is_complete(s)) {
			s->decided = false;
			s->deciding = true;
			sta_group_end(s->group, s->group_failed);
		} else if (s->stopped || s->at == s->parts.n) {
			finish(s);
			return;
		} else {
			if (s->parts.one[s->at].group && !s->group)
				begin_group(s);
			begin_part(s);
		}
	}
}

static void set_boundary(struct batch_run *s)
{
	uint64_t chance[2] = {0};
	if (getrandom(chance, sizeof(chance), 0) != sizeof(chance))
		log_warn("There is no chance to be had for the boundary of a batch.");
	snprintf(s->boundary, sizeof(s->boundary), "batch_%016llx%016llx",
	         (unsigned long long)chance[0], (unsigned long long)chance[1]);
}

/* "continue-on-error", "odata.continue-on-error", with "=true" or "=false" or none. */
static bool prefers_to_go_on(const char *prefer)
{
	static const char name[] = "continue-on-error";
	const char *p = strstr(prefer, name);
	return p && strncmp(p + sizeof(name) - 1, "=false", 6) != 0;
}

void sta_batch(struct req *r)
{
	struct batch_run *s = xcalloc(1, sizeof(*s));
	s->r = r;
	r->own = s;
	r->own_free = batch_free;
	if (r->answered) {
		sta_refuse(r, 400, "batch", "", "a batch within a batch is not taken");
		return;
	}
	const char *why = batch_read(&s->parts, r);
	if (why) {
		sta_refuse(r, 400, "batch", "", "%s", why);
		return;
	}
	s->go_on = prefers_to_go_on(r->prefer);
	set_boundary(s);
	buf_done(&r->out);
	buf_init(&r->out, LIMIT_STA_ANSWER_BYTES);
	batch_write_begin(&s->parts, &r->out);
	req_wait(r);
	r->again = run;
	conn_wake(r->wsi);
}
