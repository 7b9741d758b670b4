/* register.c - entries: loading, changing, asking. What things published is seen.c's. */
#include "register/register.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "register/ledger.h"
#include "register/private.h"
#include "json/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static const char row_prefix[] = "thing/";

/* Without letters that read as digits, or that make words. */
static const char code_letters[] = "23456789bcdfghjkmnpqrstvwxz";

/* ---- rows ---- */

struct span things_key(char out[THING_KEY_BYTES], struct span organisation, struct span id)
{
	if (!organisation.n || organisation.n > ORGANISATION_BYTES || !id.n ||
	    id.n > LIMIT_THING_ID_BYTES)
		return (struct span){0};
	memcpy(out, organisation.p, organisation.n);
	out[organisation.n] = '/';
	memcpy(out + organisation.n + 1, id.p, id.n);
	return span_of(out, organisation.n + 1 + id.n);
}

static struct span row_key(char out[ROW_KEY_BYTES], struct span key, uint64_t version)
{
	size_t n = sizeof(row_prefix) - 1;
	memcpy(out, row_prefix, n);
	memcpy(out + n, key.p, key.n);
	n += key.n;
	out[n++] = '\0';
	for (int shift = 56; shift >= 0; shift -= 8)
		out[n++] = (char)(version >> shift);
	return span_of(out, n);
}

static bool row_split(struct span key, struct span *ret_key, uint64_t *ret_version)
{
	size_t head = sizeof(row_prefix) - 1, tail = 1 + sizeof(uint64_t);
	if (key.n <= head + tail || key.p[key.n - tail] != '\0')
		return false;
	*ret_key = span_of(key.p + head, key.n - head - tail);
	*ret_version = 0;
	for (size_t i = key.n - sizeof(uint64_t); i < key.n; i++)
		*ret_version = *ret_version << 8 | (unsigned char)key.p[i];
	return memchr(ret_key->p, '/', ret_key->n) != NULL;
}

static void new_code(const struct things *t, char out[THING_CODE_BYTES + 1])
{
	do {
		for (unsigned i = 0; i < THING_CODE_BYTES;) {
			uint8_t byte;
			if (getrandom(&byte, 1, 0) != 1)
				fatal("There is no randomness for the code of a thing.");
			if (byte % 32 < sizeof(code_letters) - 1) /* all equally often */
				out[i++] = code_letters[byte % 32];
		}
		out[THING_CODE_BYTES] = '\0';
	} while (map_get(&t->by_code, span_str(out)));
}

/* ---- changing what is in memory ---- */

static void entry_takes(struct things *t, struct thing *x, struct entry *e)
{
	const struct thing_place before = thing_entry_place(x);
	pthread_mutex_lock(&t->shown);
	if (x->registered)
		entry_done(&x->entry);
	x->registered = e != NULL;
	if (e)
		x->entry = *e;
	pthread_mutex_unlock(&t->shown);
	things_place(t, x);
	where_changed(t, x);
	const struct thing_place now = thing_entry_place(x);
	if (t->placed && (now.known != before.known || !box_same(&now.place, &before.place)))
		t->placed(t->placed_arg, x->organisation, x->id, now.known ? &now.place : NULL);
}

void things_tell_places(struct things *t, things_placed_fn placed, void *arg)
{
	t->placed = placed;
	t->placed_arg = arg;
}

static int load_row(void *arg, struct span key, struct span value)
{
	struct things *t = arg;
	struct span name;
	uint64_t version;
	struct entry e;
	struct entry_faults faults;
	if (!row_split(key, &name, &version))
		return ERR_STORE_FORMAT;
	struct entry_row row;
	auto_free char *document = NULL;
	int err = entry_row_read(value, &row, &document);
	if (err)
		return err;
	bool there = row.document.n > 0;
	if (there && entry_read(row.document, &e, &faults)) {
		log_error("A thing's entry cannot be read and is passed over: put it again. "
		          "thing=%.*s version=%llu why=\"%s %s\"",
		          (int)name.n, name.p, (unsigned long long)version, faults.one[0].pointer,
		          faults.one[0].detail);
		there = false;
	}
	struct thing *x = things_make(t, name);
	memcpy(x->code, row.code, sizeof(x->code));
	memcpy(x->by, row.by, sizeof(x->by));
	map_set(&t->by_code, span_str(x->code), x);
	x->version = x->given = version; /* rows come in order */
	x->changed_ms = row.changed_ms;
	entry_takes(t, x, there ? &e : NULL);
	return 0;
}

