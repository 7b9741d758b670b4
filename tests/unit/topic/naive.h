/* naive.h - matching as a child would: both strings cut into levels, compared by recursion. The
 * oracle of the topic room's tests and fuzzer; shares no line with it. */
#ifndef TEST_TOPIC_NAIVE_H
#define TEST_TOPIC_NAIVE_H

#include <stdbool.h>
#include <string.h>

/* f and t: rest of filter and topic, NULL when no level is left */
static bool naive_levels(const char *f, const char *t)
{
	const char *f_end = f ? strchrnul(f, '/') : NULL, *t_end = t ? strchrnul(t, '/') : NULL;
	const char *f_next = f && *f_end ? f_end + 1 : NULL,
	           *t_next = t && *t_end ? t_end + 1 : NULL;

	if (!f)
		return !t;
	if (strcmp(f, "#") == 0)
		return true;
	if (!t)
		return false;
	if (strncmp(f, "+", 1) == 0 && f_end == f + 1)
		return naive_levels(f_next, t_next);
	if (f_end - f != t_end - t || memcmp(f, t, (size_t)(f_end - f)) != 0)
		return false;
	return naive_levels(f_next, t_next);
}

static bool naive_matches(const char *filter, const char *topic)
{
	if (topic[0] == '$' && filter[0] != '$')
		return false;
	return naive_levels(filter, topic);
}

#endif
