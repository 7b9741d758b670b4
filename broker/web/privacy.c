/* privacy.c - what a privacy officer asks about one feed: GET /v1/feeds/{feed}/privacy. */
#include "privacy/privacy.h"

#include "register/register.h"
#include "series/series.h"
#include "web/private.h"
#include "json/write.h"

struct tally {
	unsigned things, registered, valid, personal;
};

static bool is_on(const struct thing *x, const struct feed *f)
{
	for (unsigned i = 0; i < x->n_seen; i++)
		if (x->seen[i].feed == f->index)
			return true;
	return false;
}

/* Over all things: an answer for an administrator, now and then. 100,000 take 2 ms. */
static struct tally count(const struct web *w, const struct feed *f)
{
	int64_t now_ms = clock_wall_ms(hub_clock(w->hub));
	struct tally n = {0};
	for (unsigned i = 0; i < things_count(w->things); i++) {
		const struct thing *x = things_at(w->things, i);
		if (!is_on(x, f))
			continue;
		n.things++;
		n.registered += x->registered;
		n.valid += x->registered && !entry_invalid(&x->entry, now_ms);
		n.personal += x->registered && x->entry.personal_data;
	}
	return n;
}

void get_privacy(struct req *r)
{
	struct feed *f = param_feed(r, ACCESS_ADMIN);
	struct buf *b = &r->out;
	if (!f || !only_query(r, ""))
		return;
	struct tally n = count(r->web, f);
	struct series_feed_figures gone = {0};
	if (r->web->series && series_feed_figures(r->web->series, span_str(f->conf->name), &gone))
		gone = (struct series_feed_figures){0}; /* none of it came yet */
	buf_add_str(b, "{\"feed\":");
	r->web->ops.feed(r->web->ops.arg, f, b);
	buf_add_str(b, ",\"steps\":[");
	for (char **s = f->conf->privacy; *s; s++) {
		if (s != f->conf->privacy)
			buf_add_char(b, ',');
		json_write_string(b, span_str(*s));
	}
	buf_addf(b,
	         "],\"quarantine\":{\"rows\":%llu,\"rowsMax\":%llu,\"keepsPayload\":%s},"
	         "\"things\":{\"seen\":%u,\"registered\":%u,\"valid\":%u,\"personalData\":%u}",
	         (unsigned long long)f->count.quarantine_rows,
	         (unsigned long long)f->conf->quarantine_max, f->privacy ? "false" : "true",
	         n.things, n.registered, n.valid, n.personal);
	buf_addf(b, ",\"deleted\":{\"messages\":%llu,\"observations\":%llu,\"last\":",
	         (unsigned long long)(f->first - 1), (unsigned long long)gone.deleted);
	if (gone.deleted_ms)
		json_write_time(b, gone.deleted_ms);
	else
		buf_add_str(b, "null");
	buf_add_str(b, "}}");
	respond(r, 200, "application/json");
}
