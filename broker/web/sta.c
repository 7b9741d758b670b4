/* sta.c - /sta/v1.1: a request becomes a query, waits until the series has what was acknowledged
 * before it, is run on a thread of the reader pool, and answered on the loop. */
#include "web/sta.h"

#include "base/err.h"
#include "base/mem.h"
#include "sta/run.h"
#include "web/private.h"
#include "web/sta_written.h"
#include "json/write.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static const char ROOT[] = "/sta/v1.1";

struct sta_job {
	struct job job;
	struct req *r;
	struct sta_things things;
	struct sta_written written;
	struct sta_source source;
	struct sta_request request;
	struct sta_query q;
	struct series_ask wait; /* for what was acknowledged */
	struct buf path, options, root, out;
	const char *type;
	char error[200];
	int err;
};

static void job_free(struct sta_job *j)
{
	permit_done(j->things.permit);
	buf_done(&j->path);
	buf_done(&j->options);
	buf_done(&j->root);
	buf_done(&j->out);
	free(j);
}

/* ---- the answer ---- */

static void answer(struct sta_job *j)
{
	struct req *r = j->r;
	const char *says = j->error[0] ? j->error : "ask again later";
	switch (j->err) {
	case 0:
		buf_add(&r->out, j->out.p, j->out.len);
		respond(r, j->out.len ? 200 : 204, j->type);
		break;
	case ERR_NOT_FOUND:
		problem(r, 404, "%s", j->error[0] ? j->error : "there is no such entity");
		break;
	case ERR_MALFORMED:
	case ERR_TOO_LARGE: problem(r, 400, "%s", says); break;
	case ERR_AGAIN: problem(r, 503, "%s", says); break;
	default:
		log_warn("A question to SensorThings could not be answered. error=\"%s\"",
		         err_text(j->err));
		problem(r, 500, "the series could not be read");
		break;
	}
}

static void finish(struct sta_job *j)
{
	struct req *r = j->r;
	r->pending--;
	r->web->sta_jobs--;
	if (r->wsi)
		answer(j);
	job_free(j);
	req_release(r);
}

static struct sta_job *job_of(struct job *job)
{
	return (struct sta_job *)(void *)((char *)job - offsetof(struct sta_job, job));
}

static void work(struct job *job)
{
	struct sta_job *j = job_of(job);
	entities_fill(j->written.entities, j->things.series);
	j->err = sta_run(&j->request, &j->out, &j->type, j->error);
}

static void done(struct job *job)
{
	finish(job_of(job));
}

static void applied(struct series_ask *a)
{
	struct sta_job *j = a->arg;
	int err = a->err == ERR_NOT_FOUND ? 0 : a->err;
	series_ask_done(a);
	if (err) {
		j->err = err;
		snprintf(j->error, sizeof(j->error),
		         "the series is behind what was acknowledged: ask again later");
		finish(j);
		return;
	}
	hub_pool(j->r->web->hub, &j->job);
}

/* ---- the question ---- */

/* lws has decoded the text; it goes back to what a URL has: sta_query_read() wants it so, and links
 * repeat it. */
static struct sta_job *job_new(struct req *r)
{
	struct sta_job *j = xcalloc(1, sizeof(*j));
	j->r = r;
	buf_init(&j->path, 4 * PATH_BYTES);
	buf_init(&j->options, 4 * QUERY_BYTES);
	buf_init(&j->root, 512);
	buf_init(&j->out, LIMIT_STA_ANSWER_BYTES);
	write_encoded(&j->path, span_str(r->path + strlen(ROOT)));
	for (unsigned i = 0; i < r->query.n; i++) {
		if (i)
			buf_add_char(&j->options, '&');
		write_encoded(&j->options, r->query.pair[i].name);
		buf_add_char(&j->options, '=');
		write_encoded(&j->options, r->query.pair[i].value);
	}
	buf_addf(&j->root, "%s%s", r->web->base_url, ROOT);
	j->things.permit = permit_new(r);
	j->things.series = r->web->series;
	j->things.register_ = r->web->things;
	j->things.base_url = r->web->base_url;
	j->things.hints = r->web->sta_hints;
	j->source = sta_written_source(&j->written, &j->things, r->web->entities);
	j->request = (struct sta_request){.q = &j->q,
	                                  .source = &j->source,
	                                  .root = buf_str(&j->root),
	                                  .path = span_of(j->path.p, j->path.len),
	                                  .options = span_of(j->options.p, j->options.len),
	                                  .now_ms = clock_wall_ms(hub_clock(r->web->hub))};
	return j;
}

void get_sta(struct req *r)
{
	if (!r->web->series) {
		problem(r, 404, "there is no time series here");
		return;
	}
	struct sta_job *j = job_new(r);
	int err = sta_query_read(&j->q, j->request.path, j->request.options);
	if (err) {
		problem(r, err == ERR_NOT_FOUND && j->q.in_path ? 404 : 400, "%s", j->q.error);
		job_free(j);
		return;
	}
	if (j->q.what == STA_WHAT_ROOT) {
		job_free(j);
		sta_landing_page(r);
		return;
	}
	if (r->web->sta_jobs >= LIMIT_STA_JOBS) {
		job_free(j);
		respond_header(r, "Retry-After:", "1");
		problem(r, 503, "too many questions are being answered: ask again in a second");
		return;
	}
	r->web->sta_jobs++;
	r->pending++;
	req_wait(r);
	j->job.work = work;
	j->job.done = done;
	j->wait = (struct series_ask){.what = SERIES_THINGS, .limit = 1, .done = applied, .arg = j};
	series_ask(r->web->series, &j->wait);
}
