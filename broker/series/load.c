/* load.c - what is in memory is read from the rows when the daemon starts: names, newest values,
 * corrections, positions. A row that cannot be read is passed over and counted; its number stays
 * empty. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "series/private.h"

#include <stdlib.h>

struct source *source_get(struct series *s, uint32_t feed)
{
	assert(feed < SOURCES_MAX);
	if (!s->sources[feed]) {
		struct source *src = xcalloc(1, sizeof(*src));
		src->id = feed;
		src->name = xstrdup("");
		s->sources[feed] = src;
		if (feed >= s->n_sources)
			s->n_sources = feed + 1;
	}
	return s->sources[feed];
}

static bool load_thing(struct series *s, struct span key, struct span value)
{
	struct row_thing r;
	uint32_t id;
	if (!key_id_read(key, &id) || id > LIMIT_SERIES_STREAMS || row_thing_read(key, value, &r) ||
	    r.feed == 0 || r.feed > LIMIT_FEEDS * 100u)
		return false;
	struct source *src = source_get(s, r.feed);
	struct thing *t = thing_at(s, id);
	*t = (struct thing){.feed = r.feed,
	                    .organisation = name_intern(s, r.organisation),
	                    .name = name_keep(s, r.thing),
	                    .place = {r.place_ms, r.place},
	                    .first_stored_ms = r.first_stored_ms,
	                    .last_observed_ms = r.last_observed_ms,
	                    .last_stored_ms = r.last_stored_ms,
	                    .has_place = r.has_place,
	                    .on_disk = true,
	                    .gone = true};
	thing_index(s, id, thing_hash(s, r.feed, r.organisation, r.thing));
	near_moved(s, id, NULL);
	near_look_up(s, id);
	src->things++;
	if (r.first_stored_ms &&
	    (!src->first_stored_ms || r.first_stored_ms < src->first_stored_ms))
		src->first_stored_ms = r.first_stored_ms;
	src->last_stored_ms = MAX_OF(src->last_stored_ms, r.last_stored_ms);
	src->last_observed_ms = MAX_OF(src->last_observed_ms, r.last_observed_ms);
	return true;
}

static void load_held(struct held *h, const struct row_value *v)
{
	*h = (struct held){.time_ms = v->time_ms,
	                   .stored_ms = v->stored_ms,
	                   .flags = v->flags,
	                   .kind = v->kind,
	                   .is_set = true};
	if (v->kind == POINT_TEXT)
		h->text = text_new(v->text);
	else
		h->number = v->number;
}

static bool load_stream(struct series *s, struct span key, struct span value)
{
	struct row_stream r;
	uint32_t id;
	if (!key_id_read(key, &id) || id > 2u * LIMIT_SERIES_STREAMS ||
	    row_stream_read(key, value, &r) || r.thing >= s->n_things || s->things[r.thing].gone)
		return false;
	struct stream *st = stream_at(s, id);
	*st = (struct stream){.thing = r.thing,
	                      .member = name_intern(s, r.member),
	                      .meaning = meaning_row(s, &r),
	                      .sequence = r.sequence,
	                      .disk_sequence = r.sequence,
	                      .flush_sequence = r.sequence,
	                      .count = r.count,
	                      .first_ms = r.first_ms,
	                      .last_ms = r.last_ms,
	                      .since_ms = r.since_ms,
	                      .stored_ms = r.stored_ms,
	                      .on_disk = true,
	                      .version = (uint32_t)r.sequence,
	                      .changed_ms = r.has_changed ? r.changed_ms : r.latest.time_ms,
	                      .implausible = r.implausible,
	                      .told = r.told,
	                      .gone = true};
	if (r.has_latest)
		load_held(&st->latest, &r.latest);
	if (r.has_future) {
		st->future = xcalloc(1, sizeof(*st->future));
		load_held(st->future, &r.future);
	}
	stream_index(s, id);
	return true;
}

static bool load_amend(struct series *s, struct span key, struct span value)
{
	struct row_amend r;
	uint32_t stream;
	uint64_t id;
	if (!key_amend_read(key, &stream, &id) || row_amend_read(key, value, &r) ||
	    stream >= s->n_streams || s->streams[stream].gone)
		return false;
	const struct amend a = {.id = id,
	                        .from_ms = r.from_ms,
	                        .to_ms = r.to_ms,
	                        .rolled_ms = r.rolled_ms,
	                        .factor = r.factor,
	                        .offset = r.offset,
	                        .flags = r.flags,
	                        .what = r.what};
	s->next_amend = MAX_OF(s->next_amend, id + 1);
	return amend_add(&s->streams[stream], &a) == 0;
}

static int load_table(struct series *s, struct side_view *v, enum side_table table,
                      bool (*load)(struct series *, struct span, struct span))
{
	struct span key, value;
	int err = side_seek(v, table, SPAN("\0"), &key, &value);
	for (; !err; err = side_next(v, table, &key, &value))
		s->stats.damaged += !load(s, key, value);
	return err == ERR_NOT_FOUND ? 0 : err;
}

int meta_each_feed(struct series *s, struct side_view *v, struct span prefix,
                   int (*load)(struct source *src, struct span value))
{
	struct span key, value;
	int err = side_seek(v, SIDE_META, prefix, &key, &value);
	while (!err && key.n == prefix.n + 4 && memcmp(key.p, prefix.p, prefix.n) == 0) {
		uint32_t feed;
		if (!key_id_read(span_of(key.p + prefix.n, 4), &feed) || feed > LIMIT_FEEDS * 100u)
			return ERR_STORE_DAMAGED;
		err = load(source_get(s, feed), value);
		err = err ? err : side_next(v, SIDE_META, &key, &value);
	}
	return err == ERR_NOT_FOUND ? 0 : err;
}

static int load_position(struct source *src, struct span value)
{
	uint64_t at = 0;
	if (value.n != sizeof(at))
		return ERR_STORE_DAMAGED;
	memcpy(&at, value.p, sizeof(at));
	src->applied = src->goal = src->durable = src->round = at;
	src->told_applied = src->told_durable = at;
	return 0;
}

struct judging {
	struct series *s;
	struct buf *why;
};

static int judge(void *arg, struct span name, const struct store_feed *f)
{
	struct judging *j = arg;
	struct source *src = source_of(j->s, f->id);
	if (!src || src->applied <= f->last)
		return 0;
	buf_addf(j->why,
	         "the series have applied record %llu of feed \"%.*s\" and the journal ends at "
	         "%llu: an older copy of the journal was put in place; restore journal and series "
	         "of one backup, or move the directory series away to have it made again from "
	         "what the log still holds",
	         (unsigned long long)src->applied, (int)name.n, name.p,
	         (unsigned long long)f->last);
	return ERR_STORE_FORMAT;
}

int series_load(struct series *s, struct buf *why)
{
	struct side_view *v = NULL;
	struct judging j = {s, why};
	struct side_usage u = {0};
	int err = side_usage(s->side, &u);
	if (!err)
		names_reserve(s, u.rows[SIDE_THING], u.rows[SIDE_STREAM]);
	err = err ? err : side_view_open(s->side, &v);
	err = err ? err : meta_each_feed(s, v, SPAN("pos/"), load_position);
	err = err ? err : expire_load(s, v);
	err = err ? err : store_feed_each(s->store, judge, &j);
	err = err ? err : load_table(s, v, SIDE_THING, load_thing);
	err = err ? err : load_table(s, v, SIDE_STREAM, load_stream);
	err = err ? err : load_table(s, v, SIDE_AMEND, load_amend);
	err = err ? err : erase_load(s, v);
	err = err ? err : promised_load(s, v);
	side_view_close(v);
	if (err && !why->len)
		buf_addf(why, "the series cannot be read: %s", err_text(err));
	if (s->stats.damaged)
		log_warn("Rows of the series failed their checksum and are passed over. rows=%llu",
		         (unsigned long long)s->stats.damaged);
	return err;
}

bool series_row_is_whole(enum side_table table, struct span key, struct span value)
{
	struct row_thing thing;
	struct row_stream stream;
	struct row_amend amend;
	struct row_detail detail;
	struct chunk_head head;
	struct box place;
	switch (table) {
	case SIDE_THING: return row_thing_read(key, value, &thing) == 0;
	case SIDE_STREAM: return row_stream_read(key, value, &stream) == 0;
	case SIDE_AMEND: return row_amend_read(key, value, &amend) == 0;
	case SIDE_DETAIL: return row_detail_read(key, value, &detail) == 0;
	case SIDE_PLACE: return row_place_read(key, value, &place) == 0;
	case SIDE_CHUNK:
		return value.n > CHUNK_ROW_HEAD_BYTES &&
		       chunk_read_head(
		           span_of(value.p + CHUNK_ROW_HEAD_BYTES, value.n - CHUNK_ROW_HEAD_BYTES),
		           &head) == 0;
	case SIDE_META:
	case SIDE_TABLES: break;
	}
	return true;
}
