/* ending.c - see ending.h. */
#include "access/ending.h"

#include "access/audit.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_BYTES = ACCESS_NAME_BYTES + 1 + LIMIT_THING_ID_BYTES };
static const char row_prefix[] = "ended/";

struct ending {
	struct access *access;
	struct things *things;
	struct ending_hooks hooks;
	size_t organisation;   /* the next to be looked at */
	char after[KEY_BYTES]; /* the last thing that was looked at */
	size_t after_n;
	unsigned changed, n_things; /* in this round of this organisation */
	unsigned changing;          /* on their way to the disk */
	bool stopping;
};

static int64_t now_of(const struct ending *e)
{
	return clock_wall_ms(hub_clock(access_hub(e->access)));
}

/* ---- one thing ---- */

static void changed(void *arg, int err)
{
	struct ending *e = arg;
	e->changing--;
	if (err)
		log_warn("A thing of an organisation that ends could not be ended; it is tried "
		         "again. err=%s",
		         err_text(err));
}

/* The entry as it is to be; false: it is so already, or cannot be. */
static bool ended_entry(const struct thing *x, int64_t ends_ms, int64_t now_ms, struct entry *ret)
{
	static const struct span state = SPAN("{\"state\":\"ended\"}");
	struct entry_faults faults = {0};
	struct span was = span_of(x->entry.text, x->entry.n);
	char patch[64], when[RFC3339_BYTES];
	if (x->entry.state == ENTRY_ENDED)
		return false;
	if (now_ms >= ends_ms)
		return entry_patch(was, state, ret, &faults) == 0;
	if (x->entry.until_ms && x->entry.until_ms <= ends_ms)
		return false;
	rfc3339_format(ends_ms, when);
	int n =
	    snprintf(patch, sizeof(patch), "{\"activeUntil\":\"%.*s\"}", (int)RFC3339_BYTES, when);
	/* One that was to begin after the end never does. */
	return entry_patch(was, span_of(patch, (size_t)n), ret, &faults) == 0 ||
	       entry_patch(was, state, ret, &faults) == 0;
}

/* False: no room now. */
static bool end_thing(struct ending *e, const struct organisation *o, const struct thing *x,
                      int64_t now_ms)
{
	struct entry entry;
	if (!x->registered || x->given > x->version || !ended_entry(x, o->ends_ms, now_ms, &entry))
		return true;
	int err = things_put(e->things, x->organisation, x->id, &entry,
	                     SPAN("end of its organisation"), changed, e);
	entry_done(&entry);
	if (err)
		return false;
	e->changing++;
	e->changed++;
	return true;
}

/* ---- one round ---- */

static void note_told(struct ending *e, struct organisation *o)
{
	char key[sizeof(row_prefix) + ACCESS_NAME_BYTES], value[24];
	int k = snprintf(key, sizeof(key), "%s%s", row_prefix, o->name),
	    v = snprintf(value, sizeof(value), "%" PRId64, o->ends_ms);
	hub_put(access_hub(e->access), STORE_STATE, span_of(key, (size_t)k),
	        span_of(value, (size_t)v));
	o->told_ms = o->ends_ms;
}

static void tell(struct ending *e, struct organisation *o)
{
	char object[ACCESS_NAME_BYTES + 2], result[64];
	if (!hub_has_state_room(access_hub(e->access), 256) ||
	    !e->hooks.ended(e->hooks.arg, o, e->n_things))
		return;
	snprintf(object, sizeof(object), "o/%s", o->name);
	snprintf(result, sizeof(result), "done: %u things ended", e->n_things);
	audit_line(access_audit(e->access), "organisation.end", object, result, NULL, SPAN("oudpd"),
	           span_str(o->name));
	note_told(e, o);
	log_info("An organisation has ended. organisation=%s things=%u", o->name, e->n_things);
}

static bool is_of(const struct thing *x, const struct organisation *o)
{
	return span_is(x->organisation, o->name);
}

/* Its things from where the last piece ended; true: that was all of them. */
static bool go_on(struct ending *e, const struct organisation *o, unsigned *budget)
{
	int64_t now_ms = now_of(e);
	unsigned i = things_after(e->things, span_of(e->after, e->after_n));
	for (; i < things_count(e->things) && is_of(things_at(e->things, i), o); i++) {
		const struct thing *x = things_at(e->things, i);
		if (!*budget || e->changing >= LIMIT_ENDING_CHANGES || !end_thing(e, o, x, now_ms))
			return false;
		--*budget;
		e->n_things += x->registered;
		assert(x->key.n <= sizeof(e->after));
		memcpy(e->after, x->key.p, x->key.n);
		e->after_n = x->key.n;
	}
	return true;
}

static void begin_round(struct ending *e, const struct organisation *o)
{
	int n = snprintf(e->after, sizeof(e->after), "%s/", o->name);
	e->after_n = (size_t)n; /* no id is empty: the first is after it */
	e->changed = e->n_things = 0;
}

void ending_second(struct ending *e)
{
	unsigned budget = LIMIT_ENDING_EXAMINED;
	struct organisation *o;
	size_t at = 0, n = 0;
	while (access_next_organisation(e->access, &at))
		n++;
	for (size_t looked = 0; looked < n && budget && !e->stopping; looked++) {
		if (e->organisation >= n)
			e->organisation = 0;
		at = e->organisation;
		o = access_next_organisation(e->access, &at);
		if (o->ends_ms && !e->after_n)
			begin_round(e, o);
		if (o->ends_ms && !go_on(e, o, &budget))
			return; /* in a second */
		if (o->ends_ms && now_of(e) >= o->ends_ms && o->told_ms != o->ends_ms &&
		    !e->changed)
			tell(e, o);
		e->after_n = 0;
		e->organisation++;
	}
}

/* ---- life ---- */

static int read_told(void *arg, struct span key, struct span value)
{
	const struct ending *e = arg;
	size_t n = strlen(row_prefix);
	struct organisation *o = access_organisation(e->access, span_of(key.p + n, key.n - n));
	uint64_t ms;
	if (o && span_to_u64(value, &ms) == 0)
		o->told_ms = (int64_t)ms;
	return 0;
}

int ending_new(struct access *a, struct things *t, const struct ending_hooks *hooks,
               struct ending **ret)
{
	struct ending *e = xcalloc(1, sizeof(*e));
	*e = (struct ending){.access = a, .things = t, .hooks = *hooks};
	int err = store_scan(hub_store(access_hub(a)), STORE_STATE, span_str(row_prefix),
	                     span_str(row_prefix), SIZE_MAX, read_told, e);
	if (err) {
		free(e);
		return err;
	}
	*ret = e;
	return 0;
}

void ending_stop(struct ending *e)
{
	e->stopping = true;
}

void ending_free(struct ending *e)
{
	free(e);
}
