/* sta_group.c - see sta_group.h. */
#include "web/sta_group.h"

#include "access/audit.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct line { /* of the audit, once it is true */
	const char *action;
	enum sta_type type;
	int64_t id;
};

struct sta_group {
	struct req *outer; /* NULL: the client has gone, a commit is on its way */
	struct web *web;
	struct identity who;
	char origin[64];
	void (*over)(void *arg, int status);
	void *arg;
	struct entities_change *change; /* NULL: none yet, or committed */
	struct ready {
		struct req *r;
		const struct sta_waiting *what;
	} ready[LIMIT_STA_BATCH];
	unsigned n_ready, left; /* left: that have not answered */
	struct line line[LIMIT_STA_BATCH];
	unsigned n_lines;
	int status;
	bool committing, ended;
	bool went; /* it is in the batch: what is audited from now on has happened */
};

struct sta_group *sta_group_new(struct req *outer, void (*over)(void *arg, int status), void *arg)
{
	struct sta_group *g = xcalloc(1, sizeof(*g));
	g->outer = outer;
	g->web = outer->web;
	g->who = outer->who;
	g->over = over;
	g->arg = arg;
	if (g->web->access)
		req_origin(outer, g->origin);
	return g;
}

void sta_group_free(struct sta_group *g)
{
	if (!g)
		return;
	g->outer = NULL;
	if (g->committing)
		return;
	if (g->change)
		entities_abort(g->change);
	free(g);
}

struct entities_change *sta_group_change(struct sta_group *g)
{
	if (!g->change)
		g->change = entities_begin(g->web->entities, g->who.name);
	return g->change;
}

static void write_line(const struct sta_group *g, const struct line *l)
{
	char object[80];
	snprintf(object, sizeof(object), "%s(%lld)", sta_set_name(l->type), (long long)l->id);
	audit_line(access_audit(g->web->access), l->action, object, "done", g->origin, g->who.name,
	           span_str(g->who.organisation));
}

void sta_group_audit(struct sta_group *g, const char *action, enum sta_type t, int64_t id)
{
	const struct line now = {action, t, id};
	if (g->went)
		write_line(g, &now);
	else if (g->n_lines < ARRAY_LEN(g->line))
		g->line[g->n_lines++] = now;
}

void sta_group_ready(struct req *r, const struct sta_waiting *what)
{
	struct sta_group *g = r->group;
	assert(g->n_ready < ARRAY_LEN(g->ready));
	g->ready[g->n_ready++] = (struct ready){r, what};
	r->answered(r);
}

unsigned sta_group_waiting(const struct sta_group *g)
{
	return g->n_ready;
}

/* ---- the end ---- */

static void finish(struct sta_group *g)
{
	if (g->ended || g->committing || g->left)
		return;
	g->ended = true;
	g->over(g->arg, g->status);
}

static void fail(struct sta_group *g, int status)
{
	g->status = status;
	if (g->change)
		entities_abort(g->change);
	g->change = NULL;
	finish(g);
}

static void member_answered(struct req *inner)
{
	struct sta_group *g = inner->answered_arg;
	g->left--;
	finish(g);
}

static void committed(void *arg, int err)
{
	struct sta_group *g = arg;
	g->committing = false;
	for (unsigned i = 0; i < g->n_lines && !err && g->web->access; i++)
		write_line(g, &g->line[i]);
	if (err)
		g->status = 507;
	if (g->outer)
		finish(g);
	else
		free(g);
}

static void expect(struct sta_group *g, struct req *r)
{
	r->answered = member_answered;
	r->answered_arg = g;
	g->left++;
}

/* ERR_AGAIN: not now. ERR_INVALID: one is refused, and answers itself. */
static int try_all(struct sta_group *g)
{
	for (unsigned i = 0; i < g->n_ready; i++) {
		expect(g, g->ready[i].r);
		int err = g->ready[i].what->try(g->ready[i].r);
		if (err == ERR_INVALID)
			return err;
		g->left--;
		if (err)
			return err;
	}
	return 0;
}

/* All that it takes of one commit; 0 with *ret_n 0: nothing. */
static size_t room_of(const struct sta_group *g, unsigned *ret_n)
{
	size_t bytes = 0;
	*ret_n = 0;
	for (unsigned i = 0; i < g->n_ready; i++) {
		unsigned n;
		bytes += g->ready[i].what->bytes(g->ready[i].r, &n);
		*ret_n += n;
	}
	return bytes;
}

/* In one turn, so that it is in one batch. */
static void decide(struct post *p)
{
	struct sta_group *g = p->req->group;
	unsigned n;
	size_t bytes = room_of(g, &n), rows = g->change ? entities_bytes(g->change) : 0;
	if (bytes > LIMIT_STA_GROUP_BYTES) {
		fail(g, 413);
		return;
	}
	bool room = n ? hub_has_room_for(g->web->hub, CONFIG_BULK, n, bytes + rows)
	              : hub_has_state_room(g->web->hub, bytes + rows);
	int err = room ? try_all(g) : ERR_AGAIN;
	if (err == ERR_INVALID) {
		fail(g, 424);
		return;
	}
	if (err) {
		post_wait(g->outer);
		return;
	}
	if (g->change) {
		if (entities_commit(g->change, committed, g)) {
			post_wait(g->outer);
			return;
		}
		g->committing = true;
		g->change = NULL;
	}
	g->went = true;
	for (unsigned i = 0; i < g->n_ready; i++)
		expect(g, g->ready[i].r);
	for (unsigned i = 0; i < g->n_ready; i++)
		g->ready[i].what->go(g->ready[i].r);
	finish(g);
}

void sta_group_end(struct sta_group *g, bool failed)
{
	struct req *r = g->outer;
	if (failed) {
		fail(g, 424);
		return;
	}
	r->group = g;
	post_done(r);
	struct post *p = post_new(r, NULL);
	p->next = decide;
	decide(p);
}
