/* The table of written entities: what is being committed is seen by nobody and holds its name; what
 * was given up never was; tombstones; what is part of a Thing; erasing; and all of it again after a
 * start. */
#include "../broker.h"

#include "register/entities.h"
#include "register/ledger.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct broker b;
static struct entities *e;
static int told; /* calls of done, and the last error */
static int told_err;

static void done(void *arg UNUSED, int err)
{
	told++;
	told_err = err;
}

static int setup(void **state UNUSED)
{
	broker_open(&b, "feed f { topics = { \"t/{thing}\" } schemas = { \"any\" } }");
	return entities_new(b.hub, &e);
}

static int teardown(void **state UNUSED)
{
	entities_free(e);
	broker_close(&b);
	return 0;
}

static void again(void)
{
	entities_free(e);
	broker_restart(&b);
	assert_int_equal(entities_new(b.hub, &e), 0);
}

static int64_t add(struct entities_change *c, enum sta_type t, const char *name, int64_t thing)
{
	struct entity x = {.type = t,
	                   .feed = (char[]){"f"},
	                   .organisation = (char[]){"o"},
	                   .thing = (char *)(t == STA_THING ? name : ""),
	                   .name = (char *)name,
	                   .text = (char[]){"{\"a\":1}"},
	                   .to = {.thing = thing}};
	int64_t id = entities_add(c, &x);
	assert_true(id >= ENTITY_FIRST);
	return id;
}

static void commit(struct entities_change *c)
{
	int before = told;
	assert_int_equal(entities_commit(c, done, NULL), 0);
	broker_turn(&b);
	assert_int_equal(told, before + 1);
	assert_int_equal(told_err, 0);
}

static bool has(enum sta_type t, const char *name)
{
	return entities_has_name(e, t, SPAN("o"), span_str(name));
}

static void is_seen_when_it_is_kept(void **state UNUSED)
{
	struct entities_change *c = entities_begin(e, SPAN("me"));
	int64_t id = add(c, STA_THING, "n", 0);
	assert_null(entities_get(e, STA_THING, id));
	assert_null(entities_after(e, STA_THING, 0));
	assert_true(has(STA_THING, "n"));
	assert_false(has(STA_SENSOR, "n"));
	commit(c);
	again();
	const struct entity *x = entities_get(e, STA_THING, id);
	assert_non_null(x);
	assert_string_equal(x->by, "me");
	assert_string_equal(x->text, "{\"a\":1}");
	assert_ptr_equal(entities_of_thing(e, SPAN("f"), SPAN("o"), SPAN("n"), SPAN("")), x);
}

static void what_is_given_up_never_was(void **state UNUSED)
{
	struct entities_change *c = entities_begin(e, SPAN("me"));
	int64_t id = add(c, STA_THING, "n", 0), part = add(c, STA_DATASTREAM, "d", id);
	entities_abort(c);
	assert_null(entities_get(e, STA_THING, id));
	assert_false(has(STA_THING, "n"));
	assert_null(entities_part_after(e, STA_DATASTREAM, id, 0));
	c = entities_begin(e, SPAN("me"));
	assert_true(add(c, STA_THING, "n", 0) > part); /* a number that was told to nobody, too */
	commit(c);
}

static void changes_and_takes_turns(void **state UNUSED)
{
	struct entities_change *c = entities_begin(e, SPAN("me")), *d;
	int64_t id = add(c, STA_SENSOR, "n", 0);
	commit(c);
	struct entity x = *entities_get(e, STA_SENSOR, id);
	x.name = (char[]){"m"};
	x.text = (char[]){"{\"a\":2}"};
	c = entities_begin(e, SPAN("you"));
	assert_int_equal(entities_replace(c, &x), 0);
	assert_true(has(STA_SENSOR, "n") && has(STA_SENSOR, "m")); /* both, until it is decided */
	assert_string_equal(entities_get(e, STA_SENSOR, id)->text, "{\"a\":1}");
	d = entities_begin(e, SPAN("other"));
	assert_int_equal(entities_remove(d, STA_SENSOR, id), ERR_AGAIN);
	entities_abort(d);
	entities_abort(c);
	assert_true(has(STA_SENSOR, "n") && !has(STA_SENSOR, "m"));
	c = entities_begin(e, SPAN("you"));
	assert_int_equal(entities_replace(c, &x), 0);
	commit(c);
	assert_true(!has(STA_SENSOR, "n") && has(STA_SENSOR, "m"));
	again();
	assert_string_equal(entities_get(e, STA_SENSOR, id)->text, "{\"a\":2}");
}

