/* template.c - does not escape: ':' and 'Z' may stand in a query as they are. */
#include "host/template.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "host/config_check.h"

#include <string.h>

static void add_time(struct buf *b, int64_t ms)
{
	char text[RFC3339_BYTES];
	rfc3339_format(ms, text);
	buf_add(b, text, 19);
	buf_add_char(b, 'Z');
}

/* What stands between the braces; false when it is not ours. */
static int expand(struct buf *b, const char *p, size_t n, int64_t now, int64_t last)
{
	char word[64];
	int64_t ms = 0;
	if (n >= sizeof(word))
		return 0;
	memcpy(word, p, n);
	word[n] = '\0';
	if (strcmp(word, "now") == 0)
		add_time(b, now);
	else if (strcmp(word, "last") == 0)
		add_time(b, last);
	else if (strncmp(word, "now-", 4) == 0 && check_duration(word + 4, &ms) == 0)
		add_time(b, now - ms);
	else if (strncmp(word, "now+", 4) == 0 && check_duration(word + 4, &ms) == 0)
		add_time(b, now + ms);
	else
		return 0;
	return 1;
}

char *template_expand(const char *text, int64_t now_ms, jv position, int64_t catch_up_ms)
{
	struct buf b;
	jv v = jv_object_get(jv_copy(position), jv_string("last"));
	int64_t last = now_ms - catch_up_ms;
	if (jv_get_kind(v) == JV_KIND_NUMBER && (int64_t)jv_number_value(v) > last)
		last = MIN_OF((int64_t)jv_number_value(v), now_ms); /* the clock was put back */
	jv_free(v);
	if (!text)
		return NULL;
	buf_init(&b, 1 << 20);
	while (*text) {
		size_t n = strcspn(text, "{");
		buf_add(&b, text, n);
		text += n;
		const char *end = *text ? strchr(text, '}') : NULL;
		if (end && expand(&b, text + 1, (size_t)(end - text - 1), now_ms, last)) {
			text = end + 1;
		} else if (*text) {
			buf_add_char(&b, *text++);
		}
	}
	char *out = xstrdup(buf_str(&b));
	buf_done(&b);
	return out;
}
