/* test_tree.c - the subscription tree: exact cases, then random operations against a plain list. */
#include "naive.h"
#include "topic/name.h"
#include "topic/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sub *add(struct sub_tree *t, struct sub_owner *o, const char *filter, uint8_t qos)
{
	struct sub_options options = {.qos = qos};
	struct sub *s = NULL;

	assert_int_equal(sub_tree_add(t, o, span_str(filter), &options, &s, NULL), 0);
	return s;
}

static void test_add_and_replace(void **state)
{
	struct sub_tree *t = sub_tree_new();
	struct sub_owner a, b;
	struct sub_options options = {.qos = 1, .identifier = 7, .no_local = true, .flags = 5};
	struct sub *first, *again;
	bool is_new;

	(void)state;
	sub_owner_init(&a);
	sub_owner_init(&b);
	assert_int_equal(sub_tree_add(t, &a, SPAN("a/b"), &options, &first, &is_new), 0);
	assert_true(is_new);
	options.qos = 2;
	assert_int_equal(sub_tree_add(t, &a, SPAN("a/b"), &options, &again, &is_new), 0);
	assert_false(is_new); /* [MQTT-3.8.4-3] replaced */
	assert_ptr_equal(first, again);
	assert_int_equal(first->options.qos, 2);
	assert_int_equal(first->options.identifier, 7);
	assert_true(first->options.no_local);
	assert_int_equal(a.n, 1);
	assert_int_equal(sub_tree_add(t, &b, SPAN("a/b"), &options, &again, &is_new), 0);
	assert_true(is_new); /* another owner */
	assert_ptr_equal(sub_tree_find(t, &a, SPAN("a/b")), first);
	assert_ptr_equal(sub_tree_find(t, &b, SPAN("a/b")), again);
	assert_null(sub_tree_find(t, &a, SPAN("a/#")));
	assert_null(sub_tree_find(t, &a, SPAN("a")));
	assert_int_equal(sub_tree_stats(t).subscriptions, 2);
	sub_tree_remove_sub(t, first);
	assert_null(sub_tree_find(t, &a, SPAN("a/b")));
	assert_ptr_equal(sub_tree_find(t, &b, SPAN("a/b")), again);
	sub_tree_remove_all(t, &b);
	assert_int_equal(b.n, 0);
	assert_int_equal(sub_tree_stats(t).nodes, 0); /* nothing stays behind */
	sub_tree_free(t);
	sub_tree_free(NULL);
}

static void test_matching(void **state)
{
	static const char *const filters[] = {"#",      "+",   "a/#",   "a/+",    "a/b",
	                                      "a//b",   "+/b", "+/+",   "/+",     "/",
	                                      "$SYS/#", "+/#", "a/+/#", "$SYS/+", "a/b/c"};
	static const char *const topics[] = {"a",     "b",    "a/b",    "a//b", "/",  "/x",
	                                     "a/b/c", "$SYS", "$SYS/x", "$x",   "a/", "b/b"};
	struct sub_tree *t = sub_tree_new();
	struct sub_owner o[ARRAY_LEN(filters)];
	struct sub_matches m = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		sub_owner_init(&o[i]);
		add(t, &o[i], filters[i], 0);
	}
	for (size_t k = 0; k < ARRAY_LEN(topics); k++) {
		size_t expected = 0;

		assert_int_equal(sub_tree_match(t, span_str(topics[k]), &m), 0);
		for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
			size_t seen = 0;

			for (size_t j = 0; j < m.n; j++)
				seen += m.p[j]->owner == &o[i];
			if (seen != naive_matches(filters[i], topics[k]))
				fail_msg("%s %s: %zu times", filters[i], topics[k], seen);
			expected += seen;
		}
		assert_int_equal(m.n, expected);
	}
	sub_matches_done(&m);
	sub_tree_free(t); /* with all of them inside */
}

