/* lines.c - see lines.h. */
#include "cli/lines.h"

#include "base/err.h"
#include "json/json.h"

static void add_line(struct buf *b, struct span event)
{
	size_t from = b->len;
	buf_add_span(b, event);
	for (size_t i = from; i < b->len; i++)
		if (b->p[i] == '\n' || b->p[i] == '\r')
			b->p[i] = ' ';
	buf_add_char(b, '\n');
}

int lines_of_page(struct buf *b, struct span page, struct lines *l)
{
	struct json_tape t;
	size_t at;
	const char *why;
	uint32_t id = 0;
	json_tape_init(&t, (uint32_t)MIN_OF(page.n / 2 + 2, (size_t)UINT32_MAX)); /* ",1" */
	int err = json_parse(&t, page, &at, &why);
	if (!err && t.tok[0].type != JSON_ARRAY)
		err = ERR_MALFORMED;
	for (uint32_t i = 1; !err && i < t.n; i = t.tok[i].next) {
		if (t.tok[i].type != JSON_OBJECT) {
			err = ERR_MALFORMED;
			break;
		}
		id = json_member(&t, i, SPAN("id"));
		if (!json_member(&t, i, SPAN("sequence")))
			continue;
		add_line(b, json_text(&t, i));
		l->n++;
	}
	l->ended = !err && t.n == 1;
	if (!err && !l->ended)
		err = id ? text_event_position(json_text(&t, id), &l->last) : ERR_MALFORMED;
	json_tape_done(&t);
	return err ? err : b->err;
}
