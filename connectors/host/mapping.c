/* mapping.c - does not know where records come from or messages go, nor how jq is bounded. */
#include "host/mapping.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "host/config.h"
#include "host/program.h"
#include "host/tables.h"
#include "host/text.h"
#include "host/words.h"

#include <stdlib.h>
#include <string.h>

/* Members of results: a text made once knows its hash. */
enum { WORD_TOPIC, WORD_PAYLOAD, WORD_RETAIN, WORD_IGNORED, WORD_REFUSED, N_WORDS };
static const char *const word_texts[N_WORDS] = {"topic", "payload", "retain", "ignored", "refused"};

struct mapping {
	struct program program;
	jv words[N_WORDS];
	struct frames *frames;
	jv envelope;
	struct buf text; /* of a payload */
	jv answer;       /* to what was asked last; invalid: nothing was */
	const char *error;
	char own_error[512];
};

/* jq has no way to call a host, but it has one word out and one in: a question is what `debug` is
 * given, and the next `input` is its answer. Without a question, `input` is the envelope. */
static void on_debug(void *ctx, jv said)
{
	struct mapping *m = ctx;
	jv_free(m->answer);
	m->answer = words_answer(m->frames, said);
}

static jv on_input(jq_state *jq, void *ctx)
{
	struct mapping *m = ctx;
	(void)jq;
	jv answer = m->answer;
	m->answer = jv_invalid();
	if (jv_is_valid(answer))
		return answer;
	jv_free(answer);
	return jv_copy(m->envelope);
}

static jv settings_object(const struct connector_conf *k)
{
	jv o = jv_object();
	for (size_t i = 0; i < k->n_settings; i++) {
		const char *eq = strchr(k->settings[i], '=');
		o = jv_object_set(o, jv_string_sized(k->settings[i], (int)(eq - k->settings[i])),
		                  jv_string(eq + 1));
	}
	return o;
}

struct mapping *mapping_new(const struct connector_conf *k, const char *lib_dir, FILE *complaints)
{
	struct mapping *m = xcalloc(1, sizeof(*m));
	auto_free char *text = program_read(k->mapping);
	m->envelope = jv_object();
	m->answer = jv_invalid();
	for (int i = 0; i < N_WORDS; i++)
		m->words[i] = jv_string(word_texts[i]);
	buf_init(&m->text, LIMIT_CONNECT_RECORD_BYTES);
	if (!text)
		fprintf(complaints, "%s: cannot be read\n", k->mapping);
	m->frames = frames_new(k, lib_dir, complaints);
	jv tables = tables_load(k, complaints);
	if (!text || !m->frames || !jv_is_valid(tables)) {
		jv_free(tables);
		mapping_free(m);
		return NULL;
	}
	jv args = jv_object_set(jv_object(), jv_string("settings"), settings_object(k));
	args = jv_object_set(args, jv_string("tables"), tables);
	if (program_init(&m->program, k->mapping, text, lib_dir, args, complaints) < 0) {
		mapping_free(m);
		return NULL;
	}
	jq_set_input_cb(m->program.jq, on_input, m);
	jq_set_debug_cb(m->program.jq, on_debug, m);
	return m;
}

void mapping_free(struct mapping *m)
{
	if (!m)
		return;
	program_done(&m->program);
	frames_free(m->frames);
	jv_free(m->envelope);
	jv_free(m->answer);
	for (int i = 0; i < N_WORDS; i++)
		jv_free(m->words[i]);
	buf_done(&m->text);
	free(m);
}

void mapping_set_source(struct mapping *m, jv envelope)
{
	jv_free(m->envelope);
	m->envelope = envelope;
}

const char *mapping_error(const struct mapping *m)
{
	return m->error;
}

static jv member(const struct mapping *m, jv value, int word)
{
	return jv_object_get(jv_copy(value), jv_copy(m->words[word]));
}

static int give_word(struct mapping *m, jv value, enum result_kind kind, mapping_cb cb, void *ctx)
{
	struct result r = {.kind = kind};
	jv why = member(m, value, kind == RESULT_IGNORED ? WORD_IGNORED : WORD_REFUSED);
	jv_free(value);
	int err = ERR_INVALID;
	if (jv_get_kind(why) == JV_KIND_STRING) {
		r.text = jv_string_value(why);
		r.text_len = jv_string_length_bytes(jv_copy(why));
		err = cb(ctx, &r);
	} else {
		snprintf(m->own_error, sizeof(m->own_error),
		         "ignored and refused must say why in a text");
	}
	jv_free(why);
	return err;
}