static void test_filter_text(void **state)
{
	static const char *const filters[] = {"#", "+", "a/b/#", "/", "//", "+/+/x", "/#", "a"};
	struct sub_tree *t = sub_tree_new();
	struct sub_owner o;
	char out[16];

	(void)state;
	sub_owner_init(&o);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		struct sub *s = add(t, &o, filters[i], 0);
		size_t n = sub_filter(s, out, sizeof(out));

		assert_true(span_is(span_of(out, n), filters[i]));
		out[0] = 'Z';
		assert_int_equal(sub_filter(s, out, 0), n); /* the length without room */
		assert_int_equal(out[0], 'Z');
	}
	sub_tree_remove_all(t, &o);
	assert_int_equal(sub_tree_stats(t).nodes, 0);
	sub_tree_free(t);
}

/* One filter with many subscribers, who leave in another order; one subscriber with many filters.
 */
static void test_many(void **state)
{
	enum { N = 5000 };
	struct sub_tree *t = sub_tree_new();
	struct sub_owner *o = calloc(N, sizeof(*o)), one;
	struct sub_matches m = {0};
	size_t empty = sub_tree_stats(t).bytes;
	char filter[64];

	(void)state;
	for (size_t i = 0; i < N; i++)
		add(t, &o[i], "a/b", 0);
	assert_int_equal(sub_tree_match(t, SPAN("a/b"), &m), 0);
	assert_int_equal(m.n, N);
	for (size_t i = 0; i < N; i++) {
		sub_tree_remove_all(t, &o[(i * 7) % N]);
		if (i % 1000 == 0) {
			assert_int_equal(sub_tree_match(t, SPAN("a/b"), &m), 0);
			assert_int_equal(m.n, N - 1 - i);
		}
	}
	sub_owner_init(&one);
	for (int i = 0; i < N; i++) {
		snprintf(filter, sizeof(filter), "a/%d/+", i);
		add(t, &one, filter, 0);
	}
	assert_int_equal(sub_tree_match(t, SPAN("a/4321/x"), &m), 0);
	assert_int_equal(m.n, 1);
	sub_tree_remove_all(t, &one);
	assert_int_equal(sub_tree_stats(t).nodes, 0);
	assert_int_equal(sub_tree_stats(t).subscriptions, 0);
	assert_true(sub_tree_stats(t).bytes <= empty); /* and the table shrank again */
	sub_matches_done(&m);
	sub_tree_free(t);
	free(o);
}

/* ---- random operations ---- */

static uint64_t seed;

static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static void random_levels(char *out, const char *const *levels, unsigned n)
{
	unsigned depth = 1 + rnd(5);

	out[0] = 0;
	for (unsigned i = 0; i < depth; i++) {
		if (i)
			strcat(out, "/");
		strcat(out, levels[rnd(n)]);
	}
}

static const char *const in_filter[] = {"a", "b", "longer-than-eight", "+", "#", "", "$"};
static const char *const in_topic[] = {"a", "b", "longer-than-eight", "c", "", "$"};

enum { OWNERS = 12, MODEL_MAX = 400 };

struct model {
	struct {
		unsigned owner;
		uint32_t id;
		char filter[128];
	} sub[MODEL_MAX];
	size_t n;
};

static size_t model_find(const struct model *m, unsigned owner, const char *filter)
{
	size_t i = 0;

	while (i < m->n && (m->sub[i].owner != owner || strcmp(m->sub[i].filter, filter) != 0))
		i++;
	return i;
}

static void step_add(struct sub_tree *t, struct sub_owner *o, struct model *m, uint32_t id)
{
	unsigned owner = rnd(OWNERS);
	struct sub_options options = {.identifier = id, .qos = id % 3};
	struct topic_filter legal;
	char filter[128], text[128];
	struct sub *s;
	bool is_new;
	size_t i;

	random_levels(filter, in_filter, 7);
	if (m->n == MODEL_MAX || topic_filter_check(span_str(filter), false, &legal))
		return;
	i = model_find(m, owner, filter);
	assert_int_equal(sub_tree_add(t, &o[owner], span_str(filter), &options, &s, &is_new), 0);
	assert_int_equal(is_new, i == m->n);
	assert_true(span_is(span_of(text, sub_filter(s, text, sizeof(text))), filter));
	if (i == m->n) {
		m->n++;
		m->sub[i].owner = owner;
		strcpy(m->sub[i].filter, filter);
	}
	m->sub[i].id = id;
}

