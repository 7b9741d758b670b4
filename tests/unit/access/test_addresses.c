/* Connections by address: what is counted together, what is not counted. */
#include "access/addresses.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sockaddr_storage peer(const char *text)
{
	struct sockaddr_storage s = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&s;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&s;
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
		s.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
		s.ss_family = AF_INET6;
	else
		s.ss_family = AF_UNIX;
	return s;
}

static int enter(struct addresses *a, const char *text, uint64_t max, struct address **ret)
{
	struct sockaddr_storage s = peer(text);
	return addresses_enter(a, (struct sockaddr *)&s, max, ret);
}

static void one_has_so_many(void **state UNUSED)
{
	struct addresses *a = addresses_new();
	struct address *x, *y, *z;
	assert_int_equal(enter(a, "192.0.2.1", 2, &x), 0);
	assert_int_equal(enter(a, "192.0.2.1", 2, &y), 0);
	assert_int_equal(enter(a, "192.0.2.1", 2, &z), ERR_DENIED);
	assert_int_equal(enter(a, "::ffff:192.0.2.1", 2, &z), ERR_DENIED);
	struct sockaddr_storage s = peer("192.0.2.1");
	assert_true(addresses_full(a, (struct sockaddr *)&s, 2));
	assert_int_equal(enter(a, "192.0.2.2", 2, &z), 0);
	addresses_leave(a, z);
	addresses_leave(a, x);
	assert_false(addresses_full(a, (struct sockaddr *)&s, 2));
	assert_int_equal(enter(a, "192.0.2.1", 2, &x), 0);
	assert_int_equal(enter(a, "192.0.2.1", 0, &z), 0);
	addresses_leave(a, x);
	addresses_leave(a, y);
	addresses_leave(a, z);
	addresses_leave(a, NULL);
	addresses_free(a);
}

static void a_network_of_ipv6_is_one(void **state UNUSED)
{
	struct addresses *a = addresses_new();
	struct address *x, *y;
	assert_int_equal(enter(a, "2001:db8:1:2::1", 1, &x), 0);
	assert_int_equal(enter(a, "2001:db8:1:2:ffff::9", 1, &y), ERR_DENIED);
	assert_int_equal(enter(a, "2001:db8:1:3::1", 1, &y), 0);
	addresses_leave(a, x);
	addresses_leave(a, y);
	addresses_free(a);
}

static void this_machine_is_not_counted(void **state UNUSED)
{
	const char *const own[] = {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "unix"};
	struct addresses *a = addresses_new();
	struct address *x;
	for (unsigned i = 0; i < ARRAY_LEN(own); i++)
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(enter(a, own[i], 1, &x), 0);
			assert_null(x);
		}
	addresses_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_has_so_many),
	                                   cmocka_unit_test(a_network_of_ipv6_is_one),
	                                   cmocka_unit_test(this_machine_is_not_counted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