int things_new(struct hub *h, struct things **ret)
{
	struct things *t = xcalloc(1, sizeof(*t));
	t->hub = h;
	pthread_mutex_init(&t->shown, NULL);
	map_init(&t->by_key);
	map_init(&t->by_code);
	list_init(&t->silent);
	int err = store_scan(hub_store(h), STORE_STATE, (struct span){0}, span_str(row_prefix),
	                     SIZE_MAX, load_row, t);
	if (err) {
		things_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void things_stop(struct things *t)
{
	t->stopping = true;
}

void things_free(struct things *t)
{
	if (!t)
		return;
	assert(!t->back);
	for (unsigned i = 0; i < t->order.n; i++) {
		struct thing *x = order_at(&t->order, i);
		entry_done(&x->entry);
		free((char *)x->key.p);
		free(x->seen);
		free(x);
	}
	order_done(&t->order);
	where_done(t);
	map_done(&t->by_key);
	map_done(&t->by_code);
	pthread_mutex_destroy(&t->shown);
	free(t);
}

/* ---- writing ---- */

struct change { /* on its way to the disk; frees itself */
	struct things *things;
	struct entry entry;
	bool takes_out;
	uint64_t version;
	int64_t now_ms;
	char by[THING_BY_BYTES], code[THING_CODE_BYTES + 1];
	things_done_fn done;
	void *arg;
	size_t key_n;
	char key[THING_KEY_BYTES];
};

static void committed(const struct answer *a, int err)
{
	struct change *c = a->owner;
	struct things *t = c->things;
	if (!err) {
		/* It may have gone meanwhile, for it was silent: it is there again. */
		struct thing *x = things_make(t, span_of(c->key, c->key_n));
		if (!x->code[0]) {
			memcpy(x->code, c->code, sizeof(x->code));
			map_set(&t->by_code, span_str(x->code), x);
		}
		x->version = c->version;
		x->given = MAX_OF(x->given, c->version);
		x->changed_ms = c->now_ms;
		memcpy(x->by, c->by, sizeof(x->by));
		entry_takes(t, x, c->takes_out ? NULL : &c->entry);
		c->entry = (struct entry){0};
	}
	t->changing--;
	c->done(c->arg, err);
	entry_done(&c->entry);
	free(c);
}

static void write_row(struct hub *h, const struct change *c)
{
	char key[ROW_KEY_BYTES];
	struct buf b;
	struct entry_row row = {.changed_ms = c->now_ms};
	memcpy(row.code, c->code, sizeof(row.code));
	memcpy(row.by, c->by, sizeof(row.by));
	if (!c->takes_out)
		row.document = span_of(c->entry.text, c->entry.n);
	buf_init(&b, 2 * LIMIT_THING_BYTES);
	entry_row_write(&row, &b);
	assert(!b.err);
	struct span name = span_of(c->key, c->key_n);
	hub_put(h, STORE_STATE, row_key(key, name, c->version), span_of(b.p, b.len));
	if (c->version > LIMIT_THING_VERSIONS)
		hub_del(h, STORE_STATE, row_key(key, name, c->version - LIMIT_THING_VERSIONS));
	buf_done(&b);
}

int things_put(struct things *t, struct span organisation, struct span id, struct entry *e,
               struct span by, things_done_fn done, void *arg)
{
	struct change *c = xcalloc(1, sizeof(*c));
	struct span key = things_key(c->key, organisation, id);
	struct thing *x = key.n ? map_get(&t->by_key, key) : NULL;
	int err = 0;
	if (!key.n || (!e && !(x && x->registered)))
		err = ERR_NOT_FOUND;
	else if (!(x && x->given) && t->order.n - t->n_silent >= LIMIT_THINGS)
		err = ERR_TOO_LARGE;
	else if (!hub_has_state_room(t->hub, 2 * LIMIT_THING_BYTES))
		err = ERR_AGAIN;
	if (err) {
		free(c);
		return err;
	}
	c->things = t;
	c->key_n = key.n;
	c->takes_out = !e;
	c->done = done;
	c->arg = arg;
	c->now_ms = clock_wall_ms(hub_clock(t->hub));
	snprintf(c->by, sizeof(c->by), "%.*s", (int)MIN_OF(by.n, sizeof(c->by) - 1), by.p);
	if (e) {
		c->entry = *e;
		*e = (struct entry){0};
	}
	x = things_make(t, key); /* holds the code and the number until the commit */
	c->version = ++x->given;
	if (x->code[0])
		memcpy(c->code, x->code, sizeof(c->code));
	else if (x->next_code[0])
		memcpy(c->code, x->next_code, sizeof(c->code));
	else
		new_code(t, c->code);
	memcpy(x->next_code, c->code, sizeof(c->code));
	t->changing++;
	write_row(t->hub, c);
	struct answer a = {.done = committed, .owner = c, .feed = UINT32_MAX};
	hub_answer(t->hub, &a);
	return 0;
}

/* ---- erasing ---- */

bool things_row_of(struct span key, struct span *ret_organisation, struct span *ret_thing)
{
	struct span name;
	uint64_t version;
	if (!row_split(key, &name, &version))
		return false;
	const char *slash = memchr(name.p, '/', name.n);
	*ret_organisation = span_of(name.p, (size_t)(slash - name.p));
	*ret_thing = span_of(slash + 1, name.n - ret_organisation->n - 1);
	return true;
}

void things_erased(struct things *t, const struct erasure *e)
{
	for (unsigned i = t->order.n; i-- > 0;) {
		struct thing *x = order_at(&t->order, i);
		if (!erasure_matches(e, x->organisation, x->id))
			continue;
		if (x->given > x->version) /* written again meanwhile, not committed yet */
			continue;
		if (x->code[0])
			map_remove(&t->by_code, span_str(x->code));
		entry_takes(t, x, NULL);
		things_drop(t, x);
	}
}

/* ---- asking ---- */

const struct thing *things_find(const struct things *t, struct span organisation, struct span id)
{
	char mem[THING_KEY_BYTES];
	struct span key = things_key(mem, organisation, id);
	return key.n ? map_get(&t->by_key, key) : NULL;
}

/* Under the lock. NULL: there is no such thing, or it has no entry. */
static const struct entry *entry_of(const struct things *t, struct span organisation,
                                    struct span id)
{
	const struct thing *x = things_find(t, organisation, id);
	return x && x->registered ? &x->entry : NULL;
}

static struct thing_place place_of(const struct entry *e)
{
	if (!e || !e->has_location)
		return (struct thing_place){.known = false};
	return (struct thing_place){true, box_of_point(e->lon_e7, e->lat_e7)};
}

struct thing_place thing_entry_place(const struct thing *x)
{
	return place_of(x->registered ? &x->entry : NULL);
}

struct thing_place things_entry_place(struct things *t, struct span organisation, struct span id)
{
	pthread_mutex_lock(&t->shown);
	struct thing_place p = place_of(entry_of(t, organisation, id));
	pthread_mutex_unlock(&t->shown);
	return p;
}

bool things_entry(struct things *t, struct span organisation, struct span id, struct buf *out,
                  struct thing_place *ret_place)
{
	pthread_mutex_lock(&t->shown);
	const struct entry *e = entry_of(t, organisation, id);
	if (e)
		buf_add(out, e->text, e->n);
	*ret_place = place_of(e);
	pthread_mutex_unlock(&t->shown);
	return e && !out->err;
}

const struct thing *things_by_code(const struct things *t, struct span code)
{
	return code.n ? map_get(&t->by_code, code) : NULL;
}

unsigned things_count(const struct things *t)
{
	return t->order.n;
}

const struct thing *things_at(const struct things *t, unsigned i)
{
	return order_at(&t->order, i);
}

const char *things_refuse(const struct things *t, struct span organisation, struct span id,
                          int64_t now_ms)
{
	const struct thing *x = things_find(t, organisation, id);
	return x && x->registered ? entry_invalid(&x->entry, now_ms) : "is not in the register";
}

/* ---- history ---- */

struct history {
	struct job job;
	struct store *store;
	char prefix[ROW_KEY_BYTES];
	size_t prefix_n;
	struct buf out;
	int err;
	things_history_fn done;
	void *arg;
};

static int add_version(void *arg, struct span key, struct span value)
{
	struct buf *b = arg;
	struct span name;
	uint64_t version;
	if (!row_split(key, &name, &version) || value.n < 2)
		return ERR_STORE_FORMAT;
	struct entry_row row;
	char changed[RFC3339_BYTES];
	auto_free char *document = NULL;
	int err = entry_row_read(value, &row, &document);
	if (err)
		return err;
	rfc3339_format(row.changed_ms, changed);
	buf_addf(b, "%s{\"version\":%llu,\"code\":\"%s\",\"changed\":\"%.*s\",\"by\":",
	         b->len > 1 ? "," : "", (unsigned long long)version, row.code, RFC3339_BYTES,
	         changed);
	json_write_string(b, span_str(row.by));
	buf_add_str(b, ",\"document\":");
	buf_add_span(b, row.document.n ? row.document : SPAN("null"));
	buf_add_char(b, '}');
	return b->err;
}

static void history_work(struct job *j)
{
	struct history *w = container_of(j, struct history, job);
	buf_add_char(&w->out, '[');
	w->err = store_scan(w->store, STORE_STATE, (struct span){0},
	                    span_of(w->prefix, w->prefix_n), SIZE_MAX, add_version, &w->out);
	buf_add_char(&w->out, ']');
	w->err = w->err ? w->err : w->out.err;
}

static void history_done(struct job *j)
{
	struct history *w = container_of(j, struct history, job);
	w->done(w->arg, &w->out, w->err);
	buf_done(&w->out);
	free(w);
}

void things_history(struct things *t, struct span organisation, struct span id,
                    things_history_fn done, void *arg)
{
	struct history *w = xcalloc(1, sizeof(*w));
	char mem[THING_KEY_BYTES];
	struct span key = things_key(mem, organisation, id);
	assert(key.n); /* of a thing that was found */
	w->job = (struct job){.work = history_work, .done = history_done};
	w->store = hub_store(t->hub);
	w->prefix_n = row_key(w->prefix, key, 0).n - sizeof(uint64_t);
	w->done = done;
	w->arg = arg;
	buf_init(&w->out, (size_t)(LIMIT_THING_VERSIONS + 1) * 2 * LIMIT_THING_BYTES);
	hub_pool(t->hub, &w->job);
}