/* A payload that is a text is published as it is, anything else as JSON. */
static int give_message(struct mapping *m, jv value, mapping_cb cb, void *ctx)
{
	struct result r = {.kind = RESULT_MESSAGE};
	jv topic = member(m, value, WORD_TOPIC);
	jv payload = member(m, value, WORD_PAYLOAD);
	jv retain = member(m, value, WORD_RETAIN);
	jv_free(value);
	int err = ERR_INVALID;
	if (jv_get_kind(topic) != JV_KIND_STRING || !jv_is_valid(payload)) {
		snprintf(m->own_error, sizeof(m->own_error),
		         "a message needs topic (a text) and payload");
	} else {
		r.topic = jv_string_value(topic);
		r.retain = jv_get_kind(retain) == JV_KIND_TRUE;
		if (jv_get_kind(payload) == JV_KIND_STRING) {
			r.text = jv_string_value(payload);
			r.text_len = jv_string_length_bytes(jv_copy(payload));
		} else {
			buf_clear(&m->text);
			text_write(&m->text, jv_copy(payload));
			r.text = buf_str(&m->text);
			r.text_len = (int)m->text.len;
		}
		err = m->text.err ? ERR_INVALID : cb(ctx, &r);
		if (m->text.err)
			snprintf(m->own_error, sizeof(m->own_error), "a payload is too large");
	}
	jv_free(topic);
	jv_free(payload);
	jv_free(retain);
	return err;
}

static int give(struct mapping *m, jv value, mapping_cb cb, void *ctx, int *n)
{
	int err = 0;
	if (++*n > LIMIT_CONNECT_OUTPUTS) {
		snprintf(m->own_error, sizeof(m->own_error), "more than %d messages of one record",
		         LIMIT_CONNECT_OUTPUTS);
		jv_free(value);
		return ERR_INVALID;
	}
	if (jv_get_kind(value) == JV_KIND_ARRAY) {
		jv_array_foreach(value, i, each)
		{
			if (err == 0)
				err = give(m, each, cb, ctx, n);
			else
				jv_free(each);
		}
		jv_free(value);
		--*n; /* it is no result itself: a record that gives an empty one is left out */
		return err;
	}
	if (jv_get_kind(value) == JV_KIND_NULL) {
		--*n;
		return 0;
	}
	if (jv_get_kind(value) != JV_KIND_OBJECT) {
		snprintf(m->own_error, sizeof(m->own_error), "a result is an object, not %s",
		         jv_kind_name(jv_get_kind(value)));
		jv_free(value);
		return ERR_INVALID;
	}
	if (jv_object_has(jv_copy(value), jv_copy(m->words[WORD_IGNORED])))
		return give_word(m, value, RESULT_IGNORED, cb, ctx);
	if (jv_object_has(jv_copy(value), jv_copy(m->words[WORD_REFUSED])))
		return give_word(m, value, RESULT_REFUSED, cb, ctx);
	return give_message(m, value, cb, ctx);
}

int mapping_run(struct mapping *m, jv record, mapping_cb cb, void *ctx)
{
	int n = 0, err = 0;
	jv v;
	m->own_error[0] = '\0';
	m->error = m->own_error;
	jv_free(m->answer);
	m->answer = jv_invalid();
	program_start(&m->program, record);
	while (jv_is_valid(v = program_next(&m->program))) {
		err = give(m, v, cb, ctx, &n);
		if (err < 0)
			return err; /* program_start() lets go of what is left */
	}
	m->error = m->program.error;
	err = program_end(&m->program, v);
	return err < 0 ? err : n;
}

char *mapping_next_url(const char *expression, jv document, const char *url)
{
	struct program p;
	char *out = NULL;
	jv args = jv_object_set(jv_object(), jv_string("url"), jv_string(url));
	if (program_init(&p, "next", expression, NULL, args, NULL) == 0) {
		program_start(&p, document);
		jv v = program_next(&p);
		if (jv_get_kind(v) == JV_KIND_STRING && jv_string_length_bytes(jv_copy(v)) > 0)
			out = xstrdup(jv_string_value(v));
		jv_free(v);
	} else {
		jv_free(document);
	}
	program_done(&p);
	return out;
}