static void what_is_deleted_goes(void **state UNUSED)
{
	struct entities_change *c = entities_begin(e, SPAN("me"));
	int64_t id = add(c, STA_THING, "n", 0), first = add(c, STA_DATASTREAM, "d", id),
	        second = add(c, STA_DATASTREAM, "e", id);
	commit(c);
	assert_int_equal(entities_part_after(e, STA_DATASTREAM, id, 0)->id, first);
	assert_int_equal(entities_part_after(e, STA_DATASTREAM, id, first)->id, second);
	c = entities_begin(e, SPAN("me"));
	assert_int_equal(entities_remove(c, STA_DATASTREAM, first), 0);
	assert_int_equal(entities_remove(c, STA_THING, id), 0);
	assert_int_equal(entities_remove(c, STA_THING, 77), ERR_NOT_FOUND);
	commit(c);
	for (int round = 0; round < 2; round++, again()) {
		assert_null(entities_get(e, STA_THING, id)); /* there was no data */
		assert_int_equal(entities_part_after(e, STA_DATASTREAM, id, 0)->id, second);
		assert_false(has(STA_THING, "n"));
		assert_null(entities_of_thing(e, SPAN("f"), SPAN("o"), SPAN("n"), SPAN("")));
	}
	c = entities_begin(e, SPAN("me"));
	assert_int_equal(entities_remove(c, STA_THING, id), ERR_NOT_FOUND);
	int64_t last = add(c, STA_THING, "n", 0);
	assert_true(last > second);
	commit(c);
	c = entities_begin(e, SPAN("me"));
	assert_int_equal(entities_remove(c, STA_THING, last), 0);
	commit(c);
	again(); /* the highest number is gone, and not given again */
	c = entities_begin(e, SPAN("me"));
	assert_true(add(c, STA_THING, "n", 0) > last);
	entities_abort(c);
}

static void places_are_bounded(void **state UNUSED)
{
	struct entities_change *c = entities_begin(e, SPAN("me"));
	int64_t id = add(c, STA_THING, "n", 0);
	commit(c);
	struct entity x = *entities_get(e, STA_THING, id);
	x.to.place[x.to.n_places++] = ENTITY_LAST;
	for (int i = 0; i < LIMIT_ENTITY_MOVES + 5; i++) {
		c = entities_begin(e, SPAN("me"));
		assert_int_equal(entities_note_place(c, &x), 0);
		commit(c);
	}
	int n = 0;
	for (const struct entity *h = NULL;
	     (h = entities_part_after(e, STA_HISTORICAL_LOCATION, id, h ? h->id : 0)); n++)
		assert_true(h->to.place[0] == ENTITY_LAST);
	assert_int_equal(n, LIMIT_ENTITY_MOVES);
}

static void is_bounded(void **state UNUSED)
{
	struct entities_change *c = entities_begin(e, SPAN("me"));
	struct entity x = {
	    .type = STA_SENSOR, .feed = (char[]){"f"}, .organisation = (char[]){"o"}};
	for (int i = 0; i < LIMIT_ENTITY_CHANGE; i++)
		assert_true(entities_add(c, &x) > 0);
	assert_int_equal(entities_add(c, &x), ERR_TOO_LARGE);
	commit(c);
}

static void an_erased_thing_leaves_a_number(void **state UNUSED)
{
	struct entities_change *c = entities_begin(e, SPAN("me"));
	int64_t id = add(c, STA_THING, "secret", 0), other = add(c, STA_THING, "other", 0);
	commit(c);
	struct erasure of;
	struct entity y;
	struct buf row, out;
	erasure_make(&of, INT64_MAX, SPAN("o"), SPAN("secret"), SPAN("r"));
	buf_init(&row, 1 << 16);
	buf_init(&out, 1 << 16);
	entity_row_write(entities_get(e, STA_THING, id), &row);
	assert_true(entity_row_erase(span_of(row.p, row.len), &of, &out));
	assert_null(memmem(out.p, out.len, "secret", 6));
	assert_int_equal(entity_row_read(span_of(out.p, out.len), &y), 0);
	assert_true(y.deleted);
	entity_done(&y);
	buf_clear(&row);
	entity_row_write(entities_get(e, STA_THING, other), &row);
	assert_false(entity_row_erase(span_of(row.p, row.len), &of, &out));
	entities_erased(e, &of);
	assert_true(entities_get(e, STA_THING, id)->deleted);
	assert_string_equal(entities_get(e, STA_THING, id)->thing, "");
	assert_false(has(STA_THING, "secret"));
	assert_false(entities_get(e, STA_THING, other)->deleted);
	buf_done(&row);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(is_seen_when_it_is_kept, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_given_up_never_was, setup, teardown),
	    cmocka_unit_test_setup_teardown(changes_and_takes_turns, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_deleted_goes, setup, teardown),
	    cmocka_unit_test_setup_teardown(places_are_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(is_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_erased_thing_leaves_a_number, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
