/* The order of things against a plain sorted array: any adding and dropping, and what is asked. */
#include "register/order.h"

#include "base/mem.h"
#include "register/register.h"
#include "unit/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NAMES = 9000 };

static struct thing *things[NAMES];
static char names[NAMES][16];
static bool in[NAMES];

/* Numbers are padded, so that their order is that of the names. */
static void check(const struct order *o)
{
	unsigned n = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		struct span key = things[i]->key;
		assert_int_equal(order_after(o, key), n + in[i]);
		if (!in[i])
			continue;
		assert_ptr_equal(order_at(o, n), things[i]);
		n++;
	}
	assert_int_equal(o->n, n);
	assert_int_equal(order_after(o, SPAN("~")), n);
}

static void toggle(struct order *o, unsigned i)
{
	if (in[i])
		order_drop(o, things[i]);
	else
		order_add(o, things[i]);
	in[i] = !in[i];
}

static void test_any(void **unused UNUSED)
{
	struct order o = {0};
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof(names[i]), "o/%06u", i);
		things[i] = xcalloc(1, sizeof(*things[i]));
		things[i]->key = span_str(names[i]);
	}
	check(&o);
	for (unsigned i = NAMES; i-- > 0;) /* as after a start: the newest first */
		toggle(&o, i);
	check(&o);
	for (unsigned round = 0; round < 8; round++) {
		for (unsigned k = 0; k < 3 * NAMES; k++)
			toggle(&o, rnd_below(NAMES));
		check(&o);
	}
	for (unsigned i = 0; i < NAMES; i++) /* and down to nothing */
		if (in[i] && i % 100)
			toggle(&o, i);
	check(&o);
	for (unsigned i = 0; i < NAMES; i++)
		if (in[i])
			toggle(&o, i);
	check(&o);
	order_done(&o);
	for (unsigned i = 0; i < NAMES; i++)
		free(things[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_any)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