static void step_remove(struct sub_tree *t, struct sub_owner *o, struct model *m)
{
	unsigned owner = rnd(OWNERS);
	char filter[128];
	size_t i;

	random_levels(filter, in_filter, 7);
	if (m->n && rnd(2)) { /* one that is there */
		i = rnd((unsigned)m->n);
		owner = m->sub[i].owner;
		strcpy(filter, m->sub[i].filter);
	}
	i = model_find(m, owner, filter);
	if (filter[0] == 0)
		return;
	if (i == m->n) {
		struct topic_filter legal;

		if (topic_filter_check(span_str(filter), false, &legal) == 0)
			assert_null(sub_tree_find(t, &o[owner], span_str(filter)));
		return;
	}
	sub_tree_remove_sub(t, sub_tree_find(t, &o[owner], span_str(filter)));
	m->sub[i] = m->sub[--m->n];
}

static void step_leave(struct sub_tree *t, struct sub_owner *o, struct model *m)
{
	unsigned owner = rnd(OWNERS);

	sub_tree_remove_all(t, &o[owner]);
	for (size_t i = 0; i < m->n;)
		if (m->sub[i].owner == owner)
			m->sub[i] = m->sub[--m->n];
		else
			i++;
}

static void step_match(const struct sub_tree *t, struct sub_owner *o, const struct model *model,
                       struct sub_matches *m)
{
	char topic[128];
	size_t expected = 0;

	random_levels(topic, in_topic, 6);
	if (topic_name_check(span_str(topic)))
		return;
	assert_int_equal(sub_tree_match(t, span_str(topic), m), 0);
	for (size_t i = 0; i < model->n; i++) {
		size_t seen = 0;

		if (!naive_matches(model->sub[i].filter, topic))
			continue;
		for (size_t k = 0; k < m->n; k++)
			seen += m->p[k]->owner == &o[model->sub[i].owner] &&
			        m->p[k]->options.identifier == model->sub[i].id;
		if (seen != 1)
			fail_msg("%s %s: %zu", model->sub[i].filter, topic, seen);
		expected++;
	}
	assert_int_equal(m->n, expected);
}

static void play(uint64_t from)
{
	struct sub_tree *t = sub_tree_new();
	struct sub_owner o[OWNERS];
	struct model *model = calloc(1, sizeof(*model));
	struct sub_matches m = {0};

	seed = from;
	for (unsigned i = 0; i < OWNERS; i++)
		sub_owner_init(&o[i]);
	for (uint32_t i = 1; i < 6000; i++) {
		unsigned what = rnd(100);

		if (what < 30)
			step_add(t, o, model, i);
		else if (what < 45)
			step_remove(t, o, model);
		else if (what < 46)
			step_leave(t, o, model);
		else
			step_match(t, o, model, &m);
		assert_int_equal(sub_tree_stats(t).subscriptions, model->n);
	}
	for (unsigned i = 0; i < OWNERS; i++)
		sub_tree_remove_all(t, &o[i]);
	assert_int_equal(sub_tree_stats(t).nodes, 0);
	sub_matches_done(&m);
	sub_tree_free(t);
	free(model);
}

static void test_random(void **state)
{
	struct hash_key random = hash_key_random();

	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		play(i);
	print_message("seed %llu\n", (unsigned long long)random.k0);
	play(random.k0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_add_and_replace), cmocka_unit_test(test_matching),
	    cmocka_unit_test(test_filter_text),     cmocka_unit_test(test_many),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
